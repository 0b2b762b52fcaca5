"""Segments of one connection come to the tracker together, or not at all.

Following a connection segment by segment, with thousands of others between, costs more in waiting for memory than in
thinking; and what the tracker knows of a connection takes twice the memory of the dozen segments that it learnt it
from. So the segments of a capture wait here, in 40 bytes each, until nothing more is to be expected of their
connection. Then most of them hold no surprise and take the fast path (``whole_flow``); the others go on behind one
another, are followed, and as a rule finished at once: the next have the same memory, which is still in
the processor's cache.

Nothing comes out otherwise for that. What the tracker makes of a connection depends on its own segments, and on the
clock of the capture in two ways only: a segment long after the end is late, and one whose time is far behind the clock
is noted. Segments of which that might be true do not wait, nor do those of connections with many segments. What waited
of such a connection goes on, and from then on all of it is apart: it goes on as it comes. Connections which had the
same addresses and ports, one shortly after the other, wait for each other and go on together.
"""

from collections.abc import Iterator
from copy import copy
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import Gaps
from analyzer.flows.wanted import WantedFlows
from analyzer.memory import GrowingRows, MemoryPreallocator, ReusableArrays
from analyzer.segments.table import SEGMENT
from analyzer.settings import Settings
from analyzer.tcp.timers import timers_of
from analyzer.threads import prefetched
from analyzer.tracker.fast_path import buffered, release
from analyzer.tracker.fast_path.buffered import A_BUNDLE, BUFFER, CHAIN, GROUP, PLACE, STORED
from analyzer.tracker.fast_path.reused import TOOK_OVER
from analyzer.tracker.flow_record import ENDING, ENTRY
from analyzer.tracker.limits import RETENTION_NS, RETENTION_RESET_NS, context_of, show_gaps
from analyzer.tracker.signs import EVERYTHING, Asked
from analyzer.tracker.storage.pools import Pools

QUIET_NS = RETENTION_NS // 2  # silence of a flow after which its next segment might be late: with a wide margin
LAG_NS = 1_000_000_000  # a segment that is so far behind the clock does not wait, wherever that is not noted
TOGETHER = 65_536  # segments that go on together, at most
CONCLUDED_AT_ONCE = 4096  # flows: several times as many wait to be judged, and their rows are long
PREFETCHED_PARTS = 3  # that a second thread may be ahead at the end
LOOKED_FOR_NS = RETENTION_NS // 16  # how often silent flows are looked for
BUNDLES_A_FLOW, ROWS_A_FLOW = 3, 12
AHEAD, FEW = 8192, 1000  # flows for which there is to be memory beforehand, once there are more than a few
NEVER, ALWAYS = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Released(NamedTuple):
    """What goes on to the tracker: flows that are told already; ``whole`` (SEGMENT), flow after flow, none of which was
    followed before; and then ``apart`` (SEGMENT), in the order of the capture. ``clocks`` is the highest frame time at
    each of these, ``clock`` after all. ``last``: the capture has ended, at ``clock``, and no more comes of the flows in
    ``whole``."""

    concluded: "Concluded"
    whole: NDArray[np.void]
    apart: NDArray[np.void]
    clocks: NDArray[np.int64] | None
    clock: int
    last: bool = False


class Concluded(NamedTuple):
    """Flows that are told: ``endings`` (ENDING), their timelines behind one another in ``entries`` (ENTRY) and how long
    each is in ``lengths``. Those that took over from another flow stand from the back of these on, as many as there are
    rows of ``reused`` (TOOK_OVER); ``ordinary`` is how many others there are."""

    ordinary: int
    endings: NDArray[np.void]
    reused: NDArray[np.void]
    entries: NDArray[np.void]
    lengths: NDArray[np.uint32]


NOTHING_CONCLUDED = Concluded(
    0, np.empty(0, ENDING), np.empty(0, TOOK_OVER), np.empty(0, ENTRY), np.empty(0, np.uint32)
)


class OutputMemory:
    """Memory for what goes on, used again once nobody has any of it."""

    def __init__(self, timelines: bool) -> None:
        flows = CONCLUDED_AT_ONCE
        entries = CHAIN * release.ROWS + ROWS_A_FLOW * flows if timelines else 1
        self._whole, self._clocks = ReusableArrays(SEGMENT, TOGETHER), ReusableArrays(np.int64, TOGETHER)
        self._endings, self._reused = ReusableArrays(ENDING, flows), ReusableArrays(TOOK_OVER, flows)
        self._entries, self._lengths = ReusableArrays(ENTRY, entries), ReusableArrays(np.uint32, flows)
        self._timelines = timelines

    def segments(self) -> tuple[NDArray[np.void], NDArray[np.int64]]:
        """For segments that go on together, and for clocks."""
        return self._whole.get(), self._clocks.get()

    def concluded(self) -> Concluded:
        """For flows that are told."""
        entries, lengths = self._entries.get(), self._lengths.get()
        lengths[:] = 0
        return Concluded(
            0, self._endings.get(), self._reused.get(), entries if self._timelines else entries[:0], lengths
        )


