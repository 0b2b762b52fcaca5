"""RST: would its receiver accept it, what does it answer, and who really sent it.

A RST counts only at the number its receiver awaits (RFC 5961 3.2): inside the window it draws a challenge ACK,
outside it is dropped. What the receiver awaits lies between the highest number it has acknowledged and the highest
that has passed toward it. The acknowledgment field of a RST is not to be trusted; only a SYN is refused by it.
"""

from enum import IntEnum

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, SYN
from analyzer.tcp.bounds import expired, lost_since, rcvd_rst, rcvd_syn_ack, refused_before, sent_at, sent_rst
from analyzer.tcp.codes import (
    ANSWERS_SYN,
    ASSUMED,
    BY_TIMER,
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_2,
    HAD_EXPIRED,
    LAST_ACK,
    NO_NOTE,
    NOT_OF_THE_SYN,
    OUTSIDE_WINDOW,
    RCVD_RST,
    RCVD_SYN_ACK,
    RECEIVER_WENT_ON,
    RST_AGAIN,
    RST_IGNORED,
    SENT,
    SENT_RST,
    SYN_SENT,
    TIME_WAIT,
    TIMER,
)
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.acknowledgment import receive_fin
from analyzer.tracker.challenge import await_challenge, ends_as_loop, in_loop, repeats_challenged, unmiss
from analyzer.tracker.codes import (
    ACKED,
    FIN_KNOWN,
    ISN,
    KIND_DATA,
    KIND_FIN,
    KIND_PROBE,
    KIND_SYN,
    NXT,
    PEER_FIN,
    RST_ACCEPTED,
    RST_STANDS,
)
from analyzer.tracker.context import (
    NO_FRAME,
    closing_facts,
    end_at,
    forget,
    knows,
    last_syn,
    learn,
    mark_unusual,
    unusual,
)
from analyzer.tracker.dialogue import end_dialogue, resume_dialogue
from analyzer.tracker.distance import decided_since, sent_before
from analyzer.tracker.gaps import silent_since
from analyzer.tracker.moves import entry_row, move, note, note_received, take_back
from analyzer.tracker.other_connection import acceptable_in_syn_sent, disown
from analyzer.tracker.reordering import fin_before_reset, not_yet_arrived, own_reset, undo_reset
from analyzer.tracker.rst_trigger import trigger
from analyzer.tracker.storage.event_log import bound, log_at
from analyzer.tracker.third_party import (
    has_id_of_peer,
    is_new,
    is_repeat,
    mark_forged,
    note_third_party,
    third_party_clues,
    under_way,
)


class Reception(IntEnum):
    """How the receiver had to take a RST (column ``rst_verdict``)."""

    ACCEPTED = 1
    CHALLENGED = 2  # inside the window, not at RCV.NXT
    DROPPED = 3  # outside the window
    BLIND = 4  # what the receiver awaited is not known; taken as accepted
    DISREGARDED = 5  # it would have had to accept it, but went on as if it had never come


ACCEPTED, CHALLENGED, DROPPED, BLIND, DISREGARDED = (np.int64(verdict) for verdict in Reception)


@helper
def judge(context, s, e, p):
    """How the receiver ``p`` has to take the RST ``s`` of ``e`` (Reception)."""
    if np.int64(p["state"]) == SYN_SENT and not knows(e, ISN):
        return ACCEPTED if acceptable_in_syn_sent(s, p) else DROPPED
    if np.int64(p["state"]) == TIME_WAIT and not context["rst_ends_time_wait"]:
        return DROPPED
    if not knows(p, ACKED):
        return BLIND
    low, seq = np.int64(p["ack_sent"]), np.int64(s["seq"])
    if knows(p, PEER_FIN) and seq_diff(seq, low) == -1 and np.int64(p["state"]) in (CLOSE_WAIT, LAST_ACK, CLOSING):
        return ACCEPTED  # some systems reset with the number of their own FIN (Linux tcp_reset_check)
    if seq_diff(seq, low) < 0:
        return DROPPED
    if seq_diff(seq, low) == 0 or (knows(e, NXT) and seq_diff(seq, e["snd_nxt"]) <= 0):
        return ACCEPTED
    return CHALLENGED if seq_diff(seq, low) < np.int64(p["window"]) else DROPPED


