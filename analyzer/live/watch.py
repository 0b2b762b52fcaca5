"""The loop of a watch: packets in, two looks a second, news out; ended in order whatever ends it.

Whoever wants to see something is a :class:`Viewer`. A look takes a snapshot of the connections still kept, judges
those that moved since the look before (all of them every ``WHOLE`` looks, because some rules are about crowds), and
announces what has become certain. Connections that are over leave with their tables. When looking takes long, looks
become rarer, so that there is time for packets.

Times in here are those of the inner clock (see ``times``); the viewers say them.

What can end it: the limits, a signal, the source's own end, trouble with the output. The order is always the same:
stop the source, take what it still holds, close all books, write everything, say the last words.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.live.stream import LiveStream
from analyzer.capture.packets import Packets
from analyzer.engine.pipeline import Analysis
from analyzer.errors import TeardownError, UnreadableCapture
from analyzer.live.announcements import Announcement, Announcer
from analyzer.live.census import SocketGroup, census
from analyzer.live.clock import CaptureClock, WallClock
from analyzer.live.ends import newest_streams
from analyzer.live.kernel_evidence import KernelEvidence
from analyzer.live.losses import Losses
from analyzer.live.older_leaks import OlderLeak, OlderLeaks
from analyzer.live.retirement import Limits, Retirement
from analyzer.live.totals import WatchTotals
from analyzer.results.finding_list import FindingList, RuleFindings
from analyzer.results.result import Analysed, ResultTables
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.times import inner
from analyzer.tracker.outcome import Ledger
from analyzer.units import SECOND, counted

LOOK = 0.5  # seconds from look to look
SHARE = 4  # a look is followed by a pause of at least so many times its own length ...
LONGEST_PAUSE = 2.0  # ... or so many seconds
WHOLE = 10  # every so many looks everything is judged
RETIRE = 10  # and what is over is closed
LAST_WORDS = 2.0  # seconds for what was captured to be analysed, where the end must not take long
SILENT = 5.0  # seconds without a packet after which a source that does not end is given up
RESTING = (State.ESTABLISHED, State.CLOSED, State.TIME_WAIT)
AT_ONCE = 8192  # segments that are tracked before it is asked whether there are too many connections
NO_STREAMS: NDArray[np.int64] = np.zeros(0, np.int64)


@dataclass
class Finished:
    """Connections whose books are closed."""

    analysed: Analysed

    @cached_property
    def tables(self) -> ResultTables:
        """Their rows, made for the first that wants them."""
        return self.analysed.result()


class Viewer(Protocol):
    """Who is told what happens. Every method is called from the watch's own thread."""

    def packets(self, packets: Packets, watch: "Watch") -> None: ...

    def told(self, news: Sequence[Announcement], now_ns: int, watch: "Watch") -> None: ...

    def closed(self, finished: Finished, watch: "Watch") -> None: ...

    def looked(self, ledger: Ledger, now_ns: int, watch: "Watch") -> None: ...

    def heard(self, news: Sequence[OlderLeak], now_ns: int, watch: "Watch") -> None: ...

    def rotate(self) -> None: ...


@dataclass
class Commands:
    """What was asked for from outside (signals, keys); read by the loop."""

    stop: bool = False
    hurry: bool = False  # the end must not take long
    rotate: bool = False
    questions: "list[Callable[[Watch], None]]" = field(default_factory=list)  # answered in the watch's thread


