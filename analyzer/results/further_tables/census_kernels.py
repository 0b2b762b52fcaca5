"""The census by kernels: timelines become changes of counts, and these the counts after each of them.

Fence: only numpy and this project's enums inside; the typed wrapper is ``census``.
"""

import numpy as np

from analyzer.kernels import const, helper, kernel
from analyzer.tcp.codes import CAPTURE_END
from analyzer.tcp.states import State
from analyzer.tracker.flow_record import ENTRY

CHANGE = np.dtype(
    [
        ("time", "<i8"),
        ("key", "<u4"),  # whose sockets these are
        ("from_column", "<i2"),  # which count is one less from then on, NONE for none
        ("column", "<i2"),  # and which is one more
    ]
)
COUNTED = (
    *(State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2),
    *(State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT, State.UNKNOWN),
)
COLUMNS, NONE = np.int64(len(COUNTED)), np.int64(-1)
UNKNOWN_STATE = np.int64(COUNTED.index(State.UNKNOWN))
COLUMN = np.array([COUNTED.index(state) if state in COUNTED else NONE for state in State])
EVER = np.int64(np.iinfo(np.int64).min)


@kernel(const(ENTRY), const(np.uint32), int, CHANGE, np.int64)
def find_changes(entries, keys, end_time, changes, places):
    """Fill ``changes``, which has room for one an entry, with what the timelines ``entries`` change, flow after flow;
    returns how many there are. Where ``places`` has room, it is filled with the place of the entry of each.

    ``keys`` has the key of each endpoint; the capture ended at ``end_time``. An endpoint's changes are in the order of
    its timeline: none has a time before that of the one before it.
    """
    count, flow_before = np.int64(0), np.int64(-1)
    reached, other_reached = EVER, EVER  # by the client and by the server
    column, other_column = NONE, NONE
    for place in range(len(entries)):
        entry = entries[place]
        end = np.int64(entry["end"])
        if end >> 1 != flow_before:
            flow_before = end >> 1
            reached, other_reached, column, other_column = EVER, EVER, NONE, NONE
        before = other_column if end & 1 else column
        time = max(np.int64(entry["time"]), other_reached if end & 1 else reached)
        after = column_after(entry, before, end_time)
        if before != after:
            change = changes[count]
            change["time"], change["key"] = time, keys[end]
            change["from_column"], change["column"] = before, after
            if len(places) > 0:
                places[count] = place
            count += 1
        if end & 1:
            other_reached, other_column = time, after
        else:
            reached, column = time, after
    return count


@helper
def column_after(entry, before, end_time):
    """Where an endpoint is counted after an entry, that was counted in ``before``."""
    column = np.int64(COLUMN[np.int64(entry["state"])])
    if np.int64(entry["event"]) == CAPTURE_END and np.int64(entry["time"]) < end_time:
        column = UNKNOWN_STATE
    return NONE if column == UNKNOWN_STATE and before < 0 else column


@kernel(const(CHANGE), int, int, np.int32, np.int64, np.uint32, np.int32)
def count_up(changes, first, last, counts, times, keys, rows):
    """Take the changes from place ``first`` to before ``last`` into ``counts``, COLUMNS of each key. Where ``times``
    has room, fill it, ``keys`` and ``rows`` (COLUMNS a row) with the counts after all changes of a moment and key, that
    stand side by side; returns how many such there are."""
    written = np.int64(0)
    for place in range(first, last):
        change = changes[place]
        begin = np.int64(change["key"]) * COLUMNS
        if change["from_column"] >= 0:
            counts[begin + np.int64(change["from_column"])] -= 1
        if change["column"] >= 0:
            counts[begin + np.int64(change["column"])] += 1
        if len(times) == 0 or (place + 1 < len(changes) and same(change, changes[place + 1])):
            continue
        times[written], keys[written] = change["time"], change["key"]
        for column in range(COLUMNS):
            rows[written * COLUMNS + column] = counts[begin + column]
        written += 1
    return written


@helper
def same(change, other):
    """Whether two changes are of one moment and key."""
    return change["time"] == other["time"] and change["key"] == other["key"]
