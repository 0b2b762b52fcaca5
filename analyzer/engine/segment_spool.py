"""The segments of all connections, in a scratch file once they are many: a ladder needs no second reading.

A segment takes 64 bytes of it. The file has no name: nothing is left behind, however the program ends.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.results.store import SpooledRows
from analyzer.segments.table import QUOTED, SEGMENT

Rows = NDArray[np.void]
AT_ONCE = 65_536  # rows that are looked at together


class SegmentSpool:
    """Takes rows of SEGMENT in the order of the capture; gives those of one connection."""

    def __init__(self) -> None:
        self._spooled = SpooledRows(SEGMENT, None)
        self._quoted: list[Rows] = [np.zeros(0, SEGMENT)]
        self._last, self._ascending = 0, True  # the highest frame, and whether each was higher than that before it
        self.flows = 0  # connections that have been seen so far

    def take(self, batch: Rows) -> None:
        """Add some segments; headers that ICMP errors quote stand apart."""
        if len(batch):
            self.flows = max(self.flows, int(batch["sender"].max() >> 1) + 1)
            quoted = (batch["marks"] & QUOTED) != 0
            if quoted.any():
                self._quoted.append(batch[quoted].copy())
                batch = batch[~quoted]
            frames = np.append(np.int64(self._last), batch["frame"])
            self._ascending = self._ascending and bool((frames[1:] > frames[:-1]).all())
            self._last = int(frames[-1])
            self._spooled.append(batch)

    def of_streams(self, streams: NDArray[np.int64], flow_table: Rows) -> tuple[Rows, Rows]:
        """The segments of some connections in the order of the capture, and those of them that are quoted; all rows are
        gone through once."""
        own = np.isin(flow_table["stream"], streams)
        rows = self._spooled.rows()
        parts = []
        for begin in range(0, len(rows), AT_ONCE):
            parts.append(_marked(rows[begin : begin + AT_ONCE], own))
            self._spooled.pass_by(AT_ONCE)
        return np.concatenate([rows[:0], *parts]), _marked(np.concatenate(self._quoted), own)

    def of_stream(self, stream: int, flow_table: Rows, frames: tuple[int, int]) -> tuple[Rows, Rows]:
        """The segments of a connection, which are in these frames (first and last), and those of it that are quoted;
        both by frame."""
        rows = self._spooled.rows()
        own = np.flatnonzero(flow_table["stream"] == stream)
        if self._ascending:
            begin, end = np.searchsorted(rows["frame"], [frames[0], frames[1] + 1]).tolist()
            rows = rows[begin:end]
        return _of_flows(rows, own), _of_flows(np.concatenate(self._quoted), own)


def _marked(rows: Rows, own: NDArray[np.bool_]) -> Rows:
    """Those rows whose row of the flow table has its flag set."""
    sender = rows["sender"].astype(np.int64)
    marked: Rows = rows[(sender >= 0) & own[np.maximum(sender, 0) >> 1]]
    return marked


def _of_flows(rows: Rows, flows: NDArray[np.intp]) -> Rows:
    """Those rows whose row of the flow table is one of ``flows``."""
    sender = rows["sender"].astype(np.int64)
    return rows[(sender >= 0) & np.isin(sender >> 1, flows)]
