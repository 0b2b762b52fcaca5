"""The rooms in order, batch by batch: source, decode, flows, tracker, findings, tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.ahead import Behind, ahead
from analyzer.errors import Notice
from analyzer.findings.found import Found
from analyzer.findings.ordinary import Kind
from analyzer.findings.view import views
from analyzer.flows.order import Order
from analyzer.flows.table import FlowTable
from analyzer.readers import open_captures
from analyzer.readers.capture import CaptureStream
from analyzer.readers.packets import Packets
from analyzer.reports.findings import Listing
from analyzer.reports.lines import segment_rows
from analyzer.reports.links import link_name
from analyzer.reports.overview import Overview
from analyzer.reports.result import Analysed, Summary
from analyzer.reports.store import Store
from analyzer.segments import Decoder
from analyzer.segments.addresses import AddressBook
from analyzer.segments.supply import Supply
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.rows import flow_rows
from analyzer.tracker.spread import SpreadLedger
from analyzer.tracker.track import Ended, Tracker

if TYPE_CHECKING:
    from analyzer.readers.live.stream import LiveStream
    from analyzer.readers.tshark import TsharkStream

    Source = CaptureStream | TsharkStream | LiveStream

JUDGED_AT_ONCE = 4096  # flows of one kind
PARTS_AT_ONCE = 6  # of finished flows that wait to be taken in
AHEAD = 2  # batches decoded while one is being tracked: neither half waits because the other's batch was a hard one
Progress = Callable[[int, int | None], None]  # bytes read, bytes in all or None


def analyze(
    paths: Sequence[str], settings: Settings, progress: Progress | None = None, scratch: Path | None = None
) -> Analysed:
    """Read the captures at ``paths`` as one and tell how every TCP connection in them ended.

    ``scratch`` is the folder for what does not fit in memory, None for the system's own. Raises UnreadableCapture if
    one of the captures cannot be analysed at all.
    """
    analysis = Analysis(settings, scratch)
    with _opened(paths, settings.engine) as capture:
        for batch, interfaces in ahead(analysis.batches(capture), AHEAD):
            analysis.follow(batch, interfaces)
            analysis.settle()
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

    def __init__(self, settings: Settings, scratch: Path | None = None) -> None:
        self._settings = settings
        self._decoder = Decoder()
        self._table = FlowTable()
        self._order: Order | None = None
        self._tracker = Tracker(settings)
        self._finished = Finished(settings, Store(scratch))
        self._kept: list[NDArray[np.void]] = []
        self._segments = 0

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
        """Everything before the tracker for a whole capture: segments in batches of :class:`Supply`, each with the
        number of interfaces known by then. A batch is used again once ``AHEAD`` others have been made."""
        supply, interfaces = Supply(self._decoder, AHEAD + 1), 1
        for packets in capture:
            if len(capture.interfaces) > interfaces:
                yield self._assigned(supply.rest()), interfaces
                interfaces = len(capture.interfaces)
            for batch in supply.add(packets):
                self._tracker.make_ready()
                yield self._assigned(batch), interfaces
        yield self._assigned(supply.rest()), interfaces

    def _assigned(self, batch: NDArray[np.void]) -> NDArray[np.void]:
        """``batch`` once it is known which flow each of its segments belongs to."""
        self._table.assign(batch)
        self._segments += len(batch)
        return batch

    def track(self, batch: NDArray[np.void], interfaces: int = 1) -> None:
        """The second half of :meth:`feed`: flows and the tracker."""
        self.follow(self._assigned(batch), interfaces)

    def follow(self, batch: NDArray[np.void], interfaces: int) -> None:
        """What comes after the flows; segments of several interfaces wait for their turn. Of the flow table it reads
        only what is never changed, since another thread may be batches ahead there."""
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

    def settle(self) -> None:
        """Put away the flows that have been over for long enough, once there are enough of them; nothing is changed by
        when that is."""
        if self._tracker.worth_retiring():
            self._finished.take(self._tracker.retire(), self._table.rows, self._tracker.clock)

    def retire(self) -> Analysed:
        """The flows that have been over for long enough; they are forgotten."""
        return self._alone(self._tracker.retire(), self._tracker.clock)

    def drop_idle(self, idle_ns: int, keep: int) -> Analysed:
        """The flows silent for longer than ``idle_ns``, and the most silent beyond ``keep``; forgotten likewise."""
        return self._alone(self._tracker.drop(self._tracker.idle(idle_ns, keep)), self._tracker.clock)

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
        self._decoder.book.forget(addresses)
        return True

    def snapshot(self, now_ns: int) -> Ledger:
        """The flows still kept as at ``now_ns``, timers included. Nothing is changed by looking."""
        books = self._tracker.glance(now_ns)
        return Ledger(books.ends, books.flows, self._table.rows[books.flows["row"]], now_ns)

    def one(self, stream: int, now_ns: int, batches: Sequence[NDArray[np.void]]) -> Analysed | None:
        """One flow still kept, as at ``now_ns``, its segments from ``batches`` (as :meth:`decode` gave them); None
        where it is not kept. Nothing is changed by looking."""
        rows, streams = self._tracker.rows, self._table.rows["stream"]
        places = np.flatnonzero(streams[rows] == stream)
        if not len(places):
            return None
        seen = self._tracker.peek(self._tracker.held[places], now_ns)
        analysed = self._alone([seen], now_ns)
        own = [batch[streams[batch["sender"] >> 1] == stream] for batch in batches]
        analysed.segments = (segment_rows(own), self._table.rows)
        return analysed

    def result(self, files: list[str], capture: "Source", end_ns: int | None = None) -> Analysed:
        """All flows that were not handed out before, once no more packets come; ``end_ns`` where it is known that the
        capture went on in silence after its last packet."""
        end = max(self.last_ns, end_ns or 0)
        self._decoder.finish()
        if self._order is not None:
            self._tell(self._order.rest())
        self._finished.take(self._tracker.finish(end), self._table.rows, end)
        analysed = self._finished.analysed(self.book, end)
        analysed.summary = self._summary(files, capture, analysed)
        if self._settings.keep_segments:
            analysed.segments = (segment_rows(self._kept), self._table.rows)
        return analysed

    def _alone(self, parts: Iterable[Ended], end_ns: int) -> Analysed:
        """Some flows for themselves."""
        finished = Finished(self._settings, Store())
        finished.take(parts, self._table.rows, end_ns)
        return finished.analysed(self.book, end_ns)

    def _summary(self, files: list[str], capture: "Source", analysed: Analysed) -> Summary:
        return Summary(
            files=files,
            bytes=capture.bytes_read,
            packets=capture.packets,
            segments=self._segments - self._table.quotations,
            streams=analysed.overview.flows,
            first_ns=self._decoder.first_ns,
            last_ns=self._decoder.last_ns,
            link_types=[link_name(number) for number in capture.link_types],
            not_understood=dict(Counter(self._decoder.counts)),
            notices=[*capture.notices, *self._late()],
            cannot_judge=analysed.listing.cannot_judge,
        )

    def _late(self) -> list[Notice]:
        late = self._tracker.late
        text = f"{late} segments came more than a minute after their connection was over; they are not in its tables"
        return [Notice(text)] if late else []


class Waiting(NamedTuple):
    """Flows that are to be judged, with their rows of the flow table."""

    ended: Ended
    table: NDArray[np.void]


class Finished:
    """Flows whose books are closed: they are judged and counted as they come, and their rows kept.

    A second thread does that, one part after the other, while the next are made. Ordinary flows are done with at once;
    the others wait until they are many of their kind, since rules take nearly as long for a hundred as for a thousand.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._found, self._overview = Found(), Overview()
        self._both_ways, self._began, self._end = False, np.iinfo(np.int64).max, 0
        self._waiting: dict[Kind, list[Waiting]] = {Kind.REUSED: [], Kind.TELLING: []}
        self._behind = Behind(self._enter, PARTS_AT_ONCE)

    def take(self, parts: Iterable[Ended], table: NDArray[np.void], end_ns: int) -> None:
        """Take in flows that ended; ``table`` is the flow table, ``end_ns`` when the capture ended, or how far it has
        got."""
        for ended in parts:
            if len(ended.endings) or ended.last:
                self._behind.give((Waiting(ended, table[ended.facts.flow("row")]), end_ns))

    def _enter(self, given: tuple[Waiting, int]) -> None:
        (ended, _), self._end = given
        kind = Kind(ended.kind)
        if kind == Kind.ORDINARY:
            self._note(ended.endings)
            self._keep(ended, ended.endings)
            return
        waiting = self._waiting[kind]
        waiting.append(given[0])
        if ended.last:
            self._judge(Kind.REUSED)
        if ended.last or sum(len(part.table) for part in waiting) >= JUDGED_AT_ONCE:
            self._judge(kind)

    def _judge(self, kind: Kind) -> None:
        """Judge the flows of a kind that wait."""
        waiting, self._waiting[kind] = self._waiting[kind], []
        if not waiting:
            return
        parts = [part.ended for part in waiting]
        ledger = SpreadLedger(
            [part.facts for part in parts], np.concatenate([part.table for part in waiting]), self._end
        )
        endings = np.concatenate([part.endings for part in parts])
        if kind == Kind.TELLING:
            for view in views(ledger, np.arange(ledger.flows)):
                endings[view.rows] = flow_rows(view)
        self._note(endings)
        endings["findings"] = self._found.judge(
            ledger,
            self._settings,
            known=np.full(ledger.flows, kind, np.uint8),
            both_ways=self._both_ways,
            last=parts[-1].last,
            first_time=self._began,
        )
        done = 0
        for part in parts:
            self._keep(part, endings[done : done + len(part.endings)])
            done += len(part.endings)

    def _note(self, endings: NDArray[np.void]) -> None:
        """What some rules ask of the whole capture: when its first flow began, and whether it shows both directions."""
        both = (endings["client_packets"] > 0) & (endings["server_packets"] > 0)
        self._both_ways = self._both_ways or bool(both.any())
        self._began = min(self._began, int(endings["first_epoch"].min(initial=self._began)))

    def _keep(self, part: Ended, endings: NDArray[np.void]) -> None:
        """Count the flows of a part and keep their rows."""
        self._overview.add(endings)
        if self._settings.keep_flows:
            self._store.add(endings, part.entries, part.lengths)

    def analysed(self, book: AddressBook, end_ns: int) -> Analysed:
        """What there is to say of them."""
        self._behind.finish()
        for kind in self._waiting:
            self._judge(kind)
        addresses = book.words()
        self._store.name(addresses, self._found.combinations)
        listing = Listing(self._found, addresses, self._settings, end_ns)
        return Analysed(self._store, self._overview, listing, Summary(cannot_judge=listing.cannot_judge))
