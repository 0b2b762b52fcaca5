"""The ledger, column by column, against what each column means (``facts.py``): on random connections, on plausible ones
and on every capture at hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.errors import TeardownError
from analyzer.flows.table import FLOW, FlowTable
from analyzer.readers import open_captures
from analyzer.segments import Decoder
from analyzer.segments.table import SEGMENT
from analyzer.settings import Settings
from analyzer.tracker.ledger import CONNECTION, ENDPOINT
from analyzer.tracker.log import BASIS_WORDS, Basis
from analyzer.tracker.track import Tracker
from analyzer.tracker.transitions import State
from tests.captures import OWN, RECORDINGS, cases, public

from .facts import COLUMNS, FLOW_COLUMNS, KNOWN, LEFT_OUT, MEANS_SOMETHING, opener
from .naive import RST, SYN, ahead
from .observed import Observed, Packet, packets
from .plausible import capture
from .side import Side, fresh
from .test_twin import random_segments

SECOND = 10**9
# Where segments contradict one another, what was known to be sent is a matter of opinion.
OF_REPEATS = [
    *("repeats", "repeat_run", "repeat_first_time", "repeat_last_time", "repeat_last_frame"),
    *("data_time", "data_frame", "rst_data_age", "rst_data_frame", "beyond_fin_bytes"),
]
OF_BYTES = {
    *OF_REPEATS,
    *("missing_bytes", "missing_frame", "missing_time", "hole_bytes", "half_close_acked", "half_close_ack_frame"),
}


class Followed(NamedTuple):
    """A connection as the tracker has it, and its segments."""

    name: str
    ends: NDArray[np.void]  # ENDPOINT, both sides
    flow: np.void  # CONNECTION
    entries: NDArray[np.void]  # ENTRY, its timeline
    observed: Observed

    def entries_of(self, side: int) -> list[np.void]:
        """The timeline of one side."""
        return [entry for entry in self.entries if (int(entry["end"]) & 1) ^ int(self.flow["client"]) == side]

    def entered(self, side: int) -> list[tuple[str, str, int]]:
        """The states it entered, with basis and frame."""
        moves = [entry for entry in self.entries_of(side) if entry["from_state"] != entry["state"]]
        return [(State(one["state"]).name, BASIS_WORDS[Basis(one["basis"])], int(one["frame"])) for one in moves]


# What the ledger says otherwise than its columns mean, and where. Each is to go once the ledger says what it means.


def came_after_what_follows(side: Side) -> bool:
    """Numbers passed after higher ones, or after the peer's acknowledgment of them, as a FIN does or a SYN, or in a
    segment that also carried more: the ledger goes on calling them missing."""
    late = [one for one in side.data if not fresh(one) and side.new_bytes(one)]
    wide = [one for one in side.data if fresh(one) and side.new_bytes(one) > side.beyond(one)]
    fin = [one for one in side.fins[:1] if one.nxt is not None and ahead(one.nxt, one.end) > 0]
    return bool(late or wide or fin) or syn_among_the_others(side)


def syn_among_the_others(side: Side) -> bool:
    """A SYN passed after other segments: the ledger begins to count anew."""
    began = [one.segment.flags & SYN for one in side.plain]
    return began != sorted(began, reverse=True)


def acknowledged_in_a_hole(side: Side) -> bool:
    """The ledger finds a hole missing once all of it is acknowledged."""
    acks = [side.place(one.segment.ack) for one in side.theirs if one.advances]
    return any(side.lost(ack, ack + 1) for ack in acks if side.end.nxt is not None and ack < side.place(side.end.nxt))


def recorded_before_it_was_sent(side: Side) -> bool:
    """A copy whose time is before the original's is none to the ledger."""
    kept, again = side.connection.copies.kept, side.connection.copies.again
    times = {one.looks(): one.time for some in kept for one in some}
    return any(one.time < times[one.looks()] for some in again for one in some)


def sent_before_the_fin(side: Side) -> bool:
    """Bytes were not acknowledged yet when it received the peer's FIN: the ledger takes them for half-close data."""
    first = side.half_closed[:1]
    return bool(first) and first[0].acked != first[0].nxt


