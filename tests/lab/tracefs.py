"""The kernel's own account: tracepoints, read as binary records from a tracefs instance of our own.

The events say when a socket changed its state, sent or was sent a RST, or repeated a segment; and when the timers of
the two kinds of mini-socket were started, stopped or ran out. TIME_WAIT and an orphaned FIN_WAIT_2 live in such a
mini-socket, which ``inet_sock_set_state`` shows only as a jump to CLOSE: its timer shows the rest to the nanosecond.

The trace clock is ``tai``; less the offset between TAI and REALTIME (a whole number of seconds) it is the clock
by which tcpdump dates packets, so both compare exactly. Records and not the text of ``trace`` are read, because only
they hold the socket's address in memory, by which the events of one socket belong together, and nanoseconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from .hosts import LabError, hurry, run

ROOT = Path("/sys/kernel/tracing")
PAGE = 4096
MINI_TIMERS = ("tw_timer_handler", "reqsk_timer_handler")
EVENTS = {  # event -> filter of the kernel's
    "sock/inet_sock_set_state": "protocol == 6",
    "tcp/tcp_send_reset": "",
    "tcp/tcp_receive_reset": "",
    "tcp/tcp_retransmit_skb": "",
    "timer/timer_start": " || ".join(f"function.function == {name}" for name in MINI_TIMERS),
    "timer/timer_expire_entry": " || ".join(f"function.function == {name}" for name in MINI_TIMERS),
    "timer/timer_cancel": "",
}
TIMER_ENDS = ("timer_cancel", "timer_expire_entry")
FIELD = re.compile(r"field:.*?(\w+)(?:\[\d+\])?;\s+offset:(\d+);\s+size:(\d+);\s+signed:(\d)")
PADDING, TIME_EXTEND, TIME_STAMP = 29, 30, 31  # kinds of record that are no event
_counter = itertools.count()


@dataclasses.dataclass(frozen=True)
class Event:
    """One event: ``time`` in nanoseconds since 1970, ``fields`` by the kernel's names (arrays as bytes)."""

    time: int
    cpu: int
    name: str
    fields: dict[str, int | bytes]

    def number(self, name: str) -> int:
        """A field that is a number."""
        value = self.fields[name]
        assert isinstance(value, int)
        return value

    def data(self, name: str) -> bytes:
        """A field that is an array."""
        value = self.fields[name]
        assert isinstance(value, bytes)
        return value


def unavailable() -> str:
    """Why the kernel's events cannot be had here; empty when they can."""
    if not (ROOT / "instances").is_dir():
        with contextlib.suppress(LabError):
            run("mount", "-t", "tracefs", "tracefs", str(ROOT))
    if not (ROOT / "instances").is_dir():
        return "no tracefs at /sys/kernel/tracing"
    absent = [name for name in EVENTS if not (ROOT / "events" / name).is_dir()]
    if absent:
        return f"this kernel has no tracepoint {', '.join(absent)}"
    return "" if handlers() else "/proc/kallsyms does not show the timers' addresses"


def handlers() -> dict[int, str]:
    """Address of each mini-socket timer's function -> its name."""
    found = {}
    with Path("/proc/kallsyms").open() as symbols:
        for line in symbols:
            address, _, name = line.split()[:3]
            if name in MINI_TIMERS and int(address, 16):
                found[int(address, 16)] = name
    return found if len(found) == len(MINI_TIMERS) else {}


def tai_offset() -> int:
    """TAI less REALTIME in nanoseconds."""
    return round(time.clock_gettime(time.CLOCK_TAI) - time.clock_gettime(time.CLOCK_REALTIME)) * 10**9


class _Layout:
    """Where the fields of one event lie in its record."""

    def __init__(self, folder: Path) -> None:
        text = (folder / "format").read_text()
        self.number = int(re.search(r"^ID: (\d+)", text, re.M)[1])  # type: ignore[index]
        self._fields = [(m[1], int(m[2]), int(m[3]), m[4] == "1") for m in FIELD.finditer(text)]

    def place(self, name: str) -> slice:
        """Where one field lies."""
        return next(slice(offset, offset + size) for field, offset, size, _ in self._fields if field == name)

    def read(self, data: bytes) -> dict[str, int | bytes]:
        fields: dict[str, int | bytes] = {}
        for name, offset, size, signed in self._fields:
            piece = data[offset : offset + size]
            fields[name] = int.from_bytes(piece, "little", signed=signed) if size in (1, 2, 4, 8) else piece
            if name in ("saddr", "daddr"):
                fields[name] = piece
        return fields


