"""For each threshold a pair of connections, a nanosecond or a repeat apart, told as a capture: of one it is said, of
the other it is not.

In the stories the hosts are 10 ms from the tap and back, so half of that before or after a segment passed is when its
sender sent it or its receiver had it. ``X`` is the pause that decides, in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analyzer.commands.options import FILTERS
from analyzer.results.result import ResultTables
from analyzer.settings import adjustable
from tests.findings.filed import OPENED, analyzed, codes

NANOSECOND = 0.000_001
Said = Callable[[ResultTables], Any]


def found(result: ResultTables) -> str:
    """The codes of what was found."""
    return " ".join(codes(result))


def confidences(result: ResultTables) -> str:
    return " ".join(f"{row.code} {row.confidence}" for row in result.findings.itertuples())


def told_of_the_flow(column: str) -> Said:
    return lambda result: result.flows[column].tolist()[0]


def words(*some: str) -> Said:
    """Which of some words stand in the messages."""
    return lambda result: [word for word in some if word in " ".join(result.findings["message"])]


class Edge(NamedTuple):
    """A pause ``X`` of ``at`` milliseconds is the last of which ``below`` is said; ``beyond`` of a nanosecond more."""

    story: str
    at: str
    below: Any
    beyond: Any
    said: Said = found
    settings: dict[str, Any] = {}  # noqa: RUF012


CLOSED_BY_A = """OPENED
A F. 101:102 ack 201
B . 201:201 ack 102"""
LEAK = f"{CLOSED_BY_A}\n+X end"
SLOW = f"{CLOSED_BY_A}\n+X B F. 201:202 ack 102\nA . 102:102 ack 202"
LATE = f"{CLOSED_BY_A}\n+X B F. 201:202 ack 102\nA R 102:102"
HALF_CLOSED = f"""{CLOSED_BY_A}
+500 B P. 201:211 ack 102
A . 102:102 ack 211
+X B F. 211:212 ack 102
A . 102:102 ack 212"""
BACK = """A S 0:1
B S. 0:1 ack 1
+100 A . 1:1 ack 1
-X A P. 1:101 ack 1
+200 B . 1:1 ack 101"""
PROBED = "OPENED\n" + "+1000 A . 100:100 ack 201\n" * 3 + "+X end"
REPEATED = (
    "OPENED\nA P. 101:201 ack 201\n" + "".join(f"+{p} A P. 101:201 ack 201\n" for p in (200, 400, 800)) + "+X end"
)
LONG_REPEATED = REPEATED.replace("+400", "+100000").replace("+800", "+100000")
FIN_REPEATED = "OPENED\nA F. 101:102 ack 201\n+200 A F. 101:102 ack 201\n+400 A F. 101:102 ack 201\n+X end"
STALLED = """A S 0:1
B S. 0:1 ack 1
A . 1:1 ack 1
A P. 1:101 ack 1
B . 1:1 ack 101 win 0
+200 A . 100:100 ack 1
B . 1:1 ack 101 win 0
+X A R. 101:101 ack 1"""
STALLED_STILL = STALLED.replace("A R. 101:101 ack 1", "A . 100:100 ack 1\n+0 B . 1:1 ack 101 win 0")
TO_WHO_CLOSED = """OPENED
B F. 201:202 ack 101
A . 101:101 ack 202
+2000 A P. 101:151 ack 202
B R 202:202"""
ASKED_LATER = "OPENED\n+X A P. 101:151 ack 201\nB R 201:201"
GRACEFUL = f"{CLOSED_BY_A}\nB F. 201:202 ack 102\nA . 102:102 ack 202"
LAST_ACK_LOST = f"{GRACEFUL}\n+X B F. 201:202 ack 102\nA . 102:102 ack 202"
DISOWNED = "OPENED\nB P. 201:301 ack 101\nA R 101:101\n+X A . 101:101 ack 301"
RESET_UNANSWERED = "OPENED\nA P. 101:201 ack 201\nB . 201:201 ack 201\n+X B R. 201:201 ack 201"
UNANSWERED = """OPENED
A P. 101:201 ack 201
B P. 201:301 ack 201
A P. 201:301 ack 301
B . 301:301 ack 301
+X A F. 301:302 ack 301
B F. 301:302 ack 302
A . 302:302 ack 302"""
WENT_ON = "OPENED\nA R 90:90\n+X B P. 201:301 ack 101"

EDGES = {
    # What an endpoint of CLOSE_WAIT has let pass counts from its acknowledgment of the FIN.
    "close-wait-leak: 10 s in CLOSE_WAIT": Edge(LEAK, "10000", "TD107", "TD101"),
    "close-wait-leak set to 3 s": Edge(LEAK, "3000", "TD107", "TD101", settings={"close_wait_leak_s": 3}),
    "close-wait-leak: above a day recordings may be joined": Edge(
        LEAK, "86400000", "TD101 high", "TD101 low", confidences
    ),
    "slow-close: a second in CLOSE_WAIT": Edge(SLOW, "1000", "", "TD105"),
    "slow-close set to 0.25 s": Edge(SLOW, "250", "", "TD105", settings={"slow_close_s": "0.25"}),
    "slow-close: a second after its own data": Edge(HALF_CLOSED, "990", "TD104", "TD104 TD105"),
    "slow-close: a late FIN that is answered by a RST": Edge(LATE, "1000", "TD304", "TD102"),
    # 10 ms stand in the story already.
    "gave-up-waiting: a second without an answer": Edge(UNANSWERED, "989.999999", "", "TD406"),
    "gave-up-waiting: a pause within the request": Edge(
        "OPENED\nA P. 101:201 ack 201\nB . 201:201 ack 201\n+X A P. 201:301 ack 201\nB . 201:201 ack 301\n"
        "+5000 A R. 301:301 ack 201",
        *("240", "TD406", "TD301"),
    ),
    "gave-up-waiting set to 2 s": Edge(UNANSWERED, "1989.999999", "", "TD406", settings={"gave_up_waiting_s": 2}),
    "idle-timer: 5 s of silence before a RST": Edge(RESET_UNANSWERED, "4999.999999", "TD301", "TD401"),
    "idle-timer set to 5.5 s": Edge(
        RESET_UNANSWERED, "5499.999999", "TD301", "TD401", settings={"idle_timer_s": "5.5"}
    ),
    "a timer of 5 s fires a second and a round trip after the handshake": Edge(
        RESET_UNANSWERED, "5975", "TD401", "TD301"
    ),
    "clock-back: a millisecond": Edge(BACK, "1", "", "TD906"),
    "clock-back set to 20 ms": Edge(BACK, "20", "", "TD906", settings={"clock_back_s": "20ms"}),
    "probes: silence of twice their interval": Edge(PROBED, "2000", "", "TD402"),
    "repeats: silence of twice what they took": Edge(REPEATED, "2400", "", "TD403"),
    "repeats: silence of 240 s": Edge(LONG_REPEATED, "240000", "", "TD403"),
    "a FIN repeated: the same, in teardown": Edge(
        FIN_REPEATED, "1200", "half-closed", "timed-out", told_of_the_flow("teardown")
    ),
    "three FINs within a second of the capture's end": Edge(
        FIN_REPEATED, "999.999999", "TD201 low", "TD201 high", confidences
    ),
    # 200 ms and 10 ms stand in the story already.
    "a window closed for a second": Edge(STALLED, "790", "TD301", "TD404"),
    "silent set to a minute": Edge("OPENED\n+X end", "60000", "", "TD407", settings={"open_silence_s": 60}),
    "ten minutes without a beginning or end": Edge(
        "OPENED\n+X end", "600000", "TD407", "", settings={"open_silence_s": 60}
    ),
    "ten seconds with the window closed": Edge(STALLED_STILL, "9790", "", "TD404"),
    "a second of silence before who had no connection": Edge(
        ASKED_LATER, "999.999999", [], ["silence"], words("silence")
    ),
    # The FIN that A waits for reached it 5 ms after it passed, 10 ms before its acknowledgment passed.
    "TIME_WAIT of 60 s": Edge(
        f"{GRACEFUL}\n+X end", "59994.999999", "TIME_WAIT", "CLOSED", told_of_the_flow("client_state")
    ),
    "TIME_WAIT of 120 s by another profile": Edge(
        *(f"{GRACEFUL}\n+X end", "119994.999999", "TIME_WAIT", "CLOSED"),
        *(told_of_the_flow("client_state"), {"profile": "windows"}),
    ),
    "TIME_WAIT set to 3 s": Edge(
        f"{GRACEFUL}\n+X end",
        *("2994.999999", "TIME_WAIT", "CLOSED", told_of_the_flow("client_state"), {"time_wait_s": 3}),
    ),
    "a minute after the end": Edge(
        f"{GRACEFUL}\n+X A . 102:102 ack 202", "60000", 7, 6, told_of_the_flow("client_packets")
    ),
    "five minutes after a RST": Edge(
        "OPENED\nA R. 101:101 ack 201\n+X B . 201:201 ack 101", "300000", 3, 2, told_of_the_flow("server_packets")
    ),
    # A round trip to B of 10 ms, and 0.3 ms for haste.
    "a FIN repeated after its acknowledgment": Edge(LAST_ACK_LOST, "10.3", "", "TD203"),
    "a segment behind its sender's RST by 5 ms": Edge(DISOWNED, "5", "TD305", "TD309"),
    "a segment of the receiver under way at the RST": Edge(WENT_ON, "200", "", "TD310"),
}


@pytest.mark.parametrize("edge", EDGES.values(), ids=list(EDGES))
def test_a_nanosecond_decides(edge: Edge, tmp_path: Path) -> None:
    story = edge.story.replace("OPENED", OPENED)
    beyond = f"{float(edge.at) + NANOSECOND:.6f}"
    below = edge.said(analyzed(story.replace("X", edge.at), tmp_path, **edge.settings))
    assert below == edge.below
    assert edge.said(analyzed(story.replace("X", beyond), tmp_path, **edge.settings)) == edge.beyond


def times(count: int, line: str) -> str:
    return "\n".join([line] * count)


class Count(NamedTuple):
    """Of ``enough`` something is said that is not of one less, or one more; ``story`` makes the connection of many."""

    story: Callable[[int], str]
    fewer: int
    enough: int
    of_fewer: Any
    of_enough: Any
    said: Said = found
    settings: dict[str, Any] = {}  # noqa: RUF012


def met_reset(size: int, first: int) -> str:
    """Data of that size and first byte, sent to who has closed."""
    return TO_WHO_CLOSED.replace("101:151 ack 202", f"101:{101 + size} ack 202 byte {first}")


COUNTS = {
    "three probes and a RST": Count(
        lambda n: f"OPENED\n{times(n, '+1000 A . 100:100 ack 201')}\n+1000 A R. 101:101 ack 201", 2, 3, "TD301", "TD402"
    ),
    "three repeats and a RST": Count(
        lambda n: f"OPENED\nA P. 101:201 ack 201\n{times(n, '+200 A P. 101:201 ack 201')}\n+999 A R. 201:201 ack 201",
        *(2, 3, "TD302", "TD403"),
    ),
    "three challenges are a loop": Count(
        lambda n: f"OPENED\n{times(n, '+200 A R 150:150' + chr(10) + 'B . 201:201 ack 101')}", 2, 3, "", "TD311"
    ),
    "so are three echoes of the number of the RST": Count(
        lambda n: f"OPENED\n{times(n, '+200 A R 150:150' + chr(10) + 'B . 201:201 ack 150')}", 2, 3, "TD903", "TD311"
    ),
    "a SYN and another": Count(lambda n: f"{times(n, '+1000 A S 0:1')}\n+5000 end", 1, 2, "", "TD308"),
    "a FIN and another": Count(
        lambda n: f"OPENED\n{times(n, '+200 A F. 101:102 ack 201')}\nB F. 201:202 ack 102\nA . 102:102 ack 202",
        *(1, 2, "", "TD202"),
    ),
    "four FINs are no matter of a moment": Count(
        lambda n: f"OPENED\n{times(n, '+200 A F. 101:102 ack 201')}\n+500 end",
        *(3, 4, "TD201 low", "TD201 high", confidences),
    ),
    "a TLS alert of 64 bytes": Count(lambda n: met_reset(n, 21), 65, 64, "TD103", "TD304"),
    "a TLS alert in disguise has 24 bytes": Count(lambda n: met_reset(n, 23), 25, 24, "TD103", "TD304"),
    "and not 23": Count(lambda n: met_reset(n, 23), 23, 24, "TD103", "TD304"),
    "an alert begins with 21": Count(lambda n: met_reset(30, n), 22, 21, "TD103", "TD304"),
    "a RST with another TTL": Count(lambda n: f"OPENED\n+500 B R. 201:201 ack 101 ttl {n}", 64, 65, "TD301", "TD309"),
    "one byte not acknowledged by who resets": Count(
        lambda n: f"OPENED\nA P. 101:102 ack 201\nB . 201:201 ack {103 - n - 1}\n+20 B R. 201:201 ack {103 - n - 1}",
        *(0, 1, "TD301", "TD303"),
    ),
    "one byte of its own not acknowledged": Count(
        lambda n: f"OPENED\nA P. 101:102 ack 201\nB . 201:201 ack {102 - n}\n+20 A R. 102:102 ack 201",
        *(0, 1, "TD406", "TD302"),
    ),
    "an answer captured behind a bare ACK, or none": Count(
        lambda n: (
            f"OPENED\nA P. 101:131 ack 201\nB . {201 + 40 * n}:{201 + 40 * n} ack 131"
            f"{(chr(10) + 'B P. 201:241 ack 131') * n}\n+20 A R. 131:131 ack {201 + 40 * n}"
        ),
        *(0, 1, "TD406", "TD303"),
    ),
    "a request captured behind its acknowledgment, or none": Count(
        lambda n: f"OPENED\nB . 201:201 ack 131{(chr(10) + 'A P. 101:131 ack 201') * n}\n+20 B R. 201:201 ack 131",
        *(0, 1, "server", "client"),
        told_of_the_flow("last_data_by"),
    ),
    "ten leaks are a pile-up": Count(
        lambda n: "\n\n".join([CLOSED_BY_A] * n) + "\n+60000 end", 9, 10, [], ["leaks 10"], words("leaks 9", "leaks 10")
    ),
    "three leaks, if that is asked for": Count(
        lambda n: "\n\n".join([CLOSED_BY_A] * n) + "\n+60000 end",
        *(2, 3, [], ["leaks 3"], words("leaks 2", "leaks 3"), {"pile_up": 3}),
    ),
    "as many leaks as descriptors": Count(
        lambda n: "\n\n".join([CLOSED_BY_A] * n) + "\n+60000 end",
        *(11, 12, [], ["descriptors are used up"], words("descriptors are used up"), {"descriptors": 12}),
    ),
    "an acknowledgment of more than any window holds": Count(
        lambda n: f"OPENED\nB . 201:201 ack {101 + (1 << 24) + n}", 1, 0, "", "TD903"
    ),
    "data that acknowledge the FIN they meet": Count(
        lambda n: f"OPENED\nB F. 201:202 ack 101\n+5 A P. 101:151 ack {n}\nB R {n}:{n}",
        *(201, 202, "TD306", "TD103"),
    ),
}


@pytest.mark.parametrize("count", COUNTS.values(), ids=list(COUNTS))
def test_one_decides(count: Count, tmp_path: Path) -> None:
    fewer, enough = (count.story(number).replace("OPENED", OPENED) for number in (count.fewer, count.enough))
    assert count.said(analyzed(fewer, tmp_path, **count.settings)) == count.of_fewer
    assert count.said(analyzed(enough, tmp_path, **count.settings)) == count.of_enough


def test_every_setting_decides_here() -> None:
    """But for the engine, which judges nothing; ``fin_timeout``, by which the ladder alone says what may have ended
    (tests/views/test_ladder_truth.py); ``capture_gap``, which takes two files (tests/several/test_gaps.py); and
    ``timers``, a file (tests/findings/test_fitting_timers.py); those of crowds (tests/findings/test_crowds.py); and
    filters (tests/test_filters.py)."""
    elsewhere = {"engine", "fin_timeout_ns", "capture_gap_ns", "timers"}
    elsewhere |= {"ephemeral_ports", "ports_used_percent", "outage", "half_open", "select", "ignore", *FILTERS}
    tried = {name for edge in [*EDGES.values(), *COUNTS.values()] for name in edge.settings}
    assert {name.removesuffix("_s") for name in tried} == {
        entry.name.removesuffix("_ns") for entry in adjustable() if entry.name not in elsewhere
    }


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("A R 150:150", True),
        ("A . 101:101 ack 201", True),
        ("B P. 201:301 ack 101", True),
        ("A P. 101:111 ack 201", False),
        ("A F. 101:102 ack 201", False),
        ("B P. 201:301 ack 101\nA . 101:101 ack 301", False),
        ("A R 150:150 ttl 50\nB . 201:201 ack 101", False),
    ],
    ids=["again", "nothing new", "the peer goes on", "data", "FIN", "new data acknowledged", "another number of hops"],
)
def test_who_goes_on_after_a_loop_of_challenges_did_not_send_the_resets(more: str, told: bool, tmp_path: Path) -> None:
    loop = times(3, "+200 A R 150:150\nB . 201:201 ack 101")
    assert ("TD311" in found(analyzed(f"{OPENED}\n{loop}\n+500 {more}\n+500 end", tmp_path))) == told


@pytest.mark.parametrize(("close", "pending"), [("A R.", "nothing"), ("A F.", "mid-answer")])
def test_what_comes_behind_a_reset_decides_nothing_of_what_was_pending(
    close: str, pending: str, tmp_path: Path
) -> None:
    end = 101 if close == "A R." else 102
    result = analyzed(f"{OPENED}\n+300 {close} 101:{end} ack 201\n+10 B P. 201:221 ack 101\n+1 A R 101:101", tmp_path)
    assert [*result.flows["pending"]] == [pending]
    if close == "A R.":
        assert [*result.findings["severity"]] == ["info"]
        assert "the server had sent the last data" in result.findings["message"][0]


@pytest.mark.parametrize(
    ("reset", "words"),
    [
        ("A R 101:101", "it answers data (frame 8)."),
        ("A R. 102:102 ack 221", "the RST is the first to acknowledge data of the other side (frame 8)."),
        ("A . 102:102 ack 221\n+1 A R. 102:102 ack 221", "the endpoint closed with received data unread, gave up"),
    ],
    ids=["a reply", "of an open socket", "acknowledged before"],
)
def test_a_reset_that_acknowledges_data_need_not_answer_them(reset: str, words: str, tmp_path: Path) -> None:
    result = analyzed(f"{OPENED}\n+300 A F. 101:102 ack 201\n+300 B P. 201:221 ack 101\n+1 {reset}", tmp_path)
    (message,) = result.findings.loc[result.findings["code"] == "TD304", "message"]
    assert words in message
