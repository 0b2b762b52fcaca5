"""The packets as the predicates see them: segments of a connection with plain names, and what can be asked of them.

Nothing here follows a connection. Each answer is looked up anew among the segments, by sequence numbers modulo 2^32.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = 0, 1
HALF = 1 << 31
Endpoint = tuple[str, int]


def ahead(number: int, of: int) -> int:
    """How far ``number`` lies ahead of ``of`` modulo 2^32; negative where it lies behind."""
    return (number - of + HALF) % (1 << 32) - HALF


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment, as captured. ``side`` is its sender: the client's 0, the server's 1."""

    frame: int
    time: int
    side: int
    seq: int
    ack: int
    flags: int
    length: int
    window: int
    ttl: int
    ip_id: int | None
    scale: int
    ts_val: int | None
    first_byte: int | None
    cut: bool
    refused: bool  # its data offset is impossible: any receiver drops it
    short: bool  # its IP length claims more bytes than the frame has

    @property
    def fin(self) -> bool:
        return bool(self.flags & FIN)

    @property
    def syn(self) -> bool:
        return bool(self.flags & SYN)

    @property
    def rst(self) -> bool:
        return bool(self.flags & RST)

    @property
    def has_ack(self) -> bool:
        return bool(self.flags & ACK)

    @property
    def end(self) -> int:
        """The number behind its last: data, SYN and FIN each take theirs."""
        return (self.seq + self.length + self.syn + self.fin) % (1 << 32)

    @property
    def data_end(self) -> int:
        return (self.seq + self.length + self.syn) % (1 << 32)

    @property
    def takes_room(self) -> bool:
        """Whether it has to be acknowledged."""
        return bool(self.length or self.syn or self.fin)

    @property
    def is_alone(self) -> bool:
        """Whether it carries no more than one byte, as a probe does, and no flag that changes anything."""
        return self.length <= 1 and not self.flags & (SYN | FIN | RST)

    @property
    def is_pure_ack(self) -> bool:
        return self.has_ack and not self.takes_room and not self.rst

    def covers(self, number: int) -> bool:
        """Whether its acknowledgment covers everything before ``number``."""
        return self.has_ack and ahead(self.ack, number) >= 0

    def acknowledges(self, other: "Segment") -> bool:
        return self.covers(other.end)


