"""Which flows are ordinary: they show no sign that any rule asks for (see ``signs.py``).

Here is one predicate for each sign. With the rules as they are, ordinary flows are those opened by a whole handshake
and closed by one FIN from each side, and those of a SYN, perhaps with a SYN-ACK that nobody acknowledged, as in a
flood.

How a flow ended is concluded from its signs as well: OTHER_ENDING is always asked for, by ``outcome``.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import const, helper, inlined, kernel
from analyzer.tcp.codes import CLOSE_WAIT, CLOSED, TIME_WAIT
from analyzer.tcp.dialogue import ANSWER
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.context import CONTEXT, closing_facts, end_at, flow_at, knows
from analyzer.tracker.ledger import Known
from analyzer.tracker.signs import SIGNS_OF_SINGLE_SYN, SIGNS_OF_WHOLE_FLOW, Sign

ORDINARY, REUSED, OTHER = (np.int64(number) for number in range(3))
CLOSED_NORMALLY = np.int64(Known.ISN | Known.FIN | Known.FIN_ACKED | Known.PEER_FIN)
NOTHING, SEGMENT, SYN, HANDSHAKE = np.int64(0), np.int64(Sign.SEGMENT), np.int64(Sign.SYN), np.int64(Sign.HANDSHAKE)
DATA, FIN, ENTERED_CLOSE_WAIT = np.int64(Sign.DATA), np.int64(Sign.FIN), np.int64(Sign.CLOSE_WAIT)
OLDER_FLOW, NO_OPENING = np.int64(Sign.OLDER_FLOW), np.int64(Sign.NO_OPENING)
ONE_DIRECTION, SYN_REPEATED = np.int64(Sign.ONE_DIRECTION), np.int64(Sign.SYN_REPEATED)
FIN_REPEATED, FIN_LATE = np.int64(Sign.FIN_REPEATED), np.int64(Sign.FIN_LATE)
FINS_CROSSED, LEFT_IN_CLOSE_WAIT = np.int64(Sign.FINS_CROSSED), np.int64(Sign.LEFT_IN_CLOSE_WAIT)
GAVE_UP_WAITING = np.int64(Sign.GAVE_UP_WAITING)
UNUSUAL, OTHER_ENDING = np.int64(Sign.UNUSUAL), np.int64(Sign.OTHER_ENDING)
SINGLE_SYN, WHOLE_FLOW = np.int64(SIGNS_OF_SINGLE_SYN), np.int64(SIGNS_OF_WHOLE_FLOW)


@helper
def kind_of_flow(context, slot):
    """ORDINARY: it shows nothing that is asked for. REUSED: only what few columns suffice for, an older flow on its
    addresses and ports. OTHER: more."""
    shown = signs_of(context, slot) & context["asked"]
    if shown == 0:
        return ORDINARY
    return REUSED if shown & ~np.int64(context["few_columns_enough"]) == 0 else OTHER


@kernel(CONTEXT, const(np.int64), np.int64)
def tell_signs(contexts, slots, signs):
    """Fill in the signs of the flows in ``slots``."""
    context = contexts[0]
    for place in range(len(slots)):
        signs[place] = signs_of(context, np.int64(slots[place]))


@helper
def signs_of(context, slot):
    """The signs that a flow shows."""
    e, p = end_at(context, 2 * slot), end_at(context, 2 * slot + 1)
    own, peers = closing_facts(context, e), closing_facts(context, p)
    crossed = fins_unaware(own, peers)
    plain = closed_by_fin(e, p, own, peers) and closed_by_fin(p, e, peers, own) and not crossed
    plain = (plain or single_syn(e, p) or single_syn(p, e)) and e["unusual"] == 0 and p["unusual"] == 0
    signs = SEGMENT | of_end(context, e, p, own, peers) | of_end(context, p, e, peers, own)
    signs |= where(OLDER_FLOW, flow_at(context, slot)["older"] > 0)
    signs |= where(NO_OPENING, e["syn_count"] == 0 and p["syn_count"] == 0)
    return signs | where(FINS_CROSSED, crossed) | where(OTHER_ENDING, not plain)


@helper
def of_end(context, e, p, own, peers):
    """The signs that endpoint ``e`` shows."""
    signs = where(SYN, e["syn_count"] > 0) | where(SYN_REPEATED, e["syn_count"] > 1)
    signs |= where(HANDSHAKE, own["established_time"] > 0) | where(DATA, e["bytes"] > 0)
    signs |= where(FIN, own["fin_count"] > 0) | where(FIN_REPEATED, own["fin_count"] > 1)
    signs |= where(FIN_LATE, fin_late(context, own, peers))
    signs |= where(GAVE_UP_WAITING, gave_up_waiting(context, own, peers))
    signs |= where(ENTERED_CLOSE_WAIT, own["close_wait_time"] > 0)
    signs |= where(LEFT_IN_CLOSE_WAIT, np.int64(e["state"]) == CLOSE_WAIT)
    lone = p["packets"] == 0 or (p["packets"] == 1 and p["syn_count"] == 1 and p["syn_ack"] == 0)
    return signs | where(ONE_DIRECTION, e["packets"] == 0 and not lone) | where(UNUSUAL, e["unusual"] > 0)


@inlined
def where(sign, shown):
    """The sign, where it is shown."""
    return sign if shown else NOTHING


@inlined
def fin_late(context, own, peers):
    """Whether an endpoint sent its FIN only long after it had acknowledged the peer's."""
    acked, sent = np.int64(peers["fin_acked_time"]), np.int64(own["fin_time"])
    return own["fin_count"] > 0 and acked > 0 and sent - acked > np.int64(context["slow_close"])


@inlined
def gave_up_waiting(context, own, peers):
    """Whether an endpoint that had been answered before ended the dialogue long after its last data, which its peer had
    acknowledged and not answered."""
    waited = np.int64(own["ended_dialogue"]) - np.int64(own["spoken_time"])
    answered_before = own["turns"] > 2 and peers["turns"] > 0
    return own["pending"] == ANSWER and answered_before and waited >= np.int64(context["gave_up_waiting"])


@helper
def fins_unaware(own, peers):
    """Whether neither FIN acknowledges the other."""
    both = own["fin_count"] > 0 and peers["fin_count"] > 0
    return both and seq_diff(own["fin_ack"], peers["fin_end"]) < 0 and seq_diff(peers["fin_ack"], own["fin_end"]) < 0


@helper
def single_syn(e, p):
    """Whether the flow is a single SYN of ``e``, and at most a single SYN-ACK in answer."""
    asked = e["packets"] == 1 and e["syn_count"] == 1 and e["syn_ack"] == 0
    answered = p["packets"] == 1 and p["syn_ack"] == 1 and e["closing_row"] == 0 and p["closing_row"] == 0
    return asked and (p["packets"] == 0 or answered)


@helper
def closed_by_fin(e, p, own, peers):
    """Whether endpoint ``e`` went through a handshake of two, and sent one FIN, which was acknowledged."""
    opened = e["syn_count"] == 1 and e["syn_ack"] != p["syn_ack"] and e["packets"] > 0
    opened = opened and (own["established_time"] > 0 or peers["established_time"] > 0)
    return (
        opened and knows(e, CLOSED_NORMALLY) and own["fin_count"] == 1 and np.int64(e["state"]) in (CLOSED, TIME_WAIT)
    )
