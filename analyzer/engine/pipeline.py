"""The stages in order, batch by batch: capture, segments, flows, tracker, findings, tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyzer.capture import open_captures
from analyzer.capture.capture_stream import CaptureStream
from analyzer.capture.packets import Packets
from analyzer.capture.recording import Recording, unbroken
from analyzer.engine.departed_flows import DepartedFlows
from analyzer.engine.finished_flows import FinishedFlows
from analyzer.engine.look import Look
from analyzer.errors import Notice
from analyzer.findings.engine import RuleEngine
from analyzer.findings.loading import asked
from analyzer.flows.order import Order
from analyzer.flows.table import FlowTable
from analyzer.flows.wanted import WantedFlows
from analyzer.results.choice import chosen, told
from analyzer.results.column_values import segment_rows
from analyzer.results.filter_words import check_words
from analyzer.results.finding_list import FindingList
from analyzer.results.result import Analysed
from analyzer.results.source_summary import Summary
from analyzer.results.store import FlowStore
from analyzer.segments import Decoder
from analyzer.segments.addresses import AddressBook
from analyzer.segments.header_numbers import HIDE_TCP
from analyzer.segments.link_types import link_name
from analyzer.segments.segment_batches import SegmentBatches
from analyzer.segments.table import QUOTED, SEGMENT
from analyzer.settings import Settings, file_text
from analyzer.threads import BackgroundTask, computed_in_order, prefetched
from analyzer.times import outer
from analyzer.tracker.fast_path.flow_buffer import FlowBuffer, Released, as_they_come
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.track import Ended, Tracker
from analyzer.units import counted

if TYPE_CHECKING:
    from analyzer.capture.live.stream import LiveStream
    from analyzer.capture.tshark import TsharkStream
    from analyzer.segments.predecoded import PredecodedStream

    Whole = CaptureStream | TsharkStream | PredecodedStream
    Source = Whole | LiveStream

SETTLED_AT_ONCE = 3  # parts of finished flows: what becomes of a few thousand of them
PREFETCHED = 4  # batches that a thread may be ahead of the next stage: neither waits for one difficult batch
BACKLOG = 2  # batches that wait for their flows, before the thread that decodes finds these as well
NO_SEGMENTS: NDArray[np.void] = np.empty(0, SEGMENT)
Progress = Callable[[int, int | None], None]  # bytes read, bytes in all or None
TakesSegments = Callable[[NDArray[np.void]], None]


def analyze(
    paths: Sequence[str],
    settings: Settings,
    progress: Progress | None = None,
    scratch: Path | None = None,
    each: TakesSegments | None = None,
) -> Analysed:
    """Read the captures at ``paths`` as one and tell how every TCP connection in them ended.

    ``scratch`` is the folder for what does not fit in memory, None for the system's own; ``each`` as in
    :func:`run`. Raises UnreadableCapture if one of the captures cannot be analysed at all.
    """
    with opened(paths, settings) as capture:
        return run(capture, paths, settings, progress, scratch, each=each)


def run(
    capture: "Whole",
    files: Sequence[str],
    settings: Settings,
    progress: Progress | None = None,
    scratch: Path | None = None,
    decoder: Decoder | None = None,
    each: TakesSegments | None = None,
) -> Analysed:
    """The same for a capture that is open; ``files`` is what the summary calls it, ``decoder`` what takes its packets
    apart. ``each`` is given all segments on the way, in the order of the capture, and must not keep their memory."""
    analysis = Analysis(settings, scratch, capture.recording, decoder)
    analysis.each = each
    for given in prefetched(analysis.gathered(capture), PREFETCHED):
        analysis.follow(given)
        analysis.settle()
        if progress:
            progress(capture.bytes_read, capture.bytes_total)
    return analysis.result(list(files), capture)


def opened(paths: Sequence[str], settings: Settings) -> "CaptureStream | TsharkStream":
    """The captures at ``paths`` as one, read by the engine that the settings name."""
    if settings.engine == "tshark":
        from analyzer.capture.tshark import open_with_tshark

        return open_with_tshark(paths)
    return open_captures(paths, settings.capture_gap_ns, settings.skip_bad)


class Analysis:
    """The stages and what they remember between batches. ``recording`` is that of the capture they are to be given,
    ``decoder`` what takes its packets apart where that is no ordinary one."""

    def __init__(
        self,
        settings: Settings,
        scratch: Path | None = None,
        recording: Recording | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        check_words(settings)
        self._settings, self.recording = settings, recording or unbroken()
        self._decoder = decoder or Decoder()
        self._table = FlowTable()
        self._order: Order | None = None
        self._tracker = Tracker(settings, self.recording.gaps, asked())
        self._flow_buffer: FlowBuffer | None = None
        self._wanted = WantedFlows.of(settings, self._decoder.book)
        self._finished = FinishedFlows(settings, FlowStore(scratch), self.recording, self._wanted)
        self._retiring: Iterator[Ended] = iter(())
        self.departed = DepartedFlows()  # those that were handed out before the capture's end
        self._kept: list[NDArray[np.void]] = []
        self._quoted: list[NDArray[np.void]] = [NO_SEGMENTS]
        self._segments = 0
        self.each: TakesSegments | None = None  # given every batch of segments

    @property
    def book(self) -> AddressBook:
        """The texts of the addresses in a snapshot."""
        return self._decoder.book

    @property
    def last_ns(self) -> int:
        """The highest packet time so far by the inner clock, NEVER before the first."""
        return self._decoder.last_ns

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

    def gathered(self, capture: "Whole") -> Iterator[Released]:
        """Everything before the tracker for a whole capture: its segments, those of a connection together, unless the
        segments themselves are asked for. Another thread reads and decodes, and arranges what nobody else has yet."""
        batches = computed_in_order(self._batches(capture), PREFETCHED, BACKLOG)
        all_segments = self._settings.keep_segments and self._wanted is None
        if all_segments or not self._settings.fast_path:
            yield from map(as_they_come, batches)
            return
        settings = self._settings if self._wanted is None else replace(self._settings, keep_timeline=False)
        flow_buffer = self._flow_buffer = FlowBuffer(settings, self.recording.gaps, asked(), self._wanted)
        provider = BackgroundTask(flow_buffer.make_ready)
        for batch in batches:
            if flow_buffer.runs_short():
                provider.request()
            yield from flow_buffer.take(batch, self._table.rows)
        yield from flow_buffer.rest(self.last_ns, self._table.rows)

    def _batches(self, capture: "Whole") -> Iterator[Callable[[], NDArray[np.void]]]:
        """The segments of a capture: calls that give them arranged, and are to be made in turn."""
        batched, interfaces = SegmentBatches(self._decoder), 1
        for packets in capture:
            if len(capture.interfaces) > interfaces:
                yield partial(self._arranged, batched.rest(), interfaces)
                interfaces = len(capture.interfaces)
            for batch in batched.add(packets):
                yield partial(self._arranged, batch, interfaces)
        yield partial(self._arranged, batched.rest(), interfaces)
        yield self._left_waiting

    def _arranged(self, batch: NDArray[np.void], interfaces: int = 1) -> NDArray[np.void]:
        """``batch`` once it is known which flow each of its segments belongs to; those of several interfaces wait for
        their turn."""
        self._table.assign(batch)
        self._segments += len(batch)
        if self.each is not None:
            self.each(batch)
        if interfaces > 1 and self._order is None:
            self._order = Order()
        return batch if self._order is None else self._order.take(batch)

    def _left_waiting(self) -> NDArray[np.void]:
        """The segments that still wait for their turn."""
        return NO_SEGMENTS if self._order is None else self._order.rest()

    def track(self, batch: NDArray[np.void], interfaces: int = 1) -> None:
        """The second half of :meth:`feed`: flows and the tracker."""
        self._tell(self._arranged(batch, interfaces))

    def follow(self, given: Released) -> None:
        """What comes after :meth:`gathered`. Of the flow table it reads only what is never changed, since another
        thread may be ahead there."""
        rows = self._table.rows
        self._finished.take(self._tracker.follow(given, rows), rows, given.clock)
        if self._settings.keep_segments:
            self._keep(given.apart)

    def _tell(self, batch: NDArray[np.void]) -> None:
        self._tracker.feed(batch, self._table.rows)
        if self._settings.keep_segments:
            self._keep(batch)

    def _keep(self, batch: NDArray[np.void]) -> None:
        if self._wanted is not None:
            if self._wanted.too_many:
                self._kept.clear()
                return
            known = batch["sender"] >= 0
            mine = known & self._wanted.has(self._table.rows["stream"][np.where(known, batch["sender"] >> 1, 0)])
            batch = batch[mine]
        quoted = (batch["marks"] & QUOTED) != 0
        self._kept.append(batch[~quoted])
        if quoted.any():
            self._quoted.append(batch[quoted])

    def settle(self) -> None:
        """Put away the flows that have been over for long enough, once there are enough of them: some each time, as
        otherwise nobody would read on meanwhile. Nothing is changed by when that is."""
        some = list(islice(self._retiring, SETTLED_AT_ONCE))
        if some:
            self._finished.take(some, self._table.rows, self._tracker.clock)
        elif self._tracker.worth_retiring():
            self._retiring = self._tracker.retire()

    def retire(self) -> Analysed:
        """The flows that have been over for long enough; they are forgotten."""
        return self._handed(self._tracker.retire())

    def drop_idle(self, idle_ns: int, keep: int) -> Analysed:
        """The flows silent for longer than ``idle_ns``, and the most silent beyond ``keep``; forgotten likewise."""
        return self._handed(self._tracker.drop(self._tracker.to_drop(idle_ns, keep)))

    def forget(self, most: int) -> bool:
        """Once the flow table has more than ``most`` rows: forget flows that are no longer kept, the newest half
        apart, with their addresses. Returns whether that was done; segments decoded before mean nothing then."""
        count = len(self._table)
        if count <= most:
            return False
        wanted = np.zeros(count, np.bool_)
        wanted[self._tracker.rows] = True
        wanted[max(0, count - most // 2) :] = True
        kept = np.flatnonzero(wanted)
        if 4 * len(kept) > 3 * count:
            return False
        named = (self._table.rows["address"][kept].ravel(), self._tracker.icmp_senders(), self.departed.addresses)
        addresses = np.unique(np.concatenate(named)).astype(np.int32)
        self.departed.renumber(addresses)
        self._tracker.forget(kept, addresses)
        self._table.forget(kept, addresses)
        self._decoder.book.forget(addresses)
        return True

    def snapshot(self, now_ns: int) -> Ledger:
        """The flows still kept as at ``now_ns`` (inner), timers included, with few of their columns. Nothing is changed
        by looking."""
        return self._look(now_ns).glance()

    def one(self, stream: int, now_ns: int, batches: Sequence[NDArray[np.void]]) -> Analysed | None:
        """One flow still kept, as at ``now_ns``, its segments from ``batches`` (as :meth:`decode` gave them); None
        where it is not kept. Nothing is changed by looking."""
        rows, streams = self._tracker.rows, self._table.rows["stream"]
        places = np.flatnonzero(streams[rows] == stream)
        if not len(places):
            return None
        seen = self._tracker.so_far(self._tracker.held[places], now_ns)
        analysed = self._some([seen], now_ns).analysed(self.book, now_ns, self._table.rows)
        own = [batch[streams[batch["sender"] >> 1] == stream] for batch in batches]
        analysed.segments = (segment_rows(own), self._table.rows)
        return analysed

    def findings(self, ledger: Ledger, some: NDArray[np.bool_] | None = None) -> FindingList:
        """What is to be said of ``some`` of the flows of ``ledger``, a snapshot after which nothing was fed. Or of all,
        and of crowds, those of flows that left included. Nothing is changed by looking."""
        engine, look = RuleEngine(), self._look(ledger.end_time)
        engine.hides = not HIDE_TCP.isdisjoint(self._decoder.counts)
        look.judge(engine, self._settings, ledger, np.ones(ledger.flows, np.bool_) if some is None else some)
        if some is None:
            look.judge_crowds(engine, self._settings, ledger)
            look.judge_all(engine, self._settings, self.departed)
        return FindingList(engine, self.book.words(), self._settings, ledger.end_time, self.recording)

    def _look(self, now_ns: int) -> Look:
        return Look(self._tracker, self._table.rows, now_ns, self.recording)

    def result(self, files: list[str], capture: "Source", end_ns: int | None = None) -> Analysed:
        """All flows that were not handed out before, once no more packets come; ``end_ns`` where it is known that the
        capture went on in silence after its last packet."""
        end = max(self.last_ns, end_ns or 0)
        self._decoder.finish()
        self._tell(self._left_waiting())
        self._finished.take(chain(self._retiring, self._tracker.finish(end)), self._table.rows, end)
        hides = not HIDE_TCP.isdisjoint(self._decoder.counts)
        left = self.departed if self.departed.any else None
        analysed = self._finished.analysed(self.book, end, self._table.rows, hides, left is None, left)
        analysed.summary = self._summary(files, capture, analysed)
        if self._settings.keep_segments and not (self._wanted and self._wanted.too_many):
            analysed.segments = (segment_rows(self._kept), self._table.rows)
            analysed.quoted = np.concatenate(self._quoted)
        return chosen(told(analysed))

    def _handed(self, parts: Iterable[Ended]) -> Analysed:
        """Flows that leave before the end."""
        finished, clock = self._some(parts, self._tracker.clock), self._tracker.clock
        analysed = finished.analysed(self.book, clock, self._table.rows)
        if analysed.overview.flows:
            finished.depart(self.departed, clock)
        finished.let_go()
        return analysed

    def _some(self, parts: Iterable[Ended], end_ns: int) -> FinishedFlows:
        """Some flows for themselves."""
        finished = FinishedFlows(self._settings, FlowStore(), self.recording)
        finished.take(parts, self._table.rows, end_ns)
        return finished

    def _summary(self, files: list[str], capture: "Source", analysed: Analysed) -> Summary:
        return Summary(
            files=files,
            bytes=capture.bytes_read,
            packets=capture.packets,
            segments=self._segments - self._table.quotations,
            streams=analysed.overview.flows,
            first_ns=outer(self._decoder.first_ns) if self._decoder.first_ns else None,
            last_ns=outer(self._decoder.last_ns) if self._decoder.last_ns else None,
            link_types=[link_name(number) for number in capture.link_types],
            not_understood=dict(Counter(self._decoder.counts)),
            notices=[*capture.notices, *self._late()],
            cannot_judge=analysed.listing.cannot_judge,
            settings_from=file_text(self._settings),
        )

    def _late(self) -> list[Notice]:
        late = self._tracker.late + (self._flow_buffer.late if self._flow_buffer else 0)
        text = f"{counted(late, 'segment')} came more than a minute after the connection was over: not in its tables"
        return [Notice(text)] if late else []
