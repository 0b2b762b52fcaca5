"""One segment after the other: the tracker's main loop, as kernels.

Order for each segment, and why: timers that ended before it; whether it is the same packet captured twice; what
it contradicts; what it proves and lets assume by its acknowledgment; what it carries; and last the bookkeeping,
so that everything above still sees the state of things before it.
"""

import numpy as np

from analyzer.compiled import const, kernel, part
from analyzer.segments.table import (
    ACK,
    CUT_HEADER,
    DUPLICATE,
    FIN,
    HAS_TIMESTAMP,
    RST,
    SEGMENT,
    SYN,
    UNTRACKED,
)
from analyzer.tracker.acknowledge import acknowledge
from analyzer.tracker.carry import KIND_ACK, KIND_PROBE, NO_SCALE, carry, kind_of
from analyzer.tracker.crossing import kill_again, not_yet_proof, own_reset, revive, unseen_fin
from analyzer.tracker.desk import (
    ASSUMED,
    AT_END,
    BOOKS_CLOSED,
    BY_TIMER,
    CLOSED,
    DESK,
    FIN_WAIT_1,
    FIN_WAIT_2,
    NEVER,
    NO_FRAME,
    NOT_YET,
    PROVEN,
    SYN_RECEIVED,
    TIME_WAIT,
    end_at,
    flow_at,
    knows,
    log_at,
    move,
    over,
    place_at,
    still_kept,
    tuple_at,
    write,
)
from analyzer.tracker.duplicates import same_packet
from analyzer.tracker.ledger import Known
from analyzer.tracker.log import Note
from analyzer.tracker.resets import contradict, end_older, reset
from analyzer.tracker.space import ahead, plus
from analyzer.tracker.transitions import Event

ROWS_A_SEGMENT = 16  # a segment never writes more log rows than this
TIMER, CAPTURE_END, REPLACED = np.int64(Event.TIMER), np.int64(Event.CAPTURE_END), np.int64(Event.REPLACED)
NO_NOTE, CLOSED_BEFORE = np.int64(Note.NONE), np.int64(Note.CLOSED_BEFORE)
LOST_SIGHT, RCVD_ACK_OF_SYN = np.int64(Event.LOST_SIGHT), np.int64(Event.RCVD_ACK_OF_SYN)
PEER_NOT_CAPTURED = np.int64(Note.PEER_NOT_CAPTURED)
ID_MOVES, ISN, NXT = np.int64(Known.ID_MOVES), np.int64(Known.ISN), np.int64(Known.NXT)
NEAR = 1 << 20  # numbers this close to where a connection stands are taken to be its own (a large window's worth)
GRANULE = 2_000_000_000  # Linux ends TIME_WAIT up to about two seconds late


@kernel(DESK, SEGMENT, int, int, int)
def run(desks, batch, start, room, capacity):
    """Track ``batch`` from ``start``; returns where it stopped: its end, or earlier for want of room in the log or
    of a free slot among ``capacity``."""
    desk = desks[0]
    for k in range(start, len(batch)):
        s = batch[k]
        if np.int64(s["marks"]) & UNTRACKED:
            continue
        sender = np.int64(s["sender"])
        slot = np.int64(place_at(desk, sender >> 1)["slot"]) - 1
        if desk["used"] > room or (slot < 0 and desk["free"] < 0 and desk["slots"] == capacity):
            return k
        if slot == NOT_YET - 1:
            slot = begin(desk, s, sender >> 1)
        if slot == BOOKS_CLOSED - 1 or over(desk, slot, np.int64(s["time"])):
            desk["late"] = desk["late"] + 1
        else:
            step(desk, s, 2 * slot + (sender & 1))
    return len(batch)


@part
def take_slot(desk):
    """A free slot; the caller has made sure that there is one."""
    slot = np.int64(desk["free"])
    if slot >= 0:
        desk["free"] = flow_at(desk, slot)["row"]
    else:
        slot = np.int64(desk["slots"])
        desk["slots"] = slot + 1
    return slot


