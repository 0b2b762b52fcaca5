"""One segment after the other: the tracker's main loop, as kernels.

Order for each segment, and why: timers that ended before it; whether it is the same packet captured twice; what
it contradicts; what it proves and lets assume by its acknowledgment; what it carries; and last the bookkeeping,
so that everything above still sees the state of things before it.
"""

import numpy as np

from analyzer.kernels import const, kernel, part, prefetch, wipe
from analyzer.memory import LINE
from analyzer.segments.table import (
    ACK,
    CUT_HEADER,
    DUPLICATE,
    FIN,
    HAS_TIMESTAMP,
    PADDED,
    QUOTED,
    RST,
    SEGMENT,
    SYN,
    UNTRACKED,
)
from analyzer.tracker.acknowledge import acknowledge
from analyzer.tracker.bounds import half
from analyzer.tracker.carry import KIND_ACK, KIND_PROBE, carry, kind_of
from analyzer.tracker.crossing import kill_again, not_yet_proof, revive, unseen_fin
from analyzer.tracker.desk import (
    BOOKS_CLOSED,
    BY_TIMER,
    CLOSED,
    DESK,
    NEVER,
    NO_FRAME,
    NOT_YET,
    PROVEN,
    SYN_RECEIVED,
    TIME_WAIT,
    end_at,
    flow_at,
    knows,
    later,
    mark_later,
    mark_unusual,
    move,
    older_at,
    over,
    place_at,
    still_kept,
    tuple_at,
    unusual,
)
from analyzer.tracker.duplicates import same_packet
from analyzer.tracker.foreign import goes_on_after_ignored, own_goes_on
from analyzer.tracker.gaps import silent_since
from analyzer.tracker.icmp import hear
from analyzer.tracker.journal import bound, earliest_of, log_at
from analyzer.tracker.ledger import KEPT, Known
from analyzer.tracker.log import Note
from analyzer.tracker.padding import padding_was_data, remember_padding
from analyzer.tracker.pools import OLDERS, SLOTS, next_free, room, slots_taken, take
from analyzer.tracker.resets import contradict, end_older, reset
from analyzer.tracker.space import ack_of, ahead, length_of, plus
from analyzer.tracker.strangers import of_another
from analyzer.tracker.syns import NO_SCALE
from analyzer.tracker.transitions import Event

TIMER = np.int64(Event.TIMER)
NO_NOTE = np.int64(Note.NONE)
RCVD_ACK_OF_SYN = np.int64(Event.RCVD_ACK_OF_SYN)
PEER_NOT_CAPTURED = np.int64(Note.PEER_NOT_CAPTURED)
ISN, NXT = np.int64(Known.ISN), np.int64(Known.NXT)
NEAR = 1 << 20  # numbers this close to where a connection stands are taken to be its own (a large window's worth)
END_BYTES = np.int64(KEPT.itemsize)
GRANULE = 2_000_000_000  # Linux ends TIME_WAIT up to about two seconds late


@kernel(DESK, SEGMENT, const(np.int64), int)
def run(desks, batch, clocks, start):
    """Track ``batch`` from ``start``; returns where it stopped: its end, or earlier for want of room in a pool.

    ``clocks`` is the highest frame time up to each segment.
    """
    desk = desks[0]
    left = room(desk)
    for k in range(start, len(batch)):
        s = batch[k]
        marks, sender = np.int64(s["marks"]), np.int64(s["sender"])
        if marks & UNTRACKED and (not marks & QUOTED or sender < 0):
            continue
        if left <= 0:
            left = room(desk)
            if left <= 0:
                return k
        left -= 1
        desk["clock"] = clocks[k]
        slot = np.int64(place_at(desk, sender >> 1)["slot"]) - 1
        if marks & QUOTED:
            if slot >= 0 and not over(desk, slot):
                hear(desk, s, 2 * slot + (sender & 1))
            continue
        if slot == NOT_YET - 1:
            slot = begin(desk, s, sender >> 1)
        if slot == BOOKS_CLOSED - 1 or over(desk, slot):
            desk["late"] = desk["late"] + 1
        else:
            step(desk, s, 2 * slot + (sender & 1))
    return len(batch)


