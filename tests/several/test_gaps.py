"""What is known of a connection ends at a gap in the capture: then it is exactly what its own files say.

Every capture is cut in two, and the second part is dated an hour later, as when it was stopped and begun again.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyzer.engine.pipeline import analyze
from analyzer.findings.loading import rules
from analyzer.results.result import ResultTables
from analyzer.settings import Settings
from analyzer.views.ladder import ladder_lines
from analyzer.views.summary import summary_lines
from analyzer.writers.json_document import json_document
from analyzer.writers.tables import write_analysed
from tests.lab.pcapfile import Packet
from tests.several.parts import read, write
from tests.several.test_names_of_frames import CAPTURES, ordered, seconds

HOUR = 3600 * 10**9
SECOND = 10**9
ENDED = r"(the capture's end|(the|a) gap in the capture( began)?|the capture ended)"
TIMERS = {"CLOSED", "TIME_WAIT"}
HAPPENED = ["event", "from_state", "state", "time_epoch", "frame", "basis"]
PLAIN = [
    "teardown",
    "handshake",
    "closed_by",
    "rst_by",
    "rst_cause",
    "idle_before_close_s",
    "observability",
    "findings",
]
PLAIN += [f"{side}_{what}" for side in ("client", "server") for what in ("close_wait_s", "fin_wait_2_s", "bytes")]
PLAIN += ["findings"]
QUIET = {"silent-without-keepalive", "silent-while-nobody-captured"}  # for so long that an hour more is no gap
REJECTED = "connection-attempt-rejected"  # its ICMP error tells of the other part
TCP_ONLY = [path for path in CAPTURES if path.stem not in {REJECTED, *QUIET}]


def capture(name: str) -> Path:
    return next(path for path in CAPTURES if path.stem == name)


def result(*paths: Path) -> ResultTables:
    return analyze([str(path) for path in paths], Settings(keep_segments=True)).result()


def cut(path: Path, place: int, folder: Path, later: int = HOUR) -> tuple[Path, Path]:
    """The packets of a capture before ``place``, and those from there on, dated so much ``later``."""
    link, packets = read(path)
    before, after = folder / "before.pcap", folder / "after.pcap"
    write(before, link, packets[:place])
    write(after, link, [dataclasses.replace(packet, time=packet.time + later) for packet in packets[place:]])
    return before, after


def by_tuple(table: pd.DataFrame) -> dict[tuple[Any, ...], pd.DataFrame]:
    """The rows of each connection, by its addresses, ports and first frame's time."""
    return dict(list(table.groupby(["client_ip", "client_port", "server_ip", "server_port"], observed=True)))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("path", TCP_ONLY, ids=lambda path: path.stem)
def test_a_connection_of_one_part_is_told_as_by_that_part_alone(path: Path, share: float, tmp_path: Path) -> None:
    packets = read(path)[1]
    place = max(round(share * len(packets)), 1)
    if not ordered(path) or place >= len(packets):
        pytest.skip("its packets are not in the order of time, or too few")
    parts = cut(path, place, tmp_path)
    joined = result(*parts)
    assert "TD907" in set(joined.findings["code"])
    together = by_tuple(joined.flows)
    for number, part in enumerate(parts):
        alone = result(part)
        for key, flows in by_tuple(alone.flows).items():
            own = together.get(key)
            if own is not None and len(own) == len(flows) == 1 and of_part(own.iloc[0], flows.iloc[0]):
                check_alike(alone, flows.iloc[0], joined, own.iloc[0], first=number == 0)


@pytest.mark.parametrize(("share", "later"), [(0.2, HOUR), (0.5, HOUR), (0.8, HOUR), (0.95, HOUR), (0.7, 20 * SECOND)])
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_told_at_a_glance_or_followed_segment_by_segment(path: Path, share: float, later: int, tmp_path: Path) -> None:
    """Segments wait for one another unless they are asked for; nothing else depends on that."""
    place = max(round(share * len(read(path)[1])), 1)
    parts = [str(part) for part in cut(path, place, tmp_path, later)]
    apart, together = (analyze(parts, Settings(keep_segments=keep)).result() for keep in (True, False))
    for name in ("flows", "timeline", "findings"):
        pd.testing.assert_frame_equal(getattr(apart, name), getattr(together, name))


def of_part(ours: Any, theirs: Any) -> bool:
    """Whether all of the connection is in that part, what came too late to count apart."""
    return bool(ours["duration_s"] < 3600 and ours["first_epoch"] == theirs["first_epoch"])


def check_alike(alone: ResultTables, theirs: Any, joined: ResultTables, ours: Any, first: bool) -> None:
    continues = joined.listing.told_with(int(ours["stream"]))  # the other part may have what this one lacks
    for name in (name for name in PLAIN if name != "findings" or not continues):
        assert (pd.isna(ours[name]) and pd.isna(theirs[name])) or ours[name] == theirs[name], name
    for side in ("client", "server"):
        states = {ours[f"{side}_state"], theirs[f"{side}_state"]}
        assert len(states) == 1 or (first and states == TIMERS)  # an hour later the timer has run out
    assert continues or told(joined, ours["stream"]) == told(alone, theirs["stream"])
    assert happened(joined, ours) == happened(alone, theirs)


