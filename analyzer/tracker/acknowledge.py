"""What an acknowledgment shows: of its sender, what it had received; of the other side, what may have reached it.

The first is proof: who acknowledges a FIN has received it, with everything before it. The second can only be
assumed when the acknowledgment passes the tap: that it arrived, no later segment proves.
"""

import numpy as np

from analyzer.kernels import part
from analyzer.segments.table import FIN, SYN
from analyzer.tracker.bounds import half, open_since, until
from analyzer.tracker.desk import (
    ASSUMED,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    NO_NOTE,
    PROVEN,
    RCVD_ACK_OF_FIN,
    RCVD_FIN,
    SENT,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    at_best,
    end_at,
    entry_row,
    flow_at,
    forget,
    knows,
    last_fin,
    last_syn,
    later,
    learn,
    mark_later,
    mark_unusual,
    move,
    note_received,
    older_at,
    stamp_leave,
    still_kept,
    unusual,
)
from analyzer.tracker.journal import bound, earliest_of, latest_of, log_at, row_before, state_before, state_in
from analyzer.tracker.ledger import Known
from analyzer.tracker.log import Note
from analyzer.tracker.space import ahead, length_of
from analyzer.tracker.strangers import reach_of_window
from analyzer.tracker.transitions import Event

ISN, NXT, ACKED, FIN_KNOWN = np.int64(Known.ISN), np.int64(Known.NXT), np.int64(Known.ACK), np.int64(Known.FIN)
FIN_ACKED, PEER_FIN = np.int64(Known.FIN_ACKED), np.int64(Known.PEER_FIN)
PEER_FIN_ASSUMED = np.int64(Known.PEER_FIN_ASSUMED)
FIN_INFERRED = np.int64(Known.FIN_INFERRED)
MID_STREAM, SENT_DATA = np.int64(Known.MID_STREAM), np.int64(Known.SENT_DATA)
RCVD_SYN_ACK, RCVD_ACK_OF_SYN = np.int64(Event.RCVD_SYN_ACK), np.int64(Event.RCVD_ACK_OF_SYN)
LOST_SIGHT, SENT_FIN = np.int64(Event.LOST_SIGHT), np.int64(Event.SENT_FIN)
ACK_OF_FIN_AGAIN = np.int64(Event.ACK_OF_FIN_AGAIN)
FIN_NOT_CAPTURED, PEER_NOT_CAPTURED = np.int64(Note.FIN_NOT_CAPTURED), np.int64(Note.PEER_NOT_CAPTURED)
SENT_SYN_ACK, REPLACED = np.int64(Event.SENT_SYN_ACK), np.int64(Event.REPLACED)
DROPS_THEM = 2  # SYN-ACKs repeated although acknowledged: one may be due to a lost acknowledgment
ABSURD = 1 << 30  # no window is larger (RFC 7323): an acknowledgment this far beyond is not believed
FURTHEST = np.int64(86_400 * 10**9)  # a clock was set, if an answer seems to have taken a day: no host is so far away


@part
def acknowledge(desk, s, i):
    """Take in the acknowledgment of segment ``s`` of endpoint ``i``."""
    j = i ^ 1
    p = end_at(desk, j)
    a = np.int64(s["ack"])
    if not knows(p, NXT):
        p["snd_nxt"] = a
        learn(p, NXT)
    if knows(p, ISN) and ahead(a, p["isn"]) <= 0:
        return  # of an older connection on this tuple
    beyond = ahead(a, p["snd_nxt"])
    if beyond > 0:
        if beyond > ABSURD or (knows(p, FIN_KNOWN) and not knows(p, FIN_INFERRED)):
            return  # nobody can acknowledge what comes after a FIN
        if p["packets"] > 0 and beyond > reach_of_window(p, end_at(desk, i)):
            mark_unusual(desk, p)["missing_jumps"] = unusual(desk, p)["missing_jumps"] + 1
            return  # no window allows it: these are other numbers, unless the peer goes on there
        miss(desk, s, j, beyond)
    progress(desk, s, i, a)
    received(desk, s, i, a)
    assume(desk, s, i, a)


@part
def miss(desk, s, j, beyond):
    """Endpoint ``j`` is shown to have sent ``beyond`` numbers more than passed the tap.

    A single number of an endpoint that was found open and has sent no payload yet is the one that its keep-alive
    repeated. Else a single number may be its FIN; any other are bytes that the capture lost.
    """
    p = end_at(desk, j)
    p["fresh_time"] = 0
    if beyond == 1 and knows(p, MID_STREAM) and not knows(p, SENT_DATA) and not knows(p, FIN_KNOWN):
        p["snd_nxt"] = s["ack"]
        return
    u = mark_unusual(desk, p)
    if u["missing_bytes"] == 0:
        u["missing_from"] = p["snd_nxt"]
    if u["missing_frame"] == 0:
        u["missing_frame"] = s["frame"]
        u["missing_time"] = s["time"]
    u["unseen_time"] = s["time"]
    p["snd_nxt"] = s["ack"]
    if not infer_fin(desk, s, j, beyond):
        u["missing_bytes"] = u["missing_bytes"] + beyond