@dataclass(eq=False)
class Flow:
    """All segments of one connection, in the order of the file."""

    stream: int
    ends: tuple[Endpoint, Endpoint]
    captured: list[Segment]
    row: dict[str, Any] = field(default_factory=dict)
    timeline: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def segments(self) -> list[Segment]:
        """Each packet once, even if it was captured at two places."""
        return list(once([row for row in self.captured if not row.refused]))

    @cached_property
    def least(self) -> list[Segment]:
        """The same where every segment that may be a copy is left out, even if a host that numbers its packets badly
        may have sent it again."""
        return list(once([row for row in self.captured if not row.refused], strict=False))

    @cached_property
    def by_frame(self) -> dict[int, list[Segment]]:
        found: dict[int, list[Segment]] = {}
        for segment in self.captured:
            found.setdefault(segment.frame, []).append(segment)
        return found

    @cached_property
    def runs_backward(self) -> bool:
        """Whether the times of its frames do: then they cannot be compared."""
        return any(row.time < before.time for before, row in zip(self.captured, self.captured[1:], strict=False))

    @cached_property
    def start(self) -> int:
        return self.captured[0].time if self.captured else 0

    def at(self, frame: object, side: int | None = None) -> Segment | None:
        """The segment in ``frame``, of ``side`` where one is named."""
        rows = self.by_frame.get(frame, []) if isinstance(frame, int) else []
        return next((row for row in rows if side is None or row.side == side), None)

    def of(self, side: int) -> list[Segment]:
        return [segment for segment in self.segments if segment.side == side]

    def fins(self, side: int) -> list[Segment]:
        return [segment for segment in self.of(side) if segment.fin and not segment.rst]

    def resets(self, side: int) -> list[Segment]:
        return [segment for segment in self.of(side) if segment.rst]

    def place(self, segment: Segment) -> int:
        """Where a segment stands in the file, counted in this connection."""
        return self.captured.index(segment)

    def before(self, segment: Segment) -> list[Segment]:
        return [other for other in self.segments if other.frame < segment.frame]

    def after(self, segment: Segment) -> list[Segment]:
        return [other for other in self.segments if other.frame > segment.frame]

    def highest_ack(self, side: int, before: Segment | None = None) -> int | None:
        """The highest acknowledgment that ``side`` sent, RSTs apart, before a segment or in all."""
        acks = [
            row.ack
            for row in self.of(side)
            if row.has_ack and not row.rst and (before is None or row.frame < before.frame)
        ]
        return furthest(acks)

    def first_covering(self, side: int, number: int) -> Segment | None:
        """The first segment of ``side`` whose acknowledgment covers everything before ``number``."""
        return next((row for row in self.of(side) if row.covers(number)), None)

    def covering(self, side: int, number: int) -> Iterator[Segment]:
        return (row for row in self.of(side) if row.covers(number))

    @cached_property
    def round_trip(self) -> int | None:
        """How long the way there and back takes, seen from the tap; None where that is not known."""
        trips = [self.trip(CLIENT), self.trip(SERVER)]
        return None if None in trips else sum(time for time in trips if time is not None)

    def trip(self, side: int) -> int | None:
        """How long it takes at least from a segment that passes the tap to the answer of ``side`` passing it: by the
        handshake, else by the shortest acknowledgment of something new; None where neither is seen."""
        return self._trips[side]

    def shortest_trip(self, side: int) -> int | None:
        """The shortest of all such times."""
        found = (self._opening_trip(side), self._shortest_answer(side))
        return min((trip for trip in found if trip), default=None)

    @cached_property
    def _trips(self) -> tuple[int | None, int | None]:
        found = [(self._opening_trip(side), self._shortest_answer(side)) for side in (CLIENT, SERVER)]
        client, server = (shortest if opening is None else opening for opening, shortest in found)
        return client, server

    def _opening_trip(self, side: int) -> int | None:
        """From the peer's SYN or SYN-ACK to its answer by ``side``."""
        asked = [row for row in self.of(1 - side) if row.syn]
        for row in self.of(side):
            before = [other for other in asked if other.frame < row.frame and row.ack == (other.seq + 1) % (1 << 32)]
            if row.has_ack and not row.rst and before:
                return max(row.time - before[-1].time, 0)
        return None

    def _shortest_answer(self, side: int) -> int | None:
        """The shortest time that ``side`` took to acknowledge a segment of the other for the first time."""
        times, covered, waiting = [], None, []
        for row in self.segments:
            if row.side != side and row.takes_room:
                waiting.append(row)
            elif row.side == side and row.has_ack and not row.rst and (covered is None or ahead(row.ack, covered) > 0):
                times += [row.time - other.time for other in waiting if other.end == row.ack]
                covered = row.ack
                waiting = [other for other in waiting if not row.acknowledges(other)]
        return min((time for time in times if time >= 0), default=None)


def furthest(numbers: Iterable[int]) -> int | None:
    """The number furthest ahead modulo 2^32."""
    found: int | None = None
    for number in numbers:
        if found is None or ahead(number, found) > 0:
            found = number
    return found


COPY_NS = 100_000_000  # a mirror or a second interface shows a packet again this soon
HELD_NS = 10_000_000_000  # the path may duplicate one and hold it back
UNNUMBERED_NS = 20_000_000  # as COPY_NS, where no IP id tells a copy from a repeat


def once(rows: list[Segment], strict: bool = True) -> Iterator[Segment]:
    """Each packet once: a copy has the same IP id, numbers, flags, window and clock; hops apart. ``strict`` takes only
    those for copies that are certain: soon after, and with an IP id that its sender does not use for everything."""
    counting = {side for side in (CLIENT, SERVER) if len({row.ip_id for row in rows if row.side == side}) > 1}
    seen: dict[Segment, int] = {}
    for row in rows:
        key = replace(row, frame=0, time=0, ttl=0)
        certain = COPY_NS if row.ip_id and row.side in counting else -1
        within = certain if strict else HELD_NS if row.ip_id else UNNUMBERED_NS
        if key in seen and abs(row.time - seen[key]) < within:
            continue
        seen[key] = row.time
        yield row
