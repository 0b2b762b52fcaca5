"""What the tracker's kernels have in front of them, and the two things they all do: move an endpoint, make a note.

Fence: only numpy and this project's enums inside; the typed wrapper is ``tracker.track``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.compiled import part
from analyzer.tracker.ledger import Known
from analyzer.tracker.log import Basis, Note
from analyzer.tracker.transitions import NO_ARROW, Event, State

USED = 0  # place in `cursor`: rows of the log in use
CLOCK = 1  # place in `cursor`: highest frame time so far

TIME_WAIT_LENGTH = 0  # places in `limits`
FIN_WAIT_2_LENGTH = 1
SLACK = 2
DUPLICATE_BLIND = 3
DUPLICATE_BY_ID = 4
REORDERING = 5

# Names as numbers. numpy's, not Python's: numba compiles a function anew for each Python constant it is called with.
UNKNOWN, CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED = (np.int64(state) for state in list(State)[:6])
FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSE_WAIT, LAST_ACK = (np.int64(state) for state in list(State)[6:])
SENT, PROVEN, ASSUMED, BY_TIMER, AT_END = (np.int64(basis) for basis in Basis)
NO_NOTE, UNEXPECTED = np.int64(Note.NONE), np.int64(Note.UNEXPECTED)
RCVD_FIN, RCVD_ACK_OF_FIN = np.int64(Event.RCVD_FIN), np.int64(Event.RCVD_ACK_OF_FIN)
MID_STREAM = np.int64(Known.MID_STREAM)
NEVER = NO_FRAME = np.int64(0)


class Desk(NamedTuple):
    """The arrays every kernel works on; they are the tracker's memory between batches."""

    ends: NDArray[np.void]  # ENDPOINT, two rows a flow
    flows: NDArray[np.void]  # CONNECTION, one row a flow
    log: NDArray[np.void]  # LOG
    cursor: NDArray[np.int64]
    limits: NDArray[np.int64]
    arrows: NDArray[np.uint8]
    next_state: NDArray[np.uint8]


@part
def knows(e, bits):
    """Whether all of ``bits`` are known of the endpoint."""
    return (np.int64(e["known"]) & bits) == bits


@part
def learn(e, bits):
    e["known"] = np.int64(e["known"]) | bits


@part
def forget(e, bits):
    e["known"] = np.int64(e["known"]) & (0xFFFF ^ bits)


@part
def write(desk, i, event, basis, best, earliest, latest, frame, note):
    """Append a log row for endpoint ``i`` at ``event``; its state follows the table. Returns the log row.

    The caller has made sure that the log has room. The best time never runs before the endpoint's previous one.
    """
    e = desk.ends[i]
    row = np.int64(desk.cursor[USED])
    desk.cursor[USED] = row + 1
    arrow = np.int64(desk.arrows[np.int64(e["state"]), event])
    entry = desk.log[row]
    entry["end"] = i
    entry["previous"] = e["last_event"]
    entry["event"] = event
    entry["arrow"] = arrow
    entry["from_state"] = e["state"]
    entry["basis"] = basis
    entry["void"] = 0
    if arrow == NO_ARROW:
        entry["note"] = UNEXPECTED if note == NO_NOTE else note
        entry["state"] = e["state"]
    else:
        entry["note"] = note
        entry["state"] = desk.next_state[arrow]
    if best < earliest:
        best = earliest
    if best > latest:
        best = latest
    previous = np.int64(e["last_event"])
    if previous >= 0 and best < desk.log[previous]["time"]:
        best = np.int64(desk.log[previous]["time"])
    entry["time"] = best
    entry["earliest"] = earliest
    entry["latest"] = max(latest, best)
    entry["frame"] = frame
    e["last_event"] = row
    return row


@part
def move(desk, i, event, basis, best, earliest, latest, frame, note):
    """Move endpoint ``i`` along the table's arrow for ``event``; returns the log row, or -1 where there is no arrow."""
    e = desk.ends[i]
    state = np.int64(e["state"])
    row = write(desk, i, event, basis, best, earliest, latest, frame, note)
    if desk.log[row]["arrow"] == NO_ARROW:
        return -1
    entered = np.int64(desk.log[row]["state"])
    if entered != state:
        if basis == ASSUMED:
            if e["mark_event"] < 0:
                e["mark_event"] = row
                e["mark_state"] = state
                e["mark_time"] = earliest
        else:
            e["mark_event"] = -1
        stamp_leave(e, state, desk.log[row]["time"])
        stamp_enter(desk, e, entered, basis, desk.log[row]["time"], frame)
    return row


@part
def stamp_leave(e, state, time):
    """Note in the ledger when the states whose length people ask for were left."""
    if state == CLOSE_WAIT:
        e["close_wait_end"] = time
    elif state == FIN_WAIT_2:
        e["fin_wait_2_end"] = time
    elif state == TIME_WAIT:
        e["time_wait_end"] = time
        e["deadline"] = 0


@part
def stamp_enter(desk, e, state, basis, time, frame):
    """Enter ``state`` in the ledger, with its time; start TIME_WAIT's timer."""
    e["state"] = state
    e["state_basis"] = basis
    e["state_time"] = time
    if state == ESTABLISHED:
        e["established_time"] = time
        e["established_frame"] = frame
    elif state == CLOSE_WAIT:
        e["close_wait_time"] = time
        e["close_wait_end"] = 0
        e["close_wait_basis"] = basis
    elif state == FIN_WAIT_2:
        e["fin_wait_2_time"] = time
        e["fin_wait_2_end"] = 0
    elif state == CLOSING:
        e["closing"] = 1
    elif state == TIME_WAIT:
        e["time_wait_time"] = time
        e["time_wait_end"] = 0
        e["deadline"] = time + desk.limits[TIME_WAIT_LENGTH]


@part
def note(desk, i, event, time, frame, words):
    """Record something that moves nothing."""
    return write(desk, i, event, SENT, time, time, time, frame, words)


@part
def take_back(desk, i):
    """Undo the assumed entries of endpoint ``i``: a segment of it shows that what was assumed had not reached it."""
    e = desk.ends[i]
    mark = np.int64(e["mark_event"])
    row = np.int64(e["last_event"])
    while row >= mark:
        entry = desk.log[row]
        if entry["from_state"] != entry["state"]:
            entry["void"] = 1
        row = np.int64(entry["previous"])
    forgive(e, np.int64(e["mark_state"]))
    e["mark_event"] = -1
    e["proof_event"] = -1


@part
def forgive(e, state):
    """Put the endpoint back into ``state``; the times of what it did not enter after all are forgotten."""
    e["state"] = state
    e["deadline"] = 0
    if state == CLOSE_WAIT:
        e["close_wait_end"] = 0
    if state == FIN_WAIT_1:
        e["fin_wait_2_time"] = 0
        e["fin_wait_2_end"] = 0
        e["closing"] = 0
    if state == FIN_WAIT_2:
        e["fin_wait_2_end"] = 0
    if state != TIME_WAIT:
        e["time_wait_time"] = 0
    e["time_wait_end"] = 0


@part
def half(reach):
    """The one-way time from the tap to a host, given the time there and back (unknown: 0)."""
    return reach // 2 if reach > 0 else 0


@part
def margin(desk, e):
    """How long after passing the tap something surely has reached the endpoint, and its answer come back."""
    reach = np.int64(e["reach"])
    return (reach if reach > 0 else 0) + np.int64(desk.limits[SLACK])
