"""A connection without surprises, told from its segments at once.

Nine connections in ten are opened by a handshake, carry data of which nothing is lost or repeated, and are closed by
one FIN from each side; or they are a single SYN. Where all their segments are at hand, what the tracker would make of
such a connection can be told with little of what it does for the others. So here stands, in the order in which the
tracker goes, which segments are expected next; wherever another comes, the connection is left to the tracker. What the
expected ones do to an endpoint is not decided here: the arrows are those of ``tcp.states``, their times those of
``tcp.bounds``, and a state is entered in the ledger by ``moves``, as in the tracker.

Where nothing is lost or repeated, much of what the tracker notes follows from the rest and is left out. How many bytes
an endpoint has sent is in its sequence numbers. Who acknowledges all that a peer has sent which has closed acknowledges
its FIN; until then it acknowledged less (``lower_ack_time``) with every segment, so with its last one. What was sent
last (``fresh_time``) is what was carried last (``content_time``). And after the handshake only FINs and their
acknowledgments move an endpoint: all other segments, which are most, change a few numbers.

It writes the ledger's columns that ``finish`` reads of an ordinary flow, into the rows of one flow that are used again
and again; and where timelines are wanted, their rows, in the order in which the tracker learns of things.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper, inlined, record_at
from analyzer.segments.table import (
    ACK,
    BAD_OFFSET,
    CUT_HEADER,
    DUPLICATE,
    FIN,
    LENGTH_BEYOND,
    NO_IP_LENGTH,
    PADDED,
    PART,
    QUOTED,
    REASSEMBLED,
    RST,
    SYN,
)
from analyzer.tcp.bounds import (
    NEVER,
    busy_since,
    proven_by,
    rcvd_ack_of_fin,
    rcvd_ack_of_syn,
    rcvd_fin,
    rcvd_syn_ack,
    sent_fin,
    sent_syn,
    sent_syn_ack,
    shorter_rtt,
    timer_ran_out,
    with_slack,
    within,
)
from analyzer.tcp.codes import (
    ASSUMED,
    AT_END,
    BY_TIMER,
    CAPTURE_END,
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    NO_NOTE,
    PROVEN,
    RCVD_ACK_OF_FIN,
    RCVD_ACK_OF_SYN,
    RCVD_FIN,
    RCVD_SYN_ACK,
    SENT,
    SENT_FIN,
    SENT_SYN,
    SENT_SYN_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    TIMER,
    UNKNOWN,
)
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tcp.states import ARROWS, NEXT
from analyzer.tracker.context import NO_FRAME, closing_facts, end_at, flow_at
from analyzer.tracker.distance import decided_since, round_trip
from analyzer.tracker.fast_path.buffered import SIDE_BIT
from analyzer.tracker.flow_record import ENTRY
from analyzer.tracker.gaps import silent_since, watched
from analyzer.tracker.ledger import CLOSING_FACTS
from analyzer.tracker.moves import record_entry, record_exit, strongest_basis
from analyzer.tracker.ordinary import FIN_LATE, GAVE_UP_WAITING, fin_late, gave_up_waiting
from analyzer.tracker.ordinary_record import end_flow
from analyzer.tracker.time_wait import due, stop, timer_ended
from analyzer.tracker.zeek.without_surprises import tell_syn

KIND = np.int64(SYN | RST | ACK)
ODD = np.int64(  # marks with which a segment is left to the tracker
    QUOTED | CUT_HEADER | NO_IP_LENGTH | LENGTH_BEYOND | REASSEMBLED | DUPLICATE | BAD_OFFSET | PART | PADDED
)
_closing_facts, _entry = record_at(CLOSING_FACTS), record_at(ENTRY)
SLOT, CLIENT, SERVER = np.int64(0), np.int64(0), np.int64(1)


@helper
def conclude_single_syn(context, row, s, ending):
    """Tell the flow in ``row`` of the flow table by its only segment, if that is a SYN; returns whether it is."""
    if np.int64(s["flags"]) & (KIND | FIN) != SYN or s["payload_len"] > 0 or np.int64(s["marks"]) & ODD:
        return False
    begin(context, row, s)
    now, end_time = np.int64(s["time"]), np.int64(context["clock"])
    for side in (CLIENT, SERVER):
        e = end_at(context, side)
        e["state"], e["state_time"], e["closing_row"], e["bytes"] = (UNKNOWN if side else CLOSED), now, 0, 0
        e["tap_rtt"] = 0
    times = sent_syn(now, np.int64(0))
    enter(context, end_at(context, CLIENT), CLIENT, CLOSED, SENT_SYN, SENT, times, np.int64(s["frame"]))
    note_last_segment(context, s, 1, 0)
    tell_syn(context, s)
    for side in (CLIENT, SERVER):
        stay(context, end_at(context, side), side, watched(context, side, end_time))
    end_flow(context, SLOT, end_time, ending)
    return True


@helper
def opened(context, row, syn, syn_ack, ack):
    """Begin the flow in ``row`` of the flow table, if its first three segments are a handshake, which moves both to
    ESTABLISHED; returns whether they are. What else the third is and carries ``followed`` takes in."""
    kinds = np.int64(syn["flags"]) & (KIND | FIN), np.int64(syn_ack["flags"]) & (KIND | FIN)
    if kinds[0] != SYN or kinds[1] != SYN | ACK or sent_by(syn_ack) == 0 or sent_by(ack) == 1:
        return False
    odd = (np.int64(syn["marks"]) | np.int64(syn_ack["marks"])) & ODD
    if odd or syn["payload_len"] > 0 or syn_ack["payload_len"] > 0 or syn["window"] == 0 or syn_ack["window"] == 0:
        return False
    if seq_diff(syn_ack["ack"], syn["seq"]) != 1 or seq_diff(ack["ack"], syn_ack["seq"]) != 1:
        return False
    asked, answered, now = np.int64(syn["time"]), np.int64(syn_ack["time"]), np.int64(ack["time"])
    if answered <= asked or now <= answered:
        return False  # nothing is known of the way from the tap to the hosts
    begin(context, row, syn)
    c, s = end_at(context, CLIENT), end_at(context, SERVER)
    init_endpoint(c, syn, CLOSED, now - answered, syn_ack["seq"], answered if syn_ack["window"] > 0 else NEVER)
    init_endpoint(s, syn_ack, LISTEN, answered - asked, syn_ack["ack"], NEVER)
    c["closing_row"], s["closing_row"] = 1, 2
    handshake_moves(context, c, s, asked, answered, now, syn, syn_ack, ack)
    return True


@helper
def begin(context, row, syn):
    """A new flow, whose first segment is a SYN of side 0."""
    f = flow_at(context, SLOT)
    f["row"], f["client"], f["client_basis"] = row, CLIENT, 2
    f["first_frame"], f["first_time"] = syn["frame"], syn["time"]
    f["log_rows"] = 0


@inlined
def init_endpoint(e, s, state, tap_rtt, acknowledged, idle_since):
    """What is known of endpoint ``e`` by its SYN or SYN-ACK, and by the answer to that."""
    now = np.int64(s["time"])
    e["isn"], e["snd_nxt"], e["ack_sent"] = s["seq"], seq_add(s["seq"], 1), acknowledged
    e["state"], e["state_time"], e["tap_rtt"] = state, NEVER, tap_rtt
    e["idle_since"], e["busy_since"], e["proof_event"] = idle_since, NEVER, 0
    e["fresh_time"] = e["last_time"] = now
    e["ip_id"] = s["ip_id"]


@helper
def handshake_moves(context, c, s, asked, answered, now, syn, syn_ack, ack):
    """The moves of a handshake."""
    frame = np.int64(ack["frame"])
    tap_rtt, server_tap_rtt = np.int64(c["tap_rtt"]), np.int64(s["tap_rtt"])
    enter(context, c, CLIENT, CLOSED, SENT_SYN, SENT, sent_syn(asked, tap_rtt), np.int64(syn["frame"]))
    times = sent_syn_ack(answered, server_tap_rtt, asked)
    enter(context, s, SERVER, LISTEN, SENT_SYN_ACK, SENT, times, np.int64(syn_ack["frame"]))
    enter(context, c, CLIENT, SYN_SENT, RCVD_SYN_ACK, PROVEN, rcvd_syn_ack(now, tap_rtt, answered, answered), frame)
    times = rcvd_ack_of_syn(now, server_tap_rtt, context["repeat"])
    enter(context, s, SERVER, SYN_RECEIVED, RCVD_ACK_OF_SYN, ASSUMED, times, frame)
    if context["timeline"] > 0:
        s["proof_event"] = flow_at(context, SLOT)["log_rows"]


@inlined
def followed(context, e, p, i, s, before):
    """Take in the next segment, if it is one that is expected; returns whether it is. It is of endpoint ``e``, the one
    with the number ``i``; ``p`` is its peer, and the segment ``before`` passed at that time.

    What kind of segment comes next nobody can foretell, not the processor either: so nothing here depends on that but
    what is chosen, until one of the two closes.
    """
    now, flags, length = np.int64(s["time"]), np.int64(s["flags"]), np.int64(s["payload_len"])
    sent, fin = np.int64(e["snd_nxt"]), flags & FIN
    fresh, left = seq_diff(s["ack"], e["ack_sent"]), seq_diff(p["snd_nxt"], s["ack"])
    other = (flags & KIND ^ ACK) | (np.int64(s["marks"]) & ODD) | (np.int64(s["seq"]) ^ sent)
    if other != 0 or s["window"] == 0:
        return False
    back = (now - before) | fresh | left  # negative where any of them is
    if back < 0 or (length | fin | fresh) == 0:
        return False  # or the same once more
    whole, sample, tap_rtt = (fresh > 0) & (left == 0), now - np.int64(p["fresh_time"]), np.int64(e["tap_rtt"])
    fresh_time = np.int64(e["fresh_time"])
    state, peer_state = np.int64(e["state"]), np.int64(p["state"])
    e["tap_rtt"] = shorter_rtt(tap_rtt, sample) if whole & (sample > 0) else tap_rtt
    e["fresh_time"] = now if length > 0 else fresh_time
    e["ack_sent"], e["snd_nxt"] = s["ack"], seq_add(sent, length)
    if context["timeline"] > 0:
        pause(context, e, p, whole, length > 0, now)
    any_fin = (state ^ ESTABLISHED) | (peer_state ^ ESTABLISHED) | fin
    if any_fin != 0 and not closes(context, e, p, i, s, whole, before):
        return False
    e["last_time"], e["ip_id"] = now, s["ip_id"]
    return True


@inlined
def pause(context, e, p, whole, carries, now):
    """Since when the two have had something to send, or nothing: this bounds in timelines when they decided to close.
    And what was assumed of ``e`` is proven by now."""
    idle, busy, peer_idle = np.int64(e["idle_since"]), np.int64(e["busy_since"]), np.int64(p["idle_since"])
    busy_again = busy_since(now, idle, busy, round_trip(context, e))
    p["idle_since"] = now if whole else peer_idle
    e["busy_since"] = busy_again if carries else busy
    e["idle_since"] = NEVER if carries else idle
    if e["proof_event"] > 0:
        prove(context, e, now)


@helper
def prove(context, e, now):
    """The endpoint sends something it could not have sent without what was assumed: see ``step``."""
    entry = _entry(context["timeline"], np.int64(e["proof_event"]) - 1)
    entry["basis"], entry["latest"] = PROVEN, proven_by(np.int64(entry["time"]), now, context["slack"])
    e["proof_event"] = 0


@helper
def closes(context, e, p, i, s, whole, before):
    """Take in the same segment once one of the two has closed, or as it does; returns whether it is expected then: one
    sends its FIN, the other acknowledges it and sends its own, and that is acknowledged too."""
    state, peer_state, carries = np.int64(e["state"]), np.int64(p["state"]), s["payload_len"] > 0
    own, peers = _closing_facts(context["closing_rows"], i + 1), _closing_facts(context["closing_rows"], (i ^ 1) + 1)
    if carries and state != ESTABLISHED:
        return False  # data after a FIN
    if whole and peer_state == FIN_WAIT_1:
        if carries or state != ESTABLISHED:
            return False  # data after the peer's FIN, or the FINs crossed
        fin_received(context, e, peers, i, ESTABLISHED, s)
        fin_acked(context, p, peers, i ^ 1, FIN_WAIT_1, s)
        state = CLOSE_WAIT
    elif whole and peer_state == LAST_ACK:
        fin_received(context, e, peers, i, FIN_WAIT_2, s)
        fin_acked(context, p, peers, i ^ 1, LAST_ACK, s)
    if not np.int64(s["flags"]) & FIN:
        return True
    if state == CLOSE_WAIT:
        send_fin(context, e, own, i, CLOSE_WAIT, s)
        return True
    if state != ESTABLISHED or peer_state != ESTABLISHED:
        return False
    send_fin(context, e, own, i, ESTABLISHED, s)
    flow_at(context, SLOT)["close_idle"] = np.int64(s["time"]) - silent_since(context, before, np.int64(s["time"]))
    own["close_wait_time"] = own["close_wait_end"] = NEVER
    peers["fin_wait_2_time"] = peers["fin_wait_2_end"] = NEVER
    stop(peers)
    return True


@inlined
def send_fin(context, e, own, i, state, s):
    """Endpoint ``e`` sends its FIN."""
    now, decided = np.int64(s["time"]), NEVER
    if context["timeline"] > 0:
        busy = busy_since(now, np.int64(e["idle_since"]), np.int64(e["busy_since"]), round_trip(context, e))
        decided = decided_since(context, e, s, busy)  # it is before the best time anyway
    end = seq_add(e["snd_nxt"], 1)
    own["fin_end"], own["fin_time"], own["fin_ack"], own["fin_count"] = end, now, s["ack"], 1
    own["fin_frame"] = s["frame"]
    e["snd_nxt"], e["fresh_time"] = end, now
    times = sent_fin(now, np.int64(e["tap_rtt"]), decided)
    enter(context, e, i, state, SENT_FIN, SENT, times, np.int64(s["frame"]))


@inlined
def fin_received(context, e, peers, i, state, s):
    """Endpoint ``e`` proves that it has received the peer's FIN."""
    fin, lower_ack = np.int64(peers["fin_time"]), np.int64(e["last_time"])
    times = rcvd_fin(np.int64(s["time"]), np.int64(e["tap_rtt"]), context["slack"], fin, fin, lower_ack)
    enter(context, e, i, state, RCVD_FIN, PROVEN, times, np.int64(s["frame"]))


