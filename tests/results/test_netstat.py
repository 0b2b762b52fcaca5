"""The sockets at a moment against a slow twin, which goes through the rows of timeline.csv; the counts over time."""

from collections import Counter
from datetime import UTC
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analyzer
from analyzer.engine.pipeline import analyze
from analyzer.errors import UsageError
from analyzer.moments import GivenTime
from analyzer.results.dataframes import number_frame
from analyzer.results.netstat import CountsOverTime, moments_of, sockets_at
from analyzer.results.number_table import NumberTable
from analyzer.results.result import Analysed
from analyzer.settings import settings_of
from captures.sets import files_of
from tests.results.naive_census import STATES, changes

NAMES = (
    "time-wait-beside-close-wait.pcap",
    "reconnect-loop-leaks.pcapng",
    "starts-mid-stream.pcap",
    "reuse-delayed.pcap",
)
CAPTURES = Path(__file__).parents[2] / "captures"
RESTARTED = Path(__file__).parents[1] / "lab" / "recordings" / "last-ack-lost.a.pcap.gz"
SECOND = 10**9
WORDS = (*STATES, "unknown")


def analysed(*paths: Path, **settings: object) -> Analysed:
    return analyze([str(path) for path in paths], settings_of(**settings))


def at(made: Analysed, moment: int) -> pd.DataFrame:
    return frame(sockets_at(made, GivenTime(moment, "1970")).table())


def frame(table: NumberTable) -> pd.DataFrame:
    return number_frame(table)


