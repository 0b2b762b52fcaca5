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

from analyzer.capture import open_captures
from analyzer.errors import TeardownError
from analyzer.flows.table import FLOW, FlowTable
from analyzer.segments import Decoder
from analyzer.segments.table import PADDED, SEGMENT
from analyzer.settings import Settings
from analyzer.tcp.evidence import BASIS_WORDS, Basis
from analyzer.tcp.states import State
from analyzer.tracker.ledger import CONNECTION, ENDPOINT
from analyzer.tracker.track import Tracker
from tests.captures import OWN, RECORDINGS, cases, public

from .dialogue import DIALOGUE_COLUMNS
from .facts import COLUMNS, FLOW_COLUMNS, KNOWN, LEFT_OUT, MEANS_SOMETHING, opener
from .naive import ACK, FIN, RST, SYN
from .observed import Observed, Packet, packets
from .plausible import capture
from .side import Side, acknowledged, fresh
from .test_twin import random_segments

SECOND = 10**9
BETWEEN = [path for path in RECORDINGS if ".m." in path.name]  # recorded between the two hosts
# Where segments contradict one another, what was known to be sent is a matter of opinion.
OF_REPEATS = [
    *("repeats", "repeat_run", "repeat_first_time", "repeat_last_time", "repeat_last_frame"),
    *("data_time", "data_frame", "rst_data_age", "rst_data_frame", "beyond_fin_bytes"),
]
OF_BYTES = {
    *OF_REPEATS,
    *("missing_bytes", "missing_frame", "missing_time", "hole_bytes", "half_close_acked", "half_close_ack_frame"),
}
SINCE_OPEN = ["idle_longest", "idle_longest_frame", "tap_rtt_last"]  # a RST or data out of order may open a row sooner
OF_FINS = ["fin_frame", "fin_ack", "fin_last_time", "fin_last_frame", "fin_repeats"]
OF_FINS += ["fin_after_ack_frame", "fin_after_ack_time"]


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


def came_in_a_wider_segment(side: Side) -> bool:
    """A segment carried new data behind such as had not passed: the ledger goes on calling these missing."""
    return any(fresh(one) and side.new_bytes(one) > side.beyond(one) for one in side.data)


def came_late(side: Side) -> bool:
    """Data passed after their acknowledgment: the ledger counts the last that were missing as a repeat, and has
    forgotten which acknowledgment proved the others missing."""
    return any(not fresh(one) and side.new_bytes(one) and acknowledged(one) for one in side.data)


def closed_behind_a_gap(side: Side) -> bool:
    """The ledger takes the number of a FIN for one of those that are missing before it."""
    return bool(side.fins) and side.missing > 0


def syn_among_the_others(side: Side) -> bool:
    """A SYN passed after other segments: the ledger begins to count anew."""
    began = [one.segment.flags & SYN for one in side.plain]
    return began != sorted(began, reverse=True)


def acknowledged_in_a_hole(side: Side) -> bool:
    """The ledger finds a hole missing once all of it is acknowledged."""
    acks = [side.place(one.segment.ack) for one in side.theirs if one.advances]
    return any(side.lost(ack, ack + 1) for ack in acks if side.end.nxt is not None and ack < side.place(side.end.nxt))


def acknowledged_with_what_follows(side: Side) -> bool:
    """The ledger names the first acknowledgment that goes beyond what it sent half-closed, as that of its FIN does."""
    done = side.half_close_acks[-1:] if side.half_close_covered(side.peer.acked) else []
    return any(one.advances and one.place > done[0].place for one in side.theirs) if done else False


def recorded_before_it_was_sent(side: Side) -> bool:
    """A copy whose time is before the original's is none to the ledger."""
    kept, again = side.connection.copies.kept, side.connection.copies.again
    times = {one.looks(): one.time for some in kept for one in some}
    return any(one.time < times[one.looks()] for some in again for one in some)


