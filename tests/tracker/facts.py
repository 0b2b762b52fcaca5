"""The columns of the ledger once more, each from its meaning: a search over the list of a connection's segments.

Nothing here is kept up to date; everything is looked for when it is asked for. A meaning that changes is changed in the
one place here that bears the column's name. ``LEFT_OUT`` names the columns that are not told here, and why.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

from analyzer.tracker.ledger import ENDPOINT, ICMP_FACTS, Answered, Known
from analyzer.tracker.rst import Reception

from .dialogue import DIALOGUE_COLUMNS, first_of_dialogue
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
VERDICTS = {"": 0, "accepted": Reception.ACCEPTED, "challenged": Reception.CHALLENGED, "dropped": Reception.DROPPED}
VERDICTS |= {"blind": Reception.BLIND, "disregarded": Reception.DISREGARDED}
CLOCK_BACK = 1_000_000


def kind_bits(kind: frozenset[str]) -> int:
    """What a segment is, as Answered bits."""
    return sum(int(KINDS[word]) for word in kind)


def silence(one: Seen, seen: Sequence[Seen]) -> int:
    """How long the connection had been silent before a segment."""
    return one.segment.time - seen[one.place - 1].segment.time if one.place else 0


def longest(side: Side) -> Seen | None:
    """Its segment that ended the longest silence, of those since it was established or closed, or sent data."""
    since = first_of_dialogue(side)
    later = [one for one in side.own if one.later or one.place >= since]
    best = max(later, key=lambda one: silence(one, side.seen), default=None)
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


def at_closed_window(side: Side) -> list[Seen]:
    """Its segments that ask whether its peer's window is open again, since that was closed: probes, and data at its
    edge; more than one byte only where they come again."""
    begun = shut(Side(side.connection, 1 - side.side))
    asked = [one for one in side.plain if begun and one.place > begun[0].place]
    edge = [one for one in asked if one.segment.length and one.segment.seq == one.acked]
    again = [one for one in edge if one.segment.length == 1 or not (fresh(one) or side.overtaken(one))]
    return [one for one in asked if "probe" in one.kind or one in again]


def waits_to_ask(side: Side) -> list[int]:
    """From each last RST by which it refused an old answer to its SYN to its next SYN."""
    syns = [one.segment for one in side.syns if one.segment.time != side.end.syn_time]
    refused = [(one.frame, one.time, 0) for one in side.end.disowned]
    rows = sorted([*refused, *((one.frame, one.time, 1) for one in syns)])
    return [later[1] - one[1] for one, later in pairwise(rows) if later[2] > one[2]]


def proofs(side: Side) -> list[Seen]:
    """The peer's acknowledgments of bytes that never passed."""
    return [
        one
        for one in side.theirs
        if one.advances and side.lost(0 if one.owed is None else side.place(one.owed), side.place(one.segment.ack))
    ]


def steps_back(side: Side) -> list[tuple[int, Packet]]:
    """How far the times of its segments, copies included, lie before that of the segment before in the connection,
    where that is beyond what is asked about."""
    frames, times = [one.segment.frame for one in side.seen], [one.segment.time for one in side.seen]
    every = sorted([*(one.segment for one in side.own), *side.copies], key=lambda one: one.frame)
    behind = [(bisect_left(frames, one.frame), one) for one in every]
    steps = [(times[place - 1] - one.time, one) for place, one in behind if place]
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
        Known.MIXED: end.mixed,
        Known.MID_STREAM: end.mid_stream,
        Known.SENT_DATA: end.sent_data,
        Known.RST_ACCEPTED: end.killed,
        Known.CROSSED_SYN: end.crossed_syn,
    }
    return sum(int(bit) for bit, holds in facts.items() if holds)


KNOWN = sum(Known) & ~(Known.ID_MOVES | Known.TIMESTAMPS)  # what ``known`` tells


