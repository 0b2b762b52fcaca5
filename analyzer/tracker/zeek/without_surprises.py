"""The same of a connection without surprises, told with little of what the tracker does for the others.

Nothing in it comes twice, late or not at all, so its letters are those that come once, and fit into one word.

Fence: only numpy and this project's constants inside.
"""

import numpy as np

from analyzer.kernels import helper, inlined
from analyzer.segments.table import FIN
from analyzer.tracker.context import end_at, flow_at
from analyzer.tracker.zeek.letters import BITS, FOR_ACK, FOR_DATA, FOR_FIN, FOR_SYN, FOR_SYN_ACK, FOR_ZERO_WINDOW, LOWER
from analyzer.tracker.zeek.states import CLOSED, INACTIVE, SYN_SENT

OPENED, NO_OTHERS = FOR_SYN << BITS | FOR_SYN_ACK + LOWER, np.int64(0)  # Sh, and no other letter yet
SLOT, CLIENT, SERVER = np.int64(0), np.int64(0), np.int64(1)


@inlined
def add_letter(history, seen, flags, length, side):
    """``history`` with the letter of a segment behind it, if that side has none of its kind yet, which the bits of
    ``seen`` tell; and these."""
    kind = FOR_FIN if flags & FIN else (FOR_DATA if length > 0 else FOR_ACK)
    letter = kind + LOWER * side
    bit = np.int64(1) << letter
    longer = history << BITS | letter
    return (history if seen & bit else longer), seen | bit


@helper
def tell_closed(context, history):
    """A connection that was opened, and closed by a FIN of each side, with these letters."""
    tell(context, history, CLOSED, CLOSED)


@helper
def tell_syn(context, s):
    """A single SYN."""
    tell(context, FOR_SYN if s["window"] > 0 else FOR_SYN << BITS | FOR_ZERO_WINDOW, SYN_SENT, INACTIVE)


@helper
def tell(context, history, client_state, server_state):
    """Note letters and states of the only flow; its side 0 is the originator."""
    f = flow_at(context, SLOT)
    f["history_0"], f["history_1"], f["history_2"], f["zeek_opener"] = history, 0, 0, 0
    end_at(context, CLIENT)["zeek_state"], end_at(context, SERVER)["zeek_state"] = client_state, server_state