def a_rst_before(side: Side) -> bool:
    """The ledger names the peer's last frame, also where that is a RST or of another connection."""
    before = side.before(side.reset, side.theirs) if side.reset else []
    return bool(before) and bool(before[-1].segment.flags & RST or before[-1].apart)


def began_with_a_rst(side: Side) -> bool:
    """The ledger takes the time since its clock began for silence; and finds later what the RST answers."""
    return side.reset is not None and side.reset.place == 0


def first_syn_was_another(side: Side) -> bool:
    """SYNs of the same time are one to the ledger; and a SYN-ACK in answer to a SYN that crossed, or a SYN after its
    end, is its first again."""
    times = [one.segment.time for one in side.syns]
    return len(set(times)) < len(times) or (bool(times) and times[0] != side.end.syn_time)


def answered_itself(side: Side) -> bool:
    """A SYN and a SYN-ACK came from one side: the ledger looks for data of a SYN where it was acknowledged later."""
    syns = [one.segment.flags & ACK for one in side.seen if one.segment.flags & SYN and one.side == side.side]
    return 0 < len([ack for ack in syns if ack]) < len(syns)


def went_on_after_a_rst(side: Side) -> bool:
    """A RST that its receiver ignored: the ledger leaves out what its sender sent until that was plain."""
    return any(one.disproves for one in side.seen)


def crossed_with_data(side: Side) -> bool:
    """Two SYNs with data crossed: the ledger takes the next segment for the opening, whether or not it is open."""
    asked = {one.side for one in side.seen if one.segment.flags & SYN and one.segment.length}
    return len(asked) == 2


def asked_with_data(side: Side) -> bool:
    """A SYN carried data: the ledger measures silences from the answer to it on, not from ESTABLISHED."""
    return any(one.segment.flags & SYN and one.segment.length for one in side.seen)


def fin_of_another_number(side: Side) -> bool:
    """Another number was taken for its FIN than the one that had passed."""
    return side.end.fin_count > 0 and (not side.fins or len(side.fins) != side.end.fin_count)


Doubt = Callable[[Side], bool]
OTHERWISE: dict[str, tuple[Doubt, ...]] = {
    **dict.fromkeys(
        ["missing_bytes", "missing_frame", "missing_time", "hole_bytes"],
        (
            *(came_in_a_wider_segment, came_late, closed_behind_a_gap, syn_among_the_others),
            *(acknowledged_in_a_hole, recorded_before_it_was_sent),
        ),
    ),
    "half_close_acked": (acknowledged_in_a_hole,),
    "half_close_ack_frame": (acknowledged_in_a_hole, acknowledged_with_what_follows),
    **dict.fromkeys(["rst_answers_frame", "rst_answers_time"], (a_rst_before, began_with_a_rst)),
    **dict.fromkeys(["rst_answers", "rst_reply"], (a_rst_before, began_with_a_rst)),
    "rst_idle": (began_with_a_rst,),
    **dict.fromkeys(["duplicates", "packets", "bytes", "ttl_low"], (recorded_before_it_was_sent,)),
    **dict.fromkeys(OF_REPEATS, (came_late, acknowledged_in_a_hole, syn_among_the_others)),
    "repeats": (came_late, acknowledged_in_a_hole, syn_among_the_others, recorded_before_it_was_sent),
    **dict.fromkeys(["syn_last_time", "syn_last_frame"], (first_syn_was_another,)),
    **dict.fromkeys(OF_FINS, (fin_of_another_number,)),
    **dict.fromkeys(DIALOGUE_COLUMNS, (answered_itself, went_on_after_a_rst, crossed_with_data)),
    **dict.fromkeys(SINCE_OPEN, (asked_with_data,)),
}


DOUBTS = {doubt for doubts in OTHERWISE.values() for doubt in doubts}


