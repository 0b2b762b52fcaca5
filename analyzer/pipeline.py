"""The rooms in order, batch by batch: source, decode, flows, tracker, findings, tables."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyzer.findings import judge
from analyzer.flows.table import FlowTable
from analyzer.readers import open_captures
from analyzer.readers.capture import CaptureStream
from analyzer.readers.packets import Packets
from analyzer.reports.assemble import Flows, flows_table, segments_table, timeline_table
from analyzer.reports.frames import table
from analyzer.reports.links import link_name
from analyzer.reports.result import Result, Summary
from analyzer.segments import Decoder
from analyzer.segments.table import QUOTED
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.track import Tracker

if TYPE_CHECKING:
    from analyzer.readers.tshark import TsharkStream

Progress = Callable[[int, int | None], None]  # bytes read, bytes in all or None


def analyze(paths: Sequence[str], settings: Settings, progress: Progress | None = None) -> Result:
    """Read the captures at ``paths`` as one and tell how every TCP connection in them ended.

    Raises UnreadableCapture if one of them cannot be analysed at all.
    """
    analysis = Analysis(settings)
    with _opened(paths, settings.engine) as capture:
        for packets in capture:
            analysis.feed(packets)
            if progress:
                progress(capture.bytes_read, capture.bytes_total)
        return analysis.result(list(paths), capture)


def _opened(paths: Sequence[str], engine: str) -> "CaptureStream | TsharkStream":
    if engine == "tshark":
        from analyzer.readers.tshark import open_with_tshark

        return open_with_tshark(paths)
    return open_captures(paths)


class Analysis:
    """The stages and what they remember between batches."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._decoder = Decoder()
        self._table = FlowTable()
        self._tracker = Tracker(settings)
        self._kept: list[NDArray[np.void]] = []
        self._segments = 0
        self._first_ns: int | None = None
        self._last_ns: int | None = None

    def feed(self, packets: Packets) -> None:
        """Take one batch of packets through decoding, flows and the tracker."""
        if not len(packets.rows):
            return
        times = packets.rows["time"]
        self._first_ns = int(times[0]) if self._first_ns is None else self._first_ns
        self._last_ns = max(int(times.max()), self._first_ns if self._last_ns is None else self._last_ns)
        batch = self._decoder.decode(packets)
        self._table.assign(batch)
        self._tracker.feed(batch, self._table.rows)
        self._segments += int(np.count_nonzero((batch["marks"] & QUOTED) == 0))
        if self._settings.keep_segments:
            self._keep(batch)

    def _keep(self, batch: NDArray[np.void]) -> None:
        wanted = self._settings.keep_stream
        if wanted is None:
            self._kept.append(batch.copy())
        else:
            self._kept.append(batch[self._table.rows["stream"][batch["sender"] >> 1] == wanted])

    def result(self, files: list[str], capture: "CaptureStream | TsharkStream") -> Result:
        """The tables, once no more packets come."""
        end = self._last_ns or 0
        self._decoder.finish()
        self._tracker.finish(end)
        ledger = Ledger(self._tracker.ends, self._tracker.flows, self._table.rows, end)
        flows = Flows(ledger, self._decoder.book)
        judgement = judge(ledger, self._decoder.book, self._settings)
        summary = self._summary(files, capture, len(flows.rows))
        summary.cannot_judge = judgement.cannot_judge
        reported = flows_table(flows)
        reported["findings"] = judgement.codes_of(flows.rows)
        return Result(
            flows=reported,
            timeline=timeline_table(flows, self._tracker.log),
            findings=table("findings", judgement.findings),
            summary=summary,
            segments=segments_table(flows, self._kept) if self._settings.keep_segments else None,
        )

    def _summary(self, files: list[str], capture: "CaptureStream | TsharkStream", streams: int) -> Summary:
        return Summary(
            files=files,
            bytes=capture.bytes_read,
            packets=capture.packets,
            segments=self._segments,
            streams=streams,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            link_types=[link_name(number) for number in capture.link_types],
            not_understood=dict(Counter(self._decoder.counts)),
            notices=list(capture.notices),
        )