@helper
def reset(context, s, i):
    """Take in the RST ``s`` of endpoint ``i``."""
    j = i ^ 1
    e, p = end_at(context, i), end_at(context, j)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    if refuses_old_answer(context, s, e, p):
        note(context, i, RST_AGAIN, now, frame, NO_NOTE)  # it goes on asking
        disown(mark_unusual(context, e), now, frame)
        return
    verdict = judge(context, s, e, p)
    u = mark_unusual(context, e)
    if in_loop(u, s) and np.int64(p["state"]) != CLOSED:
        verdict = DISREGARDED
    counts = verdict in (ACCEPTED, BLIND)
    u["rst_count"] = u["rst_count"] + 1
    foreign = third_party_clues(context, s, e)
    if foreign == 0:
        own_reset(context, s, i)
        had_opened(context, s, i)
    if to_be_described(u, p, counts):
        describe(context, s, i, verdict)
    if counts:
        end_dialogue(context, s, i)
    else:
        ignore(u, frame, now)
    if verdict == CHALLENGED or repeats_challenged(u, s):
        await_challenge(u, s, p)
    if foreign > 0:
        note_third_party(context, s, i, foreign)
    else:
        move_rst_sender(context, s, i, now, frame, counts)
    move_rst_receiver(context, s, i, verdict)


@helper
def had_opened(context, s, i):
    """The RST of endpoint ``i``, whose SYN was answered, acknowledges that answer: its own acknowledgment was not sent
    yet, or lost before the tap."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    acks = np.int64(s["flags"]) & ACK != 0 and knows(p, ISN) and p["syn_ack"] == 1 and seq_diff(s["ack"], p["isn"]) == 1
    if np.int64(e["state"]) == SYN_SENT and acks:
        seen, now = last_syn(context, p), np.int64(s["time"])
        times = rcvd_syn_ack(now, np.int64(e["tap_rtt"]), seen, seen)
        move(context, i, RCVD_SYN_ACK, ASSUMED, times, s["frame"], NO_NOTE)


@helper
def to_be_described(u, p, counts):
    """Whether a RST is the one that counts: the first, or the first that its receiver, still there, has to accept."""
    old = np.int64(u["rst_verdict"])
    return old == 0 or (counts and old in (CHALLENGED, DROPPED, DISREGARDED) and np.int64(p["state"]) != CLOSED)


@helper
def move_rst_receiver(context, s, i, verdict):
    """Move the receiver of RST ``s`` of endpoint ``i``, which crosses the tap on its way to it."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    now, frame, asks = np.int64(s["time"]), np.int64(s["frame"]), np.int64(p["state"]) == SYN_SENT and not knows(e, ISN)
    if verdict not in (ACCEPTED, BLIND):
        why = RECEIVER_WENT_ON if verdict == DISREGARDED else OUTSIDE_WINDOW
        note_received(context, i ^ 1, RST_IGNORED, now, frame, NOT_OF_THE_SYN if asks else why)
        return
    if np.int64(p["state"]) == CLOSED or (np.int64(p["state"]) == 0 and p["packets"] == 0):
        return
    if asks:
        refuse(context, s, e, p)
    fin_before_reset(context, s, i)
    words = ANSWERS_SYN if asks else NO_NOTE
    times = rcvd_rst(now, np.int64(p["tap_rtt"]), context["repeat"])
    row = move(context, i ^ 1, RCVD_RST, ASSUMED, times, frame, words)
    if row > 0:
        learn(p, RST_ACCEPTED)


@helper
def refuses_old_answer(context, s, e, p):
    """Whether RST ``s`` of ``e``, in SYN_SENT, refuses the answer of an older connection, and does not give up."""
    if np.int64(e["state"]) != SYN_SENT:
        return False
    return (unusual(context, p)["stale_acks"] > 0 and not knows(p, ISN)) or s["seq"] != e["snd_nxt"]


@helper
def refuse(context, s, e, p):
    """Count a RST that refuses the SYN of ``p``; the first of them is paired with the SYN that it acknowledges."""
    u = mark_unusual(context, e)
    u["refusals"] = u["refusals"] + 1
    if u["refused_frame"] == 0:
        again = unusual(context, p)["syn_last_frame"]
        u["refused_syn_frame"] = again if again > 0 else p["syn_frame"]
        u["refused_frame"], u["refused_time"] = s["frame"], s["time"]
        u["refused_after"] = np.int64(s["time"]) - last_syn(context, p)


