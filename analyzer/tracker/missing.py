"""Numbers that an endpoint must have sent and that have not passed the tap, or pass it late."""

import numpy as np

from analyzer.kernels import helper
from analyzer.tcp.codes import UNKNOWN
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker.codes import ACKED, MID_STREAM, SENT_DATA
from analyzer.tracker.context import knows, learn, mark_unusual, unusual


@helper
def gap(context, s, e):
    """The segment begins beyond what the endpoint is known to have sent: a hole, until it is filled or proven lost."""
    if e["packets"] > 0:
        u = mark_unusual(context, e)
        if u["hole_bytes"] == 0:
            u["hole_from"] = e["snd_nxt"]
        u["hole_bytes"] = u["hole_bytes"] + seq_diff(s["seq"], e["snd_nxt"])
        u["hole_end"] = s["seq"]


@helper
def came_late(context, s, e, length):
    """Whether these bytes, or some of them, had been taken to be missing: they have passed the tap after all."""
    u = unusual(context, e)
    missed = min(length, seq_diff(seq_add(s["seq"], length), u["missing_from"]))
    if u["missing_bytes"] == 0 or missed <= 0:
        return False
    u["missing_bytes"] = max(0, np.int64(u["missing_bytes"]) - missed)
    e["data_time"] = s["time"]
    e["data_frame"] = s["frame"]
    learn(e, SENT_DATA)
    if u["missing_bytes"] == 0:
        u["unseen_time"] = 0
        u["missing_frame"] = 0
        u["missing_time"] = 0
    return np.int64(s["time"]) - np.int64(u["missing_time"]) <= context["reordering"]


@helper
def seen_again(context, e):
    """The last bytes that endpoint ``e`` is known to have sent have passed the tap."""
    if e["unusual"] > 0:
        mark_unusual(context, e)["unseen_time"] = 0


@helper
def fin_fills(u, end):
    """The number of a FIN, the one before ``end``, is no byte that is missing."""
    if u["hole_bytes"] > 0 and seq_diff(end, u["hole_from"]) > 0 and seq_diff(end, u["hole_end"]) <= 0:
        u["hole_bytes"] = u["hole_bytes"] - 1
    elif u["missing_bytes"] > 0 and seq_diff(end, u["missing_from"]) > 0:
        u["missing_bytes"] = u["missing_bytes"] - 1


@helper
def open_since(context, e, p):
    """Whether it is sure that endpoint ``e`` sent no FIN that was not captured.

    The last it is known to have sent was captured, and so was its SYN, or else data of it of which ``p`` acknowledged
    all and no more (after a FIN it would have acknowledged one number more).
    """
    if unusual(context, e)["unseen_time"] > 0:
        return False
    if not knows(e, MID_STREAM) and np.int64(e["state"]) != UNKNOWN:
        return True
    return knows(e, SENT_DATA) and knows(p, ACKED) and p["ack_sent"] == e["snd_nxt"]
