"""Every segment of a flow that the tracker follows: its letter, and what it changes of the two sides.

Fence: only numpy and this project's constants inside.
"""

import numpy as np

from analyzer.kernels import helper, inlined
from analyzer.segments.table import ACK, CUT_HEADER, FIN, PART, RST, SYN
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker.context import end_at, flow_at, tuple_at
from analyzer.tracker.zeek.gaps import LONG, SENT_FIN, arrive, check_gap
from analyzer.tracker.zeek.letters import (
    FOR_ACK,
    FOR_DATA,
    FOR_FIN,
    FOR_FIN_RST,
    FOR_MIXED_FLAGS,
    FOR_REPEAT,
    FOR_RST,
    FOR_SWAP,
    FOR_SYN,
    FOR_SYN_ACK,
    FOR_ZERO_WINDOW,
    ONCE,
    write,
    write_as,
    write_often,
    write_once,
)
from analyzer.tracker.zeek.states import CLOSED, ESTABLISHED, INACTIVE, PARTIAL, RESET, SYN_ACK_SENT, SYN_SENT, move_on

TOO_FAR = np.int64(1 << 20)  # a SYN or RST so far from the last number tells nothing of it
FAR_ALONG = np.int64(1 << 30)  # a side that has come so far has no number before its first
# Ports of services that Zeek's own scripts name (``likely_server_ports``): what these send first is an answer.
SERVER_PORTS = np.array(
    [
        *(21, 22, 25, 53, 79, 80, 81, 88, 135, 139, 143, 389, 443, 445, 465, 502, 563, 585, 587, 614, 631, 636),
        *(989, 990, 992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306, 3389, 5222, 5223, 5269, 5432, 6379),
        *(6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000),
    ],
    np.int64,
)


@helper
def begin_history(context, f, s):
    """The first segment of a flow: who is the originator. That is its sender, unless it is no SYN and comes from the
    port of a service."""
    side, flags = np.int64(s["sender"]) & 1, np.int64(s["flags"])
    f["zeek_opener"] = side
    if flags & (SYN | ACK) == SYN:
        return
    ports = tuple_at(context, f["row"])["port"]
    source, target = np.int64(ports[side]), np.int64(ports[1 - side])
    if not is_service(source):
        return
    if not is_service(target) or (not flags & SYN and source < target):
        f["zeek_opener"] = side ^ 1
        write(f, FOR_SWAP)


@helper
def is_service(port):
    """Whether it is one of SERVER_PORTS."""
    found = False
    for place in range(len(SERVER_PORTS)):
        found |= SERVER_PORTS[place] == port
    return found


@helper
def take_in(context, s, i):
    """Take in segment ``s`` of endpoint ``i``, as it passes."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    if goes_on(context, s, e, p, i) or np.int64(s["marks"]) & (CUT_HEADER | PART):
        return
    f = flow_at(context, i >> 1)
    flags, length, side = np.int64(s["flags"]), np.int64(s["payload_len"]), i & 1
    by_opener = side == np.int64(f["zeek_opener"])
    size = (np.int64(0) if flags & RST else length) + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
    place_sender(e, s, size)
    here = seq_add(s["seq"], -np.int64(e["zeek_start"]))
    below = not np.int64(e["zeek_marks"]) & LONG and seq_diff(here, 0) < 0
    write_flags(f, e, side, flags, here, length)
    closing = np.int64(p["zeek_state"]) == CLOSED or np.int64(e["zeek_state"]) == RESET
    if s["window"] == 0 and not flags & RST and not closing:
        e["zeek_windows"] = e["zeek_windows"] + 1
        write_often(f, FOR_ZERO_WINDOW, side, np.int64(e["zeek_windows"]))
    if flags & FIN:
        e["zeek_fin"] = seq_add(here, size)
        e["zeek_marks"] = np.int64(e["zeek_marks"]) | SENT_FIN
    acked = acknowledged(s, p, flags)
    advance(f, e, side, flags, seq_add(here, size), length)
    move_on(f, e, p, flags, length, by_opener)
    if flags & ACK:
        check_gap(f, p, e, side ^ 1, acked)
    if length > 0 and not flags & RST and not below:
        arrive(e, seq_add(here, 1 if flags & SYN else 0), length)


@inlined
def goes_on(context, s, e, p, i):
    """Whether the segment only continues an open connection: nothing of it is late, lost or new; and take it in."""
    flags, length = np.int64(s["flags"]), np.int64(s["payload_len"])
    last, acked = np.int64(e["zeek_last"]), np.int64(p["zeek_acked"])
    here, there = seq_add(s["seq"], -np.int64(e["zeek_start"])), seq_add(s["ack"], -np.int64(p["zeek_start"]))
    other = flags & (SYN | FIN | RST | ACK) ^ ACK | here ^ last | np.int64(e["zeek_arrived"]) ^ last
    other |= np.int64(e["zeek_pieces"]) | np.int64(e["zeek_state"]) ^ ESTABLISHED
    other |= np.int64(p["zeek_state"]) ^ ESTABLISHED | np.int64(s["marks"]) & (CUT_HEADER | PART)
    f = flow_at(context, i >> 1)
    kind = (FOR_DATA if length > 0 else FOR_ACK) + (0 if (i & 1) == np.int64(f["zeek_opener"]) else ONCE)
    other |= np.int64(f["zeek_once"]) >> kind & 1 ^ 1
    if other != 0 or s["window"] == 0 or seq_diff(there, acked) < 0 or seq_diff(p["zeek_arrived"], there) < 0:
        return False
    p["zeek_acked"] = there
    e["zeek_last"] = e["zeek_arrived"] = seq_add(last, length)
    come_along(e, p)
    return True


@inlined
def come_along(e, p):
    """Note of the two whose numbers went on how far they are."""
    if np.int64(e["zeek_last"]) >= FAR_ALONG:
        e["zeek_marks"] = np.int64(e["zeek_marks"]) | LONG
    if np.int64(p["zeek_acked"]) >= FAR_ALONG and seq_diff(p["zeek_acked"], 0) > 0:
        p["zeek_marks"] = np.int64(p["zeek_marks"]) | LONG


@helper
def place_sender(e, s, size):
    """Where the sender's numbers begin: at its first segment, or at a SYN that begins them anew."""
    state, syn = np.int64(e["zeek_state"]), np.int64(s["flags"]) & SYN
    if state == INACTIVE:
        e["zeek_arrived"] = 1
        if syn:
            count_from(e, np.int64(s["seq"]), size)
        else:
            count_from(e, seq_add(s["seq"], -1), np.int64(1))
    elif syn:
        jumped = np.int64(s["seq"]) != np.int64(e["zeek_start"])
        opening = state in (SYN_SENT, SYN_ACK_SENT)
        open_ = state in (ESTABLISHED, PARTIAL)
        if (opening and jumped) or open_ or (state == RESET and np.int64(e["zeek_before"]) == INACTIVE):
            count_from(e, np.int64(s["seq"]), size)


