"""A FIN: the first of an endpoint, or the same again. Where it was inferred before, or overtaken, is put right here."""

import numpy as np

from analyzer.kernels import helper
from analyzer.tcp.bounds import between, busy_since, sent_fin, shown_by
from analyzer.tcp.codes import (
    ASSUMED,
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_AGAIN,
    FIN_WAIT_1,
    NO_NOTE,
    PROVEN,
    RCVD_FIN,
    SENT,
    SENT_FIN,
    UNKNOWN,
)
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker.codes import ACKED, FIN_ACKED, FIN_INFERRED, FIN_KNOWN, MID_STREAM, PEER_FIN_ASSUMED
from analyzer.tracker.context import (
    closing_facts,
    end_at,
    forget,
    knows,
    last_fin,
    learn,
    mark_closing_facts,
    mark_unusual,
)
from analyzer.tracker.distance import decided_since, longest_round_trip, round_trip
from analyzer.tracker.missing import fin_fills, gap, open_since, seen_again
from analyzer.tracker.moves import move, note, note_peer_fin, take_back
from analyzer.tracker.reordering import not_arrived, not_yet_proof
from analyzer.tracker.segment import ack_of, length_of
from analyzer.tracker.storage.event_log import earliest_of, log_at, make_void, state_before


@helper
def take_fin(context, s, i):
    """A FIN: the first, or the same again; it occupies the number after the segment's payload."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    end = seq_add(s["seq"], length_of(s) + 1)
    e["content_time"] = now
    if e["unusual"] > 0:
        fin_fills(mark_unusual(context, e), end)
    after = mark_closing_facts(context, e)
    if after["fin_count"] > 0:
        if end == np.int64(after["fin_end"]):
            fin_again(context, s, i)
        return
    if e["proof_event"] > 0 and not_yet_proof(e, p, now):
        take_back(context, i)
    if seq_diff(s["seq"], e["snd_nxt"]) > 0:
        gap(context, s, e)
    busy = busy_since(now, np.int64(e["idle_since"]), np.int64(e["busy_since"]), round_trip(context, e))
    times = sent_fin(now, np.int64(e["tap_rtt"]), decided_since(context, e, s, busy))
    inferred = knows(e, FIN_INFERRED)
    forget(e, FIN_INFERRED)
    if not knows(p, ACKED) or seq_diff(p["ack_sent"], end) < 0 or inferred:
        learn(e, FIN_KNOWN)  # else its peer takes this for an old number, and will never acknowledge it as a FIN
    seen_again(context, e)
    first_fin(context, s, e, end)
    if seq_diff(end, e["snd_nxt"]) > 0:
        e["snd_nxt"] = end
    e["fresh_time"] = 0 if inferred or seq_diff(end, e["snd_nxt"]) < 0 else now
    if inferred and np.int64(p["state"]) == UNKNOWN and p["mark_event"] > 0:
        inferred_fin_captured(context, i ^ 1)
    if inferred and np.int64(e["state"]) > ESTABLISHED and np.int64(e["state"]) != CLOSE_WAIT:
        note(context, i, FIN_AGAIN, now, frame, NO_NOTE)  # it is known to have sent it before
        return
    basis = SENT if sure_of_peer(context, e, p) else ASSUMED
    acked = ack_of(s, e["ack_sent"])
    if (
        np.int64(e["state"]) == CLOSE_WAIT
        and knows(p, FIN_KNOWN)
        and seq_diff(acked, closing_facts(context, p)["fin_end"]) < 0
    ):
        fin_reordered_at_tap(context, i, times, frame)
    else:
        move(context, i, SENT_FIN, basis, times, frame, NO_NOTE)
    e["mark_event"] = 0  # it did send this, however unsure the state that it sent it from


@helper
def inferred_fin_captured(context, j):
    """The FIN has passed that endpoint ``j`` acknowledged before: what was lost sight of is known after all."""
    lost = log_at(context, np.int64(end_at(context, j)["mark_event"]))
    time, frame, earliest = np.int64(lost["time"]), np.int64(lost["frame"]), earliest_of(context, lost)
    take_back(context, j)
    row = move(context, j, RCVD_FIN, PROVEN, shown_by(time, earliest), frame, NO_NOTE)
    if row > 0:
        note_peer_fin(context, end_at(context, j), row)


@helper
def first_fin(context, s, e, end):
    """Enter the first FIN of endpoint ``e`` in the ledger; it ends at the number ``end``."""
    after = mark_closing_facts(context, e)
    after["fin_end"] = end
    after["fin_time"] = s["time"]
    after["fin_frame"] = s["frame"]
    after["fin_count"] = 1
    after["fin_ack"] = ack_of(s, e["ack_sent"])


@helper
def sure_of_peer(context, e, p):
    """Whether it is sure that the peer's FIN has, or has not, reached endpoint ``e``: its own FIN moves it by that.

    Where the capture began late, only the peer's own data can show that the peer had not closed before.
    """
    if np.int64(e["state"]) == CLOSE_WAIT:
        return closing_facts(context, e)["close_wait_basis"] != ASSUMED
    return p["packets"] > 0 and np.int64(e["state"]) != UNKNOWN and open_since(context, p, e)


@helper
def fin_reordered_at_tap(context, i, times, frame):
    """A later segment of endpoint ``i`` overtook its FIN on the way to the tap and showed the peer's FIN received.

    The FIN itself does not acknowledge that, so it was sent before: the FINs crossed.
    """
    e = end_at(context, i)
    after = mark_closing_facts(context, e)
    after["overtaken"] = 1
    old = log_at(context, np.int64(after["peer_fin_event"]))
    make_void(old)
    e["state"] = state_before(old)
    after["close_wait_time"] = 0
    late = knows(e, MID_STREAM)  # then this may as well be an old copy
    move(context, i, SENT_FIN, ASSUMED if late else SENT, times, frame, NO_NOTE)
    received, basis = between(times[0], earliest_of(context, old), times[2]), ASSUMED if late else PROVEN
    row = move(context, i, RCVD_FIN, basis, received, np.int64(old["frame"]), NO_NOTE)
    note_peer_fin(context, e, row)


@helper
def repeat_updates_ack(context, s, e, p, now):
    """Whether the FIN comes again only to acknowledge more than the last time: within a round trip, or as the answer to
    what the peer ``p`` has sent since."""
    before = last_fin(context, e)
    answers = np.int64(p["content_time"]) > before and now - np.int64(p["content_time"]) <= longest_round_trip(
        context, e
    )
    return seq_diff(ack_of(s, e["last_ack"]), e["last_ack"]) > 0 and (
        answers or now - before <= longest_round_trip(context, e)
    )


@helper
def fin_again(context, s, i):
    """The FIN repeated: an acknowledgment that had passed the tap long enough ago cannot have arrived."""
    e = end_at(context, i)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    after = mark_closing_facts(context, e)
    after["fin_count"] = after["fin_count"] + 1
    not_arrived(context, i, last_fin(context, e), now)
    u = mark_unusual(context, e)
    if not knows(e, FIN_ACKED) and not repeat_updates_ack(context, s, e, end_at(context, i ^ 1), now):
        u["fin_repeats"] = u["fin_repeats"] + 1
    u["fin_last_time"] = now
    u["fin_last_frame"] = frame
    e["fresh_time"] = 0
    if (
        knows(e, FIN_ACKED)
        and e["mark_event"] > 0
        and now - np.int64(after["ack_passed"]) > longest_round_trip(context, e)
    ):
        u["fin_repeats"] = u["fin_repeats"] + 1
        if u["fin_after_ack"] == 0:
            u["fin_after_ack_frame"] = frame
            u["fin_after_ack_time"] = now
        u["fin_after_ack"] = u["fin_after_ack"] + 1
        take_back(context, i)
        forget(e, FIN_ACKED)
        if knows(e, PEER_FIN_ASSUMED) and np.int64(e["state"]) == FIN_WAIT_1:
            forget(e, PEER_FIN_ASSUMED)
    note(context, i, FIN_AGAIN, now, frame, NO_NOTE)
