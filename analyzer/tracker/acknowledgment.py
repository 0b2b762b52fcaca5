"""What an acknowledgment shows: of its sender, what it had received; of the other side, what may have reached it.

The first is proof: who acknowledges a FIN has received it, with everything before it. The second can only be
assumed when the acknowledgment passes the tap: that it arrived, no later segment proves.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import FIN, SYN
from analyzer.tcp.bounds import (
    rcvd_ack_of_fin,
    rcvd_ack_of_syn,
    rcvd_fin,
    rcvd_fin_unproven,
    rcvd_syn_ack,
    sent_fin_unseen,
    shown_by,
)
from analyzer.tcp.codes import (
    ACK_OF_FIN_AGAIN,
    ASSUMED,
    CLOSING,
    ESTABLISHED,
    FIN_NOT_CAPTURED,
    FIN_WAIT_1,
    LOST_SIGHT,
    NO_NOTE,
    PEER_NOT_CAPTURED,
    PROVEN,
    RCVD_ACK_OF_FIN,
    RCVD_ACK_OF_SYN,
    RCVD_FIN,
    RCVD_SYN_ACK,
    SENT_FIN,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.codes import (
    ACKED,
    FIN_ACKED,
    FIN_INFERRED,
    FIN_KNOWN,
    ISN,
    MID_STREAM,
    NXT,
    PEER_FIN,
    PEER_FIN_ASSUMED,
    SENT_DATA,
)
from analyzer.tracker.context import (
    closing_facts,
    end_at,
    forget,
    knows,
    last_fin,
    last_syn,
    learn,
    mark_closing_facts,
    mark_unusual,
    unusual,
)
from analyzer.tracker.dialogue import note_acknowledged
from analyzer.tracker.distance import measure
from analyzer.tracker.missing import open_since
from analyzer.tracker.moves import entry_row, move, note_peer_fin, note_received, strongest_basis
from analyzer.tracker.other_connection import reach_of_window
from analyzer.tracker.segment import length_of
from analyzer.tracker.sizes import answered_without_it, size_acknowledged
from analyzer.tracker.storage.event_log import bound, earliest_of, log_at, state_before, state_in
from analyzer.tracker.time_wait import start_again

MIN_SYN_ACK_REPEATS = 2  # of an acknowledged SYN-ACK, that show acknowledgments dropped: one may be due to a loss
MAX_WINDOW = 1 << 30  # no window is larger (RFC 7323): an acknowledgment further beyond is not believed


@helper
def acknowledge(context, s, i):
    """Take in the acknowledgment of segment ``s`` of endpoint ``i``."""
    j = i ^ 1
    p = end_at(context, j)
    a = np.int64(s["ack"])
    if not knows(p, NXT):
        p["snd_nxt"] = a
        learn(p, NXT)
    if knows(p, ISN) and seq_diff(a, p["isn"]) <= 0:
        return  # of an older connection on this tuple
    beyond = seq_diff(a, p["snd_nxt"])
    if beyond > 0:
        if beyond > MAX_WINDOW or (knows(p, FIN_KNOWN) and not knows(p, FIN_INFERRED)):
            return  # nobody can acknowledge what comes after a FIN
        if p["packets"] > 0 and beyond > reach_of_window(p, end_at(context, i)):
            mark_unusual(context, p)["missing_jumps"] = unusual(context, p)["missing_jumps"] + 1
            return  # no window allows it: these are other numbers, unless the peer goes on there
        miss(context, s, j, beyond)
    progress(context, s, i, a)
    received(context, s, i, a)
    assume(context, s, i, a)


@helper
def miss(context, s, j, beyond):
    """Endpoint ``j`` is shown to have sent ``beyond`` numbers more than passed the tap.

    A single number of an endpoint that was found open and has sent no payload yet is the one that its keep-alive
    repeated. Else a single number may be its FIN; any other are bytes that the capture lost.
    """
    p = end_at(context, j)
    p["fresh_time"] = 0
    if beyond == 1 and knows(p, MID_STREAM) and not knows(p, SENT_DATA) and not knows(p, FIN_KNOWN):
        p["snd_nxt"] = s["ack"]
        return
    u = mark_unusual(context, p)
    if u["missing_bytes"] == 0:
        u["missing_from"] = u["missing_end"] = p["snd_nxt"]
    if u["missing_frame"] == 0:
        u["missing_frame"] = s["frame"]
        u["missing_time"] = s["time"]
    u["unseen_time"] = s["time"]
    p["snd_nxt"] = s["ack"]
    if not infer_fin(context, s, j, beyond):
        u["missing_bytes"] = u["missing_bytes"] + beyond
        u["missing_end"] = s["ack"]


@helper
def infer_fin(context, s, j, beyond):
    """Whether exactly one number is missing and nothing known against it: then the tap missed a lone FIN of ``j``.

    One byte of payload would look the same; new data at or beyond that number takes the inference back.
    """
    e, p = end_at(context, j ^ 1), end_at(context, j)
    lone = beyond == 1 and not knows(p, FIN_KNOWN) and p["packets"] > 0
    if not lone or np.int64(e["state"]) < ESTABLISHED or np.int64(p["state"]) < ESTABLISHED:
        return False
    learn(p, FIN_KNOWN | FIN_INFERRED)
    after = mark_closing_facts(context, p)
    after["fin_end"] = s["ack"]
    after["fin_time"] = p["last_time"]
    times = sent_fin_unseen(np.int64(p["last_time"]), np.int64(p["tap_rtt"]), np.int64(s["time"]))
    move(context, j, SENT_FIN, ASSUMED, times, s["frame"], FIN_NOT_CAPTURED)
    return True


@helper
def progress(context, s, i, a):
    """Advance what endpoint ``i`` has acknowledged, and measure how far it is from the tap."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    fresh = not knows(e, ACKED)
    if fresh or seq_diff(a, e["ack_sent"]) > 0:
        old = a if fresh else np.int64(e["ack_sent"])
        e["ack_sent"] = a
        learn(e, ACKED)
        note_acknowledged(context, p, a, s["frame"])
        size_acknowledged(context, p, a)
        if seq_diff(a, p["run_end"]) >= 0:
            p["run_frame"] = 0
            p["run_kind"] = 0
        whole = a == np.int64(p["snd_nxt"])
        if whole:
            p["idle_since"] = s["time"] if s["window"] > 0 else 0
            if p["fresh_time"] > 0:
                sample = np.int64(s["time"]) - np.int64(p["fresh_time"])
                measure(context, i, sample)
                if e["closing_row"] > 0:
                    mark_closing_facts(context, e)["tap_rtt_last"] = sample
            elif e["closing_row"] > 0:  # of which copy this is the answer nobody knows: of the last, at least as long
                after = mark_closing_facts(context, e)
                after["tap_rtt_last"] = max(
                    np.int64(after["tap_rtt_last"]), np.int64(s["time"]) - np.int64(p["content_time"])
                )
        if p["unusual"] > 0:
            update_after_ack(s, mark_unusual(context, p), a, seq_diff(a, old))
    elif length_of(s) == 0 and a == np.int64(e["ack_sent"]):
        answered_without_it(context, s, e, p)


