"""Closing the books: timers that have run out, what the capture left open, and how an ordinary flow ended.

Most flows of most captures are of two kinds of which nothing more can be said than their numbers: opened by a whole
handshake and closed by one FIN from each side, or no more than a SYN, perhaps with a SYN-ACK that nobody acknowledged,
as in a flood. Those are told from the rest here, and done with in one pass, while their rows are in the cache; the
others go on to the rules (``outcome`` concludes of them what is concluded here; the tests hold the two together).
"""

import numpy as np

from analyzer.flows.row import FLOW
from analyzer.kernels import const, kernel, part, prefetch
from analyzer.memory import LINE
from analyzer.segments.table import SEGMENT
from analyzer.tracker.desk import (
    ASSUMED,
    AT_END,
    BOOKS_CLOSED,
    CLOSED,
    DESK,
    FIN_WAIT_1,
    FIN_WAIT_2,
    NEVER,
    NO_FRAME,
    NOT_OVER,
    PLACE,
    TIME_WAIT,
    end_at,
    flow_at,
    knows,
    later,
    move,
    over,
    over_after,
    place_at,
    tuple_at,
    write,
)
from analyzer.tracker.ending import ENDING, ENTRY, UNKNOWN
from analyzer.tracker.endings import CLIENT, NOBODY, SERVER, Handshake, RstCause, Teardown
from analyzer.tracker.gaps import watched_until
from analyzer.tracker.journal import block_at, first_block, free_bounds, log_at
from analyzer.tracker.ledger import FOLLOWED, KEPT, LATER, OLDER, UNUSUAL, Known
from analyzer.tracker.log import BLOCK, LOG, ROWS_A_BLOCK, Note
from analyzer.tracker.pools import (
    BLOCKS,
    FARS,
    LATERS,
    OLDERS,
    PIECE,
    SLOTS,
    UNUSUALS,
    copy_words,
    give_back,
    give_back_chain,
    in_use,
    room,
)
from analyzer.tracker.space import ahead
from analyzer.tracker.step import end_time_wait, timer_ended
from analyzer.tracker.telling import tell_flow
from analyzer.tracker.transitions import Event

ORDINARY, REUSED, OTHER = (np.int64(number) for number in range(3))  # REUSED: ordinary, but for an older flow's tuple
TOLD = np.int64(3)  # entries of timelines: in the counts, behind those of the kinds
MORE_ROWS = 6  # that closing its books adds to the log of a flow, at most
STRIDE = 3  # flows: so far ahead of its turn a row is asked for
THROUGH = np.int64(Known.ISN | Known.FIN | Known.FIN_ACKED | Known.PEER_FIN)
CAPTURE_END, LOST_SIGHT = np.int64(Event.CAPTURE_END), np.int64(Event.LOST_SIGHT)
NO_NOTE, CLOSED_BEFORE = np.int64(Note.NONE), np.int64(Note.CLOSED_BEFORE)
NOT_KNOWN = np.int64(UNKNOWN)
KEPT_BYTES, LATER_BYTES, UNUSUAL_BYTES = (np.int64(row.itemsize) for row in (KEPT, LATER, UNUSUAL))
FOLLOWED_BYTES, OLDER_BYTES = np.int64(FOLLOWED.itemsize), np.int64(OLDER.itemsize)
TUPLE_BYTES, PLACE_BYTES = np.int64(FLOW.itemsize), np.int64(PLACE.itemsize)
BLOCK_BYTES, LOG_BYTES = np.int64(BLOCK.itemsize), np.int64(LOG.itemsize)
COMPLETE, UNANSWERED, PARTIAL = (
    np.int64(Handshake.COMPLETE),
    np.int64(Handshake.UNANSWERED),
    np.int64(Handshake.PARTIAL),
)
GRACEFUL, NEVER_ESTABLISHED = np.int64(Teardown.GRACEFUL), np.int64(Teardown.NEVER_ESTABLISHED)
NO_CAUSE, BY_NOBODY = np.int64(RstCause.NONE), np.int64(2)


