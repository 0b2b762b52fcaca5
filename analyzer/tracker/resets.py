"""RST: would its receiver accept it, what does it answer, and who really sent it.

A RST counts only at the number its receiver awaits (RFC 5961 3.2): inside the window it draws a challenge ACK,
outside it is dropped. What the receiver awaits lies between the highest number it has acknowledged and the highest
that has passed toward it. The acknowledgment field of a RST is not to be trusted; only a SYN is refused by it.
"""

from enum import IntEnum

import numpy as np

from analyzer.compiled import part
from analyzer.segments.table import ACK
from analyzer.tracker.crossing import fin_before_reset, forget_arrival
from analyzer.tracker.desk import (
    ASSUMED,
    BY_TIMER,
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    FIN_WAIT_2,
    LAST_ACK,
    NO_FRAME,
    NO_NOTE,
    SENT,
    SYN_SENT,
    TIME_WAIT,
    end_at,
    entry_row,
    flow_at,
    forget,
    half,
    knows,
    later,
    learn,
    margin,
    mark_later,
    mark_unusual,
    move,
    note,
    older_at,
    since,
    still_kept,
    take_back,
    until,
    unusual,
    wait_on,
)
from analyzer.tracker.gaps import silent_since
from analyzer.tracker.journal import is_void, log_at, make_void, row_before, state_before, state_in
from analyzer.tracker.ledger import Answered, Known
from analyzer.tracker.log import Note
from analyzer.tracker.space import ahead, plus
from analyzer.tracker.transitions import Event


class Verdict(IntEnum):
    """How the receiver had to take a RST (column ``rst_verdict``)."""

    ACCEPTED = 1
    CHALLENGED = 2  # inside the window, not at RCV.NXT
    DROPPED = 3  # outside the window
    BLIND = 4  # what the receiver awaited is not known; taken as accepted


ACCEPTED, CHALLENGED, DROPPED, BLIND = (np.int64(verdict) for verdict in Verdict)
ISN, NXT, ACKED, FIN_KNOWN = np.int64(Known.ISN), np.int64(Known.NXT), np.int64(Known.ACK), np.int64(Known.FIN)
RST_STANDS, DISOWNED, KILLED, PEER_FIN = (
    np.int64(Known.RST),
    np.int64(Known.RST_DISOWNED),
    np.int64(Known.KILLED),
    np.int64(Known.PEER_FIN),
)
SENT_RST, RCVD_RST, RST_AGAIN, RST_IGNORED = (
    np.int64(Event.SENT_RST),
    np.int64(Event.RCVD_RST),
    np.int64(Event.RST_AGAIN),
    np.int64(Event.RST_IGNORED),
)
TIMER = np.int64(Event.TIMER)
KIND_FIN = np.int64(Answered.FIN)
KIND_SYN, CARRIES = np.int64(Answered.SYN), np.int64(Answered.SYN | Answered.SYN_ACK | Answered.DATA | Answered.FIN)
OUTSIDE_WINDOW, WENT_ON, NOT_ITS_OWN = np.int64(Note.OUTSIDE_WINDOW), np.int64(Note.WENT_ON), np.int64(Note.NOT_ITS_OWN)
HAD_EXPIRED, ANSWERS_SYN = np.int64(Note.HAD_EXPIRED), np.int64(Note.ANSWERS_SYN)


@part
def judge(s, e, p):
    """How the receiver ``p`` has to take the RST ``s`` of ``e`` (Verdict)."""
    if np.int64(p["state"]) == SYN_SENT and not knows(e, ISN):
        if not np.int64(s["flags"]) & ACK:
            return DROPPED
        fits = ahead(s["ack"], p["isn"]) > 0 and ahead(s["ack"], p["snd_nxt"]) <= 0
        return ACCEPTED if fits else DROPPED
    if not knows(p, ACKED):
        return BLIND
    low, seq = np.int64(p["ack_sent"]), np.int64(s["seq"])
    if knows(p, PEER_FIN) and ahead(seq, low) == -1 and np.int64(p["state"]) in (CLOSE_WAIT, LAST_ACK, CLOSING):
        return ACCEPTED  # some systems reset with the number of their own FIN (Linux tcp_reset_check)
    if ahead(seq, low) < 0:
        return DROPPED
    if ahead(seq, low) == 0 or (knows(e, NXT) and ahead(seq, e["snd_nxt"]) <= 0):
        return ACCEPTED
    return CHALLENGED if ahead(seq, low) < np.int64(p["window"]) else DROPPED


