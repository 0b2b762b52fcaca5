"""``conn_state``: what Zeek says of a connection by the states of its two sides.

Fence: only numpy and this project's constants inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.tracker.context import end_at, flow_at
from analyzer.tracker.vocabularies import ConnState
from analyzer.tracker.zeek.gaps import LONG, SENT_FIN
from analyzer.tracker.zeek.letters import (
    BITS,
    FOR_ACK,
    FOR_FIN,
    FOR_FIN_RST,
    FOR_GAP,
    FOR_MIXED_FLAGS,
    FOR_RST,
    FOR_SWAP,
    FOR_SYN,
    FOR_SYN_ACK,
)
from analyzer.tracker.zeek.states import CLOSED, ESTABLISHED, INACTIVE, PARTIAL, RESET, SYN_ACK_SENT, SYN_SENT

S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR, OTH = (np.int64(state) for state in ConnState)
OUTSET, BEGUN, FAILED, DONE = (np.int64(number) for number in range(4))
OF_OPEN = (
    1 << FOR_SYN_ACK | 1 << FOR_ACK | 1 << FOR_FIN | 1 << FOR_GAP | 1 << FOR_FIN_RST | 1 << FOR_MIXED_FLAGS
)  # letters of an originator that has more than asked
TOP = np.int64(55)  # where the first letter of a full word begins


@helper
def conn_state(context, slot):
    """The code of ``conn_state`` of the flow in ``slot``."""
    f = flow_at(context, slot)
    opener = np.int64(f["zeek_opener"])
    o, r = end_at(context, 2 * slot + opener), end_at(context, 2 * slot + 1 - opener)
    one, other = np.int64(o["zeek_state"]), np.int64(r["zeek_state"])
    silent, peer_silent = one in (INACTIVE, PARTIAL), other in (INACTIVE, PARTIAL)
    if one == CLOSED and other == CLOSED:
        return SF
    if other == RESET:
        return refused_or_reset(o, r, one, silent)
    if one == RESET:
        if not peer_silent:
            return RSTO
        return RSTOS0 if asked_and_reset(f) else OTH
    if one == CLOSED:
        return SH if peer_silent else S2
    if other == CLOSED:
        return SHR if silent else S3
    if one == SYN_SENT and other == INACTIVE:
        return S0
    return S1 if one == ESTABLISHED and other == ESTABLISHED else OTH


@helper
def refused_or_reset(o, r, one, silent):
    """The same where the responder sent a RST last."""
    nothing = one == RESET and sent_nothing(o, r) and sent_nothing(r, o)
    if one in (SYN_SENT, SYN_ACK_SENT) or nothing:
        return REJ
    return RSTRH if silent else RSTR


@helper
def sent_nothing(e, p):
    """Whether the side sent no payload, by its numbers."""
    marks, last, acked = np.int64(e["zeek_marks"]), np.int64(e["zeek_last"]), np.int64(e["zeek_acked"])
    asked_only = np.int64(e["zeek_before"]) == SYN_SENT and np.int64(e["zeek_state"]) == RESET
    if asked_only and np.int64(p["zeek_state"]) == INACTIVE and acked > 1:
        return True
    return not marks & LONG and max(last, acked) <= (2 if marks & SENT_FIN else 1)


@helper
def asked_and_reset(f):
    """Whether the originator wrote a SYN first and then a RST, and nothing between that an open connection does."""
    state = OUTSET
    state = followed_by(np.int64(f["history_0"]), state)
    state = followed_by(np.int64(f["history_1"]), state)
    return followed_by(np.int64(f["history_2"]), state) == DONE


@helper
def followed_by(word, state):
    """What the letters of a word make of that."""
    for place in range(12):
        letter = word >> (TOP - BITS * place) & 31
        if letter == 0 or state >= FAILED or (letter == FOR_SWAP and state == OUTSET):
            continue
        if state == OUTSET:
            state = BEGUN if letter == FOR_SYN else FAILED
        elif letter == FOR_RST:
            state = DONE
        elif letter < 16 and OF_OPEN >> letter & 1:
            state = FAILED
    return state
