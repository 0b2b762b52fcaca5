"""Flows of which no rule about single flows has anything to say, so that the rules need not look at them.

A flood of SYNs, each on addresses and ports of its own, leaves nothing to say of any of them, be they answered or not.
And nearly all flows of a healthy capture are of one kind: opened by a whole handshake, closed by one FIN from each
side, each acknowledged, nothing repeated, lost, reset or late. Every test here is on facts without which no rule
fires; a rule that were to fire on such a flow would be caught by the tests, which judge every capture both ways.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import state_is
from analyzer.findings.view import views
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger

UNEVENTFUL = (  # facts of endpoints that are 0 where nothing happened
    "rst_count",
    "fin_after_ack",
    "repeat_run",
    "probes",
    "zero_windows",
    "missing_bytes",
    "duplicates",
    "cut_headers",
    "clock_back",
    "half_close_bytes",
    "beyond_fin_bytes",
    "stale_acks",
    "icmp_count",
    "through_closing",
)


class Kind(IntEnum):
    """Which rules have to look at a flow."""

    ORDINARY = 0  # none
    REUSED = 1  # ordinary, but there was an older flow on its tuple: those that need nothing else
    TELLING = 2  # all


def kinds(ledger: Ledger, settings: Settings) -> NDArray[np.uint8]:
    """The Kind of each flow, shape (flows,)."""
    found = np.full(ledger.flows, Kind.TELLING, np.uint8)
    for view in views(ledger, np.arange(ledger.flows)):
        old = np.where(view.flow("old_seen") > 0, Kind.REUSED, Kind.ORDINARY)
        found[view.rows] = np.where(ordinary(view, settings), old, Kind.TELLING)
    return found


def ordinary(ledger: Ledger, settings: Settings) -> NDArray[np.bool_]:
    """Flows closed in the usual way, and SYNs that came to nothing, whatever was on their tuple before."""
    quiet = ~ledger.mixed
    for name in UNEVENTFUL:
        quiet &= (ledger.own(name) == 0).all(axis=1)
    return quiet & (only_asked(ledger) | closed_as_usual(ledger, settings))


def only_asked(ledger: Ledger) -> NDArray[np.bool_]:
    """Flows of a SYN and nothing else, or of a SYN and a SYN-ACK; shape (flows,)."""
    packets, alone = ledger.own("packets"), (ledger.own("packets") == 1) & (ledger.own("syn_count") == 1)
    asked = (alone & (ledger.own("syn_ack") == 0)).any(axis=1)
    answered = (alone & (ledger.own("syn_ack") == 1)).any(axis=1)
    begun = ((ledger.own("established_time") > 0) | ledger.fin_sent).any(axis=1)
    return np.asarray(asked & ((packets.sum(axis=1) == 1) | (answered & ~begun)))


def closed_as_usual(ledger: Ledger, settings: Settings) -> NDArray[np.bool_]:
    """Flows opened by a whole handshake and closed by two FINs, each acknowledged at once; shape (flows,)."""
    done = ledger.knows(Known.ISN | Known.FIN | Known.FIN_ACKED | Known.PEER_FIN).all(axis=1)
    done &= state_is(ledger, State.CLOSED, State.TIME_WAIT).all(axis=1)
    done &= ((ledger.own("fin_count") == 1) & (ledger.own("syn_count") == 1)).all(axis=1)
    waited = ledger.own("close_wait_end") - ledger.own("close_wait_time")
    return np.asarray(done & (waited <= settings.slow_close_ns).all(axis=1) & ~ledger.crossed_fins)
