"""What the words of the messages mean, on connections written by hand: one that has it, and near ones that have not."""

from typing import Any

import pytest

from tests.second_opinion.claims import Duration
from tests.second_opinion.opinion import FOLLOWS, REFUTED, UNDECIDED
from tests.second_opinion.packets import Flow
from tests.second_opinion.story import FIRST, SECOND, answer, told

NOTHING_MORE = "; then it sent nothing more"


@pytest.fixture(autouse=True)
def no_timelines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stories have none."""
    for name in ("closing.stays_in", "fins.stays_in", "fins.told_states"):
        monkeypatch.setattr(f"tests.second_opinion.{name}", lambda *given: None)


Story = tuple[tuple[str, ...], dict[str, Any], str]
FIN_ACKED = "1.000 S FA 1 1 0\n 1.010 C A 1 2 0"  # frames 4 and 5
LEAK = {"fin": 4, "ack": 5}
NEVER_CLOSED: list[Story] = [
    ((FIN_ACKED,), LEAK, FOLLOWS),
    ((FIN_ACKED, "2 C A 1 2 0", "3 S A 1 1 0"), LEAK, FOLLOWS),
    ((FIN_ACKED, "2 C FA 1 2 0"), LEAK, REFUTED),
    (("0.5 C FA 90 1 0", FIN_ACKED), {"fin": 5, "ack": 6}, REFUTED),
    ((FIN_ACKED, "2 S R 2 0 0"), LEAK, REFUTED),
    ((FIN_ACKED, "95 C PA 1 2 10"), LEAK, REFUTED),
    ((FIN_ACKED, "95 C A 0 2 1"), LEAK, FOLLOWS),
    (("1.000 S FA 1 1 0", "1.010 C A 1 1 0", "1.020 C A 1 2 0"), LEAK, REFUTED),
    (("1.000 S FA 1 1 0", "1.010 C A 1 2 0", "1.020 C A 1 2 0"), {"fin": 4, "ack": 6}, REFUTED),
]
REPEATED = "1.0 C PA 1 1 10\n 1.2 C PA 1 1 10\n 1.6 C PA 1 1 10\n 2.4 C PA 1 1 10"  # frames 4 to 7
GAVE_UP = {"last": 7, "end": NOTHING_MORE}
NEVER_ACKNOWLEDGED: list[Story] = [
    ((REPEATED,), GAVE_UP, FOLLOWS),
    ((REPEATED, "2.5 S A 1 1 0"), GAVE_UP, FOLLOWS),
    ((REPEATED, "2.5 S A 1 11 0"), GAVE_UP, REFUTED),
    ((REPEATED, "2.5 S A 1 5 0"), GAVE_UP, REFUTED),
    (("0.5 C PA 1 1 10", "0.6 S A 1 11 0", REPEATED), {"last": 9, "end": NOTHING_MORE}, REFUTED),
    ((REPEATED, "2.5 C A 1 1 0"), GAVE_UP, REFUTED),
    ((REPEATED, "3 C RA 11 1 0"), {"last": 7, "rst": 8}, FOLLOWS),
    (("1 C PA 1 1 10\n 1.1 C PA 1 1 10\n 1.2 C PA 1 1 10\n 1.3 C PA 1 1 10",), GAVE_UP, REFUTED),
]
FINS = "1 C FA 1 1 0\n 1.3 C FA 1 1 0"  # frames 4 and 5
STUCK = {"first": 4, "last": 5}
NO_ACKNOWLEDGMENT: list[Story] = [
    ((FINS,), STUCK, FOLLOWS),
    ((FINS, "1.4 S A 1 1 0"), STUCK, FOLLOWS),
    ((FINS, "1.4 S A 1 2 0"), STUCK, REFUTED),
    ((FINS, "1.4 S R 1 0 0"), STUCK, REFUTED),
    (("1 C FA 1 1 0", "1.012 S A 1 2 0", "1.015 C FA 1 1 0"), {"first": 4, "last": 6}, REFUTED),
    (("1 C FA 1 1 0", "1.012 S A 1 2 0", "1.3 C FA 1 1 0"), {"first": 4, "last": 6}, FOLLOWS),
]
LOST_BEFORE = "1 C PA 1 1 10\n 2 C PA 1 1 10\n 3 C FA 11 1 0\n 5 C FA 11 1 0"  # frames 4 to 7
SINCE_4 = {"first": 6, "last": 7, "lost": 4}
NO_ACKNOWLEDGMENT += [
    ((LOST_BEFORE,), SINCE_4 | {"lead": Duration(2 * SECOND, 1), "heard": 2}, FOLLOWS),
    ((LOST_BEFORE,), SINCE_4 | {"lead": Duration(SECOND, 1)}, REFUTED),
    ((LOST_BEFORE,), SINCE_4 | {"heard": 3}, REFUTED),
    ((LOST_BEFORE, "6 S A 1 1 0"), SINCE_4, REFUTED),
    ((LOST_BEFORE, "6 S A 1 1 0"), {"first": 6, "last": 7, "uncovered": 4, "going_on": 8}, FOLLOWS),
    ((LOST_BEFORE, "6 S A 1 11 0"), {"first": 6, "last": 7, "uncovered": 4, "going_on": 8}, REFUTED),
]
CROSSED = "1 S FA 1 1 0\n 1.005 C PA 1 1 10\n 1.015 S R 1 0 0"  # frames 4, 5, 6
RACE = {"fin": 4, "data": 5, "rst": 6}
WORD_CROSSED: list[Story] = [
    ((CROSSED,), RACE, FOLLOWS),
    (("1 S FA 1 1 0\n 1.005 C PA 1 2 10\n 1.015 S R 2 0 0",), RACE, REFUTED),
    (("1 S FA 1 1 0\n 1.9 C PA 1 1 10\n 1.915 S R 1 0 0",), RACE, REFUTED),
    (("1 S FA 1 1 0\n 1.004 C A 1 2 0\n 1.005 C PA 1 1 10\n 1.015 S R 1 0 0",), RACE | {"data": 6, "rst": 7}, REFUTED),
    (("1 S FA 1 1 0\n 1.005 C PA 1 1 10\n 1.01 S A 2 11 0\n 1.015 S R 1 0 0",), RACE | {"rst": 7}, REFUTED),
]
UNREAD = {"data": 4, "rst": 5}
WORD_UNREAD: list[Story] = [
    (("1 S PA 1 1 10", "1.1 C RA 1 11 0"), UNREAD, FOLLOWS),
    (("1 S PA 1 1 10", "1.1 C RA 1 1 0"), UNREAD, FOLLOWS),
    (("1 S PA 1 1 10", "1.05 C A 1 11 0", "1.1 C RA 1 11 0"), UNREAD | {"rst": 6}, REFUTED),
    (("1 S PA 1 1 10", "1.05 C PA 1 11 9", "1.1 C RA 10 11 0"), UNREAD | {"rst": 6}, REFUTED),
    (("1 S PA 1 1 10", "1.001 C RA 1 1 0"), UNREAD, REFUTED),
    (("1 S PA 1 1 10", "1.001 C RA 1 5 0"), UNREAD | {"part": 4}, FOLLOWS),
    (("1 S PA 1 1 10", "1.001 C RA 1 5 0"), UNREAD | {"part": 5}, REFUTED),
    (("1 S PA 1 1 10", "1.1 C RA 1 5 0"), UNREAD | {"told": "; the RST does"}, REFUTED),
]
UNKNOWN = {"answered": 4, "rst": 5}
KNEW_NO_CONNECTION: list[Story] = [
    (("9 S PA 1 1 10", "9.01 C R 1 0 0"), UNKNOWN, FOLLOWS),
    (("9 S A 1 1 0", "9.01 C R 1 0 0"), UNKNOWN, FOLLOWS),
    (("9 S PA 1 1 10", "9.01 C R 2 0 0"), UNKNOWN, REFUTED),
    (("9 S PA 1 1 10", "9.01 C RA 1 11 0"), UNKNOWN, REFUTED),
    (("1 C FA 1 1 0", "9 S PA 1 2 10", "9.01 C R 2 0 0"), {"answered": 5, "rst": 6}, REFUTED),
    (("9 S PA 1 1 10", "9.005 C A 1 11 0", "9.01 C R 1 0 0"), UNKNOWN | {"rst": 6}, REFUTED),
]
UNPROMPTED = {"rst": 6}
ANSWERS_NOTHING: list[Story] = [
    (("1 C PA 1 1 10", "1.01 S A 1 11 0", "3 C RA 11 1 0"), UNPROMPTED, FOLLOWS),
    (("1 C PA 1 1 10", "1.01 S A 1 1 0", "3 C RA 11 1 0"), UNPROMPTED, REFUTED),
    (("1 S PA 1 1 10", "1.01 S A 11 1 0", "3 C RA 1 1 0"), UNPROMPTED, REFUTED),
    (("1 C FA 1 1 0", "1.01 S A 1 2 0", "3 C RA 2 1 0"), UNPROMPTED, REFUTED),
    (("1 C PA 1 1 10", "1.01 S A 1 11 0", "1.02 C R 11 0 0"), UNPROMPTED, REFUTED),
]
WHAT_IT_ANSWERS: list[Story] = [
    (("1 C FA 1 1 0", "2 C RA 2 1 0"), {"fin": 4, "rst": 5, "why": "it answers no captured segment"}, FOLLOWS),
    (
        ("1 C FA 1 1 0", "1.2 S PA 1 2 10", "1.3 C R 2 0 0"),
        {"fin": 4, "rst": 6, "why": "it answers no captured segment"},
        REFUTED,
    ),
    (
        ("1 C FA 1 1 0", "1.2 S PA 1 2 10", "1.3 C R 2 0 0"),
        {"fin": 4, "rst": 6, "answered": 5, "why": "it answers data"},
        FOLLOWS,
    ),
    (
        ("1 C FA 1 1 0", "1.2 S PA 1 2 10", "1.25 C A 2 11 0", "1.3 C R 2 0 0"),
        {"fin": 4, "rst": 7, "answered": 5, "why": "it answers data"},
        REFUTED,
    ),
]
LOST: list[Story] = [
    (("1 C PA 1 1 10", "1.001 C RA 11 1 0"), {"rst": 5, "data": 4, "lost": 10}, FOLLOWS),
    (("1 C PA 1 1 10", "1.001 C RA 11 1 0"), {"rst": 5, "data": 4, "lost": 11}, REFUTED),
    (("1 C PA 1 1 10", "1.001 C RA 11 1 0", "1.01 S A 1 11 0"), {"rst": 5, "data": 4, "lost": 10}, REFUTED),
    ((REPEATED, "3 C PA 1 1 10", "9 C RA 11 1 0"), {"rst": 9, "data": 8, "lost": 10}, REFUTED),
]
GOES_ON = {"rst": 4, "last": 5}
WENT_ON: list[Story] = [
    (("1 C R 500 0 0", "1.5 S PA 1 1 10"), GOES_ON, FOLLOWS),
    (("1 C R 500 0 0", "1.005 S PA 1 1 10"), GOES_ON, REFUTED),
    (("1 C R 500 0 0", "1.5 S SA 0 1 0"), GOES_ON, REFUTED),
    (("1 C R 1 0 0", "1.5 S PA 1 1 10"), GOES_ON, FOLLOWS),  # the right number: it was lost
]
BOTH = {"client_fin": 4, "server_fin": 5}
SIMULTANEOUS: list[Story] = [
    (("1 C FA 1 1 0", "1.005 S FA 1 1 0"), BOTH, FOLLOWS),
    (("1 C FA 1 1 0", "1.005 S FA 1 2 0"), BOTH, REFUTED),
    (("1 C FA 1 1 0", "1.005 S F 1 0 0"), BOTH, REFUTED),
    (("1 C FA 1 1 0", "1.011 S A 1 2 0", "1.012 S FA 1 1 0"), {"client_fin": 4, "server_fin": 6}, REFUTED),
]
LOST_ACK = {"fin": 6, "ack": 7, "again": 8, "reack": 9}
CLOSED = "1 S FA 1 1 0\n 1.01 C A 1 2 0\n 2 C FA 1 2 0\n 2.001 S A 2 2 0"  # frames 4 to 7
ACK_WAS_LOST: list[Story] = [
    ((CLOSED, "2.3 C FA 1 2 0", "2.301 S A 2 2 0"), LOST_ACK, FOLLOWS),
    ((CLOSED, "2.3 C FA 1 2 0", "2.301 S A 2 1 0"), LOST_ACK, REFUTED),
    ((CLOSED, "2.004 C FA 1 2 0", "2.301 S A 2 2 0"), LOST_ACK, REFUTED),
]
SLOW = {"fin": 4, "ack": 5, "own_fin": 6}
CLOSED_SLOWLY: list[Story] = [
    ((FIN_ACKED, "5 C FA 1 2 0"), SLOW, FOLLOWS),
    ((FIN_ACKED, "1.9 C FA 1 2 0"), SLOW, REFUTED),
    ((FIN_ACKED, "4.9 C PA 1 2 10", "5 C FA 11 2 0"), SLOW | {"own_fin": 7}, REFUTED),
]
FREE = "0 C S 0 0 0\n 1 C S 0 0 0\n 3 C S 0 0 0"
TRIED = {"first": 1, "last": 3, "count": 3}
UNANSWERED: list[Story] = [
    ((FREE,), TRIED, FOLLOWS),
    ((FREE,), TRIED | {"count": 4}, REFUTED),
    ((FREE, "3.1 S SA 0 1 0"), TRIED, REFUTED),
    ((FREE, "3.1 S RA 0 1 0"), TRIED, REFUTED),
    ((FREE, "60 S FA 77 99 0"), TRIED, FOLLOWS),
]
REFUSED: list[Story] = [
    (("0 C S 0 0 0", "0.01 S RA 0 1 0"), {"syn": 1, "rst": 2}, FOLLOWS),
    (("0 C S 0 0 0", "0.01 S RA 0 0 0"), {"syn": 1, "rst": 2}, REFUTED),
    (("0 C S 0 0 0", "0.5 C S 0 0 0", "0.51 S RA 0 1 0"), {"syn": 1, "rst": 3}, REFUTED),
]
WRONG_NUMBER = {"syn": 1, "rst": 2, "syns": 2, "count": 2}
REFUSED_WRONGLY: list[Story] = [
    (("0 C S 0 0 0", "0.01 S RA 0 0 0", "1 C S 0 0 0", "1.01 S RA 0 0 0"), WRONG_NUMBER, FOLLOWS),
    (("0 C S 0 0 0", "0.01 S RA 0 0 0", "1 C S 0 0 0", "1.01 S RA 0 1 0"), WRONG_NUMBER, REFUTED),
    (("0 C S 0 0 0", "0.01 S RA 0 0 0", "1 C S 0 0 0"), WRONG_NUMBER | {"count": 1}, REFUTED),
]
NEVER_TAKEN: list[Story] = [
    (("1 S SA 0 1 0", "3 S SA 0 1 0"), {"syn_ack": 2, "first": 4, "last": 5}, FOLLOWS),
    (("0.025 S SA 0 1 0",), {"syn_ack": 2, "first": 4, "last": 4}, REFUTED),
    (("1 S PA 1 1 10", "3 S SA 0 1 0"), {"syn_ack": 2, "first": 5, "last": 5}, REFUTED),
]
LOOP = "1 C R 50 0 0\n 1.01 S A 1 1 0\n 2 C R 50 0 0\n 2.01 S A 1 1 0"  # frames 4 to 7
TWICE = {"first": 4, "rst": 6, "last": 7, "count": 2, "ahead": 49, "expected": FIRST[0] + 1, "awaits": "awaits"}
IN_A_LOOP: list[Story] = [
    ((LOOP,), TWICE, FOLLOWS),
    ((LOOP,), TWICE | {"count": 3}, REFUTED),
    ((LOOP,), TWICE | {"awaits": "had acknowledged before"}, REFUTED),
    ((LOOP,), TWICE | {"ahead": 50}, REFUTED),
    ((LOOP,), TWICE | {"expected": FIRST[0] + 2}, REFUTED),
    (("1 C R 50 0 0\n 1.01 S PA 1 1 10\n 2 C R 50 0 0\n 2.01 S A 11 1 0",), TWICE, REFUTED),
    (("1 C R 50 0 0\n 1.01 S A 1 1 0\n 2 C R 51 0 0\n 2.01 S A 1 1 0",), TWICE, REFUTED),
]
HALF_OPEN: list[Story] = [
    (("0 C S 0 0 0", "0.01 S SA 0 1 0", "0.02 C R 1 0 0"), {"syn": 1, "answer": 2, "rst": 3}, FOLLOWS),
    (("0 C S 0 0 0", "0.01 S SA 0 1 0", "0.02 C A 1 1 0", "1 C R 1 0 0"), {"syn": 1, "answer": 2, "rst": 4}, REFUTED),
]
PROBED = "1 C PA 1 1 10\n 1.01 S A 1 11 0\n 9 C A 10 1 0\n 10 C A 10 1 0"  # frames 4 to 7
NO_ANSWER: list[Story] = [
    ((PROBED,), {"last": 7, "count": 2, "end": NOTHING_MORE}, FOLLOWS),
    ((PROBED, "11 S A 1 11 0"), {"last": 7, "count": 2, "end": NOTHING_MORE}, REFUTED),
    ((PROBED,), {"last": 7, "count": 3, "end": NOTHING_MORE}, REFUTED),
]
SHUT = "1 C PA 1 1 10\n 1.01 S A 1 11 0 window=0\n 2 C PA 11 1 1\n 2.01 S A 1 11 0 window=0"  # frames 4 to 7
STALL = {"frame": 5, "rst": 8, "until": ", until the other side reset the connection", "tries": 1, "last": 6}
LASTS = STALL | {"until": ", up to its last segment", "least": "at least "}
STAYED_SHUT: list[Story] = [
    ((SHUT, "5 C RA 11 1 0"), STALL, FOLLOWS),
    ((SHUT, "4 S A 1 11 0", "5 C RA 11 1 0"), STALL | {"rst": 9}, REFUTED),
    ((SHUT, "5 C RA 11 1 0"), STALL | {"tries": 4}, REFUTED),
    ((SHUT, "5 C RA 11 1 0"), STALL | {"frame": 2}, REFUTED),
    ((SHUT, "5 C RA 11 1 0"), STALL | {"until": ", until it reset the connection"}, REFUTED),
    ((SHUT, "5 C PA 11 1 1", "5.01 S A 1 11 0 window=0"), LASTS | {"rst": 9, "tries": 2, "last": 8}, FOLLOWS),
    ((SHUT, "5 C PA 11 1 1", "5.01 S A 1 11 0 window=0"), LASTS | {"rst": 9, "tries": 1, "last": 6}, REFUTED),
    ((SHUT, "5 C PA 11 1 1", "5.01 S A 1 11 0"), LASTS | {"rst": 9, "tries": 2, "last": 8}, REFUTED),
]
LEFT = {"fin": 4, "ack": 5, "probe": 6, "rst": 7}
HAD_LEFT: list[Story] = [
    ((FIN_ACKED, "70 C A 0 2 0", "70.01 S R 2 0 0"), LEFT, FOLLOWS),
    ((FIN_ACKED, "70 C A 0 2 0", "70.01 S R 9 0 0"), LEFT, REFUTED),
    ((FIN_ACKED, "70 C PA 1 2 10", "70.01 S R 2 0 0"), LEFT, REFUTED),
]
ASSASSIN = "1 C FA 1 1 0\n 1.01 S FA 1 2 0\n 1.02 C A 2 2 0"  # frames 4 to 6
ASSASSINATED: list[Story] = [
    ((ASSASSIN, "2 S R 2 0 0"), {"rst": 7}, FOLLOWS),
    ((ASSASSIN, "2 S R 90 0 0"), {"rst": 7}, REFUTED),
    (("1 C FA 1 1 0\n 1.01 S FA 1 1 0\n 1.02 C A 2 2 0", "2 S R 2 0 0"), {"rst": 7}, REFUTED),
]
HELD = "1 S FA 1 1 0\n 1.01 C PA 1 2 10\n 1.02 S A 2 11 0"  # frames 4 to 6
HALF_CLOSE = {"fin": 4, "first": 5, "last": 5, "ack": 6, "sent": 10, "acked": 10}
WENT_ON_RECEIVING: list[Story] = [
    ((HELD,), HALF_CLOSE, FOLLOWS),
    ((HELD,), HALF_CLOSE | {"sent": 20}, REFUTED),
    (("1 S FA 1 1 0\n 1.001 C PA 1 1 10\n 1.02 S A 2 11 0",), HALF_CLOSE, REFUTED),
    (("0.5 C PA 1 1 10", "1 S FA 1 1 0", "1.01 C PA 1 2 10", "1.02 S A 2 11 0"), HALF_CLOSE | {"fin": 5}, REFUTED),
]
WRITTEN = {"fin": 4, "ack": 5, "data": 6, "rst": 7, "sent": 10}
WROTE_TO_CLOSED: list[Story] = [
    ((FIN_ACKED, "2 C PA 1 2 10", "2.01 S R 2 0 0"), WRITTEN, FOLLOWS),
    ((FIN_ACKED, "2 C PA 1 2 10", "2.01 S A 2 11 0", "2.02 S R 2 0 0"), WRITTEN | {"rst": 8}, REFUTED),
    (("1 S FA 1 1 0", "1.01 C A 1 1 0", "2 C PA 1 1 10", "2.01 S R 1 0 0"), WRITTEN, REFUTED),
]
LATE = {"peer_fin": 4, "ack": 5, "fin": 6, "rst": 7}
LATE_FIN: list[Story] = [
    ((FIN_ACKED, "80 C FA 1 2 0", "80.01 S R 2 0 0"), LATE, FOLLOWS),
    ((FIN_ACKED, "80 C FA 1 2 0", "80.01 S R 7 0 0"), LATE, REFUTED),
    ((FIN_ACKED, "80 C FA 1 2 0", "80.01 S A 2 2 0", "80.02 S R 2 0 0"), LATE | {"rst": 8}, REFUTED),
]
AGAIN = "1 C FA 1 1 0\n 1.3 C FA 1 1 0\n 1.31 S A 1 2 0"  # frames 4 to 6
HAD_TO_REPEAT: list[Story] = [
    ((AGAIN,), {"first": 4, "last": 5, "ack": 6, "count": 2}, FOLLOWS),
    ((AGAIN,), {"first": 4, "last": 5, "ack": 6, "count": 3}, REFUTED),
    (("1 C FA 1 1 0", "1.01 S A 1 2 0", "1.011 C FA 1 1 0"), {"first": 4, "last": 6, "ack": 5, "count": 2}, REFUTED),
    (("1 C FA 1 1 0", "1.001 C FA 1 5 0", "1.01 S A 1 2 0"), {"first": 4, "last": 5, "ack": 6, "count": 2}, REFUTED),
]
MET = {"fin": 5, "ack": 6, "again": 7, "rst": 8}
MET_A_RST: list[Story] = [
    (("1 C FA 1 1 0", "1.01 S FA 1 2 0", "1.02 C A 2 2 0", "1.3 S FA 1 2 0", "1.31 C R 2 0 0"), MET, FOLLOWS),
    (("1 C FA 1 1 0", "1.01 S FA 1 2 0", "1.02 C A 2 2 0", "1.3 S FA 1 2 0", "1.31 C R 8 0 0"), MET, REFUTED),
    (("1 C FA 1 1 0", "1.01 S FA 1 1 0", "1.02 C A 2 2 0", "1.3 S FA 1 1 0", "1.31 C R 1 0 0"), MET, REFUTED),
]
TIMED = {
    "timers": ", consistent with Apache httpd (5 s) and 3 others",
    "dialogue": "; the server had sent the last data",
}
AT_MOST = ", consistent with devices that drop an idle connection after at most that long without telling: shop (7 s)"
FORGOT = {"timers": AT_MOST, "answered": 6, "rst": 7}
ENDED_A_SILENCE: list[Story] = [
    (("1 C PA 1 1 10", "1.01 S PA 1 11 5", "1.02 C A 11 6 0", "6.1 S R 6 0 0"), TIMED | {"rst": 7}, FOLLOWS),
    (("1 C PA 1 1 10", "1.01 S PA 1 11 5", "1.02 C A 11 6 0", "9 S R 6 0 0"), TIMED | {"rst": 7}, REFUTED),
    (("1 C PA 1 1 10", "1.01 S PA 1 11 5", "1.02 C A 11 6 0", "2 S R 6 0 0"), TIMED | {"rst": 7}, REFUTED),
    (("1 S PA 1 1 5", "1.01 C PA 1 6 10", "1.02 S A 6 11 0", "6.1 S R 6 0 0"), TIMED | {"rst": 7}, REFUTED),
    (("1 C PA 1 1 10", "1.01 S PA 1 11 5", "8 C PA 11 6 5", "8.1 S R 6 0 0"), FORGOT, FOLLOWS),
    (("1 C PA 1 1 10", "1.01 S PA 1 11 5", "6.5 C PA 11 6 5", "6.6 S R 6 0 0"), FORGOT, REFUTED),
]
MEANINGS: dict[str, tuple[str, list[Story]]] = {
    "TD101": ("client", NEVER_CLOSED),
    "TD102": ("client", LATE_FIN),
    "TD103": ("client", WROTE_TO_CLOSED),
    "TD104": ("client", WENT_ON_RECEIVING),
    "TD105": ("client", CLOSED_SLOWLY),
    "TD201": ("client", NO_ACKNOWLEDGMENT),
    "TD202": ("client", HAD_TO_REPEAT),
    "TD203": ("client", ACK_WAS_LOST),
    "TD204": ("client", MET_A_RST),
    "TD205": ("", SIMULTANEOUS),
    "TD301": ("client", ANSWERS_NOTHING),
    "TD302": ("client", LOST),
    "TD303": ("client", WORD_UNREAD),
    "TD304": ("client", WHAT_IT_ANSWERS),
    "TD305": ("client", KNEW_NO_CONNECTION),
    "TD306": ("server", WORD_CROSSED),
    "TD307": ("server", REFUSED),
    "TD308": ("server", UNANSWERED),
    "TD310": ("client", WENT_ON),
    "TD311": ("client", IN_A_LOOP),
    "TD312": ("client", HALF_OPEN),
    "TD313": ("server", NEVER_TAKEN),
    "TD314": ("server", REFUSED_WRONGLY),
    "TD401": ("server", ENDED_A_SILENCE),
    "TD402": ("client", NO_ANSWER),
    "TD403": ("client", NEVER_ACKNOWLEDGED),
    "TD404": ("server", STAYED_SHUT),
    "TD405": ("server", HAD_LEFT),
    "TD503": ("client", ASSASSINATED),
}
FROM_THE_FIRST = {"TD307", "TD308", "TD312", "TD314"}  # their stories have their own opening


@pytest.mark.parametrize(
    ("code", "endpoint", "story"),
    [
        pytest.param(code, endpoint, story, id=f"{code}-{number}")
        for code, (endpoint, stories) in MEANINGS.items()
        for number, story in enumerate(stories)
    ],
)
def test_what_is_said_has_its_meaning_in_numbers_and_frames(code: str, endpoint: str, story: Story) -> None:
    lines, claims, expected = story
    assert answer(code, told(*lines, opened=code not in FROM_THE_FIRST), endpoint or None, **claims) == expected


def lost(*lines: str, **claims: Any) -> str:
    return answer("TD903", told(*lines), "client", **claims)


def test_lost_bytes_stand_nowhere_in_the_capture_and_a_fin_is_none() -> None:
    hole = ("1 C PA 1 1 10", "1.1 C PA 21 1 10", "1.2 S A 1 31 0")
    assert lost(*hole, frame=6, missing=10) == FOLLOWS
    assert lost(*hole, frame=6, missing=11) == REFUTED
    assert lost(*hole, "1.3 C PA 11 1 10", frame=6, missing=10) == REFUTED
    assert lost("1 C PA 1 1 10", "1.1 S A 1 12 0", "1.2 C FA 11 1 0", frame=5, missing=1) == REFUTED
    assert lost("1 C PA 1 1 10 short=1", "1.1 C PA 21 1 10", "1.2 S A 1 31 0", frame=6, missing=10) == REFUTED
    assert lost("1 C PA 1 1 10", "1.2 S A 1 1500000000 0", frame=5, missing=1499999989) == REFUTED


def one_sided(*lines: str) -> str:
    flow = told(*lines, opened=False)
    return answer("TD902", flow, "server", first=1, last=len(flow.captured), packets=len(flow.captured))


def test_who_answers_acknowledges_more_and_more() -> None:
    assert one_sided("1 C A 1 1 0", "2 C PA 1 50 10") == FOLLOWS
    assert one_sided("1 C PA 1 1 10", "2 C PA 1 1 10", "4 C PA 1 1 10") == REFUTED
    assert one_sided("1 C PA 1 1 10") == UNDECIDED
    assert one_sided("1 C A 1 1 0", "2 S A 1 1 0") == REFUTED


def test_the_clock_that_went_back_is_that_of_the_connection() -> None:
    back = told("5 C PA 1 1 10", "3 S A 1 11 0")
    assert answer("TD906", back, None, frame=5) == FOLLOWS
    assert answer("TD906", told("5 C PA 1 1 10", "6 S A 1 11 0"), None, frame=5) == REFUTED
    assert answer("TD906", back, None, frame=1) == REFUTED


def test_copies_are_the_same_packet_and_a_cut_header_is_cut() -> None:
    copied = told("1 C PA 1 1 10 id=7", "1.00001 C PA 1 1 10 id=7 ttl=63", "1.3 C PA 1 1 10 id=8")
    assert answer("TD904", copied, None, frame=5, count=1) == FOLLOWS
    assert answer("TD904", copied, None, frame=6, count=1) == REFUTED
    assert answer("TD904", copied, None, frame=5, count=2) == REFUTED
    assert answer("TD905", told("1 C PA 1 1 10 cut=1"), None, frame=4, count=1) == FOLLOWS
    assert answer("TD905", told("1 C PA 1 1 10"), None, frame=4, count=1) == REFUTED


def test_an_opening_that_was_captured_is_not_missing() -> None:
    assert answer("TD901", told("1 C PA 1 1 10", "2 S A 1 11 0", opened=False), None, first=1) == FOLLOWS
    assert answer("TD901", told("1 C PA 1 1 10", "2 S A 1 11 0"), None, first=1) == REFUTED
    assert answer("TD901", told("1 C F 1 0 0", "1.1 S RA 0 2 0", opened=False), None, first=1) == REFUTED


def third_party(flow: Flow, others: list[Flow], why: str) -> str:
    return answer("TD309", flow, "client", others, rst=4, why=why, ttl=255, low=64, high=64)


def test_a_hosts_habit_is_no_clue_and_going_on_is_in_the_same_numbers() -> None:
    foreign = told("1 C RA 1 1 0 ttl=255")
    elsewhere = told("1 C RA 1 1 0 ttl=255", stream=1, first_frame=50)
    assert third_party(foreign, [], "its TTL is another") == FOLLOWS
    assert third_party(foreign, [elsewhere], "its TTL is another") == REFUTED
    assert third_party(told("1 C RA 1 1 0 ttl=64"), [], "its TTL is another") == REFUTED
    on = "its sender continued the connection as if it had sent none"
    assert third_party(told("1 C RA 1 1 0 ttl=255", "2 C PA 1 1 10"), [], on) == FOLLOWS
    assert third_party(told("1 C RA 1 1 0 ttl=255", "2 C S 900 0 0"), [], on) == REFUTED
    assert third_party(foreign, [], on) == REFUTED


OLD = "1 C FA 1 1 0\n 1.01 S FA 1 2 0\n 1.02 C A 2 2 0"


def reused(*lines: str, old: str = OLD, **claims: Any) -> str:
    flow = told(*lines, opened=False, stream=1, first_frame=20)
    return answer("TD501", flow, "client", [told(old)], syn=20, answer=21, **claims)


def test_time_wait_begins_when_both_fins_are_acknowledged() -> None:
    opening = ("3 C S 900 0 0", "3.01 S SA 700 901 0")
    own, beyond = "by the client's own choice", "because its sequence number is beyond the old connection's"
    assert reused(*opening, rule=own) == FOLLOWS
    assert reused("3 C S 900 0 0", "3.01 S SA 700 900 0", rule=own) == REFUTED
    assert reused(*opening, rule=own, old="1 C FA 1 1 0") == REFUTED
    assert reused(*opening, rule=beyond) == FOLLOWS
    assert reused("3 C S 1 0 0", "3.01 S SA 700 2 0", rule=beyond) == REFUTED


def lasting(seconds: float) -> Duration:
    return Duration(round(seconds * SECOND), 501)


def delayed(*lines: str, **claims: Any) -> str:
    old = "in an older connection that was not captured"
    given: dict[str, Any] = {"syn": 1, "reply": "an old acknowledgment came back", "stale_frame": 2, "count": 2}
    given["old"] = old
    return answer("TD502", told(*lines, opened=False), "server", **(given | claims))


def test_an_old_acknowledgment_answers_the_syn_and_fits_it_not() -> None:
    tail = ("1 C S 0 0 0", "1.01 S SA 0 1 0", "1.02 C A 1 1 0")
    opened: dict[str, Any] = {"end": "the SYN-ACK came", "delay": lasting(1.01), "end_frame": 4}
    assert delayed("0 C S 0 0 0", "0.01 S A 77 99 0", *tail, **opened) == FOLLOWS
    assert delayed("0 C S 0 0 0", "0.01 S A 77 1 0", *tail, **opened) == REFUTED
    assert delayed("0 C S 0 0 0", "0.01 S A 77 99 0", *tail, **opened | {"delay": lasting(1.02)}) == REFUTED
    assert delayed("0 C S 0 0 0", "0.01 S A 77 99 0", *tail, **opened | {"end_frame": 5}) == REFUTED
    assert delayed("0 C S 0 0 0", "0.01 S A 77 99 0", *tail, end="no SYN-ACK came in the") == REFUTED
    assert delayed("0 C S 0 0 0", "60 S A 77 99 0", "61 C S 0 0 0", end="no SYN-ACK came in the") == REFUTED


def test_the_wait_is_from_a_reset_to_the_next_syn() -> None:
    lines = ("0 C S 0 0 0", "0.01 S A 77 99 0", "0.02 C R 99 0 0", "1 C S 0 0 0", "1.01 S SA 0 1 0", "1.02 C A 1 1 0")
    opened: dict[str, Any] = {"end": "the SYN-ACK came", "end_frame": 5, "rst": 3}
    assert delayed(*lines, **opened, wait=lasting(0.98)) == FOLLOWS
    assert delayed(*lines, **opened, wait=lasting(1)) == REFUTED
    assert delayed(*lines, **opened | {"rst": 2}, wait=lasting(0.98)) == REFUTED


def hole(frames: str, *lines: str) -> str:
    flow = told(*lines)
    return answer("TD907", flow, None, frames=frames, times={row.frame: row.time for row in flow.captured})


def test_in_a_gap_there_is_no_frame_at_all() -> None:
    assert hole("3;4", "50 C A 1 1 0", "51 C A 1 1 0") == FOLLOWS
    assert hole("3;5", "50 C A 1 1 0", "51 C A 1 1 0") == REFUTED
    assert hole("4", "50 C A 1 1 0", "51 C A 1 1 0") == REFUTED


def test_data_with_no_round_trip_known_are_not_said_to_have_crossed() -> None:
    lone = told("1 C FA 1 1 0", "1.1 S PA 1 1 10", "1.2 C R 1 0 0", opened=False)
    assert answer("TD306", lone, "client", fin=1, data=2, rst=3) == UNDECIDED