@kernel(DESK, int, np.int64, np.int64)
def find_over(desks, slots, due, found):
    """Fill ``found`` with the slots below ``slots`` whose flows have been over for long enough; returns how many.

    ``due`` has a moment for each PIECE of the slots until which there is none. It is 0 at first and kept up to date:
    what is heard of a flow from now on puts it off by the time that it lingers.
    """
    desk = desks[0]
    count, now, linger = np.int64(0), np.int64(desk["clock"]), np.int64(desk["linger"])
    for piece in range(len(due)):
        if now <= due[piece]:
            continue
        soonest = now + linger
        for slot in range(piece * PIECE, min(slots, (piece + 1) * PIECE)):
            f = flow_at(desk, slot)
            after = np.int64(f["end_time"]) + linger if f["first_frame"] > 0 else NOT_OVER
            if after < now:  # most need no closer look
                after = over_after(desk, np.int64(slot))
            if after < now:
                found[count] = slot
                count += 1
            else:
                soonest = min(soonest, after)
        due[piece] = soonest
    return count


@kernel(DESK, const(SEGMENT), int, np.int64)
def find_whole(desks, batch, every, found):
    """Fill ``found`` with the slots of the flows of ``batch``, in which each stands in one piece, that have been over
    for long enough, or with ``every`` one that is kept; returns how many."""
    desk = desks[0]
    count, before = np.int64(0), np.int64(-1)
    for k in range(len(batch)):
        row = np.int64(batch[k]["sender"]) >> 1
        if row == before:
            continue
        before = row
        slot = np.int64(place_at(desk, row)["slot"]) - 1
        if slot >= 0 and (every or over(desk, slot)):
            found[count] = slot
            count += 1
    return count


@kernel(DESK, const(np.int64), int, int, int, np.int64, np.int64, ENDING, ENTRY, ENTRY, np.uint32)
def close_books(desks, slots, first, end_time, forget, counts, left, endings, rows, entries, lengths):
    """Close the books of ``slots`` from place ``first`` on as at ``end_time``; returns where a pool was full.

    With ordinary flows that is all: of each a row of ``endings``, its timeline in ``entries`` and how long that is in
    ``lengths``; and their own rows are free again, if it is to ``forget`` them. The slots of the others stand in
    ``left``: from the front those of OTHER flows, and from the back those of the REUSED, whose rows stand in the same
    places of ``endings``. ``counts`` says how many there are of each kind, and how many entries, so far. ``rows`` has
    room for the log of any one flow, closed; without room there, no timelines are told.
    """
    desk, tally = desks[0], counts
    may = room(desk)
    for place in range(first, len(slots)):
        if may <= 0:
            may = room(desk)
            if may <= 0:
                return place
        may -= 1
        come_nearer(desk, slots, place)
        slot = np.int64(slots[place])
        close_flow(desk, slot, end_time)
        kind = kind_of_flow(desk, slot)
        number = np.int64(tally[kind])
        tally[kind] = number + 1
        if kind == OTHER:
            left[number] = slot
        elif kind == REUSED:
            left[len(left) - 1 - number] = slot
            end_flow(desk, slot, end_time, endings[len(endings) - 1 - number])
        else:
            end_flow(desk, slot, end_time, endings[number])
            if len(rows) > 0:
                tally[TOLD] += tell_flow(desk, slot, rows, entries, np.int64(tally[TOLD]), lengths, number)
            if forget:
                forget_flow(desk, slot)
    return len(slots)


