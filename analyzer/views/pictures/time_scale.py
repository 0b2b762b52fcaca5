"""Where moments stand on a picture whose time runs down: to scale, but for steps too short to read and long silences.

A step between two rows that would be shorter than its row is as high as that; one that would be higher than MOST is
folded, and its length is written there. All others are to one scale, which is chosen so that the shorter steps of the
connection have room.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MOST, FOLDED = 84.0, 34.0  # pixels: the highest step to scale, and what a folded one takes beside its row
SHARE = 0.4  # of the steps, that are no higher than a row


class Fold(NamedTuple):
    """A silence between the rows ``place`` and ``place + 1``."""

    place: int
    top: float
    bottom: float
    begin: int
    end: int


class TimeScale:
    """The places of rows with these times (ns) and heights, the first at ``top``."""

    def __init__(self, times: Sequence[int], heights: Sequence[float], top: float) -> None:
        steps = np.maximum(np.diff(np.array(times, np.int64)), 0)
        self.scale = _scale(steps[steps > 0].tolist(), float(np.median(heights)) if heights else 1.0)  # pixels a ns
        self.places, self.folds = [top], list[Fold]()
        for place, step in enumerate(steps.tolist()):
            begin, own = self.places[-1], step * self.scale
            if own > max(MOST, heights[place] + FOLDED):
                bottom = begin + heights[place] + FOLDED
                self.folds.append(Fold(place, begin + heights[place] - 8, bottom - 10, times[place], times[place + 1]))
                self.places.append(bottom)
            else:
                self.places.append(begin + max(own, heights[place]))
        self.bottom = self.places[-1] + (heights[-1] if heights else 0)
        self._times: list[int] = np.maximum.accumulate(np.array(times, np.int64)).tolist() if times else []

    def at(self, time: int) -> float:
        """Where a moment stands; before the first row and after the last, there."""
        if not self._times or time <= self._times[0]:
            return self.places[0]
        place = bisect_right(self._times, time)
        if place >= len(self._times):
            return self.places[-1]
        before, after = self._times[place - 1], self._times[place]
        share = (time - before) / (after - before)
        return self.places[place - 1] + share * (self.places[place] - self.places[place - 1])


def _scale(steps: list[int], row: float) -> float:
    """Pixels a nanosecond."""
    if not steps:
        return 0.0
    return row / float(np.quantile(steps, SHARE))
