"""How far B's clock is ahead of A's, and how that changes: a line within bounds.

A segment that passes A first shows at B by how much B's clock is ahead, plus the time it took: an upper bound. One that
passes B first gives a lower bound. A steady clock is a line below all upper bounds and above all lower ones. What all
such lines have in common is known; where there is none, a clock was set, and lines of pieces are sought.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.results.taps.order import A_FIRST, B_FIRST
from analyzer.results.taps.segments import NOWHERE, CommonSegments
from analyzer.results.taps.tap import Longs

RESOLUTION_NS = 1_000  # times in most captures are cut to microseconds
MOST_DRIFT = 500e-6  # what a kernel corrects at most (adjtimex); no computer's crystal is worse
MOST_PIECES = 20
MANY, IN_PART, ROUNDS = 4096, 256, 3  # points that are thinned out before a hull is made, stretch by stretch
NO_BOUND = np.iinfo(np.int64).max
STEPS = 60  # of a search that halves or thirds what is left each time

Floats = NDArray[np.float64]
Points = tuple[Floats, Floats]  # times and bounds, in ascending order of times


@dataclass(frozen=True)
class ClockPiece:
    """A steady stretch. Nanoseconds by A's clock ``begin`` .. ``end``; ``ahead`` is how far B is ahead at ``middle``,
    within ``low`` .. ``high``, infinite where there is no bound; ``drift`` likewise, as ns for each ns."""

    begin: int
    end: int
    middle: int
    ahead: float
    low: float
    high: float
    drift: float
    drift_low: float
    drift_high: float

    def at(self, times: Longs) -> Longs:
        """How far B's clock is ahead."""
        moved: Longs = np.round(self.ahead + self.drift * (times - self.middle)).astype(np.int64)
        return moved

    @property
    def bounded(self) -> bool:
        """Whether there are bounds on both sides."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))


@dataclass(frozen=True)
class ClockOffset:
    """``pieces`` in order of time; several where a clock was set. Empty where nothing is known."""

    pieces: tuple[ClockPiece, ...]

    def ahead(self, times: Longs) -> Longs:
        """How far B's clock is ahead at ``times`` of A's."""
        if not self.pieces:
            return np.zeros(len(times), np.int64)
        begins = np.array([piece.begin for piece in self.pieces])
        which = np.maximum(np.searchsorted(begins, times, "right") - 1, 0)
        made: Longs = np.zeros(len(times), np.int64)
        for place, piece in enumerate(self.pieces):
            made[which == place] = piece.at(times[which == place])
        return made

    def by_a(self, times: Longs) -> Longs:
        """What A's clock showed at ``times`` of B's."""
        found = times - self.ahead(times - self.ahead(times))
        return times - self.ahead(found)

    def slack(self, times: Longs) -> Longs:
        """By how much it may be wrong at most at ``times`` of A's clock; NO_BOUND where that is not known."""
        made: Longs = np.full(len(times), NO_BOUND, np.int64)
        for place, piece in enumerate(self.pieces):
            mine = (times >= piece.begin) | (place == 0)
            made[mine] = NO_BOUND
            if piece.bounded:
                wide = max(piece.high - piece.ahead, piece.ahead - piece.low)
                tilt = max(piece.drift_high - piece.drift, piece.drift - piece.drift_low)
                made[mine] = np.ceil(wide + tilt * np.abs(times[mine] - piece.middle)).astype(np.int64)
        return made


def clock_of(common: CommonSegments, first: Longs) -> ClockOffset:
    """The clock by the segments that both taps have."""
    at_a = np.flatnonzero(common.at_b != NOWHERE)
    order = first[common.a["sender"][at_a]]
    times = common.a["time"][at_a]
    ahead = common.b["time"][common.at_b[at_a]] - times
    return _pieces(times, ahead, order)


def _pieces(times: Longs, ahead: Longs, order: Longs) -> ClockOffset:
    known = order != 0
    times, ahead, order = times[known], ahead[known], order[known]
    by_time = np.argsort(times, kind="stable")
    times, ahead, order = times[by_time], ahead[by_time], order[by_time]
    pieces: list[ClockPiece] = []
    begin = 0
    while begin < len(times) and len(pieces) < MOST_PIECES:
        end = _steady_until(times, ahead, order, begin)
        piece = _line(times[begin:end], ahead[begin:end], order[begin:end])
        assert piece is not None
        pieces.append(piece)
        begin = end
    return ClockOffset(tuple(pieces))