@part
def come_nearer(desk, slots, place):
    """Have the rows of the flows that come next brought near: first its own, and by these the others."""
    if place + 2 * STRIDE < len(slots):
        slot = np.int64(slots[place + 2 * STRIDE])
        prefetch(desk["flows"] + slot * FOLLOWED_BYTES)
        for offset in range(0, 2 * KEPT_BYTES, LINE):
            prefetch(desk["ends"] + 2 * slot * KEPT_BYTES + offset)
    if place + STRIDE < len(slots):
        slot = np.int64(slots[place + STRIDE])
        for i in (2 * slot, 2 * slot + 1):
            after = desk["later"] + np.int64(end_at(desk, i)["later"]) * LATER_BYTES
            prefetch(after)
            prefetch(after + LINE)
        f = flow_at(desk, slot)
        prefetch(desk["tuples"] + np.int64(f["row"]) * TUPLE_BYTES)
        prefetch(desk["places"] + np.int64(f["row"]) * PLACE_BYTES)
        prefetch(desk["blocks"] + np.int64(f["last_block"]) * BLOCK_BYTES)
        prefetch(desk["log"] + np.int64(f["last_block"]) * ROWS_A_BLOCK * LOG_BYTES)


@part
def close_flow(desk, slot, end_time):
    """Timers that have run out, and the state in which each endpoint is left."""
    for i in (2 * slot, 2 * slot + 1):
        e = end_at(desk, i)
        until = watched(desk, i, end_time)
        if timer_ended(desk, e, end_time):
            end_time_wait(desk, i)
        if unsure_who_closed(desk, e, end_at(desk, i ^ 1)):
            move(desk, i, LOST_SIGHT, ASSUMED, until, NEVER, until, NO_FRAME, CLOSED_BEFORE)
        if np.int64(e["state"]) != CLOSED:
            write(desk, i, CAPTURE_END, AT_END, until, until, until, NO_FRAME, NO_NOTE)


@part
def watched(desk, i, end_time):
    """Until when endpoint ``i`` is known: to the first gap in the capture since it was heard of, or to its end."""
    e = end_at(desk, i)
    heard = np.int64(e["last_time"]) if e["packets"] > 0 else np.int64(flow_at(desk, i >> 1)["end_time"])
    return watched_until(desk, max(heard, np.int64(e["state_time"])), end_time)


@part
def unsure_who_closed(desk, e, p):
    """The first that was captured of the endpoint is its FIN, and nothing of the peer tells whether it had closed
    before: FIN_WAIT or LAST_ACK and beyond, nobody can tell."""
    waiting = np.int64(e["state"]) == FIN_WAIT_1 or np.int64(e["state"]) == FIN_WAIT_2
    if not waiting or later(desk, p)["fin_count"] > 0:
        return False
    return e["first_frame"] == later(desk, e)["fin_frame"] and p["data_time"] <= later(desk, e)["fin_time"]


@part
def kind_of_flow(desk, slot):
    """Whether the rules have to look at the flow (OTHER), only at its tuple (REUSED), or not at all (ORDINARY)."""
    e, p = end_at(desk, 2 * slot), end_at(desk, 2 * slot + 1)
    if e["unusual"] > 0 or p["unusual"] > 0 or later(desk, e)["closing"] > 0 or later(desk, p)["closing"] > 0:
        return OTHER
    if not (only_asked(e, p) or only_asked(p, e) or (closed_as_usual(desk, e, p) and closed_as_usual(desk, p, e))):
        return OTHER
    return REUSED if flow_at(desk, slot)["older"] > 0 else ORDINARY


@part
def only_asked(e, p):
    """Whether the flow is a single SYN of ``e``, and at most a single SYN-ACK in answer."""
    asked = e["packets"] == 1 and e["syn_count"] == 1 and e["syn_ack"] == 0
    answered = p["packets"] == 1 and p["syn_ack"] == 1 and e["later"] == 0 and p["later"] == 0
    return asked and (p["packets"] == 0 or answered)


@part
def closed_as_usual(desk, e, p):
    """Whether endpoint ``e`` went through a handshake of two and one FIN each, acknowledged, without delay."""
    state, own, peers = np.int64(e["state"]), later(desk, e), later(desk, p)
    opened = e["syn_count"] == 1 and e["syn_ack"] != p["syn_ack"] and e["packets"] > 0
    opened = opened and (own["established_time"] > 0 or peers["established_time"] > 0)
    closed = knows(e, THROUGH) and own["fin_count"] == 1 and state in (CLOSED, TIME_WAIT)
    waited = np.int64(own["close_wait_end"]) - np.int64(own["close_wait_time"])
    crossed = ahead(own["fin_ack"], peers["fin_end"]) < 0 and ahead(peers["fin_ack"], own["fin_end"]) < 0
    return opened and closed and waited <= desk["slow_close"] and not crossed


