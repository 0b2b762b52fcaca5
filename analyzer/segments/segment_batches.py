"""Segments of a whole capture in batches of a good size, in memory that is used again.

Packets come in pieces small enough to stay in a processor's nearest cache while they are walked and decoded. What
comes after decoding has its own price for each batch, so the segments of many pieces are collected before they are
handed on. Memory touched for the first time costs about as much as decoding, and memory that was not touched for long
is far from the processor; so a batch is put where the last one was that nobody has any more.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.packets import Packets
from analyzer.memory import ReusableArrays
from analyzer.segments.decode import Decoder
from analyzer.segments.table import SEGMENT

BATCH = 65_536  # segments; 4 MiB: two or three such batches fit the processor's last cache


class SegmentBatches:
    """Batches of segments, made from pieces of packets by ``decoder``.

    Who asked for a batch may read and write in it. Its memory is used again once nobody has it or a part of it any
    more; so whoever keeps a few segments for longer copies them.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._places = ReusableArrays(SEGMENT, BATCH)
        self._room: NDArray[np.void] = self._places.get()
        self._filled = 0

    def add(self, packets: Packets) -> Iterator[NDArray[np.void]]:
        """Decode a piece; gives the batch that was full before, if it does not go into that."""
        begin = 0
        while begin < len(packets.rows):
            rows = packets.rows[begin : begin + BATCH]
            if self._filled + len(rows) > BATCH:
                yield self.rest()
            found = self._decoder.decode(Packets(packets.data, rows), self._room[self._filled :])
            self._filled += len(found)
            begin += BATCH

    def rest(self) -> NDArray[np.void]:
        """What was collected and not handed on yet."""
        batch, self._filled = self._room[: self._filled], 0
        self._room = self._places.get()
        return batch
