"""The rooms in order, batch by batch: source, decode, flows, tracker, findings, tables."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.ahead import ahead
from analyzer.errors import Notice
from analyzer.findings import Found
from analyzer.findings.rule import CannotJudge
from analyzer.flows.order import Order
from analyzer.flows.table import FlowTable
from analyzer.readers import open_captures
from analyzer.readers.capture import CaptureStream
from analyzer.readers.packets import Packets
from analyzer.reports.assemble import flows_frame, segments_frame, timeline_frame
from analyzer.reports.entries import entry_rows
from analyzer.reports.findings import Listing, first_time
from analyzer.reports.lines import segment_rows
from analyzer.reports.links import link_name
from analyzer.reports.overview import Overview
from analyzer.reports.result import Result, Summary
from analyzer.segments import Decoder
from analyzer.segments.addresses import AddressBook
from analyzer.segments.supply import Supply
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.rows import flow_rows
from analyzer.tracker.track import Books, Tracker

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.readers.live.stream import LiveStream
    from analyzer.readers.tshark import TsharkStream

    Source = CaptureStream | TsharkStream | LiveStream

AHEAD = 2  # batches decoded while one is being tracked: neither half waits because the other's batch was a hard one
Progress = Callable[[int, int | None], None]  # bytes read, bytes in all or None


def analyze(paths: Sequence[str], settings: Settings, progress: Progress | None = None) -> Result:
    """Read the captures at ``paths`` as one and tell how every TCP connection in them ended.

    Raises UnreadableCapture if one of them cannot be analysed at all.
    """
    analysis = Analysis(settings)
    with _opened(paths, settings.engine) as capture:
        for batch, interfaces in ahead(analysis.batches(capture), AHEAD):
            analysis.track(batch, interfaces)
            if progress:
                progress(capture.bytes_read, capture.bytes_total)
        return analysis.result(list(paths), capture)


def _opened(paths: Sequence[str], engine: str) -> "CaptureStream | TsharkStream":
    if engine == "tshark":
        from analyzer.readers.tshark import open_with_tshark

        return open_with_tshark(paths)
    return open_captures(paths)


class Chunk(NamedTuple):
    """The tables of some flows, with the columns of docs/columns.md, and what could not be judged of them."""

    flows: "pd.DataFrame"
    timeline: "pd.DataFrame"
    findings: "pd.DataFrame"
    cannot_judge: list[CannotJudge]
    listing: Listing


class Analysis:
    """The stages and what they remember between batches."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._decoder = Decoder()
        self._table = FlowTable()
        self._order: Order | None = None
        self._tracker = Tracker(settings)
        self._kept: list[NDArray[np.void]] = []
        self._segments = 0
        self._nothing: Chunk | None = None  # the tables of no flow

    @property
    def book(self) -> AddressBook:
        """The texts of the addresses in a snapshot."""
        return self._decoder.book

    @property
    def last_ns(self) -> int:
        """The highest packet time so far, 0 before the first."""
        return self._decoder.last_ns or 0

    @property
    def held(self) -> int:
        """Flows still kept."""
        return len(self._tracker.held)

    def feed(self, packets: Packets) -> None:
        """Take one batch of packets through decoding, flows and the tracker."""
        self.track(self.decode(packets))

    def decode(self, packets: Packets) -> NDArray[np.void]:
        """The first half of :meth:`feed`, up to the segments; it touches nothing that the second half does."""
        return self._decoder.decode(packets)

    def batches(self, capture: "CaptureStream | TsharkStream") -> Iterator[tuple[NDArray[np.void], int]]:
        """The first half for a whole capture: segments in batches of :class:`Supply`, each with the number of
        interfaces known by then. A batch is used again once ``AHEAD`` others have been made."""
        supply, interfaces = Supply(self._decoder, AHEAD + 1), 1
        for packets in capture:
            if len(capture.interfaces) > interfaces:
                yield supply.rest(), interfaces
                interfaces = len(capture.interfaces)
            for batch in supply.add(packets):
                yield batch, interfaces
        yield supply.rest(), interfaces

    def track(self, batch: NDArray[np.void], interfaces: int = 1) -> None:
        """The second half: flows and the tracker; segments of several interfaces wait for their turn."""
        self._table.assign(batch)
        self._segments += len(batch)
        if interfaces > 1 and self._order is None:
            self._order = Order()
        self._tell(batch if self._order is None else self._order.take(batch))

    def _tell(self, batch: NDArray[np.void]) -> None:
        self._tracker.feed(batch, self._table.rows)
        if self._settings.keep_segments:
            self._keep(batch)

    def _keep(self, batch: NDArray[np.void]) -> None:
        wanted = self._settings.keep_stream
        if wanted is None:
            self._kept.append(batch.copy())
        else:
            self._kept.append(batch[self._table.rows["stream"][batch["sender"] >> 1] == wanted])

    def retire(self) -> Chunk:
        """The flows that have been over for long enough, as tables; they are forgotten."""
        return self._chunk(self._tracker.retire(), self._tracker.clock)

    def drop_idle(self, idle_ns: int, keep: int) -> Chunk:
        """The flows silent for longer than ``idle_ns``, and the most silent beyond ``keep``; forgotten likewise."""
        return self._chunk(self._tracker.drop(self._tracker.idle(idle_ns, keep)), self._tracker.clock)

    def forget(self, most: int) -> bool:
        """Once the flow table has more than ``most`` rows: forget flows that are no longer kept, the newest quarter
        apart, with their addresses. Returns whether that was done; segments decoded before mean nothing then."""
        count = len(self._table)
        wanted = np.zeros(count, np.bool_)
        wanted[self._tracker.rows] = True
        wanted[max(0, count - most // 4) :] = True
        kept = np.flatnonzero(wanted)
        if count <= most or 4 * len(kept) > 3 * count:
            return False
        addresses = np.unique(self._table.rows["address"][kept])
        self._tracker.forget(kept)
        self._table.forget(kept, addresses)
        self._tracker.orphan(self._table.rows)
        self._decoder.book.forget(addresses)
        return True

    def snapshot(self, now_ns: int) -> Ledger:
        """The flows still kept as at ``now_ns``, timers included. Nothing is changed by looking."""
        return self._ledger(self._tracker.glance(now_ns), now_ns)

    def one(self, stream: int, now_ns: int, batches: Sequence[NDArray[np.void]]) -> Result | None:
        """The tables of one flow still kept, as at ``now_ns``, its segments from ``batches`` (as :meth:`decode` gave
        them); None where it is not kept. Nothing is changed by looking."""
        books = self._tracker.glance(now_ns)
        streams = self._table.rows["stream"]
        places = np.flatnonzero(streams[books.flows["row"]] == stream)
        if not len(places):
            return None
        place = int(places[0])
        log = books.log[books.log["end"] >> 1 == place]
        log["end"] &= 1
        chunk = self._chunk(Books(books.ends[2 * place : 2 * place + 2], books.flows[places], log), now_ns)
        own = [batch[streams[batch["sender"] >> 1] == stream] for batch in batches]
        segments = self._segments_frame(own)
        return Result(chunk.flows, chunk.timeline, chunk.findings, Summary(), Overview(), chunk.listing, segments)

    def result(self, files: list[str], capture: "Source", end_ns: int | None = None) -> Result:
        """The tables of all flows still kept, once no more packets come; ``end_ns`` where it is known that the capture
        went on in silence after its last packet."""
        end = max(self.last_ns, end_ns or 0)
        self._decoder.finish()
        if self._order is not None:
            self._tell(self._order.rest())
        books = self._tracker.finish(end)
        chunk = self._chunk(books, end)
        summary = self._summary(files, capture, len(chunk.flows))
        summary.cannot_judge = chunk.cannot_judge
        kept = self._kept if self._settings.keep_segments else None
        segments = None if kept is None else self._segments_frame(kept)
        overview = Overview()
        overview.add(flow_rows(self._ledger(books, end)))
        return Result(chunk.flows, chunk.timeline, chunk.findings, summary, overview, chunk.listing, segments)

    def _segments_frame(self, batches: Sequence[NDArray[np.void]]) -> "pd.DataFrame":
        return segments_frame(segment_rows(batches), self._table.rows, self._decoder.book.texts())

    def _ledger(self, books: Books, end_ns: int) -> Ledger:
        return Ledger(books.ends, books.flows, self._table.rows[books.flows["row"]], end_ns)

    def _chunk(self, books: Books, end_ns: int) -> Chunk:
        """Tables of flows whose books are closed."""
        if not len(books.flows) and self._nothing is not None:
            return self._nothing  # asked for again and again while nothing is over
        ledger = self._ledger(books, end_ns)
        found = Found()
        codes = found.judge(ledger, self._settings, last=True, first_time=first_time(ledger))
        listing = Listing(found, self._decoder.book.words(), self._settings, end_ns)
        endings, texts = flow_rows(ledger), self._decoder.book.texts()
        endings["findings"] = codes[ledger.reported]
        flows = flows_frame(endings, texts, found.combinations)
        timeline = timeline_frame(entry_rows(ledger, books.log), endings, texts)
        chunk = Chunk(flows, timeline, listing.frame(), listing.cannot_judge, listing)
        if not len(books.flows):
            self._nothing = chunk
        return chunk

    def _summary(self, files: list[str], capture: "Source", streams: int) -> Summary:
        return Summary(
            files=files,
            bytes=capture.bytes_read,
            packets=capture.packets,
            segments=self._segments - self._table.quotations,
            streams=streams,
            first_ns=self._decoder.first_ns,
            last_ns=self._decoder.last_ns,
            link_types=[link_name(number) for number in capture.link_types],
            not_understood=dict(Counter(self._decoder.counts)),
            notices=[*capture.notices, *self._late()],
        )

    def _late(self) -> list[Notice]:
        late = self._tracker.late
        text = f"{late} segments came more than a minute after their connection was over; they are not in its tables"
        return [Notice(text)] if late else []
