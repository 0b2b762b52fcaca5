"""What the kernel dropped, and what that does to verdicts.

An engine tells how many packets it lost so far; between two answers lies a stretch in which they were lost. A
verdict about a connection that lived then may rest on a packet that was among them, so it is one step less sure.
A verdict about the capture itself (``ABOUT`` in the file of its rule) is not: what is missing is what it says.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.results.finding_list import FindingList, RuleFindings
from analyzer.vocabulary import CONFIDENCES

MOST_STRETCHES = 1000  # beyond, the two nearest in time become one


class Stretch(NamedTuple):
    """Packets were lost between two times of the capture."""

    begin: int
    end: int


class Losses:
    """The stretches in which packets were lost."""

    def __init__(self, known: bool = True) -> None:
        self.known = known  # else any packet may have been lost
        self.total = 0
        self._stretches: list[Stretch] = []
        self._asked = 0  # when the count was last known

    def heard(self, total: int, now_ns: int, since_ns: int) -> int:
        """The engine has lost ``total`` packets by ``now_ns``; ``since_ns`` is when the capture began. Returns how
        many of them are new."""
        new = total - self.total
        if new > 0:
            self._add(Stretch(self._asked or since_ns, now_ns))
            self.total = total
        self._asked = now_ns
        return max(new, 0)

    def _add(self, stretch: Stretch) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last and stretch.begin <= last.end:
            self._stretches[-1] = Stretch(last.begin, stretch.end)
        else:
            self._stretches.append(stretch)
        if len(self._stretches) > MOST_STRETCHES:
            first, second, *rest = self._stretches
            self._stretches = [Stretch(first.begin, second.end), *rest]

    def hit(self, first_ns: NDArray[np.int64], last_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the lives from ``first_ns`` to ``last_ns`` touch a stretch."""
        if not self.known:
            return np.ones(len(first_ns), np.bool_)
        if not self._stretches:
            return np.zeros(len(first_ns), np.bool_)
        begins, ends = (np.array(column, np.int64) for column in zip(*self._stretches, strict=True))
        place = np.searchsorted(ends, first_ns)  # the first stretch that does not end before the life begins
        return np.asarray((place < len(begins)) & (begins[np.minimum(place, len(begins) - 1)] <= last_ns))

    def lower(self, listing: FindingList, hit: Callable[[RuleFindings], NDArray[np.bool_]]) -> None:
        """Make those findings of each rule that are ``hit`` one step less sure."""
        for table in listing.tables:
            if not table.rule.about_capture:
                level = table.columns["confidence"] + hit(table)
                table.columns = {**table.columns, "confidence": np.minimum(level, len(CONFIDENCES) - 1)}
