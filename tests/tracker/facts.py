"""The columns of the ledger once more, each from its meaning: a search over the list of a connection's segments.

Nothing here is kept up to date; everything is looked for when it is asked for. A meaning that changes is changed in the
one place here that bears the column's name. ``LEFT_OUT`` names the columns that are not told here, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analyzer.tracker.ledger import Answered, Known
from analyzer.tracker.resets import Verdict

from .naive import ACK, FIN, RST, SYN, ahead
from .observed import Observed, Packet, Seen
from .side import Side, frame_of, fresh, time_of

KINDS = {
    "ack": Answered.ACK,
    "data": Answered.DATA,
    "fin": Answered.FIN,
    "syn": Answered.SYN,
    "syn-ack": Answered.SYN_ACK,
    "probe": Answered.KEEP_ALIVE,
}
VERDICTS = {"": 0, "accepted": Verdict.ACCEPTED, "challenged": Verdict.CHALLENGED, "dropped": Verdict.DROPPED}
VERDICTS["blind"] = Verdict.BLIND
CLOCK_BACK = 1_000_000


def kind_bits(kind: frozenset[str]) -> int:
    """What a segment is, as Answered bits."""
    return sum(int(KINDS[word]) for word in kind)


def silence(one: Seen, seen: Sequence[Seen]) -> int:
    """How long the connection had been silent before a segment."""
    return one.segment.time - seen[one.place - 1].segment.time if one.place else 0


def longest(side: Side) -> Seen | None:
    """Its segment that ended the longest silence."""
    best = max(side.own, key=lambda one: silence(one, side.seen), default=None)
    return best if best is not None and silence(best, side.seen) > 0 else None


def closings(side: Side) -> list[Seen]:
    """The segments that closed its window: it was open, or not known, before."""
    told = [one for one in side.plain if not one.segment.cut]
    shut = [one.segment.window == 0 and not one.segment.flags & SYN for one in told]
    return [one for one, now, before in zip(told, shut, [False, *shut], strict=False) if now and not before]


def shut(side: Side) -> list[Seen]:
    """The segment since which its window has been closed, none where it is open."""
    told = [one for one in side.plain if not one.segment.cut]
    return closings(side)[-1:] if told and told[-1].segment.window == 0 and not told[-1].segment.flags & SYN else []


def proofs(side: Side) -> list[Seen]:
    """The peer's acknowledgments of bytes that never passed."""
    return [
        one
        for one in side.theirs
        if one.advances and side.lost(0 if one.owed is None else side.place(one.owed), side.place(one.segment.ack))
    ]


def steps_back(side: Side) -> list[tuple[int, Packet]]:
    """How far the clock ran backward at its segments, copies included, where that is beyond what is asked about."""
    every = [*(one.segment for one in side.own), *side.copies]
    steps = [(one.clock - one.time, one) for one in sorted(every, key=lambda one: one.frame)]
    return [(step, one) for step, one in steps if step > CLOCK_BACK]


def largest_step_back(side: Side) -> tuple[int, Packet] | None:
    return max(steps_back(side), key=lambda step: step[0], default=None)


def known(side: Side) -> int:
    """What is known of it, as bits of Known."""
    end = side.end
    facts = {
        Known.ISN: end.isn is not None,
        Known.NXT: end.nxt is not None,
        Known.ACK: end.acked is not None,
        Known.FIN: end.fin is not None,
        Known.FIN_ACKED: end.fin_acked,
        Known.PEER_FIN: end.has_peer_fin,
        Known.PEER_FIN_ASSUMED: end.may_have_peer_fin,
        Known.FIN_INFERRED: end.fin_inferred,
        Known.RST: end.rst_stands,
        Known.MID_STREAM: end.mid_stream,
        Known.SENT_DATA: end.sent_data,
        Known.KILLED: end.killed,
    }
    return sum(int(bit) for bit, holds in facts.items() if holds)


KNOWN = sum(Known) & ~(Known.ID_MOVES | Known.RST_DISOWNED | Known.CROSSED | Known.TIMESTAMPS)  # what ``known`` tells


