"""What a segment carries: SYN, payload, FIN, or only a probe. Each is the sender's own act, so its basis is `sent`."""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, FIN, HAS_FIRST_BYTE, LENGTH_BEYOND, NO_IP_LENGTH, PART, SYN
from analyzer.tcp.bounds import NEVER, busy_since, shown_by
from analyzer.tcp.codes import ASSUMED, DATA_AFTER_FIN, DATA_AFTER_PEER_FIN, NO_NOTE, SENT_MID_STREAM, UNKNOWN
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker.codes import (
    ACKED,
    FIN_ACKED,
    FIN_INFERRED,
    FIN_KNOWN,
    KIND_ACK,
    KIND_DATA,
    KIND_FIN,
    KIND_PROBE,
    KIND_SYN,
    KIND_SYN_ACK,
    MID_STREAM,
    NXT,
    PEER_FIN,
    SENT_DATA,
)
from analyzer.tracker.context import (
    closing_facts,
    end_at,
    forget,
    knows,
    learn,
    mark_closing_facts,
    mark_unusual,
    unusual,
)
from analyzer.tracker.dialogue import begin_dialogue, fin_shows_data, send_data
from analyzer.tracker.distance import round_trip
from analyzer.tracker.fin import take_fin
from analyzer.tracker.missing import came_late, gap, seen_again
from analyzer.tracker.moves import move, note, take_back
from analyzer.tracker.segment import length_of
from analyzer.tracker.sizes import size_sent
from analyzer.tracker.syn import options, take_syn, take_syn_ack


@helper
def kind_of(context, s, i):
    """The kind of segment ``s`` of endpoint ``i``, as Answered bits."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    flags, length = np.int64(s["flags"]), length_of(s)
    if flags & SYN:
        return KIND_SYN_ACK if flags & ACK else KIND_SYN
    if flags & FIN:
        return KIND_FIN | (KIND_DATA if length > 0 else 0)
    if knows(e, NXT) and length <= 1 and seq_diff(s["seq"], e["snd_nxt"]) == -1:
        acknowledged = knows(p, ACKED) and seq_diff(p["ack_sent"], e["snd_nxt"]) >= 0
        if length == 0 or acknowledged:
            return KIND_PROBE
    return KIND_DATA if length > 0 else KIND_ACK


@helper
def take_contents(context, s, i, kind):
    """Take in what segment ``s`` of endpoint ``i`` carries."""
    e = end_at(context, i)
    flags = np.int64(s["flags"])
    if flags & SYN:
        if flags & ACK:
            take_syn_ack(context, s, i)
        else:
            take_syn(context, s, i)
        options(s, e)
        return
    if np.int64(e["state"]) == UNKNOWN and unusual(context, e)["stale_acks"] == 0:
        learn(e, MID_STREAM)
        if not flags & FIN:
            move(context, i, SENT_MID_STREAM, ASSUMED, shown_by(np.int64(s["time"]), NEVER), s["frame"], NO_NOTE)
            e["mark_event"] = 0  # that is no assumption a later segment could take back
    if not knows(e, NXT):
        e["snd_nxt"] = s["seq"]
        learn(e, NXT)
    begin_dialogue(context, s, i)
    if kind == KIND_PROBE:
        probe(s, mark_unusual(context, e))
        return
    if length_of(s) > 0:
        take_payload(context, s, i)
    if flags & FIN:
        fin_shows_data(context, s, i)
        take_fin(context, s, i)
    elif length_of(s) == 0 and seq_diff(s["seq"], e["snd_nxt"]) > 0:
        gap(context, s, e)
        e["snd_nxt"] = s["seq"]
        mark_unusual(context, e)["unseen_time"] = s["time"]


@helper
def probe(s, u):
    """A keep-alive or window probe: it repeats a number already acknowledged and is no data."""
    u["probes"] = u["probes"] + 1
    if u["probe_run"] == 0:
        u["probe_first_time"] = s["time"]
    u["probe_run"] = u["probe_run"] + 1
    u["probe_last_frame"] = s["frame"]
    u["probe_last_time"] = s["time"]


@helper
def take_payload(context, s, i):
    """Payload: new, repeated, or filling a hole."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    now, length = np.int64(s["time"]), length_of(s)
    end = seq_add(s["seq"], length)
    e["content_time"] = now
    e["last_payload"] = length
    if np.int64(s["marks"]) & (LENGTH_BEYOND | NO_IP_LENGTH | PART):
        mark_unusual(context, e)["lengths_unsure"] = 1
    e["last_payload_byte"] = s["first_byte"] if np.int64(s["marks"]) & HAS_FIRST_BYTE else 0
    new = seq_diff(end, e["snd_nxt"])
    if new > 0 or e["closing_row"] > 0:  # a repeat of what was not captured opens no row
        size_sent(context, e, length, end)
    if new <= 0:
        first = first_pass(context, s, e, p, length)
        if not came_late(context, s, e, length):
            fill_or_repeat(context, s, e, p, length)
        if first > 0:
            send_data(context, s, i, end, first)
        return
    if new < length and not_acknowledged(e, p, e["snd_nxt"]):
        repeat(context, s, e, p)
    if seq_diff(s["seq"], e["snd_nxt"]) > 0:
        gap(context, s, e)
        new = length
    if knows(e, FIN_KNOWN) and seq_diff(end, closing_facts(context, e)["fin_end"]) >= 0:
        after_fin(context, s, i, new)
    learn(e, SENT_DATA)
    seen_again(context, e)
    e["busy_since"] = busy_since(now, np.int64(e["idle_since"]), np.int64(e["busy_since"]), round_trip(context, e))
    e["idle_since"] = 0
    e["snd_nxt"] = end
    e["fresh_time"] = now
    e["data_time"] = now
    e["data_frame"] = s["frame"]
    send_data(context, s, i, end, new)
    if knows(e, PEER_FIN):
        u = mark_unusual(context, e)
        if u["half_close_bytes"] == 0:
            u["half_close_frame"] = s["frame"]
            u["half_close_seq"] = seq_add(end, -new)
            note(context, i, DATA_AFTER_PEER_FIN, now, s["frame"], NO_NOTE)
        u["half_close_bytes"] = u["half_close_bytes"] + new
        u["half_close_last_frame"] = s["frame"]