@part
def infer_fin(desk, s, j, beyond):
    """Whether exactly one number is missing and nothing known against it: then the tap missed a lone FIN of ``j``.

    One byte of payload would look the same; new data at or beyond that number takes the inference back.
    """
    e, p = end_at(desk, j ^ 1), end_at(desk, j)
    lone = beyond == 1 and not knows(p, FIN_KNOWN) and p["packets"] > 0
    if not lone or np.int64(e["state"]) < ESTABLISHED or np.int64(p["state"]) < ESTABLISHED:
        return False
    learn(p, FIN_KNOWN | FIN_INFERRED)
    after = mark_later(desk, p)
    after["fin_end"] = s["ack"]
    after["fin_time"] = p["last_time"]
    seen, now = np.int64(p["last_time"]), np.int64(s["time"])
    move(desk, j, SENT_FIN, ASSUMED, seen, seen - half(p["reach"]), now, s["frame"], FIN_NOT_CAPTURED)
    return True


@part
def progress(desk, s, i, a):
    """Advance what endpoint ``i`` has acknowledged, and measure how far it is from the tap."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    fresh = not knows(e, ACKED)
    if fresh or ahead(a, e["ack_sent"]) > 0:
        old = a if fresh else np.int64(e["ack_sent"])
        e["ack_sent"] = a
        learn(e, ACKED)
        if ahead(a, p["run_end"]) >= 0:
            p["run_frame"] = 0
            p["run_kind"] = 0
        whole = a == np.int64(p["snd_nxt"])
        if whole:
            p["idle_since"] = s["time"] if s["window"] > 0 else 0
            if p["fresh_time"] > 0:
                sample = np.int64(s["time"]) - np.int64(p["fresh_time"])
                measure(desk, i, sample)
                if e["later"] > 0:
                    mark_later(desk, e)["reach_last"] = sample
            elif e["later"] > 0:  # of which copy this is the answer nobody knows: of the last, at least as long
                after = mark_later(desk, e)
                after["reach_last"] = max(
                    np.int64(after["reach_last"]), np.int64(s["time"]) - np.int64(p["carry_time"])
                )
        if p["unusual"] > 0:
            settle(s, mark_unusual(desk, p), a, ahead(a, old))


@part
def settle(s, u, a, step):
    """What was noted of the peer as repeated, missing, lost or half closed, now that all up to ``a`` is acknowledged,
    ``step`` numbers more."""
    u["repeat_run"] = 0
    u["rst_unacked"] = max(np.int64(0), np.int64(u["rst_unacked"]) - step)
    if u["hole_bytes"] > 0 and ahead(a, u["hole_end"]) >= 0:
        if u["missing_bytes"] == 0:
            u["missing_from"] = u["hole_from"]
        u["missing_bytes"] = u["missing_bytes"] + u["hole_bytes"]
        u["hole_bytes"] = 0
        if u["missing_frame"] == 0:
            u["missing_frame"] = s["frame"]
            u["missing_time"] = s["time"]
    if u["half_close_bytes"] > 0:
        acked = min(np.int64(u["half_close_bytes"]), ahead(a, u["half_close_seq"]))
        if acked > u["half_close_acked"]:
            u["half_close_acked"] = acked
            u["half_close_ack_frame"] = s["frame"]


@part
def measure(desk, i, sample):
    """Keep the shortest time from the tap to endpoint ``i`` and back; place its first entries better by it."""
    e = end_at(desk, i)
    if sample <= 0 or sample > FURTHEST:
        return
    first = e["reach"] == 0
    if first or sample < np.int64(e["reach"]):
        e["reach"] = sample
    if first:
        row, opening = np.int64(e["last_event"]), np.int64(0)
        while row > 0:
            entry = log_at(desk, row)
            earliest, latest = earliest_of(desk, entry), latest_of(desk, entry)
            before = row_before(desk, row)
            if to_be_placed(desk, entry):
                floor = cause_of(desk, i, entry, before)
                if earliest > 0:  # else it is the first that was seen of it: nothing bounds it
                    earliest = min(earliest, max(floor, np.int64(entry["time"]) - sample - desk["slack"]))
                entry["time"] = min(np.int64(entry["time"]), max(floor, np.int64(entry["time"]) - sample // 2))
                bound(desk, entry, earliest, latest)
            row, opening = before, row
        if flow_at(desk, i >> 1)["older"] > 0 and opening > 0:
            replaced_by(desk, i, log_at(desk, opening))


@part
def replaced_by(desk, i, first):
    """The older connection of endpoint ``i`` on this tuple was gone when this one began, by its ``first`` entry, which
    has been placed better; but not before the older connection's own last."""
    f = flow_at(desk, i >> 1)
    if not still_kept(desk, f):
        was = np.int64(older_at(desk, f)["old_state_0"] if i & 1 == 0 else older_at(desk, f)["old_state_1"])
        if was != CLOSED and was != TIME_WAIT:  # it was replaced when this one's SYN passed, and is told
            place(desk, first, latest_of(desk, first) - desk["slack"])
        return
    old = end_at(desk, np.int64(older_at(desk, f)["old_end"]) ^ (i & 1))
    row = np.int64(old["last_event"])
    entry = log_at(desk, row)
    began = np.int64(first["time"])
    if row == 0 or entry["event"] != REPLACED or np.int64(entry["time"]) <= began:
        return
    before = row_before(desk, row)
    place(desk, entry, max(began, np.int64(log_at(desk, before)["time"]) if before > 0 else began))
    stamp_leave(desk, old, state_before(entry), np.int64(entry["time"]))
    if np.int64(entry["time"]) > began:
        place(desk, first, np.int64(entry["time"]))


