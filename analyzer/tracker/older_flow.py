"""An older flow on the same addresses and ports: what it was doing when this one began, and its leftovers.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import part
from analyzer.segments.table import HAS_TIMESTAMP, SYN
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.context import TIME_WAIT, end_at, flow_at, knows, later, older_at
from analyzer.tracker.ledger import Known
from analyzer.tracker.over import still_kept
from analyzer.tracker.storage.pools import OLDERS, take

ISN = np.int64(Known.ISN)
NXT = np.int64(Known.NXT)

NEAR = 1 << 20  # numbers this close to where a connection stands are taken to be its own (a large window's worth)


@part
def remember_older(context, s, f, first):
    """Note what the older flow on the tuple was doing; ``first`` is the endpoint there of this flow's side 0."""
    f["older"] = take(context, OLDERS)
    old, now = older_at(context, f), np.int64(s["time"])
    old["old_seen"] = 1
    old["old_end"] = first
    old["old_state_0"] = end_at(context, first)["state"]
    old["old_state_1"] = end_at(context, first ^ 1)["state"]
    old["old_time_wait"] = -1
    for end in (first, first ^ 1):
        if np.int64(end_at(context, end)["state"]) == TIME_WAIT:
            old["old_time_wait"] = now - np.int64(later(context, end_at(context, end))["time_wait_time"])
    sender = end_at(context, first if np.int64(s["sender"]) & 1 == 0 else first ^ 1)
    old["old_seq_ahead"] = seq_diff(s["seq"], sender["snd_nxt"])
    if np.int64(s["marks"]) & HAS_TIMESTAMP and sender["ts_last"] > 0:
        old["old_ts_ahead"] = seq_diff(s["ts_val"], sender["ts_last"])


@part
def replaces(context, f, e, p):
    """Once this flow's handshake is complete, the older flow on its tuple is out of sight since this one began."""
    opened = e["syn_count"] > 0 and p["syn_count"] > 0 and e["syn_ack"] != p["syn_ack"]
    opened = opened and (later(context, e)["established_time"] > 0 or later(context, p)["established_time"] > 0)
    if opened and still_kept(context, f):
        flow_at(context, np.int64(older_at(context, f)["old_end"]) >> 1)["replaced_time"] = f["first_time"]


@part
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
