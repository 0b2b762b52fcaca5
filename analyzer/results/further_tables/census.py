"""``census``: how many sockets were in each state, over time."""

import numpy as np

from analyzer.results.further_tables import KeptFlows, MadeTable, Rows
from analyzer.tracker.outcome import Ledger

NOTHING: Rows = np.zeros(0, np.dtype([("stream", "<i8")]))


def note(ledger: Ledger, endings: Rows) -> Rows:
    """Nothing: the timeline says all."""
    return NOTHING


def make(kept: KeptFlows) -> MadeTable:
    """The table."""
    return MadeTable(lambda: iter(()))
