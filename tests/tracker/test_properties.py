"""What must not change a verdict: how the capture is cut, who is called A, where sequence numbers start, other traffic,
and packets seen twice."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analyzer.flows.table import FlowTable
from analyzer.segments.table import DUPLICATE
from analyzer.settings import Settings
from analyzer.tracker.track import Tracker

from .entries import sided
from .stories import Told, batch
from .test_stories import STORIES
from .test_twin import random_segments

Rows = NDArray[np.void]
Verdict = list[tuple[int, ...]]
END = 10**18 + 10**12  # when every capture here ends; timers have run out by then
CASES = st.sampled_from([*STORIES, *range(40)])  # a story, or a random connection by its number


def segments(case: Told | int) -> Rows:
    """The segments of a story or of a random connection between two addresses."""
    if isinstance(case, Told):
        return batch(case)
    rows = random_segments(1, 12, seed=case)
    side = rows["sender"] & 1
    rows["src"], rows["dst"] = side, 1 - side
    rows["src_port"], rows["dst_port"] = np.where(side, 80, 50000), np.where(side, 50000, 80)
    rows["sender"] = -1
    return rows


def verdict(rows: Rows, cuts: list[int], address: int = 0) -> Verdict:
    """For the connection of ``address`` and the next: each entry by address, state, event, basis, times and frame."""
    rows = rows.copy()
    table, tracker = FlowTable(), Tracker(Settings())
    for piece in np.split(rows, sorted(min(cut, len(rows)) for cut in cuts)):
        table.assign(piece)
        tracker.feed(piece, table.rows)
    found = []
    for row, side, entry in sided(tracker.finish(END), table):
        who = int(table.rows[row]["address"][side])
        if who - address in (0, 1):
            names = ("event", "from_state", "state", "basis", "note", "time", "earliest", "latest", "frame")
            found.append((who - address, *(int(entry[name]) for name in names)))
    return found


@settings(max_examples=120, deadline=None)
@given(CASES, st.lists(st.integers(0, 12), max_size=4))
def test_cut_into_batches_anywhere(case: Told | int, cuts: list[int]) -> None:
    assert verdict(segments(case), cuts) == verdict(segments(case), [])


@settings(max_examples=80, deadline=None)
@given(CASES)
def test_swapped_sides(case: Told | int) -> None:
    rows = segments(case)
    other = rows.copy()
    other["src"], other["dst"] = 1 - rows["src"], 1 - rows["dst"]
    told = [(1 - who, *rest) for who, *rest in verdict(other, [])]
    assert sorted(told) == sorted(verdict(rows, []))


@settings(max_examples=120, deadline=None)
@given(CASES, st.integers(0, 2**32 - 1), st.integers(2**32 - 300, 2**32 - 1))
def test_shifted_sequence_numbers(case: Told | int, of_a: int, of_b: int) -> None:
    rows = segments(case)
    shift = np.array([of_a, of_b], np.int64)
    other = rows.copy()
    other["seq"] = (rows["seq"] + shift[rows["src"]]) % 2**32
    other["ack"] = np.where(rows["flags"] & 16, (rows["ack"] + shift[rows["dst"]]) % 2**32, 0)
    assert verdict(other, []) == verdict(rows, [])


@settings(max_examples=80, deadline=None)
@given(CASES, CASES)
def test_another_connection_among_it(case: Told | int, neighbour: Told | int) -> None:
    rows, others = segments(case), segments(neighbour)
    others["src"] += 10
    others["dst"] += 10
    others["time"] += rows["time"][0] - others["time"][0] + 1
    mixed = np.concatenate([rows, others])
    mixed["frame"][len(rows) :] += 1000
    mixed = mixed[np.argsort(mixed["time"], kind="stable")]
    assert verdict(mixed, []) == verdict(rows, [])


@settings(max_examples=120, deadline=None)
@given(CASES, st.integers(0, 30), st.sampled_from([1_000, 60_000, 900_000]))
def test_a_packet_captured_twice(case: Told | int, which: int, later: int) -> None:
    """Once more after some microseconds, as a mirror port shows it; the IP identification moves."""
    rows = segments(case)
    at = 2 + which % (len(rows) - 2) if len(rows) > 2 else len(rows) - 1
    copy = rows[at : at + 1].copy()
    copy["time"] += min(later, int(rows["time"][at + 1] - rows["time"][at]) // 2 if at + 1 < len(rows) else later)
    both = np.concatenate([rows[: at + 1], copy, rows[at + 1 :]])
    assert entered(verdict(both, [])) == entered(verdict(rows, []))


def copyable(case: Told | int) -> list[tuple[int, int]]:
    """The segments of which the same packet may come again, and behind which other: soon enough to be remembered by its
    identification, of which the sender has shown that it moves; and without a SYN between, which may begin another
    connection."""
    rows = segments(case)
    places = []
    for at, after in combinations_with_replacement(range(len(rows)), 2):
        mine = rows["src"][: after + 1] == rows["src"][at]
        began = max(np.flatnonzero(rows["flags"][: at + 1] & 18 == 2), default=0)
        moves = mine[began : at + 1].sum() > 1
        carries = rows["payload_len"][at] > 0 or rows["flags"][at] & 3  # what carries something a host may repeat soon
        soon = rows["time"][after] - rows["time"][at] < (19 * 10**7 if carries else 2 * 10**9)
        if moves and soon and mine[at + 1 :].sum() < 3 and not (rows["flags"][at : after + 1] & 2).any():
            places.append((at, after))
    return places


def seen_twice(rows: Rows) -> list[int]:
    """The places of the segments that the tracker takes for packets it has seen before; of one too late it says -1."""
    rows, table, tracker = rows.copy(), FlowTable(), Tracker(Settings())
    table.assign(rows)
    tracker.feed(rows, table.rows)
    return [*np.flatnonzero(rows["marks"] & DUPLICATE).tolist(), *[-1] * tracker.late]


COPIES = [
    (case, at, after)
    for case in [*STORIES, *range(40)]
    if not seen_twice(segments(case))
    for at, after in copyable(case)
]


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(COPIES))
def test_a_copy_that_comes_later_and_past_others(copied: tuple[Told | int, int, int]) -> None:
    """The same packet again behind others, within what its identification is believed for and remembered."""
    case, at, after = copied
    rows = segments(case)
    copy = rows[at : at + 1].copy()
    copy["time"] = rows["time"][after]
    both = np.concatenate([rows[: after + 1], copy, rows[after + 1 :]])
    assert entered(verdict(both, [])) == entered(verdict(rows, []))
    assert seen_twice(both) == [after + 1]


def test_copies_are_made_of_most_cases_and_past_others() -> None:
    """So that the property above is tried on what it speaks of."""
    assert len({str(case) for case, _, _ in COPIES}) > 60
    assert sum(after > at for _, at, after in COPIES) > 0.6 * len(COPIES) > 600


def entered(rows: Verdict) -> Verdict:
    """Only the states entered: a host may well send the same RST again, so a copy of one is noted."""
    return [row for row in rows if row[2] != row[3]]
