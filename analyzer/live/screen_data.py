"""What the screen shows, gathered in the watch's thread and read by the screen's, once a second.

The screen does not know where it comes from: a :class:`WatchScreenSource` is a watch, and tests have others. Whatever
text comes from a capture is escaped here.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from analyzer.errors import UsageError
from analyzer.live.announcements import Announcement
from analyzer.live.census import SocketGroup, kernel_counts
from analyzer.live.line_output import text_of, who
from analyzer.live.older_leaks import OlderLeak
from analyzer.live.sockets import Owners
from analyzer.live.viewers import BaseViewer
from analyzer.live.watch import Commands, Watch
from analyzer.tracker.outcome import Ledger
from analyzer.views.escape import safe

if TYPE_CHECKING:
    from analyzer.results.result import Analysed, ResultTables
    from analyzer.views.console import Line

NEWS_KEPT = 500
PATIENCE = 10.0  # seconds to wait for a ladder
GROUPS_ASKED = 200  # groups for which the kernel and the processes are asked


@dataclass(frozen=True)
class News:
    """One line of what happened."""

    text: str
    severity: str
    stream: int | None
    search: str  # what the filter is matched with


@dataclass(frozen=True)
class ScreenData:
    """Everything the screen shows at one moment."""

    head: str = ""
    groups: Sequence[SocketGroup] = ()
    kernel: dict[str, dict[str, int]] = field(default_factory=dict)  # group -> the kernel's counts, where local
    owners: dict[str, str] = field(default_factory=dict)  # group -> process
    news: Sequence[News] = ()
    ended: bool = False


class ScreenSource(Protocol):
    """What can be looked at."""

    def data(self) -> ScreenData: ...

    def ladder(self, stream: int, columns: int) -> "list[Line]":
        """The ladder of one connection. Raises UsageError where it is no longer kept."""

    def stop(self) -> None: ...


def news_of(told: Announcement, now_ns: int) -> News:
    row = told.finding
    stream = None if pd.isna(row.stream) else int(row.stream)
    severity = "over" if told.over else str(row.severity)
    return News(safe(text_of(told, now_ns)), severity, stream, f"{who(row)} {row.code}")


class WatchScreenSource(BaseViewer):
    """A watch as a subject: a viewer of it, and the questions asked of it."""

    def __init__(self, commands: Commands, local: bool) -> None:
        self._commands = commands
        self._owners = Owners() if local else None
        self._lock = threading.Lock()
        self._news: deque[News] = deque(maxlen=NEWS_KEPT)
        self._data = ScreenData()
        self._before = (time.monotonic(), 0)
        self.ended = False

    def told(self, news: Sequence[Announcement], now_ns: int, watch: Watch) -> None:
        with self._lock:
            self._news.extendleft(news_of(told, now_ns) for told in news)

    def heard(self, news: Sequence[OlderLeak], now_ns: int, watch: Watch) -> None:
        with self._lock:
            self._news.extendleft(
                News(safe(leak.text(now_ns)), "over" if leak.over else leak.severity, None, safe(leak.endpoint))
                for leak in news
            )

    def looked(self, ledger: Ledger, now_ns: int, watch: Watch) -> None:
        groups = watch.groups
        kernel, owners = self._ask(groups)
        made = ScreenData(self._head(watch, ledger), groups, kernel, owners)
        with self._lock:
            self._data = made

    def _ask(self, groups: Sequence[SocketGroup]) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
        """What the kernel counts at the groups that are of this host, and which process holds them."""
        if self._owners is None:
            return {}, {}
        sockets = self._owners.sockets()
        asked = list(groups[:GROUPS_ASKED])
        self._owners.find({entry.inode for entry in sockets.values() if entry.inode})
        held: dict[tuple[object, ...], int] = {}
        for (local, remote), entry in sockets.items():
            if entry.inode:
                held.setdefault(("server", local[0], *local), entry.inode)
                held.setdefault(("client", local[0], *remote), entry.inode)
        holders: dict[str, str] = {}
        for group in asked:
            process = self._owners.holder(held.get((group.role, group.address, group.server, group.port), 0))
            if process is not None:
                holders[group.name] = safe(f"{process.command}[{process.pid}]")
        return kernel_counts(sockets, asked), holders

    def _head(self, watch: Watch, ledger: Ledger) -> str:
        totals, now = watch.totals, time.monotonic()
        then, packets = self._before
        self._before = (now, totals.packets)
        rate = (totals.packets - packets) / max(now - then, 1e-9)
        lost = f"   LOST {totals.lost:,}" if totals.lost else ""
        finished = f"{ledger.flows:,} kept, {totals.flows:,} finished"
        counts = f"{rate:,.0f} packets/s   connections: {finished}   findings: {totals.announced:,}{lost}"
        return f"{safe(totals.source)}   {counts}"

    def data(self) -> ScreenData:
        with self._lock:
            kept = self._data
            return ScreenData(kept.head, kept.groups, kept.kernel, kept.owners, list(self._news), self.ended)

    def ladder(self, stream: int, columns: int) -> "list[Line]":
        answered = threading.Event()
        answer: list[Analysed | None] = []

        def question(watch: Watch) -> None:
            try:
                answer.append(watch.analysis.one(stream, watch.clock.now() or 0, list(watch.recent)))
            finally:
                answered.set()

        self._commands.questions.append(question)
        if not answered.wait(PATIENCE) or not answer or answer[0] is None:
            raise UsageError(f"connection {stream} is over and no longer in memory; --out writes its rows")
        return ladder_of(answer[0].result(), stream, columns)

    def stop(self) -> None:
        self._commands.stop = True


def ladder_of(result: "ResultTables", stream: int, columns: int) -> "list[Line]":
    from analyzer.views.ladder import ladder_lines

    return ladder_lines(result, stream, columns)