@helper
def update_after_ack(s, u, a, step):
    """What was noted of the peer as repeated, missing, lost or half closed, now that all up to ``a`` is acknowledged,
    ``step`` numbers more."""
    u["repeat_run"] = 0
    u["rst_unacked"] = max(np.int64(0), np.int64(u["rst_unacked"]) - step)
    if u["hole_bytes"] > 0 and seq_diff(a, u["hole_end"]) >= 0:
        if u["missing_bytes"] == 0:
            u["missing_from"] = u["hole_from"]
            u["missing_end"] = u["hole_end"]
        elif seq_diff(u["hole_end"], u["missing_end"]) > 0:
            u["missing_end"] = u["hole_end"]
        u["missing_bytes"] = u["missing_bytes"] + u["hole_bytes"]
        u["hole_bytes"] = 0
        if u["missing_frame"] == 0:
            u["missing_frame"] = s["frame"]
            u["missing_time"] = s["time"]
    if u["half_close_bytes"] > 0:
        acked = min(np.int64(u["half_close_bytes"]), seq_diff(a, u["half_close_seq"]))
        if acked > u["half_close_acked"]:
            u["half_close_acked"] = acked
            u["half_close_ack_frame"] = s["frame"]


@helper
def received(context, s, i, a):
    """Move endpoint ``i`` by what its acknowledgment ``a`` proves it had received."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    state = np.int64(e["state"])
    if state == SYN_SENT and np.int64(s["flags"]) & SYN == 0:
        if knows(p, ISN):
            times = rcvd_syn_ack(now, np.int64(e["tap_rtt"]), np.int64(p["syn_time"]), last_syn(context, p))
            move(context, i, RCVD_SYN_ACK, PROVEN, times, frame, NO_NOTE)
        else:
            move(context, i, RCVD_SYN_ACK, PROVEN, shown_by(now, np.int64(e["syn_time"])), frame, PEER_NOT_CAPTURED)
    if knows(e, PEER_FIN):
        return
    if not knows(p, FIN_KNOWN) or seq_diff(a, closing_facts(context, p)["fin_end"]) < 0:
        e["lower_ack_time"] = now
        return
    receive_fin(context, i, now, frame)


@helper
def receive_fin(context, i, now, frame):
    """Endpoint ``i`` proves at ``now`` that it has received the peer's FIN."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    learn(e, PEER_FIN)
    inferred = knows(p, FIN_INFERRED)
    if knows(e, PEER_FIN_ASSUMED):
        confirm(context, i, now)
        return
    fin, last, lower_ack = closing_facts(context, p)["fin_time"], p["content_time"], np.int64(e["lower_ack_time"])
    times = rcvd_fin(now, np.int64(e["tap_rtt"]), context["slack"], np.int64(fin), np.int64(last), lower_ack)
    words = FIN_NOT_CAPTURED if inferred else NO_NOTE
    basis = PROVEN if open_since(context, e, p) and not inferred else ASSUMED
    if np.int64(e["state"]) == FIN_WAIT_1 and closing_facts(context, p)["fin_count"] == 0 and inferred:
        move(context, i, LOST_SIGHT, ASSUMED, shown_by(now, times[1]), frame, PEER_NOT_CAPTURED)
        return
    row = move(context, i, RCVD_FIN, basis, times, frame, words)
    if not inferred:
        e["mark_event"] = 0
    if row > 0:
        note_peer_fin(context, e, row)