@part
def step(desk, s, i):
    """Take in one segment of endpoint ``i``."""
    j = i ^ 1
    e, p = end_at(desk, i), end_at(desk, j)
    f = flow_at(desk, i >> 1)
    now, flags = np.int64(s["time"]), np.int64(s["flags"])
    clock(desk, s, e, np.int64(f["end_time"]))
    if timer_ended(desk, e, now):
        end_time_wait(desk, i)
    if timer_ended(desk, p, now):
        end_time_wait(desk, j)
    if same_packet(desk, s, e, p):
        s["marks"] = np.int64(s["marks"]) | DUPLICATE
        u = mark_unusual(desk, e)
        u["duplicates"] = u["duplicates"] + 1
        if u["duplicate_frame"] == 0:
            u["duplicate_frame"] = s["frame"]
            u["duplicate_time"] = s["time"]
        return
    if e["unusual"] > 0:
        padding_was_data(desk, e, s["seq"])
    if p["unusual"] > 0 and flags & ACK:
        padding_was_data(desk, p, s["ack"])
    if f["older"] > 0 and of_older(desk, s, i, f):
        if flags & RST:
            end_older(desk, j, now, np.int64(s["frame"]))
        count(desk, s, i)
        return
    if of_another(desk, s, i):
        count(desk, s, i)
        return
    if flags & SYN:
        learn_role(f, flags, i & 1)
    kind = kind_of(desk, s, i)
    if not flags & RST and (p["unusual"] > 0 or e["unusual"] > 0):
        goes_on_after_ignored(desk, s, i)
        own_goes_on(desk, s, e)
    if flags & RST:
        reset(desk, s, i)
    else:
        if np.int64(e["state"]) == CLOSED:
            contradict(desk, s, i)
        revived = revive(desk, s, i)
        if e["proof_event"] > 0 and not flags & SYN and not not_yet_proof(e, p, now):
            prove(desk, e, now)
        if np.int64(e["state"]) == SYN_RECEIVED and not flags & SYN:
            taken_after_all(desk, s, i)
        unseen_fin(desk, s, i)
        if flags & ACK:
            acknowledge(desk, s, i)
        carry(desk, s, i, kind)
        if revived:
            kill_again(desk, i, now)
    if flags & (FIN | RST) and f["close_side"] == 0:
        f["close_side"] = 1 + (i & 1)
        silent = silent_since(desk, np.int64(f["last_time"]), now)
        f["close_idle"] = max(0, now - silent) if f["last_time"] > 0 else 0
    keep_books(desk, s, i, kind)
    if np.int64(s["marks"]) & PADDED:
        remember_padding(desk, s, e)
    if f["older"] > 0:
        replaces(desk, f, e, p)


@part
def taken_after_all(desk, s, i):
    """Endpoint ``i``, in SYN_RECEIVED, sends what only an open connection does: the acknowledgment of its SYN had
    reached it, whether or not one was captured."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    now = np.int64(s["time"])
    if p["packets"] == 0:
        move(desk, i, RCVD_ACK_OF_SYN, PROVEN, now, NEVER, now, s["frame"], PEER_NOT_CAPTURED)
    elif unusual(desk, e)["syn_ack_after_ack"] > 0:
        seen = max(np.int64(e["syn_time"]), np.int64(p["last_time"]))
        move(desk, i, RCVD_ACK_OF_SYN, PROVEN, seen + half(e["reach"]), seen, now, s["frame"], NO_NOTE)


@part
def begin(desk, s, row):
    """The first segment of the flow with that row of the flow table: give it a slot, which is returned.

    What the older flow on the same tuple was doing, if it is still kept, is noted here.
    """
    used = slots_taken(desk)
    slot = take(desk, SLOTS)
    if slot < used:  # the endpoints' rows are as the flow before left them
        wipe(desk["ends"] + 2 * slot * END_BYTES, 2 * END_BYTES)
        come_nearer(desk)
    place_at(desk, row)["slot"] = slot + 1
    f = flow_at(desk, slot)
    f["row"] = row
    f["first_time"] = s["time"]
    f["first_frame"] = s["frame"]
    new = tuple_at(desk, row)
    f["client"] = new["guess"]
    old = np.int64(new["previous"])
    old_slot = np.int64(place_at(desk, old)["slot"]) - 1 if old >= 0 else np.int64(-1)
    if old_slot < 0 or over(desk, old_slot):
        return slot
    older = tuple_at(desk, old)
    same = older["address"][0] == new["address"][0] and older["port"][0] == new["port"][0]
    first = 2 * old_slot + (0 if same else 1)
    now = np.int64(s["time"])
    for end in (first, first ^ 1):
        if timer_ended(desk, end_at(desk, end), now):
            end_time_wait(desk, end)
    remember_older(desk, s, f, first)
    return slot


@part
def come_nearer(desk):
    """Have the rows brought near that the next flow will be given: they were last used a minute ago."""
    slot = next_free(desk, SLOTS)
    if slot >= 0:
        for offset in range(0, 2 * END_BYTES, LINE):
            prefetch(desk["ends"] + 2 * slot * END_BYTES + offset)


@part
def learn_role(f, flags, side):
    """Who opened, if this SYN or SYN-ACK tells it better than what came before; the first SYN's sender stays."""
    if not flags & ACK and f["client_basis"] < 2:
        f["client"], f["client_basis"] = side, 2
    elif flags & ACK and f["client_basis"] < 1:
        f["client"], f["client_basis"] = side ^ 1, 1