def records(page: bytes) -> Iterator[tuple[int, bytes]]:
    """The records of one page of the ring buffer: (clock, record). Layout: Documentation/trace/ring-buffer-map.rst."""
    now, commit = struct.unpack_from("<QQ", page)
    place, end = 16, 16 + (commit & 0xFFFFFFF)
    while place + 4 <= end:
        (head,) = struct.unpack_from("<I", page, place)
        kind, delta = head & 31, head >> 5
        if kind == PADDING and delta == 0:
            return
        (more,) = struct.unpack_from("<I", page, place + 4) if kind in (0, PADDING, TIME_EXTEND, TIME_STAMP) else (0,)
        if kind == TIME_STAMP:
            now = (now & ~((1 << 59) - 1)) | more << 27 | delta
            place += 8
            continue
        now += delta + (more << 27 if kind == TIME_EXTEND else 0)
        if kind == TIME_EXTEND:
            place += 8
            continue
        start, length = (place + 8, more - 4) if kind in (0, PADDING) else (place + 4, kind * 4)
        if kind != PADDING:
            yield now, page[start : start + length]
        place = start + length


class Tracer:
    """Collects events of the whole machine from entering to leaving; ``events`` are there afterwards, by time.

    The end of a timer cannot be filtered by what the timer is for, and a busy machine stops a hundred thousand timers a
    second. So while it collects it only keeps pages; they are read when all is over, and only timers that were ours.
    """

    def __init__(self, size_kib: int = 16384) -> None:
        if reason := unavailable():
            raise LabError(reason)
        self.events: list[Event] = []
        self._pages: list[tuple[int, bytes]] = []  # cpu, page
        self._offset = tai_offset()
        self._layouts: dict[int, tuple[str, _Layout]] = {}
        self._folder = ROOT / "instances" / f"td-{os.getpid()}-{next(_counter)}"
        self._folder.mkdir()
        (self._folder / "buffer_size_kb").write_text(str(size_kib))
        (self._folder / "trace_clock").write_text("tai")
        for name, condition in EVENTS.items():
            self._enable(name, condition)
        self._pipes = {
            int(folder.name[3:]): os.open(folder / "trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
            for folder in (self._folder / "per_cpu").iterdir()
        }
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._collect, name="tracer", daemon=True)

    def _enable(self, name: str, condition: str) -> None:
        folder = self._folder / "events" / name
        layout = _Layout(folder)
        self._layouts[layout.number] = (folder.name, layout)
        if condition:
            with contextlib.suppress(OSError):  # a kernel that cannot filter by function shows all timers
                (folder / "filter").write_text(condition)
        (folder / "enable").write_text("1")

    def _collect(self) -> None:
        hurry()
        while not self._ended.wait(0.05):
            self._drain()

    def _drain(self) -> None:
        for cpu, pipe in self._pipes.items():
            with contextlib.suppress(BlockingIOError):
                while page := os.read(pipe, PAGE):
                    self._pages.append((cpu, page))

    def _read(self) -> None:
        """Turn the pages into events."""
        ends = [number for number, (name, _) in self._layouts.items() if name in TIMER_ENDS]
        found = [(clock, cpu, record) for cpu, page in self._pages for clock, record in records(page)]
        kinds = [int.from_bytes(record[:2], "little") for _, _, record in found]
        for (clock, cpu, record), kind in zip(found, kinds, strict=True):
            if kind in self._layouts and kind not in ends:
                self._take(clock, cpu, record, kind)
        ours = {event.number("timer") for event in self.events if event.name == "timer_start"}
        timer = {number: self._layouts[number][1].place("timer") for number in ends}
        for (clock, cpu, record), kind in zip(found, kinds, strict=True):
            if kind in timer and int.from_bytes(record[timer[kind]], "little") in ours:
                self._take(clock, cpu, record, kind)
        self.events.sort(key=lambda event: event.time)

    def _take(self, clock: int, cpu: int, record: bytes, kind: int) -> None:
        name, layout = self._layouts[kind]
        self.events.append(Event(clock - self._offset, cpu, name, layout.read(record)))

    def lost(self) -> int:
        """How many events the kernel could not keep."""
        stats = [(folder / "stats").read_text() for folder in (self._folder / "per_cpu").iterdir()]
        return sum(int(n) for text in stats for n in re.findall(r"(?:overrun|dropped events): (\d+)", text))

    def __enter__(self) -> Tracer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self._folder / "tracing_on").write_text("0")
        self._ended.set()
        self._thread.join()
        self._drain()
        lost = self.lost()
        for pipe in self._pipes.values():
            os.close(pipe)
        self._folder.rmdir()
        self._read()
        if lost and error is None:
            raise LabError(f"the kernel lost {lost} trace events")
