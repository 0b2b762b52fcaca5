"""A FIN: the first of an endpoint, or the same again. Where it was inferred before, or overtaken, is put right here."""

import numpy as np

from analyzer.kernels import part
from analyzer.tracker.bounds import busy_time, half, margin, open_since, patience, since
from analyzer.tracker.crossing import not_arrived, not_yet_proof
from analyzer.tracker.desk import (
    ASSUMED,
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT_1,
    MID_STREAM,
    NO_NOTE,
    PROVEN,
    RCVD_FIN,
    SENT,
    UNKNOWN,
    end_at,
    forget,
    knows,
    last_fin,
    later,
    learn,
    mark_later,
    mark_unusual,
    move,
    note,
    take_back,
)
from analyzer.tracker.holes import fin_fills, gap, seen_again
from analyzer.tracker.journal import earliest_of, log_at, make_void, state_before
from analyzer.tracker.ledger import Known
from analyzer.tracker.space import ack_of, ahead, length_of, plus
from analyzer.tracker.transitions import Event

ACKED, FIN_KNOWN = np.int64(Known.ACK), np.int64(Known.FIN)
FIN_ACKED = np.int64(Known.FIN_ACKED)
PEER_FIN_ASSUMED = np.int64(Known.PEER_FIN_ASSUMED)
FIN_INFERRED = np.int64(Known.FIN_INFERRED)
SENT_FIN = np.int64(Event.SENT_FIN)
FIN_AGAIN = np.int64(Event.FIN_AGAIN)