@helper
def count_from(e, start, last):
    """The numbers of the side begin at ``start``, and it has come to ``last``."""
    e["zeek_start"], e["zeek_last"], e["zeek_acked"] = start, last, 0
    e["zeek_marks"] = np.int64(e["zeek_marks"]) & ~LONG


@helper
def write_flags(f, e, side, flags, here, length):
    """Write the letter of a segment's flags; that of a SYN, FIN or RST again where its number is another."""
    kinds = flags & (SYN | FIN | RST)
    if kinds & (kinds - 1):
        both = flags & (FIN | RST) == FIN | RST
        write_once(f, FOR_FIN_RST if both else FOR_MIXED_FLAGS, side, np.int64(5) if both else np.int64(6))
    elif kinds == SYN:
        letter = FOR_SYN_ACK if flags & ACK else FOR_SYN
        if write_once(f, letter, side, np.int64(0)) and here != np.int64(e["zeek_syn_at"]):
            write_as(f, letter, side)
        e["zeek_syn_at"] = here
    elif kinds == FIN:
        if write_once(f, FOR_FIN, side, np.int64(1)) and seq_add(here, length) != np.int64(e["zeek_fin_at"]):
            write_as(f, FOR_FIN, side)
        e["zeek_fin_at"] = seq_add(here, length)
    elif kinds == RST:
        if write_once(f, FOR_RST, side, np.int64(2)) and here != np.int64(e["zeek_rst_at"]):
            write_as(f, FOR_RST, side)
        e["zeek_rst_at"] = here
    elif length > 0:
        write_once(f, FOR_DATA, side, FOR_DATA)
    elif flags & ACK:
        write_once(f, FOR_ACK, side, FOR_ACK)


@helper
def acknowledged(s, p, flags):
    """Up to where the segment acknowledges what ``p`` sent; 0 where that is nothing."""
    if not flags & ACK:
        return np.int64(0)
    if np.int64(p["zeek_state"]) == INACTIVE:
        p["zeek_arrived"] = 1
        count_from(p, seq_add(s["ack"], -1), np.int64(0))
        return np.int64(1)
    there = seq_add(s["ack"], -np.int64(p["zeek_start"]))
    if not np.int64(p["zeek_marks"]) & LONG and seq_diff(there, 0) < 0:
        return np.int64(0)
    ahead = seq_diff(there, p["zeek_acked"])
    if not flags & RST and ahead > 0 and (s["ack"] != 0 or ahead <= TOO_FAR):
        p["zeek_acked"] = there
    come_along(p, p)
    return there


@helper
def advance(f, e, side, flags, end, length):
    """How far the sender has come; or it repeats itself."""
    ahead = seq_diff(end, e["zeek_last"])
    if flags & (SYN | RST) and abs(ahead) > TOO_FAR:
        return
    if flags & FIN and np.int64(e["zeek_last"]) == 1:
        e["zeek_last"] = end
    elif np.int64(e["zeek_state"]) != RESET:
        if ahead > 0:
            e["zeek_last"] = end
            come_along(e, e)
        elif length > 0:
            e["zeek_repeats"] = e["zeek_repeats"] + 1
            write_often(f, FOR_REPEAT, side, np.int64(e["zeek_repeats"]))
