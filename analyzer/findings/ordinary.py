"""Flows of which no rule about single flows has anything to say, so that the rules need not look at them.

Nearly all flows of a healthy capture are of one kind: opened by a whole handshake, closed by one FIN from each side,
each acknowledged, nothing repeated, lost, reset or late. Every test here is on facts without which no rule fires;
a rule that were to fire on such a flow would be caught by the tests, which judge every capture both ways.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.settings import Settings
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.transitions import State

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
    "closing",
)


def ordinary(ledger: Ledger, settings: Settings) -> NDArray[np.bool_]:
    """Shape (flows,)."""
    plain = np.asarray(ledger.flow("previous") < 0)
    plain &= ledger.knows(Known.ISN | Known.FIN | Known.FIN_ACKED | Known.PEER_FIN).all(axis=1)
    plain &= np.isin(ledger.own("state"), (State.CLOSED, State.TIME_WAIT)).all(axis=1)
    for name, usual in (("fin_count", 1), ("syn_count", 1), *((name, 0) for name in UNEVENTFUL)):
        plain &= (ledger.own(name) == usual).all(axis=1)
    waited = ledger.own("close_wait_end") - ledger.own("close_wait_time")
    return np.asarray(plain & (waited <= settings.slow_close_ns).all(axis=1) & ~ledger.crossed_fins)