@part
def place(desk, entry, time):
    """Give an entry another best time, within the same bounds."""
    earliest, latest = earliest_of(desk, entry), latest_of(desk, entry)
    entry["time"] = time
    bound(desk, entry, earliest, latest)


@part
def to_be_placed(desk, entry):
    """Whether an entry is what its endpoint sent, dated by its passing the tap for want of anything better."""
    return entry["basis"] == SENT and latest_of(desk, entry) - desk["slack"] == np.int64(entry["time"])


@part
def cause_of(desk, i, entry, before):
    """The moment before which an entry of endpoint ``i`` did not happen: what it answers passed the tap then, or what
    the row ``before`` it says was received. 0 none."""
    floor = np.int64(0)
    if before > 0 and not to_be_placed(desk, log_at(desk, before)):
        floor = np.int64(log_at(desk, before)["time"])
    if entry["event"] == SENT_SYN_ACK:
        floor = max(floor, np.int64(end_at(desk, i ^ 1)["syn_time"]))
    return floor


@part
def received(desk, s, i, a):
    """Move endpoint ``i`` by what its acknowledgment ``a`` proves it had received."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    state = np.int64(e["state"])
    if state == SYN_SENT and np.int64(s["flags"]) & SYN == 0:
        if knows(p, ISN):
            seen = last_syn(desk, p)
            move(desk, i, RCVD_SYN_ACK, PROVEN, seen + half(e["reach"]), p["syn_time"], now, frame, NO_NOTE)
        else:
            move(desk, i, RCVD_SYN_ACK, PROVEN, now, e["syn_time"], now, frame, PEER_NOT_CAPTURED)
    if knows(e, PEER_FIN):
        return
    if not knows(p, FIN_KNOWN) or ahead(a, later(desk, p)["fin_end"]) < 0:
        e["lower_ack_time"] = now
        return
    receive_fin(desk, i, now, frame)


@part
def receive_fin(desk, i, now, frame):
    """Endpoint ``i`` proves at ``now`` that it has received the peer's FIN."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    learn(e, PEER_FIN)
    reach = np.int64(e["reach"])
    earliest = np.int64(later(desk, p)["fin_time"])
    if e["lower_ack_time"] > 0 and reach > 0:
        earliest = max(earliest, np.int64(e["lower_ack_time"]) - reach - desk["slack"])
    earliest = min(earliest, now)
    inferred = knows(p, FIN_INFERRED)
    if knows(e, PEER_FIN_ASSUMED):
        confirm(desk, i, now)
        return
    best = max(np.int64(p["carry_time"]), earliest) + half(reach)
    words = FIN_NOT_CAPTURED if inferred else NO_NOTE
    basis = PROVEN if open_since(desk, e, p) and not inferred else ASSUMED
    if np.int64(e["state"]) == FIN_WAIT_1 and later(desk, p)["fin_count"] == 0 and inferred:
        move(desk, i, LOST_SIGHT, ASSUMED, now, earliest, now, frame, PEER_NOT_CAPTURED)
        return
    row = move(desk, i, RCVD_FIN, basis, min(best, now), earliest, now, frame, words)
    if not inferred:
        e["mark_event"] = 0
    if row > 0:
        after = mark_later(desk, e)
        after["peer_fin_time"] = log_at(desk, row)["time"]
        after["peer_fin_event"] = row


