"""The slow twin with a memory: of every segment, what it was and how things stood as it passed.

The columns of the ledger are defined over this list (``facts.py``): "repeats since the peer last acknowledged something
new" is a search in a list here, where the kernels keep a counter and reset it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analyzer.segments.table import (
    CUT_HEADER,
    HAS_FIRST_BYTE,
    HAS_IP_ID,
    HAS_TIMESTAMP,
    LENGTH_BEYOND,
    NO_IP_LENGTH,
    PART,
    UNTRACKED,
)
from analyzer.tcp.states import State

from .naive import ACK, FIN, RST, SYN, Connection, End, Segment
from .naive_end import REPEAT
from .naive_resets import is_new, sent_before


class Numbers:
    """Which numbers of one side's sequence space are in a set; a number is told by its distance from the first."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, int]] = []  # from, to (not included), ascending, none touches the next

    def add(self, begin: int, end: int) -> None:
        """Put in the numbers from ``begin`` up to ``end``, ``end`` left out."""
        if begin >= end:
            return
        touching = [run for run in self.runs if run[0] <= end and run[1] >= begin]
        apart = [run for run in self.runs if run not in touching]
        joined = min([begin, *(run[0] for run in touching)]), max([end, *(run[1] for run in touching)])
        self.runs = sorted([*apart, joined])

    def within(self, begin: int, end: int) -> int:
        """How many of the numbers from ``begin`` up to ``end`` are in the set."""
        return sum(max(0, min(stop, end) - max(start, begin)) for start, stop in self.runs)


@dataclass
class Packet(Segment):
    """A segment with everything that tells packets apart."""

    ts_val: int = 0
    ts_ecr: int = 0
    first_byte: int = 0
    marks: int = 0
    clock: int = 0  # the highest frame time of the capture up to it

    @property
    def unsure(self) -> bool:
        """Whether its length is not known."""
        return bool(self.marks & (LENGTH_BEYOND | NO_IP_LENGTH | PART))

    @property
    def cut(self) -> bool:
        """Whether the capture cut its TCP header."""
        return bool(self.marks & CUT_HEADER)

    @property
    def numbered(self) -> bool:
        """Whether it has an IP identification."""
        return bool(self.marks & HAS_IP_ID) and self.ip_id > 0

    @property
    def stamped(self) -> bool:
        return bool(self.marks & HAS_TIMESTAMP)

    @property
    def has_byte(self) -> bool:
        """Whether its first byte of payload is known."""
        return bool(self.marks & HAS_FIRST_BYTE)

    def looks(self) -> tuple[int, ...]:
        """All numbers of the packet; the TTL apart, which a router lowers."""
        numbers = (self.seq, self.ack, self.flags, self.length, self.window, self.ip_id, self.first_byte)
        return *numbers, self.ts_val, self.ts_ecr


FIELDS = ["time", "frame", "seq", "ack", "flags", "payload_len", "window", "ip_id"]
MORE = ["window_scale", "ttl", "ts_val", "ts_ecr", "first_byte", "marks"]


def packets(rows: NDArray[np.void]) -> Iterator[tuple[int, Packet]]:
    """The segments of a batch that are tracked (dtype SEGMENT), each with its sender."""
    rows = rows[rows["marks"] & UNTRACKED == 0]
    clocks = np.maximum.accumulate(rows["time"]) if len(rows) else rows["time"]
    for (sender, *values), clock in zip(rows[["sender", *FIELDS, *MORE]].tolist(), clocks.tolist(), strict=True):
        yield sender, Packet(*values, clock)


BLIND, BY_ID = 1_000_000, 3_000_000_000  # ns within which a packet that looks the same is the same
REMEMBERED = 4  # so many of each sender


