"""Segments that cross or are lost on the way: what they do to the order in which an endpoint lived through them.

A tap sees segments in the order in which they pass it, an endpoint in the order in which they reach or leave it.
Where the two differ, the rest of the tracker would tell the story in the wrong order; each part here puts one such
case right:

* a FIN on its way ahead of a RST arrives ahead of it (`fin_before_reset`);
* a FIN, an acknowledgment or a RST that left an endpoint before the peer's RST reached it still counts
  (`undo_reset_for`, `own_reset`);
* a FIN that has to be repeated may not have arrived the first time: what was assumed of its arrival is taken back
  (`not_arrived`);
* a FIN lost before the tap shows in the number of the next segment (`unseen_fin`);
* a server with a fast open connection sends before the handshake's last ACK reaches it (`not_yet_proof`).
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, FIN, RST, SYN
from analyzer.tcp.bounds import (
    arrived_by,
    arrives_at,
    rcvd_ack_of_fin,
    rcvd_fin_unproven,
    rcvd_rst_after,
    sent_fin_crossing,
)
from analyzer.tcp.codes import (
    ASSUMED,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_NOT_CAPTURED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    NO_NOTE,
    RCVD_ACK_OF_FIN,
    RCVD_FIN,
    RCVD_RST,
    SENT_FIN,
    SYN_RECEIVED,
    TIME_WAIT,
)
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.codes import (
    ACKED,
    FIN_INFERRED,
    FIN_KNOWN,
    KIND_DATA,
    NXT,
    PEER_FIN,
    PEER_FIN_ASSUMED,
    RST_ACCEPTED,
)
from analyzer.tracker.context import closing_facts, end_at, forget, knows, learn, mark_closing_facts, unusual
from analyzer.tracker.distance import decided_since, round_trip
from analyzer.tracker.moves import move, note_peer_fin, restore_state, take_back
from analyzer.tracker.segment import length_of
from analyzer.tracker.storage.event_log import is_void, log_at, make_void, row_before, state_before, state_in


@helper
def fin_before_reset(context, s, i):
    """The RST ``s`` of endpoint ``i`` follows its FIN on the way: its receiver gets the FIN first."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    state = np.int64(p["state"])
    awaits = state in (SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2)
    if not awaits or closing_facts(context, e)["fin_count"] == 0 or knows(p, PEER_FIN) or knows(p, PEER_FIN_ASSUMED):
        return
    seen = np.int64(closing_facts(context, e)["fin_time"])
    tap_rtt = np.int64(p["tap_rtt"])
    times = rcvd_fin_unproven(seen, tap_rtt, arrived_by(np.int64(s["time"]), tap_rtt, context["repeat"]))
    row = move(context, i ^ 1, RCVD_FIN, ASSUMED, times, s["frame"], NO_NOTE)
    if row > 0:
        learn(p, PEER_FIN_ASSUMED)
        note_peer_fin(context, p, row)


@helper
def undo_reset_for(context, s, i):
    """Whether segment ``s`` of endpoint ``i``, which the peer's RST is taken to have ended, left it before that and
    changes what it lived through: then the end is taken back for the moment (`redo_reset`)."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    if not knows(e, RST_ACCEPTED) or np.int64(e["state"]) != CLOSED:
        return False
    flags = np.int64(s["flags"])
    acked = flags & ACK and knows(p, FIN_KNOWN) and seq_diff(s["ack"], closing_facts(context, p)["fin_end"]) >= 0
    acked = acked and not knows(e, PEER_FIN)
    fin = flags & FIN and closing_facts(context, e)["fin_count"] == 0
    if flags & (RST | SYN) or not (acked or fin):
        return False
    return undo_reset(context, i)


@helper
def own_reset(context, s, i):
    """The RST ``s`` of endpoint ``i``, which the peer's RST is taken to have ended, left it before that came: it is its
    own abort, or it answers data that were on their way ahead of the peer's RST, and that its own close refuses."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    if not knows(e, RST_ACCEPTED) or np.int64(e["state"]) != CLOSED:
        return
    killer = unusual(context, p)
    abort = np.int64(s["flags"]) & ACK and np.int64(s["time"]) - np.int64(killer["rst_time"]) <= 2 * round_trip(
        context, e
    )
    refuses = np.int64(p["run_kind"]) & KIND_DATA and p["run_ack"] == s["seq"] and p["run_frame"] < killer["rst_frame"]
    if abort or (refuses and closing_facts(context, e)["fin_count"] > 0):
        undo_reset(context, i)
        forget(e, RST_ACCEPTED)


@helper
def undo_reset(context, i):
    """Take back that the peer's RST reached endpoint ``i``, with the FIN that went ahead of it; what was assumed before
    stands. Returns whether there was such an entry."""
    e = end_at(context, i)
    row, frame, state = np.int64(e["last_event"]), np.int64(0), np.int64(e["state"])
    while row > 0:
        entry = log_at(context, row)
        if state_before(entry) != state_in(entry) and not is_void(entry):
            if frame == 0 and entry["event"] != RCVD_RST:
                return False
            if frame > 0 and (entry["frame"] != frame or entry["event"] != RCVD_FIN or entry["basis"] != ASSUMED):
                break
            frame, state = np.int64(entry["frame"]), state_before(entry)
            make_void(entry)
            if e["mark_event"] == row:
                e["mark_event"] = 0
        row = row_before(context, row)
    restore_state(context, e, state)
    forget_arrival(context, e)
    return True