OF_OTHERS = r"\d+( of \w+\.pcap)?|; it gave up [^(]*[^( ]"  # numbers, and what is said of other connections, too


def told(made: ResultTables, stream: int) -> list[tuple[str, ...]]:
    """What is said of a connection, frames apart, and with one word for the end of what was captured."""
    rows = made.findings[made.findings["stream"] == stream]
    return [
        (row.code, row.confidence, re.sub(ENDED, "the end", re.sub(OF_OTHERS, "", row.message)))
        for row in rows.itertuples()
    ]


def happened(made: ResultTables, flow: Any) -> list[tuple[str, ...]]:
    """Its timeline without timers, frames counted from its first one's."""
    rows = made.timeline[(made.timeline["stream"] == flow["stream"]) & (made.timeline["basis"] != "timer")]
    waits = (rows["event"] == "capture-end") & rows["state"].isin(TIMERS)
    rows = rows[~waits].assign(frame=rows["frame"] - flow["first_frame"])
    return [tuple(map(str, row)) for row in rows[["endpoint", *HAPPENED]].itertuples(index=False)]


def crossing(name: str, place: int, folder: Path, **settings: Any) -> ResultTables:
    """The capture with its gap before the packet at ``place``."""
    before, after = cut(capture(name), place, folder)
    return analyze([str(before), str(after)], Settings(**{"keep_segments": True, **settings})).result()


def place_of(name: str, wanted: str, endpoint: str) -> int:
    """Where the packet is in which the ``wanted`` event of an endpoint of the first connection stands."""
    timeline = result(capture(name)).timeline
    rows = timeline[(timeline["event"] == wanted) & (timeline["stream"] == 0) & (timeline["endpoint"] == endpoint)]
    return int(rows["frame"].iloc[0]) - 1


def codes(made: ResultTables) -> set[str]:
    return set(made.findings["code"])


def test_a_close_behind_a_gap_is_not_slow(tmp_path: Path) -> None:
    """The FIN that was captured may be a repeat of one that was not."""
    place = place_of("slow-close", "fin", "server")
    assert "TD105" in codes(result(capture("slow-close")))
    assert "TD105" not in codes(crossing("slow-close", place, tmp_path))


def test_silence_is_what_somebody_listened_to(tmp_path: Path) -> None:
    """Before the FIN, in the flow's row; in a ladder the gap is told apart."""
    place = place_of("prompt-close", "fin", "client")
    assert result(capture("prompt-close")).flows["idle_before_close_s"].iloc[0] > 0.1
    for keep in (False, True):  # told at a glance, or followed
        made = crossing("prompt-close", place, tmp_path, keep_segments=keep)
        flow = made.flows.iloc[0]
        assert flow["closed_by"] == "client" and flow["duration_s"] > 3600
        assert flow["idle_before_close_s"] == 0  # its FIN is the first packet behind the gap
    text = "\n".join(line.plain for line in ladder_lines(made, 0))
    assert (
        re.search(r"60 min \d+ s, for 60 min \d+ s of it nothing was being captured|1 h 0 min", text)
        or "nothing was being captured" in text
    )


def test_no_silence_is_told_that_nobody_heard(tmp_path: Path) -> None:
    """Of a request that met a RST, and of a RST that came after a while."""
    for name in ("reset-by-host-without-connection", "abortive-close"):
        assert "silence" in said(result(capture(name))) or "0.1" in said(result(capture(name)))
        packets = read(capture(name))[1]
        flow = result(capture(name)).flows.iloc[0]
        rst = int(flow["last_frame"]) - 1
        made = crossing(name, rst - (name != "abortive-close"), tmp_path)
        assert codes(made) >= {"TD907"} and len(packets) > rst
        assert not re.search(r"3[56]\d\d(\.\d+)? s( of silence| after)", said(made)), said(made)


def said(made: ResultTables) -> str:
    return " ".join(made.findings["message"])


def test_nobody_gave_up_in_a_gap(tmp_path: Path) -> None:
    """Repeats until the gap, and nothing after it."""
    whole = result(capture("retransmission-gave-up"))
    assert whole.flows["teardown"].iloc[0] == "timed-out" and "TD403" in codes(whole)
    last = int(whole.flows["last_frame"].iloc[0])
    made = crossing("retransmission-gave-up", last, tmp_path)
    assert made.flows["teardown"].iloc[0] == "open" and "TD403" not in codes(made)


def test_what_was_sent_in_a_gap_nobody_lost(tmp_path: Path) -> None:
    """A reply of which the middle is not there, and the gap begins before it: no advice about buffers."""
    packets = read(capture("frames-missing"))[1]
    assert "TD903" in codes(result(capture("frames-missing")))
    longest = max(range(len(packets)), key=lambda place: packets[place].length)  # the first of the reply
    made = crossing("frames-missing", longest + 1, tmp_path)
    assert "TD903" not in codes(made) and "TD907" in codes(made)
    assert made.flows["observability"].iloc[0] == "frames-missing"