@part
def reset(desk, s, i):
    """Take in the RST ``s`` of endpoint ``i``."""
    j = i ^ 1
    e, p = end_at(desk, i), end_at(desk, j)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    verdict = judge(s, e, p)
    counts = verdict in (ACCEPTED, BLIND)
    u = mark_unusual(desk, e)
    u["rst_count"] = u["rst_count"] + 1
    old = np.int64(u["rst_verdict"])
    if old == 0 or (counts and old in (CHALLENGED, DROPPED) and np.int64(p["state"]) != CLOSED):
        describe(desk, s, i, verdict)
    if not counts:
        ignore(u, frame)
    send(desk, s, i, now, frame)
    if not counts:
        note(desk, j, RST_IGNORED, now, frame, OUTSIDE_WINDOW)
    elif np.int64(p["state"]) != CLOSED and not (np.int64(p["state"]) == 0 and p["packets"] == 0):
        words = ANSWERS_SYN if np.int64(p["state"]) == SYN_SENT and not knows(e, ISN) else NO_NOTE
        fin_before_reset(desk, s, i)
        row = move(desk, j, RCVD_RST, ASSUMED, now + half(p["reach"]), now, until(desk, p, now), frame, words)
        if row > 0:
            learn(p, KILLED)


@part
def ignore(u, frame):
    """Count a RST that its receiver did not have to accept, or plainly did not."""
    u["rst_ignored"] = u["rst_ignored"] + 1
    if u["rst_ignored_frame"] == 0:
        u["rst_ignored_frame"] = frame


@part
def send(desk, s, i, now, frame):
    """Move the sender of a RST: it has given up the connection, or shows that it had none any more."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    state = np.int64(e["state"])
    stale = (unusual(desk, p)["stale_acks"] > 0 and not knows(p, ISN)) or s["seq"] != e["snd_nxt"]
    if state == SYN_SENT and stale:
        note(desk, i, RST_AGAIN, now, frame, NO_NOTE)  # it refuses an older connection's answer and goes on asking
        return
    if state == CLOSED:
        note(desk, i, RST_AGAIN if knows(e, RST_STANDS) else SENT_RST, now, frame, NO_NOTE)
        learn(e, RST_STANDS)
        return
    learn(e, RST_STANDS)
    if forgotten(desk, e):
        expire(desk, i, now, frame)
        note(desk, i, SENT_RST, now, frame, HAD_EXPIRED)
        return
    if state == 0 and not knows(e, NXT) and np.int64(p["last_kind"]) & KIND_SYN:
        e["state"] = CLOSED  # nobody listens there
        note(desk, i, SENT_RST, now, frame, ANSWERS_SYN)
        return
    reach = np.int64(e["reach"])
    earliest = since(desk, e, s, now)
    if unusual(desk, e)[
        "rst_reply"
    ]:  # it knew no such connection: it may have lost it at any time since it was last heard of
        earliest = min(earliest, max(np.int64(e["last_time"]), np.int64(e["state_time"])) - reach - desk["slack"])
    basis = ASSUMED if state == 0 else SENT  # a SYN of it that was not captured may go on asking
    move(desk, i, SENT_RST, basis, now - half(reach), earliest, now, frame, NO_NOTE)


@part
def end_older(desk, i, now, frame):
    """A RST answers the stale acknowledgment of endpoint ``i``: it ends the older connection, which sent that."""
    f = flow_at(desk, i >> 1)
    if f["older"] > 0 and still_kept(desk, f):
        old = np.int64(older_at(desk, f)["old_end"]) ^ (i & 1)
        p = end_at(desk, i)
        if np.int64(end_at(desk, old)["state"]) != CLOSED:
            move(desk, old, RCVD_RST, ASSUMED, now + half(p["reach"]), now, until(desk, p, now), frame, NO_NOTE)


@part
def forgotten(desk, e):
    """Whether the RST of ``e`` shows that it had left FIN_WAIT_2 or TIME_WAIT before: it answers a FIN it awaited."""
    state, u = np.int64(e["state"]), unusual(desk, e)
    answers_fin = np.int64(u["rst_answers"]) & KIND_FIN
    if state == FIN_WAIT_2:
        return bool(u["rst_reply"]) and bool(answers_fin)
    return state == TIME_WAIT and bool(u["rst_reply"])


@part
def expire(desk, i, now, frame):
    """Endpoint ``i`` had left FIN_WAIT_2 or TIME_WAIT at a moment no packet shows, before its RST."""
    e = end_at(desk, i)
    entered = np.int64(e["state_time"])
    length = desk["fin_wait_2_length"]
    latest = now - half(e["reach"])
    if np.int64(e["state"]) == TIME_WAIT:
        doubt(desk, e)
    best = entered + length if np.int64(e["state"]) == FIN_WAIT_2 and entered + length <= latest else latest
    move(desk, i, TIMER, BY_TIMER, best, entered, latest, NO_FRAME, HAD_EXPIRED)


@part
def doubt(desk, e):
    """TIME_WAIT was over too early, or never kept at all (a host whose table of them is full): it is only assumed."""
    log_at(desk, entry_row(desk, e))["basis"] = ASSUMED


@part
def describe(desk, s, i, verdict):
    """Enter the RST that counts in the ledger: its own numbers, what it answers, and what was outstanding."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    u = mark_unusual(desk, e)
    now = np.int64(s["time"])
    u["rst_time"] = now
    u["rst_frame"] = s["frame"]
    u["rst_verdict"] = verdict
    u["rst_seq"] = s["seq"]
    u["rst_ttl"] = s["ttl"]
    u["rst_state"] = e["state"]
    u["rst_peer_state"] = p["state"]
    own = knows(e, NXT) and knows(p, ACKED)
    u["rst_unacked"] = max(0, ahead(e["snd_nxt"], p["ack_sent"])) if own else 0
    theirs = knows(p, NXT) and knows(e, ACKED)
    fin = 1 if later(desk, p)["fin_count"] > 0 and not knows(e, PEER_FIN) else 0  # a FIN is nothing to read
    u["rst_unread"] = max(0, ahead(p["snd_nxt"], e["ack_sent"]) - fin) if theirs else 0
    u["rst_data_age"] = now - np.int64(p["data_time"]) if p["data_time"] > 0 else -1
    u["rst_data_frame"] = p["data_frame"]
    u["rst_idle"] = max(0, now - silent_since(desk, max(np.int64(e["last_time"]), np.int64(p["last_time"])), now))
    trigger(desk, s, e, p, u)