@part
def confirm(desk, i, now):
    """What was assumed of endpoint ``i``, that the peer's FIN had reached it, is now proven."""
    e = end_at(desk, i)
    forget(e, PEER_FIN_ASSUMED)
    row = np.int64(later(desk, e)["peer_fin_event"])
    log_at(desk, row)["basis"] = at_best(state_before(log_at(desk, row)), state_in(log_at(desk, row)), PROVEN)
    if now > log_at(desk, row)["time"]:
        bound(desk, log_at(desk, row), earliest_of(desk, log_at(desk, row)), now)
    if e["mark_event"] == row:  # what may still be taken back begins with the entry after it
        e["mark_event"] = entry_row(desk, e) if np.int64(e["state"]) == TIME_WAIT else 0
        e["mark_state"] = CLOSING
        e["mark_time"] = later(desk, e)["ack_passed"]


@part
def assume(desk, s, i, a):
    """Move the peer of ``i`` by the acknowledgment ``a`` that passes the tap on its way to it."""
    j = i ^ 1
    e, p = end_at(desk, i), end_at(desk, j)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    late = until(desk, p, now)
    best = now + half(p["reach"])
    if np.int64(p["state"]) == SYN_RECEIVED and knows(p, ISN) and ahead(a, p["isn"]) > 0 and may_be_taken(desk, p):
        row = move(desk, j, RCVD_ACK_OF_SYN, ASSUMED, best, now, late, frame, NO_NOTE)
        p["proof_event"] = row
    if not knows(p, FIN_KNOWN):
        return
    after = mark_later(desk, p)
    if ahead(a, after["fin_end"]) < 0:
        return
    if not knows(p, FIN_ACKED):
        learn(p, FIN_ACKED)
        if after["fin_acked_time"] == 0:
            after["fin_acked_time"] = now
            after["fin_acked_frame"] = frame
        else:
            reacked(unusual(desk, p), frame)
        after["fin_acks"] = after["fin_acks"] + 1
        after["ack_passed"] = now
        fin_arrives_first(desk, s, j)
        move(desk, j, RCVD_ACK_OF_FIN, ASSUMED, best, now, late, frame, NO_NOTE)
    elif after["fin_acks"] < after["fin_count"] and length_of(s) == 0:
        after["fin_acks"] = after["fin_acks"] + 1
        reacked(unusual(desk, p), frame)
        note_received(desk, j, ACK_OF_FIN_AGAIN, now, frame, NO_NOTE)
    if np.int64(e["state"]) == TIME_WAIT and after["fin_count"] > 1:
        own = mark_later(desk, e)
        own["deadline"] = max(np.int64(own["deadline"]), last_fin(desk, p) + desk["time_wait_length"])


@part
def may_be_taken(desk, p):
    """Whether endpoint ``p`` may take the acknowledgment of its SYN-ACK for one: not where it has repeated that twice
    although one had passed. Then its kernel drops them, as it does while the accept queue is full."""
    return unusual(desk, p)["syn_ack_after_ack"] < DROPS_THEM


@part
def reacked(u, frame):
    """The FIN is acknowledged again after it was repeated for want of the first acknowledgment."""
    if u["fin_after_ack"] > 0 and u["fin_reacked_frame"] == 0:
        u["fin_reacked_frame"] = frame


@part
def fin_arrives_first(desk, s, j):
    """The FINs crossed: the sender's FIN is on its way before this acknowledgment and arrives before it.

    Endpoint ``j``, in FIN_WAIT_1, thus goes through CLOSING. If the segment itself carries the FIN, RFC order
    holds instead: acknowledgment before FIN.
    """
    p, e = end_at(desk, j), end_at(desk, j ^ 1)
    if np.int64(p["state"]) != FIN_WAIT_1 or knows(p, PEER_FIN) or np.int64(s["flags"]) & FIN:
        return
    sent, other = later(desk, e), mark_later(desk, p)
    if not knows(e, FIN_KNOWN) or sent["fin_count"] == 0 or ahead(s["seq"], sent["fin_end"]) < 0:
        return
    if ahead(sent["fin_ack"], other["fin_end"]) >= 0:
        return
    seen = np.int64(sent["fin_time"])
    row = move(desk, j, RCVD_FIN, ASSUMED, seen + half(p["reach"]), seen, np.int64(s["time"]), s["frame"], NO_NOTE)
    if row > 0:
        learn(p, PEER_FIN_ASSUMED)
        other["peer_fin_time"] = log_at(desk, row)["time"]
        other["peer_fin_event"] = row