@part
def step(desk, s, i):
    """Take in one segment of endpoint ``i``."""
    j = i ^ 1
    e, p = end_at(desk, i), end_at(desk, j)
    f = flow_at(desk, i >> 1)
    now, flags = np.int64(s["time"]), np.int64(s["flags"])
    clock(desk, s, e)
    if e["deadline"] > 0 and now >= np.int64(e["deadline"]):
        end_time_wait(desk, i)
    if p["deadline"] > 0 and now >= np.int64(p["deadline"]):
        end_time_wait(desk, j)
    if same_packet(desk, s, e, p):
        s["marks"] = np.int64(s["marks"]) | DUPLICATE
        e["duplicates"] = e["duplicates"] + 1
        if e["duplicate_frame"] == 0:
            e["duplicate_frame"] = s["frame"]
            e["duplicate_time"] = s["time"]
        return
    if f["old_seen"] == 1 and of_older(desk, s, i, f):
        e["leftovers"] = e["leftovers"] + 1
        if flags & RST:
            end_older(desk, j, now, np.int64(s["frame"]))
        count(desk, s, i)
        return
    kind = kind_of(desk, s, i)
    if flags & RST:
        own_reset(desk, s, i)
        reset(desk, s, i)
    else:
        if np.int64(e["state"]) == CLOSED:
            contradict(desk, s, i)
        revived = revive(desk, s, i)
        if e["proof_event"] > 0 and not flags & SYN and not not_yet_proof(e, p, now):
            prove(desk, e, now)
        if np.int64(e["state"]) == SYN_RECEIVED and p["packets"] == 0 and not flags & SYN:
            move(desk, i, RCVD_ACK_OF_SYN, PROVEN, now, NEVER, now, s["frame"], PEER_NOT_CAPTURED)
        unseen_fin(desk, s, i)
        if flags & ACK:
            acknowledge(desk, s, i)
        carry(desk, s, i, kind)
        if revived:
            kill_again(desk, i, now)
    if flags & (FIN | RST) and f["close_time"] == 0:
        f["close_time"] = now
        f["close_frame"] = s["frame"]
        f["close_side"] = i & 1
        f["close_idle"] = max(0, now - np.int64(f["last_time"])) if f["last_time"] > 0 else 0
    keep_books(desk, s, i, kind)


@part
def begin(desk, s, row):
    """The first segment of the flow with that row of the flow table: give it a slot, which is returned.

    What the older flow on the same tuple was doing, if it is still kept, is noted here.
    """
    slot = take_slot(desk)
    place_at(desk, row)["slot"] = slot + 1
    f = flow_at(desk, slot)
    f["row"] = row
    f["first_time"] = s["time"]
    f["first_frame"] = s["frame"]
    new = tuple_at(desk, row)
    old = np.int64(new["previous"])
    f["old_end"] = -1
    old_slot = np.int64(place_at(desk, old)["slot"]) - 1 if old >= 0 else np.int64(-1)
    if old_slot < 0 or over(desk, old_slot, np.int64(s["time"])):
        return slot
    older = tuple_at(desk, old)
    same = older["address"][0] == new["address"][0] and older["port"][0] == new["port"][0]
    first = 2 * old_slot + (0 if same else 1)
    now = np.int64(s["time"])
    for end in (first, first ^ 1):
        if end_at(desk, end)["deadline"] > 0 and now >= np.int64(end_at(desk, end)["deadline"]):
            end_time_wait(desk, end)
    f["old_seen"] = 1
    f["old_end"] = first
    f["old_state_0"] = end_at(desk, first)["state"]
    f["old_state_1"] = end_at(desk, first ^ 1)["state"]
    f["old_age"] = now - np.int64(flow_at(desk, old_slot)["end_time"])
    f["old_time_wait"] = -1
    for end in (first, first ^ 1):
        if np.int64(end_at(desk, end)["state"]) == TIME_WAIT:
            f["old_time_wait"] = now - np.int64(end_at(desk, end)["time_wait_time"])
    sender = end_at(desk, first if np.int64(s["sender"]) & 1 == 0 else first ^ 1)
    f["old_seq_ahead"] = ahead(s["seq"], sender["snd_nxt"])
    if np.int64(s["marks"]) & HAS_TIMESTAMP and sender["ts_last"] > 0:
        f["old_ts_ahead"] = ahead(s["ts_val"], sender["ts_last"])
    return slot


@part
def of_older(desk, s, i, f):
    """Whether the segment's numbers continue the older connection on this tuple, not this one: a leftover of it.

    Wireshark counts it to the newer connection; to the state machine of that it means nothing.
    """
    e, old_end = end_at(desk, i), np.int64(f["old_end"]) ^ (i & 1)
    if not knows(e, ISN) or np.int64(s["flags"]) & SYN or not still_kept(desk, f, np.int64(s["time"])):
        return False
    old = end_at(desk, old_end)
    near_old = knows(old, NXT) and abs(ahead(s["seq"], old["snd_nxt"])) < NEAR
    return near_old and abs(ahead(s["seq"], e["snd_nxt"])) >= NEAR


@part
def clock(desk, s, e):
    """Notice a frame time that runs backward against the highest so far."""
    now = np.int64(s["time"])
    if now >= desk["clock"]:
        desk["clock"] = now
    elif desk["clock"] - now > np.int64(e["clock_back"]):
        e["clock_back"] = desk["clock"] - now
        e["clock_back_frame"] = s["frame"]
        e["clock_back_time"] = now


@part
def end_time_wait(desk, i):
    """TIME_WAIT's timer has run out, by the profile in force."""
    due = np.int64(end_at(desk, i)["deadline"])
    move(desk, i, TIMER, BY_TIMER, due, due, due + GRANULE, NO_FRAME, NO_NOTE)


@part
def prove(desk, e, now):
    """The endpoint sends something it could not have sent without what was assumed."""
    entry = log_at(desk, np.int64(e["proof_event"]))
    entry["basis"] = PROVEN
    entry["latest"] = max(np.int64(entry["time"]), now + desk["slack"])
    e["proof_event"] = 0
    e["mark_event"] = 0
    e["state_basis"] = PROVEN


