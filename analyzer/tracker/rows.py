"""From the ledger to rows of ENDING: what flows.csv says of each flow, in the ledger's order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.tracker.ending import ENDING, UNKNOWN
from analyzer.tracker.outcome import Ledger

NO_SIDE = 2  # in the column rst_by
Ints = NDArray[np.int64]


def flow_rows(ledger: Ledger) -> NDArray[np.void]:
    """A row of ENDING for each flow that is reported; ``findings`` is left 0."""
    rows = np.flatnonzero(ledger.reported)
    endings: NDArray[np.void] = np.zeros(len(rows), ENDING)
    for name in ("stream", "first_frame"):
        endings[name] = ledger.flow(name)[rows]
    endings["last_frame"] = ledger.of_side("last_frame", ledger.flow("end_side"))[rows]
    for name in ("handshake", "closed_by", "teardown", "rst_cause", "client_known"):
        endings[name] = getattr(ledger, name)[rows]
    first, last = ledger.flow("first_time")[rows], ledger.flow("end_time")[rows]
    endings["first_epoch"], endings["last_epoch"] = first, last
    endings["duration_s"] = np.maximum(last - first, 0)
    endings["idle_before_close_s"] = np.where(ledger.closed_by[rows] > 0, ledger.flow("close_idle")[rows], UNKNOWN)
    endings["observability"] = ledger.observed[rows]
    client = ledger.client[rows]
    reset = ledger.rst_side[rows]
    endings["rst_by"] = np.where(reset < 0, NO_SIDE, reset ^ client)
    for role, side in (("client", client), ("server", 1 - client)):
        _endpoint(endings, ledger, role, rows, side)
    return endings


def _endpoint(endings: NDArray[np.void], ledger: Ledger, role: str, rows: Ints, side: Ints) -> None:
    """Fill in the columns of one endpoint."""

    def own(name: str) -> NDArray[Any]:
        return ledger.own(name)[rows, side]

    endings[f"{role}_ip"] = ledger.flow("address")[rows, side]
    endings[f"{role}_port"] = ledger.flow("port")[rows, side]
    for name in ("packets", "bytes", "state"):
        endings[f"{role}_{name}"] = own(name)
    endings[f"{role}_fin_epoch"] = np.where(own("fin_count") > 0, own("fin_time"), UNKNOWN)
    acked = own("fin_acked_time")
    endings[f"{role}_fin_acked_epoch"] = np.where(acked == 0, UNKNOWN, acked)
    for state in ("close_wait", "fin_wait_2"):
        stay = _stay(own(f"{state}_time"), own(f"{state}_end"), ledger.end_time)
        endings[f"{role}_{state}_s"] = stay


def _stay(entered: Ints, left: Ints, end: int) -> Ints:
    """How long an endpoint was in a state, until the capture's end where it still is."""
    stay = np.maximum(np.where(left == 0, end, left) - entered, 0)
    return np.where(entered == 0, UNKNOWN, stay)
