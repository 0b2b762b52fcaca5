"""One segment after the other: the tracker's main loop, as kernels.

Order for each segment, and why: timers that ended before it; whether it is the same packet captured twice; what
it contradicts; what it proves and lets assume by its acknowledgment; what it carries; and last the bookkeeping,
so that everything above still sees the state of things before it.
"""

import numpy as np

from analyzer.kernels import const, helper, kernel, prefetch, wipe
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
from analyzer.tcp.bounds import NEVER, opened_unseen, proven_by, shown_by
from analyzer.tcp.codes import (
    CLOSED,
    NO_NOTE,
    PEER_NOT_CAPTURED,
    PROVEN,
    RCVD_ACK_OF_SYN,
    SYN_RECEIVED,
)
from analyzer.tcp.sequence import seq_add
from analyzer.tracker.acknowledgment import acknowledge
from analyzer.tracker.challenge import challenged
from analyzer.tracker.codes import ACKED, KIND_ACK, KIND_PROBE
from analyzer.tracker.context import (
    CONTEXT,
    FINISHED,
    NOT_YET,
    end_at,
    flow_at,
    knows,
    mark_closing_facts,
    mark_unusual,
    place_at,
    tuple_at,
    unusual,
)
from analyzer.tracker.dialogue import break_silence, end_dialogue
from analyzer.tracker.duplicates import same_packet
from analyzer.tracker.gaps import silent_since
from analyzer.tracker.icmp import take_icmp_error
from analyzer.tracker.ledger import ENDPOINT_CORE
from analyzer.tracker.moves import end_time_wait, move
from analyzer.tracker.older_flow import end_older, of_older, remember_older, replaces, same_side
from analyzer.tracker.other_connection import is_other_connection
from analyzer.tracker.over import over
from analyzer.tracker.padding import padding_was_data, remember_padding
from analyzer.tracker.payload import kind_of, take_contents
from analyzer.tracker.reordering import not_yet_proof, redo_reset, undo_reset_for, unseen_fin
from analyzer.tracker.rst import contradict, reset
from analyzer.tracker.segment import ack_of, length_of
from analyzer.tracker.storage.event_log import bound, earliest_of, log_at
from analyzer.tracker.storage.pools import SLOTS, next_free, room, slots_taken, take
from analyzer.tracker.syn import NO_SCALE
from analyzer.tracker.third_party import count_id, goes_on_after_ignored, note_sender_continued
from analyzer.tracker.zeek.segments import begin_history, take_in

END_BYTES = np.int64(ENDPOINT_CORE.itemsize)


@kernel(CONTEXT, SEGMENT, const(np.int64), int)
def run(contexts, batch, clocks, start):
    """Track ``batch`` from ``start``; returns where it stopped: its end, or earlier for want of room in a pool.

    ``clocks`` is the highest frame time up to each segment.
    """
    context = contexts[0]
    left = room(context)
    for k in range(start, len(batch)):
        s = batch[k]
        marks, sender = np.int64(s["marks"]), np.int64(s["sender"])
        if marks & UNTRACKED and (not marks & QUOTED or sender < 0):
            continue
        if left <= 0:
            left = room(context)
            if left <= 0:
                return k
        left -= 1
        context["clock"] = clocks[k]
        slot = np.int64(place_at(context, sender >> 1)["slot"]) - 1
        if marks & QUOTED:
            if slot >= 0 and not over(context, slot):
                take_icmp_error(context, s, 2 * slot + (sender & 1))
            continue
        if slot == NOT_YET - 1:
            slot = begin(context, s, sender >> 1)
        if slot == FINISHED - 1 or over(context, slot):
            context["late"] = context["late"] + 1
        else:
            step(context, s, 2 * slot + (sender & 1))
    return len(batch)