@part
def count(desk, s, i):
    """Count a segment and note when the endpoint and the flow were last heard of."""
    e, f = end_at(desk, i), flow_at(desk, i >> 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    if e["packets"] == 0:
        e["first_time"] = now
        e["first_frame"] = frame
    e["packets"] = e["packets"] + 1
    e["bytes"] = e["bytes"] + np.int64(s["payload_len"])
    f["data_bytes"] = f["data_bytes"] + np.int64(s["payload_len"])
    if f["end_time"] > 0 and now - np.int64(f["end_time"]) > np.int64(e["idle_longest"]):
        e["idle_longest"] = now - np.int64(f["end_time"])
        e["idle_longest_frame"] = frame
    e["last_time"] = now
    e["last_frame"] = frame
    f["end_time"] = now
    f["end_frame"] = frame
    e["ip_id"] = s["ip_id"]
    if np.int64(s["marks"]) & CUT_HEADER:
        e["cut_headers"] = e["cut_headers"] + 1
        if e["cut_frame"] == 0:
            e["cut_frame"] = frame
            e["cut_time"] = now


@part
def keep_books(desk, s, i, kind):
    """Counters, last values and the run of unanswered segments; nothing here decides a state."""
    count(desk, s, i)
    e, p, f = end_at(desk, i), end_at(desk, i ^ 1), flow_at(desk, i >> 1)
    now, frame, flags = np.int64(s["time"]), np.int64(s["frame"]), np.int64(s["flags"])
    if flags & RST:
        return
    e["last_kind"] = kind
    e["last_ack"] = s["ack"]
    e["last_seq_end"] = plus(
        s["seq"], np.int64(s["payload_len"]) + (1 if flags & FIN else 0) + (1 if flags & SYN else 0)
    )
    if e["run_frame"] == 0 and kind != KIND_ACK and kind != KIND_PROBE:
        e["run_frame"] = frame
        e["run_kind"] = kind
        e["run_ack"] = s["ack"]
    p["run_frame"] = 0
    p["run_kind"] = 0
    p["probe_run"] = 0
    if kind != KIND_PROBE:
        f["last_time"] = now
    if np.int64(s["marks"]) & HAS_TIMESTAMP:
        e["ts_last"] = s["ts_val"]
    ttl = s["ttl"]
    e["ttl_low"] = ttl if e["ttl_low"] == 0 else min(ttl, e["ttl_low"])
    e["ttl_high"] = max(ttl, e["ttl_high"])
    if not np.int64(s["marks"]) & CUT_HEADER:
        windows(s, e, p, flags)


@part
def windows(s, e, p, flags):
    """The window advertised, scaled where both SYNs were seen to negotiate it, and whether it is closed."""
    window = np.int64(s["window"])
    if not flags & SYN and e["window_scale"] > NO_SCALE and p["window_scale"] > NO_SCALE:
        window = window << min(np.int64(e["window_scale"]) - NO_SCALE - 1, 14)
    elif not flags & SYN and e["window_scale"] == 0:
        window = window << 14  # the handshake was not captured: the widest it could mean
    e["window"] = min(window, 1 << 30)
    if window > 0 or flags & SYN:
        e["zero_window_since"] = 0
    elif e["zero_window_since"] == 0:
        e["zero_window_since"] = s["time"]
        e["zero_windows"] = e["zero_windows"] + 1
        e["zero_window_frame"] = s["frame"]


@part
def unsure_who_closed(e, p):
    """The first that was captured of the endpoint is its FIN, and nothing of the peer tells whether it had closed
    before: FIN_WAIT or LAST_ACK and beyond, nobody can tell."""
    waiting = np.int64(e["state"]) == FIN_WAIT_1 or np.int64(e["state"]) == FIN_WAIT_2
    return waiting and e["first_frame"] == e["fin_frame"] and p["fin_count"] == 0 and p["data_time"] <= e["fin_time"]


@kernel(DESK, const(np.int64), int, int, int)
def close_books(desks, slots, first, end_time, room):
    """Close the books of ``slots`` from place ``first`` on as at ``end_time``; returns where the log was full."""
    desk = desks[0]
    for place in range(first, len(slots)):
        if desk["used"] > room:
            return place
        slot = slots[place]
        for i in (2 * slot, 2 * slot + 1):
            e = end_at(desk, i)
            if e["deadline"] > 0 and end_time >= np.int64(e["deadline"]):
                end_time_wait(desk, i)
            if unsure_who_closed(e, end_at(desk, i ^ 1)):
                move(desk, i, LOST_SIGHT, ASSUMED, end_time, NEVER, end_time, NO_FRAME, CLOSED_BEFORE)
            if np.int64(e["state"]) != CLOSED:
                write(desk, i, CAPTURE_END, AT_END, end_time, end_time, end_time, NO_FRAME, NO_NOTE)
    return len(slots)
