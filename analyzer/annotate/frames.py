"""The frames of each connection: at which of them a state is shown, and which an extract keeps."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.annotate.kernels import by_stream, place_states
from analyzer.annotate.writer import Comments
from analyzer.results.result import Analysed
from analyzer.segments.table import QUOTED

Rows = NDArray[np.void]
NO_FRAMES: NDArray[np.uint8] = np.zeros(0, np.uint8)


class Placed(NamedTuple):
    """At which frame each row of a timeline is shown, 0 for none; and whether it happened only after that frame."""

    frame: NDArray[np.int64]
    after: NDArray[np.bool_]


class FrameOwners:
    """Takes all segments on the way; remembers of each its frame, its time and its connection, in 16 bytes."""

    def __init__(self) -> None:
        self._frames: list[NDArray[np.uint32]] = []
        self._flows: list[NDArray[np.int32]] = []
        self._times: list[NDArray[np.int64]] = []
        self._quoted: list[NDArray[np.uint32]] = []
        self._quoted_flows: list[NDArray[np.int32]] = []
        self._starts = self._own_times = np.zeros(1, np.int64)
        self._own_frames = np.zeros(0, np.uint32)

    def take(self, batch: Rows) -> None:
        """Add some segments; those of no connection are left out, and ICMP errors stand apart."""
        quoted = batch["marks"] & QUOTED != 0
        if quoted.any():
            about = batch[quoted & (batch["sender"] >= 0)]
            self._quoted.append(about["frame"].astype(np.uint32))
            self._quoted_flows.append((about["sender"] >> 1).astype(np.int32))
            batch = batch[~quoted]
        self._frames.append(batch["frame"].astype(np.uint32))
        self._flows.append((batch["sender"] >> 1).astype(np.int32))
        self._times.append(batch["time"].astype(np.int64))

    def arrange(self, analysed: Analysed) -> None:
        """Put the frames in the order of their connections, each connection's in the order of the capture."""
        assert analysed.flow_table is not None
        streams = analysed.flow_table["stream"].astype(np.int64)
        self._starts = np.zeros(int(streams.max(initial=0)) + 2, np.int64)
        for flows in self._flows:
            self._starts[1:] += np.bincount(streams[flows], minlength=len(self._starts) - 1)
        np.cumsum(self._starts, out=self._starts)
        self._own_frames = np.zeros(int(self._starts[-1]), np.uint32)
        self._own_times = np.zeros(int(self._starts[-1]), np.int64)
        filled = self._starts[:-1].copy()
        for frames, flows, times in zip(self._frames, self._flows, self._times, strict=True):
            by_stream(streams, flows, frames, times, self._starts, filled, self._own_frames, self._own_times)

    def placed(self, entries: Rows, streams: NDArray[np.int64], timers: NDArray[np.bool_]) -> Placed:
        """Where each row of a timeline is shown: at its own frame, but at an earlier or a later one of its connection
        where the best time of the state says so. ``timers``: the rows that have no frame but get one."""
        frame, after = entries["frame"].astype(np.int64), np.zeros(len(entries), np.bool_)
        place_states(
            np.ascontiguousarray(entries["time"]),
            np.ascontiguousarray(entries["end"]),
            streams,
            timers,
            self._starts,
            self._own_frames,
            self._own_times,
            frame,
            after,
        )
        return Placed(frame, after)

    def kept(self, analysed: Analysed, only_findings: bool, comments: Comments) -> NDArray[np.uint8]:
        """A flag for each frame. With ``only_findings`` a connection is kept that a finding is about, or that has a
        frame with a comment of one; ``comments`` are those of the findings alone."""
        flow_table = analysed.flow_table
        assert flow_table is not None
        streams = np.zeros(int(flow_table["stream"].max(initial=0)) + 1, np.bool_)
        streams[analysed.tables.streams()] = True
        parts = [*zip(self._frames, self._flows, strict=True), *zip(self._quoted, self._quoted_flows, strict=True)]
        if only_findings:
            found = np.zeros_like(streams)
            for table in analysed.listing.tables:
                found[table.shown_streams[table.shown_streams >= 0]] = True
            for frames, flows in parts:
                found[flow_table["stream"][flows[np.isin(frames, comments.frames)]]] = True
            streams &= found
        keep = np.zeros(max((int(frames.max(initial=0)) for frames, _ in parts), default=0) + 1, np.uint8)
        for frames, flows in parts:
            keep[frames[streams[flow_table["stream"][flows]]]] = 1
        return keep
