"""Announcements as lines: text for people and logs, one JSON object a line for scripts, each flushed at once.

A thread writes them. A reader that is slow, or a terminal that was stopped with Ctrl-S, must not hold up the watch,
or packets would be lost; so lines wait for it, ``MOST_WAITING`` of them. What comes beyond is counted and left out.
"""

import contextlib
import json
import os
import queue
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

import numpy as np
import pandas as pd

from analyzer.errors import UnwritableOutput
from analyzer.live.announcements import Announcement
from analyzer.live.census import SocketGroup
from analyzer.live.older_leaks import OlderLeak
from analyzer.live.totals import WatchTotals
from analyzer.times import moment, outer
from analyzer.units import counted
from analyzer.views.console import duration, endpoint
from analyzer.views.escape import safe
from analyzer.views.explanation import names
from analyzer.writers.json_document import finding_object

MOST_WAITING = 200_000
PATIENCE = 1.0  # seconds for who reads, where the end must not wait
SOCKETS_SHOWN = 20  # endpoints in the summary
TURN = 0.05  # seconds between two looks at whether it must not
JOURNAL_LEVELS = {"error": 3, "warning": 4, "notice": 5, "info": 6}


class LineOutput:
    """Writes to ``file``; ``as_json`` chooses the form. What is wrong with the file is raised by the next call."""

    def __init__(self, file: TextIO, as_json: bool) -> None:
        self._file, self._json = file, as_json
        self._prefix = journal_prefix if not as_json and to_journal(file) else _no_prefix
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._trouble: OSError | None = None
        self._dropped = 0  # lines, since the last one that found room
        self._writer = PatientWriter(file)
        self._thread = threading.Thread(target=self._write, name="lines", daemon=True)
        self._thread.start()

    def tell(self, told: Announcement, now_ns: int, owner: str = "") -> None:
        """One announcement; ``owner`` is what this host knows of the blamed socket."""
        if self._json:
            event = "over" if told.over else "finding"
            extra: dict[str, Any] = {"more": told.more} if told.more else {}
            extra |= {"socket": owner} if owner else {}
            self._put(json.dumps({"event": event, **finding_object(_cells(told.finding)), **extra}))
        else:
            self._put(self._prefix(told.finding.severity) + safe(text_of(told, now_ns, owner)))

    def tell_leak(self, leak: OlderLeak, now_ns: int) -> None:
        """A leak that this host's kernel tells of."""
        if self._json:
            self._put(json.dumps({"event": "kernel", **leak.as_json()}))
        else:
            self._put(self._prefix(leak.severity) + safe(leak.text(now_ns)))

    def note(self, text: str) -> None:
        """Something about the capture or the output that must be known."""
        self._put(json.dumps({"event": "notice", "text": text}) if self._json else self._notice(text))

    def _notice(self, text: str) -> str:
        return f"{self._prefix('notice')}notice: {safe(text)}"

    def summary(self, totals: WatchTotals) -> None:
        """The last words."""
        if self._json:
            self._put(json.dumps(totals.as_json()))
        else:
            for line in summary_lines(totals):
                self._put(self._prefix("info") + line)

    def _put(self, line: str) -> None:
        """Hand on a line. Where nobody reads them the watch does not wait: the lines are counted instead."""
        if self._trouble is not None:
            raise self._trouble
        if self._dropped and not self._waiting.full():
            count, self._dropped = self._dropped, 0
            self.note(f"{counted(count, 'line')} were left out here: too many were waiting to be read")
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def _write(self) -> None:
        while (line := self._waiting.get()) is not None:
            if self._trouble is None:
                try:
                    self._writer.write(line + "\n")
                except OSError as error:
                    self._trouble = error

    def close(self, hurried: Callable[[], bool] = lambda: False) -> None:
        """Wait until all is written; a short time only, once ``hurried`` says so. Raises UnwritableOutput where lines
        are left."""
        patience = PATIENCE
        last = False  # the writer knows that no more come
        while self._thread.is_alive() and patience > 0:
            if not last:
                with contextlib.suppress(queue.Full):
                    self._waiting.put_nowait(None)
                    last = True
            self._thread.join(TURN)
            patience -= TURN if hurried() else 0
        if self._thread.is_alive():
            self._writer.give_up = True
            left = self._waiting.qsize() - last + self._dropped
            raise UnwritableOutput(f"nobody reads the output: {counted(left, 'line')} were not written")
        if self._trouble is not None:
            raise self._trouble