def of_reset(tell: Callable[[Side, Seen], int]) -> Callable[[Side], int]:
    """A column of its RST that counts, 0 where there is none."""
    return lambda side: tell(side, side.reset) if side.reset else 0


def rst_copied_frame(side: Side, rst: Seen) -> int:
    """The last frame of the peer before it, if that has its IP identification, which moves, and the RST is not numbered
    as the next of its own."""
    own, theirs = side.before(rst, side.own)[-1:], side.before(rst, side.theirs)
    numbers = [one.segment.ip_id for one in theirs]
    moves, theirs = any(one != next_ and one and next_ for one, next_ in pairwise(numbers)), theirs[-1:]
    number, last = rst.segment.ip_id, own[0].segment.ip_id if own else 0
    copied = moves and rst.segment.numbered and bool(theirs) and theirs[0].segment.ip_id == number
    return frame_of(theirs) if copied and not 0 < (number - last) % 65536 <= 64 else 0


def rst_unacked(side: Side, rst: Seen) -> int:
    """Bytes it had sent that were not acknowledged, then or later."""
    acked = side.peer.acked
    if rst.nxt is None or rst.acked is None or acked is None:
        return 0
    reply = side.answered is not None and side.answered[1] > 0
    tells = not reply and 0 <= ahead(rst.segment.seq, rst.acked) < ahead(rst.nxt, rst.acked)
    return max(0, ahead(rst.segment.seq if tells else rst.nxt, acked))


def rst_wait(side: Side, rst: Seen) -> int:
    """Time since the first of the peer's data passed that it had not acknowledged whole, -1 none."""
    told = [one for one in side.before(rst, side.theirs) if not one.segment.flags & RST and not one.apart]
    first = side.waiting(rst, told)
    return rst.segment.time - first.segment.time if first and "data" in first.kind else -1


def rst_unread(side: Side, rst: Seen) -> int:
    """Bytes of the peer that it had not acknowledged then; a FIN is nothing to read."""
    if rst.peer_nxt is None or rst.owed is None:
        return 0
    return max(0, ahead(rst.peer_nxt, rst.owed) - (rst.peer_closed and not rst.informed))


def last_data(side: Side, rst: Seen) -> list[Seen]:
    """The peer's last new payload before the RST."""
    of_peer = Side(side.connection, 1 - side.side)
    peers = [one for one in side.before(rst, side.theirs) if one.carries]
    return [one for one in peers if fresh(one) or of_peer.overtaken(one)][-1:]


def rst_idle(side: Side, rst: Seen) -> int:
    """Silence of the whole flow before it."""
    return max(0, silence(rst, side.seen))


def rst_reached(side: Side, rst: Seen) -> int:
    """How many numbers it acknowledges that had not been acknowledged before."""
    told = rst.segment.flags & ACK and rst.owed is not None
    return max(0, ahead(rst.segment.ack, rst.owed or 0)) if told else 0


def rst_half_close(side: Side, rst: Seen) -> int:
    """New bytes that the peer had sent then after it knew of its FIN."""
    of_peer = Side(side.connection, 1 - side.side)
    return sum(of_peer.beyond(one) for one in side.before(rst, of_peer.half_closed))


def went_on(side: Side) -> list[Seen]:
    """Where its peer showed something new after a RST that it had not accepted, later than what was under way."""
    return [
        one
        for one in side.theirs
        if (one.disproves and one.ignores)
        or (
            one.went_on
            and not one.apart
            and (ignored := side.before(one, side.unacceptable))
            and one.segment.time - ignored[0].segment.time > one.overdue
        )
    ]


def want_of_ack(side: Side) -> list[Seen]:
    """Its FINs that repeat the first for want of an acknowledgment: none had passed, or none can have arrived; and not
    only to acknowledge more than the last time, within a round trip."""
    found = []
    for place, one in enumerate(side.fins[1:]):
        more = ahead(one.segment.ack, side.before(one, side.plain)[-1].segment.ack) > 0
        before = side.fins[place].segment.time
        answers = one.peer_carried > before and one.segment.time - one.peer_carried <= one.patience
        again = more and (answers or one.segment.time - before <= one.patience)
        if one.fin_doubted or not (one.own_fin_acked or again):
            found.append(one)
    return found


