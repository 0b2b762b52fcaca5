"""How the rates and the sockets of each endpoint went over the last minutes, in bounded memory."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analyzer.live.census import STATES, SocketGroup

BIN = 2.0  # seconds
BINS = 90  # three minutes
MOST = 1_000  # endpoints that are followed, 3 kB each
RATES = ("packets/s", "opened/s", "closed/s", "findings/s")


@dataclass(frozen=True)
class RateCourse:
    """A rate of each of the last times, the newest last."""

    name: str
    values: Sequence[float]

    @property
    def now(self) -> float:
        return self.values[-1] if self.values else 0.0


class Rates:
    """Made of counts that only grow, as :data:`RATES` names them."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Sequence[int]]] = deque(maxlen=BINS + 1)

    def add(self, now: float, counts: Sequence[int]) -> bool:
        """The counts at ``now`` (seconds); False where the sample before is too new for another one."""
        if self._samples and now - self._samples[-1][0] < BIN:
            return False
        self._samples.append((now, tuple(counts)))
        return True

    def courses(self) -> list[RateCourse]:
        """All rates."""
        samples = list(self._samples)
        return [
            RateCourse(
                name,
                [
                    max(after[1][place] - before[1][place], 0) / (after[0] - before[0])
                    for before, after in pairwise(samples)
                ],
            )
            for place, name in enumerate(RATES)
        ]


class SocketCourses:
    """The sockets by state of the first :data:`MOST` endpoints."""

    def __init__(self) -> None:
        self._counts: dict[str, NDArray[np.int32]] = {}
        self._samples = 0

    def add(self, groups: Sequence[SocketGroup]) -> None:
        """The sockets now."""
        at = self._samples % BINS
        self._samples += 1
        for counts in self._counts.values():
            counts[at] = 0
        if at == 0:
            self._counts = {name: counts for name, counts in self._counts.items() if counts.any()}
        for group in groups:
            if group.name not in self._counts:
                if len(self._counts) >= MOST:
                    continue
                self._counts[group.name] = np.zeros((BINS, len(STATES)), np.int32)
            self._counts[group.name][at] = [group.counts.get(state.name, 0) for state in STATES]

    def of(self, name: str) -> dict[str, list[int]]:
        """State -> sockets in it at each of the last times, the newest last; empty for who is not followed."""
        counts = self._counts.get(name)
        if counts is None:
            return {}
        kept = min(self._samples, BINS)
        newest = np.roll(counts, -(self._samples % BINS), axis=0)[BINS - kept :]
        return {state.name: newest[:, place].tolist() for place, state in enumerate(STATES) if newest[:, place].any()}
