"""How many of something there were at the same time: exact steps, their peak, and a growth that no burst can feign.

Arrays of times in ns, one entry an interval; an interval that ends when another begins does not overlap it.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MINUTE_NS = 60 * 10**9
POINTS = 100  # of a step function, one in each hundredth of the time at most: from these its growth is measured


class Steps(NamedTuple):
    """The times at which a number changes, ascending, and the number from then on."""

    times: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def peak(self) -> int:
        return int(self.counts.max(initial=0))

    @property
    def peak_time(self) -> int:
        """When the peak is reached first."""
        return int(self.times[np.argmax(self.counts)])

    def reaches(self, count: int) -> int:
        """When the number is ``count`` first; it is at some time."""
        return int(self.times[np.argmax(self.counts >= count)])


def steps(began: NDArray[np.int64], ended: NDArray[np.int64]) -> Steps:
    """How many of the intervals there are at each time."""
    real = ended > began
    times = np.concatenate([ended[real], began[real]])
    change = np.repeat([-1, 1], int(real.sum()))
    order = np.argsort(times, kind="stable")
    return Steps(times[order], np.cumsum(change[order]))


def per_minute(number: Steps, begin: int, end: int) -> float:
    """How fast it grows from ``begin`` to ``end``: the median of the slopes between its points (Theil-Sen), which a few
    bursts do not move. 0 where that cannot be told: the two are less than a minute apart, or it does not grow in each
    half of the time, by a quarter of the whole at least."""
    inside = (number.times >= begin) & (number.times <= end)
    times, counts = number.times[inside], number.counts[inside]
    if end - begin < MINUTE_NS or len(times) < 2:
        return 0.0
    halfway = counts[np.searchsorted(times, begin + (end - begin) // 2, "right") - 1]
    if 4 * min(halfway - counts[0] + 1, counts[-1] - halfway) < counts[-1] - counts[0] + 1:
        return 0.0
    _, chosen = np.unique((times - begin) // ((end - begin) // POINTS), return_index=True)
    points = list(zip(times[chosen].tolist(), counts[chosen].tolist(), strict=True))
    slopes = [
        (after[1] - before[1]) / (after[0] - before[0])
        for before, after in combinations(points, 2)
        if after[0] > before[0]
    ]
    from statistics import median  # and with it much else; few captures show such steps

    return max(float(median(slopes)) * MINUTE_NS, 0.0)
