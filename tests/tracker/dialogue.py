"""The dialogue of a connection once more, from the list of its segments: who sent data when, and what was pending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from analyzer.tcp.dialogue import Pending

from .naive import ACK, FIN, RST, SYN, ahead
from .observed import Observed, Seen
from .side import Side, frame_of, fresh, time_of

SHORT = 100_000_000  # a shorter silence is none
AT_ONCE = 1_000_000_000  # who sends more data so soon is in the middle of them
ALERT, HANDSHAKE, DATA = 21, 22, 23
PADDED_ALERT, DISGUISED_ALERT = 325, 24  # bytes at most; with TLS 1.3, exactly


@dataclass
class Saying:
    """Data that one side sent."""

    one: Seen
    new: int  # bytes
    turn: bool  # its peer had sent the data before, or nobody had


@dataclass
class Dialogue:
    """All that was said, and how it ended."""

    connection: Observed
    said: list[Saying] = field(default_factory=list)  # before the end
    after: list[Saying] = field(default_factory=list)  # behind it

    @cached_property
    def opening(self) -> Seen | None:
        """The first segment behind the SYNs, or a SYN with data."""
        own = [one for one in self.connection.seen if not one.apart and one.later]
        behind = [one for one in own if not one.segment.flags & SYN and (one.counts_as or not one.segment.flags & RST)]
        first = [saying.one for saying in self.said[:1] if saying.one.segment.flags & SYN]
        return next(iter([*first, *behind]), None)

    @cached_property
    def end(self) -> Seen | None:
        """The FIN or RST that ended it, once it had begun."""
        disproved = {one.disproves for one in self.connection.seen}
        for one in self.connection.seen:
            flags = one.segment.flags
            fin = flags & FIN and not flags & (SYN | RST)
            counts = one.counts_as in ("accepted", "blind") and one.segment.frame not in disproved
            begun = self.opening is not None and self.opening.place <= one.place and (one.later or not fin)
            if begun and not one.apart and (fin or counts):
                return one
        return None

    def of(self, side: int) -> list[Saying]:
        return [saying for saying in self.said if saying.one.side == side]

    def last_turn(self, side: int) -> list[Saying]:
        """What one side said in its last turn."""
        own = self.of(side)
        begins = [place for place, saying in enumerate(own) if saying.turn]
        return own[begins[-1] :] if begins else []

    def end_of(self, side: int) -> int:
        """The number after all that one side said."""
        own = [reach(saying.one) for saying in self.of(side)]
        return max(own, key=lambda number: ahead(number, own[0])) if own else 0

    def moment(self, side: int) -> Seen | None:
        """When one side spoke last; before anybody has, the opening."""
        own = self.of(side)
        if own:
            return own[-1].one
        return self.opening if self.opening and self.opening.side == side else None

    def waits(self, side: int) -> list[int]:
        """How long one side waited each time."""
        waits = [
            later.one.segment.time - earlier.one.segment.time
            for earlier, later in zip(self.said, self.said[1:], strict=False)
            if earlier.one.side == side and later.one.side != side
        ]
        if self.said and self.end and self.said[-1].one.side == side:
            waits.append(self.end.segment.time - self.said[-1].one.segment.time)
        return waits

    def answered_by_acknowledgment(self, last: Saying) -> bool:
        """Whether all that was said last had been acknowledged at the end; a RST that ends it may say so itself."""
        end = self.end
        assert end is not None
        number = self.end_of(last.one.side)
        told = [
            one
            for one in self.connection.seen
            if one.side != last.one.side and one.place <= end.place and not one.apart and one.segment.flags & ACK
        ]
        heard = [one for one in told if not one.segment.flags & RST and one.advances]
        says_so = end in told and end.segment.flags & RST and end.peer_nxt is not None
        if says_so and ahead(end.segment.ack, end.peer_nxt or 0) <= 0:
            heard.append(end)
        return any(ahead(one.segment.ack, number) >= 0 for one in heard)

    def pending(self, client: int) -> Pending:
        """What was pending at the end."""
        end = self.end
        if end is None:
            return Pending.NOT_CLOSED
        if not self.said:
            return Pending.NOTHING
        last, reset = self.said[-1], bool(end.segment.flags & RST)
        whole = self.answered_by_acknowledgment(last)
        if last.one.side == client:
            return Pending.ANSWER if end.side == client and whole else Pending.REQUEST_IN_FLIGHT
        soon = last.one.segment.time + AT_ONCE
        later = [saying.one for saying in self.after if saying.one.side != client and not saying.one.informed]
        more = any(one.segment.time <= soon for one in later)
        more &= end.side == client and not reset
        cut = not whole and (reset or end.side == client)
        return Pending.MID_ANSWER if cut or more else Pending.NOTHING


def reach(one: Seen) -> int:
    """The number after what a segment carries, a SYN included and a FIN not."""
    return (one.segment.seq + one.segment.length + bool(one.segment.flags & SYN)) % 2**32


def dialogue(connection: Observed) -> Dialogue:
    """What was said in a connection."""
    told = Dialogue(connection)
    sides = [Side(connection, number) for number in (0, 1)]
    secret = [False, False]
    opened = [False, False]
    for one in connection.seen:
        if one.apart:
            continue
        begins = bool(one.segment.flags & SYN) and one.segment.length > 0 and taken(connection, one)
        begins &= not opened[one.side]
        opened[one.side] |= bool(one.segment.flags & SYN)
        new = passed(sides[one.side], one) if one.carries else one.segment.length if begins else 0
        hidden = shows_data(one)
        if not new and not hidden:
            continue
        first = one.segment.first_byte
        secret[one.side] |= first in (HANDSHAKE, DATA)
        alert = first == ALERT and one.segment.length <= PADDED_ALERT
        alert |= first == DATA and one.segment.length == DISGUISED_ALERT
        if all(secret) and alert:
            continue
        place = told.said if told.end is None or one.place <= told.end.place else told.after
        place.append(Saying(one, new, not place or place[-1].one.side != one.side))
    return told


def passed(side: Side, one: Seen) -> int:
    """How many bytes of it passed for the first time."""
    return side.beyond(one) if fresh(one) else side.new_bytes(one)


def taken(connection: Observed, one: Seen) -> bool:
    """Whether the first SYN-ACK acknowledges the data of a SYN."""
    answers = [other for other in connection.seen if other.side != one.side and other.segment.flags & ACK]
    return bool(answers) and ahead(answers[0].segment.ack, one.segment.seq) > 1


def shows_data(one: Seen) -> bool:
    """Whether it is a FIN whose number shows data before it that have not passed."""
    alone = one.segment.flags & (FIN | SYN | RST) == FIN and not one.segment.length and one.fin is None
    return alone and one.nxt is not None and one.later and ahead(one.segment.seq, one.nxt) > 0


def first_of_dialogue(side: Side) -> int:
    """The place of its first data, or of the RST by which it ended the dialogue."""
    told = dialogue(side.connection)
    places = [saying.one.place for saying in told.of(side.side)]
    return min([*places, *([told.end.place] if told.end and told.end.side == side.side else []), 1 << 60])


def survived(side: Side, told: Dialogue) -> int:
    """The longest silence that a segment of it broke before the end, behind which its peer sent something."""
    broken = [
        one.segment.time - side.seen[one.place - 1].segment.time
        for one in side.plain
        if one.place and one.later and told.opening and told.opening.place <= one.place and before_end(one, told)
        if any(other.place > one.place and plain(other) for other in side.theirs)
    ]
    return max([one for one in broken if one >= SHORT], default=0)


def survived_data(side: Side, told: Dialogue) -> int:
    """The same of the time without data that its data broke."""
    broken, before = [], told.opening
    for saying in told.said:
        one = saying.one
        outlived = any(other.place > one.place and plain(other) for other in side.theirs)
        if before is not None and one.side == side.side and outlived:
            broken.append(one.segment.time - before.segment.time)
        before = one
    return max([one for one in broken if one >= SHORT], default=0)


def plain(one: Seen) -> bool:
    return not one.segment.flags & RST and not one.apart


def before_end(one: Seen, told: Dialogue) -> bool:
    return told.end is None or one.place < told.end.place


def acknowledged_frame(side: Side, told: Dialogue) -> int:
    """The first frame that acknowledges all that it said last."""
    own = told.of(side.side)
    if not own:
        return 0
    acks = [one for one in side.theirs if plain(one) and one.advances and one.place > own[-1].one.place]
    return frame_of([one for one in acks if ahead(one.segment.ack, told.end_of(side.side)) >= 0])


def pause(side: Side, told: Dialogue) -> int:
    """The longest time between two data of it, with none of its peer between."""
    pairs = [(earlier, later) for earlier, later in pairwise(told.of(side.side)) if not later.turn]
    return max([0, *(later.one.segment.time - earlier.one.segment.time for earlier, later in pairs)])


Told = Callable[[Side, Dialogue], int]


def of_dialogue(tell: Told) -> Callable[[Side], int]:
    return lambda side: tell(side, dialogue(side.connection))


def begins(one: Seen) -> bool:
    """Whether its data are said once the opening is known; those that come with the first FIN, only after it."""
    return one.later or not one.segment.flags & FIN


def pending(side: Side, told: Dialogue) -> int:
    """What was pending where it ended the dialogue; the client is the first that sent a SYN."""
    if told.end is None or told.end.side != side.side:
        return 0
    syns = [one for one in side.seen if one.segment.flags & SYN and not one.apart]
    asks = [one for one in syns if not one.segment.flags & ACK]
    client = asks[0].side if asks else 1 - syns[0].side if syns else -1
    return int(told.pending(client))


DIALOGUE_COLUMNS: dict[str, Callable[[Side], int]] = {
    "spoke_last": of_dialogue(lambda of, told: int(bool(told.said) and told.said[-1].one.side == of.side)),
    "pending": of_dialogue(pending),
    "tls": lambda of: int(
        any(passed(of, one) and begins(one) and one.segment.first_byte in (HANDSHAKE, DATA) for one in of.data)
    ),
    "turns": of_dialogue(lambda of, told: sum(saying.turn for saying in told.of(of.side))),
    "spoken_time": of_dialogue(lambda of, told: time_of([one] if (one := told.moment(of.side)) else [])),
    "spoken_frame": of_dialogue(lambda of, told: frame_of([saying.one for saying in told.of(of.side)[-1:]])),
    "spoken_end": of_dialogue(lambda of, told: told.end_of(of.side)),
    "spoken_bytes": of_dialogue(lambda of, told: sum(saying.new for saying in told.last_turn(of.side))),
    "spoken_pause": of_dialogue(pause),
    "spoken_acked_frame": of_dialogue(acknowledged_frame),
    "waited": of_dialogue(lambda of, told: max([0, *told.waits(of.side)])),
    "ended_dialogue": of_dialogue(
        lambda of, told: told.end.segment.time if told.end and told.end.side == of.side else 0
    ),
    "survived_idle": of_dialogue(survived),
    "survived_data_idle": of_dialogue(survived_data),
}
