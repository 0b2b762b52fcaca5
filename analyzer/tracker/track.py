"""The tracker: what each endpoint of each connection went through, and how surely that is known.

The observer's stance, on which everything here rests: a capture shows what was *sent*, never what *arrived*. So a
segment moves its **sender**, first by what its acknowledgment proves the sender had received, then by what it
carries (RFC 9293 takes the acknowledgment before the FIN too). A segment that moved both sides on sight would call
crossing FINs an ordinary close and misjudge every repeated FIN.

Three things no later segment can prove, so they are assumed when they pass the tap: that a RST, an acknowledgment
of a SYN and an acknowledgment of a FIN arrived. If the endpoint then repeats its FIN (its SYN-ACK, goes on sending
after the RST), later than the answer could have crossed it, the assumption is taken back.

Every entry has a best time and bounds. What was sent left the host before it passed the tap; what was received
arrived after it passed the tap and before the endpoint's own proving segment did. How far the host is, is measured
where something and its answer pass the tap (the handshake first of all): half of that is the way there.

Most connections of a capture are never followed segment by segment: ``flow_buffer`` has their segments wait for one
another, and ``whole_flow`` tells at once what becomes of those in which nothing unforeseen happens.

Where to look for what says the package itself (``tracker/__init__.py``).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import Gaps
from analyzer.memory import GrowingRows, copy_rows
from analyzer.segments.table import UNTRACKED
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker import finish, ordinary_record, step, timeline
from analyzer.tracker.context import NOT_YET, PLACE
from analyzer.tracker.fast_path.flow_buffer import Concluded, Released
from analyzer.tracker.fast_path.reused import facts_of
from analyzer.tracker.flow_record import ENDING, ENTRY
from analyzer.tracker.ledger import CONNECTION, ENDPOINT
from analyzer.tracker.limits import RETENTION_NS, context_of, show_gaps
from analyzer.tracker.ordinary import ORDINARY, OTHER, REUSED, tell_signs
from analyzer.tracker.signs import EVERYTHING, Asked
from analyzer.tracker.storage.pools import PIECE, Pools
from analyzer.tracker.storage.slots import copy_ledger_rows, put_away
from analyzer.tracker.storage.transpose import OF_OTHER, OF_REUSED, ChosenColumns, LedgerColumns, columns_of
from analyzer.tracker.time_wait import ran_out

FLOWS_AT_ONCE = 4096  # flows that are finished together: their rows stay in the processor's cache
RESTING = (State.CLOSED, State.TIME_WAIT)
NOTHING = LedgerColumns(
    OF_REUSED,
    np.empty((len(OF_REUSED.ends), 2, 0), np.int64),
    np.empty((len(OF_REUSED.flows), 0), np.int64),
    np.empty(0, np.int64),
)


class LedgerRows(NamedTuple):
    """The ledger's arrays for some flows: ``ends`` (dtype ENDPOINT, two rows a flow), ``flows`` (CONNECTION) and their
    ``signs`` (bits of Sign)."""

    ends: NDArray[np.void]
    flows: NDArray[np.void]
    signs: NDArray[np.int64]


class Ended(NamedTuple):
    """Some flows of one kind (ORDINARY, REUSED, OTHER) that are finished.

    ``endings`` (ENDING) has a row for each, only what was noted where they are OTHER; ``facts`` are what the rules may
    ask of them, nothing where they are ORDINARY; ``entries`` (ENTRY) their timelines, ``lengths`` how long each is.
    After those that are the ``last`` nothing comes any more; all flows left in CLOSE_WAIT are among them."""

    kind: int
    endings: NDArray[np.void]
    facts: LedgerColumns
    entries: NDArray[np.void]
    lengths: NDArray[np.uint32]
    last: bool = False


def in_portions(slots: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """``slots``, so many at a time as are closed together."""
    for start in range(0, len(slots), FLOWS_AT_ONCE):
        yield slots[start : start + FLOWS_AT_ONCE]


def _from_fast_path(concluded: Concluded) -> Iterator[Ended]:
    """Flows that took the fast path, kind by kind."""
    ordinary, endings, reused, entries, lengths = concluded
    last, behind = len(endings) - 1, len(endings) - len(reused)
    if len(reused):
        of_reused = entries["end"] >= 2 * behind
        entries, entries_too = entries[~of_reused], entries[of_reused]
        entries_too["end"] = 2 * (last - (entries_too["end"] >> 1)) | entries_too["end"] & 1
        endings_too: NDArray[np.void] = endings[behind:][::-1].copy()
        lengths_too: NDArray[np.uint32] = lengths[behind:][::-1].copy()
        yield Ended(int(REUSED), endings_too, facts_of(reused, endings_too), entries_too, lengths_too)
    yield Ended(int(ORDINARY), endings[:ordinary], NOTHING, entries, lengths[:ordinary])


class Tracker:
    """Follows both endpoints of every flow through the state machine, batch by batch.

    Flows are kept in slots until they are finished; then the slot is used again. How the capture is cut into batches,
    and when flows are finished, makes no difference to the result.
    """

    def __init__(self, settings: Settings, gaps: Gaps | None = None, asked: Asked = EVERYTHING) -> None:
        self._context, self._gaps = context_of(settings, asked), gaps or Gaps()
        self._bounds = self._gaps.bounds  # that the kernels know of
        self._places = GrowingRows(PLACE, 1024)
        self._pools = Pools()
        self._keeps_timelines = settings.keep_timeline
        self._due = np.zeros(0, np.int64)  # for each piece of the ledger, until when no flow in it can be over
        self._looked = (0, 0)  # slots and clock when flows that are over were last looked for
        self._lay_out()

    @property
    def late(self) -> int:
        """Segments of flows that had been over for so long that they were finished; they change nothing."""
        return int(self._context["late"][0])

    @property
    def clock(self) -> int:
        """The highest frame time so far, nanoseconds."""
        return int(self._context["clock"][0])

    @property
    def held(self) -> NDArray[np.intp]:
        """Slots of the flows that are still kept, in the order of the flow table."""
        slots = self._places.rows["slot"]
        return np.asarray(slots[slots > NOT_YET] - 1, np.intp)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the flow table of the flows that are still kept."""
        return np.asarray(self._pools.flows.rows["row"][self.held], np.int64)

    def feed(
        self, batch: NDArray[np.void], flow_rows: NDArray[np.void], clocks: NDArray[np.int64] | None = None
    ) -> None:
        """Track ``batch`` (dtype SEGMENT, ``sender`` filled in); ``flow_rows`` is the flow table so far (FLOW).

        ``clocks`` is the highest frame time up to each segment, itself included; None where ``batch`` is all that comes
        next in the capture. Sets the DUPLICATE mark of segments that show a packet a second time.
        """
        if clocks is None:
            clocks = self._clocks(batch)
        if len(self._places) < len(flow_rows):
            self._places.grow(max(len(flow_rows), 2 * len(self._places)))
            self._lay_out()
        self._tuples = flow_rows  # they stay where the kernels know them to be, even if the flow table moves its rows
        self._context["tuples"] = flow_rows.ctypes.data
        self._bounds = show_gaps(self._context, self._gaps)
        done = 0
        while done < len(batch):
            done = step.run(self._context, batch, clocks, done)
            if done < len(batch):
                self._grow()

    def _clocks(self, batch: NDArray[np.void]) -> NDArray[np.int64]:
        """The highest frame time up to each segment."""
        times = np.where(batch["marks"] & UNTRACKED, 0, batch["time"])
        return np.maximum.accumulate(np.maximum(times, self.clock))

    def follow(self, given: Released, flow_rows: NDArray[np.void]) -> Iterator[Ended]:
        """Track what comes from :class:`FlowBuffer`. Finishes those of its whole flows that are over, or, once the
        capture has ended, all but those left in CLOSE_WAIT; and forgets them."""
        yield from _from_fast_path(given.concluded)
        self.feed(given.whole, flow_rows, np.ascontiguousarray(given.whole["time"]))
        self.feed(given.apart, flow_rows, given.clocks)
        self._context["clock"] = max(self.clock, given.clock)
        found = np.empty(len(given.whole), np.int64)
        found = found[: finish.find_whole(self._context, given.whole, int(given.last), found)]
        if given.last:
            found = found[~self._leaking(found)]
        yield from self._close(found, self.clock)

    def finish(self, end_time: int) -> Iterator[Ended]:
        """Finish all flows at the capture's end, ``end_time`` in nanoseconds: timers that have run out by then, and the
        state in which every endpoint is left. The tracker's memory is given back meanwhile."""
        held = self.held
        leaking = self._leaking(held)
        left = np.bincount(held // PIECE)  # flows in each piece of the ledger
        for slots in in_portions(held[~leaking]):
            yield from self._closed(slots, end_time)
            closed = np.bincount(slots // PIECE, minlength=len(left))
            left -= closed
            self._pools.let_go(np.flatnonzero((left == 0) & (closed > 0)))
        *more, others = self._closed(held[leaking], end_time)
        self._pools = Pools()
        yield from more
        yield others._replace(last=True)

    def retire(self) -> Iterator[Ended]:
        """Finish the flows that have been over for long enough, and forget them.

        When this is called makes no difference to any result: later segments of such a flow are late either way.
        """
        found = np.empty(self._pools.slots, np.int64)
        self._due = np.append(self._due, np.zeros(-(-len(found) // PIECE) - len(self._due), np.int64))
        count = finish.find_over(self._context, len(found), self._due, found)
        yield from self._close(found[:count], self.clock)
        self._looked = (self._pools.in_use, self.clock)

    def worth_retiring(self) -> bool:
        """Whether so much time has passed, and so many flows have begun, since the last time that it is worth it."""
        slots, clock = self._looked
        return self._pools.in_use > slots + slots // 16 + FLOWS_AT_ONCE and self.clock > clock + RETENTION_NS // 16

    def drop(self, slots: NDArray[np.intp]) -> Iterator[Ended]:
        """Finish the flows in ``slots`` now, whatever their state, and forget them."""
        yield from self._close(slots, self.clock)

    def icmp_senders(self) -> NDArray[np.int32]:
        """Who sent ICMP errors about the flows held, one for each endpoint: rows of the AddressBook."""
        return np.asarray(self._pools.unusual.rows["icmp_from"][self._noted_icmp()], np.int32)

    def _noted_icmp(self) -> NDArray[np.intp]:
        """The rows of UNUSUAL in which ICMP errors are noted."""
        places = self._pools.ends.rows["unusual"].reshape(-1, 2)[self.held].ravel().astype(np.intp)
        return places[self._pools.unusual.rows["icmp_count"][places] > 0]

    def forget(self, kept: NDArray[np.intp], addresses: NDArray[np.int32]) -> None:
        """The flow table keeps its rows ``kept`` only (ascending), among them those of all flows held; address number
        ``addresses[k]`` becomes k."""
        senders = self._noted_icmp()
        self._pools.unusual.rows["icmp_from"][senders] = np.searchsorted(addresses, self.icmp_senders())
        held, flows = self.held, self._pools.flows.rows
        new_row = np.full(len(self._places) + 1, -1)  # the last place is for "none", -1
        new_row[kept] = np.arange(len(kept))
        flows["row"][held] = new_row[flows["row"][held]]
        places = GrowingRows(PLACE, max(1024, len(kept)))
        places.rows[: len(kept)] = self._places.rows[kept]
        self._places = places
        self._lay_out()

    def to_drop(self, idle_ns: int, keep: int) -> NDArray[np.intp]:
        """Slots of the flows silent for longer than ``idle_ns``, and of those that tell least beyond ``keep``: first
        those that are over, then attempts that were never answered, then the most silent of the others."""
        held = self.held
        silent = self._pools.flows.rows["end_time"][held]
        state = self._states(held)
        over = np.isin(state, RESTING).all(axis=1)
        opening = np.isin(state, (State.SYN_SENT, State.SYN_RECEIVED)).any(axis=1)
        newest = np.lexsort((-silent, 2 * over + opening))[:keep]
        spared = np.zeros(len(held), np.bool_)
        spared[newest] = self.clock - silent[newest] <= idle_ns
        return held[~spared]

    def snapshot(self, now: int) -> LedgerRows:
        """The books of all flows still kept as at ``now``, timers included; nothing is changed or forgotten."""
        rows = self._ledger_rows(self.held)
        ends = rows.ends
        ends["state"][ran_out(ends["deadline"], now)] = State.CLOSED
        return rows

    def glance(self, chosen: ChosenColumns, now: int) -> LedgerColumns:
        """The same, with the ``chosen`` columns only; ``state`` and ``deadline`` are among them."""
        facts = self._facts(self.held, chosen)
        facts.end("state")[ran_out(facts.end("deadline"), now)] = State.CLOSED
        return facts

    def so_far(self, slots: NDArray[np.intp], now: int, timelines: bool = True) -> Ended:
        """The same of some flows, with their timelines so far, or without."""
        endings, facts = self._noted(slots, now), self._facts(slots, OF_OTHER)
        state, deadline = facts.end("state"), facts.end("deadline")
        state[ran_out(deadline, now)] = State.CLOSED
        client = facts.flow("client")
        endings["client_state"] = np.where(client == 0, *state)
        endings["server_state"] = np.where(client == 0, *state[::-1])
        none = np.zeros(0, ENTRY), np.zeros(len(slots), np.uint32)
        return Ended(int(OTHER), endings, facts, *(self.timelines(slots) if timelines else none))

    def _noted(self, slots: NDArray[np.intp], end_time: int) -> NDArray[np.void]:
        """What was noted of the flows in ``slots``, as rows of ENDING; nothing is concluded from it yet."""
        endings: NDArray[np.void] = np.empty(len(slots), ENDING)
        ordinary_record.note_down(self._context, np.ascontiguousarray(slots, np.int64), end_time, endings)
        return endings

    def _facts(self, slots: NDArray[np.intp], chosen: ChosenColumns) -> LedgerColumns:
        return columns_of(self._context, np.ascontiguousarray(slots, np.int64), chosen, self._signs(slots))

    def _signs(self, slots: NDArray[np.intp]) -> NDArray[np.int64]:
        """The signs of the flows in ``slots``."""
        signs = np.empty(len(slots), np.int64)
        tell_signs(self._context, np.ascontiguousarray(slots, np.int64), signs)
        return signs

    def timelines(self, slots: NDArray[np.intp]) -> tuple[NDArray[np.void], NDArray[np.uint32]]:
        """The timelines (ENTRY) of the flows in ``slots`` so far, ``end`` counting their places; how long each is."""
        rows, entries, lengths = self._blank(slots)
        written = (
            timeline.write_timelines(self._context, np.asarray(slots, np.int64), rows, entries, lengths)
            if self._keeps_timelines
            else 0
        )
        return entries[:written], lengths

    def _blank(self, slots: NDArray[np.intp]) -> tuple[NDArray[np.void], NDArray[np.void], NDArray[np.uint32]]:
        """Room for the timelines of ``slots``, once they are finished: for the log of any one, for all of them and
        for how long each is; for none where nobody wants them."""
        lengths = np.zeros(len(slots), np.uint32)
        if not self._keeps_timelines:
            return np.zeros(0, ENTRY), np.zeros(0, ENTRY), lengths
        log_rows = self._pools.flows.rows["log_rows"][slots].astype(np.int64) + finish.MORE_ROWS
        return np.zeros(int(log_rows.max(initial=0)), ENTRY), np.empty(int(log_rows.sum()), ENTRY), lengths

    def _states(self, slots: NDArray[np.intp]) -> NDArray[np.uint8]:
        """State of both endpoints, shape (slots, 2)."""
        return np.asarray(self._pools.ends.rows["state"].reshape(-1, 2)[slots])

    def _leaking(self, slots: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of the flows have an endpoint in CLOSE_WAIT."""
        return np.asarray((self._states(slots) == State.CLOSE_WAIT).any(axis=1))

    def _close(self, slots: NDArray[np.intp], end_time: int) -> Iterator[Ended]:
        for some in in_portions(slots):
            yield from self._closed(some, end_time)

    def _closed(self, slots: NDArray[np.intp], end_time: int) -> list[Ended]:
        """Finish the flows in ``slots`` and put them away, kind by kind; the OTHER flows come last."""
        slots, done = np.ascontiguousarray(slots, np.int64), 0
        self._bounds = show_gaps(self._context, self._gaps)
        counts, left = np.zeros(4, np.int64), np.empty(len(slots), np.int64)
        endings: NDArray[np.void] = np.empty(len(slots), ENDING)
        rows, entries, lengths = self._blank(slots)
        while done < len(slots):
            done = finish.finish_flows(
                self._context, slots, done, end_time, 1, counts, left, endings, rows, entries, lengths
            )
            if done < len(slots):
                self._grow()
        ordinary, reused, other, entry_count = counts.tolist()
        behind = len(slots) - reused
        endings_too: NDArray[np.void] = copy_rows(endings[behind:], np.empty(reused, ENDING))
        return [
            Ended(int(ORDINARY), endings[:ordinary], NOTHING, entries[:entry_count], lengths[:ordinary]),
            self._put_away(REUSED, left[behind:], endings_too, OF_REUSED),
            self._put_away(OTHER, left[:other], self._noted(left[:other], end_time), OF_OTHER),
        ]

    def _put_away(
        self, kind: np.int64, slots: NDArray[np.int64], endings: NDArray[np.void], chosen: ChosenColumns
    ) -> Ended:
        """What the rules may ask of the flows in ``slots``, which are forgotten."""
        ended = Ended(int(kind), endings, self._facts(slots, chosen), *self.timelines(slots))
        put_away(self._context, slots)
        return ended

    def _ledger_rows(self, slots: NDArray[np.intp]) -> LedgerRows:
        """A copy of all that is known of the flows in ``slots``, an endpoint's columns and a flow's each in one row."""
        ends: NDArray[np.void] = np.empty(2 * len(slots), ENDPOINT)
        flows: NDArray[np.void] = np.empty(len(slots), CONNECTION)
        copy_ledger_rows(self._context, np.asarray(slots, np.int64), ends.view(np.int32), flows.view(np.int32))
        for what in ("syn", "fin"):  # the last is the first where there was no other
            again, once = ends[f"{what}_last_time"] != 0, ends[f"{what}_count"] > 0
            for kind in ("time", "frame"):
                column = ends[f"{what}_last_{kind}"]
                column[:] = np.where(again | ~once, column, ends[f"{what}_{kind}"])
        return LedgerRows(ends, flows, self._signs(slots))

    def _lay_out(self) -> None:
        """Tell the kernels where the rows lie now."""
        self._pools.lay_out(self._context)
        self._context["places"] = self._places.address

    def _grow(self) -> None:
        """Make room in the pools that are full."""
        self._pools.grow()
        self._lay_out()