Meaning = Callable[[Side], int]
COLUMNS: dict[str, Meaning] = {
    **DIALOGUE_COLUMNS,
    # sequence numbers and states
    "isn": lambda of: of.end.isn or 0,
    "snd_nxt": lambda of: of.end.nxt or 0,
    "ack_sent": lambda of: of.end.acked or 0,
    "known": known,
    "state": lambda of: int(of.end.state),
    "tap_rtt": lambda of: of.end.tap_rtt,
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
    "zero_window_since": lambda of: time_of(shut(of)),
    "zero_window_frame": lambda of: frame_of(closings(of)[-1:]),
    "window_probes": lambda of: len(at_closed_window(of)),
    "window_probe_first": lambda of: time_of(at_closed_window(of)),
    "window_probe_last": lambda of: time_of(at_closed_window(of)[-1:]),
    "window_probe_frame": lambda of: frame_of(at_closed_window(of)[-1:]),
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
    "last_payload": lambda of: of.data[-1].segment.length if of.data else 0,
    "last_payload_byte": lambda of: of.data[-1].segment.first_byte if of.data and of.data[-1].segment.has_byte else 0,
    "content_time": lambda of: time_of(
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
    "probe_last_time": lambda of: time_of(of.unheard[-1:]),
    "tap_rtt_last": lambda of: of.end.tap_rtt_last,
    "missing_bytes": lambda of: of.missing,
    "missing_frame": lambda of: frame_of(proofs(of)),
    "missing_time": lambda of: time_of(proofs(of)),
    "hole_bytes": lambda of: of.holes,
    "lengths_unsure": lambda of: int(any(one.segment.unsure for one in of.data)),
    "unrelated_segments": lambda of: sum(one.stray for one in of.own),
    "far_segments": lambda of: sum(one.strange for one in of.own),
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
    "disowned_frame": lambda of: of.end.disowned[0].frame if of.end.disowned else 0,
    "disowned_wait": lambda of: sum(waits_to_ask(of)),
    "fin_end": lambda of: of.end.fin_number or 0,
    "fin_count": lambda of: of.end.fin_count,
    "fin_time": lambda of: of.end.fin_time,
    "fin_frame": lambda of: frame_of(of.fins),
    "fin_ack": lambda of: of.fins[0].segment.ack if of.fins else 0,
    "fin_last_time": lambda of: time_of(of.fins[-1:]),
    "fin_last_frame": lambda of: frame_of(of.fins[-1:]),
    "fin_acked_time": lambda of: of.end.fin_acked_time,
    "fin_acked_frame": lambda of: of.end.fin_acked_frame,
    "fin_after_ack": lambda of: len(of.doubted),
    "ack_passed": lambda of: of.end.ack_passed,
    "fin_repeats": lambda of: len(want_of_ack(of)),
    "fin_after_ack_time": lambda of: time_of(of.doubted),
    "fin_after_ack_frame": lambda of: frame_of(of.doubted),
    "fin_reacked_frame": lambda of: frame_of(
        [one for one in of.theirs if one.fin_acked and of.doubted and one.place > of.doubted[0].place]
    ),
    # half closed
    "half_close_bytes": lambda of: sum(of.beyond(one) for one in of.half_closed),
    "half_close_frame": lambda of: frame_of(of.half_closed),
    "half_close_seq": lambda of: (
        (of.half_closed[0].end - of.beyond(of.half_closed[0])) % 2**32 if of.half_closed else 0
    ),
    "half_close_last_frame": lambda of: frame_of(of.half_closed[-1:]),
    "half_close_acked": lambda of: of.half_close_covered(of.peer.acked),
    "half_close_ack_frame": lambda of: frame_of(of.half_close_acks[-1:]),
    # resets
    "rst_count": lambda of: len(of.resets),
    "rst_time": lambda of: of.end.rst_time,
    "rst_frame": lambda of: of.end.rst_frame,
    "rst_seq": lambda of: of.end.rst_seq,
    "rst_ack": of_reset(lambda of, rst: rst.segment.ack if rst.segment.flags & ACK else 0),
    "rst_nxt": of_reset(lambda of, rst: rst.nxt or 0),
    "rst_nth": of_reset(lambda of, rst: min(of.resets.index(rst) + 1, 255)),
    "rst_reached": of_reset(rst_reached),
    "rst_half_close": of_reset(rst_half_close),
    "rst_answers_ack": lambda of: of.answered[0].segment.ack if of.answered else 0,
    "went_on_frame": lambda of: frame_of(went_on(of)),
    "rst_ignored_time": lambda of: time_of(of.ignored),
    "rst_copied_frame": of_reset(rst_copied_frame),
    "rst_ttl": of_reset(lambda of, rst: rst.segment.ttl),
    "rst_state": lambda of: int(of.end.rst_state),
    "rst_verdict": lambda of: int(VERDICTS[of.end.rst_verdict]),
    "rst_answers": lambda of: kind_bits(of.answered[0].kind) if of.answered else 0,
    "rst_peer_state": of_reset(lambda of, rst: int(rst.met)),
    "rst_ignored": lambda of: len(of.ignored),
    "rst_ignored_frame": lambda of: frame_of(of.ignored),
    "rst_answers_time": lambda of: of.answered[0].segment.time if of.answered else 0,
    "rst_answers_frame": lambda of: of.answered[0].segment.frame if of.answered else 0,
    "rst_reply": lambda of: of.answered[1] if of.answered else 0,
    "rst_unacked": of_reset(rst_unacked),
    "rst_unread": of_reset(rst_unread),
    "rst_wait": of_reset(rst_wait),
    "rst_data_age": of_reset(lambda of, rst: rst.segment.time - time_of(some) if (some := last_data(of, rst)) else -1),
    "rst_data_frame": of_reset(lambda of, rst: frame_of(last_data(of, rst))),
    "rst_idle": of_reset(rst_idle),
}

# What was noted of a run, or of something that was taken back, stands until the next: where there is none, a column of
# it means nothing.
MEANS_SOMETHING: dict[str, Callable[[Side], bool]] = {
    "pending": lambda of: any(one.segment.flags & SYN for one in of.seen),  # else the client is a guess
    **{f"repeat_{what}": lambda of: bool(of.unanswered) for what in ("first_time", "last_time", "last_frame")},
    **{f"probe_{what}": lambda of: bool(of.unheard) for what in ("first_time", "last_frame", "last_time")},
    "window_probes": lambda of: bool(shut(Side(of.connection, 1 - of.side))),
    **{f"window_probe_{what}": lambda of: bool(at_closed_window(of)) for what in ("first", "last", "frame")},
    **{f"missing_{what}": lambda of: of.missing > 0 for what in ("frame", "time")},
    **{f"rst_answers_{what}": lambda of: of.answered is not None for what in ("ack", "frame", "time")},
}


FlowMeaning = Callable[[Observed], int]


def opener(connection: Observed) -> tuple[int, int]:
    """The client's side, and how that is known; -1 where only the ports tell."""
    syns = [one for one in connection.seen if one.segment.flags & SYN and not one.apart]
    asked = [one for one in syns if not one.segment.flags & ACK]
    if asked:
        return asked[0].side, 2
    return (1 - syns[0].side, 1) if syns else (-1, 0)


def ending(connection: Observed) -> Seen | None:
    """Its first FIN or RST."""
    return next((one for one in connection.seen if one.segment.flags & (FIN | RST) and not one.apart), None)


def close_idle(connection: Observed) -> int:
    """Silence of the flow, probes and RSTs apart, before its first FIN or RST."""
    end = ending(connection)
    talk = [one for one in lively(connection) if end and one.place < end.place]
    return max(0, end.segment.time - talk[-1].segment.time) if end and talk else 0


def lively(connection: Observed) -> list[Seen]:
    """Its segments but for probes and RSTs."""
    own = [one for one in connection.seen if not one.apart]
    return [one for one in own if not one.segment.flags & RST and "probe" not in one.kind]


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

FOREIGN = [
    "ids_counted",
    "counted_frame",
    "third_party",
    "third_party_ttl",
    "third_party_frame",
    "third_party_time",
    "own_frame",
]
REFUSALS = ["refusals", "refused_syn_frame", "refused_frame", "refused_time", "refused_after"]
CHALLENGES = ["challenges", "challenged_seq", "challenge_ack", "challenged_frame", "challenged_time", "challenged_last"]
CHALLENGES += ["challenge_echoes", "challenge_last_frame", "challenge_last_time", "challenge_due"]
OF_ZEEK = [name for name in ENDPOINT.names or () if name.startswith("zeek_")]
LEFT_OUT = {
    **dict.fromkeys(CHALLENGES, "how RSTs and challenge ACKs follow each other is told by the second opinion"),
    **dict.fromkeys(["unusual", "closing_row", "next_free"], "a place in memory"),
    **dict.fromkeys(OF_ZEEK, "Zeek's view has a twin of its own"),
    **dict.fromkeys(["proof_event", "mark_event", "last_event", "peer_fin_event"], "a row of the log: the entries"),
    **dict.fromkeys(["mark_state", "mark_time"], "the entries are compared themselves"),
    **dict.fromkeys(["run_frame", "run_kind", "run_ack", "run_end", "run_time"], "what a RST answers is told by them"),
    **dict.fromkeys(
        ["prints", *(f"print_{n}" for n in range(4)), *(f"print_time_{n}" for n in range(4))], "copies are"
    ),
    **dict.fromkeys(["idle_since", "busy_since", "fresh_time", "lower_ack_time"], "bounds of entries rest on them"),
    **dict.fromkeys(["last_seq_end", "window_scale"], "other columns rest on them"),
    **dict.fromkeys(["missing_from", "missing_end", "hole_from", "hole_end"], "other columns rest on them"),
    **dict.fromkeys(["unseen_time", "fin_acks"], "other columns rest on them"),
    **dict.fromkeys(["missing_jumps", "far_next"], "of several connections"),
    **dict.fromkeys(["syn_ack_after_ack", "syn_ack_after_ack_frame", "syn_ack_after_ack_last"], "of the states"),
    "disowned_time": "the wait is told",
    **dict.fromkeys(["broken_idle", "broken_data_idle"], "the survived ones are told"),
    **dict.fromkeys(["deadline", "overtaken"], "of the states"),
    **dict.fromkeys(FOREIGN, "whose a RST is, is told by the second opinion"),
    **dict.fromkeys([column.name for column in ICMP_FACTS], "what ICMP errors say (test_icmp.py)"),
    **dict.fromkeys(
        ["size_answered", "size_acked", "size_first", "size_first_end", "size_next_end", "size_most", "repeat_size"],
        "which sizes passed is told by the second opinion (TD403)",
    ),
    **dict.fromkeys(["pad_bytes", "pad_end", "pad_time", "pad_frame"], "what looks like padding (test_padding.py)"),
    **dict.fromkeys(REFUSALS, "how RSTs and SYNs are paired is told by the second opinion"),
    **dict.fromkeys(
        ["established_time", "close_wait_time", "close_wait_end", "fin_wait_2_time", "fin_wait_2_end"],
        "told by the entries (test_times.py)",
    ),
    **dict.fromkeys(
        ["time_wait_time", "through_closing", "close_wait_basis", "state_time", "state_basis"],
        "told by the entries (test_times.py)",
    ),
}