def of_reset(tell: Callable[[Side, Seen], int]) -> Callable[[Side], int]:
    """A column of its RST that counts, 0 where there is none."""
    return lambda side: tell(side, side.reset) if side.reset else 0


def rst_unacked(side: Side, rst: Seen) -> int:
    """Bytes it had sent that were not acknowledged then."""
    return 0 if rst.nxt is None or rst.acked is None else max(0, ahead(rst.nxt, rst.acked))


def rst_unread(side: Side, rst: Seen) -> int:
    """Bytes of the peer that it had not acknowledged then; a FIN is nothing to read."""
    if rst.peer_nxt is None or rst.owed is None:
        return 0
    return max(0, ahead(rst.peer_nxt, rst.owed) - (rst.peer_fin is not None and not rst.informed))


def last_data(side: Side, rst: Seen) -> list[Seen]:
    """The peer's last new payload before the RST."""
    of_peer = Side(side.connection, 1 - side.side)
    peers = [one for one in side.before(rst, side.theirs) if one.carries]
    return [one for one in peers if fresh(one) or of_peer.overtaken(one)][-1:]


def rst_idle(side: Side, rst: Seen) -> int:
    """Silence of the whole flow before it."""
    return max(0, silence(rst, side.seen))


Meaning = Callable[[Side], int]
COLUMNS: dict[str, Meaning] = {
    # sequence numbers and states
    "isn": lambda of: of.end.isn or 0,
    "snd_nxt": lambda of: of.end.nxt or 0,
    "ack_sent": lambda of: of.end.acked or 0,
    "known": known,
    "state": lambda of: int(of.end.state),
    "reach": lambda of: of.end.reach,
    # counters, frames and times of its segments
    "packets": lambda of: len(of.own),
    "bytes": lambda of: sum(one.segment.length for one in of.own),
    "first_frame": lambda of: frame_of(of.own),
    "last_frame": lambda of: frame_of(of.own[-1:]),
    "last_time": lambda of: time_of(of.own[-1:]),
    "last_kind": lambda of: kind_bits(of.plain[-1].kind) if of.plain else 0,
    "last_ack": lambda of: of.plain[-1].segment.ack if of.plain else 0,
    "ip_id": lambda of: of.own[-1].segment.ip_id if of.own else 0,
    "idle_longest": lambda of: silence(one, of.seen) if (one := longest(of)) else 0,
    "idle_longest_frame": lambda of: one.segment.frame if (one := longest(of)) else 0,
    "window": lambda of: of.end.window,
    "ttl_low": lambda of: min((one.segment.ttl for one in of.plain), default=0),
    "ttl_high": lambda of: max((one.segment.ttl for one in of.plain), default=0),
    "ts_last": lambda of: next((one.segment.ts_val for one in reversed(of.plain) if one.segment.stamped), 0),
    "zero_windows": lambda of: len(closings(of)),
    "zero_window_since": lambda of: time_of(shut(of)),
    "zero_window_frame": lambda of: frame_of(closings(of)[-1:]),
    # the capture
    "duplicates": lambda of: len(of.copies),
    "duplicate_frame": lambda of: of.copies[0].frame if of.copies else 0,
    "duplicate_time": lambda of: of.copies[0].time if of.copies else 0,
    "cut_headers": lambda of: len(of.cut),
    "cut_frame": lambda of: frame_of(of.cut),
    "cut_time": lambda of: time_of(of.cut),
    "clock_back": lambda of: step[0] if (step := largest_step_back(of)) else 0,
    "clock_back_frame": lambda of: step[1].frame if (step := largest_step_back(of)) else 0,
    "clock_back_time": lambda of: step[1].time if (step := largest_step_back(of)) else 0,
    # data
    "carried": lambda of: of.data[-1].segment.length if of.data else 0,
    "carried_byte": lambda of: of.data[-1].segment.first_byte if of.data and of.data[-1].segment.has_byte else 0,
    "carry_time": lambda of: time_of(
        [one for one in of.plain if one.carries or (one.segment.flags & FIN and not one.segment.flags & SYN)][-1:]
    ),
    "data_time": lambda of: time_of([one for one in of.data if fresh(one) or of.overtaken(one)][-1:]),
    "data_frame": lambda of: frame_of([one for one in of.data if fresh(one) or of.overtaken(one)][-1:]),
    "repeats": lambda of: len(of.repeated),
    "repeat_run": lambda of: len(of.unanswered),
    "repeat_first_time": lambda of: time_of(of.unanswered),
    "repeat_last_time": lambda of: time_of(of.unanswered[-1:]),
    "repeat_last_frame": lambda of: frame_of(of.unanswered[-1:]),
    "probes": lambda of: len(of.probes),
    "probe_run": lambda of: len(of.unheard),
    "probe_first_time": lambda of: time_of(of.unheard),
    "probe_last_frame": lambda of: frame_of(of.unheard[-1:]),
    "missing_bytes": lambda of: of.missing,
    "missing_frame": lambda of: frame_of(proofs(of)),
    "missing_time": lambda of: time_of(proofs(of)),
    "hole_bytes": lambda of: of.holes,
    "beyond_fin_bytes": lambda of: sum(of.beyond(one) for one in of.data if one.fin is not None),
    # SYN and FIN
    "syn_count": lambda of: len(of.syns),
    "syn_time": lambda of: of.end.syn_time,
    "syn_frame": lambda of: frame_of([one for one in of.syns if one.segment.time == of.end.syn_time]),
    "syn_last_time": lambda of: time_of(of.syns[-1:]),
    "syn_last_frame": lambda of: frame_of(of.syns[-1:]),
    "syn_ack": lambda of: int(of.end.syn_was_ack),
    "fast_open": lambda of: int(of.end.fast_open),
    "stale_acks": lambda of: sum(one.stale for one in of.own),
    "stale_ack_frame": lambda of: frame_of([one for one in of.own if one.stale]),
    "fin_end": lambda of: of.end.fin or 0,
    "fin_count": lambda of: of.end.fin_count,
    "fin_time": lambda of: of.end.fin_time,
    "fin_frame": lambda of: frame_of(of.fins),
    "fin_ack": lambda of: of.fins[0].segment.ack if of.fins else 0,
    "fin_last_time": lambda of: time_of(of.fins[-1:]),
    "fin_last_frame": lambda of: frame_of(of.fins[-1:]),
    "fin_acked_time": lambda of: of.end.fin_acked_time,
    "fin_acked_frame": lambda of: of.end.fin_acked_frame,
    "fin_after_ack": lambda of: len(of.doubted),
    "fin_after_ack_frame": lambda of: frame_of(of.doubted),
    "fin_reacked_frame": lambda of: frame_of(
        [one for one in of.theirs if one.fin_acked and of.doubted and one.place > of.doubted[0].place]
    ),
    # half closed
    "half_close_bytes": lambda of: sum(of.beyond(one) for one in of.half_closed),
    "half_close_frame": lambda of: frame_of(of.half_closed),
    "half_close_last_frame": lambda of: frame_of(of.half_closed[-1:]),
    "half_close_acked": lambda of: of.half_close_covered(of.peer.acked),
    "half_close_ack_frame": lambda of: frame_of(of.half_close_acks[-1:]),
    # resets
    "rst_count": lambda of: len(of.resets),
    "rst_time": lambda of: of.end.rst_time,
    "rst_frame": lambda of: of.end.rst_frame,
    "rst_seq": lambda of: of.end.rst_seq,
    "rst_ttl": of_reset(lambda of, rst: rst.segment.ttl),
    "rst_state": lambda of: int(of.end.rst_state),
    "rst_verdict": lambda of: int(VERDICTS[of.end.rst_verdict]),
    "rst_answers": lambda of: kind_bits(of.answered[0].kind) if of.answered else 0,
    "rst_peer_state": of_reset(lambda of, rst: int(rst.met)),
    "rst_ignored": lambda of: len(of.ignored),
    "rst_ignored_frame": lambda of: of.ignored[0] if of.ignored else 0,
    "rst_answers_time": lambda of: of.answered[0].segment.time if of.answered else 0,
    "rst_answers_frame": lambda of: of.answered[0].segment.frame if of.answered else 0,
    "rst_reply": lambda of: of.answered[1] if of.answered else 0,
    "rst_unacked": of_reset(rst_unacked),
    "rst_unread": of_reset(rst_unread),
    "rst_data_age": of_reset(lambda of, rst: rst.segment.time - time_of(some) if (some := last_data(of, rst)) else -1),
    "rst_data_frame": of_reset(lambda of, rst: frame_of(last_data(of, rst))),
    "rst_idle": of_reset(rst_idle),
}

