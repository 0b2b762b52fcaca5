"""Segments of several interfaces in the order of their times.

dumpcap takes packets from each interface in blocks, so a capture of two interfaces shows a tenth of a second of the
one, then the same tenth of the other. A packet that both have seen, as on a router or with the interface ``any``, then
comes twice with much between; read like that, data seem repeated and answers seem to precede what they answer.

So where a capture has several interfaces its segments wait until nothing earlier is to be expected: until some time of
the capture, ``PATIENCE_NS``, has passed. Within an interface the order of the frames stays, whatever its clock does: a
segment dated before the one it follows goes with that one, and one dated much before it goes on at once, as the clock
was set. Streams are numbered before, in the order of the file, as Wireshark does.

When a segment goes on depends on those before it only, so how the capture is cut into batches makes no difference.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.flows import kernels
from analyzer.segments.table import SEGMENT

PATIENCE_NS = 2_000_000_000  # dumpcap gives a block on after a quarter of a second; under load its queues wait longer
MOST_WAITING = 1 << 20  # segments: however many come at one time, they do not fill the memory


class Order:
    """Takes batches of segments in the order of the file and gives them on in the order of their times."""

    def __init__(self) -> None:
        self._taken = 0
        self._newest = np.full(257, np.iinfo(np.int64).min, np.int64)  # key of each interface, and of all
        self._segments = np.zeros(0, SEGMENT)
        self._waiting = np.zeros(0, kernels.WAITING)

    def take(self, batch: NDArray[np.void]) -> NDArray[np.void]:
        """The segments (dtype SEGMENT) that are due once ``batch`` has come."""
        added = np.zeros(len(batch), kernels.WAITING)
        added["place"] = np.arange(self._taken, self._taken + len(batch))
        kernels.reach(batch, added, self._newest, np.int64(PATIENCE_NS))
        self._taken += len(batch)
        self._segments = np.concatenate([self._segments, batch])
        self._waiting = np.concatenate([self._waiting, added])
        return self._due(self._taken)

    def rest(self) -> NDArray[np.void]:
        """All that still wait."""
        return self._due(self._taken + MOST_WAITING)

    def _due(self, end: int) -> NDArray[np.void]:
        """The segments whose moment lies before ``end``, by moment and time."""
        moment = self._moments()
        due = np.flatnonzero(moment < end)
        given: NDArray[np.void] = self._segments[due[np.lexsort((self._waiting["key"][due], moment[due]))]]
        self._segments, self._waiting = self._segments[moment >= end], self._waiting[moment >= end]
        return given

    def _moments(self) -> NDArray[np.int64]:
        """The place of the segment that makes each one due; one that has not come yet counts as the next."""
        place = self._waiting["place"]
        passed = np.searchsorted(self._waiting["reach"], self._waiting["key"] + PATIENCE_NS)
        moment = np.maximum(place, np.append(place, self._taken)[passed])
        sooner: NDArray[np.int64] = np.minimum(moment, place + MOST_WAITING)
        return sooner
