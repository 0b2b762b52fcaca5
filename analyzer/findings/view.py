"""Some flows of a ledger, each of its columns read once and kept in one piece.

A row of the ledger is as long as many cache lines: reading a column of it costs a miss a flow, and rules read the same
columns over and over. A view of a few thousand flows stays in the processor's cache.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.tracker.outcome import Codes, Ledger

AT_ONCE = 2048  # flows: so many rows of the ledger are about what the processor's second cache holds


class View(Ledger):
    """The flows ``rows`` of the ledger ``whole``, in that order; reads as the ledger does.

    ``more`` has columns of flows that the ledger has not.
    """

    def __init__(self, whole: Ledger, rows: NDArray[np.intp], more: Mapping[str, NDArray[Any]]) -> None:
        self._whole, self.rows, self._more = whole, rows, more
        self.end_time = whole.end_time
        self._kept: dict[str, NDArray[Any]] = {}

    @property
    def flows(self) -> int:
        return len(self.rows)

    def of(self, places: NDArray[np.intp]) -> "View":
        """Some of these flows; this view itself where it is all of them."""
        return self if len(places) == self.flows else View(self._whole, self.rows[places], self._more)

    def own(self, name: str) -> NDArray[Any]:
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = _signed(self._whole.own(name)[self.rows])
        return kept

    def peer(self, name: str) -> NDArray[Any]:
        return self.own(name)[:, ::-1]

    def flow(self, name: str) -> NDArray[Any]:
        kept = self._kept.get("flow " + name)
        if kept is None:
            kept = self._kept["flow " + name] = self._column(name)[self.rows]
        return kept

    def _column(self, name: str) -> NDArray[Any]:
        return self._more[name] if name in self._more else self._whole.flow(name)

    def of_side(self, name: str, side: Codes) -> NDArray[Any]:
        column = self.own(name)
        return np.where(side > 0, column[:, 1], column[:, 0])

    @cached_property
    def client(self) -> Codes:
        return self.flow("client").astype(np.int64)

    @cached_property
    def client_known(self) -> NDArray[np.bool_]:
        return np.asarray(self.flow("client_basis") > 0)


def _signed(column: NDArray[Any]) -> NDArray[Any]:
    """Numbers of which rules may take differences."""
    return column.astype(np.int64) if column.dtype.kind == "u" and column.dtype.itemsize > 1 else column


def views(ledger: Ledger, rows: NDArray[np.intp], more: Mapping[str, NDArray[Any]]) -> Iterator[View]:
    """The flows ``rows`` of ``ledger``, some thousand at a time."""
    for start in range(0, len(rows), AT_ONCE):
        yield View(ledger, rows[start : start + AT_ONCE], more)
