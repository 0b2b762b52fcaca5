"""How far a difference between two samples may come from chance: intervals, by formulas that need no library.

A share is a proportion of connections. Its interval is Wilson's, and that of the difference of two shares is Newcombe's
(Statistics in Medicine 17, 1998, 873-890, method 10), which holds for few connections and for shares of 0 and 1. The
interval of a median rests on ranks alone, and two of them are joined as Newcombe joins Wilson's. ``z`` is the normal
quantile of the confidence, 1.96 for 95 %.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EXACT = 1000  # values for which ranks are counted by the binomial distribution itself


class Interval(NamedTuple):
    """From ``low`` to ``high``."""

    low: float
    high: float


def quantile_for(confidence: float, intervals: int = 1) -> float:
    """The ``z`` for which so many intervals all hold at once with this confidence, by Bonferroni."""
    return NormalDist().inv_cdf(1 - (1 - confidence) / 2 / max(intervals, 1))


def wilson(count: int, of: int, z: float) -> Interval:
    """Of a share: ``count`` of ``of``."""
    if not of:
        return Interval(0.0, 1.0)
    share, square = count / of, z * z
    middle = share + square / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    low, high = ((middle + sign * spread) / (1 + square / of) for sign in (-1, 1))
    return Interval(0.0 if count == 0 else low, 1.0 if count == of else high)


def newcombe(count: int, of: int, other: int, other_of: int, z: float) -> Interval:
    """Of the second share less the first."""
    if not of or not other_of:
        return Interval(-1.0, 1.0)
    first, second = wilson(count, of, z), wilson(other, other_of, z)
    share, other_share = count / of, other / other_of
    difference = other_share - share
    return Interval(
        difference - math.hypot(other_share - second.low, first.high - share),
        difference + math.hypot(second.high - other_share, share - first.low),
    )


def rate_ratio(events: int, exposure: float, other: int, other_exposure: float, z: float) -> Interval:
    """Of the second rate through the first, each a number of events through an exposure. Given their sum, the second
    number is a share of it, so Wilson's interval tells the ratio."""
    if not events + other or exposure <= 0 or other_exposure <= 0:
        return Interval(0.0, math.inf)
    shares = wilson(other, events + other, z)
    low, high = (share / (1 - share) if share < 1 else math.inf for share in shares)
    return Interval(low * exposure / other_exposure, high * exposure / other_exposure)


def median_ranks(count: int, z: float) -> tuple[int, int]:
    """The ranks, from 1, between whose values the median of what ``count`` values are a sample of lies; 0 and
    ``count`` + 1 where no value is far enough out."""
    beyond = NormalDist().cdf(-z)
    if count > EXACT:
        rank = math.floor(count / 2 - z * math.sqrt(count) / 2)
    else:
        rank, below, chance = 0, 0.0, 0.5**count
        while below + chance <= beyond:  # the chance that fewer than ``rank`` values lie below the median
            below += chance
            rank += 1
            chance *= (count - rank + 1) / rank
    return rank, count + 1 - rank


class Durations:
    """Lengths of time, ascending, in ns; some ``lasted`` on, so that only the least is known of them."""

    def __init__(self, values: NDArray[np.int64], lasted: NDArray[np.bool_]) -> None:
        order = np.argsort(values, kind="stable")
        self.least, self.lasted = values[order], int(lasted.sum())
        known = np.sort(values[~lasted]).astype(np.float64)
        self.most = np.append(known, np.full(self.lasted, math.inf))

    @classmethod
    def none(cls) -> "Durations":
        """Of nothing."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.bool_))

    def __len__(self) -> int:
        return len(self.least)

    def quantile(self, share: float) -> Interval:
        """The least and the most that the quantile of these values can be, by the nearest rank."""
        if not len(self):
            return Interval(0.0, math.inf)
        place = max(math.ceil(share * len(self)) - 1, 0)
        return Interval(float(self.least[place]), float(self.most[place]))

    def median_interval(self, z: float) -> Interval:
        """Of the median of what these are a sample of."""
        low, high = median_ranks(len(self), z)
        return Interval(
            float(self.least[low - 1]) if low >= 1 else 0.0,
            float(self.most[high - 1]) if high <= len(self) else math.inf,
        )


def median_difference(first: Durations, second: Durations, z: float) -> Interval:
    """Of the second median less the first. What lasted on may have lasted for ever."""
    one, other = first.quantile(0.5), second.quantile(0.5)
    around, other_around = first.median_interval(z), second.median_interval(z)
    return Interval(
        _joined(other.low, other_around.low, one.high, around.high),
        -_joined(one.low, around.low, other.high, other_around.high),
    )


def _joined(value: float, least: float, less: float, most: float) -> float:
    """The least that ``value - less`` can be, where they can be ``least`` and ``most``."""
    return -math.inf if math.isinf(most) else value - less - math.hypot(value - least, most - less)
