"""An older flow on the same addresses and ports: what it was doing when this one began, and its leftovers.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import HAS_TIMESTAMP, SYN
from analyzer.tcp.bounds import rcvd_rst
from analyzer.tcp.codes import ASSUMED, CLOSED, NO_NOTE, RCVD_RST, TIME_WAIT
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.codes import ISN, NXT
from analyzer.tracker.context import closing_facts, end_at, flow_at, knows, older_at
from analyzer.tracker.moves import move
from analyzer.tracker.over import still_kept
from analyzer.tracker.storage.pools import OLDERS, take
from analyzer.tracker.time_wait import waited

NEAR = 1 << 20  # numbers this close to where a connection stands are taken to be its own (a large window's worth)


@helper
def remember_older(context, s, f, first):
    """Note what the older flow on the tuple was doing; ``first`` is the endpoint there of this flow's side 0."""
    f["older"] = take(context, OLDERS)
    old = older_at(context, f)
    old["old_end"] = first
    sender = end_at(context, first ^ (np.int64(s["sender"]) & 1))
    note_older(context, old, first, s, sender, np.int64(sender["ts_last"]))


@helper
def note_older(context, old, first, s, sender, last_timestamp):
    """Note in ``old`` what the two endpoints of the older flow are doing as ``s`` passes, the newer's first segment.

    ``first`` is the endpoint with the address of the newer's side 0, ``sender`` the one with that of who sent ``s``,
    whose last timestamp was ``last_timestamp``, 0 none."""
    now, one, other = np.int64(s["time"]), end_at(context, first), end_at(context, first ^ 1)
    old["old_seen"] = 1
    old["old_state_0"], old["old_state_1"] = one["state"], other["state"]
    waits = other if other["state"] == TIME_WAIT else one  # it may be negative: entered, by the best time, after now
    old["old_time_wait"] = waited(context, waits, now)
    old["old_seq_ahead"], old["old_ts_ahead"] = seq_diff(s["seq"], sender["snd_nxt"]), 0
    old["old_ts"] = 0
    if np.int64(s["marks"]) & HAS_TIMESTAMP and last_timestamp > 0:
        old["old_ts"], old["old_ts_ahead"] = last_timestamp, seq_diff(s["ts_val"], last_timestamp)


@helper
def same_side(older, new):
    """The side of the older flow that has the address and port of side 0 of the newer; both are rows of the flow
    table."""
    same = older["address"][0] == new["address"][0] and older["port"][0] == new["port"][0]
    return np.int64(0) if same else np.int64(1)


@helper
def replaces(context, f, e, p):
    """Once this flow's handshake is complete, the older flow on its tuple is out of sight since this one began."""
    opened = e["syn_count"] > 0 and p["syn_count"] > 0 and e["syn_ack"] != p["syn_ack"]
    opened = opened and (
        closing_facts(context, e)["established_time"] > 0 or closing_facts(context, p)["established_time"] > 0
    )
    if opened and still_kept(context, f):
        flow_at(context, np.int64(older_at(context, f)["old_end"]) >> 1)["replaced_time"] = f["first_time"]


@helper
def of_older(context, s, i, f):
    """Whether the segment's numbers continue the older connection on this tuple, not this one: a leftover of it.

    Wireshark counts it to the newer connection; to the state machine of that it means nothing.
    """
    e, old_end = end_at(context, i), np.int64(older_at(context, f)["old_end"]) ^ (i & 1)
    if not knows(e, ISN) or np.int64(s["flags"]) & SYN or not still_kept(context, f):
        return False
    old = end_at(context, old_end)
    near_old = knows(old, NXT) and abs(seq_diff(s["seq"], old["snd_nxt"])) < NEAR
    return near_old and abs(seq_diff(s["seq"], e["snd_nxt"])) >= NEAR


@helper
def end_older(context, i, now, frame):
    """A RST answers the stale acknowledgment of endpoint ``i``: it ends the older connection, which sent that."""
    f = flow_at(context, i >> 1)
    if f["older"] > 0 and still_kept(context, f):
        old = np.int64(older_at(context, f)["old_end"]) ^ (i & 1)
        p = end_at(context, i)
        if np.int64(end_at(context, old)["state"]) != CLOSED:
            times = rcvd_rst(now, np.int64(p["tap_rtt"]), context["repeat"])
            move(context, old, RCVD_RST, ASSUMED, times, frame, NO_NOTE)
