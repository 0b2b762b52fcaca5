"""The facts of finished flows, column by column.

The ledger's rows are made for the tracker, which wants all of one endpoint at once. Rules want one column of all
endpoints: reading it from such rows costs a cache miss each. So the rows are turned into columns once, in blocks that
stay in the first cache.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.kernels import const, helper, kernel, record_at
from analyzer.tracker.context import CONTEXT, end_at, flow_at
from analyzer.tracker.ledger import (
    CAPTURE,
    CLOSING_COLUMNS,
    CLOSING_FACTS,
    CONNECTION,
    ENDPOINT_CORE,
    FLOW_CORE,
    ICMP_FACTS,
    OLDER,
    RESETS,
    UNUSUAL,
    UNUSUAL_FACTS,
)
from analyzer.tracker.outcome import Ledger

FIELD = np.dtype([("row", "<i8"), ("offset", "<i8"), ("type", "<i8")])  # in which row a column stands, where, TYPES
TYPES = ("|u1", "|i1", "<u2", "<u4", "<i4", "<i8")
BLOCK = 16  # flows turned together
ENDPOINT_CORE_BYTES, CLOSING_BYTES, UNUSUAL_BYTES = (
    np.int64(row.itemsize) for row in (ENDPOINT_CORE, CLOSING_FACTS, UNUSUAL)
)
FLOW_CORE_BYTES, OLDER_BYTES = np.int64(FLOW_CORE.itemsize), np.int64(OLDER.itemsize)
AGAIN = {f"{what}_last_{kind}": what for what in ("syn", "fin") for kind in ("time", "frame")}
OF_FLOW = frozenset(CONNECTION.names or ())
_u1, _i1, _u2, _u4, _i4, _i8 = (record_at(np.dtype([("value", name)])) for name in TYPES)


class ChosenColumns:
    """Some columns: ``ends`` of ENDPOINT and ``flows`` of CONNECTION."""

    def __init__(self, ends: Sequence[str], flows: Sequence[str]) -> None:
        self.end_fields, self.flow_fields = (
            _fields(ends, ENDPOINT_CORE, CLOSING_FACTS, UNUSUAL),
            _fields(flows, FLOW_CORE, OLDER),
        )
        self.ends = {name: place for place, name in enumerate(ends)}
        self.flows = {name: place for place, name in enumerate(flows)}


def _fields(names: Sequence[str], *rows: "np.dtype[Any]") -> NDArray[np.void]:
    """Where columns of rows that belong together stand."""
    fields: NDArray[np.void] = np.zeros(len(names), FIELD)
    for place, name in enumerate(names):
        row = next(number for number, dtype in enumerate(rows) if name in (dtype.names or ()))
        known: Any = rows[row].fields
        kind, offset, *_ = known[name]
        fields[place] = row, offset, TYPES.index(kind.str)
    return fields


# All that is read of a flow of the kind REUSED: by the rules about an older flow on the tuple, and of every flow.
OF_REUSED = ChosenColumns(
    [
        *("packets", "known", "ack_sent", "missing_bytes", "missing_jumps", "rst_count", "unrelated_segments"),
        *("syn_count", "syn_ack", "syn_time", "syn_frame", "established_time", "last_time"),
    ],
    [
        *("row", "first_frame", "first_time", "client"),
        *("old_seen", "old_state_0", "old_state_1", "old_time_wait", "old_seq_ahead", "old_ts_ahead", "old_ts"),
    ],
)
# Of the kind OTHER: what few endpoints have, and of what all endpoints and flows have no more than this.
INTERNAL = (  # what the tracker alone uses
    *("fin_acks", "peer_fin_event", "next_free", "ack_passed", "broken_idle", "broken_data_idle", "far_next"),
    *("hole_bytes", "hole_from", "hole_end", "missing_from", "missing_end", "half_close_seq"),
    *("disowned_time", "rst_nxt", "challenge_due", "icmp_id", "icmp_last_time"),
    *("pad_bytes", "pad_end", "pad_time", "pad_frame"),
)
SELDOM_NOTED = [*CLOSING_COLUMNS, *UNUSUAL_FACTS, *ICMP_FACTS, *RESETS, *CAPTURE]
OF_OTHER = ChosenColumns(
    [
        *(column.name for column in SELDOM_NOTED if column.name not in INTERNAL),
        *("isn", "state", "state_basis", "known", "syn_ack", "ack_sent", "snd_nxt", "tap_rtt", "ttl_low", "ttl_high"),
        *("packets", "first_frame", "last_frame", "last_time", "syn_count", "syn_time", "syn_frame"),
        *("last_payload", "last_payload_byte", "data_time", "data_frame", "run_frame", "run_time", "run_end"),
    ],
    [
        *("row", "first_frame", "first_time", "client", "client_basis", "close_side", "close_idle", "replaced_time"),
        *("old_seen", "old_state_0", "old_state_1", "old_time_wait", "old_seq_ahead", "old_ts_ahead", "old_ts"),
    ],
)


@kernel(CONTEXT, const(np.int64), const(FIELD), const(FIELD), np.int64, np.int64, np.int64)
def transpose(contexts, slots, end_fields, flow_fields, rows, ends, flows):
    """Write column k of both endpoints of ``slots`` to ``ends``, side after side, from place 2 * k * len(slots) on, and
    column k of the flows to ``flows``, from place k * len(slots) on. ``rows`` has room for 3 * BLOCK addresses."""
    context = contexts[0]
    count = len(slots)
    for first in range(0, count, BLOCK):
        some = min(BLOCK, count - first)
        for side in (np.int64(0), np.int64(1)):
            for place in range(some):
                i = 2 * slots[first + place] + side
                rows[place] = context["ends"] + i * ENDPOINT_CORE_BYTES
                rows[BLOCK + place] = (
                    context["closing_rows"] + np.int64(end_at(context, i)["closing_row"]) * CLOSING_BYTES
                )
                rows[2 * BLOCK + place] = context["unusual"] + np.int64(end_at(context, i)["unusual"]) * UNUSUAL_BYTES
            turn(rows, some, end_fields, ends, first + side * count, 2 * count)
        for place in range(some):
            slot = slots[first + place]
            rows[place] = context["flows"] + slot * FLOW_CORE_BYTES
            rows[BLOCK + place] = context["older"] + np.int64(flow_at(context, slot)["older"]) * OLDER_BYTES
        turn(rows, some, flow_fields, flows, first, count)


@helper
def turn(rows, some, fields, columns, first, length):
    """Write ``some`` numbers of each of ``fields`` to its column, of ``length``, from place ``first`` on."""
    for number in range(len(fields)):
        begin = np.int64(fields[number]["row"]) * BLOCK
        offset, kind = np.int64(fields[number]["offset"]), np.int64(fields[number]["type"])
        turn_one(rows, begin, begin + some, offset, kind, columns, first + number * length)


@helper
def turn_one(rows, begin, end, offset, kind, column, to):
    """Write the numbers of one type that stand at ``offset`` in ``rows`` to ``column``; a loop for each type."""
    to -= begin
    if kind == 5:
        for place in range(begin, end):
            column[to + place] = _i8(rows[place] + offset, np.int64(0))["value"]
    elif kind == 4:
        for place in range(begin, end):
            column[to + place] = _i4(rows[place] + offset, np.int64(0))["value"]
    elif kind == 3:
        for place in range(begin, end):
            column[to + place] = _u4(rows[place] + offset, np.int64(0))["value"]
    elif kind == 2:
        for place in range(begin, end):
            column[to + place] = _u2(rows[place] + offset, np.int64(0))["value"]
    elif kind == 1:
        for place in range(begin, end):
            column[to + place] = _i1(rows[place] + offset, np.int64(0))["value"]
    else:
        for place in range(begin, end):
            column[to + place] = _u1(rows[place] + offset, np.int64(0))["value"]


class ColumnNotKept(KeyError):
    """A column was asked for that is not among those chosen."""


class LedgerColumns(NamedTuple):
    """The facts of some flows: ``ends`` of shape (columns of ENDPOINT, 2, flows) and ``flows`` (columns of CONNECTION,
    flows), as whole numbers of 64 bits; ``chosen`` tells which columns, ``signs`` has their bits of Sign."""

    chosen: ChosenColumns
    ends: NDArray[np.int64]
    flows: NDArray[np.int64]
    signs: NDArray[np.int64]

    def end(self, name: str) -> NDArray[np.int64]:
        """A column of ENDPOINT, shape (2, flows)."""
        if name not in self.chosen.ends:
            raise ColumnNotKept(name)
        return np.asarray(self.ends[self.chosen.ends[name]])

    def flow(self, name: str) -> NDArray[np.int64]:
        """A column of CONNECTION."""
        if name not in self.chosen.flows:
            raise ColumnNotKept(name)
        return np.asarray(self.flows[self.chosen.flows[name]])


def columns_of(
    context: NDArray[np.void], slots: NDArray[np.int64], chosen: ChosenColumns, signs: NDArray[np.int64]
) -> LedgerColumns:
    """The ``chosen`` columns of the flows in ``slots``, which show ``signs``."""
    count = len(slots)
    ends = np.empty((len(chosen.ends), 2, count), np.int64)
    flows = np.empty((len(chosen.flows), count), np.int64)
    rows = np.empty(3 * BLOCK, np.int64)
    transpose(context, slots, chosen.end_fields, chosen.flow_fields, rows, ends.reshape(-1), flows.reshape(-1))
    return LedgerColumns(chosen, ends, flows, signs)


class TransposedLedger(Ledger):
    """The ledger of flows whose facts are there as columns; ``table`` has their rows of the flow table. Columns that
    were not chosen raise ColumnNotKept."""

    def __init__(self, facts: LedgerColumns, table: NDArray[np.void], end_time: int) -> None:
        nothing: NDArray[np.void] = np.zeros(0, np.uint8)
        super().__init__(nothing, table, table, end_time, facts.signs)
        self._facts = facts

    def noted(self, name: str) -> NDArray[Any]:
        """A column of ENDPOINT; the last SYN, or FIN, is the first where there was no other."""
        column = self._facts.end(name).T
        if name not in AGAIN:
            return column
        what, kind = AGAIN[name], name.rpartition("_")[2]
        again, once = self._facts.end(f"{what}_last_time").T != 0, self._facts.end(f"{what}_count").T > 0
        return np.where(again | ~once, column, self._facts.end(f"{what}_{kind}").T)

    def noted_of(self, name: str, place: NDArray[np.intp] | slice) -> NDArray[Any]:
        column = self.noted(name)
        return column[place] if isinstance(place, slice) else column.T.take(place, axis=1).T

    def flow(self, name: str) -> NDArray[Any]:
        return self._facts.flow(name) if name in OF_FLOW else np.asarray(self._table[name])