@part
def carry_fin(desk, s, i):
    """A FIN: the first, or the same again; it occupies the number after the segment's payload."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    end = plus(s["seq"], length_of(s) + 1)
    e["carry_time"] = now
    if e["unusual"] > 0:
        fin_fills(mark_unusual(desk, e), end)
    after = mark_later(desk, e)
    if after["fin_count"] > 0:
        if end == np.int64(after["fin_end"]):
            fin_again(desk, s, i)
        return
    if e["proof_event"] > 0 and not_yet_proof(e, p, now):
        take_back(desk, i)
    if ahead(s["seq"], e["snd_nxt"]) > 0:
        gap(desk, s, e)
    reach = np.int64(e["reach"])
    busy = busy_time(now, np.int64(e["idle_since"]), np.int64(e["busy_since"]), margin(desk, e))
    earliest = since(desk, e, s, busy)
    inferred = knows(e, FIN_INFERRED)
    forget(e, FIN_INFERRED)
    if not knows(p, ACKED) or ahead(p["ack_sent"], end) < 0 or inferred:
        learn(e, FIN_KNOWN)  # else its peer takes this for an old number, and will never acknowledge it as a FIN
    seen_again(desk, e)
    first_fin(desk, s, e, p, end)
    if ahead(end, e["snd_nxt"]) > 0:
        e["snd_nxt"] = end
    e["fresh_time"] = 0 if inferred or ahead(end, e["snd_nxt"]) < 0 else now
    if inferred and np.int64(p["state"]) == UNKNOWN and p["mark_event"] > 0:
        found_after_all(desk, i ^ 1)
    if inferred and np.int64(e["state"]) > ESTABLISHED and np.int64(e["state"]) != CLOSE_WAIT:
        note(desk, i, FIN_AGAIN, now, frame, NO_NOTE)  # it is known to have sent it before
        return
    basis = SENT if sure_of_peer(desk, e, p) else ASSUMED
    acked = ack_of(s, e["ack_sent"])
    if np.int64(e["state"]) == CLOSE_WAIT and knows(p, FIN_KNOWN) and ahead(acked, later(desk, p)["fin_end"]) < 0:
        overtaken(desk, i, now - half(reach), earliest, now, frame)
    else:
        move(desk, i, SENT_FIN, basis, now - half(reach), earliest, now, frame, NO_NOTE)
    e["mark_event"] = 0  # it did send this, however unsure the state that it sent it from


@part
def found_after_all(desk, j):
    """The FIN has passed that endpoint ``j`` acknowledged before: what was lost sight of is known after all."""
    lost = log_at(desk, np.int64(end_at(desk, j)["mark_event"]))
    time, frame, earliest = np.int64(lost["time"]), np.int64(lost["frame"]), earliest_of(desk, lost)
    take_back(desk, j)
    row = move(desk, j, RCVD_FIN, PROVEN, time, earliest, time, frame, NO_NOTE)
    if row > 0:
        after = mark_later(desk, end_at(desk, j))
        after["peer_fin_time"], after["peer_fin_event"] = log_at(desk, row)["time"], row


@part
def first_fin(desk, s, e, p, end):
    """Enter the first FIN of endpoint ``e`` in the ledger; it ends at the number ``end``."""
    after = mark_later(desk, e)
    after["fin_end"] = end
    after["fin_time"] = s["time"]
    after["fin_frame"] = s["frame"]
    after["fin_count"] = 1
    after["fin_ack"] = ack_of(s, e["ack_sent"])
    if e["data_time"] > 0 or p["data_time"] > 0:
        after["spoke_last"] = 1 if np.int64(e["data_time"]) >= np.int64(p["data_time"]) else 2


@part
def sure_of_peer(desk, e, p):
    """Whether it is sure that the peer's FIN has, or has not, reached endpoint ``e``: its own FIN moves it by that.

    Where the capture began late, only the peer's own data can show that the peer had not closed before.
    """
    if np.int64(e["state"]) == CLOSE_WAIT:
        return later(desk, e)["close_wait_basis"] != ASSUMED
    return p["packets"] > 0 and np.int64(e["state"]) != UNKNOWN and open_since(desk, p, e)


@part
def overtaken(desk, i, best, earliest, now, frame):
    """A later segment of endpoint ``i`` overtook its FIN on the way to the tap and showed the peer's FIN received.

    The FIN itself does not acknowledge that, so it was sent before: the FINs crossed.
    """
    e = end_at(desk, i)
    after = mark_later(desk, e)
    after["overtaken"] = 1
    old = log_at(desk, np.int64(after["peer_fin_event"]))
    make_void(old)
    e["state"] = state_before(old)
    after["close_wait_time"] = 0
    late = knows(e, MID_STREAM)  # then this may as well be an old copy
    move(desk, i, SENT_FIN, ASSUMED if late else SENT, best, earliest, now, frame, NO_NOTE)
    seen, basis = earliest_of(desk, old), ASSUMED if late else PROVEN
    row = move(desk, i, RCVD_FIN, basis, best, seen, now, np.int64(old["frame"]), NO_NOTE)
    after["peer_fin_event"] = row
    after["peer_fin_time"] = log_at(desk, row)["time"]


@part
def tells_more(desk, s, e, p, now):
    """Whether the FIN comes again only to acknowledge more than the last time: within a round trip, or as the answer to
    what the peer ``p`` has sent since."""
    before = last_fin(desk, e)
    answers = np.int64(p["carry_time"]) > before and now - np.int64(p["carry_time"]) <= patience(desk, e)
    return ahead(ack_of(s, e["last_ack"]), e["last_ack"]) > 0 and (answers or now - before <= patience(desk, e))


@part
def fin_again(desk, s, i):
    """The FIN repeated: an acknowledgment that had passed the tap long enough ago cannot have arrived."""
    e = end_at(desk, i)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    after = mark_later(desk, e)
    after["fin_count"] = after["fin_count"] + 1
    not_arrived(desk, i, last_fin(desk, e), now)
    u = mark_unusual(desk, e)
    if not knows(e, FIN_ACKED) and not tells_more(desk, s, e, end_at(desk, i ^ 1), now):
        u["fin_repeats"] = u["fin_repeats"] + 1
        u["fin_repeat_time"], u["fin_repeat_frame"] = now, frame
    u["fin_last_time"] = now
    u["fin_last_frame"] = frame
    e["fresh_time"] = 0
    if knows(e, FIN_ACKED) and e["mark_event"] > 0 and now - np.int64(after["ack_passed"]) > patience(desk, e):
        u["fin_repeats"] = u["fin_repeats"] + 1
        u["fin_repeat_time"], u["fin_repeat_frame"] = now, frame
        if u["fin_after_ack"] == 0:
            u["fin_after_ack_frame"] = frame
            u["fin_after_ack_time"] = now
        u["fin_after_ack"] = u["fin_after_ack"] + 1
        take_back(desk, i)
        forget(e, FIN_ACKED)
        if knows(e, PEER_FIN_ASSUMED) and np.int64(e["state"]) == FIN_WAIT_1:
            forget(e, PEER_FIN_ASSUMED)
            after["peer_fin_time"] = 0
    note(desk, i, FIN_AGAIN, now, frame, NO_NOTE)
