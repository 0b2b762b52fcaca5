"""From the ledger to rows of ENDING: what flows.csv says of flows that did not end in the usual way.

A kernel fills in what was noted of such a flow when it is finished (``ordinary_record.noted``). What follows from that
is added here, as the rules conclude it. Of ordinary flows the kernel fills in both.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.tcp.states import State
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
    endings["idle_open"] = idle_open(ledger)


def idle_open(ledger: Ledger) -> NDArray[np.bool_]:
    """Flows of which both endpoints are in ESTABLISHED when they were seen last, with nothing that awaits an
    acknowledgment, on addresses and ports that no newer connection took; and no keep-alive or window probe passed."""
    established = (ledger.own("state") == State.ESTABLISHED) & (ledger.own("packets") > 0)
    probed = (ledger.own("probes") > 0) | (ledger.own("window_probes") > 0) | (ledger.own("zero_window_since") > 0)
    spoken = (ledger.own("turns") > 0) & (ledger.own("spoken_acked_frame") == 0)
    quiet = established & ~probed & ~spoken & (ledger.own("repeat_run") == 0)
    return np.asarray(quiet.all(axis=1) & (ledger.flow("replaced_time") == 0) & ~ledger.mixed)
