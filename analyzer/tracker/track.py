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

Where to look: the arrows in ``transitions``, what acknowledgments show in ``acknowledge``, what segments carry in
``carry``, resets in ``resets``, the order of it all in ``step``; the facts kept in ``ledger`` and ``log``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.settings import Settings
from analyzer.tracker import step
from analyzer.tracker.desk import BOOKS_CLOSED, DESK, PLACE
from analyzer.tracker.ledger import CONNECTION, ENDPOINT
from analyzer.tracker.log import LOG
from analyzer.tracker.timers import profile
from analyzer.tracker.transitions import State

SLACK_NS = 300_000  # scheduling and interrupt delays on a host: how late an answer may be beyond its way
DUPLICATE_BLIND_NS = (
    1_000_000  # no stack repeats a segment this fast (Linux: 2 ms for a loss probe, else 200 ms)
)
DUPLICATE_BY_ID_NS = 3_000_000_000  # with a moving IP identification: less than any host needs to come round
REPEAT_NS = 200_000_000  # no stack repeats for want of an answer before this (Linux TCP_RTO_MIN)
REORDERING_NS = 5_000_000  # how long after a RST its sender's earlier segments may still come by
LINGER_NS = 60_000_000_000  # a flow that has been over this long is over: what still comes is counted, not judged
LINGER_RESET_NS = 300_000_000_000  # the same after a RST, which its receiver may not have got
LOG_PLACES = ("mark_event", "last_event", "proof_event", "peer_fin_event")  # columns that hold rows of the log


class Books(NamedTuple):
    """The ledger's arrays for some flows: ``ends`` (dtype ENDPOINT, two rows a flow), ``flows`` (CONNECTION, in the
    order of the flow table) and ``log`` (LOG, ``end`` being a row of ``ends``)."""

    ends: NDArray[np.void]
    flows: NDArray[np.void]
    log: NDArray[np.void]


