"""Which flows are ordinary: nothing more can be said of them than their numbers, so no rule has to look at them.

They were opened by a whole handshake and closed by one FIN from each side, or are no more than a SYN, perhaps with a
SYN-ACK that nobody acknowledged, as in a flood.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import part
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.context import CLOSED, TIME_WAIT, end_at, flow_at, knows, later
from analyzer.tracker.ledger import Known

ORDINARY, REUSED, OTHER = (np.int64(number) for number in range(3))  # REUSED: ordinary, but for an older flow's tuple
THROUGH = np.int64(Known.ISN | Known.FIN | Known.FIN_ACKED | Known.PEER_FIN)


@part
def kind_of_flow(context, slot):
    """Whether the rules have to look at the flow (OTHER), only at its tuple (REUSED), or not at all (ORDINARY)."""
    e, p = end_at(context, 2 * slot), end_at(context, 2 * slot + 1)
    if (
        e["unusual"] > 0
        or p["unusual"] > 0
        or later(context, e)["through_closing"] > 0
        or later(context, p)["through_closing"] > 0
    ):
        return OTHER
    if not (
        only_asked(e, p) or only_asked(p, e) or (closed_as_usual(context, e, p) and closed_as_usual(context, p, e))
    ):
        return OTHER
    return REUSED if flow_at(context, slot)["older"] > 0 else ORDINARY


@part
def only_asked(e, p):
    """Whether the flow is a single SYN of ``e``, and at most a single SYN-ACK in answer."""
    asked = e["packets"] == 1 and e["syn_count"] == 1 and e["syn_ack"] == 0
    answered = p["packets"] == 1 and p["syn_ack"] == 1 and e["later"] == 0 and p["later"] == 0
    return asked and (p["packets"] == 0 or answered)


@part
def closed_as_usual(context, e, p):
    """Whether endpoint ``e`` went through a handshake of two and one FIN each, acknowledged, without delay."""
    state, own, peers = np.int64(e["state"]), later(context, e), later(context, p)
    opened = e["syn_count"] == 1 and e["syn_ack"] != p["syn_ack"] and e["packets"] > 0
    opened = opened and (own["established_time"] > 0 or peers["established_time"] > 0)
    closed = knows(e, THROUGH) and own["fin_count"] == 1 and state in (CLOSED, TIME_WAIT)
    waited = np.int64(own["close_wait_end"]) - np.int64(own["close_wait_time"])
    crossed = seq_diff(own["fin_ack"], peers["fin_end"]) < 0 and seq_diff(peers["fin_ack"], own["fin_end"]) < 0
    return opened and closed and waited <= context["slow_close"] and not crossed
