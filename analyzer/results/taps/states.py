"""The states of each host: by the tap that its own segments pass first, within the bounds that both taps give.

What a host sends passes the tap near it even if it is lost afterwards, and what is lost before that tap the host never
got. So the tracker's account at the near tap holds; the other tap's is needed for the bounds, and where the near one
does not know how it began.
"""

from typing import NamedTuple

import numpy as np

from analyzer.results.taps.clock import NO_BOUND, ClockOffset
from analyzer.results.taps.matching import Pair
from analyzer.results.taps.order import A_FIRST, B_FIRST
from analyzer.results.taps.tap import Longs, Rows, Tap
from analyzer.tcp.evidence import BASIS_WORDS, Basis
from analyzer.tcp.states import State
from analyzer.times import NEVER


class EnteredState(NamedTuple):
    """A state that a host entered; times by A's clock, NEVER where there is no bound. ``frame`` is one of ``tap``."""

    state: str
    time: int
    earliest: int
    latest: int
    basis: str
    frame: int
    tap: str


class HostStates(NamedTuple):
    """The states of one end of a pair. ``sender`` is by A's flow table; ``tap`` is whose account it is; ``otherwise``
    is what the other tap alone says, where that differs."""

    sender: int
    tap: str
    entered: tuple[EnteredState, ...]
    otherwise: tuple[EnteredState, ...] | None

    @property
    def last(self) -> str:
        """The last state."""
        return self.entered[-1].state if self.entered else ""


def states_of(a: Tap, b: Tap, pair: Pair, first: Longs, clock: ClockOffset) -> tuple[HostStates, HostStates]:
    """Those of both ends of a pair."""
    one, other = (_end(a, b, pair, side, int(first[2 * pair.row_a + side]), clock) for side in (0, 1))
    return one, other


def _end(a: Tap, b: Tap, pair: Pair, side: int, first: int, clock: ClockOffset) -> HostStates:
    sender = 2 * pair.row_a + side
    by = {"A": entered(a, sender, None), "B": entered(b, 2 * pair.row_b + (side ^ pair.swapped), clock)}
    near, far = ("B", "A") if first == B_FIRST else ("A", "B")
    known = first in (A_FIRST, B_FIRST)
    names = {name: [one.state for one in rows] for name, rows in by.items()}
    if _knows_more(names[far], names[near]):
        near, far = far, near
    if names[near] == names[far]:
        return HostStates(sender, near, _tighter(by[near], by[far]) if known else by[near], None)
    return HostStates(sender, near, by[near], by[far])


def _knows_more(far: list[str], near: list[str]) -> bool:
    """Whether the far tap's account ends as the near one's does, and begins earlier."""
    tail = near[1:] if near[:1] == ["UNKNOWN"] else near
    return len(far) > len(tail) and (not tail or far[-len(tail) :] == tail) and near[:1] == ["UNKNOWN"]


def entered(tap: Tap, sender: int, clock: ClockOffset | None) -> tuple[EnteredState, ...]:
    """The states that one tap alone gives; times by A's clock, with ``clock`` where it is B."""
    place = tap.place.get(int(tap.flows["stream"][sender >> 1]))
    if place is None:
        return ()
    rows: Rows = tap.entries_of(2 * place + (tap.role(sender) == "server"))
    rows = rows[rows["state"] != rows["from_state"]]
    times = [rows[name].astype(np.int64) for name in ("time", "earliest", "latest")]
    if clock is not None:
        times = _by_a(times, clock)
    names = [State(state).name for state in rows["state"].tolist()]
    bases = [BASIS_WORDS[Basis(basis)] for basis in rows["basis"].tolist()]
    columns = (names, *(column.tolist() for column in times), bases, rows["frame"].tolist(), [tap.name] * len(names))
    return tuple(EnteredState(*row) for row in zip(*columns, strict=True))


def _by_a(times: list[Longs], clock: ClockOffset) -> list[Longs]:
    """Time and bounds by A's clock, the bounds as wide as what is known of the clocks."""
    best, earliest, latest = (np.where(column > NEVER, clock.by_a(column), NEVER) for column in times)
    slack = clock.slack(best)
    known = slack != NO_BOUND
    earliest = np.where(known & (earliest > NEVER), earliest - np.where(known, slack, 0), NEVER)
    latest = np.where(known & (latest > NEVER), latest + np.where(known, slack, 0), NEVER)
    return [best, earliest, latest]


def _tighter(near: tuple[EnteredState, ...], far: tuple[EnteredState, ...]) -> tuple[EnteredState, ...]:
    """The near tap's account, its bounds cut down to those of the far one."""
    return tuple(_cut(mine, other) for mine, other in zip(near, far, strict=True))


def _cut(mine: EnteredState, other: EnteredState) -> EnteredState:
    earliest = max(mine.earliest, other.earliest)
    ends = [time for time in (mine.latest, other.latest) if time > NEVER]
    latest = min(ends, default=NEVER)
    if latest > NEVER and earliest > latest:
        return mine
    time = max(mine.time, earliest)
    return mine._replace(earliest=earliest, latest=latest, time=min(time, latest) if latest > NEVER else time)