def a_rst_before(side: Side) -> bool:
    """The ledger names the peer's last frame, also where that is a RST; and keeps what an earlier RST answered."""
    before = side.before(side.reset, side.theirs) if side.reset else []
    return len(side.resets) > 1 or bool(before and before[-1].segment.flags & RST)


def the_answered_was_not_the_last(side: Side) -> bool:
    """The ledger has the time of the peer's last segment, whichever it answers."""
    before = side.before(side.reset, side.theirs) if side.reset else []
    return side.answered is None or side.answered[0] is not before[-1]


def began_with_a_rst(side: Side) -> bool:
    """The ledger takes the time since 1970 for silence."""
    return side.reset is not None and side.reset.place == 0


def first_syn_was_another(side: Side) -> bool:
    """SYNs of the same time are one to the ledger; and a SYN-ACK in answer to a SYN that crossed, or a SYN after its
    end, is its first again."""
    times = [one.segment.time for one in side.syns]
    return len(set(times)) < len(times) or (bool(times) and times[0] != side.end.syn_time)


Doubt = Callable[[Side], bool]
OTHERWISE: dict[str, tuple[Doubt, ...]] = {
    **dict.fromkeys(
        ["missing_bytes", "missing_frame", "missing_time", "hole_bytes"],
        (came_after_what_follows, acknowledged_in_a_hole),
    ),
    **dict.fromkeys(["half_close_acked", "half_close_ack_frame"], (sent_before_the_fin, acknowledged_in_a_hole)),
    "rst_answers_frame": (a_rst_before,),
    "rst_answers_time": (a_rst_before, the_answered_was_not_the_last),
    **dict.fromkeys(["duplicates", "packets", "bytes", "ttl_low"], (recorded_before_it_was_sent,)),
    **dict.fromkeys(OF_REPEATS, (recorded_before_it_was_sent, syn_among_the_others)),
    "rst_idle": (began_with_a_rst,),
    **dict.fromkeys(["syn_last_time", "syn_last_frame"], (first_syn_was_another,)),
}


def followed(name: str, rows: NDArray[np.void], table: NDArray[np.void]) -> Iterator[Followed]:
    """The connections of a batch: those alone on their addresses and ports, without a pause in which a timer may end,
    and not from before 1970."""
    tracker = Tracker(Settings())
    tracker.feed(rows.copy(), table)
    seen, books = tracker.peek(tracker.held, 0), tracker.glance(0)
    begins = np.cumsum(seen.lengths, dtype=np.int64) - seen.lengths
    segments: dict[int, list[tuple[int, Packet]]] = defaultdict(list)
    for sender, packet in packets(rows):
        segments[sender >> 1].append((sender & 1, packet))
    reused = {*table["previous"].tolist()}
    for place, row in enumerate(books.flows["row"].tolist()):
        times = [packet.time for _, packet in segments[row]]
        long = max(np.diff(times), default=0) > 50 * SECOND
        if table["previous"][row] >= 0 or row in reused or long or min(times) <= 0:
            continue
        told = seen.entries[begins[place] : begins[place] + int(seen.lengths[place])]
        ends, flow = books.ends[2 * place : 2 * place + 2], books.flows[place]
        yield Followed(name, ends, flow, told, Observed.of(segments[row]))


def by_ledger(ends: np.void, name: str) -> int:
    """A column of the ledger; what was last is what was first, where it was once only."""
    kind, _, last = name.partition("_last_")
    value = int(ends[name])
    return (
        int(ends[f"{kind}_{last}"])
        if kind in ("syn", "fin") and last and not value and ends[f"{kind}_count"]
        else value
    )


