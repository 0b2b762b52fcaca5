"""The connections that a list shows: sorted by a column of flows, the first so many."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.columns import TableColumn
from analyzer.results.column_values import flow_values
from analyzer.results.expression_words import known_column
from analyzer.results.letters import spelled
from analyzer.results.schema import TABLES
from analyzer.results.store import FLOWS_AT_ONCE, FlowStore
from analyzer.tracker.flow_record import ENDING

Rows = NDArray[np.void]
COLUMNS = {column.name: column for column in TABLES["flows"]}
NO_WORD = 255


class ListOrder(NamedTuple):
    """By a column of flows, the highest first where ``down``; at most ``limit`` of them, None for all."""

    column: str = "stream"
    down: bool = False
    limit: int | None = None


def order_of(text: str | None, limit: int | None) -> ListOrder:
    """What ``--sort`` says: a column, with a minus before it from the highest. Raises UsageError for an unknown one."""
    if text is None:
        return ListOrder(limit=limit)
    down = text.startswith("-")
    return ListOrder(known_column(text.removeprefix("-").strip()), down, limit)


def selected(store: FlowStore, order: ListOrder) -> Iterator[Rows]:
    """Rows of ENDING in that order, many at a time. Where nothing sorts or limits them, memory does not grow."""
    if order.column == "stream" and not order.down:
        yield from _first(store, order.limit)
        return
    streams = streams_in_order(store, order)
    for begin in range(0, len(streams), FLOWS_AT_ONCE):
        yield rows_of(store, streams[begin : begin + FLOWS_AT_ONCE])


def streams_in_order(store: FlowStore, order: ListOrder) -> NDArray[np.uint32]:
    """The numbers of the connections in that order."""
    streams = store.streams()
    if order.column == "stream":
        return (streams[::-1] if order.down else streams)[: order.limit]
    column, keys = COLUMNS[order.column], []
    for gather in store.slices(FLOWS_AT_ONCE):
        keys.append(_comparable(column, gather()[0], store))
    return streams[_sorted(np.concatenate(keys), order.down)[: order.limit]] if keys else streams


def rows_of(store: FlowStore, streams: NDArray[Any]) -> Rows:
    """The rows of ENDING of these streams, in this order."""
    if not len(streams):
        return np.zeros(0, ENDING)
    some = streams.astype(np.int64)
    flags = np.zeros(int(some.max()) + 1, np.bool_)
    flags[some] = True
    rows = np.concatenate([gather()[0] for gather in store.only(flags).slices(FLOWS_AT_ONCE)])
    return rows[np.searchsorted(rows["stream"], some)]


def text_of(column: TableColumn, values: NDArray[Any], store: FlowStore) -> list[str]:
    """The words, addresses, names and other texts of a column, "" for none."""
    if column.kind == "letters":
        codes, texts = spelled(values)
        return [texts[code] if code >= 0 else "" for code in codes.tolist()]
    if column.name == "findings":
        return [store.combinations[code] for code in values.tolist()]
    if column.kind == "address":
        return [store.addresses[code].decode() if code >= 0 else "" for code in values.tolist()]
    if column.kind == "file":
        return [store.files.files[code] if code >= 0 else "" for code in values.tolist()]
    known = column.words.by_code
    return [known[code] if code < len(known) else "" for code in values.tolist()]


def is_text(column: TableColumn) -> bool:
    """Whether a column's numbers stand for texts."""
    return column.kind in ("word", "address", "file", "text", "letters")


def _first(store: FlowStore, limit: int | None) -> Iterator[Rows]:
    left = limit
    for gather in store.slices(FLOWS_AT_ONCE if limit is None else max(min(limit, FLOWS_AT_ONCE), 1)):
        if left is not None and left <= 0:
            return
        endings, _ = gather()
        yield endings[:left]
        left = None if left is None else left - len(endings)


def _comparable(column: TableColumn, endings: Rows, store: FlowStore) -> NDArray[Any]:
    """A column as numbers or texts that can be put in order; nothing is lowest."""
    values = flow_values(endings, store.files, [column.name])[column.name]
    return np.array(text_of(column, values, store), object) if is_text(column) else values


def _sorted(keys: NDArray[Any], down: bool) -> NDArray[np.intp]:
    """Their places in order; those of equal ones stay in the order of streams."""
    if keys.dtype == object:
        keys = np.unique(keys.astype(str), return_inverse=True)[1]
    order = np.argsort(keys, kind="stable")
    if not down:
        return order
    return len(keys) - 1 - np.argsort(keys[::-1], kind="stable")[::-1]
