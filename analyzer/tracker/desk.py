"""What the tracker's kernels have in front of them, and the two things they all do: move an endpoint, make a note.

Fence: only numpy and this project's enums inside; the typed wrapper is ``tracker.track``.
"""

import numpy as np

from analyzer.flows.row import FLOW
from analyzer.kernels import part, record_at
from analyzer.tracker.journal import (
    bound,
    earliest_of,
    is_void,
    latest_of,
    log_at,
    make_void,
    new_log_row,
    row_before,
    say,
    set_bounds,
    state_before,
    state_in,
)
from analyzer.tracker.ledger import FOLLOWED, KEPT, LATER, OLDER, UNUSUAL, Known
from analyzer.tracker.log import Basis, Note
from analyzer.tracker.pools import LATERS, UNUSUALS, take
from analyzer.tracker.transitions import ARROWS, NEXT, NO_ARROW, Event, State

# Names as numbers. numpy's, not Python's: numba compiles a function anew for each Python constant it is called with.
UNKNOWN, CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED = (np.int64(state) for state in list(State)[:6])
FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSE_WAIT, LAST_ACK = (np.int64(state) for state in list(State)[6:])
SENT, PROVEN, ASSUMED, BY_TIMER, AT_END = (np.int64(basis) for basis in Basis)
NO_NOTE, UNEXPECTED = np.int64(Note.NONE), np.int64(Note.UNEXPECTED)
RCVD_FIN, RCVD_ACK_OF_FIN = np.int64(Event.RCVD_FIN), np.int64(Event.RCVD_ACK_OF_FIN)
REPLACED = np.int64(Event.REPLACED)
MID_STREAM, SENT_DATA, ACKED = np.int64(Known.MID_STREAM), np.int64(Known.SENT_DATA), np.int64(Known.ACK)
NEVER = NO_FRAME = np.int64(0)
NOT_OVER = np.int64(np.iinfo(np.int64).max)


DESK = np.dtype(
    [
        # where the tracker's rows lie in memory
        ("ends", "<i8"),  # KEPT, two rows a slot
        ("flows", "<i8"),  # FOLLOWED, one row a slot
        ("later", "<i8"),  # LATER
        ("unusual", "<i8"),  # UNUSUAL
        ("older", "<i8"),  # OLDER
        ("blocks", "<i8"),  # BLOCK
        ("log", "<i8"),  # LOG
        ("far", "<i8"),  # FAR
        ("pools", "<i8"),  # POOL, the state of the pools of these
        ("tuples", "<i8"),  # FLOW, the flow table's own rows
        ("places", "<i8"),  # PLACE, one row a row of the flow table
        ("late", "<i8"),  # segments of flows whose books were closed
        ("timeline", "<i8"),  # ENTRY, for that of a flow told at a glance; 0 where none is wanted
        ("clock", "<i8"),  # highest frame time so far, that of this segment included
        # lengths of time, nanoseconds
        ("time_wait_length", "<i8"),
        ("fin_wait_2_length", "<i8"),
        ("slack", "<i8"),
        ("repeat", "<i8"),
        ("duplicate_blind", "<i8"),
        ("duplicate_by_id", "<i8"),
        ("reordering", "<i8"),
        ("linger", "<i8"),
        ("linger_reset", "<i8"),
        ("slow_close", "<i8"),
        ("clock_back", "<i8"),
        ("gaps", "<i8"),  # GAP: when nobody captured
        ("gap_count", "<i8"),
        ("rst_ends_time_wait", "<i8"),  # 1, or 0 where the profile's hosts drop a RST in TIME_WAIT
    ]
)
# Where the tracker keeps a flow: NOT_YET, its slot + 1, or BOOKS_CLOSED. The ledger's rows are slots, used again.
PLACE = np.dtype([("slot", "<i4")])
NOT_YET, BOOKS_CLOSED = 0, -1
_place = record_at(PLACE)
_end, _flow, _tuple = record_at(KEPT), record_at(FOLLOWED), record_at(FLOW)
_later, _unusual, _older = record_at(LATER), record_at(UNUSUAL), record_at(OLDER)


