"""What a segment carries: SYN, payload, FIN, or only a probe. Each is the sender's own act, so its basis is `sent`."""

import numpy as np

from analyzer.compiled import part
from analyzer.segments.table import ACK, FIN, HAS_FIRST_BYTE, SYN
from analyzer.tracker.crossing import not_arrived, not_yet_proof
from analyzer.tracker.desk import (
    ASSUMED,
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT_1,
    MID_STREAM,
    NEVER,
    NO_NOTE,
    PROVEN,
    RCVD_FIN,
    SENT,
    UNKNOWN,
    end_at,
    forget,
    half,
    knows,
    last_fin,
    later,
    learn,
    margin,
    mark_later,
    mark_unusual,
    move,
    note,
    open_since,
    patience,
    since,
    take_back,
    unusual,
)
from analyzer.tracker.journal import earliest_of, log_at, make_void, state_before
from analyzer.tracker.ledger import Answered, Known
from analyzer.tracker.space import ahead, plus
from analyzer.tracker.syns import carry_syn, carry_syn_ack, options
from analyzer.tracker.transitions import Event

NXT, ACKED, FIN_KNOWN = np.int64(Known.NXT), np.int64(Known.ACK), np.int64(Known.FIN)
FIN_ACKED, PEER_FIN = np.int64(Known.FIN_ACKED), np.int64(Known.PEER_FIN)
PEER_FIN_ASSUMED = np.int64(Known.PEER_FIN_ASSUMED)
FIN_INFERRED, SENT_DATA = np.int64(Known.FIN_INFERRED), np.int64(Known.SENT_DATA)
SENT_MID_STREAM = np.int64(Event.SENT_MID_STREAM)
SENT_FIN = np.int64(Event.SENT_FIN)
FIN_AGAIN, DATA_AFTER_FIN = np.int64(Event.FIN_AGAIN), np.int64(Event.DATA_AFTER_FIN)
DATA_AFTER_PEER_FIN = np.int64(Event.DATA_AFTER_PEER_FIN)
KIND_ACK, KIND_DATA, KIND_FIN = np.int64(Answered.ACK), np.int64(Answered.DATA), np.int64(Answered.FIN)
KIND_SYN, KIND_SYN_ACK, KIND_PROBE = np.int64(Answered.SYN), np.int64(Answered.SYN_ACK), np.int64(Answered.KEEP_ALIVE)