class Copies:
    """Which packets of a connection show one a second time. They count once."""

    def __init__(self) -> None:
        self.kept: tuple[list[Packet], list[Packet]] = ([], [])
        self.again: tuple[list[Packet], list[Packet]] = ([], [])

    def take(self, side: int, packet: Packet) -> bool:
        """Whether it is one."""
        kept = self.kept[side]
        like = [one for one in kept[-REMEMBERED:] if one.looks() == packet.looks()]
        if like and self.same(packet, like[-1], kept):
            self.again[side].append(packet)
            return True
        kept.append(packet)
        return False

    def same(self, packet: Packet, before: Packet, kept: list[Packet]) -> bool:
        """Whether a packet that looks like one before is that one, and not a repeat of its sender."""
        age = ticks(packet.time) - ticks(before.time)
        moves = any(one.ip_id != next_.ip_id and one.ip_id and next_.ip_id for one, next_ in pairwise(kept))
        carries = packet.length > 0 or packet.flags & (SYN | FIN)
        shown = self.again[0] or self.again[1]
        by_id = packet.numbered and moves and age << 10 < (REPEAT if carries else BY_ID)
        syn = packet.flags & SYN and age << 10 < REPEAT
        return bool(by_id or syn) or (age <= BLIND >> 10 and bool(carries or shown))


def ticks(time: int) -> int:
    """A time as it is remembered with a packet."""
    return time >> 10


@dataclass(eq=False)
class Seen:
    """A segment that counts, and how things stood at its sender and its peer as it passed."""

    place: int  # in the connection
    side: int
    segment: Packet
    kind: frozenset[str]
    nxt: int | None  # of its sender, once its acknowledgment was taken in: the number after the highest it had sent
    acked: int | None  # what its peer had acknowledged of its sender
    owed: int | None  # what its sender had acknowledged of its peer before
    peer_nxt: int | None
    informed: bool  # its sender is proven to have the peer's FIN, its own acknowledgment included
    advances: bool  # it acknowledges more than any segment of its sender before
    fin: int | None  # the number after its sender's FIN, where that has passed before
    peer_closed: bool  # a FIN of its peer has
    numbered: bool  # its sender's ISN is known
    margin: int  # its sender would have answered within this what passed the tap
    tap_rtt: int = 0  # from the tap to its sender and back, as far as it is known then
    peer_tap_rtt: int = 0
    since: int = 0  # not before this was it decided to send it
    lower_ack: int = 0  # when its sender last acknowledged less than the peer's FIN
    peer_carried: int = 0  # when the peer last sent something that has a number
    patience: int = 0  # and within this on a path whose delay has grown
    later: bool = False  # its sender has been established, has sent data, or closes
    apart: bool = False  # it is none of the connection's
    excused: bool = False  # it acknowledges one number that is not missing: a keep-alive had repeated it
    jumped: int | None = None  # its sender goes on there, far from this number
    went_on: bool = False  # it shows something new
    overdue: int = 0  # by then nothing is under way any more that was sent before a RST passed
    stray: bool = False  # it answers no SYN, though its peer awaits an answer
    strange: bool = False  # it is far from all numbers of its sender
    refuses: bool = False  # a RST that refuses the peer's SYN
    own_fin_acked: bool = False  # its own FIN was taken to be acknowledged before
    fin_doubted: bool = False  # its sender repeats a FIN whose acknowledgment it cannot have got
    fin_acked: bool = False  # it acknowledges the peer's FIN, which was not taken to be acknowledged
    stale: bool = False  # it answers with the acknowledgment of an older connection
    disproves: int = 0  # the frame of the peer's RST that its sender plainly did not get, or not accept
    ignores: bool = False  # and that shows by something new, later than what was under way when that RST passed
    counts_as: str = ""  # of a RST: how its receiver had to take it
    met: State = State.UNKNOWN  # its receiver's state before it

    @property
    def end(self) -> int:
        """The number after its payload."""
        return (self.segment.seq + self.segment.length) % 2**32

    @property
    def carries(self) -> bool:
        """Whether it carries payload that is data: a probe's is not."""
        plain = not self.segment.flags & (RST | SYN) and "probe" not in self.kind
        return plain and not self.apart and self.segment.length > 0