@part
def end_at(desk, i):
    """The ledger's row of endpoint ``i``."""
    return _end(desk["ends"], np.int64(i))


@part
def later(desk, e):
    """What is noted of endpoint ``e`` once it is established or closes, to be read only: zeros before that."""
    return _later(desk["later"], np.int64(e["later"]))


@part
def mark_later(desk, e):
    """The same, to be written."""
    if e["later"] == 0:
        e["later"] = take(desk, LATERS)
    return _later(desk["later"], np.int64(e["later"]))


@part
def unusual(desk, e):
    """What is noted of endpoint ``e`` beyond the ordinary, to be read only: zeros where that is nothing."""
    return _unusual(desk["unusual"], np.int64(e["unusual"]))


@part
def mark_unusual(desk, e):
    """The same, to be written."""
    if e["unusual"] == 0:
        e["unusual"] = take(desk, UNUSUALS)
    return _unusual(desk["unusual"], np.int64(e["unusual"]))


@part
def flow_at(desk, flow):
    """The ledger's row of a flow."""
    return _flow(desk["flows"], np.int64(flow))


@part
def older_at(desk, f):
    """What was noted of the older flow on the same tuple when flow ``f`` began; zeros where none was kept."""
    return _older(desk["older"], np.int64(f["older"]))


@part
def tuple_at(desk, flow):
    """The flow table's row of a flow."""
    return _tuple(desk["tuples"], np.int64(flow))


@part
def place_at(desk, row):
    """Where the flow with that row of the flow table is kept."""
    return _place(desk["places"], np.int64(row))


@part
def over(desk, slot):
    """Whether the flow in ``slot`` ended so long ago that its books are closed, whether or not they have been put away
    yet."""
    return desk["clock"] > over_after(desk, slot)


@part
def over_after(desk, slot):
    """When the books of the flow in ``slot`` are closed, timers included, if no more of it comes; NOT_OVER where it has
    not ended."""
    e, p = end_at(desk, 2 * slot), end_at(desk, 2 * slot + 1)
    state, peer_state = np.int64(e["state"]), np.int64(p["state"])
    if (state != CLOSED and state != TIME_WAIT) or (peer_state != CLOSED and peer_state != TIME_WAIT):
        return NOT_OVER
    reset_ended = unusual(desk, e)["rst_count"] + unusual(desk, p)["rst_count"] > 0
    heard = np.int64(flow_at(desk, slot)["end_time"]) + (desk["linger_reset"] if reset_ended else desk["linger"])
    return max(heard, np.int64(later(desk, e)["deadline"]), np.int64(later(desk, p)["deadline"]))


@part
def still_kept(desk, f):
    """Whether the older flow on the same tuple, noted when ``f`` began, is still in the slot where it was then."""
    previous = np.int64(tuple_at(desk, f["row"])["previous"])
    slot = np.int64(place_at(desk, previous)["slot"]) - 1 if previous >= 0 else np.int64(-1)
    return slot >= 0 and slot == np.int64(older_at(desk, f)["old_end"]) >> 1 and not over(desk, slot)


@part
def last_syn(desk, e):
    """When endpoint ``e`` last sent a SYN or SYN-ACK."""
    again = np.int64(unusual(desk, e)["syn_last_time"])
    return again if again > 0 else np.int64(e["syn_time"])


