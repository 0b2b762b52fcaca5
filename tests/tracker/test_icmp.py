"""What ICMP errors say of segments: noted where their numbers fit, counted once, and moving nothing."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.flows.table import FLOW
from analyzer.segments.table import HAS_IP_ID, IPV6, QUOTED, SHORT_QUOTE
from analyzer.settings import Settings
from analyzer.tracker.ordinary import OTHER
from analyzer.tracker.track import Tracker

from .stories import batch, told

MS = 1_000_000
OPENED = "A S 0:1 |\nB S. 0:1 ack 1 |\nA . 1:1 ack 1 |\nA P. 1:101 ack 1 |\n+30 B . 1:1 ack 101 |"
ROUTER, OTHER_ROUTER = 7, 8
UNREACHABLE, PROHIBITED, REDIRECT, QUENCH, EXPIRED = 0x301, 0x30D, 0x501, 0x400, 0xB00
FACTS = ("count", "syns", "time", "frame", "kind", "from", "mixed", "delay", "last_frame")


def error(rows: NDArray[np.void], place: int, after: int = MS, **facts: int) -> NDArray[np.void]:
    """An ICMP error that quotes the segment at ``place`` of ``rows``, ``after`` it."""
    made: NDArray[np.void] = rows[place : place + 1].copy()
    made["time"] += after
    made["ts_val"], made["ts_ecr"], made["marks"] = PROHIBITED, ROUTER, QUOTED | HAS_IP_ID
    for name, value in facts.items():
        made[name] = value
    return made


def story(text: str, *errors: tuple[int, dict[str, Any]]) -> NDArray[np.void]:
    """The segments of ``text`` and errors about them, in the order of their times; frames count through."""
    sent = batch(told(f"\na story\n{text}\n")[0])
    sent["sender"] = sent["src"]
    rows: NDArray[np.void] = np.concatenate([sent, *(error(sent, place, **facts) for place, facts in errors)])
    rows = rows[np.argsort(rows["time"], kind="stable")]
    rows["frame"] = np.arange(1, len(rows) + 1)
    return rows


def tracked(rows: NDArray[np.void]) -> Tracker:
    table = np.zeros(1, FLOW)
    table["previous"] = -1
    tracker = Tracker(Settings())
    tracker.feed(rows.copy(), table)
    return tracker


def noted(rows: NDArray[np.void], side: int = 0) -> dict[str, int]:
    """The facts that are not 0; ``time`` since the first segment."""
    parts = tracked(rows).finish(int(rows["time"].max()))
    (part,) = [part for part in parts if part.kind == OTHER and len(part.endings)]
    columns = {name: part.facts.end(f"icmp_{name}") for name in FACTS}
    assert not any(column[1 - side, 0] for column in columns.values())
    found = {name: int(column[side, 0]) for name, column in columns.items() if column[side, 0]}
    return found | ({"time": found["time"] - int(rows["time"][0])} if "time" in found else {})


def test_an_error_about_the_syn() -> None:
    rows = story("A S 0:1 |\n+1000 A S 0:1 |", (0, {}), (1, {"after": 3 * MS}))
    assert noted(rows) == {
        "count": 2,
        "syns": 2,
        "time": MS,
        "frame": 2,
        "kind": 4 << 16 | PROHIBITED,
        "from": ROUTER,
        "delay": MS,
        "last_frame": 4,
    }


def test_the_delay_counts_from_the_last_syn_before() -> None:
    found = noted(story("A S 0:1 |\n+1000 A S 0:1 |", (1, {"after": 3 * MS})))
    assert (found["time"], found["delay"], found["frame"]) == (1003 * MS, 3 * MS, 3)


def test_errors_that_differ() -> None:
    text = "A S 0:1 |\n+1000 A S 0:1 |"
    for other in ({"ts_val": UNREACHABLE}, {"ts_ecr": OTHER_ROUTER}):
        found = noted(story(text, (0, {}), (1, other)))
        assert (found["count"], found["mixed"], found["kind"], found["from"]) == (2, 1, 4 << 16 | PROHIBITED, ROUTER)
    assert "mixed" not in noted(story(text, (0, {}), (1, {})))


def test_an_error_about_the_syn_is_told_before_one_about_another_segment() -> None:
    rows = story(OPENED, (3, {"ts_val": UNREACHABLE}), (0, {"after": 35 * MS}))
    found = noted(rows)
    assert (found["count"], found["syns"], found["mixed"]) == (2, 1, 1)
    assert (found["kind"], found["time"], found["delay"]) == (4 << 16 | PROHIBITED, 35 * MS, 35 * MS)
    found = noted(story(OPENED, (3, {"ts_val": UNREACHABLE})))
    assert (found["count"], found.get("syns", 0), found["kind"], found["delay"]) == (1, 0, 4 << 16 | UNREACHABLE, MS)


def test_an_error_about_the_syn_ack_is_the_server_s() -> None:
    found = noted(story("A S 0:1 |\nB S. 0:1 ack 1 |", (1, {})), side=1)
    assert (found["count"], found["syns"], found["kind"]) == (1, 1, 4 << 16 | PROHIBITED)


def test_over_ipv6() -> None:
    found = noted(story("A S 0:1 |", (0, {"ts_val": 0x401, "marks": QUOTED | IPV6})))
    assert found["kind"] == 6 << 16 | 0x401


def test_eight_bytes_are_enough() -> None:
    cut = {"marks": QUOTED | SHORT_QUOTE | HAS_IP_ID, "ack": 0, "flags": 0}
    assert noted(story("A S 0:1 |", (0, cut)))["syns"] == 1


@pytest.mark.parametrize("said", [REDIRECT, QUENCH, 0])
def test_what_says_nothing_of_a_dropped_packet_is_not_noted(said: int) -> None:
    assert noted(story("A S 0:1 |\nA S 0:1 |", (0, {"ts_val": said}))) == {}


@pytest.mark.parametrize(
    ("seq", "fits"), [(999, False), (1000, True), (1101, True), (1102, False), (1000 + 2**31, False)]
)
def test_its_number_has_to_fit_what_was_sent(seq: int, fits: bool) -> None:
    assert noted(story(OPENED, (3, {"seq": seq}))).get("count", 0) == fits


@pytest.mark.parametrize(("behind", "fits"), [(0, True), (1, True), (2**30, True), (2**30 + 1, False), (-1, False)])
def test_where_the_opening_was_not_captured_a_window_limits_it(behind: int, fits: bool) -> None:
    rows = story("A P. 1:101 ack 1 |\nA R 101:101 |", (0, {}))
    rows["seq"][1] = (1101 - behind) % 2**32
    assert noted(rows).get("count", 0) == fits


@pytest.mark.parametrize(
    ("ip_id", "age", "count"), [(1, 3000 * MS, 1), (1, 3000 * MS + 1, 2), (2, 1, 2), (0, MS, 1), (0, MS + 1, 2)]
)
def test_the_same_error_captured_twice_counts_once(ip_id: int, age: int, count: int) -> None:
    first = {"ip_id": min(ip_id, 1)}
    rows = story("A S 0:1 |\n+9000 A S 0:1 |", (0, first), (0, {"ip_id": ip_id, "after": MS + age}))
    assert noted(rows)["count"] == count


def test_no_state_moves() -> None:
    for text, place in ((OPENED, 3), ("A S 0:1 |", 0), ("A S 0:1 |\nB S. 0:1 ack 1 |", 1)):
        rows = story(text, (place, {}))
        with_error, without = (tracked(some) for some in (rows, rows[rows["marks"] & QUOTED == 0]))
        shown, silent = (seen.timelines(seen.held)[0] for seen in (with_error, without))
        shown["frame"], silent["frame"] = 0, 0
        assert np.array_equal(shown, silent)
        assert with_error.late == without.late == 0


def test_an_error_before_any_segment_or_after_the_end_begins_nothing() -> None:
    rows = story("A S 0:1 |", (0, {"after": -MS}))
    assert rows["marks"][0] & QUOTED
    tracker = tracked(rows[:1])
    assert len(tracker.held) == 0
    over = story("A S 0:1 |\nB R. 0:0 ack 1 |\n+400000 A S 0:1 |", (0, {"after": 400_015 * MS}))
    tracker = tracked(over)
    assert tracker.late == 1  # the last SYN; errors are not counted
    assert "count" not in noted(over)


def test_who_sent_them_is_renumbered_with_the_addresses() -> None:
    tracker = tracked(story("A S 0:1 |", (0, {})))
    assert tracker.icmp_senders().tolist() == [ROUTER]
    tracker.forget(np.array([0]), np.array([0, 1, ROUTER], np.int32))
    assert tracker.icmp_senders().tolist() == [2]
