"""Finishing flows: timers that have run out, what the capture left open, and how an ordinary flow ended.

Most flows of most captures are of two kinds of which nothing more can be said than their numbers: opened by a whole
handshake and closed by one FIN from each side, or no more than a SYN, perhaps with a SYN-ACK that nobody acknowledged,
as in a flood. Those are told from the rest here, and done with in one pass, while their rows are in the cache; the
others go on to the rules (``outcome`` concludes of them what is concluded here; the tests hold the two together).
"""

import numpy as np

from analyzer.flows.row import FLOW
from analyzer.kernels import const, helper, kernel, prefetch
from analyzer.memory import LINE
from analyzer.segments.table import SEGMENT
from analyzer.tcp.bounds import NEVER, at_once, shown_by
from analyzer.tcp.codes import (
    ASSUMED,
    AT_END,
    CAPTURE_END,
    CLOSED,
    CLOSED_BEFORE,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LOST_SIGHT,
    NO_NOTE,
)
from analyzer.tracker.context import CONTEXT, NO_FRAME, PLACE, closing_facts, end_at, flow_at, place_at
from analyzer.tracker.dialogue import conclude_dialogue
from analyzer.tracker.flow_record import ENDING, ENTRY
from analyzer.tracker.gaps import watched
from analyzer.tracker.ledger import CLOSING_FACTS, ENDPOINT_CORE, FLOW_CORE, OLDER, UNUSUAL
from analyzer.tracker.moves import end_time_wait, move, write
from analyzer.tracker.ordinary import OTHER, REUSED, kind_of_flow
from analyzer.tracker.ordinary_record import end_flow
from analyzer.tracker.over import NOT_OVER, over, over_after
from analyzer.tracker.shown_by_reset import count_missing
from analyzer.tracker.storage.layout import BLOCK, LOG, ROWS_A_BLOCK
from analyzer.tracker.storage.pools import (
    PIECE,
    room,
)
from analyzer.tracker.storage.slots import forget_flow
from analyzer.tracker.timeline import write_timeline

ENTRY_COUNT = np.int64(3)  # entries of timelines: in the counts, behind those of the kinds
MORE_ROWS = 6  # that finishing it adds to the log of a flow, at most
STRIDE = 3  # flows: so far ahead of its turn a row is asked for
ENDPOINT_CORE_BYTES, CLOSING_BYTES, UNUSUAL_BYTES = (
    np.int64(row.itemsize) for row in (ENDPOINT_CORE, CLOSING_FACTS, UNUSUAL)
)
FLOW_CORE_BYTES, OLDER_BYTES = np.int64(FLOW_CORE.itemsize), np.int64(OLDER.itemsize)
TUPLE_BYTES, PLACE_BYTES = np.int64(FLOW.itemsize), np.int64(PLACE.itemsize)
BLOCK_BYTES, LOG_BYTES = np.int64(BLOCK.itemsize), np.int64(LOG.itemsize)


@kernel(CONTEXT, int, np.int64, np.int64)
def find_over(contexts, slots, due, found):
    """Fill ``found`` with the slots below ``slots`` whose flows have been over for long enough; returns how many.

    ``due`` has a moment for each PIECE of the slots until which there is none. It is 0 at first and kept up to date:
    what is heard of a flow from now on puts it off by the time that it lingers.
    """
    context = contexts[0]
    count, now, retention = np.int64(0), np.int64(context["clock"]), np.int64(context["retention"])
    for piece in range(len(due)):
        if now <= due[piece]:
            continue
        soonest = now + retention
        for slot in range(piece * PIECE, min(slots, (piece + 1) * PIECE)):
            f = flow_at(context, slot)
            after = np.int64(f["end_time"]) + retention if f["first_frame"] > 0 else NOT_OVER
            if after < now:  # most need no closer look
                after = over_after(context, np.int64(slot))
            if after < now:
                found[count] = slot
                count += 1
            else:
                soonest = min(soonest, after)
        due[piece] = soonest
    return count


@kernel(CONTEXT, const(SEGMENT), int, np.int64)
def find_whole(contexts, batch, every, found):
    """Fill ``found`` with the slots of the flows of ``batch``, in which each stands in one piece, that have been over
    for long enough, or with ``every`` one that is kept; returns how many."""
    context = contexts[0]
    count, before = np.int64(0), np.int64(-1)
    for k in range(len(batch)):
        row = np.int64(batch[k]["sender"]) >> 1
        if row == before:
            continue
        before = row
        slot = np.int64(place_at(context, row)["slot"]) - 1
        if slot >= 0 and (every or over(context, slot)):
            found[count] = slot
            count += 1
    return count


