"""What the screen shows, gathered in the watch's thread and read by the screen's, once a second.

The screen does not know where it comes from: a :class:`WatchScreenSource` is a watch, and tests have others. Whatever
text comes from a capture is escaped here.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from analyzer.errors import UsageError
from analyzer.live.announcements import Announcement, Crowd
from analyzer.live.census import SocketGroup, kernel_counts
from analyzer.live.fitting import short_number
from analyzer.live.older_leaks import OlderLeak
from analyzer.live.rates import RateCourse, Rates, SocketCourses
from analyzer.live.sockets import Owners, Process
from analyzer.live.told_findings import ToldFinding, ToldFindings, ToldGroup
from analyzer.live.viewers import BaseViewer
from analyzer.live.watch import Commands, Watch
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.views.escape import safe

if TYPE_CHECKING:
    from analyzer.results.result import Analysed, ResultTables
    from analyzer.views.console import Line

PATIENCE = 10.0  # seconds to wait for a ladder
GROUPS_ASKED = 200  # groups for which the kernel and the processes are asked


@dataclass(frozen=True)
class ScreenData:
    """Everything the screen shows at one moment."""

    head: Sequence[str] = ("",)  # the longest form first
    groups: Sequence[SocketGroup] = ()
    kernel: dict[str, dict[str, int]] = field(default_factory=dict)  # group -> the kernel's counts, where local
    owners: dict[str, str] = field(default_factory=dict)  # group -> process
    findings: Sequence[ToldGroup] = ()
    rates: Sequence[RateCourse] = ()
    told: int = 0  # findings, those that are over included
    packets: int = 0
    lost: int = 0
    left_out: int = 0  # groups of findings
    notices: Sequence[str] = ()
    ended: bool = False
    hurry: bool = False  # a signal wants the end at once, though the screen is paused


class ScreenSource(Protocol):
    """What can be looked at."""

    def data(self) -> ScreenData: ...

    def members(self, key: Crowd) -> Sequence[ToldFinding]:
        """The newest findings of a group, newest first."""

    def sockets(self, name: str) -> dict[str, list[int]]:
        """State -> sockets of an endpoint in it over the last minutes, the newest last."""

    def ladder(self, stream: int, columns: int) -> "list[Line]":
        """The ladder of one connection; it may take seconds. Raises UsageError where it is no longer kept."""

    def stop(self) -> None: ...


class WatchScreenSource(BaseViewer):
    """A watch as a subject: a viewer of it, and the questions asked of it."""

    def __init__(self, commands: Commands, local: bool) -> None:
        self._commands = commands
        self._owners = Owners() if local else None
        self._lock = threading.Lock()
        self._found = ToldFindings()
        self._rates, self._courses = Rates(), SocketCourses()
        self._data = ScreenData()
        self.ended = False

    def told(self, news: Sequence[Announcement], now_ns: int, watch: Watch) -> None:
        with self._lock:
            self._found.add(news, now_ns)

    def heard(self, news: Sequence[OlderLeak], now_ns: int, watch: Watch) -> None:
        with self._lock:
            self._found.hear(news, now_ns)

    def looked(self, ledger: Ledger, now_ns: int, watch: Watch) -> None:
        groups = watch.groups
        kernel, owners = self._ask(groups)
        totals = watch.totals
        with self._lock:
            if self._rates.add(time.monotonic(), counts_of(watch, ledger)):
                self._courses.add(groups)
            self._data = ScreenData(
                head(watch, ledger), groups, kernel, owners, rates=self._rates.courses(), packets=totals.packets,
                lost=totals.lost, notices=[safe(notice.text) for notice in totals.notices],
            )  # fmt: skip

    def _ask(self, groups: Sequence[SocketGroup]) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
        """What the kernel counts at the groups that are of this host, and which process holds them."""
        if self._owners is None:
            return {}, {}
        sockets = self._owners.sockets()
        asked = list(groups[:GROUPS_ASKED])
        self._owners.find({entry.inode for entry in sockets.values() if entry.inode})
        held: dict[tuple[object, ...], Counter[Process]] = {
            (group.role, group.address, group.server, group.port): Counter() for group in asked
        }
        for (local, remote), entry in sockets.items():
            process = self._owners.held(entry.inode) if entry.inode else None
            for key in (("server", local[0], *local), ("client", local[0], *remote)) if process else ():
                if process and key in held:
                    held[key][process] += 1
        holders = {
            group.name: safe(said)
            for group, processes in zip(asked, held.values(), strict=True)
            if (said := processes_said(processes))
        }
        return kernel_counts(sockets, asked), holders

    def data(self) -> ScreenData:
        with self._lock:
            found = self._found
            return replace(
                self._data,
                findings=found.groups(),
                told=found.told,
                left_out=found.left_out,
                ended=self.ended,
                hurry=self._commands.hurry,
            )

    def members(self, key: Crowd) -> Sequence[ToldFinding]:
        with self._lock:
            return self._found.members(key)

    def sockets(self, name: str) -> dict[str, list[int]]:
        with self._lock:
            return self._courses.of(name)

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


def head(watch: Watch, ledger: Ledger) -> Sequence[str]:
    """What is watched, and how much there is in memory."""
    source, kept = safe(watch.totals.source), f"{short_number(ledger.flows)} connection{'s' * (ledger.flows != 1)}"
    older = 0 if watch.leaks is None else sum(sum(group.counts.values()) for group in watch.leaks.older.groups)
    longest = [f"{source}   {kept}, {short_number(older)} older socket{'s' * (older != 1)}"] if older else []
    return [*longest, f"{source}   {kept}", source]


def processes_said(processes: Counter[Process]) -> str:
    """The process that holds the most sockets, and how many others hold some: ``+2 nginx[17]``."""
    if not processes:
        return ""
    process = min(processes, key=lambda one: (-processes[one], one.pid))
    others = f"+{len(processes) - 1} " if len(processes) > 1 else ""
    return f"{others}{process.command}[{process.pid}]"


def counts_of(watch: Watch, ledger: Ledger) -> Sequence[int]:
    """Packets, connections that were opened, that were closed, and findings until now."""
    totals, over = watch.totals, 0
    if ledger.flows:
        over = int(np.isin(ledger.own("state"), (State.CLOSED, State.TIME_WAIT)).all(axis=1).sum())
    closed = totals.flows - totals.idle - totals.crowded_out + over
    return (totals.packets, totals.flows + ledger.flows, closed, totals.announced)


def ladder_of(result: "ResultTables", stream: int, columns: int) -> "list[Line]":
    from analyzer.views.ladder import ladder_lines

    return ladder_lines(result, stream, columns)