@part
def kind_of(desk, s, i):
    """The kind of segment ``s`` of endpoint ``i``, as Answered bits."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    flags, length = np.int64(s["flags"]), np.int64(s["payload_len"])
    if flags & SYN:
        return KIND_SYN_ACK if flags & ACK else KIND_SYN
    if flags & FIN:
        return KIND_FIN | (KIND_DATA if length > 0 else 0)
    if knows(e, NXT) and length <= 1 and ahead(s["seq"], e["snd_nxt"]) == -1:
        acknowledged = knows(p, ACKED) and ahead(p["ack_sent"], e["snd_nxt"]) >= 0
        if length == 0 or acknowledged:
            return KIND_PROBE
    return KIND_DATA if length > 0 else KIND_ACK


@part
def carry(desk, s, i, kind):
    """Take in what segment ``s`` of endpoint ``i`` carries."""
    e = end_at(desk, i)
    flags = np.int64(s["flags"])
    if flags & SYN:
        if flags & ACK:
            carry_syn_ack(desk, s, i)
        else:
            carry_syn(desk, s, i)
        options(s, e)
        return
    if np.int64(e["state"]) == UNKNOWN and unusual(desk, e)["stale_acks"] == 0:
        learn(e, MID_STREAM)
        if not flags & FIN:
            move(desk, i, SENT_MID_STREAM, ASSUMED, s["time"], NEVER, s["time"], s["frame"], NO_NOTE)
            e["mark_event"] = 0  # that is no assumption a later segment could take back
    if not knows(e, NXT):
        e["snd_nxt"] = s["seq"]
        learn(e, NXT)
    if kind == KIND_PROBE:
        probe(s, mark_unusual(desk, e))
        return
    if s["payload_len"] > 0:
        carry_data(desk, s, i)
    if flags & FIN:
        carry_fin(desk, s, i)
    elif s["payload_len"] == 0 and ahead(s["seq"], e["snd_nxt"]) > 0:
        gap(desk, s, e)
        e["snd_nxt"] = s["seq"]
        mark_unusual(desk, e)["unseen_time"] = s["time"]


@part
def probe(s, u):
    """A keep-alive or window probe: it repeats a number already acknowledged and is no data."""
    u["probes"] = u["probes"] + 1
    if u["probe_run"] == 0:
        u["probe_first_time"] = s["time"]
    u["probe_run"] = u["probe_run"] + 1
    u["probe_last_frame"] = s["frame"]
    u["probe_last_time"] = s["time"]


@part
def gap(desk, s, e):
    """The segment begins beyond what the endpoint is known to have sent: a hole, until it is filled or proven lost."""
    if e["packets"] > 0:
        u = mark_unusual(desk, e)
        if u["hole_bytes"] == 0:
            u["hole_from"] = e["snd_nxt"]
        u["hole_bytes"] = u["hole_bytes"] + ahead(s["seq"], e["snd_nxt"])
        u["hole_end"] = s["seq"]


@part
def carry_data(desk, s, i):
    """Payload: new, repeated, or filling a hole."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    now, length = np.int64(s["time"]), np.int64(s["payload_len"])
    end = plus(s["seq"], length)
    e["carry_time"] = now
    e["carried"] = length
    e["carried_byte"] = s["first_byte"] if np.int64(s["marks"]) & HAS_FIRST_BYTE else 0
    new = ahead(end, e["snd_nxt"])
    if new <= 0:
        if not came_late(desk, s, e, length):
            fill_or_repeat(desk, s, e, p, length)
        return
    if new < length and not_acknowledged(e, p, e["snd_nxt"]):
        repeat(desk, s, e)
    if ahead(s["seq"], e["snd_nxt"]) > 0:
        gap(desk, s, e)
        new = length
    if knows(e, FIN_KNOWN) and ahead(end, later(desk, e)["fin_end"]) >= 0:
        after_fin(desk, s, i, new)
    learn(e, SENT_DATA)
    seen_again(desk, e)
    e["busy_since"] = busy_time(now, np.int64(e["idle_since"]), np.int64(e["busy_since"]), margin(desk, e))
    e["idle_since"] = 0
    e["snd_nxt"] = end
    e["fresh_time"] = now
    e["data_time"] = now
    e["data_frame"] = s["frame"]
    if knows(e, PEER_FIN):
        u = mark_unusual(desk, e)
        if u["half_close_bytes"] == 0:
            u["half_close_frame"] = s["frame"]
            u["half_close_seq"] = plus(end, -new)
            note(desk, i, DATA_AFTER_PEER_FIN, now, s["frame"], NO_NOTE)
        u["half_close_bytes"] = u["half_close_bytes"] + new
        u["half_close_last_frame"] = s["frame"]


@part
def came_late(desk, s, e, length):
    """Whether these bytes, or some of them, had been taken to be missing: they have passed the tap after all."""
    u = unusual(desk, e)
    missed = min(length, ahead(plus(s["seq"], length), u["missing_from"]))
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
    return np.int64(s["time"]) - np.int64(u["missing_time"]) <= desk["reordering"]


@part
def seen_again(desk, e):
    """The last bytes that endpoint ``e`` is known to have sent have passed the tap."""
    if e["unusual"] > 0:
        mark_unusual(desk, e)["unseen_time"] = 0