def differences(connection: Followed, skipped: set[str]) -> Iterator[tuple[Any, ...]]:
    """The columns in which the ledger differs: name of the capture and the column, first frame, side, by the ledger, by
    its meaning."""
    frame = int(connection.flow["first_frame"])
    for number in (0, 1):
        side = Side(connection.observed, number)
        for name in COLUMNS.keys() - skipped:
            if any(doubt(side) for doubt in OTHERWISE.get(name, ())):
                continue
            if name in MEANS_SOMETHING and not MEANS_SOMETHING[name](side):
                continue
            theirs, ours = by_ledger(connection.ends[number], name), COLUMNS[name](side)
            if name == "known":
                theirs, ours = theirs & KNOWN, ours & KNOWN
            if theirs != ours:
                yield connection.name, name, frame, number, theirs, ours
        story = [(entry.state.name, entry.basis, entry.frame) for entry in side.end.story]
        if story != connection.entered(number):
            yield connection.name, "states", frame, number, connection.entered(number), story
    yield from differences_of_flow(connection)


def differences_of_flow(connection: Followed) -> Iterator[tuple[Any, ...]]:
    flow, frame = connection.flow, int(connection.flow["first_frame"])
    for name, meaning in FLOW_COLUMNS.items():
        if (ours := meaning(connection.observed)) != int(flow[name]):
            yield connection.name, name, frame, -1, int(flow[name]), ours
    client, basis = opener(connection.observed)
    if basis and client != flow["client"]:
        yield connection.name, "client", frame, -1, int(flow["client"]), client


def compared(connections: Iterator[Followed], skipped: set[str] | None = None) -> int:
    """Compare them all; returns how many there were."""
    count, found = 0, []
    for connection in connections:
        count += 1
        found += list(differences(connection, skipped or set()))
    assert not found, (len(found), sorted({name for _, name, *_ in found}), found[:3])
    return count


def of_capture(path: Path) -> Iterator[Followed]:
    """The connections of a capture."""
    decoder, table = Decoder(), FlowTable()
    with open_captures([str(path)]) as stream:
        batches = [decoder.decode(some).copy() for some in stream]
    rows = np.concatenate([np.zeros(0, SEGMENT), *batches])
    table.assign(rows)
    return followed(path.name, rows, table.rows)


def test_every_column_is_told_or_left_out_for_a_reason() -> None:
    names = {*(ENDPOINT.names or ())}
    assert names == {*COLUMNS, *LEFT_OUT}
    assert not COLUMNS.keys() & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())
    assert {*OTHERWISE, *MEANS_SOMETHING, *OF_BYTES} <= COLUMNS.keys()
    assert FLOW_COLUMNS.keys() <= {*(CONNECTION.names or ())}


@pytest.mark.parametrize("length", [5, 8, 12])
def test_random_connections(length: int) -> None:
    rows = random_segments(2500, length, seed=length + 50)
    table = np.zeros(2500, FLOW)
    table["previous"] = -1
    assert compared(followed("random", rows, table), OF_BYTES) == 2500


@pytest.mark.parametrize(("trouble", "skipped"), [(0.0, set()), (0.1, set()), (0.4, OF_BYTES)])
def test_plausible_connections(trouble: float, skipped: set[str]) -> None:
    rows, table = capture(1000, 17, trouble), FlowTable()
    table.assign(rows)
    assert compared(followed("plausible", rows, table.rows), skipped) > 300


def test_captures_and_recordings() -> None:
    count = 0
    for path in [*OWN, *RECORDINGS]:
        count += compared(of_capture(path)) if readable(path) else 0
    assert count > 900


def readable(path: Path) -> bool:
    """Whether a capture is read at all: some cannot be."""
    try:
        with open_captures([str(path)]):
            return True
    except TeardownError:
        return False


@pytest.mark.parametrize("path", [*public(), *cases()])
def test_what_others_captured(path: Path) -> None:
    if not readable(path):
        pytest.skip("not read")
    compared(of_capture(path))


@pytest.mark.parametrize("trouble", [0.1, 0.4])
def test_where_the_ledger_speaks_otherwise_is_rare(trouble: float) -> None:
    rows, table = capture(1000, 18, trouble), FlowTable()
    table.assign(rows)
    sides = [Side(one.observed, number) for one in followed("plausible", rows, table.rows) for number in (0, 1)]
    for doubt in {doubt for doubts in OTHERWISE.values() for doubt in doubts} - {the_answered_was_not_the_last}:
        assert sum(map(doubt, sides)) < 0.1 * len(sides), doubt.__name__
