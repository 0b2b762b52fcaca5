"""The packets of all engines as one stream, in batches that the caller asks for with a time limit.

A thread for each engine reads its pipe, parses the packets and puts batches with memory of their own into a queue
of bounded size; when that is full the thread waits, the pipe fills, and the engine counts what it loses.

Several sources are not in step: one may be silent, another a quarter of a second late. Their packets wait until
nobody can be earlier any more, ``HOLD`` seconds at most, and are then handed on in the order of time. A single
source is handed on as it comes.
"""

import queue
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.byte_stream import ByteStream, RawBytes, unreadable
from analyzer.capture.compression import open_bytes, unpacked
from analyzer.capture.interfaces import Interface, harmless
from analyzer.capture.live import engines
from analyzer.capture.live.capture_process import CaptureProcess
from analyzer.capture.live.request import Request
from analyzer.capture.merge import span
from analyzer.capture.packet_source import PacketSource
from analyzer.capture.packets import Packets
from analyzer.capture.parser import CaptureInfo
from analyzer.errors import Notice, UnreadableCapture

BATCH = 8 * 1024 * 1024  # bytes in a batch at most: what comes while another is looked at
BATCHES_WAITING = 24  # what a burst may occupy
HOLD = 0.5  # seconds; dumpcap hands on after 0.25, tcpdump after a second where hardly anything passes
CLOSING = 2.0  # seconds for a reader to see that its pipe has ended
DISCARD = 1.0  # seconds to count what is thrown away
BEGIN = 20.0  # seconds an engine has to begin (pyshark starts two programs)


class QueueItem(NamedTuple):
    """What a reader puts into the queue: a batch, or None and why it ended."""

    reader: "ReaderThread"
    packets: Packets | None
    error: Exception | None = None


