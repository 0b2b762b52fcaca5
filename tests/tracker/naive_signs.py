"""The slow twin of ``tracker/ordinary.py``: the signs of all flows, from the columns of the ledger."""

import numpy as np
from numpy.typing import NDArray

from analyzer.tcp.dialogue import Pending
from analyzer.tcp.states import State
from analyzer.tracker.ledger import UNUSUAL, Known
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign
from analyzer.tracker.storage.transpose import AGAIN

Bools = NDArray[np.bool_]
CLOSED_NORMALLY = Known.ISN | Known.FIN | Known.FIN_ACKED | Known.PEER_FIN
NOTED = [name for name in UNUSUAL.names or () if name not in {*AGAIN, "next_free"}]


def signs_of(ledger: Ledger, slow_close_ns: int, gave_up_waiting_ns: int = 1_000_000_000) -> NDArray[np.int64]:
    """Bits of Sign, shape (flows,)."""
    signs = np.full(ledger.flows, int(Sign.SEGMENT))
    for sign, shown in predicates(ledger, slow_close_ns, gave_up_waiting_ns).items():
        signs |= np.where(shown.any(axis=1) if shown.ndim == 2 else shown, int(sign), 0)
    return signs


def predicates(ledger: Ledger, slow_close_ns: int, gave_up_waiting_ns: int) -> dict[Sign, Bools]:
    """Of each sign whether an endpoint shows it, or the flow."""
    own, peer = ledger.own, ledger.peer
    lone = (peer("packets") == 0) | ((peer("packets") == 1) & (peer("syn_count") == 1) & (peer("syn_ack") == 0))
    late = own("fin_time") - peer("fin_acked_time") > slow_close_ns
    unusual = own("unusual") > 0
    for name in NOTED:
        unusual |= own(name) != 0
    plain = (single_syn(ledger) | closed_by_fins(ledger)) & ~crossed(ledger) & ~unusual.any(axis=1)
    return {
        Sign.SYN: own("syn_count") > 0,
        Sign.HANDSHAKE: own("established_time") > 0,
        Sign.DATA: own("bytes") > 0,
        Sign.FIN: own("fin_count") > 0,
        Sign.CLOSE_WAIT: own("close_wait_time") > 0,
        Sign.OLDER_FLOW: (ledger.flow("older") > 0) | (ledger.flow("old_seen") > 0),
        Sign.NO_OPENING: (own("syn_count") == 0).all(axis=1),
        Sign.ONE_DIRECTION: (own("packets") == 0) & ~lone,
        Sign.SYN_REPEATED: own("syn_count") > 1,
        Sign.FIN_REPEATED: own("fin_count") > 1,
        Sign.FIN_LATE: (own("fin_count") > 0) & (peer("fin_acked_time") > 0) & late,
        Sign.GAVE_UP_WAITING: (own("pending") == Pending.ANSWER)
        & (own("turns") > 2)
        & (own("ended_dialogue") - own("spoken_time") >= gave_up_waiting_ns),
        Sign.FINS_CROSSED: crossed(ledger),
        Sign.LEFT_IN_CLOSE_WAIT: own("state") == State.CLOSE_WAIT,
        Sign.UNUSUAL: unusual,
        Sign.OTHER_ENDING: ~plain,
    }


def crossed(ledger: Ledger) -> Bools:
    """Whether both endpoints sent a FIN, and neither FIN acknowledges the other."""
    behind = (ledger.own("fin_ack") - ledger.peer("fin_end") + 2**31) % 2**32 < 2**31
    return np.asarray(((ledger.own("fin_count") > 0) & behind).all(axis=1))


def single_syn(ledger: Ledger) -> Bools:
    """Flows of one SYN and nothing else, or of a SYN and a SYN-ACK with which nobody was established."""
    packets, alone = ledger.own("packets"), ledger.own("packets") == 1
    asked = (alone & (ledger.own("syn_count") == 1) & (ledger.own("syn_ack") == 0)).any(axis=1)
    answered = (alone & (ledger.own("syn_ack") == 1)).any(axis=1) & (ledger.own("closing_row") == 0).all(axis=1)
    return np.asarray(asked & ((packets.sum(axis=1) == 1) | answered))


def closed_by_fins(ledger: Ledger) -> Bools:
    """Flows of a SYN, a SYN-ACK, and a FIN from each side, received and acknowledged."""
    once = (ledger.own("syn_count") == 1) & (ledger.own("fin_count") == 1) & (ledger.own("packets") > 0)
    done = ledger.knows(CLOSED_NORMALLY) & np.isin(ledger.own("state"), (State.CLOSED, State.TIME_WAIT))
    opened = (ledger.own("syn_ack").sum(axis=1) == 1) & (ledger.own("established_time") > 0).any(axis=1)
    return np.asarray((once & done).all(axis=1) & opened)
