"""The states of both sides, as segments pass.

Fence: only numpy and this project's constants inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, FIN, RST, SYN
from analyzer.tracker.zeek.letters import FOR_SWAP, write

INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = (np.int64(number) for number in range(7))


@helper
def enter(e, state):
    """The side enters a state."""
    if np.int64(e["zeek_state"]) != state:
        e["zeek_before"], e["zeek_state"] = e["zeek_state"], state


@helper
def move_on(f, e, p, flags, length, by_opener):
    """The state that follows."""
    state, peers = np.int64(e["zeek_state"]), np.int64(p["zeek_state"])
    if state == INACTIVE:
        appear(f, e, p, flags, length, by_opener)
    elif state == CLOSED:
        if flags & RST and peers != CLOSED:
            enter(e, RESET)
    elif state != RESET:
        if flags & (SYN | ACK) == SYN and state == PARTIAL and peers == INACTIVE:
            enter(e, SYN_SENT)
        opening = state in (SYN_SENT, SYN_ACK_SENT)
        if flags & FIN and (opening or not flags & RST):
            enter(e, CLOSED)
            if not opening and peers == RESET and np.int64(p["zeek_before"]) == CLOSED:
                enter(p, CLOSED)
        if flags & RST:
            enter(e, RESET)


@helper
def appear(f, e, p, flags, length, by_opener):
    """The state that follows the first segment of a side."""
    if flags & SYN and by_opener:
        enter(e, SYN_ACK_SENT if flags & ACK else SYN_SENT)
    elif flags & SYN:
        if not flags & ACK and np.int64(p["zeek_state"]) == SYN_ACK_SENT:
            f["zeek_opener"] = np.int64(f["zeek_opener"]) ^ 1
            write(f, FOR_SWAP)
            enter(p, ESTABLISHED)
        if np.int64(p["zeek_state"]) == SYN_SENT:
            enter(p, ESTABLISHED)
        enter(e, ESTABLISHED)
    if flags & FIN:
        enter(e, CLOSED)
    if flags & RST:
        enter(e, RESET)
    if np.int64(e["zeek_state"]) == INACTIVE:
        asked = not by_opener and np.int64(p["zeek_state"]) == SYN_SENT
        if asked and length == 0:
            return  # an acknowledgment of the SYN before the SYN-ACK
        known = flags & ACK and np.int64(p["zeek_state"]) == ESTABLISHED
        enter(e, ESTABLISHED if known else PARTIAL)