@helper
def refuses_later_syn(context, s, j):
    """The SYN ``s`` was refused by a RST of endpoint ``j`` that stands before it in the capture by a moment."""
    e, p = end_at(context, j), end_at(context, j ^ 1)
    u = unusual(context, e)
    only = u["rst_count"] > 0 and u["rst_count"] == e["packets"] and u["rst_ack"] == p["snd_nxt"]
    if not only or np.int64(s["time"]) - np.int64(u["rst_time"]) > context["reordering"]:
        return
    u = mark_unusual(context, e)
    u["rst_answers"], u["rst_reply"], u["rst_answers_frame"], u["rst_answers_time"] = KIND_SYN, 1, s["frame"], s["time"]
    refuse(context, s, e, p)
    now = np.int64(s["time"])
    u["refused_frame"], u["refused_time"] = u["rst_frame"], u["rst_time"]
    u["refused_after"] = max(np.int64(0), now - np.int64(u["rst_time"]))
    times = refused_before(now, np.int64(p["tap_rtt"]), context["repeat"])
    row = move(context, j ^ 1, RCVD_RST, ASSUMED, times, np.int64(u["rst_frame"]), ANSWERS_SYN)
    if row > 0:
        learn(p, RST_ACCEPTED)


@helper
def ignore(u, frame, time):
    """Count a RST that its receiver did not have to accept, or plainly did not."""
    u["rst_ignored"] = u["rst_ignored"] + 1
    if u["rst_ignored_frame"] == 0:
        u["rst_ignored_frame"], u["rst_ignored_time"] = frame, time


@helper
def move_rst_sender(context, s, i, now, frame, counts):
    """Move the sender of a RST: it has given up the connection, or shows that it had none any more."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    if not_taken(context, e, p):
        take_back(context, i)  # the ESTABLISHED that it never was
    state = np.int64(e["state"])
    if state == CLOSED:
        note(context, i, RST_AGAIN if knows(e, RST_STANDS) else SENT_RST, now, frame, NO_NOTE)
        learn(e, RST_STANDS)
        return
    learn(e, RST_STANDS)
    if forgotten(context, e):
        expire(context, i, now, frame)
        note(context, i, SENT_RST, now, frame, HAD_EXPIRED)
        return
    if state == 0 and np.int64(p["state"]) == SYN_SENT:
        e["state"] = CLOSED  # nobody listens there
        note(context, i, SENT_RST, now, frame, ANSWERS_SYN if counts else NOT_OF_THE_SYN)
        return
    knew = (
        np.int64(s["flags"]) & ACK
        and knows(p, FIN_KNOWN)
        and seq_diff(s["ack"], closing_facts(context, p)["fin_end"]) >= 0
    )
    if knew and state >= ESTABLISHED and not knows(e, PEER_FIN):
        receive_fin(context, i, now, frame)
    tap_rtt = np.int64(e["tap_rtt"])
    decided = decided_since(context, e, s, now)
    if unusual(context, e)[
        "rst_reply"
    ]:  # it knew no such connection: it may have lost it at any time since it was last heard of
        heard = max(np.int64(e["last_time"]), np.int64(e["state_time"]))
        decided = lost_since(decided, heard, tap_rtt, context["slack"])
    basis = ASSUMED if state == 0 else SENT  # a SYN of it that was not captured may go on asking
    move(context, i, SENT_RST, basis, sent_rst(now, tap_rtt, decided), frame, NO_NOTE)


@helper
def not_taken(context, e, p):
    """Whether the RST of ``e`` answers the handshake's last acknowledgment: its kernel never took the connection."""
    u = unusual(context, e)
    opened = np.int64(e["state"]) == ESTABLISHED and e["proof_event"] > 0 and e["mark_event"] == e["proof_event"]
    return opened and e["packets"] == e["syn_count"] and bool(u["rst_reply"]) and u["rst_count"] == 1


@helper
def forgotten(context, e):
    """Whether the RST of ``e`` shows that it had left FIN_WAIT_2 or TIME_WAIT before: it answers a FIN it awaited, or a
    probe."""
    state, u = np.int64(e["state"]), unusual(context, e)
    asked = np.int64(u["rst_answers"]) & (KIND_FIN | KIND_PROBE)
    if state == FIN_WAIT_2:
        return bool(u["rst_reply"]) and bool(asked)
    return state == TIME_WAIT and bool(u["rst_reply"])


@helper
def expire(context, i, now, frame):
    """Endpoint ``i`` had left FIN_WAIT_2 or TIME_WAIT at a moment no packet shows, before its RST."""
    e = end_at(context, i)
    entered = np.int64(e["state_time"])
    latest = sent_at(now, np.int64(e["tap_rtt"]))
    if np.int64(e["state"]) == TIME_WAIT:
        downgrade_time_wait(context, e)
    times = expired(entered, context["fin_wait_2_length"], latest, np.int64(e["state"]) == FIN_WAIT_2)
    row = move(context, i, TIMER, BY_TIMER, times, NO_FRAME, HAD_EXPIRED)
    if row > 0:  # the RST proves it
        bound(context, log_at(context, row), entered, now)