def timers_may_end(segments: list[Packet]) -> bool:
    """Whether there is a pause, or something so long after a FIN, that a timer may have ended in between."""
    times, closed = [one.time for one in segments], [one.time for one in segments if one.flags & FIN]
    return max(np.diff(times), default=0) > 50 * SECOND or (bool(closed) and times[-1] - closed[0] > 50 * SECOND)


def followed(name: str, rows: NDArray[np.void], table: NDArray[np.void]) -> Iterator[Followed]:
    """The connections of a batch: those alone on their addresses and ports, without time enough for a timer to end,
    and without padding that looks like payload (test_padding.py)."""
    tracker = Tracker(Settings())
    tracker.feed(rows.copy(), table)
    seen, books = tracker.so_far(tracker.held, 0), tracker.snapshot(0)
    begins = np.cumsum(seen.lengths, dtype=np.int64) - seen.lengths
    segments: dict[int, list[tuple[int, Packet]]] = defaultdict(list)
    for sender, packet in packets(rows):
        segments[sender >> 1].append((sender & 1, packet))
    reused = {*table["previous"].tolist()}
    for place, row in enumerate(books.flows["row"].tolist()):
        long = timers_may_end([packet for _, packet in segments[row]])
        padded = any(packet.marks & PADDED for _, packet in segments[row])
        if table["previous"][row] >= 0 or row in reused or long or padded:
            continue
        told = seen.entries[begins[place] : begins[place] + int(seen.lengths[place])]
        ends, flow = books.ends[2 * place : 2 * place + 2], books.flows[place]
        yield Followed(name, ends, flow, told, Observed.of(segments[row]))


def by_ledger(ends: np.void) -> dict[str, int]:
    """The columns of the ledger for one endpoint; what was last is what was first, where it was once only."""
    told = dict(zip(ENDPOINT.names or (), ends.tolist(), strict=True))
    for kind in ("syn", "fin"):
        for what in ("time", "frame"):
            if told[f"{kind}_count"] and not told[f"{kind}_last_{what}"]:
                told[f"{kind}_last_{what}"] = told[f"{kind}_{what}"]
    told["known"] &= KNOWN
    return told


def differences(connection: Followed, skipped: set[str]) -> Iterator[tuple[Any, ...]]:
    """The columns in which the ledger differs: name of the capture and the column, first frame, side, by the ledger, by
    its meaning."""
    frame = int(connection.flow["first_frame"])
    for number in (0, 1):
        side, theirs = Side(connection.observed, number), by_ledger(connection.ends[number])
        doubted = {doubt for doubt in DOUBTS if doubt(side)}
        for name in COLUMNS.keys() - skipped:
            nothing = name in MEANS_SOMETHING and not MEANS_SOMETHING[name](side)
            if nothing or not doubted.isdisjoint(OTHERWISE.get(name, ())):
                continue
            if theirs[name] != (ours := COLUMNS[name](side)):
                yield connection.name, name, frame, number, theirs[name], ours
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
    rows = random_segments(1200, length, seed=length + 50)
    table = np.zeros(1200, FLOW)
    table["previous"] = -1
    assert compared(followed("random", rows, table), OF_BYTES | {*OF_FINS, *SINCE_OPEN, *DIALOGUE_COLUMNS}) == 1200


@pytest.mark.parametrize(("trouble", "skipped"), [(0.0, set()), (0.1, set()), (0.4, OF_BYTES)])
def test_plausible_connections(trouble: float, skipped: set[str]) -> None:
    rows, table = capture(1000, 17, trouble), FlowTable()
    table.assign(rows)
    assert compared(followed("plausible", rows, table.rows), skipped) > 300


def test_captures_and_recordings() -> None:
    count = 0
    for path in [*OWN, *BETWEEN]:
        count += compared(of_capture(path)) if readable(path) else 0
    assert count > 400


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
    for doubt in DOUBTS:
        assert sum(map(doubt, sides)) < 0.1 * len(sides), doubt.__name__
