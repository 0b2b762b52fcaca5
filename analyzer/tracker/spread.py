"""The facts of flows whose books are closed, column by column.

The ledger's rows are made for the tracker, which wants all of one endpoint at once. Rules want one column of all
endpoints: reading it from such rows costs a cache miss each. So the rows are turned into columns once, in blocks that
stay in the first cache.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.compiled import const, kernel, part, record_at
from analyzer.tracker.desk import DESK, end_at, flow_at
from analyzer.tracker.ledger import CONNECTION, ENDPOINT, FOLLOWED, KEPT, OLDER, UNUSUAL
from analyzer.tracker.outcome import Ledger

FIELD = np.dtype([("offset", "<i8"), ("type", "<i8")])  # where a column stands in its row, and its place in TYPES
TYPES = ("|u1", "|i1", "<u2", "<u4", "<i4", "<i8")
BLOCK = 16  # flows turned together
KEPT_BYTES, UNUSUAL_BYTES = np.int64(KEPT.itemsize), np.int64(UNUSUAL.itemsize)
FOLLOWED_BYTES, OLDER_BYTES = np.int64(FOLLOWED.itemsize), np.int64(OLDER.itemsize)
AGAIN = {f"{what}_last_{kind}": what for what in ("syn", "fin") for kind in ("time", "frame")}
_u1, _i1, _u2, _u4, _i4, _i8 = (record_at(np.dtype([("value", name)])) for name in TYPES)


def _fields(dtype: "np.dtype[Any]") -> NDArray[np.void]:
    fields: NDArray[np.void] = np.zeros(len(dtype.names or ()), FIELD)
    for place, (kind, offset, *_) in enumerate((dtype.fields or {}).values()):
        fields[place] = offset, TYPES.index(kind.str)
    return fields


END_FIELDS, FLOW_FIELDS = _fields(ENDPOINT), _fields(CONNECTION)
END_PLACES = {name: place for place, name in enumerate(ENDPOINT.names or ())}
FLOW_PLACES = {name: place for place, name in enumerate(CONNECTION.names or ())}


@part
def value_at(address, kind):
    """The number of that type at ``address``."""
    if kind == 5:
        return np.int64(_i8(address, np.int64(0))["value"])
    if kind == 3:
        return np.int64(_u4(address, np.int64(0))["value"])
    if kind == 0:
        return np.int64(_u1(address, np.int64(0))["value"])
    if kind == 4:
        return np.int64(_i4(address, np.int64(0))["value"])
    if kind == 2:
        return np.int64(_u2(address, np.int64(0))["value"])
    return np.int64(_i1(address, np.int64(0))["value"])


@kernel(DESK, const(np.int64), const(FIELD), const(FIELD), np.int64, np.int64)
def spread(desks, slots, end_fields, flow_fields, ends, flows):
    """Write column k of both endpoints of ``slots`` to ``ends``, side after side, from place 2 * k * len(slots) on, and
    column k of the flows to ``flows``, from place k * len(slots) on."""
    desk = desks[0]
    count = len(slots)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        for column in range(len(end_fields)):
            offset, kind = np.int64(end_fields[column]["offset"]), np.int64(end_fields[column]["type"])
            for place in range(first, last):
                i = 2 * np.int64(slots[place])
                to = 2 * column * count + place
                ends[to] = value_at(end_address(desk, i, offset), kind)
                ends[to + count] = value_at(end_address(desk, i + 1, offset), kind)
        for column in range(len(flow_fields)):
            offset, kind = np.int64(flow_fields[column]["offset"]), np.int64(flow_fields[column]["type"])
            for place in range(first, last):
                flows[column * count + place] = value_at(flow_address(desk, np.int64(slots[place]), offset), kind)


@part
def end_address(desk, i, offset):
    """Where the column at ``offset`` of ENDPOINT stands for endpoint ``i``."""
    if offset < KEPT_BYTES:
        return desk["ends"] + i * KEPT_BYTES + offset
    return desk["unusual"] + np.int64(end_at(desk, i)["unusual"]) * UNUSUAL_BYTES + offset - KEPT_BYTES


@part
def flow_address(desk, slot, offset):
    """Where the column at ``offset`` of CONNECTION stands for a slot."""
    if offset < FOLLOWED_BYTES:
        return desk["flows"] + slot * FOLLOWED_BYTES + offset
    return desk["older"] + np.int64(flow_at(desk, slot)["older"]) * OLDER_BYTES + offset - FOLLOWED_BYTES


class Columns(NamedTuple):
    """The facts of some flows: ``ends`` of shape (columns of ENDPOINT, 2, flows) and ``flows`` (columns of CONNECTION,
    flows), as whole numbers of 64 bits."""

    ends: NDArray[np.int64]
    flows: NDArray[np.int64]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Their rows of the flow table."""
        return np.asarray(self.flows[FLOW_PLACES["row"]])


def columns_of(desk: NDArray[np.void], slots: NDArray[np.int64]) -> Columns:
    """The columns of the flows in ``slots``."""
    count = len(slots)
    ends = np.empty((len(END_FIELDS), 2, count), np.int64)
    flows = np.empty((len(FLOW_FIELDS), count), np.int64)
    spread(desk, slots, END_FIELDS, FLOW_FIELDS, ends.reshape(-1), flows.reshape(-1))
    return Columns(ends, flows)


class SpreadLedger(Ledger):
    """The ledger of flows whose facts are there as columns; ``table`` has their rows of the flow table."""

    def __init__(self, parts: Sequence[Columns], table: NDArray[np.void], end_time: int) -> None:
        nothing: NDArray[np.void] = np.zeros(0, np.uint8)
        super().__init__(nothing, table, table, end_time)
        self._parts = parts
        self._known: dict[str, NDArray[Any]] = {}

    def noted(self, name: str) -> NDArray[Any]:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._repeated(name) if name in AGAIN else self._joined(name)
        return known

    def flow(self, name: str) -> NDArray[Any]:
        if name not in FLOW_PLACES:
            return np.asarray(self._table[name])
        known = self._known.get("flow " + name)
        if known is None:
            known = np.concatenate([part.flows[FLOW_PLACES[name]] for part in self._parts])
            self._known["flow " + name] = known
        return known

    def _joined(self, name: str) -> NDArray[np.int64]:
        return np.concatenate([part.ends[END_PLACES[name]] for part in self._parts], axis=1).T

    def _repeated(self, name: str) -> NDArray[np.int64]:
        """The last SYN, or FIN, is the first where there was no other."""
        what, kind = AGAIN[name], name.rpartition("_")[2]
        again, once = self._joined(f"{what}_last_time") != 0, self._joined(f"{what}_count") > 0
        return np.where(again | ~once, self._joined(name), self._joined(f"{what}_{kind}"))