@helper
def downgrade_time_wait(context, e):
    """TIME_WAIT was over too early, or never kept at all (a host whose table of them is full): it is only assumed."""
    log_at(context, entry_row(context, e))["basis"] = ASSUMED


@helper
def describe(context, s, i, verdict):
    """Enter the RST that counts in the ledger: its own numbers, what it answers, and what was outstanding."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    u = mark_unusual(context, e)
    now = np.int64(s["time"])
    trigger(context, s, e, p, u)
    if u["rst_reply"] > 0:
        carries_data = np.int64(u["rst_answers"]) & KIND_DATA != 0
        not_yet_arrived(context, i, np.int64(u["rst_answers_frame"]) + (1 if carries_data else 0))
    u["rst_time"] = now
    u["rst_frame"] = s["frame"]
    u["rst_verdict"] = verdict
    u["rst_seq"] = s["seq"]
    u["rst_ack"] = s["ack"] if np.int64(s["flags"]) & ACK else 0
    u["rst_half_close"] = unusual(context, p)["half_close_bytes"]
    u["rst_nxt"] = e["snd_nxt"]
    u["rst_nth"] = min(np.int64(u["rst_count"]), 255)
    told = np.int64(s["flags"]) & ACK != 0 and knows(e, ACKED)
    u["rst_reached"] = max(0, seq_diff(s["ack"], e["ack_sent"])) if told else 0
    u["rst_ttl"] = s["ttl"]
    u["rst_copied_frame"] = p["last_frame"] if has_id_of_peer(s, e, p) else 0
    u["rst_state"] = e["state"]
    u["rst_peer_state"] = p["state"]
    own = knows(e, NXT) and knows(p, ACKED)
    sent = np.int64(e["snd_nxt"])
    if u["rst_reply"] == 0 and 0 <= seq_diff(s["seq"], p["ack_sent"]) < seq_diff(sent, p["ack_sent"]):
        sent = np.int64(s["seq"])  # its own number says how far it had come
    u["rst_unacked"] = max(0, seq_diff(sent, p["ack_sent"])) if own else 0
    theirs = knows(p, NXT) and knows(e, ACKED)
    fin = 1 if closing_facts(context, p)["fin_count"] > 0 and not knows(e, PEER_FIN) else 0  # a FIN is nothing to read
    u["rst_unread"] = max(0, seq_diff(p["snd_nxt"], e["ack_sent"]) - fin) if theirs else 0
    u["rst_wait"] = now - np.int64(p["run_time"]) if np.int64(p["run_kind"]) & KIND_DATA else -1
    u["rst_data_age"] = now - np.int64(p["data_time"]) if p["data_time"] > 0 else -1
    u["rst_data_frame"] = p["data_frame"]
    u["rst_idle"] = max(0, now - silent_since(context, max(np.int64(e["last_time"]), np.int64(p["last_time"])), now))


@helper
def contradict(context, s, i):
    """A segment of ``i`` that is no RST: whoever was taken for dead, by its own RST or the peer's, goes on."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    now = np.int64(s["time"])
    if knows(e, RST_ACCEPTED):
        u = unusual(context, p)
        if ends_as_loop(context, u, s, e):
            disregard(context, s, i)
            unmiss(mark_unusual(context, p))
            return
        went_on = is_new(s, e) or is_repeat(s)
        knew = not knows(e, ACKED) or seq_diff(s["ack"], u["rst_nxt"]) > 0
        soon = now - np.int64(u["rst_time"]) <= under_way(context, e) or sent_before(s, e)
        if np.int64(s["flags"]) & SYN or not went_on or (soon and not knew) or not disregard(context, s, i):
            return
        u = mark_unusual(context, p)
        if is_new(s, e) and not soon:
            ignore(u, u["rst_frame"], u["rst_time"])
            if u["went_on_frame"] == 0:
                u["went_on_frame"] = s["frame"]
    elif knows(e, RST_STANDS) and np.int64(unusual(context, e)["rst_state"]) > CLOSED:
        mark_forged(context, s, i, now)


@helper
def disregard(context, s, i):
    """Take back that endpoint ``i`` accepted the peer's RST: its segment ``s`` shows that it went on. Returns whether
    there was anything to take back."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    if not undo_reset(context, i):
        return False
    forget(e, RST_ACCEPTED)
    u = mark_unusual(context, p)
    u["rst_verdict"] = DISREGARDED
    resume_dialogue(context, p)
    if np.int64(e["state"]) == SYN_SENT:
        u["refusals"] = u["refused_frame"] = 0  # it did not take it for a refusal
    note(context, i, RST_IGNORED, np.int64(s["time"]), s["frame"], RECEIVER_WENT_ON)
    return True