@helper
def step(context, s, i):
    """Take in one segment of endpoint ``i``."""
    j = i ^ 1
    e, p = end_at(context, i), end_at(context, j)
    f = flow_at(context, i >> 1)
    now, flags = np.int64(s["time"]), np.int64(s["flags"])
    take_in(context, s, i)
    clock(context, s, e, np.int64(f["end_time"]))
    end_time_wait(context, i, now)
    end_time_wait(context, j, now)
    if same_packet(context, s, e, p):
        s["marks"] = np.int64(s["marks"]) | DUPLICATE
        u = mark_unusual(context, e)
        u["duplicates"] = u["duplicates"] + 1
        if u["duplicate_frame"] == 0:
            u["duplicate_frame"] = s["frame"]
            u["duplicate_time"] = s["time"]
        return
    if e["unusual"] > 0:
        padding_was_data(context, e, s["seq"])
    if p["unusual"] > 0 and flags & ACK:
        padding_was_data(context, p, s["ack"])
    if f["older"] > 0 and of_older(context, s, i, f):
        if flags & RST:
            end_older(context, j, now, np.int64(s["frame"]))
        count(context, s, i)
        return
    if is_other_connection(context, s, i):
        count(context, s, i)
        return
    if flags & SYN:
        learn_role(f, flags, i & 1)
    kind = kind_of(context, s, i)
    if not flags & RST and (p["unusual"] > 0 or e["unusual"] > 0):
        goes_on_after_ignored(context, s, i)
        note_sender_continued(context, s, e)
    if flags & RST:
        reset(context, s, i)
    else:
        if np.int64(e["state"]) == CLOSED:
            contradict(context, s, i)
        revived = undo_reset_for(context, s, i)
        if e["proof_event"] > 0 and not flags & SYN and not not_yet_proof(e, p, now):
            prove(context, e, now)
        if np.int64(e["state"]) == SYN_RECEIVED and not flags & SYN:
            taken_after_all(context, s, i)
        unseen_fin(context, s, i)
        if flags & ACK:
            acknowledge(context, s, i)
        take_contents(context, s, i, kind)
        if flags & (FIN | SYN) == FIN:
            end_dialogue(context, s, i)
        if revived:
            redo_reset(context, i, now)
    if flags & (FIN | RST) and f["close_side"] == 0:
        f["close_side"] = 1 + (i & 1)
        silent = silent_since(context, np.int64(f["last_time"]), now)
        f["close_idle"] = max(0, now - silent) if f["last_time"] > 0 else 0
    update_counters(context, s, i, kind)
    if np.int64(s["marks"]) & PADDED:
        remember_padding(context, s, e)
    if f["older"] > 0:
        replaces(context, f, e, p)


@helper
def taken_after_all(context, s, i):
    """Endpoint ``i``, in SYN_RECEIVED, sends what only an open connection does: the acknowledgment of its SYN had
    reached it, whether or not one was captured."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    now = np.int64(s["time"])
    if p["packets"] == 0:
        move(context, i, RCVD_ACK_OF_SYN, PROVEN, shown_by(now, NEVER), s["frame"], PEER_NOT_CAPTURED)
    elif unusual(context, e)["syn_ack_after_ack"] > 0:
        seen = max(np.int64(e["syn_time"]), np.int64(p["last_time"]))
        times = opened_unseen(seen, seen, np.int64(e["tap_rtt"]), now)
        move(context, i, RCVD_ACK_OF_SYN, PROVEN, times, s["frame"], NO_NOTE)


@helper
def begin(context, s, row):
    """The first segment of the flow with that row of the flow table: give it a slot, which is returned.

    What the older flow on the same tuple was doing, if it is still kept, is noted here.
    """
    used = slots_taken(context)
    slot = take(context, SLOTS)
    if slot < used:  # the endpoints' rows are as the flow before left them
        wipe(context["ends"] + 2 * slot * END_BYTES, 2 * END_BYTES)
        prefetch_rows(context)
    place_at(context, row)["slot"] = slot + 1
    f = flow_at(context, slot)
    f["row"] = row
    f["first_time"] = s["time"]
    f["first_frame"] = s["frame"]
    new = tuple_at(context, row)
    f["client"] = new["guess"]
    begin_history(context, f, s)
    old = np.int64(new["previous"])
    old_slot = np.int64(place_at(context, old)["slot"]) - 1 if old >= 0 else np.int64(-1)
    if old_slot < 0 or over(context, old_slot):
        return slot
    older = tuple_at(context, old)
    first = 2 * old_slot + same_side(older, new)
    now = np.int64(s["time"])
    for end in (first, first ^ 1):
        end_time_wait(context, end, now)
    remember_older(context, s, f, first)
    return slot


@helper
def prefetch_rows(context):
    """Have the rows brought near that the next flow will be given: they were last used a minute ago."""
    slot = next_free(context, SLOTS)
    if slot >= 0:
        for offset in range(0, 2 * END_BYTES, LINE):
            prefetch(context["ends"] + 2 * slot * END_BYTES + offset)


@helper
def learn_role(f, flags, side):
    """Who opened, if this SYN or SYN-ACK tells it better than what came before; the first SYN's sender stays."""
    if not flags & ACK and f["client_basis"] < 2:
        f["client"], f["client_basis"] = side, 2
    elif flags & ACK and f["client_basis"] < 1:
        f["client"], f["client_basis"] = side ^ 1, 1


@helper
def clock(context, s, e, before):
    """Notice a frame time that runs backward against the frame of this connection before it, by more than is asked
    about: packets that several processors record stand in each other's way by microseconds all the time."""
    now = np.int64(s["time"])
    back = before - now if before > 0 else np.int64(0)
    if back > context["clock_back"] and back > np.int64(unusual(context, e)["clock_back"]):
        u = mark_unusual(context, e)
        u["clock_back"] = back
        u["clock_back_frame"] = s["frame"]
        u["clock_back_time"] = now


