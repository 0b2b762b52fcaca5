"""What each segment of a connection is beside its flags: sent again, out of order, a probe, an answer to one.

The names are Wireshark's where they mean the same; docs/ladder.md says where they do not, and why. All numbers here are
relative ones of the ladder, so they neither wrap nor depend on the side.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import NamedTuple

from analyzer.segments.table import ACK, FIN, RST, SYN
from analyzer.tracker.limits import DUPLICATE_BLIND_NS
from analyzer.units import SECOND

NEAR = 1 << 20  # numbers of one connection follow each other this closely, if only one side's are missing
WINDOW = 1 << 30  # the widest there is: no number of a connection is further ahead
BEFORE_ALL = -(1 << 62)
REORDERED_NS = (
    3 * SECOND // 1000
)  # what comes later by no more is out of order, where no round trip was seen (Wireshark)

NEW, COPY = "", "captured twice"
AGAIN, PARTLY = "retransmission", "partial retransmission"
UNSEEN, LATE = "retransmission, original not captured", "out of order"
KEEP_ALIVE, KEEP_ALIVE_ACK = "keep-alive", "keep-alive ACK"
PROBE, PROBE_ACK = "window probe", "window probe ACK"
DUPLICATE_ACK = "duplicate ACK"
ZERO, REOPENED, SHRUNK = "zero window", "window open again", "window shrunk"
GAP, BEYOND, OTHER = "gap", "ACK of what was not captured", "another initial number"
SACK, D_SACK = "SACK", "D-SACK"
PLURALS = {
    COPY: COPY,
    UNSEEN: "retransmissions of what was not captured",
    LATE: LATE,
    REOPENED: "windows open again",
    SHRUNK: "windows shrunk",
    BEYOND: "ACKs of what was not captured",
}  # how many of a kind are called so; the others have an s


class Numbers(NamedTuple):
    """One segment as it is followed. ``window`` is in bytes where the scale is known, ``unit`` what it is a multiple of
    (0 where the scale is not known)."""

    flags: int
    seq: int
    ack: int
    size: int
    time: int
    window: int
    unit: int
    copy: bool  # the tracker found that it is the same packet once more
    end: int  # the number behind it


class Remark(NamedTuple):
    """Something to be said of a segment: what kind of thing, and in words."""

    kind: str
    text: str


@dataclass
class SentSide:
    """What one side has sent so far, in relative numbers."""

    base: int
    lowest: int = 0
    reached: int | None = None  # the number behind the highest sent
    advanced: int = 0  # when that was sent
    acked: int = BEFORE_ALL  # the highest that the other side acknowledged
    acked_time: int = 0  # when it did
    holes: list[tuple[int, int]] = field(default_factory=list)  # below ``reached``, ascending: what was not captured
    fins: set[int] = field(default_factory=set)  # the numbers behind its FINs: as data, a FIN's number may be old
    last: tuple[int, ...] = ()  # the last segment's numbers
    last_time: int = 0
    word: str = NEW  # what that was
    window: int = -1  # the last it announced, in bytes where the scale is known; -1 before
    edge: int = BEFORE_ALL  # the highest number that it ever let the other side send up to
    probe: int | None = None  # the number of a probe's byte that nobody has acknowledged

    def take(self, start: int, end: int, time: int) -> int:
        """The segment [start, end) was sent; returns how much of it is captured for the first time."""
        if self.reached is None:
            self.reached, self.holes, self.advanced = end, [(BEFORE_ALL, start)], time
            return end - start
        fresh = self._fill(start, end) if start < self.reached else 0
        if start > self.reached:
            self.holes.append((self.reached, start))
        if end > self.reached:
            fresh += end - max(start, self.reached)
            self.reached, self.advanced = end, time
        return fresh

    def _fill(self, start: int, end: int) -> int:
        """[start, end) is captured now; returns how much of it was missing below ``reached``."""
        first = last = bisect_left(self.holes, start, key=lambda hole: hole[1] - 1)  # the first that reaches beyond
        while last < len(self.holes) and self.holes[last][0] < end:
            last += 1
        filled = sum(min(high, end) - max(low, start) for low, high in self.holes[first:last])
        pieces = [piece for low, high in self.holes[first:last] for piece in ((low, start), (end, high))]
        self.holes[first:last] = [piece for piece in pieces if piece[0] < piece[1]]
        return filled


@dataclass
class Followed:
    """The two sides, and how long the opening took: later than that, nothing is out of order."""

    sides: dict[bool, SentSide]
    opened: int | None = None  # time of the last SYN
    round_trip: int = 0  # from that to the first acknowledgment by who sent it

    def take(self, up: bool, segment: Numbers) -> tuple[str, list[Remark]]:
        """Take in one segment: what it is instead of NEW, and what is to be said of it."""
        own, other = self.sides[up], self.sides[not up]
        flags = segment.flags
        remarks: list[Remark] = []
        if segment.window == 0 and not flags & (SYN | FIN | RST):
            remarks.append(Remark(ZERO, ZERO))
        if flags & RST or strange(own, other, segment):
            return NEW, remarks
        if flags & SYN and segment.seq:  # nothing is missing between two initial numbers
            return NEW, [*remarks, Remark(OTHER, OTHER)]
        last = (flags, segment.seq, segment.ack, segment.size)
        near = last == own.last and 0 <= segment.time - own.last_time <= DUPLICATE_BLIND_NS
        before = own.reached
        word = self._word(own, other, segment, segment.copy or (near and segment.end > segment.seq))
        if word == NEW and before is not None and segment.seq > before:
            remarks.append(Remark(GAP, f"after a gap of {segment.seq - before:,}"))
        if flags & FIN:
            own.fins.add(segment.end)
        if flags & ACK:
            remarks += _acknowledged(own, other, segment)
        self._measure(up, segment)
        own.last, own.last_time, own.word = last, segment.time, word
        return word, remarks

    def _word(self, own: SentSide, other: SentSide, segment: Numbers, copy: bool) -> str:
        before, seq, end = own.reached, segment.seq, segment.end
        if before is not None and not segment.flags & (SYN | FIN):
            probing = COPY if copy else _probing(own, other, segment, before)
            if probing in (PROBE, KEEP_ALIVE):
                return probing
        fresh = own.take(seq, end, segment.time)
        if copy:
            return COPY
        if end == seq:
            return _answer(own, other, segment)
        if before is None or (segment.flags & FIN and end not in own.fins and not fresh):
            return NEW
        if fresh < end - seq:
            return PARTLY if fresh else AGAIN
        if seq >= before and end > own.acked:
            return NEW
        due = own.advanced if seq < before else own.acked_time  # when what follows it passed, or what acknowledges it
        return LATE if segment.time - due < (self.round_trip or REORDERED_NS) else UNSEEN

    def _measure(self, up: bool, segment: Numbers) -> None:
        """The round trip of the opening, as Wireshark's ``tcp.analysis.initial_rtt``."""
        if segment.flags & SYN and not segment.flags & ACK:
            self.opened = segment.time
        elif up and self.opened is not None and not self.round_trip and segment.flags & ACK:
            self.round_trip = max(0, segment.time - self.opened)


