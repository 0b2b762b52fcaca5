"""Which frames an extract keeps: those of the connections concerned, and the ICMP errors that quote them."""

import numpy as np
from numpy.typing import NDArray

from analyzer.annotate.writer import Comments
from analyzer.results.result import Analysed

Rows = NDArray[np.void]
NO_FRAMES: NDArray[np.uint8] = np.zeros(0, np.uint8)


class FrameOwners:
    """Takes all segments on the way; remembers of each its frame and its connection, in 8 bytes."""

    def __init__(self) -> None:
        self._frames: list[NDArray[np.uint32]] = []
        self._flows: list[NDArray[np.int32]] = []

    def take(self, batch: Rows) -> None:
        """Add some segments; those of no connection are left out."""
        known = batch[batch["sender"] >= 0]
        self._frames.append(known["frame"].astype(np.uint32))
        self._flows.append((known["sender"] >> 1).astype(np.int32))

    def kept(self, analysed: Analysed, only_findings: bool, comments: Comments) -> NDArray[np.uint8]:
        """A flag for each frame. With ``only_findings`` a connection is kept that a finding is about, or that has a
        frame with a comment of one; ``comments`` are those of the findings alone."""
        flow_table = analysed.flow_table
        assert flow_table is not None
        streams = np.zeros(int(flow_table["stream"].max(initial=0)) + 1, np.bool_)
        chosen = analysed.tables.streams()
        streams[chosen] = True
        if only_findings:
            found = np.zeros_like(streams)
            for table in analysed.listing.tables:
                found[table.shown_streams[table.shown_streams >= 0]] = True
            for frames, flows in zip(self._frames, self._flows, strict=True):
                found[flow_table["stream"][flows[np.isin(frames, comments.frames)]]] = True
            streams &= found
        keep = np.zeros(max((int(frames.max(initial=0)) for frames in self._frames), default=0) + 1, np.uint8)
        for frames, flows in zip(self._frames, self._flows, strict=True):
            keep[frames[streams[flow_table["stream"][flows]]]] = 1
        return keep