@helper
def prove(context, e, now):
    """The endpoint sends something it could not have sent without what was assumed."""
    entry = log_at(context, np.int64(e["proof_event"]))
    entry["basis"] = PROVEN
    bound(context, entry, earliest_of(context, entry), proven_by(np.int64(entry["time"]), now, context["slack"]))
    e["proof_event"] = 0
    e["mark_event"] = 0
    e["state_basis"] = PROVEN


@helper
def count(context, s, i):
    """Count a segment and note when the endpoint and the flow were last heard of; returns how long the flow had been
    silent."""
    e, f = end_at(context, i), flow_at(context, i >> 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    if e["packets"] == 0:
        e["first_frame"] = frame
    e["packets"] = e["packets"] + 1
    e["bytes"] = e["bytes"] + length_of(s)
    silence = now - silent_since(context, np.int64(f["end_time"]), now) if f["end_time"] > 0 else np.int64(0)
    if e["closing_row"] > 0:
        after = mark_closing_facts(context, e)
        count_id(s, e, after)
        if silence > np.int64(after["idle_longest"]):
            after["idle_longest"] = silence
            after["idle_longest_frame"] = frame
    e["last_time"] = now
    e["last_frame"] = frame
    f["end_time"] = now
    f["end_side"] = i & 1
    e["ip_id"] = s["ip_id"]
    if np.int64(s["marks"]) & CUT_HEADER:
        u = mark_unusual(context, e)
        u["cut_headers"] = u["cut_headers"] + 1
        if u["cut_frame"] == 0:
            u["cut_frame"] = frame
            u["cut_time"] = now
    return silence


@helper
def update_counters(context, s, i, kind):
    """Counters, last values and the run of unanswered segments; nothing here decides a state."""
    silence = count(context, s, i)
    e, p, f = end_at(context, i), end_at(context, i ^ 1), flow_at(context, i >> 1)
    now, frame, flags = np.int64(s["time"]), np.int64(s["frame"]), np.int64(s["flags"])
    if flags & RST:
        return
    break_silence(context, e, p, silence)
    e["last_kind"] = kind
    e["last_ack"] = ack_of(s, e["ack_sent"])
    e["last_seq_end"] = seq_add(s["seq"], length_of(s) + (1 if flags & FIN else 0) + (1 if flags & SYN else 0))
    if e["run_frame"] == 0 and kind != KIND_ACK and kind != KIND_PROBE:
        e["run_frame"] = frame
        e["run_time"] = now
        e["run_kind"] = kind
        e["run_ack"] = e["last_ack"]
        e["run_end"] = e["last_seq_end"]
    if p["unusual"] > 0:
        if kind != KIND_PROBE:
            unusual(context, p)["probe_run"] = 0
        if unusual(context, p)["challenge_due"] > 0:
            challenged(mark_unusual(context, p), s, kind)
        if unusual(context, p)["zero_window_since"] > 0:
            asks_at_closed_window(context, s, e, p, kind)
    if kind != KIND_PROBE:
        f["last_time"] = now
    if np.int64(s["marks"]) & HAS_TIMESTAMP:
        e["ts_last"] = s["ts_val"]
    ttl = s["ttl"]
    e["ttl_low"] = ttl if e["ttl_low"] == 0 else min(ttl, e["ttl_low"])
    e["ttl_high"] = max(ttl, e["ttl_high"])
    if not np.int64(s["marks"]) & CUT_HEADER:
        windows(context, s, e, p, flags)


@helper
def asks_at_closed_window(context, s, e, p, kind):
    """Count a segment of ``e`` that asks whether the window of ``p`` is open again: a probe, or data at its edge. More
    than one byte that come for the first time were under way when it was closed."""
    at_edge = length_of(s) > 0 and knows(p, ACKED) and s["seq"] == p["ack_sent"]
    if kind == KIND_PROBE or (at_edge and (length_of(s) == 1 or e["data_frame"] != s["frame"])):
        u = mark_unusual(context, e)
        if u["window_probes"] == 0:
            u["window_probe_first"] = s["time"]
        u["window_probes"] = u["window_probes"] + 1
        u["window_probe_last"] = s["time"]
        u["window_probe_frame"] = s["frame"]


@helper
def windows(context, s, e, p, flags):
    """The window advertised, scaled where both SYNs were seen to negotiate it, and whether it is closed."""
    window = np.int64(s["window"])
    if not flags & SYN and e["window_scale"] > NO_SCALE and p["window_scale"] > NO_SCALE:
        window = window << min(np.int64(e["window_scale"]) - NO_SCALE - 1, 14)
    elif not flags & SYN and e["window_scale"] == 0:
        window = window << 14  # the handshake was not captured: the widest it could mean
    e["window"] = min(window, 1 << 30)
    if window > 0 or flags & SYN:
        if e["unusual"] > 0:
            unusual(context, e)["zero_window_since"] = 0
        return
    u = mark_unusual(context, e)
    if u["zero_window_since"] == 0:
        u["zero_window_since"] = s["time"]
        u["zero_window_frame"] = s["frame"]
        if p["unusual"] > 0:
            unusual(context, p)["window_probes"] = 0
