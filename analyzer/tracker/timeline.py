"""The log of a flow as its timeline: what was not taken back, in the order in which it happened to each endpoint.

The log has rows in the order in which the tracker learnt of things. Three things are put right here:

* A row in which nothing changed tells the state that the rows around it leave the endpoint in. It was another when it
  was written where the entry into that was taken back later, or where the first state was not known yet.
* Two things put a row's time before that of the row it follows from: frames whose times run backward, and a FIN dated
  back to its host's own clock when the row before says only that the capture began there (that one is moved).
* The rows of the two endpoints are merged by time, each endpoint's own staying in their order.
"""

import numpy as np

from analyzer.kernels import const, helper, kernel, record_at
from analyzer.tcp.codes import NO_NOTE, SENT_MID_STREAM, UNEXPECTED
from analyzer.tcp.states import ARROWS, NO_ARROW
from analyzer.tracker.context import CONTEXT, flow_at
from analyzer.tracker.flow_record import ENTRY
from analyzer.tracker.storage.event_log import (
    block_at,
    earliest_of,
    first_block,
    is_void,
    latest_of,
    log_at,
    note_in,
    side_in,
    state_before,
    state_in,
)
from analyzer.tracker.storage.layout import ROWS_A_BLOCK

EVER = np.int64(np.iinfo(np.int64).min)
_entry = record_at(ENTRY)


@kernel(CONTEXT, const(np.int64), ENTRY, ENTRY, np.uint32)
def write_timelines(contexts, slots, rows, entries, lengths):
    """Write the timelines of ``slots`` into ``entries`` (ENTRY), ``end`` counting places in ``slots``, and into
    ``lengths`` how many each has; returns how many there are. ``rows`` (ENTRY) has room for the log of any one of them,
    ``entries`` for all of them together."""
    context = contexts[0]
    written = np.int64(0)
    for place in range(len(slots)):
        written += write_timeline(context, np.int64(slots[place]), rows, entries, written, lengths, np.int64(place))
    return written


@helper
def write_timeline(context, slot, rows, entries, written, lengths, place):
    """Write the timeline of one flow, the one with that ``place``, behind what is ``written``; returns how long it is,
    which ``lengths`` says too."""
    f = flow_at(context, slot)
    count = gather(context, f, rows)
    for side in (np.int64(0), np.int64(1)):
        rejoin(rows, count, side)
    lengths[place] = count
    merge(rows, count, entries, written, 2 * place, np.int64(f["client"]))
    return count


@helper
def gather(context, f, rows):
    """The rows of a flow's log that were not taken back, in the log's order; ``end`` is the side."""
    count = np.int64(0)
    block = first_block(context, f)
    for number in range(np.int64(f["log_rows"])):
        place = number % ROWS_A_BLOCK
        if number > 0 and place == 0:
            block = np.int64(block_at(context, block)["next_block"])
        entry = log_at(context, block * ROWS_A_BLOCK + place)
        if is_void(entry):
            continue
        row = rows[count]
        row["time"], row["earliest"] = entry["time"], earliest_of(context, entry)
        row["latest"] = latest_of(context, entry)
        row["frame"], row["end"], row["event"] = entry["frame"], side_in(entry), entry["event"]
        row["from_state"], row["state"] = state_before(entry), state_in(entry)
        row["basis"], row["note"] = entry["basis"], note_in(entry)
        count += 1
    return count


@helper
def following(rows, place, count, side):
    """The first place from ``place`` on with a row of ``side``, or ``count``."""
    while place < count and rows[place]["end"] != side:
        place += 1
    return place


@helper
def rejoin(rows, count, side):
    """Put the states and times of one endpoint's rows right."""
    first = following(rows, np.int64(0), count, side)
    place = first
    while place < count and rows[place]["from_state"] == rows[place]["state"]:
        place = following(rows, place + 1, count, side)
    moves = place < count
    state = np.int64(rows[place]["from_state"]) if moves else np.int64(0)
    second = following(rows, first + 1, count, side)
    if second < count and np.int64(rows[first]["event"]) == SENT_MID_STREAM:
        rows[first]["time"] = min(np.int64(rows[first]["time"]), np.int64(rows[second]["time"]))
    place = first
    while place < count:
        row = rows[place]
        if row["from_state"] != row["state"]:
            state = np.int64(row["state"])
        elif moves and np.int64(row["state"]) != state:
            row["from_state"], row["state"] = state, state
            if ARROWS[state, np.int64(row["event"])] != NO_ARROW and np.int64(row["note"]) == UNEXPECTED:
                row["note"] = NO_NOTE
        row["arrow"] = ARROWS[np.int64(row["from_state"]), np.int64(row["event"])]
        if row["earliest"] != 0 and row["earliest"] > row["time"]:
            row["earliest"] = row["time"]
        place = following(rows, place + 1, count, side)


@helper
def merge(rows, count, entries, written, end, client):
    """Both endpoints' rows by the time each had reached, the log's order between equals."""
    one, other = following(rows, np.int64(0), count, np.int64(0)), following(rows, np.int64(0), count, np.int64(1))
    reached, other_reached = EVER, EVER
    while one < count or other < count:
        mine = max(reached, np.int64(rows[one]["time"])) if one < count else reached
        others = max(other_reached, np.int64(rows[other]["time"])) if other < count else other_reached
        if other == count or (one < count and (mine < others or (mine == others and one < other))):
            copy(rows[one], entries[written], end + client)
            reached, one = mine, following(rows, one + 1, count, np.int64(0))
        else:
            copy(rows[other], entries[written], end + 1 - client)
            other_reached, other = others, following(rows, other + 1, count, np.int64(1))
        written += 1


@helper
def put_in_order(context, entries, written, lengths, place):
    """Write the timeline of a flow on the fast path, the one with that ``place``, behind what is ``written``:
    like ``write_timeline``, from rows with which nothing has to be put right but their order, and that seldom."""
    count = np.int64(flow_at(context, 0)["log_rows"])
    for number in range(count):
        row, at = _entry(context["timeline"], number), written + number
        while at > written and entries[at - 1]["time"] > row["time"]:
            copy(entries[at - 1], entries[at], np.int64(entries[at - 1]["end"]))
            at -= 1
        copy(row, entries[at], 2 * place + np.int64(row["end"]))
    lengths[place] = count
    return count


@helper
def copy(row, entry, end):
    entry["time"], entry["earliest"], entry["latest"] = row["time"], row["earliest"], row["latest"]
    entry["end"], entry["frame"], entry["event"] = end, row["frame"], row["event"]
    entry["arrow"], entry["from_state"], entry["state"] = row["arrow"], row["from_state"], row["state"]
    entry["basis"], entry["note"] = row["basis"], row["note"]
