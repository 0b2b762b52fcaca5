"""How an endpoint is moved: along an arrow of the table, or back where a later segment contradicts what was assumed.

Whatever happens to an endpoint is a row of the event log; a move also changes its state in the ledger. Which
columns of the ledger are written when a state is entered or left is decided by ``record_entry`` and ``record_exit``;
the fast path calls these two as well.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.tcp.bounds import at_once, timer_ran_out, with_slack, within
from analyzer.tcp.codes import (
    ASSUMED,
    BY_TIMER,
    CLOSE_WAIT,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    NO_NOTE,
    REPLACED,
    SENT,
    TIME_WAIT,
    TIMER,
    UNEXPECTED,
)
from analyzer.tcp.states import ARROWS, NEXT, NO_ARROW
from analyzer.tracker.context import NO_FRAME, end_at, flow_at, mark_closing_facts
from analyzer.tracker.storage.event_log import (
    bound,
    earliest_of,
    fill_row,
    is_void,
    latest_of,
    log_at,
    make_void,
    new_log_row,
    row_before,
    set_bounds,
    state_before,
    state_in,
)
from analyzer.tracker.time_wait import due, resume, start, stop, timer_ended


@helper
def after_previous(context, e, previous, event, basis, best, latest):
    """The best time of an entry of ``e`` behind the row ``previous``. What it sent it sent before that passed the tap;
    so what came to it first was faster than it was taken to be."""
    before = log_at(context, previous)
    late = basis == SENT and event != REPLACED and np.int64(before["time"]) > latest
    if late and before["basis"] == ASSUMED:
        earliest, last = earliest_of(context, before), latest_of(context, before)
        row = row_before(context, previous)
        floor = np.int64(log_at(context, row)["time"]) if row > 0 else np.int64(0)
        before["time"] = max(earliest, latest, floor)
        bound(context, before, earliest, last)
        if state_in(before) != state_before(before):
            record_exit(context, e, state_before(before), np.int64(before["time"]))
            record_entry(context, e, state_in(before), np.int64(before["basis"]), np.int64(before["time"]))
    return max(best, np.int64(before["time"]))


@helper
def strongest_basis(before, state, basis):
    """How well it is known that an endpoint enters ``state``: that it keeps TIME_WAIT, no packet shows (its table of
    them may be full, Linux tcp_max_tw_buckets), even where what leads there is proven."""
    return ASSUMED if state == TIME_WAIT and before != TIME_WAIT else basis


@helper
def append(context, i, event, state, basis, times, frame, note, slack):
    """Append a log row for endpoint ``i`` that leaves it in ``state``; returns the row.

    The caller has made sure that the log has room. The best time never runs before the endpoint's previous one; the
    latest is ``slack`` later than where that is kept to.
    """
    e = end_at(context, i)
    best, earliest, latest = times
    best = within(best, earliest, latest)
    previous = np.int64(e["last_event"])
    while previous > 0 and is_void(log_at(context, previous)):
        previous = row_before(context, previous)
    if previous > 0:
        best = after_previous(context, e, previous, event, basis, best, latest)
    row = new_log_row(context, flow_at(context, i >> 1))
    entry = log_at(context, row)
    entry["time"] = best
    entry["frame"] = frame
    set_bounds(context, entry, best, earliest, with_slack(best, latest, slack))
    fill_row(
        entry, i & 1, event, np.int64(e["state"]), state, strongest_basis(np.int64(e["state"]), state, basis), note
    )
    e["last_event"] = row
    return row


@helper
def write(context, i, event, basis, times, frame, note):
    """Append a log row for endpoint ``i`` at ``event`` without moving it; returns the row."""
    arrow = np.int64(ARROWS[np.int64(end_at(context, i)["state"]), event])
    state = np.int64(end_at(context, i)["state"] if arrow == NO_ARROW else NEXT[arrow])
    words = UNEXPECTED if arrow == NO_ARROW and note == NO_NOTE else note
    return append(context, i, event, state, basis, times, frame, words, np.int64(0))


@helper
def move(context, i, event, basis, times, frame, note):
    """Move endpoint ``i`` along the table's arrow for ``event``; returns the log row, or 0 where there is no arrow.

    ``times`` are the best, the earliest and the latest time, as ``tcp.bounds`` gives them."""
    e = end_at(context, i)
    state = np.int64(e["state"])
    arrow = np.int64(ARROWS[state, event])
    if arrow == NO_ARROW:
        write(context, i, event, basis, times, frame, note)
        return np.int64(0)
    entered = np.int64(NEXT[arrow])
    if entered == state:
        return write(context, i, event, basis, times, frame, note)
    row = append(context, i, event, entered, basis, times, frame, note, np.int64(context["slack"]))
    if basis != ASSUMED:
        e["mark_event"] = 0
    elif e["mark_event"] == 0:
        e["mark_event"] = row
        e["mark_state"] = state
        e["mark_time"] = times[1]
    time = np.int64(log_at(context, row)["time"])
    record_exit(context, e, state, time)
    record_entry(context, e, entered, basis, time)
    return row


@helper
def end_time_wait(context, i, now):
    """If TIME_WAIT's timer has run out ``now`` for endpoint ``i``, by the profile in force, that ends the state."""
    e = end_at(context, i)
    if timer_ended(context, e, now):
        move(context, i, TIMER, BY_TIMER, timer_ran_out(due(context, e)), NO_FRAME, NO_NOTE)


