"""Connections that go by the book, told at a glance.

Nine connections in ten are opened by a handshake, carry data of which nothing is lost or repeated, and are closed by
one FIN from each side; or they are a single SYN. Where all their segments are at hand, what the tracker would make of
such a connection can be told with little of what it does for the others. So here stands, in the order in which the
tracker goes, what remains of its rules when nothing unforeseen happens; and wherever something does, the connection is
left to the tracker. The tests hold the two together: what is told here, the tracker tells likewise.

It writes the ledger's columns that ``closing`` reads of an ordinary flow, into the rows of one flow that are used again
and again; a log only where timelines are wanted.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.compiled import inlined, part, record_at
from analyzer.segments.table import (
    ACK,
    BAD_OFFSET,
    CUT_HEADER,
    DUPLICATE,
    FIN,
    LENGTH_BEYOND,
    NO_IP_LENGTH,
    PART,
    QUOTED,
    REASSEMBLED,
    RST,
    SYN,
)
from analyzer.tracker.acknowledge import measure
from analyzer.tracker.carry import busy_time
from analyzer.tracker.closing import ORDINARY, close_flow, end_flow, kind_of_flow
from analyzer.tracker.desk import (
    ASSUMED,
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    NEVER,
    NO_NOTE,
    PROVEN,
    RCVD_ACK_OF_FIN,
    RCVD_FIN,
    SENT,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    UNKNOWN,
    append,
    end_at,
    flow_at,
    half,
    knows,
    later,
    learn,
    since,
    until,
)
from analyzer.tracker.groups import SIDE_BIT
from analyzer.tracker.journal import log_at
from analyzer.tracker.ledger import LATER, Known
from analyzer.tracker.pools import BLOCKS, FARS, start_over
from analyzer.tracker.space import ahead, plus
from analyzer.tracker.step import prove
from analyzer.tracker.transitions import ARROWS, NEXT, Event

ISN, FIN_KNOWN = np.int64(Known.ISN), np.int64(Known.FIN)
FIN_ACKED, PEER_FIN = np.int64(Known.FIN_ACKED), np.int64(Known.PEER_FIN)
SENT_SYN, SENT_SYN_ACK, SENT_FIN = np.int64(Event.SENT_SYN), np.int64(Event.SENT_SYN_ACK), np.int64(Event.SENT_FIN)
RCVD_SYN_ACK, RCVD_ACK_OF_SYN = np.int64(Event.RCVD_SYN_ACK), np.int64(Event.RCVD_ACK_OF_SYN)
KIND = np.int64(FIN | SYN | RST | ACK)
ODD = np.int64(  # marks with which a segment is left to the tracker
    QUOTED | CUT_HEADER | NO_IP_LENGTH | LENGTH_BEYOND | REASSEMBLED | DUPLICATE | BAD_OFFSET | PART
)
_later = record_at(LATER)
SLOT, CLIENT, SERVER = np.int64(0), np.int64(0), np.int64(1)


@part
def lone_syn(desk, row, s, ending):
    """Tell the flow in ``row`` of the flow table by its only segment, if that is a SYN; returns whether it is."""
    if np.int64(s["flags"]) & KIND != SYN or s["payload_len"] > 0 or np.int64(s["marks"]) & ODD:
        return False
    begin(desk, row, s)
    end_at(desk, CLIENT)["later"] = end_at(desk, SERVER)["later"] = 0
    if desk["telling"]:
        close_flow(desk, SLOT, np.int64(desk["clock"]))
    end_flow(desk, SLOT, np.int64(desk["clock"]), ending)
    return True


@part
def opened(desk, row, syn, syn_ack, ack):
    """Begin the flow in ``row`` of the flow table, if its first three segments are a handshake; returns whether they
    are. The third may carry something: ``followed`` takes it in."""
    if np.int64(syn["flags"]) & KIND != SYN or np.int64(syn_ack["flags"]) & KIND != SYN | ACK or sent_by(syn_ack) == 0:
        return False
    odd = (np.int64(syn["marks"]) | np.int64(syn_ack["marks"])) & ODD
    if odd or syn["payload_len"] > 0 or syn_ack["payload_len"] > 0 or ahead(syn_ack["ack"], syn["seq"]) != 1:
        return False
    if sent_by(ack) == 1 or np.int64(ack["flags"]) & KIND & ~FIN != ACK or ahead(ack["ack"], syn_ack["seq"]) != 1:
        return False
    asked, answered, now = np.int64(syn["time"]), np.int64(syn_ack["time"]), np.int64(ack["time"])
    if answered <= asked or now <= answered:
        return False  # then nothing is known of the way from the tap to the hosts
    begin(desk, row, syn)
    client, server = end_at(desk, CLIENT), end_at(desk, SERVER)
    client["ack_sent"], client["state_time"] = syn_ack["seq"], asked - (now - answered) // 2
    client["idle_since"] = answered if syn_ack["window"] > 0 else 0
    server["reach"], server["state"] = answered - asked, LISTEN
    best, frame = answered - half(server["reach"]), np.int64(syn_ack["frame"])
    enter(desk, server, SERVER, SENT_SYN_ACK, SENT, best, asked, answered, frame)
    server["packets"] = server["syn_count"] = 1
    server["snd_nxt"], server["ack_sent"] = plus(syn_ack["seq"], 1), syn_ack["ack"]
    server["fresh_time"] = server["lower_ack_time"] = server["last_time"] = answered
    server["last_frame"], server["ip_id"] = frame, syn_ack["ip_id"]
    flow_at(desk, SLOT)["end_time"] = answered
    return True


@part
def begin(desk, row, syn):
    """A new flow, whose first segment is a SYN of side 0."""
    f = flow_at(desk, SLOT)
    f["row"], f["client"], f["client_basis"] = row, CLIENT, 2
    f["first_frame"], f["first_time"] = syn["frame"], syn["time"]
    f["end_time"], f["end_side"] = syn["time"], CLIENT
    f["close_side"] = f["log_rows"] = f["last_block"] = 0
    start_over(desk, BLOCKS)
    start_over(desk, FARS)
    for side in range(2):
        e = end_at(desk, np.int64(side))
        e["later"] = side + 1
        e["packets"], e["bytes"], e["syn_count"], e["syn_ack"] = 0, 0, 0, side
        e["known"], e["state"], e["state_time"], e["reach"] = ISN, UNKNOWN, 0, 0
        e["last_event"] = e["proof_event"] = 0
        e["idle_since"] = e["busy_since"] = e["carry_time"] = 0
        after = later_of(desk, np.int64(side))
        after["fin_count"] = after["fin_acked_time"] = after["deadline"] = 0
        after["close_wait_time"] = after["close_wait_end"] = 0
        after["fin_wait_2_time"] = after["fin_wait_2_end"] = 0
        after["established_time"] = syn["time"]  # that it was established is all that is asked for
    e, frame = end_at(desk, CLIENT), np.int64(syn["frame"])
    e["state"] = CLOSED
    enter(desk, e, CLIENT, SENT_SYN, SENT, np.int64(syn["time"]), NEVER, np.int64(syn["time"]), frame)
    e["packets"] = e["syn_count"] = 1
    e["snd_nxt"], e["ip_id"] = plus(syn["seq"], 1), syn["ip_id"]
    e["fresh_time"] = e["last_time"] = syn["time"]
    e["last_frame"] = frame


@inlined
def followed(desk, f, e, p, after, others, i, s):
    """Take in the next segment, if it is one that is expected; returns whether it is. It is of endpoint ``e``, the one
    with the number ``i``; ``p`` is its peer, ``after`` and ``others`` are what the two have of LATER."""
    now, flags, carries = np.int64(s["time"]), np.int64(s["flags"]), s["payload_len"] > 0
    if flags & KIND & ~FIN != ACK or np.int64(s["marks"]) & ODD or s["seq"] != e["snd_nxt"] or s["window"] == 0:
        return False
    fresh = ahead(s["ack"], e["ack_sent"])
    if now < np.int64(f["end_time"]) or fresh < 0 or ahead(s["ack"], p["snd_nxt"]) > 0:
        return False
    if fresh == 0 and not carries and not flags & FIN:
        return False  # the same once more
    if e["state"] == CLOSED or e["state"] == TIME_WAIT:
        return False
    if e["proof_event"] > 0:
        prove(desk, e, now)
    if fresh == 0 and not knows(e, PEER_FIN):
        e["lower_ack_time"] = now
    if fresh > 0 and not acknowledged(desk, f, e, p, after, others, i, s):
        return False
    if (carries or flags & FIN) and not carried(desk, f, e, after, i, s):
        return False
    e["packets"] = e["packets"] + 1
    e["bytes"] = e["bytes"] + np.int64(s["payload_len"])
    e["last_frame"], e["last_time"], e["ip_id"] = s["frame"], now, s["ip_id"]
    f["end_time"], f["end_side"] = now, i
    return True


@inlined
def acknowledged(desk, f, e, p, after, others, i, s):
    """What a fresh acknowledgment proves that its sender had received, and lets assume of the peer; returns whether all
    of that is expected."""
    now, frame = np.int64(s["time"]), np.int64(s["frame"])
    e["ack_sent"] = s["ack"]
    if s["ack"] == p["snd_nxt"]:
        p["idle_since"] = now
        sample = now - np.int64(p["fresh_time"])
        if e["reach"] == 0 or sample < e["reach"]:
            measure(desk, i, sample)
    if e["state"] == SYN_SENT:
        answered = np.int64(f["end_time"])
        enter(desk, e, i, RCVD_SYN_ACK, PROVEN, answered + half(e["reach"]), answered, now, frame)
    if p["state"] == SYN_RECEIVED:
        best = now + half(p["reach"])
        enter(desk, p, i ^ 1, RCVD_ACK_OF_SYN, ASSUMED, best, now, until(desk, p, now), frame)
        p["proof_event"] = p["last_event"]
    if others["fin_count"] == 0 or s["ack"] != others["fin_end"]:
        e["lower_ack_time"] = now
        return True
    return fin_received(desk, e, p, after, others, i, now, frame)


@part
def fin_received(desk, e, p, after, others, i, now, frame):
    """Endpoint ``e`` proves at ``now`` that it has received the peer's FIN, and acknowledges it; returns whether that
    is expected of them."""
    if (e["state"] != ESTABLISHED and e["state"] != FIN_WAIT_2) or (
        p["state"] != FIN_WAIT_1 and p["state"] != LAST_ACK
    ):
        return False  # the FINs crossed
    earliest = max(np.int64(others["fin_time"]), np.int64(e["lower_ack_time"]) - np.int64(e["reach"]) - desk["slack"])
    earliest = min(earliest, now)
    best = min(max(np.int64(p["carry_time"]), earliest) + half(e["reach"]), now)
    learn(e, PEER_FIN)
    if e["state"] == ESTABLISHED:
        after["close_wait_time"] = enter(desk, e, i, RCVD_FIN, PROVEN, best, earliest, now, frame)
    else:
        after["fin_wait_2_end"] = enter(desk, e, i, RCVD_FIN, PROVEN, best, earliest, now, frame)
        after["deadline"] = np.int64(after["fin_wait_2_end"]) + desk["time_wait_length"]
    learn(p, FIN_ACKED)
    others["fin_acked_time"] = now
    waits, late = p["state"] == FIN_WAIT_1, until(desk, p, now)
    entered = enter(desk, p, i ^ 1, RCVD_ACK_OF_FIN, ASSUMED, now + half(p["reach"]), now, late, frame)
    if waits:
        others["fin_wait_2_time"] = entered
    return True


@inlined
def carried(desk, f, e, after, i, s):
    """Take in new payload, a FIN or both; returns whether that is expected."""
    now, flags = np.int64(s["time"]), np.int64(s["flags"])
    if after["fin_count"] > 0 or (s["payload_len"] > 0 and knows(e, PEER_FIN)):
        return False
    e["carry_time"] = now
    if s["payload_len"] > 0:
        e["busy_since"] = busy_time(desk, s, e)
        e["idle_since"] = 0
        e["snd_nxt"], e["fresh_time"] = plus(s["seq"], s["payload_len"]), now
    if flags & FIN:
        send_fin(desk, f, e, after, i, s, now)
    return True


@part
def send_fin(desk, f, e, after, i, s, now):
    """Endpoint ``e`` sends its FIN."""
    if f["close_side"] == 0:
        f["close_side"], f["close_idle"] = 1 + i, now - np.int64(f["end_time"])
    earliest = since(desk, e, s, busy_time(desk, s, e))
    learn(e, FIN_KNOWN)
    after["fin_end"] = e["snd_nxt"] = plus(e["snd_nxt"], 1)
    after["fin_time"], after["fin_ack"], after["fin_count"] = now, s["ack"], 1
    e["fresh_time"] = now
    waited = e["state"] == CLOSE_WAIT
    entered = enter(desk, e, i, SENT_FIN, SENT, now - half(e["reach"]), earliest, now, np.int64(s["frame"]))
    if waited:
        after["close_wait_end"] = entered


@part
def enter(desk, e, i, event, basis, best, earliest, latest, frame):
    """Move endpoint ``e``, the one with the number ``i``, along the table's arrow for ``event``: at the best time
    between its bounds, not before its last move. Returns that time."""
    entered = np.int64(NEXT[ARROWS[np.int64(e["state"]), event]])
    time = max(min(max(best, earliest), latest), np.int64(e["state_time"]))
    if desk["telling"]:
        row = append(desk, i, event, entered, basis, best, earliest, latest, frame, NO_NOTE, np.int64(desk["slack"]))
        time = np.int64(log_at(desk, row)["time"])
    e["state"], e["state_time"] = entered, time
    return time


@part
def closed(desk, ended, ending):
    """Tell the flow, if it has closed as usual and its timers have run out by the clock, or the capture ``ended`` then;
    returns whether it is told."""
    now = np.int64(desk["clock"])
    for side in range(2):
        e = end_at(desk, np.int64(side))
        deadline = np.int64(later(desk, e)["deadline"])
        if deadline > now and not ended:
            return False
        if 0 < deadline <= now and not desk["telling"]:
            e["state"] = CLOSED
    if desk["telling"]:
        close_flow(desk, SLOT, now)
    if kind_of_flow(desk, SLOT) != ORDINARY:
        return False
    end_flow(desk, SLOT, now, ending)
    return True


@inlined
def sent_by(s):
    """The side that sent a segment."""
    return np.int64(s["marks"]) >> SIDE_BIT


@inlined
def later_of(desk, i):
    """What endpoint ``i`` has of LATER."""
    return _later(desk["later"], i + 1)
