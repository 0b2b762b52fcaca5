"""Segments that are not of the connection they are numbered with.

Three kinds. While an endpoint awaits the answer to its SYN, RFC 9293 3.10.7.3 lets it take nothing but a SYN and a
RST that acknowledge that SYN exactly: everything else, whichever side of it the acknowledgment lies on, means nothing
to the new connection (`answers_no_syn`). A segment far from all numbers of its sender belongs to another connection on
the same addresses and ports (`is_far_away`), unless the sender goes on from there. And a flow may hold more than one
connection, or the same one twice: files put together, a capture shuffled. Nothing is concluded of what comes then
(`mark_mixed`).
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, FIN, RST, SYN
from analyzer.tcp.codes import CLOSED, ESTABLISHED, OLD_CONNECTION, STALE_ACK, SYN_SENT, UNKNOWN
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker.codes import ACKED, FIN_ACKED, FIN_INFERRED, ISN, MIXED, NXT, RST_ACCEPTED, RST_STANDS
from analyzer.tracker.context import closing_facts, end_at, knows, last_syn, learn, mark_unusual, unusual
from analyzer.tracker.moves import note
from analyzer.tracker.segment import length_of

CHALLENGE_NS = 3_000_000_000  # an old connection answers a SYN at once: this is more than any way there and back takes
FAR = 1 << 24  # bytes beyond which numbers are those of another connection, unless a larger window was advertised
TOO_MANY = 3  # segments far away, after which the flow is taken to hold more than one connection


@helper
def acceptable_in_syn_sent(s, p):
    """Whether endpoint ``p``, in SYN_SENT, finds the acknowledgment of ``s`` acceptable: ISS < SEG.ACK =< SND.NXT."""
    return (
        np.int64(s["flags"]) & ACK != 0 and seq_diff(s["ack"], p["isn"]) > 0 and seq_diff(s["ack"], p["snd_nxt"]) <= 0
    )


@helper
def answers_no_syn(s, e, p):
    """Whether ``p`` still awaits the answer to its SYN, or was refused, and segment ``s`` of ``e`` is no answer."""
    asks = np.int64(p["state"]) in (SYN_SENT, CLOSED) and knows(p, ISN) and p["syn_ack"] == 0 and not knows(p, ACKED)
    if not asks or knows(e, ISN) or np.int64(s["flags"]) & RST:
        return False
    if not np.int64(s["flags"]) & SYN:
        return True
    return np.int64(s["flags"]) & ACK != 0 and not acceptable_in_syn_sent(s, p)


@helper
def note_unacceptable(context, s, i):
    """Note a segment that answers no SYN; an old acknowledgment is what an older connection on this tuple answers."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    u = mark_unusual(context, e)
    u["unrelated_segments"] = u["unrelated_segments"] + 1
    bare = np.int64(s["flags"]) & (SYN | FIN | ACK) == ACK and length_of(s) == 0
    soon = np.int64(s["time"]) - last_syn(context, p) <= CHALLENGE_NS
    if not bare or not soon or acceptable_in_syn_sent(s, p):
        return
    u["stale_acks"] = u["stale_acks"] + 1
    if u["stale_ack_frame"] == 0:
        u["stale_ack_frame"] = s["frame"]
    if np.int64(e["state"]) == UNKNOWN:
        note(context, i, STALE_ACK, s["time"], s["frame"], OLD_CONNECTION)


@helper
def disown(u, now, frame):
    """Note a RST that refuses the answer of an older connection to a SYN; its sender asks again."""
    if u["disowned_frame"] == 0:
        u["disowned_frame"] = frame
    u["disowned_time"] = now


@helper
def reach_of_window(e, p):
    """How far from its numbers endpoint ``e`` may be: a window of ``p`` where its scale is known, else FAR."""
    return max(np.int64(FAR), np.int64(p["window"])) if e["window_scale"] > 0 and p["window_scale"] > 0 else FAR


@helper
def is_far_away(context, s, e, p):
    """Whether segment ``s`` is far from all numbers of its sender ``e``, which has not gone on from there yet."""
    if not knows(e, NXT) or abs(seq_diff(s["seq"], e["snd_nxt"])) <= reach_of_window(e, p):
        return False
    u = mark_unusual(context, e)
    if u["far_segments"] > 0 and abs(seq_diff(s["seq"], u["far_next"])) <= 1:
        e["snd_nxt"] = s["seq"]  # it goes on there: much was not captured
        e["fresh_time"] = 0
        u["missing_jumps"] = u["missing_jumps"] + 1
        u["unseen_time"] = s["time"]
        return False
    u["far_segments"] = u["far_segments"] + 1
    u["far_next"] = seq_add(s["seq"], length_of(s))
    return True


@helper
def repeats_all(s, e, p):
    """Whether SYN ``s`` is that of a connection which has gone on since: the capture holds the same exchange again."""
    begun = knows(e, ISN) and np.int64(e["isn"]) == np.int64(s["seq"]) and e["syn_ack"] == 0
    spoke = np.int64(e["state"]) >= ESTABLISHED and seq_diff(e["snd_nxt"], e["isn"]) > 1
    return begun and spoke and np.int64(s["flags"]) & (SYN | ACK) == SYN and p["packets"] > 0


@helper
def begins_anew(context, s, e, p):
    """Whether segment ``s`` can only be of a newer connection whose SYN was not captured: it lies beyond a FIN that was
    acknowledged, or, behind a RST, beyond what its receiver had room for; or is a SYN-ACK with another number than that
    of ``e`` and no answer to the SYN of ``p``."""
    if np.int64(s["flags"]) & SYN:
        other = knows(e, ISN) and np.int64(e["isn"]) != np.int64(s["seq"]) and knows(p, ISN) and p["packets"] > 0
        return other and np.int64(s["flags"]) & ACK != 0 and not acceptable_in_syn_sent(s, p)
    if (
        knows(e, FIN_ACKED)
        and not knows(e, FIN_INFERRED)
        and seq_diff(s["seq"], closing_facts(context, e)["fin_end"]) > 0
    ):
        return True
    reset = (knows(e, RST_STANDS) or knows(e, RST_ACCEPTED)) and knows(e, NXT) and p["packets"] > 0
    return reset and (
        seq_diff(s["seq"], e["snd_nxt"]) > np.int64(p["window"]) or seq_diff(s["seq"], e["snd_nxt"]) < -FAR
    )


@helper
def mark_mixed(context, i):
    """From here on the flow holds more than one connection, or the same again."""
    mark_unusual(context, end_at(context, i))
    learn(end_at(context, i), MIXED)
    learn(end_at(context, i ^ 1), MIXED)


@helper
def is_other_connection(context, s, i):
    """Whether segment ``s`` of endpoint ``i`` is none of the connection that is followed, so that it only counts."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    if knows(e, MIXED):
        return True
    if np.int64(s["flags"]) & SYN:
        if repeats_all(s, e, p):
            mark_mixed(context, i)
            return True
        if begins_anew(context, s, e, p):
            mark_mixed(context, i)
            return True
    elif not np.int64(s["flags"]) & RST and begins_anew(context, s, e, p):
        mark_mixed(context, i)
        return True
    elif not np.int64(s["flags"]) & RST and is_far_away(context, s, e, p):
        if unusual(context, e)["far_segments"] >= TOO_MANY:
            mark_mixed(context, i)
        return True
    if answers_no_syn(s, e, p):
        note_unacceptable(context, s, i)
        return True
    return False