@part
def last_fin(desk, e):
    """When the FIN of endpoint ``e`` last passed."""
    again = np.int64(unusual(desk, e)["fin_last_time"])
    return again if again > 0 else np.int64(later(desk, e)["fin_time"])


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
def after_previous(desk, e, previous, event, basis, best, latest):
    """The best time of an entry of ``e`` behind the row ``previous``. What it sent it sent before that passed the tap;
    so what came to it first was faster than it was taken to be."""
    before = log_at(desk, previous)
    late = basis == SENT and event != REPLACED and np.int64(before["time"]) > latest
    if late and before["basis"] == ASSUMED:
        earliest, last = earliest_of(desk, before), latest_of(desk, before)
        row = row_before(desk, previous)
        floor = np.int64(log_at(desk, row)["time"]) if row > 0 else np.int64(0)
        before["time"] = max(earliest, latest, floor)
        bound(desk, before, earliest, last)
        if state_in(before) != state_before(before):
            stamp_leave(desk, e, state_before(before), np.int64(before["time"]))
            stamp_enter(desk, e, state_in(before), np.int64(before["basis"]), np.int64(before["time"]))
    return max(best, np.int64(before["time"]))


@part
def at_best(before, state, basis):
    """How well it is known that an endpoint enters ``state``: that it keeps TIME_WAIT, no packet shows (its table of
    them may be full, Linux tcp_max_tw_buckets), even where what leads there is proven."""
    return ASSUMED if state == TIME_WAIT and before != TIME_WAIT else basis


@part
def append(desk, i, event, state, basis, best, earliest, latest, frame, note, slack):
    """Append a log row for endpoint ``i`` that leaves it in ``state``; returns the row.

    The caller has made sure that the log has room. The best time never runs before the endpoint's previous one; the
    latest is ``slack`` later than where that is kept to.
    """
    e = end_at(desk, i)
    best = min(max(best, earliest), latest)
    previous = np.int64(e["last_event"])
    while previous > 0 and is_void(log_at(desk, previous)):
        previous = row_before(desk, previous)
    if previous > 0:
        best = after_previous(desk, e, previous, event, basis, best, latest)
    row = new_log_row(desk, flow_at(desk, i >> 1))
    entry = log_at(desk, row)
    entry["time"] = best
    entry["frame"] = frame
    set_bounds(desk, entry, best, earliest, max(best, latest) + slack)
    say(entry, i & 1, event, np.int64(e["state"]), state, at_best(np.int64(e["state"]), state, basis), note)
    e["last_event"] = row
    return row


@part
def write(desk, i, event, basis, best, earliest, latest, frame, note):
    """Append a log row for endpoint ``i`` at ``event`` without moving it; returns the row."""
    arrow = np.int64(ARROWS[np.int64(end_at(desk, i)["state"]), event])
    state = np.int64(end_at(desk, i)["state"] if arrow == NO_ARROW else NEXT[arrow])
    words = UNEXPECTED if arrow == NO_ARROW and note == NO_NOTE else note
    return append(desk, i, event, state, basis, best, earliest, latest, frame, words, np.int64(0))


@part
def move(desk, i, event, basis, best, earliest, latest, frame, note):
    """Move endpoint ``i`` along the table's arrow for ``event``; returns the log row, or 0 where there is no arrow."""
    e = end_at(desk, i)
    state = np.int64(e["state"])
    arrow = np.int64(ARROWS[state, event])
    if arrow == NO_ARROW:
        write(desk, i, event, basis, best, earliest, latest, frame, note)
        return np.int64(0)
    entered = np.int64(NEXT[arrow])
    if entered == state:
        return write(desk, i, event, basis, best, earliest, latest, frame, note)
    row = append(desk, i, event, entered, basis, best, earliest, latest, frame, note, np.int64(desk["slack"]))
    if basis != ASSUMED:
        e["mark_event"] = 0
    elif e["mark_event"] == 0:
        e["mark_event"] = row
        e["mark_state"] = state
        e["mark_time"] = earliest
    time = np.int64(log_at(desk, row)["time"])
    stamp_leave(desk, e, state, time)
    stamp_enter(desk, e, entered, basis, time)
    return row