@kernel(DESK, const(np.int64), int, ENDING)
def note_down(desks, slots, end_time, endings):
    """Fill in what was noted of the flows in ``slots``, whose books are closed, in the rows of ``endings``; nothing is
    concluded from it."""
    desk = desks[0]
    for place in range(len(slots)):
        noted(desk, np.int64(slots[place]), end_time, endings[place])


@part
def end_flow(desk, slot, end_time, row):
    """Fill in ``row`` (ENDING) for an ordinary flow whose books are closed."""
    noted(desk, slot, end_time, row)
    f = flow_at(desk, slot)
    client = 2 * slot + np.int64(f["client"])
    row["findings"], row["observability"] = 0, 0
    row["rst_by"], row["rst_cause"] = BY_NOBODY, NO_CAUSE
    closed_first(f, later(desk, end_at(desk, client)), later(desk, end_at(desk, client ^ 1)), row)


@part
def noted(desk, slot, end_time, row):
    """Fill in what was noted of a flow, be it ordinary or not."""
    f = flow_at(desk, slot)
    tuple_ = tuple_at(desk, f["row"])
    client = np.int64(f["client"])
    row["stream"] = tuple_["stream"]
    row["client_ip"], row["server_ip"] = tuple_["address"][client], tuple_["address"][1 - client]
    row["client_port"], row["server_port"] = tuple_["port"][client], tuple_["port"][1 - client]
    row["client_known"] = f["client_basis"] > 0
    row["first_frame"], row["last_frame"] = f["first_frame"], end_at(desk, 2 * slot + f["end_side"])["last_frame"]
    row["first_epoch"], row["last_epoch"] = f["first_time"], f["end_time"]
    row["duration_s"] = max(np.int64(0), np.int64(f["end_time"]) - np.int64(f["first_time"]))
    c, s = end_at(desk, 2 * slot + client), end_at(desk, 2 * slot + 1 - client)
    sent_by(c, s, row)
    until = watched(desk, 2 * slot + client, end_time), watched(desk, 2 * slot + 1 - client, end_time)
    ends_of(later(desk, c), later(desk, s), until, row)


@part
def closed_first(f, c, s, row):
    """Who closed first: by the acknowledgments on the FINs, else by time; and how it ended."""
    if c["fin_count"] == 0:
        row["teardown"], row["closed_by"] = NEVER_ESTABLISHED, NOBODY
        row["handshake"] = PARTIAL if row["client_packets"] > 0 and row["server_packets"] > 0 else UNANSWERED
        row["idle_before_close_s"] = NOT_KNOWN
        return
    row["handshake"], row["teardown"] = COMPLETE, GRACEFUL
    by_client = ahead(c["fin_ack"], s["fin_end"]) < 0
    if not by_client and not ahead(s["fin_ack"], c["fin_end"]) < 0:
        by_client = np.int64(c["fin_time"]) <= np.int64(s["fin_time"])
    row["closed_by"] = CLIENT if by_client else SERVER
    row["idle_before_close_s"] = f["close_idle"]


@part
def sent_by(c, s, row):
    """What the two endpoints sent, and their states."""
    row["client_packets"], row["server_packets"] = c["packets"], s["packets"]
    row["client_bytes"], row["server_bytes"] = c["bytes"], s["bytes"]
    row["client_state"], row["server_state"] = c["state"], s["state"]