@helper
def first_pass(context, s, e, p, length):
    """How many bytes of a payload below the highest number sent pass for the first time: they fill a hole, or had been
    taken to be missing."""
    if e["unusual"] == 0:
        return np.int64(0)
    u, begin, end = unusual(context, e), np.int64(s["seq"]), seq_add(s["seq"], length)
    first = np.int64(0)
    if u["missing_bytes"] > 0:
        first = min(np.int64(u["missing_bytes"]), common(begin, end, u["missing_from"], u["missing_end"]))
    if u["hole_bytes"] > 0 and not_acknowledged(e, p, end):
        first = max(first, min(np.int64(u["hole_bytes"]), common(begin, end, u["hole_from"], u["hole_end"])))
    after = closing_facts(context, e)
    if knows(e, FIN_INFERRED) and after["fin_count"] == 0:
        first = first + common(begin, end, seq_add(after["fin_end"], -1), after["fin_end"])  # that was no FIN
    return first


@helper
def common(begin, end, other_begin, other_end):
    """How many numbers two ranges of sequence numbers have in common."""
    later = begin if seq_diff(begin, other_begin) > 0 else np.int64(other_begin)
    earlier = end if seq_diff(end, other_end) < 0 else np.int64(other_end)
    return max(np.int64(0), seq_diff(earlier, later))


@helper
def fill_or_repeat(context, s, e, p, length):
    """Payload below the highest number sent: late (it fills a hole at the tap) or a repeat."""
    u = mark_unusual(context, e)
    fills = u["hole_bytes"] > 0 and seq_diff(u["hole_end"], s["seq"]) > 0
    open_still = not_acknowledged(e, p, seq_add(s["seq"], length))
    if fills and open_still:
        u["hole_bytes"] = max(0, np.int64(u["hole_bytes"]) - length)
        return
    if open_still:
        repeat(context, s, e, p)
    else:
        u["repeats"] = u["repeats"] + 1
    e["fresh_time"] = 0


@helper
def not_acknowledged(e, p, end):
    """Whether ``p`` has not acknowledged all that ``e`` sent up to the number ``end``."""
    return not knows(p, ACKED) or seq_diff(p["ack_sent"], end) < 0


@helper
def repeat(context, s, e, p):
    """Payload that its receiver ``p`` has not acknowledged comes once more."""
    u = mark_unusual(context, e)
    u["repeats"] = u["repeats"] + 1
    if u["repeat_run"] == 0:
        u["repeat_first_time"] = s["time"]
        u["repeat_size"] = 0
    u["repeat_run"] = u["repeat_run"] + 1
    if knows(p, ACKED) and s["seq"] == p["ack_sent"]:
        size = np.int64(u["repeat_size"])
        u["repeat_size"] = length_of(s) if size == 0 or size == length_of(s) else -1
    u["repeat_last_time"] = s["time"]
    u["repeat_last_frame"] = s["frame"]


@helper
def after_fin(context, s, i, new):
    """New data at or beyond the endpoint's own FIN: the FIN was inferred wrongly, or the sender breaks the rules."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    if knows(e, FIN_INFERRED) and closing_facts(context, e)["fin_count"] == 0:
        forget(e, FIN_KNOWN | FIN_INFERRED | FIN_ACKED)
        after = mark_closing_facts(context, e)
        after["fin_time"] = 0
        after["fin_acked_time"] = 0
        u = mark_unusual(context, e)
        fin, end = seq_add(after["fin_end"], -1), after["fin_end"]
        if u["missing_bytes"] == 0:
            u["missing_from"], u["missing_end"] = fin, s["seq"] if seq_diff(s["seq"], end) < 0 else end
        u["missing_bytes"] = u["missing_bytes"] + 1
        if e["mark_event"] > 0:
            take_back(context, i)
        if knows(p, PEER_FIN) and p["mark_event"] > 0:
            take_back(context, i ^ 1)
        forget(p, PEER_FIN)
        return
    u = mark_unusual(context, e)
    if u["beyond_fin_bytes"] == 0:
        note(context, i, DATA_AFTER_FIN, s["time"], s["frame"], NO_NOTE)
    u["beyond_fin_bytes"] = u["beyond_fin_bytes"] + new