@helper
def confirm(context, i, now):
    """What was assumed of endpoint ``i``, that the peer's FIN had reached it, is now proven."""
    e = end_at(context, i)
    forget(e, PEER_FIN_ASSUMED)
    row = np.int64(closing_facts(context, e)["peer_fin_event"])
    log_at(context, row)["basis"] = strongest_basis(
        state_before(log_at(context, row)), state_in(log_at(context, row)), PROVEN
    )
    if now > log_at(context, row)["time"]:
        bound(context, log_at(context, row), earliest_of(context, log_at(context, row)), now)
    if e["mark_event"] == row:  # what may still be taken back begins with the entry after it
        e["mark_event"] = entry_row(context, e) if np.int64(e["state"]) == TIME_WAIT else 0
        e["mark_state"] = CLOSING
        e["mark_time"] = closing_facts(context, e)["ack_passed"]


@helper
def assume(context, s, i, a):
    """Move the peer of ``i`` by the acknowledgment ``a`` that passes the tap on its way to it."""
    j = i ^ 1
    e, p = end_at(context, i), end_at(context, j)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    tap_rtt, repeat = np.int64(p["tap_rtt"]), np.int64(context["repeat"])
    if (
        np.int64(p["state"]) == SYN_RECEIVED
        and knows(p, ISN)
        and seq_diff(a, p["isn"]) > 0
        and may_be_taken(context, p)
    ):
        row = move(context, j, RCVD_ACK_OF_SYN, ASSUMED, rcvd_ack_of_syn(now, tap_rtt, repeat), frame, NO_NOTE)
        p["proof_event"] = row
    if not knows(p, FIN_KNOWN):
        return
    after = mark_closing_facts(context, p)
    if seq_diff(a, after["fin_end"]) < 0:
        return
    if not knows(p, FIN_ACKED):
        learn(p, FIN_ACKED)
        if after["fin_acked_time"] == 0:
            after["fin_acked_time"] = now
            after["fin_acked_frame"] = frame
        else:
            reacked(unusual(context, p), frame)
        after["fin_acks"] = after["fin_acks"] + 1
        after["ack_passed"] = now
        fin_arrives_first(context, s, j)
        move(context, j, RCVD_ACK_OF_FIN, ASSUMED, rcvd_ack_of_fin(now, tap_rtt, repeat), frame, NO_NOTE)
    elif after["fin_acks"] < after["fin_count"] and length_of(s) == 0:
        after["fin_acks"] = after["fin_acks"] + 1
        reacked(unusual(context, p), frame)
        note_received(context, j, ACK_OF_FIN_AGAIN, now, frame, NO_NOTE)
    if np.int64(e["state"]) == TIME_WAIT and after["fin_count"] > 1:
        start_again(context, mark_closing_facts(context, e), last_fin(context, p))


@helper
def may_be_taken(context, p):
    """Whether endpoint ``p`` may take the acknowledgment of its SYN-ACK for one: not where it has repeated that twice
    although one had passed. Then its kernel drops them, as it does while the accept queue is full."""
    return unusual(context, p)["syn_ack_after_ack"] < MIN_SYN_ACK_REPEATS


@helper
def reacked(u, frame):
    """The FIN is acknowledged again after it was repeated for want of the first acknowledgment."""
    if u["fin_after_ack"] > 0 and u["fin_reacked_frame"] == 0:
        u["fin_reacked_frame"] = frame


@helper
def fin_arrives_first(context, s, j):
    """The FINs crossed: the sender's FIN is on its way before this acknowledgment and arrives before it.

    Endpoint ``j``, in FIN_WAIT_1, thus goes through CLOSING. If the segment itself carries the FIN, RFC order
    holds instead: acknowledgment before FIN.
    """
    p, e = end_at(context, j), end_at(context, j ^ 1)
    if np.int64(p["state"]) != FIN_WAIT_1 or knows(p, PEER_FIN) or np.int64(s["flags"]) & FIN:
        return
    sent, other = closing_facts(context, e), mark_closing_facts(context, p)
    if not knows(e, FIN_KNOWN) or sent["fin_count"] == 0 or seq_diff(s["seq"], sent["fin_end"]) < 0:
        return
    if seq_diff(sent["fin_ack"], other["fin_end"]) >= 0:
        return
    times = rcvd_fin_unproven(np.int64(sent["fin_time"]), np.int64(p["tap_rtt"]), np.int64(s["time"]))
    row = move(context, j, RCVD_FIN, ASSUMED, times, s["frame"], NO_NOTE)
    if row > 0:
        learn(p, PEER_FIN_ASSUMED)
        note_peer_fin(context, p, row)