class ReaderThread(threading.Thread):
    """Reads one source to its end."""

    def __init__(
        self, name: str, child: CaptureProcess | None, info: CaptureInfo, items: "queue.Queue[QueueItem]"
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.child = child
        self.begun = threading.Event()  # its header has been read
        self.taken = 0
        self.stop = False
        self._info, self._queue = info, items

    def run(self) -> None:
        error: Exception | None = None
        stream: ByteStream | None = None
        try:
            stream = self._open()
            source = PacketSource(stream, self._info, BATCH)
            self.begun.set()
            for batch in source.batches():
                self.taken = stream.taken
                self._hand_on(QueueItem(self, _own(batch)))
                if self.stop and self.child is None:
                    break
        except Exception as trouble:
            error = trouble
        if stream is not None:
            stream.close()
        self._hand_on(QueueItem(self, None, error))
        self.begun.set()

    def _open(self) -> ByteStream:
        if self.child is None:
            return open_bytes(self.name)
        return unpacked(RawBytes(self.child.output, self.name))

    def _hand_on(self, item: QueueItem) -> None:
        waiting = True
        while waiting:
            try:
                self._queue.put(item, timeout=1.0)
                waiting = False
            except queue.Full:
                waiting = not (self.stop and self.child is None)


def _own(batch: Packets) -> Packets:
    """The batch with memory of its own: the source will use its buffer again."""
    begin, end = span(batch.rows)
    rows = batch.rows.copy()
    rows["offset"] -= begin
    return Packets(batch.data[begin:end].copy(), rows)


def _there(pipe: str) -> None:
    """Raises UnreadableCapture where there is nothing of that name: said before anything else is."""
    if pipe != "-":
        try:
            Path(pipe).stat()
        except (OSError, ValueError) as error:
            raise unreadable(harmless(pipe), error if isinstance(error, OSError) else OSError(str(error))) from None


class LiveStream:
    """Packets as they pass. ``poll`` gives them; ``lost`` counts what the engines say they lost."""

    bytes_total: int | None = None

    def __init__(self, children: list[CaptureProcess], pipe: str | None) -> None:
        self.packets = 0
        self.ended = False  # no more packets come
        self.trouble = ""  # why it ended though nobody asked it to
        self._info = CaptureInfo()
        self._queue: queue.Queue[QueueItem] = queue.Queue(BATCHES_WAITING)
        self._children = children
        sources: list[tuple[str, CaptureProcess | None]] = [
            (", ".join(child.call.interfaces), child) for child in children
        ]
        if pipe is not None:
            sources.append((pipe, None))
        self._readers = [ReaderThread(name, child, self._info, self._queue) for name, child in sources]
        self._running = set(self._readers)
        interfaces = sum(len(child.call.interfaces) for child in children)
        self._order = TimeOrder(HOLD) if interfaces > 1 else None

    @classmethod
    def begin(cls, request: Request) -> "LiveStream":
        """Start what ``request`` needs; returns once every engine captures."""
        if request.pipe is not None:
            _there(request.pipe)
            stream = cls([], request.pipe)
            stream._start()
            return stream
        children: list[CaptureProcess] = []
        try:
            for call in engines.calls(request):
                children.append(CaptureProcess(call, request.filter))
            stream = cls(children, None)
            stream._start()
        except BaseException:
            for child in children:
                child.close()
            raise
        try:
            stream._await_engines()
        except BaseException:
            stream.close()
            raise
        return stream

    def _start(self) -> None:
        for reader in self._readers:
            reader.start()

    def _await_engines(self) -> None:
        for reader in self._readers:
            assert reader.child is not None
            if not reader.begun.wait(BEGIN):
                raise UnreadableCapture(f"{reader.child.call.engine} did not begin to capture within {BEGIN:.0f} s")
            if not reader.is_alive() and reader.taken == 0 and not self._info.interfaces.listed:
                raise UnreadableCapture(reader.child.refusal())

    @property
    def engine(self) -> str:
        """The name of what captures; "" where a pipe is read."""
        return self._children[0].call.engine if self._children else ""

    @property
    def delay(self) -> float:
        """How many seconds later at most a packet that passed now is handed on; 0 where a pipe is read."""
        longest = max([0.0, *(child.call.delay for child in self._children)])
        return longest + 3 * HOLD if self._order else longest

    @property
    def behind(self) -> bool:
        """Whether packets wait to be asked for."""
        return not self._queue.empty()

    @property
    def notices(self) -> list[Notice]:
        return [note for note in self._info.notices if "it contains no packets" not in note.text]

    @property
    def interfaces(self) -> list[Interface]:
        return self._info.interfaces.listed

    @property
    def link_types(self) -> Counter[int]:
        return self._info.interfaces.link_types()

    @property
    def bytes_read(self) -> int:
        return sum(reader.taken for reader in self._readers)

    @property
    def lost(self) -> int:
        """Packets the engines say they lost so far; some tell only at their end."""
        told = sum(child.lost for child in self._children)
        return told or sum(interface.dropped or 0 for interface in self.interfaces)

    @property
    def losses_known(self) -> bool:
        """Whether what captures here ever tells what it lost."""
        return all(child.call.knows_losses for child in self._children)

    def ask_losses(self) -> None:
        for child in self._children:
            child.ask_losses()

    def poll(self, seconds: float) -> Packets | None:
        """The next packets, waiting at most ``seconds`` for some; None where none came."""
        deadline = time.monotonic() + seconds
        while not self.ended:
            if self._order and (batch := self._order.due(len(self._running))):
                return self._numbered(batch)
            wait = min(deadline - time.monotonic(), HOLD / 4 if self._order else seconds)
            try:
                item = self._queue.get(timeout=max(0.0, wait)) if wait > 0 else self._queue.get_nowait()
            except queue.Empty:
                self.ended = not self._running and not (self._order and self._order.waiting)
                if time.monotonic() >= deadline:
                    return None
                continue
            if batch := self._take(item):
                return self._numbered(batch)
        return None

    def _take(self, item: QueueItem) -> Packets | None:
        if item.packets is not None:
            if self._order is None:
                return item.packets
            self._order.add(id(item.reader), item.packets)
            return None
        self._running.discard(item.reader)
        self._note_end(item)
        self.ended = not self._running and (self._order is None or not self._order.waiting)
        return None

    def _note_end(self, item: QueueItem) -> None:
        child = item.reader.child
        trouble = child.trouble() if child else ""
        if not trouble and item.error is not None and not item.reader.stop:
            if not isinstance(item.error, UnreadableCapture):
                raise item.error
            trouble = str(item.error)
        self.trouble = self.trouble or trouble
        if trouble and self._running:
            self._info.note(trouble)

    def _numbered(self, batch: Packets) -> Packets:
        """Frame numbers of what is handed on, in that order: those of the packets saved beside it."""
        count = len(batch.rows)
        batch.rows["frame"] = np.arange(self.packets + 1, self.packets + count + 1)
        self.packets += count
        if self._order is not None:
            self.ended = not self._running and not self._order.waiting
        return batch

    def stop(self) -> None:
        """Ask the engines to end; what they still hold comes with the next polls, then ``ended`` is set."""
        for reader in self._readers:
            reader.stop = True
        for child in self._children:
            child.stop()
        if not self._children:
            self._running.clear()

    def discard(self) -> int:
        """Stop, and throw away what has been captured; returns how many packets."""
        self.stop()
        count, deadline = 0, time.monotonic() + DISCARD
        while not self.ended and time.monotonic() < deadline:
            packets = self.poll(0.02)
            count += 0 if packets is None else len(packets.rows)
        return count

    def close(self) -> None:
        """Leave nothing running."""
        self.ended = True
        for reader in self._readers:
            reader.stop = True
        for child in self._children:
            child.close()
        for reader in self._readers:
            if reader.child is not None:
                reader.join(CLOSING)

    def __enter__(self) -> "LiveStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class TimeOrder:
    """Batches of several sources, handed on in the order of time once nobody can be earlier any more."""

    def __init__(self, hold: float) -> None:
        self.waiting: list[Packets] = []
        self._hold = hold
        self._latest: dict[int, int] = {}
        self._since = 0.0  # when the oldest of what waits came

    def add(self, source: int, batch: Packets) -> None:
        if not self.waiting:
            self._since = time.monotonic()
        self.waiting.append(batch)
        self._latest[source] = max(self._latest.get(source, 0), int(batch.rows["time"].max()))

    def due(self, running: int) -> Packets | None:
        """What can be handed on; ``running`` sources may still bring something."""
        if not self.waiting:
            return None
        if running and time.monotonic() - self._since < self._hold:
            return None
        joined = _joined(self.waiting)
        newest = int(joined.rows["time"][-1])
        limit = newest - int(self._hold * 1e9) if running else newest
        count = int(np.searchsorted(joined.rows["time"], limit, "right"))
        if running and time.monotonic() - self._since > 3 * self._hold:
            count = len(joined.rows)  # nothing newer came: what waits has waited long enough
        self.waiting = [Packets(joined.data, joined.rows[count:])] if count < len(joined.rows) else []
        if not count:
            return None
        if self.waiting:
            self.waiting = [_compact(self.waiting[0])]
            self._since = time.monotonic()
        return Packets(joined.data, joined.rows[:count].copy())


def _joined(batches: list[Packets]) -> Packets:
    """Batches as one, in the order of time."""
    shift, parts = 0, []
    for batch in batches:
        rows: NDArray[Any] = batch.rows.copy()
        rows["offset"] += shift
        shift += len(batch.data)
        parts.append(rows)
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows["time"], kind="stable")]
    return Packets(np.concatenate([batch.data for batch in batches]), rows)


def _compact(batch: Packets) -> Packets:
    """The same packets without the bytes of others."""
    sizes = batch.rows["captured"].astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    places = np.repeat(batch.rows["offset"] - starts[:-1], sizes) + np.arange(int(starts[-1]))
    rows = batch.rows.copy()
    rows["offset"] = starts[:-1]
    return Packets(batch.data[places], rows)
