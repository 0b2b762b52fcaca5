"""A newer connection on used addresses and ports: what the rules and the table ``reuse`` say of it alike."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.rule import Bools
from analyzer.tcp.reuse import rule_in_time_wait
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger

ALIVE = [state for state in State if state not in (State.UNKNOWN, State.CLOSED, State.LISTEN)]
UNPRIVILEGED, EPHEMERAL = 1024, 32768  # ports that systems give out, and Linux by itself, begin here


class SourcePort(IntEnum):
    """How the client came by its port, as far as the number tells."""

    GIVEN = 0  # by its system, it seems
    SAME = 1  # it is the server's port too: the client binds it
    PRIVILEGED = 2  # no system gives out such a port by itself: the client binds it
    LOW = 3  # not from the range that Linux has by default: bound, or from another range


def source_port(ledger: Ledger) -> NDArray[np.uint8]:
    """How who sent the SYN came by its port (SourcePort), shape (flows,)."""
    own, other = ports(ledger)
    found = [own == other, own < UNPRIVILEGED, own < EPHEMERAL]
    return np.select(found, [SourcePort.SAME, SourcePort.PRIVILEGED, SourcePort.LOW], SourcePort.GIVEN).astype(np.uint8)


def ports(ledger: Ledger) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The port of who sent the SYN, and the other one."""
    port, flows, asks = ledger.flow("port").astype(np.int64), np.arange(ledger.flows), asker(ledger)
    return port[flows, asks], port[flows, 1 - asks]


def old_states(ledger: Ledger) -> NDArray[np.int64]:
    """The states (State) in the older connection when the newer began, shape (flows, 2)."""
    return np.stack([ledger.flow("old_state_0"), ledger.flow("old_state_1")]).T


def held(ledger: Ledger) -> Bools:
    """Endpoints that still had the older connection then."""
    return np.asarray((ledger.flow("old_seen") > 0)[:, None] & np.isin(old_states(ledger), ALIVE))


def asker(ledger: Ledger) -> NDArray[np.int64]:
    """The side that sent a SYN; side 0 where neither or both did."""
    asked = (ledger.own("syn_count") > 0) & (ledger.own("syn_ack") == 0)
    return np.asarray(asked[:, 1] & ~asked[:, 0], np.int64)


def of_asker(ledger: Ledger) -> Bools:
    """The endpoints that ask, shape (flows, 2)."""
    return np.asarray(asker(ledger)[:, None] == [0, 1])


def rule_of_time_wait(ledger: Ledger) -> NDArray[np.uint8]:
    """By which rule (ReuseRule) each endpoint lets the SYN in, if it was in TIME_WAIT."""
    return rule_in_time_wait(
        of_asker(ledger), ledger.flow("old_ts_ahead")[:, None], ledger.flow("old_seq_ahead")[:, None]
    )


def met_old(ledger: Ledger) -> Bools:
    """Endpoints whose peer's SYN met the older connection: they acknowledged that, or let the SYN be repeated."""
    asked = (ledger.peer("syn_count") > 0) & (ledger.peer("syn_ack") == 0)
    waited = held(ledger) & (ledger.peer("syn_count") > 1) & (ledger.own("refusals") == 0)
    return np.asarray(asked & ((ledger.own("stale_acks") > 0) | waited))