# What was noted of a run, or of something that was taken back, stands until the next: where there is none, a column of
# it means nothing.
MEANS_SOMETHING: dict[str, Callable[[Side], bool]] = {
    **{f"repeat_{what}": lambda of: bool(of.unanswered) for what in ("first_time", "last_time", "last_frame")},
    **{f"probe_{what}": lambda of: bool(of.unheard) for what in ("first_time", "last_frame")},
    "fin_end": lambda of: of.end.fin is not None,
}


FlowMeaning = Callable[[Observed], int]


def opener(connection: Observed) -> tuple[int, int]:
    """The client's side, and how that is known; -1 where only the ports tell."""
    syns = [one for one in connection.seen if one.segment.flags & SYN]
    asked = [one for one in syns if not one.segment.flags & ACK]
    if asked:
        return asked[0].side, 2
    return (1 - syns[0].side, 1) if syns else (-1, 0)


def ending(connection: Observed) -> Seen | None:
    """Its first FIN or RST."""
    return next((one for one in connection.seen if one.segment.flags & (FIN | RST)), None)


def close_idle(connection: Observed) -> int:
    """Silence of the flow, probes and RSTs apart, before its first FIN or RST."""
    end = ending(connection)
    talk = [one for one in lively(connection) if end and one.place < end.place]
    return max(0, end.segment.time - talk[-1].segment.time) if end and talk else 0


