"""One endpoint of a connection, and all that is searched for in the list of its segments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from .naive import ACK, FIN, REORDERING, RST, SYN, End, ahead
from .naive_end import CARRIES, REPEAT
from .observed import Numbers, Observed, Seen


class Side:
    """One endpoint of a connection, and all that is asked of it."""

    def __init__(self, connection: Observed, side: int) -> None:
        self.seen = connection.seen
        self.end: End = connection.ends[side]
        self.peer: End = connection.ends[1 - side]
        self.own = [one for one in self.seen if one.side == side]
        self.theirs = [one for one in self.seen if one.side != side]
        self.data = [one for one in self.own if one.carries]
        self.plain = [one for one in self.own if not one.segment.flags & RST and not one.apart]
        self.resets = [one for one in self.own if one.counts_as]
        self.connection, self.side = connection, side
        self.copies = connection.copies.again[side]
        self.cut = [one for one in self.own if one.segment.cut]

    # What of its numbers has passed

    @cached_property
    def base(self) -> int:
        """The first number that is known of it: its ISN, else of its own first segment, or of an acknowledgment before
        that."""
        if self.end.isn is not None:
            return self.end.isn
        first = next((one for one in self.seen if one in self.plain or self.of_peer(one)), None)
        if first is None:
            return 0
        return first.segment.seq if first in self.own else first.segment.ack

    def of_peer(self, one: Seen) -> bool:
        """Whether a segment is the peer's and acknowledges."""
        plain = not one.segment.flags & RST and not one.apart
        return one in self.theirs and bool(one.segment.flags & ACK) and plain

    def place(self, number: int) -> int:
        """A number's distance from the first."""
        return ahead(number, self.base)

    @cached_property
    def walked(self) -> tuple[Numbers, dict[int, int]]:
        """The numbers that passed the tap, and for each segment with data how many of its bytes had not passed."""
        passed, new = Numbers(), {}
        passed.add(-(2**31), 0)  # what is below the first number that is known of it was sent before
        for one in self.plain:
            begin, length = self.place(one.segment.seq), one.segment.length
            if one is self.plain[0] and one.nxt is not None:
                passed.add(self.place(one.nxt), begin)  # under way before the capture saw anything of it
            if one.carries:
                new[one.place] = length - passed.within(begin, begin + length)
            if one.carries or one.segment.flags & (SYN | FIN):
                more = bool(one.segment.flags & SYN) + (one in self.fins)
                passed.add(begin, begin + length + more)
        for begin, end in self.excused:
            passed.add(begin, end)
        return passed, new

    @property
    def excused(self) -> list[tuple[int, int]]:
        """Numbers that are not missing though they did not pass: a FIN that was not captured, what a keep-alive had
        repeated, and what lies between numbers too far apart to tell."""
        single = [self.place(one.segment.ack) for one in self.theirs if one.excused]
        single += [self.place(self.end.fin)] if self.end.fin_inferred and self.end.fin is not None else []
        far = [(self.place(one.jumped), self.place(one.segment.seq)) for one in self.own if one.jumped is not None]
        return [*((number - 1, number) for number in single), *far]

    def new_bytes(self, one: Seen) -> int:
        """How many bytes of the segment had not passed before."""
        return self.walked[1].get(one.place, 0)

    def beyond(self, one: Seen) -> int:
        """How many bytes of the segment are beyond all that was known to be sent before."""
        nxt = one.segment.seq if one.nxt is None else one.nxt
        return max(0, min(one.segment.length, ahead(one.end, nxt)))

    @cached_property
    def missing(self) -> int:
        """Numbers that the peer has acknowledged and that never passed."""
        return 0 if self.peer.acked is None else self.lost(0, self.place(self.peer.acked))

    def lost(self, begin: int, end: int) -> int:
        """How many of the numbers from ``begin`` to ``end`` never passed."""
        return max(0, end - begin) - self.walked[0].within(begin, end)

    @property
    def holes(self) -> int:
        """Numbers that it must have sent, since later ones passed, which did not and are not acknowledged."""
        if self.end.nxt is None:
            return 0
        return self.lost(0 if self.peer.acked is None else self.place(self.peer.acked), self.place(self.end.nxt))

    @property
    def settled(self) -> bool:
        """Whether what the peer has acknowledged does not end within what never passed."""
        acked = self.peer.acked
        return acked is None or acked == self.end.nxt or not self.lost(self.place(acked), self.place(acked) + 1)

    # What it did again and again

    def late(self, one: Seen) -> bool:
        """Whether data below what was known to be sent only come late: they had not passed, and the peer has not
        acknowledged them yet, or did so a moment ago, so that only the order changed on the way to the tap."""
        if fresh(one) or not self.new_bytes(one):
            return False
        return one.acked is None or ahead(one.acked, one.end) < 0 or self.overtaken(one)

    def overtaken(self, one: Seen) -> bool:
        """Whether the acknowledgment of new data passed a moment before these did."""
        if fresh(one) or not self.new_bytes(one) or one.acked is None or ahead(one.acked, one.end) < 0:
            return False
        acks = [other for other in self.before(one, self.theirs) if other.advances]
        first = next(other for other in acks if ahead(other.segment.ack, one.end) >= 0)
        return one.segment.time - first.segment.time <= REORDERING

    @cached_property
    def repeated(self) -> list[Seen]:
        """Segments with data that it had sent before, all of them, or some that the peer has not acknowledged."""
        return [one for one in self.data if (not fresh(one) and not self.late(one)) or self.overlaps(one)]

    def overlaps(self, one: Seen) -> bool:
        """Whether it carries new data behind such as its peer has not acknowledged."""
        if not fresh(one) or one.nxt is None or self.beyond(one) == one.segment.length:
            return False
        return one.acked is None or ahead(one.acked, one.nxt) < 0

    @cached_property
    def unanswered(self) -> list[Seen]:
        """Of these, the ones that were not acknowledged, since the peer last acknowledged something new."""
        progress = max((one.place for one in self.theirs if one.advances), default=-1)
        lacking = [one for one in self.repeated if self.overlaps(one) or not acknowledged(one)]
        return [one for one in lacking if one.place > progress]

    @cached_property
    def probes(self) -> list[Seen]:
        return [one for one in self.plain if "probe" in one.kind]

    @cached_property
    def unheard(self) -> list[Seen]:
        """The probes since the peer last sent anything but probes; a RST ends a connection and answers none."""
        plain = [one for one in self.theirs if not one.segment.flags & RST and not one.apart]
        heard = max((one.place for one in plain if "probe" not in one.kind), default=-1)
        return [one for one in self.probes if one.place > heard]

    # Half closed

    @cached_property
    def half_closed(self) -> list[Seen]:
        """Segments with new bytes that it sent though it is proven to have had the peer's FIN."""
        return [one for one in self.data if one.informed and self.beyond(one)]

    @cached_property
    def half_close_numbers(self) -> Numbers:
        numbers = Numbers()
        for one in self.half_closed:
            end = self.place(one.end)
            numbers.add(end - self.beyond(one), end)
        return numbers

    def half_close_covered(self, ack: int | None) -> int:
        """How many of these bytes an acknowledgment covers."""
        return 0 if ack is None else self.half_close_numbers.within(-(2**40), self.place(ack))

    @cached_property
    def half_close_acks(self) -> list[Seen]:
        """The peer's segments that acknowledge some of these bytes for the first time."""
        return [
            one
            for one in self.theirs
            if one.advances and self.half_close_covered(one.segment.ack) > self.half_close_covered(one.owed)
        ]

    # Its SYN and FIN

    @cached_property
    def syns(self) -> list[Seen]:
        return [one for one in self.plain if one.segment.flags & SYN]

    @cached_property
    def fins(self) -> list[Seen]:
        """Its FIN, each time it passed."""
        if not self.end.fin_count:
            return []
        with_fin = [one for one in self.plain if one.segment.flags & FIN and not one.segment.flags & SYN]
        mine = [one for one in with_fin if (one.end + 1) % 2**32 == self.end.fin_number]
        return [one for one in mine if one.segment.time >= self.end.fin_time or one.segment.frame >= self.end.fin_frame]

    @cached_property
    def doubted(self) -> list[Seen]:
        """Its FINs that show an acknowledgment lost."""
        return [one for one in self.own if one.fin_doubted]

    # Resets

    @cached_property
    def reset(self) -> Seen | None:
        """Its RST that counts."""
        return next((one for one in self.resets if one.segment.frame == self.end.rst_frame), None)

    def before(self, one: Seen, some: Sequence[Seen]) -> list[Seen]:
        """Those of ``some`` that passed before."""
        return [other for other in some if other.place < one.place]

    @cached_property
    def answered(self) -> tuple[Seen, int] | None:
        """The segment of the peer that its RST answers, and whether by the numbers of a reply."""
        rst = self.reset
        before = self.before(rst, self.theirs) if rst else []
        told = [one for one in before if not one.segment.flags & RST and not one.apart]
        if rst is None or not told:
            return None
        if rst.refuses:
            return told[-1], 1
        if rst.segment.time - before[-1].segment.time > 2 * rst.patience + 1_000_000_000:
            return None
        if not rst.segment.flags & ACK:
            return self.answered_by_number(rst, told)
        last, unknown = told[-1], rst.acked is None
        fits = rst.segment.ack == last.segment.end and self.awaits(rst, last, before[-1])
        return (last, int(unknown)) if fits and (last.kind & CARRIES or unknown) else None

    def answered_by_number(self, rst: Seen, told: list[Seen]) -> tuple[Seen, int] | None:
        """A bare RST carries the number that the segment acknowledged that it answers: the first that carries something
        and waits for its acknowledgment, or the last."""
        waits = self.waiting(rst, told)
        if waits and waits.segment.ack == rst.segment.seq and not self.repeated_since(rst, waits, told[-1]):
            return waits, 1
        last = self.before(rst, self.theirs)[-1]
        fits = told[-1].segment.ack == rst.segment.seq and self.awaits(rst, told[-1], last)
        return (told[-1], 1) if fits else None

    def waiting(self, rst: Seen, told: list[Seen]) -> Seen | None:
        """The first of the peer's segments that carries something and was not acknowledged whole since it passed."""
        found = None
        for one in sorted([*told, *self.before(rst, self.own)], key=lambda one: one.place):
            if one.side == self.side and found and one.advances and ahead(one.segment.ack, found.segment.end) >= 0:
                found = None
            elif one.side != self.side and found is None and one.kind & CARRIES:
                found = one
        return found

    def repeated_since(self, rst: Seen, first: Seen, last: Seen) -> bool:
        """Whether the first is too old to be answered only now, and the last is the same again."""
        old = rst.segment.time - first.segment.time > 2 * rst.patience + REPEAT
        return old and bool(last.kind & CARRIES) and last.segment.ack == first.segment.ack

    def awaits(self, rst: Seen, last: Seen, newest: Seen) -> bool:
        """Whether it had not answered the peer's last segment; ``newest`` is that, or a RST behind it."""
        if last.kind & CARRIES:
            return rst.owed is None or ahead(last.segment.end, rst.owed) > 0
        own = self.before(rst, self.own)
        spoke = own[-1].segment.time if own else 0
        return spoke <= newest.segment.time or self.resets.index(rst) > 0

    @cached_property
    def unacceptable(self) -> list[Seen]:
        """Its RSTs that the peer did not have to accept."""
        return [one for one in self.resets if one.counts_as in ("challenged", "dropped")]

    @cached_property
    def ignored(self) -> list[Seen]:
        """Those, and the ones that the peer plainly did not accept, in the order in which that shows."""
        wrong = [(one.place, one) for one in self.unacceptable]
        frames = {one.segment.frame: one for one in self.resets}
        lost = [(one.place, frames[one.disproves]) for one in self.theirs if one.disproves and one.ignores]
        return [one for _, one in sorted([*wrong, *lost], key=lambda counted: counted[0])]


def frame_of(some: Sequence[Seen]) -> int:
    return some[0].segment.frame if some else 0


def time_of(some: Sequence[Seen]) -> int:
    return some[0].segment.time if some else 0


def fresh(one: Seen) -> bool:
    """Whether it carries bytes beyond all that was known to be sent."""
    return ahead(one.end, one.segment.seq if one.nxt is None else one.nxt) > 0


def acknowledged(one: Seen) -> bool:
    """Whether the peer had acknowledged all that it carries."""
    return one.acked is not None and ahead(one.acked, one.end) >= 0