@dataclass
class Watched(End):
    """An endpoint that remembers whether an entry of it was taken back."""

    undone: bool = False

    def undo(self) -> None:
        self.undone = True
        super().undo()


class Observed(Connection):
    """A connection of which everything is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: tuple[Watched, Watched] = (Watched(), Watched())
        self.seen: list[Seen] = []
        self.copies = Copies()

    @property
    def undone(self) -> bool:
        """Whether a state entered was taken back."""
        return any(end.undone for end in self.ends)

    @classmethod
    def of(cls, segments: Iterable[tuple[int, Packet]]) -> Observed:
        """What comes of segments, each with its side."""
        connection = cls()
        for side, segment in segments:
            connection.take(side, segment)
        return connection

    def take(self, side: int, s: Segment) -> None:
        assert isinstance(s, Packet)
        if self.copies.take(side, s):
            return
        s = self.heard(side, s)
        e, p = self.ends[side], self.ends[1 - side]
        self.now = Seen(
            *(len(self.seen), side, s, self.kind(e, p, s), e.nxt, p.acked, e.acked, p.nxt),
            *(e.has_peer_fin, False, e.fin if e.fin_count else None, p.fin_count > 0),
            *(e.isn is not None, e.margin),
        )
        self.seen.append(self.now)
        self.now.since, self.now.lower_ack, self.now.peer_carried = e.earliest(s, s.time), e.lower_ack, p.carried
        self.now.patience, self.now.met = e.patience, p.state
        self.now.went_on = is_new(e, s) and not s.flags & RST and s.flags & (SYN | ACK) != SYN
        self.now.overdue = e.under_way
        self.now.own_fin_acked = e.fin_acked
        mine, theirs, stale, killed = e.fin_acked, p.fin_acked, e.stale_acks, e.killed
        before_rst = sent_before(e, s)
        entered = [list(end.story) for end in self.ends]
        super().take(side, s)
        for end, before in zip(self.ends, entered, strict=True):
            end.undone |= [*map(id, end.story[: len(before)])] != [*map(id, before)]
        self.now.tap_rtt, self.now.peer_tap_rtt, self.now.later = e.tap_rtt, p.tap_rtt, e.later
        self.now.advances = e.acked != self.now.owed
        self.now.fin_doubted = self.now.fin is not None and mine and not e.fin_acked
        self.now.fin_acked = p.fin_acked and not theirs
        self.now.stale = e.stale_acks > stale
        self.now.ignores = self.now.went_on and s.time - p.rst_time > self.now.overdue and not before_rst
        self.now.disproves = p.rst_frame if killed and p.rst_verdict == "disregarded" and not e.killed else 0

    def is_other_connection(self, e: End, p: End, s: Segment) -> bool:
        self.now.apart = super().is_other_connection(e, p, s)
        return self.now.apart

    def note_unacceptable(self, e: End, p: End, s: Segment) -> None:
        self.now.stray = True
        super().note_unacceptable(e, p, s)

    def is_far_away(self, e: End, p: End, s: Segment) -> bool:
        before, far_segments = e.nxt, e.far_segments
        found = super().is_far_away(e, p, s)
        self.now.jumped, self.now.strange = before if e.nxt != before else None, e.far_segments > far_segments
        return found

    def miss(self, e: End, p: End, s: Segment, beyond: int) -> None:
        missing, inferred = p.missing, p.fin_inferred
        super().miss(e, p, s, beyond)
        self.now.excused = p.missing == missing and p.fin_inferred == inferred

    def carry(self, e: End, p: End, s: Segment, kind: frozenset[str]) -> None:
        self.now.nxt, self.now.informed, self.now.patience = e.nxt, e.has_peer_fin, e.patience
        self.now.since = e.earliest(s, e.busy(s.time))
        super().carry(e, p, s, kind)

    def judge(self, e: End, p: End, s: Segment) -> str:
        self.now.counts_as = super().judge(e, p, s)
        self.now.refuses = p.state == State.SYN_SENT and e.isn is None and self.now.counts_as == "accepted"
        return self.now.counts_as
