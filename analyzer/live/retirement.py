"""Connections leave a watch while it goes on: those that are over, that are silent for too long, that are too many.

What is found of them is announced before they are forgotten, and handed on with their tables.
"""

import contextlib
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from analyzer.engine.pipeline import Analysis
from analyzer.live.announcements import Announcement, Announcer
from analyzer.live.clock import CaptureClock
from analyzer.live.losses import Losses
from analyzer.live.totals import WatchTotals
from analyzer.results.result import Analysed
from analyzer.tcp.states import State
from analyzer.units import SECOND

MOST_ROWS = 1_000_000  # of the table by which segments find their connection, finished ones included: 120 bytes each
MANY = 8192  # connections whose memory is given back to the system when they leave at once
CROWDED = 1.25  # connections are given up at once, not at the next look, beyond so many times --max-flows


def trim() -> None:
    """Give back to the system what was freed a moment ago; the C library keeps it else, where something lies behind."""
    with contextlib.suppress(AttributeError, OSError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(frozen=True)
class Limits:
    """When a watch ends by itself, and how much it remembers."""

    duration_ns: int | None = None
    count: int | None = None
    idle_ns: int = 24 * 3600 * SECOND
    max_flows: int = 100_000


@dataclass
class Retirement:
    """Closes the books of connections. ``tell`` is given what is announced and when, ``hand_on`` what left."""

    analysis: Analysis
    limits: Limits
    totals: WatchTotals
    losses: Losses
    tell: Callable[[Sequence[Announcement], int], None]
    hand_on: Callable[[Analysed], None]
    clock: CaptureClock = field(default_factory=CaptureClock)
    announcer: Announcer = field(default_factory=Announcer)

    @property
    def urgent(self) -> bool:
        """Whether there are too many connections to wait for the next look."""
        return self.analysis.held > self.limits.max_flows * CROWDED

    def evict(self) -> None:
        """Close the books of what is over, and of what is too much."""
        self._closed(self.analysis.retire())
        before = self.analysis.held
        self._closed(self.analysis.drop_idle(self.limits.idle_ns, 1 << 62))
        self.totals.idle += before - self.analysis.held
        before = self.analysis.held
        if before > self.limits.max_flows:
            half_open = self.analysis.departed.half_open
            self._closed(self.analysis.drop_idle(1 << 62, self.limits.max_flows))
            self.totals.crowded_out += before - self.analysis.held
            self.totals.half_open_out += self.analysis.departed.half_open - half_open
            if before - self.analysis.held >= MANY:
                trim()

    def forget(self) -> bool:
        """Forget the addresses of what left long ago. Returns whether segments decoded before mean nothing any more."""
        forgotten = self.analysis.forget(MOST_ROWS)
        if forgotten:
            trim()
        return forgotten

    def less_sure(self, analysed: Analysed) -> None:
        """Lower the confidence of findings about connections that lived while packets were lost."""
        if not (self.losses.total or not self.losses.known) or not len(analysed.listing):
            return
        endings, _ = analysed.tables.whole()
        ended = np.isin(endings["client_state"], (State.CLOSED, State.TIME_WAIT))
        last = np.where(ended, endings["last_epoch"], self.clock.now() or 0)
        lossy = endings["stream"][self.losses.hit(endings["first_epoch"], last)]
        self.losses.lower(analysed.listing, lambda table: np.isin(table.columns["stream"], lossy))

    def _closed(self, analysed: Analysed) -> None:
        """Hand on what there is of connections whose books are closed. A crowd is judged among all that are kept, not
        among those that leave."""
        if not analysed.overview.flows:
            return
        analysed.listing = analysed.listing.some(lambda table: table.columns["stream"] >= 0)
        self.less_sure(analysed)
        streams = analysed.tables.streams().astype(np.int64)
        self.tell(self.announcer.close(analysed.listing, streams), self.clock.now() or 0)
        self.hand_on(analysed)