def as_they_come(batch: NDArray[np.void]) -> Released:
    """``batch`` as it is, for a tracker that gets all segments of the capture like that."""
    return Released(NOTHING_CONCLUDED, batch[:0], batch, None, 0)


class FlowBuffer:
    """Takes segments in the order of the capture. The memory of what it gives is used again once nobody has it."""

    def __init__(
        self,
        settings: Settings,
        gaps: Gaps | None = None,
        asked: Asked = EVERYTHING,
        wanted: WantedFlows | None = None,
    ) -> None:
        self._gaps, self._asked = gaps or Gaps(), asked
        self._kept_whole = wanted  # nothing of these waits: their segments are kept as they come
        self._places = GrowingRows(PLACE, 1024)
        self._groups, self._stored = GrowingRows(GROUP, 1024), GrowingRows(STORED, 1024 * A_BUNDLE)
        self._free = GrowingRows(np.int32, 1024)  # bundles that are free again
        self._buffer = np.zeros(1, BUFFER)
        self._buffer["groups_taken"] = self._buffer["bundles_taken"] = 1
        self._buffer["quiet"], self._buffer["lag"] = QUIET_NS, min(LAG_NS, settings.clock_back_ns)
        self._buffer["gathered_at_most"] = TOGETHER
        self._settings, self._output = settings, OutputMemory(settings.keep_timeline)
        (self._whole, self._clocks), self._concluded = self._output.segments(), self._output.concluded()
        self._scratch_flow = ScratchFlow(settings, self._gaps, asked)
        self._silent_since = np.zeros(4, np.int64)  # see ``release``
        self._retention = max(RETENTION_NS, timers_of(settings).time_wait.length)  # then no timer runs any more
        self._looking = (1, 1)  # the rows of groups that have not been looked at yet
        self._looked_at = 0  # the clock when that began
        self._preallocator = MemoryPreallocator()
        self._lay_out()

    @property
    def late(self) -> int:
        """Segments that came more than a minute after their flow was over, which was told by then."""
        return int(self._buffer["late"][0])

    @property
    def taken(self) -> int:
        """Flows that there was ever memory for at a time."""
        return int(self._buffer["groups_taken"][0]) - 1

    def runs_short(self) -> bool:
        """Whether it is time for :meth:`make_ready`: half of what it had ready is used, and there are many flows."""
        return self.taken > FEW and self._preallocator.lacks(self._wanted(AHEAD // 2))

    def make_ready(self) -> None:
        """Have memory for the next flows, so that nothing waits for it; for another thread to call."""
        self._preallocator.get(self._wanted(AHEAD))

    def take(self, batch: NDArray[np.void], flow_rows: NDArray[np.void]) -> Iterator[Released]:
        """What goes on once ``batch`` has come (dtype SEGMENT, ``sender`` filled in); ``flow_rows`` is the flow table
        so far. Parts of the batch are among it; there is always something."""
        if len(self._places) < len(flow_rows):
            self._places.grow(max(len(flow_rows), 2 * len(self._places)))
            self._lay_out()
        if self._kept_whole is not None:
            self._places.rows["group"][self._kept_whole.look(flow_rows)] = buffered.AWAITED
        for start in range(0, max(len(batch), 1), TOGETHER):
            yield from self._take(batch[start : start + TOGETHER], flow_rows)

    def _take(self, batch: NDArray[np.void], flow_rows: NDArray[np.void]) -> Iterator[Released]:
        begin = done = self._buffer["left"] = 0
        while True:
            done = buffered.sort_out(self._buffer, batch, done, flow_rows, self._clocks)
            if done == len(batch):
                break
            if not self._grow():
                yield self._gathered(batch, begin)
                begin = self._buffer["left"] = done
        self._look(flow_rows)
        yield self._gathered(batch, begin)

    def rest(self, end_time: int, flow_rows: NDArray[np.void]) -> Iterator[Released]:
        """All that still waits, once the capture has ended; where that is much, two threads see to it."""
        self._buffer["left"], self._buffer["clock"] = 0, end_time
        stop = self.taken + 1
        if stop < CONCLUDED_AT_ONCE:
            yield from self._rest(1, stop, flow_rows)
            return
        others = prefetched(self._another()._rest(stop // 2, stop, flow_rows), PREFETCHED_PARTS)
        for pair in zip_longest(self._rest(1, stop // 2, flow_rows), others):
            yield from filter(None, pair)

    def _rest(self, start: int, stop: int, flow_rows: NDArray[np.void]) -> Iterator[Released]:
        everything = np.full(4, ALWAYS)
        while start < stop:
            start = self._depart(start, stop, everything, flow_rows, ended=True)
            yield self._gathered(self._whole[:0], 0)._replace(last=True)

    def _another(self) -> "FlowBuffer":
        """One with the same groups, which may let others of them go at the end at the same time."""
        other = copy(self)
        other._buffer, other._scratch_flow = self._buffer.copy(), ScratchFlow(self._settings, self._gaps, self._asked)
        other._output = OutputMemory(self._settings.keep_timeline)
        (other._whole, other._clocks), other._concluded = other._output.segments(), other._output.concluded()
        other._lay_out()
        return other

    def _gathered(self, batch: NDArray[np.void], begin: int) -> Released:
        """What goes on now; of ``batch`` from place ``begin`` on."""
        buffer = self._buffer[0]
        _, endings, reused, entries, lengths = self._concluded
        concluded = Concluded(
            int(buffer["concluded"]), endings, reused[: buffer["taken_over"]], entries[: buffer["entries"]], lengths
        )
        apart, clocks = batch[begin : buffer["left"]], self._clocks[begin : buffer["left"]]
        given = Released(concluded, self._whole[: buffer["gathered"]], apart, clocks, int(buffer["clock"]))
        self._whole, self._clocks = self._output.segments()
        if concluded.ordinary + len(concluded.reused):
            self._concluded = self._output.concluded()
        buffer["gathered"] = buffer["concluded"] = buffer["taken_over"] = buffer["entries"] = 0
        self._lay_out()
        return given

    def _grow(self) -> bool:
        """Make room for more groups or segments that wait; False where there is enough."""
        buffer = self._buffer[0]
        more_groups = bool(buffer["groups_taken"] >= buffer["groups_in_all"])
        more_bundles = bool(buffer["bundles_taken"] >= buffer["bundles_in_all"])
        if more_groups:
            self._groups.grow(2 * len(self._groups))
        if more_bundles:
            self._stored.grow(2 * len(self._stored))
            self._free.grow(2 * len(self._free))
        self._lay_out()
        return more_groups or more_bundles

    def _lay_out(self) -> None:
        """Tell the kernels where everything is now."""
        buffer = self._buffer[0]
        for name, rows in (("places", self._places), ("groups", self._groups), ("stored", self._stored)):
            buffer[name] = rows.address
        buffer["free"], buffer["whole"] = self._free.address, self._whole.ctypes.data
        buffer["groups_in_all"], buffer["bundles_in_all"] = len(self._groups), len(self._free)

    def _look(self, flow_rows: NDArray[np.void]) -> None:
        """Let flows go of which nothing more is expected, as far as there is room."""
        clock, (start, stop) = int(self._buffer["clock"][0]), self._looking
        if start == stop and clock > self._looked_at + LOOKED_FOR_NS:
            start, stop, self._looked_at = 1, self.taken + 1, clock
            self._silent_since[:] = (
                NEVER,
                clock - self._retention,
                clock - RETENTION_RESET_NS,
                clock - RETENTION_RESET_NS,
            )
        self._looking = self._depart(start, stop, self._silent_since, flow_rows), stop

    def _depart(
        self, start: int, stop: int, since: NDArray[np.int64], flow_rows: NDArray[np.void], ended: bool = False
    ) -> int:
        context = self._scratch_flow.context(flow_rows, int(self._buffer["clock"][0]))
        looked_for = (start, stop, since, int(ended))
        _, endings, reused, entries, lengths = self._concluded
        stopped: int = release.release(self._buffer, context, *looked_for, endings, reused, entries, lengths)
        return stopped

    def _wanted(self, more: int) -> list[tuple[GrowingRows, int]]:
        """Rows, and up to where so many flows more will need them."""
        bundles = int(self._buffer["bundles_taken"][0]) + BUNDLES_A_FLOW * more
        return [(self._groups, self.taken + 1 + more), (self._stored, A_BUNDLE * bundles)]


class ScratchFlow:
    """The ledger's rows of one flow, for flows that take the fast path one after the other."""

    def __init__(self, settings: Settings, gaps: Gaps, asked: Asked) -> None:
        self._context, self._gaps, self._bounds = context_of(settings, asked), gaps, gaps.bounds
        self._timeline: NDArray[np.void] = np.zeros(release.ROWS, ENTRY)
        self._context["timeline"] = self._timeline.ctypes.data if settings.keep_timeline else 0
        self._pools = Pools()
        self._pools.lay_out(self._context)

    def context(self, flow_rows: NDArray[np.void], clock: int) -> NDArray[np.void]:
        """What the kernels have in front of them."""
        self._context["tuples"], self._context["clock"] = flow_rows.ctypes.data, clock
        self._bounds = show_gaps(self._context, self._gaps)
        return self._context