@helper
def record_exit(context, e, state, time):
    """Note in the ledger when the states whose length people ask for were left."""
    if state == CLOSE_WAIT:
        mark_closing_facts(context, e)["close_wait_end"] = time
    elif state == FIN_WAIT_2:
        mark_closing_facts(context, e)["fin_wait_2_end"] = time
    elif state == TIME_WAIT:
        stop(mark_closing_facts(context, e))


@helper
def record_entry(context, e, state, basis, time):
    """Enter ``state`` in the ledger, with its time; start TIME_WAIT's timer."""
    e["state"] = state
    e["state_basis"] = basis
    e["state_time"] = time
    if state < ESTABLISHED:
        return
    after = mark_closing_facts(context, e)
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
        after["through_closing"] = 1
    elif state == TIME_WAIT:
        start(context, after, time)


@helper
def note_peer_fin(context, e, row):
    """Endpoint ``e`` received the peer's FIN, as that row of the log says."""
    mark_closing_facts(context, e)["peer_fin_event"] = row


@helper
def note(context, i, event, time, frame, words):
    """Record something that endpoint ``i`` does and that moves nothing."""
    return append_note(context, i, event, SENT, time, frame, words)


@helper
def note_received(context, i, event, time, frame, words):
    """The same of something that comes to it, if it arrives."""
    return append_note(context, i, event, ASSUMED, time, frame, words)


@helper
def append_note(context, i, event, basis, time, frame, words):
    """Append a row that moves nothing."""
    state = np.int64(end_at(context, i)["state"])
    if ARROWS[state, event] == NO_ARROW and words == NO_NOTE:
        words = UNEXPECTED
    return append(context, i, event, state, basis, at_once(np.int64(time)), frame, words, np.int64(0))


@helper
def take_back(context, i):
    """Undo the assumed entries of endpoint ``i``: a segment of it shows that what was assumed had not reached it."""
    e = end_at(context, i)
    mark = np.int64(e["mark_event"])
    row, last = np.int64(e["last_event"]), False
    while row > 0 and not last:
        entry = log_at(context, row)
        if state_before(entry) != state_in(entry):
            make_void(entry)
        last = row == mark
        row = row_before(context, row)
    restore_state(context, e, np.int64(e["mark_state"]))
    e["mark_event"] = 0
    e["proof_event"] = 0


@helper
def entry_row(context, e):
    """The log row at which endpoint ``e`` entered the state it is in; it has entered one."""
    row = np.int64(e["last_event"])
    while state_in(log_at(context, row)) == state_before(log_at(context, row)) or is_void(log_at(context, row)):
        row = row_before(context, row)
    return row


@helper
def restore_state(context, e, state):
    """Put the endpoint back into ``state``; the times of what it did not enter after all are forgotten."""
    e["state"] = state
    if e["closing_row"] == 0:
        return
    after = mark_closing_facts(context, e)
    stop(after)
    if state < ESTABLISHED:
        after["established_time"] = 0
    if state < CLOSE_WAIT:
        after["close_wait_time"] = after["close_wait_end"] = 0
    if state == TIME_WAIT:
        resume(context, after)
    if state == CLOSE_WAIT:
        after["close_wait_end"] = 0
    if state <= FIN_WAIT_1:
        after["fin_wait_2_time"] = 0
        after["fin_wait_2_end"] = 0
        after["through_closing"] = 0
    if state == FIN_WAIT_2:
        after["fin_wait_2_end"] = 0
    if state != TIME_WAIT:
        after["time_wait_time"] = 0
