"""From the ledger to rows of ENDING: what flows.csv says of flows that did not end in the usual way.

A kernel fills in what was noted of such a flow when it is finished (``ordinary_record.noted``). What follows from that
is added here, as the rules conclude it. Of ordinary flows the kernel fills in both.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause
from analyzer.units import UNKNOWN

NO_SIDE = 2  # in the column rst_by
CONCLUDED = ("handshake", "closed_by", "teardown", "rst_cause")


def conclude(endings: NDArray[np.void], ledger: Ledger) -> None:
    """Fill in the columns of ``endings``, the rows of all flows of the ledger, that follow from what was noted."""
    for name in CONCLUDED:
        endings[name] = getattr(ledger, name)
    endings["observability"] = ledger.observed
    endings["idle_before_close_s"] = np.where(ledger.closed_by > 0, ledger.flow("close_idle"), UNKNOWN)
    known = (ledger.rst_side >= 0) & (ledger.rst_cause != RstCause.THIRD_PARTY)
    endings["rst_by"] = np.where(known, ledger.rst_side ^ ledger.client, NO_SIDE)
    endings["findings"] = 0
