"""The tables as Parquet, from rows of numbers: a row group a part, words and addresses by their numbers.

Whole numbers and times, which differ little from row to row, are kept as differences: that takes less room than
compression alone would leave, and hardly any time. Of what is left Snappy makes a twentieth more than Zstandard would,
in three quarters of the time. Words have no statistics: comparing them takes as long as all else that is done with
them, and no reader can skip rows by them, since the rows are in another order.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.columns import ColumnKind, TableColumn
from analyzer.results.column_values import Values, entry_values, flow_values, segment_values
from analyzer.results.schema import TABLES
from analyzer.text import Words, compact, in_order
from analyzer.times import UNKNOWN
from analyzer.writers import arrow_arrays
from analyzer.writers.atomic_file import blamed
from analyzer.writers.parallel import Make, TablePart, TableRows

WORD = pa.dictionary(pa.int8(), pa.string())
MANY = pa.dictionary(pa.int32(), pa.string())  # addresses and notes: more than a byte can number
TYPES: dict[ColumnKind, Any] = {
    "count": pa.int64(),
    "number": pa.int64(),
    "word": WORD,
    "address": MANY,
    "file": MANY,
    "text": pa.large_string(),
    "time": pa.timestamp("ns", "UTC"),
    "seconds": pa.float64(),
    "flag": pa.bool_(),
}
WHOLE = ("count", "number", "time")
REPEATED = ("word", "address", "file", "text")
UNIQUE = ("frames", "message")  # texts that hardly repeat


@contextmanager
def groups_maker(tables: TableRows, files: dict[str, BinaryIO], most: int) -> Iterator[Make]:
    """What makes row groups of parts, of at most so many rows, and writes them; the files end with the block."""
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(writer(name, file, schema(name), "snappy")) for name, file in files.items()
        }
        spare: list[ArrowColumns] = []

        def write(table: str, group: Any) -> None:
            with blamed(files[table]):
                writers[table].write_table(group, len(group))

        def make(part: TablePart) -> Iterator[Callable[[], None]]:
            arrays = spare.pop() if spare else ArrowColumns(tables)
            for some in part.cut(most):
                yield partial(write, part.table, arrays.group(some))
            spare.append(arrays)

        yield make


@cache
def schema(name: str) -> Any:
    """The columns of a table's file."""
    return pa.schema([(column.name, _type(column)) for column in TABLES[name]])


def _type(column: TableColumn) -> Any:
    return MANY if column.name == "note" else TYPES[column.kind]


def writer(name: str, file: BinaryIO, schema: Any, compression: str) -> Any:
    """What writes a table's row groups into a file."""
    columns = TABLES[name]
    repeated = [column.name for column in columns if column.kind in REPEATED and column.name not in UNIQUE]
    whole = [column.name for column in columns if column.kind in WHOLE]
    ordered = [column.name for column in columns if column.kind not in REPEATED]
    encoding = dict.fromkeys(whole, "DELTA_BINARY_PACKED")
    return pq.ParquetWriter(
        file,
        schema,
        compression=compression,
        use_dictionary=repeated,
        column_encoding=encoding,
        write_statistics=ordered,
    )


class ArrowColumns:
    """Makes rows into Arrow's columns, for one thread at a time."""

    def __init__(self, tables: TableRows) -> None:
        self._addresses, self._files = tables.addresses, tables.files
        self._combinations = arrow_arrays.texts(tables.combinations)
        self._notes = _dictionary(tuple(tables.notes))
        self._names = Words.of(self._files.files)
        self._places = np.zeros(len(self._addresses), np.int32)  # of each address in the part's dictionary

    def group(self, part: TablePart) -> Any:
        """The columns of one part."""
        values = _values(part, self._files)
        columns = [self._array(column, values[column.name]) for column in TABLES[part.table]]
        return pa.Table.from_arrays(columns, schema=schema(part.table))

    def _array(self, column: TableColumn, values: NDArray[Any]) -> Any:
        kind = column.kind
        if kind == "address":
            return self._address(values)
        if column.name == "note":
            return _words(self._notes, values)
        if kind == "file":
            return arrow_arrays.dictionary(values.astype(np.int32), self._names, values < 0)
        if kind == "word":
            return _words(_dictionary(column.words.by_code), values)
        if kind == "text":
            return self._combinations.take(arrow_arrays.numbers(values))
        if kind == "flag":
            return arrow_arrays.flags(values)
        return _numbers(kind, np.ascontiguousarray(values, np.int64))

    def _address(self, values: NDArray[Any]) -> Any:
        """Only the addresses that occur: a row group repeats its dictionary."""
        codes, kept = compact(values, self._places)
        return arrow_arrays.dictionary(codes, in_order(self._addresses, kept).words())


def _values(part: TablePart, files: FrameFiles) -> Values:
    if part.table == "flows":
        return flow_values(part.rows, files)
    values = entry_values if part.table == "timeline" else segment_values
    return values(part.rows, part.flows)


def _numbers(kind: ColumnKind, values: NDArray[np.int64]) -> Any:
    """Whole numbers, times, or nanoseconds as seconds; null where UNKNOWN."""
    return arrow_arrays.numbers(values / 1e9 if kind == "seconds" else values, values == UNKNOWN, TYPES[kind])


@cache
def _dictionary(vocabulary: tuple[str, ...]) -> tuple[NDArray[Any], Words]:
    """Where each code's word is among the distinct ones, -1 for none and for a byte's codes beyond, and these."""
    kept = {word: place for place, word in enumerate(dict.fromkeys(word for word in vocabulary if word))}
    places = np.full(len(vocabulary) + 256, -1, np.int8 if len(vocabulary) < 256 else np.int32)
    places[: len(vocabulary)] = [kept.get(word, -1) for word in vocabulary]
    return places, Words.of(list(kept))


def _words(dictionary: tuple[NDArray[Any], Words], codes: NDArray[Any]) -> Any:
    places, words = dictionary
    picked = places[codes]
    return arrow_arrays.dictionary(picked, words, picked < 0)