@helper
def not_yet_arrived(context, i, frame):
    """The RST of endpoint ``i`` answers a segment that passed before ``frame``: what passed from there on, on its way
    to the endpoint, had not reached it."""
    e = end_at(context, i)
    row, state, undone = np.int64(e["last_event"]), np.int64(e["state"]), False
    while row > 0:
        entry = log_at(context, row)
        if state_before(entry) != state_in(entry) and not is_void(entry):
            if entry["basis"] != ASSUMED or entry["frame"] < frame:
                break
            make_void(entry)
            state, undone = state_before(entry), True
            if e["mark_event"] == row:
                e["mark_event"] = 0
        row = row_before(context, row)
    if undone:
        restore_state(context, e, state)
        forget_arrival(context, e)


@helper
def redo_reset(context, i, now):
    """The peer's RST then reached endpoint ``i`` after all."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    u = unusual(context, p)
    times = rcvd_rst_after(np.int64(u["rst_time"]), now, np.int64(e["tap_rtt"]), context["repeat"])
    move(context, i, RCVD_RST, ASSUMED, times, np.int64(u["rst_frame"]), NO_NOTE)


@helper
def forget_arrival(context, e):
    """Endpoint ``e`` is no longer taken to have received the peer's FIN."""
    if knows(e, PEER_FIN_ASSUMED):
        forget(e, PEER_FIN_ASSUMED)
        mark_closing_facts(context, e)["peer_fin_event"] = 0


@helper
def not_arrived(context, i, before, now):
    """Endpoint ``i`` repeats the FIN that it last sent at ``before``, and nothing of the peer shows that it had it.

    The FINs were taken to have crossed. A FIN that arrives is acknowledged at once, so either the FIN or its
    acknowledgment was lost; the first is taken to be true. The peer then went by FIN_WAIT_2, not by CLOSING.
    """
    j = i ^ 1
    p = end_at(context, j)
    crossed = (
        np.int64(p["state"]) in (CLOSING, TIME_WAIT) and p["mark_event"] == closing_facts(context, p)["peer_fin_event"]
    )
    if not knows(p, PEER_FIN_ASSUMED) or not crossed or now - before <= round_trip(context, p):
        return
    acked = np.int64(p["state"]) == TIME_WAIT
    take_back(context, j)
    forget_arrival(context, p)
    if acked:
        frame, seen = (
            np.int64(closing_facts(context, p)["fin_acked_frame"]),
            np.int64(closing_facts(context, p)["fin_acked_time"]),
        )
        times = rcvd_ack_of_fin(seen, np.int64(p["tap_rtt"]), context["repeat"])
        move(context, j, RCVD_ACK_OF_FIN, ASSUMED, times, frame, NO_NOTE)


@helper
def unseen_fin(context, s, i):
    """Endpoint ``i`` acknowledges the peer's FIN, sent once, with a number one beyond what it was seen to have sent:
    it had sent its own FIN before, which was lost on the way to the tap, and the FINs crossed."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    bare = np.int64(s["flags"]) & (SYN | FIN | RST | ACK) == ACK and length_of(s) == 0
    if not bare or np.int64(e["state"]) != ESTABLISHED or knows(e, FIN_KNOWN) or not knows(e, NXT | ACKED):
        return
    if not knows(p, FIN_KNOWN) or seq_diff(s["seq"], e["snd_nxt"]) != 1:
        return
    theirs = closing_facts(context, p)
    if theirs["fin_count"] != 1 or seq_diff(s["ack"], theirs["fin_end"]) < 0:
        return
    learn(e, FIN_KNOWN | FIN_INFERRED)
    after = mark_closing_facts(context, e)
    after["fin_end"] = s["seq"]
    after["fin_time"] = s["time"]
    e["snd_nxt"] = s["seq"]
    e["fresh_time"] = 0
    peer_fin, tap_rtt = np.int64(theirs["fin_time"]), np.int64(e["tap_rtt"])
    decided = decided_since(context, e, s, arrives_at(peer_fin, tap_rtt))
    times = sent_fin_crossing(peer_fin, tap_rtt, decided, np.int64(s["time"]))
    move(context, i, SENT_FIN, ASSUMED, times, s["frame"], FIN_NOT_CAPTURED)


@helper
def not_yet_proof(e, p, now):
    """Whether endpoint ``e`` may have sent this before the handshake's last ACK reached it: only with fast open,
    which the SYN shows."""
    perhaps = p["fast_open"] == 1 or p["syn_count"] == 0
    near = e["tap_rtt"] == 0 or now - np.int64(e["mark_time"]) < np.int64(e["tap_rtt"])
    return perhaps and near and e["mark_event"] > 0