@part
def ends_of(c, s, until, row):
    """The columns of how the two endpoints closed; ``until`` when each is known."""
    row["client_fin_epoch"] = c["fin_time"] if c["fin_count"] > 0 else NOT_KNOWN
    row["server_fin_epoch"] = s["fin_time"] if s["fin_count"] > 0 else NOT_KNOWN
    row["client_fin_acked_epoch"], row["server_fin_acked_epoch"] = (
        known(c["fin_acked_time"]),
        known(s["fin_acked_time"]),
    )
    row["client_close_wait_s"] = stay(c["close_wait_time"], c["close_wait_end"], until[0])
    row["server_close_wait_s"] = stay(s["close_wait_time"], s["close_wait_end"], until[1])
    row["client_fin_wait_2_s"] = stay(c["fin_wait_2_time"], c["fin_wait_2_end"], until[0])
    row["server_fin_wait_2_s"] = stay(s["fin_wait_2_time"], s["fin_wait_2_end"], until[1])


@part
def known(time):
    """0 stands for "has not happened" in the ledger, and for "not known" in a table stands UNKNOWN."""
    return np.int64(time) if time != 0 else NOT_KNOWN


@part
def stay(entered, left, end_time):
    """How long an endpoint was in a state, until ``end_time`` where it still is."""
    if entered == 0:
        return NOT_KNOWN
    until = end_time if left == 0 else np.int64(left)
    return max(np.int64(0), until - np.int64(entered))


@kernel(DESK, const(np.int64), np.int32, np.int32)
def copy_books(desks, slots, ends, flows):
    """Copy all that is known of ``slots`` to ``ends`` and ``flows`` (int32), an endpoint's columns and a flow's behind
    one another, as ENDPOINT and CONNECTION have them."""
    desk = desks[0]
    end_word, flow_word = np.int64(0), np.int64(0)
    for place in range(len(slots)):
        slot = np.int64(slots[place])
        for i in (2 * slot, 2 * slot + 1):
            unusual = np.int64(end_at(desk, i)["unusual"])
            after = np.int64(end_at(desk, i)["later"])
            end_word = copy_words(ends, end_word, desk["ends"] + i * KEPT_BYTES, KEPT_BYTES)
            end_word = copy_words(ends, end_word, desk["later"] + after * LATER_BYTES, LATER_BYTES)
            end_word = copy_words(ends, end_word, desk["unusual"] + unusual * UNUSUAL_BYTES, UNUSUAL_BYTES)
        older = np.int64(flow_at(desk, slot)["older"])
        flow_word = copy_words(flows, flow_word, desk["flows"] + slot * FOLLOWED_BYTES, FOLLOWED_BYTES)
        flow_word = copy_words(flows, flow_word, desk["older"] + older * OLDER_BYTES, OLDER_BYTES)


@kernel(DESK, const(np.int64))
def put_away(desks, slots):
    """Forget the flows in ``slots``: their rows are free for others."""
    desk = desks[0]
    for place in range(len(slots)):
        forget_flow(desk, np.int64(slots[place]))


@part
def forget_flow(desk, slot):
    """The flow's rows are free for others."""
    f = flow_at(desk, slot)
    place_at(desk, f["row"])["slot"] = BOOKS_CLOSED
    for i in (2 * slot, 2 * slot + 1):
        if end_at(desk, i)["later"] > 0:
            give_back(desk, LATERS, np.int64(end_at(desk, i)["later"]))
        if end_at(desk, i)["unusual"] > 0:
            give_back(desk, UNUSUALS, np.int64(end_at(desk, i)["unusual"]))
    if f["older"] > 0:
        give_back(desk, OLDERS, np.int64(f["older"]))
    if in_use(desk, FARS) > 1:
        forget_bounds(desk, f)
    blocks = (np.int64(f["log_rows"]) + ROWS_A_BLOCK - 1) // ROWS_A_BLOCK
    give_back_chain(desk, BLOCKS, first_block(desk, f), f["last_block"], blocks)
    f["first_frame"] = 0
    give_back(desk, SLOTS, slot)


@part
def forget_bounds(desk, f):
    """Give back what bounds in the flow's rows of the log have taken."""
    block, left = first_block(desk, f), np.int64(f["log_rows"])
    while left > 0:
        for place in range(min(left, np.int64(ROWS_A_BLOCK))):
            free_bounds(desk, log_at(desk, block * ROWS_A_BLOCK + place))
        left -= ROWS_A_BLOCK
        block = np.int64(block_at(desk, block)["next_block"])
