"""Two recordings held against each other: what is measured, against a twin; the verdicts, by hand and on captures."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyzer.engine.pipeline import analyze
from analyzer.findings.loading import rules
from analyzer.results.comparison import (
    BETTER,
    CANNOT_TELL,
    CHANGED,
    LENGTH,
    LOAD,
    NO_SERVER,
    SAME,
    WORSE,
    ComparedThing,
    Comparison,
    compare,
)
from analyzer.results.intervals import Durations
from analyzer.results.server_measures import (
    Measure,
    RecordingMeasures,
    ServerMeasures,
    ServerName,
    Share,
    Tally,
    Thing,
    measured,
)
from analyzer.results.source_summary import Summary
from analyzer.settings import Settings
from analyzer.units import SECOND
from tests.captures import OWN, RECORDINGS

CAPTURES = Path(__file__).parents[2] / "captures"
WEB = ServerName("10.0.0.1", 80)
LEAK = Thing("finding", "TD101", "error", "close-wait-leak")
PILE_UP = Thing("crowd", "TD106", "error", "close-wait-pile-up")
GRACEFUL, RESET = Thing("ending", "graceful"), Thing("ending", "reset")
WAITED, PEAK = Thing("dwell", "server CLOSE_WAIT"), Thing("peak", "server CLOSE_WAIT")


def measures_of(*paths: Path, by: str = "server") -> RecordingMeasures:
    return measured(analyze([str(path) for path in paths], Settings(keep_further=("census",))), by)


def recording(
    things: dict[Thing, Measure], of: int = 400, length: int = 60, unfinished: int = 0, crowds: Any = None
) -> RecordingMeasures:
    """A recording of one server."""
    server = ServerMeasures(of, unfinished, things)
    return RecordingMeasures(Summary(), length * SECOND, of, {WEB: server}, crowds or {}, {})


def only(comparison: Comparison) -> ComparedThing:
    (entry,) = comparison.things
    return entry


def verdict(before: RecordingMeasures, after: RecordingMeasures) -> tuple[str, str]:
    entry = only(compare(before, after))
    return entry.verdict, entry.difference.doubt


def seconds(*values: float, lasted: bool = False) -> Durations:
    return Durations(np.array(values) * SECOND, np.full(len(values), lasted))


@pytest.mark.parametrize("path", [*OWN, *RECORDINGS], ids=lambda path: path.name)
def test_measures_are_those_of_the_tables(path: Path) -> None:
    """Counted one by one from the DataFrames."""
    result = analyze([str(path)], Settings()).result()
    made = measures_of(path).servers
    assert {(name.address, name.port): server.connections for name, server in made.items()} == Counter(
        zip(result.flows["server_ip"], result.flows["server_port"], strict=True)
    )
    for name, server in made.items():
        flows = result.flows[(result.flows["server_ip"] == name.address) & (result.flows["server_port"] == name.port)]
        expected: dict[tuple[str, str, str], Any] = dict(endings(flows))
        expected |= found(result.findings, flows)
        expected |= dwells(result.timeline, flows)
        expected |= peaks(result.census, name)
        shown = {(thing.kind, thing.name, thing.severity): plain(measure) for thing, measure in server.things.items()}
        assert shown.keys() == expected.keys()
        for thing, value in expected.items():
            assert shown[thing] == pytest.approx(value, abs=2e-6), thing


def plain(measure: Measure) -> Any:
    if isinstance(measure, Durations):
        return (len(measure), measure.lasted, measure.least.sum() / SECOND)
    return measure.count


def endings(flows: pd.DataFrame) -> dict[tuple[str, str, str], int]:
    return {("ending", word, ""): count for word, count in flows["teardown"].value_counts().items() if count}


def found(findings: pd.DataFrame, flows: pd.DataFrame) -> dict[tuple[str, str, str], int]:
    own = findings[findings["stream"].isin(flows["stream"])].drop_duplicates(["stream", "code", "severity"])
    kept = [(row.code, row.severity) for row in own.itertuples() if not rules()[row.code].about_capture]
    first = flows.iloc[0]
    many = findings[findings["stream"].isna() & (findings["server_ip"] == first.server_ip)]
    many = many[(many["server_port"] == first.server_port)]
    crowds = [(row.code, row.severity) for row in many.itertuples() if not rules()[row.code].about_capture]
    return {("finding", *key): count for key, count in Counter(kept).items()} | {
        ("crowd", *key): count for key, count in Counter(crowds).items()
    }


def dwells(timeline: pd.DataFrame, flows: pd.DataFrame) -> dict[tuple[str, str, str], tuple[int, int, float]]:
    """CLOSE_WAIT and FIN_WAIT_2 as flows has them, TIME_WAIT from the first row in it to the next that is not."""
    made = {}
    for role in ("client", "server"):
        for state in ("CLOSE_WAIT", "FIN_WAIT_2"):
            known = flows[flows[f"{role}_{state.lower()}_s"].notna()]
            if len(known):
                lasted = int((known[f"{role}_state"] == state).sum())
                made["dwell", f"{role} {state}", ""] = (len(known), lasted, known[f"{role}_{state.lower()}_s"].sum())
        lengths, lasted = [], 0
        rows = timeline[(timeline["endpoint"] == role) & timeline["stream"].isin(flows["stream"])]
        for _, story in rows.groupby("stream"):
            since = None
            for row in story.itertuples():
                if row.state == "TIME_WAIT" and since is None:
                    since = row.time_epoch
                elif since is not None and (row.state != "TIME_WAIT" or row.event == "capture-end"):
                    lengths.append((row.time_epoch - since).value / SECOND)
                    lasted += row.state == "TIME_WAIT"
                    break
        if lengths:
            made["dwell", f"{role} TIME_WAIT", ""] = (len(lengths), lasted, sum(lengths))
    return made


def peaks(census: pd.DataFrame, name: ServerName) -> dict[tuple[str, str, str], int]:
    """The counts of all keys, one moment after the other."""
    made = {}
    for role, end in (("server", ""), ("client", "peer_")):
        own = census[(census["role"] == role) & (census[f"{end}ip"] == name.address)]
        own = own[own[f"{end}port"] == name.port]
        for state in ("close_wait", "time_wait"):
            now: dict[str, int] = {}
            most = 0
            for _, rows in own.groupby("time_epoch"):
                now |= {row.ip: getattr(row, state) for row in rows.itertuples()}
                most = max(most, sum(now.values()))
            if most:
                made["peak", f"{role} {state.upper()}", ""] = most
    return made


def test_the_fix_of_field_note_1_worked() -> None:
    before = measures_of(CAPTURES / "one-response-in-three-not-closed.pcapng")
    after = measures_of(CAPTURES / "every-response-closed.pcapng")
    made, back = compare(before, after), compare(after, before)
    assert {entry.thing.name for entry in made.things if entry.verdict == BETTER} == {
        *("TD102", "reset", "graceful", "client CLOSE_WAIT")
    }
    assert not made.worse
    assert back.worse
    assert {entry.thing for entry in made.things if entry.verdict == BETTER} == {
        entry.thing for entry in back.things if entry.verdict == WORSE
    }


@pytest.mark.parametrize("path", [*OWN[::5], *RECORDINGS[:3]], ids=lambda path: path.name)
def test_nothing_has_changed_between_a_recording_and_itself(path: Path) -> None:
    for by in ("server", "port", "all"):
        made = compare(measures_of(path, by=by), measures_of(path, by=by))
        assert {entry.verdict for entry in made.things} <= {SAME, CANNOT_TELL}
        assert not made.worse


def test_the_rest_is_not_taken_for_gone() -> None:
    before, after = recording({LEAK: Share(148, 400)}), recording({LEAK: Share(0, 412)}, of=412)
    entry = only(compare(before, after))
    assert (entry.verdict, entry.before, entry.after) == (BETTER, Share(148, 400), Share(0, 412))
    assert verdict(recording({LEAK: Share(3, 8)}, of=8), recording({}, of=9)) == (CANNOT_TELL, "chance")
    assert verdict(recording({LEAK: Share(3, 3)}, of=3), recording({}, of=3)) == (CANNOT_TELL, "few")
    assert verdict(recording({LEAK: Share(8, 400)}), recording({LEAK: Share(9, 400)})) == (SAME, "")


def test_a_shorter_recording_shows_no_cure_by_what_had_not_ended_in_it() -> None:
    before = recording({LEAK: Share(100, 400)}, length=60, unfinished=110)
    assert verdict(before, recording({}, length=6, unfinished=90)) == (CANNOT_TELL, LENGTH)
    assert verdict(before, recording({}, length=6, unfinished=5)) == (BETTER, "")
    assert verdict(before, recording({}, length=55, unfinished=90)) == (BETTER, "")
    assert verdict(recording({}, length=6, unfinished=90), before) == (CANNOT_TELL, LENGTH)
    assert verdict(recording({}, length=6, unfinished=5), before) == (WORSE, "")


def test_a_pile_up_needs_many_and_time() -> None:
    before = recording({PILE_UP: Tally(1, 400)})
    assert verdict(before, recording({})) == (BETTER, "")
    assert verdict(before, recording({}, of=40)) == (CANNOT_TELL, LOAD)
    assert verdict(before, recording({}, length=10)) == (CANNOT_TELL, LENGTH)
    assert verdict(recording({}), before) == (WORSE, "")
    assert verdict(recording({}, of=40), before) == (CANNOT_TELL, LOAD)
    assert verdict(before, before) == (SAME, "")


def test_peaks_are_compared_by_connections_and_by_their_rate() -> None:
    leak = recording({PEAK: Tally(200, 400)})
    assert verdict(leak, recording({PEAK: Tally(12, 400)})) == (BETTER, "")
    assert verdict(recording({PEAK: Tally(12, 400)}), leak) == (WORSE, "")
    # as many a second, so as many at once: that the recording is shorter makes nothing worse
    assert verdict(leak, recording({PEAK: Tally(200, 40)}, of=40, length=6)) == (CANNOT_TELL, LENGTH)
    assert verdict(leak, recording({PEAK: Tally(205, 400)})) == (SAME, "")
    few = recording({PEAK: Tally(6, 400)})
    assert verdict(few, recording({PEAK: Tally(9, 400)})) == (CANNOT_TELL, "chance")


def test_medians_are_compared_with_what_had_not_ended() -> None:
    quick, slow = seconds(*np.linspace(0.01, 0.3, 50)), seconds(*np.linspace(3, 9, 50))
    lasting = seconds(*np.linspace(3, 9, 50), lasted=True)
    assert verdict(recording({WAITED: quick}), recording({WAITED: slow})) == (WORSE, "")
    assert verdict(recording({WAITED: quick}), recording({WAITED: lasting})) == (WORSE, "")
    assert verdict(recording({WAITED: lasting}), recording({WAITED: quick})) == (BETTER, "")
    assert verdict(recording({WAITED: lasting}), recording({WAITED: slow})) == (CANNOT_TELL, "lasted")
    assert verdict(recording({WAITED: seconds(1, 2, 3)}), recording({WAITED: slow})) == (CANNOT_TELL, "chance")


def test_differences_of_milliseconds_change_nothing() -> None:
    one, other = seconds(*np.linspace(0.0001, 0.0002, 50)), seconds(*np.linspace(0.001, 0.002, 50))
    assert verdict(recording({WAITED: one}), recording({WAITED: other})) == (SAME, "")
    one, other = seconds(*np.linspace(10.0, 10.1, 50)), seconds(*np.linspace(10.5, 10.6, 50))
    assert verdict(recording({WAITED: one}), recording({WAITED: other})) == (SAME, "")


def test_what_is_neither_good_nor_bad_is_only_changed() -> None:
    info = Thing("finding", "TD301", "info", "abortive-close")
    made = compare(recording({info: Share(0, 400)}), recording({info: Share(300, 400)}))
    assert only(made).verdict == CHANGED
    assert not made.worse
    ended = compare(recording({RESET: Share(0, 400)}), recording({RESET: Share(300, 400)}))
    assert only(ended).verdict == WORSE
    assert not ended.worse  # only findings have a severity


def test_endings_are_shares_of_what_ended() -> None:
    before = recording({GRACEFUL: Share(400, 400)})
    after = recording({GRACEFUL: Share(100, 100), Thing("ending", "open"): Share(300, 400)}, unfinished=300)
    told = {entry.thing.name: entry.verdict for entry in compare(before, after).things}
    assert told == {"graceful": SAME, "open": CHANGED}


def test_what_is_about_no_server_is_compared_too() -> None:
    made = compare(recording({}, crowds={PILE_UP: Tally(1, 400)}), recording({}))
    assert (only(made).server, only(made).verdict) == (NO_SERVER, BETTER)


def test_servers_of_other_addresses_are_matched_by_port() -> None:
    before = measures_of(CAPTURES / "graceful-over-ipv6.pcap")
    after = measures_of(CAPTURES / "graceful-client-first.pcap")
    assert compare(before, after).servers == []
    assert len(compare(before, after).alone(before)) == 1
    ports = [
        measures_of(CAPTURES / f"{name}.pcap", by="port") for name in ("graceful-over-ipv6", "graceful-client-first")
    ]
    assert compare(*ports).servers == [ServerName("", 8080)]


def test_the_gravest_of_the_worst_comes_first() -> None:
    shared = {GRACEFUL: Share(400, 400)}
    warning = Thing("finding", "TD103", "warning", "write-to-closed-peer")
    worse = {GRACEFUL: Share(50, 400), warning: Share(350, 400), LEAK: Share(300, 400)}
    told = [entry.thing.name for entry in compare(recording(shared), recording(worse)).things]
    assert told == ["TD101", "TD103", "graceful"]
