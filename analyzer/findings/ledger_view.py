"""Some flows of a ledger, each of its columns read once and kept in one piece.

A row of the ledger is as long as many cache lines: reading a column of it costs a miss a flow, and rules read the same
columns over and over. A view of a few thousand flows stays in the processor's cache.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.tracker.outcome import Codes, Ledger, T

CONCLUDED = {"rst_side", "rst_cause", "handshake", "one_sided", "crossed_fins"}  # of flows, for many rules
AT_ONCE = 8192  # flows: so many values of a few columns are about what the processor's second cache holds


class LedgerView(Ledger):
    """The flows ``rows`` of the ledger ``whole``, in that order; reads as the ledger does."""

    def __init__(self, whole: Ledger, rows: NDArray[np.intp]) -> None:
        self._whole, self.rows = whole, rows
        self._place: NDArray[np.intp] | slice = rows
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
            self._place = slice(int(rows[0]), int(rows[-1]) + 1)  # nothing need be looked up
        self.end_time, self.gaps = whole.end_time, whole.gaps
        self.signs = whole.signs[self._place]
        self._kept: dict[str, NDArray[Any]] = {}
        self._concluded: dict[Callable[[Ledger], Any], Any] = {}
        self.views = {}

    @property
    def flows(self) -> int:
        return len(self.rows)

    def of(self, places: NDArray[np.intp]) -> "LedgerView":
        """Some of these flows; this view itself where it is all of them. What was concluded of these already is not
        concluded again."""
        if len(places) == self.flows:
            return self
        part = LedgerView(self._whole, self.rows[places])
        vars(part).update({name: vars(self)[name][places] for name in CONCLUDED & vars(self).keys()})
        return part

    def own(self, name: str) -> NDArray[Any]:
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = _by_sides(self._whole.noted_of(name, self._place))
        return kept

    def once(self, concluded: Callable[[Ledger], T]) -> T:
        if concluded not in self._concluded:
            self._concluded[concluded] = concluded(self)
        found: T = self._concluded[concluded]
        return found

    def peer(self, name: str) -> NDArray[Any]:
        return self.own(name)[:, ::-1]

    def flow(self, name: str) -> NDArray[Any]:
        kept = self._kept.get("flow " + name)
        if kept is None:
            kept = self._kept["flow " + name] = np.ascontiguousarray(self._whole.flow(name)[self._place])
        return kept

    def of_side(self, name: str, side: Codes) -> NDArray[Any]:
        column = self.own(name)
        return np.where(side > 0, column[:, 1], column[:, 0])

    @cached_property
    def rst_side(self) -> Codes:
        return super().rst_side if self.own("rst_count").any() else np.full(self.flows, -1)

    @cached_property
    def rst_cause(self) -> Codes:
        return super().rst_cause if (self.rst_side >= 0).any() else np.zeros(self.flows, np.int64)

    @cached_property
    def one_sided(self) -> NDArray[np.bool_]:
        return np.zeros(self.flows, np.bool_) if self.own("packets").all() else super().one_sided

    @cached_property
    def client(self) -> Codes:
        return self.flow("client").astype(np.int64)

    @cached_property
    def client_known(self) -> NDArray[np.bool_]:
        return np.asarray(self.flow("client_basis") > 0)


def _by_sides(column: NDArray[Any]) -> NDArray[Any]:
    """A column of endpoints with each side's numbers in one piece, which makes whatever is asked of a flow's two sides
    several times as fast; and numbers of which rules may take differences."""
    wide = column.dtype.kind == "u" and column.dtype.itemsize > 1
    return np.asarray(column, np.int64 if wide else column.dtype, order="F")


def views(ledger: Ledger, rows: NDArray[np.intp]) -> Iterator[LedgerView]:
    """The flows ``rows`` of ``ledger``, some thousand at a time. Of neighbours, asked for again, it is the same."""
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        key = int(some[0]), int(some[-1])
        if key[1] - key[0] >= len(some):
            yield LedgerView(ledger, some)
            continue
        if key not in ledger.views:
            ledger.views[key] = LedgerView(ledger, some)
        yield ledger.views[key]