@inlined
def fin_acked(context, p, peers, j, state, s):
    """The acknowledgment passes of the FIN of endpoint ``p``, which will receive it."""
    now = np.int64(s["time"])
    peers["fin_acked_time"], peers["fin_acked_frame"] = now, s["frame"]
    times = rcvd_ack_of_fin(now, np.int64(p["tap_rtt"]), context["repeat"])
    enter(context, p, j, state, RCVD_ACK_OF_FIN, ASSUMED, times, np.int64(s["frame"]))


@helper
def is_closed(context, last, count, replies):
    """Whether the flow has closed, of which that is the ``last`` segment. It has ``count`` of them, ``replies`` of them
    the server's."""
    c, s = end_at(context, CLIENT), end_at(context, SERVER)
    if c["state"] != TIME_WAIT and s["state"] != TIME_WAIT:
        return False  # if one waits, the other is CLOSED
    c["bytes"], s["bytes"] = (
        seq_diff(c["snd_nxt"], c["isn"]) - 2,
        seq_diff(s["snd_nxt"], s["isn"]) - 2,
    )  # less SYN and FIN
    note_last_segment(context, last, count - replies, replies)
    return True


@helper
def note_last_segment(context, last, asks, replies):
    """Note the ``last`` segment of the flow, and how many each side sent."""
    f, side = flow_at(context, SLOT), sent_by(last)
    f["end_time"], f["end_side"] = last["time"], side
    end_at(context, side)["last_frame"] = last["frame"]
    end_at(context, CLIENT)["packets"], end_at(context, SERVER)["packets"] = asks, replies