@dataclass
class Watch:
    """One watch over ``stream``."""

    stream: LiveStream
    settings: Settings
    limits: Limits
    viewers: Sequence[Viewer]
    totals: WatchTotals
    commands: Commands = field(default_factory=Commands)
    recent_segments: int = 0  # so many of the newest segments are kept, for ladders
    evidence: KernelEvidence | None = None  # where the packets are this host's own
    leaks: OlderLeaks | None = None  # and its sockets that are older than the watch

    def __post_init__(self) -> None:
        self.analysis = Analysis(self.settings)
        self.clock, self.wall_clock = CaptureClock(), WallClock()
        self.announcer = Announcer()
        self.losses = Losses(self.stream.losses_known)
        self._retirement = Retirement(
            self.analysis, self.limits, self.totals, self.losses, self._tell, self._hand_on, self.clock, self.announcer
        )
        if not self.losses.known:
            self.totals.note("the capture engine does not tell what it lost: all findings have lower confidence")
        self.ledger: Ledger | None = None  # of the last look
        self._by_stream: NDArray[np.intp] | None = None  # its rows
        self._newest: NDArray[np.int64] | None = None
        self._groups: list[SocketGroup] | None = None
        self.recent: deque[NDArray[np.void]] = deque()
        self._begun = time.monotonic()
        self._looks = 0
        self._next = self._begun + LOOK
        self._judged_until = 0  # capture time of the look before

    def run(self) -> None:
        """Watch to the end. Raises the first trouble with the output, after everything else was ended in order."""
        trouble: TeardownError | OSError | None = None
        try:
            if self.leaks is not None:
                self.leaks.older.begin()
            while not self._over():
                self._step()
        except (TeardownError, OSError) as error:
            trouble = error
        self._end(trouble)

    def state_of(self, stream: int, endpoint: str) -> str:
        """The state of an endpoint (client, server) at the last look; "" if it was not kept then."""
        if self.ledger is None or not self.ledger.flows:
            return ""
        if self._by_stream is None:
            self._by_stream = np.argsort(self.ledger.flow("stream"))
        streams = self.ledger.flow("stream")
        place = int(np.searchsorted(streams, stream, sorter=self._by_stream))
        row = int(self._by_stream[min(place, len(streams) - 1)])
        if streams[row] != stream:
            return ""
        side = int(self.ledger.client[row]) ^ (endpoint == "server")
        return State(int(self.ledger.own("state")[row, side])).name

    @property
    def newest(self) -> NDArray[np.int64]:
        """The streams, at the last look, that no newer connection of the same addresses and ports followed."""
        if self._newest is None:
            self._newest = NO_STREAMS if self.ledger is None else newest_streams(self.ledger)
        return self._newest

    @property
    def groups(self) -> list[SocketGroup]:
        """Who had how many sockets in which state at the last look."""
        if self._groups is None:
            older = None if self.leaks is None else self.leaks.older
            told = () if older is None else (older.groups, older.left_out)
            ledger = self.ledger
            self._groups = [] if ledger is None else census(ledger, self.analysis.book, ledger.end_time, *told)
        return self._groups

    def _over(self) -> bool:
        if self.stream.ended or self.commands.stop:
            return True
        if self.limits.count is not None and self.totals.packets >= self.limits.count:
            return True
        limit = self.limits.duration_ns
        return limit is not None and time.monotonic() - self._begun >= limit / 1e9

    def _step(self) -> None:
        wait = min(max(0.0, self._next - time.monotonic()), 0.2)
        packets = self.stream.poll(wait)
        if packets is not None:
            self._take(packets)
        while self.commands.questions:
            self.commands.questions.pop(0)(self)
        if self.commands.rotate:
            self.commands.rotate = False
            for viewer in self.viewers:
                viewer.rotate()
        if time.monotonic() >= self._next:
            self._look()

    def _take(self, packets: Packets) -> None:
        """One batch through the stages; no more of it than ``--count`` wants."""
        if self.limits.count is not None:
            packets = Packets(packets.data, packets.rows[: self.limits.count - self.totals.packets])
        if not len(packets.rows):
            return
        newest = inner(int(packets.rows["time"].max()))
        self.clock.feed(newest)
        step = self.wall_clock.set_by()
        if step and self.stream.engine:
            self.totals.note(f"the clock was set by {step / 1e9:+.3f} s near packet {int(packets.rows['frame'][0]):,}")
        self.totals.packets += len(packets.rows)
        self.totals.first_ns = self.totals.first_ns or inner(int(packets.rows["time"][0]))
        self.totals.last_ns = max(newest, self.totals.last_ns or newest)
        for viewer in self.viewers:
            viewer.packets(packets, self)
        batch = self.analysis.decode(packets)
        for begin in range(0, len(batch), AT_ONCE):
            self._track(batch[begin : begin + AT_ONCE])
            if self._retirement.urgent:
                self._retirement.evict()
        if self._retirement.forget():  # not before all of the batch was tracked, which names addresses
            self.recent.clear()

    def _track(self, batch: NDArray[np.void]) -> None:
        self.analysis.track(batch)
        if self.recent_segments:
            self.recent.append(batch)
            kept = sum(map(len, self.recent))
            while len(self.recent) > 1 and kept - len(self.recent[0]) >= self.recent_segments:
                kept -= len(self.recent.popleft())

    def _look(self) -> None:
        begun = time.monotonic()
        now = self.clock.now(self.stream.behind)
        if now is None and self.leaks is not None:
            now = inner(time.time_ns())  # no packet yet; this host's kernel is asked all the same
        if now is not None:
            self._count_losses(now)
            self._looks += 1
            if self._looks % RETIRE == 0:
                self._retirement.evict()
            self._announce(now)
        took = time.monotonic() - begun
        self._next = max(self._next + LOOK, time.monotonic() + min(SHARE * took, LONGEST_PAUSE))

    def _count_losses(self, now: int, left: int = 0) -> None:
        """Hear what was lost by now; ``left`` packets were captured, but will not be analysed."""
        new = self.losses.heard(self.stream.lost + left, now, self.totals.first_ns or now)
        self.totals.lost = self.losses.total
        if left:
            self.totals.note(f"{counted(left, 'packet')} waited to be analysed when the watch had to end: lost")
        if new:
            self.totals.note("packets were lost: findings about connections alive then have lower confidence")
        self.stream.ask_losses()

    def _announce(self, now: int) -> None:
        self.ledger = self._by_stream = self._newest = self._groups = None  # before the next is made: each is large
        ledger = self.ledger = self.analysis.snapshot(now)
        whole = self._looks % WHOLE == 1
        moving = None if whole else self._moving(ledger)
        self._judged_until = now
        if ledger.flows if moving is None else moving.any():
            listing = self.analysis.findings(ledger, moving)
            if self.losses.total or not self.losses.known:
                self.losses.lower(listing, lambda table: self._lossy(table, now))
            if self.evidence is not None and len(listing):
                listing = self._agreed(listing, self.evidence)
            streams = None if moving is None else ledger.flow("stream")[moving].astype(np.int64)
            self._tell(self.announcer.look(listing, now, streams), now)
        older = [] if self.leaks is None else self.leaks.look(ledger, self.analysis.book)
        for viewer in self.viewers:
            if older:
                viewer.heard(older, now, self)
            viewer.looked(ledger, now, self)

    def _agreed(self, listing: FindingList, evidence: KernelEvidence) -> FindingList:
        """What this host's kernel does not contradict."""
        agreed = evidence.agreed(listing, self.analysis.book, lambda: self.newest)
        if evidence.contradicted:
            self.totals.note(
                "the packets left sockets of this host in a state in which its kernel has not got them (packets were "
                "missed): no finding was made of these"
            )
        return agreed

    def _lossy(self, table: RuleFindings, now: int) -> NDArray[np.bool_]:
        """Which findings of a rule are about connections, or crowds, that lived while packets were lost."""
        begun = np.where(table.columns["stream"] >= 0, table.columns["start"], now)
        return self.losses.hit(begun, np.full(len(begun), now))

    def _moving(self, ledger: Ledger) -> NDArray[np.bool_]:
        """Connections of which a verdict may have changed since the look before: something passed, or they are opening
        or closing, and silence alone says more and more."""
        over = np.isin(ledger.own("state"), RESTING).all(axis=1)
        return np.asarray(~over | (ledger.flow("end_time") >= self._judged_until - 2 * SECOND))

    def _tell(self, news: Sequence[Announcement], now: int) -> None:
        self.totals.announced += sum(1 + told.more for told in news if not told.over)
        if news:
            for viewer in self.viewers:
                viewer.told(news, now, self)

    def _end(self, trouble: TeardownError | OSError | None) -> None:
        """Close everything in order; raises ``trouble`` or what the source died of, once all is done."""
        silent = not self.stream.ended  # it was still capturing: the silence since the last packet is known
        if trouble is None:
            try:
                self._take_rest()
            except (TeardownError, OSError) as error:
                trouble = error
        left = self.stream.discard() if self.commands.hurry else 0
        self.stream.close()
        now = max(self.totals.last_ns or 0, (self.clock.now(left > 0) or 0) if silent else 0)
        self._count_losses(now, left)
        self.totals.last_ns = now or None
        analysed = self.analysis.result([self.totals.source], self.stream, now)
        self.totals.segments, self.totals.bytes = analysed.summary.segments, analysed.summary.bytes
        if forgotten := self.analysis.departed.half_open_forgotten:
            many = counted(forgotten, "half-open connection")
            self.totals.note(f"{many} left memory and are not counted in TD316: its counts are at least so many")
        for notice in analysed.summary.notices:
            self.totals.note(notice.text)
        try:
            self._close_all(analysed, now)
        except (TeardownError, OSError) as error:
            trouble = trouble or error
        if trouble is not None:
            raise trouble
        if self.stream.trouble and not self.commands.stop:  # systemd ends the engine, too
            raise UnreadableCapture(self.stream.trouble)

    def _take_rest(self) -> None:
        """Analyse what was captured until now; then the source ends, and what it still says is taken."""
        asked, deadline = inner(time.time_ns()), time.monotonic() + LAST_WORDS
        wanted = self.limits.count is None or self.totals.packets < self.limits.count
        heard = time.monotonic()
        while wanted and not self.stream.ended and time.monotonic() - heard < self.stream.delay:
            if self.commands.hurry and time.monotonic() > deadline:
                return
            packets = self.stream.poll(0.05)
            if packets is not None:
                wanted = inner(int(packets.rows["time"].min())) <= asked
                heard = time.monotonic()
                self._take(packets)
        self.stream.stop()
        while not self.stream.ended and time.monotonic() - heard < SILENT:
            if time.monotonic() > deadline and (self.commands.hurry or not wanted):
                return
            packets = self.stream.poll(0.05)
            if packets is not None:
                heard = time.monotonic()
                self._take(packets)

    def _close_all(self, analysed: Analysed, now: int) -> None:
        """The books of everything that was kept are closed: announce and hand on the rest."""
        self._retirement.less_sure(analysed)
        self._hand_on(analysed)
        streams, listing = analysed.tables.streams().astype(np.int64), analysed.listing
        if self.evidence is not None and len(listing):
            listing = self._agreed(listing, self.evidence)
        self._tell(self.announcer.close(listing, streams) + self.announcer.crowds(listing, now), now)

    def _hand_on(self, analysed: Analysed) -> None:
        self.totals.count(analysed)
        finished = Finished(analysed)
        for viewer in self.viewers:
            viewer.closed(finished, self)
