"""The frame that decides a finding: where several captures were given, a command reads the file that holds it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.ledger_view import LedgerView

# Columns of endpoints that name a frame, and those with its time.
DATED = (
    ("syn_frame", "syn_time"),
    ("syn_last_frame", "syn_last_time"),
    ("fin_frame", "fin_time"),
    ("fin_last_frame", "fin_last_time"),
    ("fin_acked_frame", "fin_acked_time"),
    ("rst_frame", "rst_time"),
    ("rst_answers_frame", "rst_answers_time"),
    ("data_frame", "data_time"),
    ("half_close_last_frame", "data_time"),
    ("repeat_last_frame", "repeat_last_time"),
    ("zero_window_frame", "zero_window_since"),
    ("missing_frame", "missing_time"),
    ("duplicate_frame", "duplicate_time"),
    ("cut_frame", "cut_time"),
    ("clock_back_frame", "clock_back_time"),
    ("last_frame", "last_time"),
)


def deciding_frame(
    when: NDArray[Any], frames: Sequence[NDArray[Any]], flow: NDArray[np.intp], view: LedgerView
) -> NDArray[Any]:
    """Of some findings about the flows ``flow`` of ``view`` the frame that decides: of their ``frames`` the one that
    passed at the time ``when``; the last, where none did."""
    table = np.stack(frames, axis=1) if frames else np.zeros((len(when), 1), np.int64)
    last = np.asarray(table.max(axis=1))
    found = np.zeros_like(last)
    for frame, time in _dated(view):
        own = frame[flow]
        fits = (time[flow] == when) & (own > 0) & (table == own[:, None]).any(axis=1)
        found = np.where(fits & (found == 0), own, found)
    return np.asarray(np.where(found > 0, found, last))


def _dated(view: LedgerView) -> Sequence[tuple[NDArray[Any], NDArray[Any]]]:
    """Frames of each flow and their times, shape (flows,) each."""
    pairs = [(view.flow("first_frame"), view.flow("first_time"))]
    for frame, time in DATED:
        with suppress(KeyError):  # of a flow that is ordinary but for its tuple little is known
            pairs += [(view.own(frame)[:, side], view.own(time)[:, side]) for side in (0, 1)]
    return pairs
