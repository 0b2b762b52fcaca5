"""Payload put together, to tell what is acknowledged and was never seen: a gap.

Of what has arrived beyond a hole two pieces are kept. Where there are more, the last two count as one.

Fence: only numpy and this project's constants inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker.zeek.letters import FOR_GAP, write_often
from analyzer.tracker.zeek.states import CLOSED, ESTABLISHED

SENT_FIN, GIVEN_UP, LONG = np.int64(1), np.int64(2), np.int64(4)  # bits of zeek_marks
UNACKED = np.int64(
    16_384
)  # bytes above a hole of a side whose data nobody acknowledges: it is not put together any more


@helper
def clean(e):
    """Whether the side was established, and has closed at most."""
    state, before = np.int64(e["zeek_state"]), np.int64(e["zeek_before"])
    return state == ESTABLISHED or (state == CLOSED and before == ESTABLISHED)


@helper
def check_gap(f, e, p, side, acked):
    """Each hole in what ``e`` sent, up to where it is acknowledged, is a gap; it is not waited for any more."""
    if acked == 0:
        return
    marks = np.int64(e["zeek_marks"])
    if marks & SENT_FIN and seq_diff(acked, e["zeek_fin"]) >= 0:
        acked = seq_add(e["zeek_fin"], -1)
    while seq_diff(acked, e["zeek_arrived"]) > 0:
        if not marks & GIVEN_UP and clean(e) and clean(p):
            e["zeek_gaps"] = e["zeek_gaps"] + 1
            write_often(f, FOR_GAP, side, np.int64(e["zeek_gaps"]))
        e["zeek_arrived"] = acked if marks & GIVEN_UP else next_piece(e, acked)
        join(e)


@helper
def next_piece(e, acked):
    """Where the first piece begins, if that is before ``acked``; else that."""
    nearest, pieces = acked, np.int64(e["zeek_pieces"])
    if pieces > 0 and seq_diff(e["zeek_begin_0"], nearest) < 0:
        nearest = np.int64(e["zeek_begin_0"])
    if pieces > 1 and seq_diff(e["zeek_begin_1"], nearest) < 0:
        nearest = np.int64(e["zeek_begin_1"])
    return nearest


@helper
def arrive(e, begin, length):
    """Payload of the side passes; what was acknowledged before is not looked at any more."""
    end, acked = seq_add(begin, length), np.int64(e["zeek_acked"])
    if np.int64(e["zeek_marks"]) & GIVEN_UP or seq_diff(end, acked) <= 0:
        return
    if seq_diff(begin, acked) < 0:
        begin = acked
    if seq_diff(begin, e["zeek_arrived"]) <= 0:
        if seq_diff(end, e["zeek_arrived"]) > 0:
            e["zeek_arrived"] = end
        join(e)
    else:
        keep(e, begin, end)
    if acked <= 1 and reach(e) > UNACKED:
        e["zeek_marks"] = np.int64(e["zeek_marks"]) | GIVEN_UP
        e["zeek_pieces"] = 0


@helper
def reach(e):
    """How far the last piece reaches beyond what has arrived without a hole."""
    pieces, most = np.int64(e["zeek_pieces"]), np.int64(0)
    if pieces > 0:
        most = seq_diff(e["zeek_end_0"], e["zeek_arrived"])
    if pieces > 1:
        most = max(most, seq_diff(e["zeek_end_1"], e["zeek_arrived"]))
    return most


@helper
def keep(e, begin, end):
    """Keep a piece beyond a hole, with one that it touches if there is one."""
    pieces = np.int64(e["zeek_pieces"])
    if pieces > 0 and touches(begin, end, e["zeek_begin_0"], e["zeek_end_0"]):
        e["zeek_begin_0"], e["zeek_end_0"] = least(begin, e["zeek_begin_0"]), greatest(end, e["zeek_end_0"])
    elif pieces == 0:
        e["zeek_begin_0"], e["zeek_end_0"], e["zeek_pieces"] = begin, end, 1
    elif pieces == 1:
        e["zeek_begin_1"], e["zeek_end_1"], e["zeek_pieces"] = begin, end, 2
    else:
        e["zeek_begin_1"], e["zeek_end_1"] = least(begin, e["zeek_begin_1"]), greatest(end, e["zeek_end_1"])


@helper
def touches(begin, end, other_begin, other_end):
    """Whether two pieces have no hole between them."""
    return seq_diff(begin, other_end) <= 0 and seq_diff(other_begin, end) <= 0


@helper
def least(a, b):
    """The number that comes first."""
    return np.int64(a) if seq_diff(a, b) < 0 else np.int64(b)


@helper
def greatest(a, b):
    """The number that comes last."""
    return np.int64(a) if seq_diff(a, b) > 0 else np.int64(b)


@helper
def join(e):
    """Pieces that have no hole before them any more have arrived."""
    for _ in range(2):
        if np.int64(e["zeek_pieces"]) > 1 and seq_diff(e["zeek_begin_1"], e["zeek_arrived"]) <= 0:
            e["zeek_arrived"] = greatest(e["zeek_end_1"], e["zeek_arrived"])
            e["zeek_pieces"] = 1
        if np.int64(e["zeek_pieces"]) > 0 and seq_diff(e["zeek_begin_0"], e["zeek_arrived"]) <= 0:
            e["zeek_arrived"] = greatest(e["zeek_end_0"], e["zeek_arrived"])
            e["zeek_begin_0"], e["zeek_end_0"] = e["zeek_begin_1"], e["zeek_end_1"]
            e["zeek_pieces"] = e["zeek_pieces"] - 1