def strange(own: SentSide, other: SentSide, segment: Numbers) -> bool:
    """Whether the numbers are of another connection, an older one on the same addresses and ports."""
    flags, seq = segment.flags, segment.seq
    if flags & SYN or seq == own.reached:
        return False
    stands = own.reached or 0
    if not flags & ACK or other.reached is None:
        return seq < own.lowest or seq - stands > WINDOW
    near = other.lowest <= segment.ack <= other.reached + NEAR
    return (seq < own.lowest or seq - stands > NEAR) and not near


def _probing(own: SentSide, other: SentSide, segment: Numbers, before: int) -> str:
    """PROBE or KEEP_ALIVE where a segment only asks for an answer. A probe asks while the other side has no room: with
    the next byte, or before what is acknowledged. A keep-alive begins one before the next number, without new data, and
    is not repeated for want of an acknowledgment."""
    seq, size = segment.seq, segment.size
    if other.window == 0 and ((size == 1 and seq == before) or (size == 0 and seq in (before - 1, own.acked - 1))):
        own.probe = seq if size else own.probe
        return PROBE
    if seq == before - 1 and (size == 0 or (size == 1 and own.acked >= before)):
        return KEEP_ALIVE
    return NEW


def _answer(own: SentSide, other: SentSide, segment: Numbers) -> str:
    """What an acknowledgment without data is."""
    if segment.flags & (SYN | FIN) or not segment.flags & ACK or segment.seq != own.reached:
        return NEW
    ahead = segment.ack - other.acked
    if other.word == PROBE and ahead in (0, 1) and not segment.window:
        return PROBE_ACK
    if other.word == KEEP_ALIVE and ahead in (0, 1):
        return KEEP_ALIVE_ACK
    waits = other.reached is not None and other.reached > segment.ack
    return DUPLICATE_ACK if ahead == 0 and waits and segment.window == own.window > 0 else NEW


def _acknowledged(own: SentSide, other: SentSide, segment: Numbers) -> list[Remark]:
    """Take in the acknowledgment and the window; what is to be said of them."""
    ack, window = segment.ack, segment.window
    remarks: list[Remark] = []
    if other.probe is not None and ack > other.probe:
        other.take(other.probe, other.probe + 1, segment.time)
        other.probe = None
    if other.reached is not None and ack > max(other.reached, other.acked):
        remarks.append(Remark(BEYOND, f"acks {ack - max(other.reached, other.acked):,} not captured so far"))
    if ack >= other.acked and not segment.flags & SYN:
        if own.window == 0 and window:
            remarks.append(Remark(REOPENED, f"{REOPENED}: {window:,}"))
        back = own.edge - ack - window
        if segment.unit and own.edge > BEFORE_ALL and back > segment.unit and window < own.window:
            remarks.append(Remark(SHRUNK, f"{SHRUNK} by {back:,}"))
        own.edge = max(own.edge, ack + window) if segment.unit else own.edge
        own.window = window
    elif segment.flags & SYN:
        own.window = window
    if ack > other.acked:
        other.acked, other.acked_time = ack, segment.time
    return remarks