def lively(connection: Observed) -> list[Seen]:
    """Its segments but for probes and RSTs."""
    return [one for one in connection.seen if not one.segment.flags & RST and "probe" not in one.kind]


FLOW_COLUMNS: dict[str, FlowMeaning] = {
    "first_frame": lambda of: frame_of(of.seen),
    "first_time": lambda of: time_of(of.seen),
    "end_time": lambda of: time_of(of.seen[-1:]),
    "end_side": lambda of: of.seen[-1].side,
    "last_time": lambda of: time_of(lively(of)[-1:]),
    "close_side": lambda of: 1 + end.side if (end := ending(of)) else 0,
    "close_idle": close_idle,
    "client_basis": lambda of: opener(of)[1],
}

LEFT_OUT = {
    **dict.fromkeys(["unusual", "later", "next_free"], "a place in memory"),
    **dict.fromkeys(["proof_event", "mark_event", "last_event", "peer_fin_event"], "a row of the log: the entries"),
    **dict.fromkeys(["mark_state", "mark_time", "state_basis", "state_time"], "the entries are compared themselves"),
    **dict.fromkeys(["run_frame", "run_kind", "run_ack"], "what a RST answers is told by them"),
    **dict.fromkeys(
        ["prints", *(f"print_{n}" for n in range(4)), *(f"print_time_{n}" for n in range(4))], "copies are"
    ),
    **dict.fromkeys(["idle_since", "busy_since", "fresh_time", "lower_ack_time"], "bounds of entries rest on them"),
    **dict.fromkeys(["last_seq_end", "window_scale", "missing_from", "hole_end", "unseen_time", "fin_acks"], "means"),
    **dict.fromkeys(
        ["established_time", "peer_fin_time", "close_wait_time", "close_wait_end", "fin_wait_2_time", "fin_wait_2_end"],
        "told by the entries (test_times.py)",
    ),
    **dict.fromkeys(
        ["time_wait_time", "deadline", "closing", "close_wait_basis"], "told by the entries (test_times.py)"
    ),
}