def _steady_until(times: Longs, ahead: Longs, order: Longs, begin: int) -> int:
    """How far a line fits, from ``begin`` on."""
    low, high = begin + 1, len(times)
    if _line(times[begin:], ahead[begin:], order[begin:]) is not None:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        fits = _line(times[begin:middle], ahead[begin:middle], order[begin:middle]) is not None
        low, high = (middle, high) if fits else (low, middle)
    return low


def _line(times: Longs, ahead: Longs, order: Longs) -> ClockPiece | None:
    """The line in the middle of all that fit, None where none does."""
    begin, end, base = int(times[0]), int(times[-1]), int(ahead[0])
    middle = (begin + end) // 2
    at, value = (times - middle).astype(np.float64), (ahead - base).astype(np.float64)
    upper = _hull(at[order == A_FIRST], value[order == A_FIRST] + RESOLUTION_NS, lower=True)
    lower = _hull(at[order == B_FIRST], value[order == B_FIRST] - RESOLUTION_NS, lower=False)
    slopes = _slopes(upper, lower)
    if slopes is None:
        return None
    made = _between(upper, lower, *slopes)
    piece = ClockPiece(begin, end, middle, *made, *slopes)
    return replace(piece, ahead=piece.ahead + base, low=piece.low + base, high=piece.high + base)


def _hull(at: Floats, value: Floats, lower: bool) -> Points:
    """Those points on which a line from below (``lower``) or from above can rest."""
    sign = 1.0 if lower else -1.0
    order = np.lexsort((sign * value, at))
    at, value = at[order], sign * value[order]
    new = np.ones(len(at), np.bool_)
    new[1:] = np.diff(at) > 0
    kept: list[tuple[float, float]] = []
    for point in zip(*_thinned(at[new], value[new]), strict=True):
        while len(kept) > 1 and _turns(kept[-2], kept[-1], point) <= 0:
            kept.pop()
        kept.append(point)
    xs, ys = np.array(kept, np.float64).reshape(-1, 2).T
    return xs, sign * ys


def _thinned(at: Floats, value: Floats) -> Points:
    """Without points that cannot be on the hull: in each of many stretches those above the line between its ends."""
    for _ in range(ROUNDS if len(at) > MANY else 0):
        parts = np.array_split(np.arange(len(at)), len(at) // IN_PART)
        places = np.concatenate([_below_chord(part, at, value) for part in parts])
        at, value = at[places], value[places]
    return at, value


def _below_chord(places: NDArray[np.int64], at: Floats, value: Floats) -> NDArray[np.int64]:
    """The ends of a part, and the points that lie below the line from one to the other."""
    xs, ys = at[places], value[places]
    width = xs[-1] - xs[0]
    chord = ys[0] + (ys[-1] - ys[0]) * ((xs - xs[0]) / width if width else 0.0)
    chosen = ys < chord
    chosen[[0, -1]] = True
    left: NDArray[np.int64] = places[chosen]
    return left


def _turns(one: tuple[float, float], other: tuple[float, float], point: tuple[float, float]) -> float:
    return (other[0] - one[0]) * (point[1] - one[1]) - (other[1] - one[1]) * (point[0] - one[0])


def _slopes(upper: Points, lower: Points) -> tuple[float, float, float] | None:
    """Likeliest, least and greatest slope of the lines that fit; None where there is none."""
    width = upper[0][:, None] - lower[0][None, :]
    room = upper[1][:, None] - lower[1][None, :]
    if (room[width == 0] < 0).any():
        return None
    after, before = width > 0, width < 0
    high = float((room[after] / width[after]).min(initial=MOST_DRIFT))
    low = float((room[before] / width[before]).max(initial=-MOST_DRIFT))
    if low > high:
        return None
    return min(max(0.0, low), high) if (low, high) == (-MOST_DRIFT, MOST_DRIFT) else (low + high) / 2, low, high


def _between(upper: Points, lower: Points, slope: float, low: float, high: float) -> tuple[float, float, float]:
    """At the time 0: the middle of the band of lines of this slope, and the least and the greatest of all."""

    def top(way: float) -> float:
        return float((upper[1] - way * upper[0]).min(initial=np.inf))

    def bottom(way: float) -> float:
        return float((lower[1] - way * lower[0]).max(initial=-np.inf))

    ends = bottom(slope), top(slope)
    finite = [end for end in ends if np.isfinite(end)]
    least = -_highest(lambda way: -bottom(way), low, high)
    return sum(finite) / len(finite), least, _highest(top, low, high)


def _highest(of: Any, low: float, high: float) -> float:
    """The maximum of a concave function."""
    for _ in range(STEPS):
        third = (high - low) / 3
        if of(low + third) < of(high - third):
            low += third
        else:
            high -= third
    return float(of((low + high) / 2))