def some_moments(made: Analysed) -> list[int]:
    """The times of the timeline, right before and after them, and between."""
    first, last = made.summary.first_ns or 0, made.summary.last_ns or 0
    times = made.result().timeline["time_epoch"].astype("int64").to_numpy()
    near = [*times, *(times - 1), *(times + 1), *range(first, last, max((last - first) // 20, 1))]
    return sorted({int(time) for time in near if first <= time <= last})[:: max(1, len(near) // 60)]


def by_the_timeline(timeline: pd.DataFrame, moment: int, end: int) -> Counter[tuple[str, str]]:
    """How many sockets of each host are in each state."""
    made: Counter[tuple[str, str]] = Counter()
    for time, key, before, after in changes(timeline, end):
        if time <= moment:
            made[str(key[1]), before] -= 1
            made[str(key[1]), after] += 1
    return Counter({key: count for key, count in made.items() if count > 0 and key[1]})


def allowed(rows: pd.DataFrame, moment: int) -> set[str]:
    """The states that the bounds of one endpoint's timeline allow."""
    moves = rows[rows["state"] != rows["from_state"]]
    times = [moves[name].astype("int64").to_numpy() for name in ("time_epoch", "earliest_epoch", "latest_epoch")]
    best = np.maximum.accumulate(times[0])
    earliest = np.maximum.accumulate(np.minimum(times[1], best))
    latest = np.minimum.accumulate(np.maximum(times[2], best)[::-1])[::-1]
    states = ["CLOSED", *moves["state"].astype(str)]
    begin, end = [np.iinfo(np.int64).min, *earliest], [*latest, np.iinfo(np.int64).max]
    return {state for state, since, until in zip(states, begin, end, strict=True) if since <= moment < until}


@pytest.mark.parametrize("name", NAMES)
def test_the_sockets_are_those_of_the_timeline(name: str) -> None:
    made = analysed(CAPTURES / name)
    timeline, end = made.result().timeline, made.summary.last_ns or 0
    over_time = CountsOverTime(made, SECOND)
    for moment in some_moments(made):
        sockets = at(made, moment)
        states = sockets["state"].astype(str).str.replace("UNKNOWN", "unknown")
        listed = Counter(zip(sockets["local_ip"].astype(str), states, strict=True))
        assert listed == by_the_timeline(timeline, moment, end)
        over_time.moments = np.array([moment])
        counts = frame(over_time.table())
        told = {(ip, state): counts[state.lower()][row] for row, ip in enumerate(counts["ip"]) for state in WORDS}
        assert +Counter(told) == listed


@pytest.mark.parametrize("name", NAMES[:2])
def test_what_else_is_possible_follows_from_the_bounds(name: str) -> None:
    made = analysed(CAPTURES / name)
    ends = dict(iter(made.result().timeline.groupby(["stream", "endpoint"], observed=True)))
    unsure = 0
    for moment in some_moments(made):
        for row in at(made, moment).itertuples():
            others = {*row.also_possible.split(";")} - {""}
            assert others | {row.state} == allowed(ends[row.stream, row.endpoint], moment) - {"LISTEN"} | {row.state}
            unsure += bool(others)
    assert unsure > 20


def test_time_wait_starts_again_with_the_repeated_fin() -> None:
    made = analysed(RESTARTED)
    timeline = made.result().timeline
    again = timeline[timeline["event"] == "fin-retransmitted"].iloc[-1]
    entered = timeline[timeline["state"] == "TIME_WAIT"].iloc[0]
    assert entered["endpoint"] != again["endpoint"]
    began, restarted = entered["time_epoch"].value, again["time_epoch"].value
    for moment, since in ((restarted - 1, began), (restarted + 1, restarted)):
        (left,) = at(made, moment)["time_wait_left_s"].dropna()
        assert left == pytest.approx(60 - (moment - since) / 1e9)
    made = analysed(RESTARTED, time_wait_s=120)
    assert at(made, restarted)["time_wait_left_s"].dropna().tolist() == [120]


def test_who_was_last_heard_of_before_a_gap_is_in_no_known_state() -> None:
    made = analysed(*files_of("capture-has-gaps"))
    sockets = at(made, made.summary.last_ns or 0)
    assert {"UNKNOWN"} <= {*sockets["state"]}
    assert not sockets.loc[sockets["state"] == "UNKNOWN", "also_possible"].any()


def test_a_connection_heard_of_only_later_is_told_apart() -> None:
    made = analysed(CAPTURES / "starts-mid-stream.pcap")
    sockets = sockets_at(made, GivenTime(made.summary.first_ns or 0, "1970"))
    assert len(sockets.rows["stream"]) + sockets.unheard == 2 * made.overview.flows


def test_filters_choose_connections_and_hosts() -> None:
    made = analysed(CAPTURES / NAMES[1], host="10.1.1.0/24", port=8080)
    sockets = at(made, made.summary.last_ns or 0)
    assert {*sockets["local_ip"]} == {"10.1.1.2"} and {*sockets["foreign_port"]} == {8080}
    assert {*frame(CountsOverTime(made, SECOND).table())["ip"]} == {"10.1.1.2"}


def test_services_and_their_clients() -> None:
    made = analysed(CAPTURES / NAMES[1])
    table, census = frame(CountsOverTime(made, SECOND, services=True).table()), made.result().census
    last = table[table["time_epoch"] == table["time_epoch"].max()]
    census = census[census["time_epoch"] <= last["time_epoch"].iloc[0]]
    own = census[census["role"] == "server"].groupby("port").tail(1).set_index("port")["sockets"]
    served = last[last["role"] == "server"].set_index("port")["sockets"]
    assert served.to_dict() == own[own > 0].to_dict()
    assert last.loc[last["role"] == "client", "sockets"].sum() == last.loc[last["role"] == "server", "sockets"].sum()


def test_moments() -> None:
    assert moments_of((5, 25), 10).tolist() == [10, 20, 25]
    assert moments_of((10, 20), 10).tolist() == [10, 20]
    assert moments_of((11, 12), 10).tolist() == [12]
    assert moments_of((-15, 5), 10).tolist() == [-10, 0, 5]
    with pytest.raises(UsageError, match="longer step"):
        moments_of((0, 10 * SECOND), 1)
    with pytest.raises(UsageError, match="above 0"):
        moments_of((0, 10 * SECOND), 0)


def test_a_result_of_python_takes_times_of_all_kinds() -> None:
    result = analyzer.analyze(CAPTURES / "close-wait-leak.pcap")
    first = result.summary.first_ns or 0
    moment = pd.Timestamp(first + 3 * SECOND, tz=UTC)
    made = result.netstat(3)
    assert made["state"].tolist() == ["FIN_WAIT_2", "CLOSE_WAIT"]
    assert (made["time_epoch"] == moment).all()
    for same in ("3", 3.0, moment, moment.tz_localize(None), moment.to_pydatetime(warn=False)):
        pd.testing.assert_frame_equal(result.netstat(same).drop(columns="time_epoch"), made.drop(columns="time_epoch"))
    for bad, said in ((-1, "before the capture"), ("1e6", "after the capture"), ("soon", "is no time")):
        with pytest.raises(UsageError, match=said):
            result.netstat(bad)
    without = analyzer.analyze(CAPTURES / "close-wait-leak.pcap", keep_timeline=False)
    with pytest.raises(UsageError, match="keep_timeline"):
        without.netstat(3)
