"""Times in which nobody captured, between the files of one capture.

Several files may be a ring that a capturing program wrote without a pause, or captures that were begun and ended by
hand. Between them time may have passed in which nothing was recorded, and what happened then nobody knows: whatever was
alive before is known only up to the gap. Silence inside a file is no gap: somebody was listening.

Between the last packet of all files so far and the first of the next, it is a gap

* if the names are those of a ring (``ring.py``) and one between the two is not among those that were given;
* never, if one of the ring follows the other: the program went on to the next file at once;
* otherwise if nothing was captured for longer than is asked about, and for ``MANY`` times as long as in any silence in
  the file before and at the beginning of the one after: then it is not that kind of link that is so quiet.

A capture that says when it ended (pcapng's interface statistics) was watching until then.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.rotated_files import succession
from analyzer.times import inner

MANY = 4  # of n pauses between packets that come by chance, none is 4 times as long as the longest but one time in n^3
SAMPLE = 1000  # packets at the beginning of a file, of which the longest silence is measured before it is read


class Gap(NamedTuple):
    """From ``begin`` to ``end`` nobody captured; times in ns since 1970."""

    begin: int
    end: int
    frame_before: int  # the last frame before it
    frame_after: int  # the first after it
    missing: str = ""  # the first file of a ring that is known to be missing there


class FileBoundary(NamedTuple):
    """The end of one file, or the beginning of the next."""

    name: str
    time: int  # when its last, or first, packet passed
    silence: int  # the longest between two of its packets
    captured_until: int | None = None  # until when, as the file itself says


class Gaps:
    """The gaps of a capture, in the order of time; more are added while it is read.

    ``least`` is how long nothing must have been captured, in ns; ``names`` are all files that were given."""

    def __init__(self, least: int = 0, names: Sequence[str] = ()) -> None:
        self.rows: list[Gap] = []
        self.bounds: NDArray[np.int64] = np.zeros((0, 2), np.int64)  # begin and end of each by the inner clock
        self._least, self._names = least, names

    def between(self, before: FileBoundary, after: FileBoundary, frame: int) -> Gap | None:
        """The gap between two files, of which the first ends with ``frame``; None where there is none."""
        begin = before.time
        until = before.captured_until
        if until is not None and begin <= until <= after.time:  # else it speaks of other files too
            begin = until
        found = succession(before.name, after.name, self._names)
        long = after.time - begin > max(self._least, MANY * max(before.silence, after.silence))
        if after.time <= begin or not (found.missing if found.known else long):
            return None
        return Gap(begin, after.time, frame, 0, found.missing)

    def add(self, gap: Gap) -> None:
        """One more. Who reads at the same time has the bounds as they were before, or as they are then."""
        self.rows.append(gap)
        self.bounds = inner(np.array([row[:2] for row in self.rows], np.int64))


def watched_until(bounds: NDArray[np.int64], heard: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    """Until when it is known of what was last ``heard`` of then that nothing more came: to the first gap after that, or
    to the capture's ``end``. What is reckoned to have happened in a gap follows from what was heard before it."""
    begins = np.append(bounds[:, 0], end)
    return np.asarray(np.minimum(begins[np.searchsorted(bounds[:, 1], heard, "right")], end), np.int64)


def crossed(bounds: NDArray[np.int64], begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a gap lies between two moments at which something was heard."""
    return np.asarray(watched_until(bounds, begin, np.iinfo(np.int64).max) < end)