@pytest.mark.parametrize(("later", "lost"), [(0, False), (2 * SECOND, True)])
def test_what_was_under_way_when_the_capture_went_on_nobody_lost(later: int, lost: bool, tmp_path: Path) -> None:
    """A connection of which the first that was captured is an acknowledgment behind a gap; its request was before."""
    link, packets = read(capture("graceful-client-first"))
    seen = [packets[2], *(dataclasses.replace(packet, time=packet.time + later) for packet in packets[4:])]
    before, after = tmp_path / "before.pcap", tmp_path / "after.pcap"
    write(before, link, read(capture("prompt-close"))[1])
    write(after, link, [dataclasses.replace(packet, time=packet.time + HOUR) for packet in seen])
    assert ("TD903" in codes(result(before, after))) == lost
    assert "TD903" in codes(result(after))


def alive(packets: list[Packet], place: int) -> list[Packet]:
    """An acknowledgment of the server, once more an hour and a half later: its host answers a probe."""
    again = packets[place]
    return [dataclasses.replace(again, time=again.time + HOUR * 3 // 2)]


def test_who_answers_behind_the_gap_was_there_all_the_time(tmp_path: Path) -> None:
    """In the same numbers: what it did not do in the gap it would have to have done in others."""
    link, packets = read(capture("close-wait-leak"))
    made = result(capture("close-wait-leak"))
    acked = int(made.timeline[made.timeline["state"] == "CLOSE_WAIT"]["frame"].iloc[0]) - 1
    before, after = tmp_path / "before.pcap", tmp_path / "after.pcap"
    write(before, link, packets[: acked + 1])
    write(after, link, alive(packets, acked))
    made = result(before, after)
    assert made.flows["server_close_wait_s"].iloc[0] == pytest.approx(5400, abs=1)
    leak = made.findings[made.findings["code"] == "TD101"].iloc[0]
    assert leak["confidence"] == "low"  # its peer may have gone on in between
    assert "5400" in leak["message"]


def test_a_leak_until_the_gap_is_one(tmp_path: Path) -> None:
    """Of the age that was seen."""
    packets = read(capture("close-wait-leak"))[1]
    made = crossing("close-wait-leak", len(packets) - 1, tmp_path)
    leak = made.findings[made.findings["code"] == "TD101"].iloc[0]
    assert re.search(r"in the 12\.\d+ s from then until a gap in the capture it sent", leak["message"])
    assert made.flows["server_close_wait_s"].iloc[0] == pytest.approx(12, abs=1)
    row = made.timeline[(made.timeline["stream"] == 0) & (made.timeline["event"] == "capture-end")].iloc[-1]
    assert row["time_epoch"].value == made.recording.gaps.rows[0].begin == packets[-2].time
    text = "\n".join(line.plain for line in ladder_lines(made, 0))
    assert "(a gap in the capture begins)" in text and "(the capture ends)" not in text


def test_the_summary_tells_it_in_one_entry(tmp_path: Path) -> None:
    """Of several gaps the longest, and how many there are; and the command names the files around it."""
    link, packets = read(capture("prompt-close"))
    files = []
    for number, hours in enumerate((0, 1, 5, 6)):
        files.append(tmp_path / f"{number} part.pcap")
        write(files[-1], link, [dataclasses.replace(packet, time=packet.time + hours * HOUR) for packet in packets])
    analysed = analyze([str(path) for path in files], Settings())
    lines = [line.plain for line in summary_lines(analysed.summary, analysed.overview, analysed.listing, 400)]
    (entry,) = [place for place, line in enumerate(lines) if "TD907" in line and line.startswith("warning")]
    assert "Nothing at all was captured for 14399." in lines[entry + 1]
    last = len(packets)
    assert f"(frame {last} of 1 part.pcap)" in lines[entry + 1] and "(frame 1 of 2 part.pcap)" in lines[entry + 1]
    assert "it is the longest of 3 such gaps" in lines[entry + 1]
    (finding,) = [row for row in analysed.result().findings.itertuples() if row.code == "TD907"]
    assert finding.advice.endswith(f"capinfos -a -e '{files[1]}' '{files[2]}'")
    assert pd.isna(finding.stream) and pd.isna(finding.endpoint) and finding.confidence == "high"
    assert json.loads("".join(json_document(analysed.result())))["capture"]["gaps"] == [
        {name: seconds(getattr(gap, name.removesuffix("_epoch"))) for name in ("begin_epoch", "end_epoch")}
        for gap in analysed.recording.gaps.rows
    ]
    write_analysed(analysed, tmp_path, "parquet")
    assert "TD907" in set(pd.read_parquet(tmp_path / "findings.parquet")["code"])


def test_a_threshold_of_hours(tmp_path: Path) -> None:
    before, after = cut(capture("prompt-close"), 6, tmp_path)
    made = analyze([str(before), str(after)], Settings(capture_gap_ns=2 * HOUR)).result()
    assert "TD907" not in codes(made)
    assert made.recording.gaps.rows == []


def test_only_rules_about_the_capture_need_nothing() -> None:
    assert [code for code, rule in rules().items() if rule.of_capture] == ["TD907"]