@part
def trigger(desk, s, e, p, u):
    """Name the segment of ``p`` that the RST answers, where its numbers or its haste show one."""
    now, flags, seq = np.int64(s["time"]), np.int64(s["flags"]), np.int64(s["seq"])
    prompt = now - np.int64(p["last_time"]) <= margin(desk, e)
    u["rst_answers"] = 0
    u["rst_reply"] = 0
    if p["packets"] == 0:
        return
    if not flags & ACK:
        if np.int64(p["run_kind"]) & CARRIES and np.int64(p["run_ack"]) == seq:
            answer(u, p["run_kind"], p["run_frame"])
        elif np.int64(p["last_ack"]) == seq:
            answer(u, p["last_kind"], p["last_frame"])
        else:
            return
        u["rst_reply"] = 1
        u["rst_answers_time"] = p["last_time"]
    elif np.int64(p["last_kind"]) & KIND_SYN and not knows(e, ISN):
        answer(u, p["last_kind"], p["last_frame"])
        u["rst_answers_time"] = p["last_time"]
        u["rst_reply"] = 1
    elif prompt and np.int64(p["last_kind"]) & CARRIES and np.int64(s["ack"]) == np.int64(p["last_seq_end"]):
        answer(u, p["last_kind"], p["last_frame"])
        u["rst_answers_time"] = p["last_time"]


@part
def answer(u, kind, frame):
    u["rst_answers"] = kind
    u["rst_answers_frame"] = frame


@part
def contradict(desk, s, i):
    """A segment of ``i`` that is no RST: whoever was taken for dead, by its own RST or the peer's, goes on."""
    j = i ^ 1
    e, p = end_at(desk, i), end_at(desk, j)
    now = np.int64(s["time"])
    if knows(e, KILLED) and e["mark_event"] > 0:
        on_its_way = ahead(s["ack"], unusual(desk, p)["rst_seq"]) <= 0  # it answers what came before the RST, no more
        if now - np.int64(e["mark_time"]) <= margin(desk, e) * (2 if on_its_way else 1):
            return
        take_back(desk, i)
        forget_arrival(desk, e)
        forget(e, KILLED)
        u = mark_unusual(desk, p)
        u["rst_verdict"] = DROPPED
        ignore(u, u["rst_frame"])
        note(desk, i, RST_IGNORED, now, s["frame"], WENT_ON)
    elif knows(e, RST_STANDS) and np.int64(unusual(desk, e)["rst_state"]) > CLOSED:
        disown(desk, s, i, now)


@part
def closed_by_reset(entry):
    """Whether a log row stands that closed its endpoint by its own RST."""
    closed = state_in(entry) == CLOSED and state_before(entry) != CLOSED
    return closed and entry["event"] == SENT_RST and not is_void(entry)


@part
def disown(desk, s, i, now):
    """Endpoint ``i`` goes on after "its" RST: unless the network only changed the order, somebody else sent that."""
    e = end_at(desk, i)
    u = unusual(desk, e)
    end = plus(s["seq"], np.int64(s["payload_len"]))
    late = now - np.int64(u["rst_time"]) <= desk["reordering"]
    if late and ahead(end, u["rst_seq"]) <= 0:
        return
    row = np.int64(e["last_event"])
    while row > 0 and not closed_by_reset(log_at(desk, row)):
        row = row_before(desk, row)
    if row == 0:
        return
    make_void(log_at(desk, row))
    e["state"] = state_before(log_at(desk, row))
    if np.int64(e["state"]) == TIME_WAIT:
        wait_on(desk, mark_later(desk, e))
    forget(e, RST_STANDS)
    learn(e, DISOWNED)
    note(desk, i, RST_IGNORED, now, s["frame"], NOT_ITS_OWN)