@part
def remember_older(desk, s, f, first):
    """Note what the older flow on the tuple was doing; ``first`` is the endpoint there of this flow's side 0."""
    f["older"] = take(desk, OLDERS)
    old, now = older_at(desk, f), np.int64(s["time"])
    old["old_seen"] = 1
    old["old_end"] = first
    old["old_state_0"] = end_at(desk, first)["state"]
    old["old_state_1"] = end_at(desk, first ^ 1)["state"]
    old["old_time_wait"] = -1
    for end in (first, first ^ 1):
        if np.int64(end_at(desk, end)["state"]) == TIME_WAIT:
            old["old_time_wait"] = now - np.int64(later(desk, end_at(desk, end))["time_wait_time"])
    sender = end_at(desk, first if np.int64(s["sender"]) & 1 == 0 else first ^ 1)
    old["old_seq_ahead"] = ahead(s["seq"], sender["snd_nxt"])
    if np.int64(s["marks"]) & HAS_TIMESTAMP and sender["ts_last"] > 0:
        old["old_ts_ahead"] = ahead(s["ts_val"], sender["ts_last"])


@part
def replaces(desk, f, e, p):
    """Once this flow's handshake is complete, the older flow on its tuple is out of sight since this one began."""
    opened = e["syn_count"] > 0 and p["syn_count"] > 0 and e["syn_ack"] != p["syn_ack"]
    opened = opened and (later(desk, e)["established_time"] > 0 or later(desk, p)["established_time"] > 0)
    if opened and still_kept(desk, f):
        flow_at(desk, np.int64(older_at(desk, f)["old_end"]) >> 1)["replaced_time"] = f["first_time"]


@part
def of_older(desk, s, i, f):
    """Whether the segment's numbers continue the older connection on this tuple, not this one: a leftover of it.

    Wireshark counts it to the newer connection; to the state machine of that it means nothing.
    """
    e, old_end = end_at(desk, i), np.int64(older_at(desk, f)["old_end"]) ^ (i & 1)
    if not knows(e, ISN) or np.int64(s["flags"]) & SYN or not still_kept(desk, f):
        return False
    old = end_at(desk, old_end)
    near_old = knows(old, NXT) and abs(ahead(s["seq"], old["snd_nxt"])) < NEAR
    return near_old and abs(ahead(s["seq"], e["snd_nxt"])) >= NEAR


@part
def clock(desk, s, e, before):
    """Notice a frame time that runs backward against the frame of this connection before it, by more than is asked
    about: packets that several processors record stand in each other's way by microseconds all the time."""
    now = np.int64(s["time"])
    back = before - now if before > 0 else np.int64(0)
    if back > desk["clock_back"] and back > np.int64(unusual(desk, e)["clock_back"]):
        u = mark_unusual(desk, e)
        u["clock_back"] = back
        u["clock_back_frame"] = s["frame"]
        u["clock_back_time"] = now


@part
def timer_ended(desk, e, now):
    """Whether TIME_WAIT's timer has run out for endpoint ``e``."""
    return e["state"] == TIME_WAIT and 0 < np.int64(later(desk, e)["deadline"]) <= now