@helper
def conclude_closed(context, ended, ending):
    """Tell the flow that is over, if its timers have run out by the clock, or the capture ``ended`` then, and if no FIN
    was so late, nor came after such a wait, that somebody asks for it; returns whether it is told."""
    end_time = np.int64(context["clock"])
    for side in (CLIENT, SERVER):
        e, after = end_at(context, side), closing_facts(context, end_at(context, side))
        if due(context, e) > end_time and not ended:
            return False
        peers = closing_facts(context, end_at(context, side ^ 1))
        if np.int64(context["asked"]) & FIN_LATE and fin_late(context, after, peers):
            return False
        if np.int64(context["asked"]) & GAVE_UP_WAITING and gave_up_waiting(context, after, peers):
            return False
        end_time_wait(context, e, side, end_time)
        if e["state"] == TIME_WAIT:
            stay(context, e, side, watched(context, side, end_time))
    end_flow(context, SLOT, end_time, ending)
    return True


@helper
def end_time_wait(context, e, i, now):
    """If TIME_WAIT's timer has run out ``now``, by the profile in force, that ends the state."""
    if timer_ended(context, e, now):
        enter(context, e, i, TIME_WAIT, TIMER, BY_TIMER, timer_ran_out(due(context, e)), NO_FRAME)


@inlined
def enter(context, e, i, state, event, basis, times, frame):
    """Move endpoint ``e``, the one with the number ``i``, along the table's arrow from ``state`` for ``event``: at the
    best time between its bounds, not before its last move."""
    best, earliest, latest = times
    time = max(within(best, earliest, latest), np.int64(e["state_time"]))
    if context["timeline"] > 0:
        note_down(context, i, state, event, basis, time, earliest, with_slack(time, latest, context["slack"]), frame)
    record_exit(context, e, state, time)
    record_entry(context, e, np.int64(NEXT[ARROWS[state, event]]), basis, time)


@helper
def stay(context, e, i, end_time):
    """The capture ends, and leaves endpoint ``e`` in its state."""
    if context["timeline"] > 0:
        time = max(end_time, np.int64(e["state_time"]))
        note_down(context, i, np.int64(e["state"]), CAPTURE_END, AT_END, time, end_time, time, NO_FRAME)


@helper
def note_down(context, i, state, event, basis, time, earliest, latest, frame):
    """The next row of the timeline."""
    f, arrow = flow_at(context, SLOT), ARROWS[state, event]
    row = _entry(context["timeline"], np.int64(f["log_rows"]))
    row["time"], row["earliest"], row["latest"] = time, min(earliest, time), latest
    row["end"], row["frame"], row["event"], row["arrow"] = i, frame, event, arrow
    row["from_state"], row["state"], row["note"] = state, NEXT[arrow], NO_NOTE
    row["basis"] = strongest_basis(state, np.int64(NEXT[arrow]), basis)
    f["log_rows"] = f["log_rows"] + 1


@inlined
def sent_by(s):
    """The side that sent a segment."""
    return np.int64(s["marks"]) >> SIDE_BIT