class Tracker:
    """Follows both endpoints of every flow through the state machine, batch by batch.

    Flows are kept in slots until their books are closed; then the slot is used again. How the capture is cut into
    batches, and when books are closed, makes no difference to the result.
    """

    def __init__(self, settings: Settings) -> None:
        timers = profile(settings.profile)
        self._desk = np.zeros(1, DESK)
        self._desk["time_wait_length"] = timers.time_wait
        self._desk["fin_wait_2_length"] = timers.fin_wait_2
        self._desk["slack"] = SLACK_NS
        self._desk["repeat"] = REPEAT_NS
        self._desk["duplicate_blind"] = DUPLICATE_BLIND_NS
        self._desk["duplicate_by_id"] = DUPLICATE_BY_ID_NS
        self._desk["reordering"] = REORDERING_NS
        self._desk["linger"], self._desk["linger_reset"] = LINGER_NS, LINGER_RESET_NS
        self._places = np.zeros(1024, PLACE)
        self._start()

    @property
    def late(self) -> int:
        """Segments of flows that had been over for so long that their books were closed; they change nothing."""
        return int(self._desk["late"][0])

    @property
    def clock(self) -> int:
        """The highest frame time so far, nanoseconds."""
        return int(self._desk["clock"][0])

    @property
    def held(self) -> NDArray[np.intp]:
        """Slots of the flows that are still kept, in the order of the flow table."""
        flows = self._flows[: int(self._desk["slots"][0])]
        slots = np.flatnonzero(flows["first_frame"])
        return slots[np.argsort(flows["row"][slots], kind="stable")]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the flow table of the flows that are still kept."""
        return np.asarray(self._flows["row"][self.held], np.int64)

    def _start(self) -> None:
        """Nothing is kept yet. The log's first row belongs to nobody: 0 stands for no row."""
        self._desk["used"], self._desk["slots"], self._desk["free"] = 1, 0, -1
        self._ends = np.zeros(2048, ENDPOINT)
        self._flows = np.zeros(1024, CONNECTION)
        self._log = np.zeros(8192, LOG)

    def feed(self, batch: NDArray[np.void], flow_rows: NDArray[np.void]) -> None:
        """Track ``batch`` (dtype SEGMENT, ``sender`` filled in); ``flow_rows`` is the flow table so far (FLOW).

        Sets the DUPLICATE mark of segments that show a packet a second time.
        """
        while len(self._places) < len(flow_rows):
            self._places = _grown(self._places)
        self._desk["tuples"] = flow_rows.ctypes.data
        done = 0
        while done < len(batch):
            self._lay_out()
            done = step.run(self._desk, batch, done, self._room, len(self._flows))
            if done < len(batch):
                self._grow()

    def finish(self, end_time: int) -> Books:
        """Close all books at the capture's end, ``end_time`` in nanoseconds: timers that have run out by then, and the
        state in which every endpoint is left."""
        return self._close(self.held, end_time)

    def retire(self) -> Books:
        """Close the books of the flows that have been over for long enough, and forget them.

        When this is called makes no difference to any result: later segments of such a flow are late either way.
        """
        held = self.held
        ends, flows = self._ends.reshape(-1, 2)[held], self._flows[held]
        over = np.isin(ends["state"], (State.CLOSED, State.TIME_WAIT)).all(axis=1)
        linger = np.where(ends["rst_count"].sum(axis=1) > 0, LINGER_RESET_NS, LINGER_NS)
        end = np.maximum(flows["end_time"], ends["deadline"].max(axis=1))
        return self._close(held[over & (self.clock - end > linger)], self.clock)

    def drop(self, slots: NDArray[np.intp]) -> Books:
        """Close the books of ``slots`` now, whatever their state, and forget them."""
        return self._close(slots, self.clock)

    def forget(self, kept: NDArray[np.intp]) -> None:
        """The flow table keeps its rows ``kept`` only (ascending), among them those of all flows held."""
        held = self.held
        new_row = np.full(len(self._places) + 1, -1)  # the last place is for "none", -1
        new_row[kept] = np.arange(len(kept))
        self._flows["row"][held] = new_row[self._flows["row"][held]]
        places = self._places[kept]
        self._places = np.concatenate([places, np.zeros(max(1024, len(places)), PLACE)])

    def orphan(self, rows: NDArray[np.void]) -> None:
        """Flows whose older flow on the same tuple is no longer in the flow table, ``rows``, know it no more."""
        held = self.held
        gone = rows["previous"][self._flows["row"][held]] < 0
        self._flows["old_end"][held[gone]] = -1

    def idle(self, idle_ns: int, keep: int) -> NDArray[np.intp]:
        """Slots of the flows silent for longer than ``idle_ns``, and of the least telling beyond ``keep``: first
        those that are over, then attempts that were never answered, then the most silent of the others."""
        held = self.held
        silent = self._flows["end_time"][held]
        state = self._ends["state"].reshape(-1, 2)[held]
        over = np.isin(state, (State.CLOSED, State.TIME_WAIT)).all(axis=1)
        opening = np.isin(state, (State.SYN_SENT, State.SYN_RECEIVED)).any(axis=1)
        newest = np.lexsort((-silent, 2 * over + opening))[:keep]
        spared = np.zeros(len(held), np.bool_)
        spared[newest] = self.clock - silent[newest] <= idle_ns
        return held[~spared]

    def glance(self, now: int) -> Books:
        """The books of all flows still kept as at ``now``, timers included; nothing is changed or forgotten."""
        held = self.held
        ends = self._ends.reshape(-1, 2)[held].reshape(-1)
        ends["state"][(ends["deadline"] > 0) & (ends["deadline"] <= now)] = State.CLOSED
        return Books(ends, self._flows[held], self._entries(held)[0])

    def _close(self, slots: NDArray[np.intp], end_time: int) -> Books:
        self._lay_out()
        done = 0
        while done < len(slots):
            done = step.close_books(self._desk, slots, done, end_time, self._room)
            if done < len(slots):
                self._grow()
        if len(slots) == self._desk["slots"][0] and np.array_equal(slots, np.arange(len(slots))):
            return self._hand_over(len(slots))
        entries, kept = self._entries(slots)
        books = Books(self._ends.reshape(-1, 2)[slots].reshape(-1), self._flows[slots], entries)
        self._forget(slots, kept)
        return books

    def _hand_over(self, flows: int) -> Books:
        """Everything, as it stands: nothing need be copied. The tracker begins anew in other memory."""
        books = Books(self._ends[: 2 * flows], self._flows[:flows], self._log[1 : int(self._desk["used"][0])])
        self._places["slot"][self._flows["row"][:flows]] = BOOKS_CLOSED
        self._start()
        return books

    def _entries(self, slots: NDArray[np.intp]) -> tuple[NDArray[np.void], NDArray[np.bool_]]:
        """The log of ``slots``, its column ``end`` numbered by their order; and which rows of the log are others'."""
        log = self._log[: int(self._desk["used"][0])]
        order = np.full(len(self._flows), -1)
        order[slots] = np.arange(len(slots))
        owner = order[log["end"] >> 1]
        owner[0] = -1  # the log's first row belongs to nobody: 0 stands for no row
        entries = log[owner >= 0]
        entries["end"] = 2 * owner[owner >= 0] + (entries["end"] & 1)
        return entries, owner < 0

    def _forget(self, slots: NDArray[np.intp], kept: NDArray[np.bool_]) -> None:
        """Free ``slots`` and close up the log to the rows ``kept``."""
        place = np.where(kept, np.cumsum(kept) - 1, 0)
        log = self._log[: len(kept)][kept]
        log["previous"] = place[log["previous"]]
        self._log[: len(log)] = log
        self._desk["used"] = len(log)
        self._places["slot"][self._flows["row"][slots]] = BOOKS_CLOSED
        self._ends.reshape(-1, 2)[slots] = np.zeros(1, ENDPOINT)
        self._flows[slots] = np.zeros(1, CONNECTION)
        for name in LOG_PLACES:
            column = self._ends[name]
            column[:] = place[column]
        if len(slots):
            self._flows["row"][slots] = [*slots[1:], int(self._desk["free"][0])]
            self._desk["free"] = slots[0]

    @property
    def _room(self) -> int:
        """Rows of the log that may be in use before another segment is taken in."""
        return len(self._log) - step.ROWS_A_SEGMENT

    def _lay_out(self) -> None:
        """Tell the kernels where the arrays lie now."""
        self._desk["ends"], self._desk["flows"] = self._ends.ctypes.data, self._flows.ctypes.data
        self._desk["places"], self._desk["log"] = self._places.ctypes.data, self._log.ctypes.data

    def _grow(self) -> None:
        """Make room in what is full: the log, or the slots."""
        if self._desk["used"][0] > self._room:
            self._log = _grown(self._log)
        else:
            self._ends, self._flows = _grown(self._ends), _grown(self._flows)
        self._lay_out()


def _grown(array: NDArray[np.void]) -> NDArray[np.void]:
    """``array`` with three times as much room behind it; memory that is not used yet is not taken yet either."""
    grown: NDArray[np.void] = np.zeros(4 * len(array), array.dtype)
    grown[: len(array)] = array
    return grown
