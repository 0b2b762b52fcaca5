"""A segment's SYN or SYN-ACK: a request for a connection, its answer, and what both negotiate."""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import CUT_HEADER, HAS_TIMESTAMP
from analyzer.tcp.bounds import replaced, sent_at, sent_syn, sent_syn_ack
from analyzer.tcp.codes import (
    CLOSED,
    ESTABLISHED,
    LISTEN,
    NO_NOTE,
    PROVEN,
    REPLACED,
    SENT,
    SENT_SYN,
    SENT_SYN_ACK,
    SYN_ACK_AGAIN,
    SYN_AGAIN,
    SYN_RECEIVED,
    TIME_WAIT,
    UNKNOWN,
)
from analyzer.tcp.sequence import seq_add
from analyzer.tracker.codes import CROSSED_SYN, ISN, KIND_SYN, NXT, RST_ACCEPTED, TIMESTAMPS
from analyzer.tracker.context import end_at, flow_at, forget, knows, last_syn, learn, mark_unusual, older_at, unusual
from analyzer.tracker.distance import measure, round_trip
from analyzer.tracker.moves import move, note, take_back
from analyzer.tracker.over import still_kept
from analyzer.tracker.rst import DISREGARDED, refuses_later_syn
from analyzer.tracker.segment import length_of
from analyzer.tracker.third_party import came_another_way

NO_SCALE = 1  # window_scale of an endpoint: not known, none, or one more than this and the shift


@helper
def take_syn(context, s, i):
    """A SYN without ACK: a request for a connection, or the same request again."""
    e = end_at(context, i)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    if knows(e, ISN) and np.int64(e["isn"]) == np.int64(s["seq"]):
        e["fresh_time"] = 0
        if knows(e, RST_ACCEPTED) and np.int64(e["state"]) == CLOSED:
            forget(e, RST_ACCEPTED)  # it was refused and tries again
            e["mark_event"] = 0
            move(context, i, SENT_SYN, SENT, sent_syn(now, np.int64(0)), frame, NO_NOTE)
        else:
            note(context, i, SYN_AGAIN, now, frame, NO_NOTE)
    elif np.int64(e["state"]) in (UNKNOWN, CLOSED) and not knows(e, ISN):
        e["state"] = CLOSED
        replace_old(context, i, now, now, frame)
        syn_stamps(s, e, 0)
        move(context, i, SENT_SYN, SENT, sent_syn(now, np.int64(0)), frame, NO_NOTE)
        refuses_later_syn(context, s, i ^ 1)
    else:
        note(context, i, SENT_SYN, now, frame, NO_NOTE)
    count_syn(context, e, now, frame)


@helper
def take_syn_ack(context, s, i):
    """A SYN-ACK: the answer to a SYN, or the same answer again because its acknowledgment did not come."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    state = np.int64(e["state"])
    if knows(e, ISN) and e["syn_ack"] == 1 and np.int64(e["isn"]) == np.int64(s["seq"]):
        open_till_now = state == ESTABLISHED and e["mark_event"] > 0 and now - e["mark_time"] > round_trip(context, e)
        if open_till_now:
            take_back(context, i)
        if open_till_now or (state == SYN_RECEIVED and unusual(context, e)["syn_ack_after_ack"] > 0):
            repeated_after_ack(context, e, frame)
        note(context, i, SYN_ACK_AGAIN, now, frame, NO_NOTE)
        e["fresh_time"] = 0
    elif not knows(e, ISN) or np.int64(e["isn"]) == np.int64(s["seq"]):
        if state == UNKNOWN or (state == CLOSED and not knows(e, ISN)):
            e["state"] = LISTEN
        if p["syn_count"] == 1 and not knows(e, ISN):
            measure(context, i, now - last_syn(context, p))
        came_another_way(context, s, e)
        if np.int64(unusual(context, e)["rst_answers"]) == KIND_SYN and np.int64(p["state"]) != CLOSED:
            mark_unusual(context, e)["rst_verdict"] = (
                DISREGARDED  # it refused at first; the connection opens all the same
            )
        replace_old(context, i, sent_at(now, np.int64(e["tap_rtt"])), now, frame)
        if knows(e, ISN):
            learn(e, CROSSED_SYN)
        times = sent_syn_ack(now, np.int64(e["tap_rtt"]), np.int64(p["syn_time"]))
        syn_stamps(s, e, 1)
        move(context, i, SENT_SYN_ACK, SENT, times, frame, NO_NOTE)
    else:
        note(context, i, SENT_SYN_ACK, now, frame, NO_NOTE)
    count_syn(context, e, now, frame)


@helper
def repeated_after_ack(context, e, frame):
    """Count a SYN-ACK that endpoint ``e`` repeats although an acknowledgment of it has passed."""
    u = mark_unusual(context, e)
    u["syn_ack_after_ack"] = u["syn_ack_after_ack"] + 1
    u["syn_ack_after_ack_last"] = frame
    if u["syn_ack_after_ack_frame"] == 0:
        u["syn_ack_after_ack_frame"] = frame


@helper
def options(s, e):
    """Remember what a SYN negotiates."""
    if not np.int64(s["marks"]) & CUT_HEADER:
        e["window_scale"] = NO_SCALE if s["window_scale"] < 0 else NO_SCALE + 1 + s["window_scale"]
    if np.int64(s["marks"]) & HAS_TIMESTAMP:
        learn(e, TIMESTAMPS)


@helper
def syn_stamps(s, e, is_ack):
    """Enter a first SYN or SYN-ACK in the ledger."""
    e["isn"] = s["seq"]
    learn(e, ISN | NXT)
    e["snd_nxt"] = seq_add(s["seq"], 1 + length_of(s))
    e["syn_time"] = s["time"]
    e["syn_frame"] = s["frame"]
    e["syn_ack"] = is_ack
    e["fast_open"] = 1 if length_of(s) > 0 and is_ack == 0 else 0
    e["fresh_time"] = s["time"]


@helper
def count_syn(context, e, now, frame):
    """Count a SYN or SYN-ACK, and note it where it is not the first."""
    e["syn_count"] = e["syn_count"] + 1
    if e["syn_time"] != now:
        u = mark_unusual(context, e)
        u["syn_last_time"] = now
        u["syn_last_frame"] = frame
        if u["disowned_time"] > 0:
            u["disowned_wait"] = np.int64(u["disowned_wait"]) + now - np.int64(u["disowned_time"])
            u["disowned_time"] = 0


@helper
def replace_old(context, i, began, now, frame):
    """A new connection of the endpoint takes the place of the older one on this tuple, whose state was still kept; at
    ``began``, when it enters its first state."""
    f = flow_at(context, i >> 1)
    if f["older"] > 0:
        old = np.int64(older_at(context, f)["old_end"]) ^ (i & 1)
        if still_kept(context, f) and np.int64(end_at(context, old)["state"]) != CLOSED:
            basis = SENT if np.int64(end_at(context, old)["state"]) == TIME_WAIT else PROVEN
            move(context, old, REPLACED, basis, replaced(began, now), frame, NO_NOTE)
