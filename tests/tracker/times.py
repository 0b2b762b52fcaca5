"""When each state was entered, from its meaning: half of the way before its segment passed, or after what it answers.

Told of endpoints of which nothing was taken back and nothing else noted: there each time follows from two or three
segments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from analyzer.tcp.states import Event

from .naive import FIN, SLACK, SYN
from .observed import Seen
from .side import Side

REPEAT = 200_000_000  # no stack repeats for want of an answer before this


class When(NamedTuple):
    """A best time between its bounds; an earliest of 0 is none."""

    best: int
    earliest: int
    latest: int


def sent(side: Side, one: Seen) -> When:
    """It left the host half of the way before it passed the tap, and was decided on not before ``since``."""
    return When(one.segment.time - way(side, one) // 2, one.since, one.segment.time)


def sent_syn(side: Side, one: Seen) -> When:
    """Nothing bounds when the first segment was decided on."""
    return sent(side, one)._replace(earliest=0)


def sent_syn_ack(side: Side, one: Seen) -> When:
    """Not before the SYN passed; where that was recorded later, this bounds nothing but the best time."""
    asked = [other.segment.time for other in side.theirs if other.segment.flags & SYN]
    before = [other for other in side.before(one, side.theirs) if other.segment.flags & SYN]
    when = sent(side, one)
    cause = min(asked[0], one.segment.time) if asked else 0
    return when._replace(best=max(when.best, cause), earliest=cause if before else 0)


def way(side: Side, one: Seen) -> int:
    """From the tap to the host and back: as far as it is known then, else as it is measured first."""
    measured = [other.tap_rtt for other in side.own if other.place >= one.place and other.tap_rtt]
    return one.tap_rtt or (measured[0] if measured else 0)


def arrives(side: Side, one: Seen) -> When:
    """What passes the tap reaches the host half of the way later; by a whole way more and the time after which stacks
    repeat, something would show that it did not."""
    now, tap_rtt = one.segment.time, one.peer_tap_rtt
    return When(now + tap_rtt // 2, now, now + tap_rtt + REPEAT)


def answered_syn(side: Side, one: Seen) -> When:
    """It received the SYN-ACK that it acknowledges, which passed last."""
    syns = [other for other in side.before(one, side.theirs) if other.segment.flags & SYN]
    last, first = syns[-1].segment.time, syns[0].segment.time
    return When(last + one.tap_rtt // 2, first, one.segment.time)


def received_fin(side: Side, one: Seen) -> When:
    """It received the peer's FIN, with all that passed with it: after the FIN passed, and after what it sent when it
    had not acknowledged it yet; before it acknowledged it."""
    fin = next(other.segment.time for other in side.theirs if other.segment.flags & FIN)
    bound = one.lower_ack - one.tap_rtt - SLACK if one.lower_ack and one.tap_rtt else 0
    earliest = min(max(fin, bound), one.segment.time)
    best = min(max(one.peer_carried, earliest) + one.tap_rtt // 2, one.segment.time)
    return When(best, earliest, one.segment.time)


MEANING: dict[Event, Callable[[Side, Seen], When]] = {
    Event.SENT_SYN: sent_syn,
    Event.SENT_SYN_ACK: sent_syn_ack,
    Event.SENT_FIN: sent,
    Event.SENT_RST: sent,
    Event.RCVD_SYN_ACK: answered_syn,
    Event.RCVD_ACK_OF_SYN: arrives,
    Event.RCVD_ACK_OF_FIN: arrives,
    Event.RCVD_RST: arrives,
    Event.RCVD_FIN: received_fin,
}


def told(side: Side, event: Event, one: Seen, proof: Seen | None, previous: int) -> When:
    """The best time between its bounds as the timeline has it: not before the ``previous`` state was entered, and with
    what hosts are late added to the latest. ``proof`` is a segment of it that proves what was assumed."""
    best, earliest, latest = MEANING[event](side, one)
    time = max(min(max(best, earliest), latest), previous)
    last = proof.segment.time if proof else max(time, latest)
    return When(time, min(earliest, time), max(time, last + SLACK))