@part
def stamp_leave(desk, e, state, time):
    """Note in the ledger when the states whose length people ask for were left."""
    if state == CLOSE_WAIT:
        mark_later(desk, e)["close_wait_end"] = time
    elif state == FIN_WAIT_2:
        mark_later(desk, e)["fin_wait_2_end"] = time
    elif state == TIME_WAIT:
        mark_later(desk, e)["deadline"] = 0


@part
def stamp_enter(desk, e, state, basis, time):
    """Enter ``state`` in the ledger, with its time; start TIME_WAIT's timer."""
    e["state"] = state
    e["state_basis"] = basis
    e["state_time"] = time
    if state < ESTABLISHED:
        return
    after = mark_later(desk, e)
    if state == ESTABLISHED:
        after["established_time"] = time
    elif state == CLOSE_WAIT:
        after["close_wait_time"] = time
        after["close_wait_end"] = 0
        after["close_wait_basis"] = basis
    elif state == FIN_WAIT_2:
        after["fin_wait_2_time"] = time
        after["fin_wait_2_end"] = 0
    elif state == CLOSING:
        after["closing"] = 1
    elif state == TIME_WAIT:
        after["time_wait_time"] = time
        after["deadline"] = time + desk["time_wait_length"]


@part
def note(desk, i, event, time, frame, words):
    """Record something that endpoint ``i`` does and that moves nothing."""
    return jot(desk, i, event, SENT, time, frame, words)


@part
def note_received(desk, i, event, time, frame, words):
    """The same of something that comes to it, if it arrives."""
    return jot(desk, i, event, ASSUMED, time, frame, words)


@part
def jot(desk, i, event, basis, time, frame, words):
    """Append a row that moves nothing."""
    state = np.int64(end_at(desk, i)["state"])
    if ARROWS[state, event] == NO_ARROW and words == NO_NOTE:
        words = UNEXPECTED
    return append(desk, i, event, state, basis, time, time, time, frame, words, np.int64(0))


@part
def take_back(desk, i):
    """Undo the assumed entries of endpoint ``i``: a segment of it shows that what was assumed had not reached it."""
    e = end_at(desk, i)
    mark = np.int64(e["mark_event"])
    row, last = np.int64(e["last_event"]), False
    while row > 0 and not last:
        entry = log_at(desk, row)
        if state_before(entry) != state_in(entry):
            make_void(entry)
        last = row == mark
        row = row_before(desk, row)
    forgive(desk, e, np.int64(e["mark_state"]))
    e["mark_event"] = 0
    e["proof_event"] = 0


@part
def entry_row(desk, e):
    """The log row at which endpoint ``e`` entered the state it is in; it has entered one."""
    row = np.int64(e["last_event"])
    while state_in(log_at(desk, row)) == state_before(log_at(desk, row)) or is_void(log_at(desk, row)):
        row = row_before(desk, row)
    return row


@part
def forgive(desk, e, state):
    """Put the endpoint back into ``state``; the times of what it did not enter after all are forgotten."""
    e["state"] = state
    if e["later"] == 0:
        return
    after = mark_later(desk, e)
    after["deadline"] = 0
    if state < ESTABLISHED:
        after["established_time"] = 0
    if state < CLOSE_WAIT:
        after["close_wait_time"] = after["close_wait_end"] = 0
    if state == TIME_WAIT:
        wait_on(desk, after)
    if state == CLOSE_WAIT:
        after["close_wait_end"] = 0
    if state == FIN_WAIT_1:
        after["fin_wait_2_time"] = 0
        after["fin_wait_2_end"] = 0
        after["closing"] = 0
    if state == FIN_WAIT_2:
        after["fin_wait_2_end"] = 0
    if state != TIME_WAIT:
        after["time_wait_time"] = 0


@part
def wait_on(desk, after):
    """TIME_WAIT goes on, as if it had never been left."""
    after["deadline"] = np.int64(after["time_wait_time"]) + desk["time_wait_length"]