class PatientWriter:
    """Writes text to a file that may not be ready for it, a piece at a time, so that it never waits for good."""

    def __init__(self, file: TextIO) -> None:
        self.give_up = False
        self._file = file
        try:
            self._descriptor = file.fileno() if hasattr(select, "PIPE_BUF") else -1
        except (OSError, ValueError):
            self._descriptor = -1  # no file of the system

    def write(self, text: str) -> None:
        """Write all of it, unless ``give_up`` is set meanwhile. Raises OSError."""
        if self._descriptor < 0:
            self._file.write(text)
            self._file.flush()
            return
        left = memoryview(text.encode(self._file.encoding or "utf-8", "replace"))
        while left and not self.give_up:
            if select.select([], [self._descriptor], [], 0.2)[1]:
                left = left[os.write(self._descriptor, left[: select.PIPE_BUF]) :]


def to_journal(file: TextIO) -> bool:
    """Whether ``file`` leads to systemd's journal, which says so in JOURNAL_STREAM."""
    try:
        there = os.fstat(file.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def journal_prefix(level: str) -> str:
    """How a line tells the journal its priority (sd-daemon(3))."""
    return f"<{JOURNAL_LEVELS[str(level)]}>"


def _no_prefix(level: str) -> str:
    return ""


def _cells(row: Any) -> dict[str, Any]:
    """A row of a DataFrame without types of pandas and numpy; None where a value is unknown, a time in nanoseconds."""
    return {name: _plain(value) for name, value in row._asdict().items()}


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return int(value.as_unit("ns").value)
    return value.item() if isinstance(value, np.generic) else value


def text_of(told: Announcement, now_ns: int, owner: str = "") -> str:
    """``18:31:02.123 error TD101 close-wait-leak [stream 3] message [high confidence]``."""
    row = told.finding
    clock = f"{moment(outer(now_ns)):%H:%M:%S.%f}"[:-3]
    stream = "" if pd.isna(row.stream) else f" stream {row.stream}"
    title = f"{row.code} {names().get(str(row.code), '')}"
    if told.over:
        many = f": {counted(1 + told.more, 'connection')} of" if told.more else ""
        return f"{clock} over    {title}{stream}{many} {who(row)}"
    held = f" {'Their sockets' if told.more else 'Its socket'}: {owner}." if owner else ""
    held += f" The same of {counted(told.more, 'more connection')} to this server." if told.more else ""
    return f"{clock} {row.severity:<7} {title}{stream}: {row.message}{held} [{row.confidence} confidence]"


def who(row: Any) -> str:
    """The two ends a finding is about, as far as it names them."""
    ends = [
        endpoint(ip, "*" if pd.isna(port) else port)
        for ip, port in ((row.client_ip, row.client_port), (row.server_ip, row.server_port))
        if not pd.isna(ip)
    ]
    return " - ".join(ends)


def socket_lines(groups: Sequence[SocketGroup]) -> Iterator[str]:
    """The sockets by state of the endpoints with the most closing ones."""
    for group in groups[:SOCKETS_SHOWN]:
        counts = ", ".join(f"{state} {number:,}" for state, number in group.counts.items())
        yield f"sockets of {safe(group.name)}: {counts}"
    if len(groups) > SOCKETS_SHOWN:
        yield f"and those of {counted(len(groups) - SOCKETS_SHOWN, 'endpoint')} more"


def summary_lines(totals: WatchTotals) -> Iterator[str]:
    """What the watch saw in all."""
    span = duration(((totals.last_ns or 0) - (totals.first_ns or 0)) / 1e9)
    yield f"watched {safe(totals.source)} for {span}"
    yield ", ".join(
        [
            counted(totals.packets, "packet"),
            counted(totals.segments, "TCP segment"),
            counted(totals.flows, "connection"),
        ]
        + ([f"{counted(totals.lost, 'packet')} lost by the capture"] if totals.lost else [])
    )
    if totals.endings:
        yield "endings: " + ", ".join(f"{word} {number:,}" for word, number in totals.endings.most_common())
    for severity, code, number in totals.worst_first():
        yield f"{severity:<8} {code} {names().get(code, '')}: {number:,}"
    if not totals.findings:
        yield "no findings"
    yield from socket_lines(totals.sockets)
    for number, why in (
        (totals.idle, "were silent for --idle-timeout"),
        (totals.crowded_out, "exceeded --max-flows"),
    ):
        if number:
            yield f"{counted(number, 'connection')} {why}: no longer tracked; their rows are written as they were"
    if totals.half_open_out:
        yield f"{counted(totals.half_open_out, 'half-open connection')} of these, the most silent first"
    for notice in totals.notices:
        yield f"notice: {safe(notice.text)}"