@part
def end_time_wait(desk, i):
    """TIME_WAIT's timer has run out, by the profile in force."""
    due = np.int64(later(desk, end_at(desk, i))["deadline"])
    move(desk, i, TIMER, BY_TIMER, due, due, due + GRANULE, NO_FRAME, NO_NOTE)


@part
def prove(desk, e, now):
    """The endpoint sends something it could not have sent without what was assumed."""
    entry = log_at(desk, np.int64(e["proof_event"]))
    entry["basis"] = PROVEN
    bound(desk, entry, earliest_of(desk, entry), max(np.int64(entry["time"]), now + desk["slack"]))
    e["proof_event"] = 0
    e["mark_event"] = 0
    e["state_basis"] = PROVEN


@part
def count(desk, s, i):
    """Count a segment and note when the endpoint and the flow were last heard of."""
    e, f = end_at(desk, i), flow_at(desk, i >> 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    if e["packets"] == 0:
        e["first_frame"] = frame
    e["packets"] = e["packets"] + 1
    e["bytes"] = e["bytes"] + length_of(s)
    silent = silent_since(desk, np.int64(f["end_time"]), now)
    if e["later"] > 0 and f["end_time"] > 0 and now - silent > np.int64(later(desk, e)["idle_longest"]):
        after = mark_later(desk, e)
        after["idle_longest"] = now - silent
        after["idle_longest_frame"] = frame
    e["last_time"] = now
    e["last_frame"] = frame
    f["end_time"] = now
    f["end_side"] = i & 1
    e["ip_id"] = s["ip_id"]
    if np.int64(s["marks"]) & CUT_HEADER:
        u = mark_unusual(desk, e)
        u["cut_headers"] = u["cut_headers"] + 1
        if u["cut_frame"] == 0:
            u["cut_frame"] = frame
            u["cut_time"] = now


@part
def keep_books(desk, s, i, kind):
    """Counters, last values and the run of unanswered segments; nothing here decides a state."""
    count(desk, s, i)
    e, p, f = end_at(desk, i), end_at(desk, i ^ 1), flow_at(desk, i >> 1)
    now, frame, flags = np.int64(s["time"]), np.int64(s["frame"]), np.int64(s["flags"])
    if flags & RST:
        return
    e["last_kind"] = kind
    e["last_ack"] = ack_of(s, e["ack_sent"])
    e["last_seq_end"] = plus(s["seq"], length_of(s) + (1 if flags & FIN else 0) + (1 if flags & SYN else 0))
    if e["run_frame"] == 0 and kind != KIND_ACK and kind != KIND_PROBE:
        e["run_frame"] = frame
        e["run_time"] = now
        e["run_kind"] = kind
        e["run_ack"] = e["last_ack"]
        e["run_end"] = e["last_seq_end"]
    if p["unusual"] > 0 and kind != KIND_PROBE:
        unusual(desk, p)["probe_run"] = 0
    if kind != KIND_PROBE:
        f["last_time"] = now
    if np.int64(s["marks"]) & HAS_TIMESTAMP:
        e["ts_last"] = s["ts_val"]
    ttl = s["ttl"]
    e["ttl_low"] = ttl if e["ttl_low"] == 0 else min(ttl, e["ttl_low"])
    e["ttl_high"] = max(ttl, e["ttl_high"])
    if not np.int64(s["marks"]) & CUT_HEADER:
        windows(desk, s, e, p, flags)


@part
def windows(desk, s, e, p, flags):
    """The window advertised, scaled where both SYNs were seen to negotiate it, and whether it is closed."""
    window = np.int64(s["window"])
    if not flags & SYN and e["window_scale"] > NO_SCALE and p["window_scale"] > NO_SCALE:
        window = window << min(np.int64(e["window_scale"]) - NO_SCALE - 1, 14)
    elif not flags & SYN and e["window_scale"] == 0:
        window = window << 14  # the handshake was not captured: the widest it could mean
    e["window"] = min(window, 1 << 30)
    if window > 0 or flags & SYN:
        if e["unusual"] > 0:
            unusual(desk, e)["zero_window_since"] = 0
        return
    u = mark_unusual(desk, e)
    if u["zero_window_since"] == 0:
        u["zero_window_since"] = s["time"]
        u["zero_windows"] = u["zero_windows"] + 1
        u["zero_window_frame"] = s["frame"]