@part
def busy_time(now, idle_since, busy_since, margin):
    """Since when an endpoint has had something to send without pause, if it sends something ``now``.

    All it had sent may have been acknowledged in between: if it sends again as soon as that can have reached it, the
    acknowledgment, or the window that opened with it, is what it had waited for.
    """
    paused = (idle_since > 0) & (now - idle_since > margin)
    return now if (busy_since == 0) | paused else busy_since


@part
def fill_or_repeat(desk, s, e, p, length):
    """Payload below the highest number sent: late (it fills a hole at the tap) or a repeat."""
    u = mark_unusual(desk, e)
    fills = u["hole_bytes"] > 0 and ahead(u["hole_end"], s["seq"]) > 0
    open_still = not_acknowledged(e, p, plus(s["seq"], length))
    if fills and open_still:
        u["hole_bytes"] = max(0, np.int64(u["hole_bytes"]) - length)
        return
    if open_still:
        repeat(desk, s, e)
    else:
        u["repeats"] = u["repeats"] + 1
    e["fresh_time"] = 0


@part
def not_acknowledged(e, p, end):
    """Whether ``p`` has not acknowledged all that ``e`` sent up to the number ``end``."""
    return not knows(p, ACKED) or ahead(p["ack_sent"], end) < 0


@part
def repeat(desk, s, e):
    """Payload that its receiver has not acknowledged comes once more."""
    u = mark_unusual(desk, e)
    u["repeats"] = u["repeats"] + 1
    if u["repeat_run"] == 0:
        u["repeat_first_time"] = s["time"]
    u["repeat_run"] = u["repeat_run"] + 1
    u["repeat_last_time"] = s["time"]
    u["repeat_last_frame"] = s["frame"]


@part
def after_fin(desk, s, i, new):
    """New data at or beyond the endpoint's own FIN: the FIN was inferred wrongly, or the sender breaks the rules."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    if knows(e, FIN_INFERRED) and later(desk, e)["fin_count"] == 0:
        forget(e, FIN_KNOWN | FIN_INFERRED | FIN_ACKED)
        after = mark_later(desk, e)
        after["fin_time"] = 0
        after["fin_acked_time"] = 0
        u = mark_unusual(desk, e)
        u["missing_bytes"] = u["missing_bytes"] + 1
        if e["mark_event"] > 0:
            take_back(desk, i)
        if knows(p, PEER_FIN) and p["mark_event"] > 0:
            take_back(desk, i ^ 1)
        forget(p, PEER_FIN)
        return
    u = mark_unusual(desk, e)
    if u["beyond_fin_bytes"] == 0:
        note(desk, i, DATA_AFTER_FIN, s["time"], s["frame"], NO_NOTE)
    u["beyond_fin_bytes"] = u["beyond_fin_bytes"] + new


@part
def carry_fin(desk, s, i):
    """A FIN: the first, or the same again; it occupies the number after the segment's payload."""
    e, p = end_at(desk, i), end_at(desk, i ^ 1)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    end = plus(s["seq"], np.int64(s["payload_len"]) + 1)
    e["carry_time"] = now
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
    if np.int64(e["state"]) == CLOSE_WAIT and knows(p, FIN_KNOWN) and ahead(s["ack"], later(desk, p)["fin_end"]) < 0:
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
    after["fin_ack"] = s["ack"] if np.int64(s["flags"]) & ACK else e["ack_sent"]
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
def tells_more(desk, s, e, now):
    """Whether the FIN comes again, within a round trip, only to acknowledge more than the last time."""
    return ahead(s["ack"], e["last_ack"]) > 0 and now - last_fin(desk, e) <= patience(desk, e)


@part
def fin_again(desk, s, i):
    """The FIN repeated: an acknowledgment that had passed the tap long enough ago cannot have arrived."""
    e = end_at(desk, i)
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    after = mark_later(desk, e)
    after["fin_count"] = after["fin_count"] + 1
    not_arrived(desk, i, last_fin(desk, e), now)
    u = mark_unusual(desk, e)
    if not knows(e, FIN_ACKED) and not tells_more(desk, s, e, now):
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