@kernel(CONTEXT, const(np.int64), int, int, int, np.int64, np.int64, ENDING, ENTRY, ENTRY, np.uint32)
def finish_flows(contexts, slots, first, end_time, forget, counts, left, endings, rows, entries, lengths):
    """Finish the flows in ``slots`` from place ``first`` on as at ``end_time``; returns where a pool was full.

    With ordinary flows that is all: of each a row of ``endings``, its timeline in ``entries`` and how long that is in
    ``lengths``; and their own rows are free again, if it is to ``forget`` them. The slots of the others stand in
    ``left``: from the front those of OTHER flows, and from the back those of the REUSED, whose rows stand in the same
    places of ``endings``. ``counts`` says how many there are of each kind, and how many entries, so far. ``rows`` has
    room for the log of any one flow, closed; without room there, no timelines are told.
    """
    context, tally = contexts[0], counts
    may = room(context)
    for place in range(first, len(slots)):
        if may <= 0:
            may = room(context)
            if may <= 0:
                return place
        may -= 1
        prefetch_rows(context, slots, place)
        slot = np.int64(slots[place])
        close_flow(context, slot, end_time)
        kind = kind_of_flow(context, slot)
        number = np.int64(tally[kind])
        tally[kind] = number + 1
        if kind == OTHER:
            left[number] = slot
        elif kind == REUSED:
            left[len(left) - 1 - number] = slot
            end_flow(context, slot, end_time, endings[len(endings) - 1 - number])
        else:
            end_flow(context, slot, end_time, endings[number])
            if len(rows) > 0:
                tally[ENTRY_COUNT] += write_timeline(
                    context, slot, rows, entries, np.int64(tally[ENTRY_COUNT]), lengths, number
                )
            if forget:
                forget_flow(context, slot)
    return len(slots)


@helper
def prefetch_rows(context, slots, place):
    """Have the rows of the flows that come next brought near: first its own, and by these the others."""
    if place + 2 * STRIDE < len(slots):
        slot = np.int64(slots[place + 2 * STRIDE])
        prefetch(context["flows"] + slot * FLOW_CORE_BYTES)
        for offset in range(0, 2 * ENDPOINT_CORE_BYTES, LINE):
            prefetch(context["ends"] + 2 * slot * ENDPOINT_CORE_BYTES + offset)
    if place + STRIDE < len(slots):
        slot = np.int64(slots[place + STRIDE])
        for i in (2 * slot, 2 * slot + 1):
            after = context["closing_rows"] + np.int64(end_at(context, i)["closing_row"]) * CLOSING_BYTES
            prefetch(after)
            prefetch(after + LINE)
        f = flow_at(context, slot)
        prefetch(context["tuples"] + np.int64(f["row"]) * TUPLE_BYTES)
        prefetch(context["places"] + np.int64(f["row"]) * PLACE_BYTES)
        prefetch(context["blocks"] + np.int64(f["last_block"]) * BLOCK_BYTES)
        prefetch(context["log"] + np.int64(f["last_block"]) * ROWS_A_BLOCK * LOG_BYTES)


@helper
def close_flow(context, slot, end_time):
    """Timers that have run out, and the state in which each endpoint is left."""
    for i in (2 * slot, 2 * slot + 1):
        e = end_at(context, i)
        until = watched(context, i, end_time)
        end_time_wait(context, i, end_time)
        if unsure_who_closed(context, e, end_at(context, i ^ 1)):
            move(context, i, LOST_SIGHT, ASSUMED, shown_by(until, NEVER), NO_FRAME, CLOSED_BEFORE)
        if np.int64(e["state"]) != CLOSED:
            write(context, i, CAPTURE_END, AT_END, at_once(until), NO_FRAME, NO_NOTE)
        count_missing(context, i)
    conclude_dialogue(context, slot)


@helper
def unsure_who_closed(context, e, p):
    """The first that was captured of the endpoint is its FIN, and nothing of the peer tells whether it had closed
    before: FIN_WAIT or LAST_ACK and beyond, nobody can tell."""
    waiting = np.int64(e["state"]) == FIN_WAIT_1 or np.int64(e["state"]) == FIN_WAIT_2
    if not waiting or closing_facts(context, p)["fin_count"] > 0:
        return False
    return (
        e["first_frame"] == closing_facts(context, e)["fin_frame"]
        and p["data_time"] <= closing_facts(context, e)["fin_time"]
    )
