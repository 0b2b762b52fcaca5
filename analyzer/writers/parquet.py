"""The tables as Parquet, from rows of numbers: a row group a part, words and addresses by their numbers.

Whole numbers and times, which differ little from row to row, are kept as differences: that takes less room than
compression alone would leave, and hardly any time. Of what is left Snappy makes a twentieth more than Zstandard would,
in three quarters of the time. Words have no statistics: comparing them takes as long as all else that is done with
them, and no reader can skip rows by them, since the rows are in another order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.columns import ColumnKind, TableColumn
from analyzer.findings.wording import ROLES
from analyzer.results.column_values import Values, entry_values, flow_values, segment_values
from analyzer.results.finding_list import FindingList, FindingRows
from analyzer.results.letters import spelled
from analyzer.results.number_table import NumberTable, numbers_of_frame
from analyzer.results.schema import TABLES
from analyzer.text import Words, compact, in_order
from analyzer.times import outer_column
from analyzer.units import UNKNOWN
from analyzer.vocabulary import CONFIDENCES
from analyzer.writers import arrow_arrays
from analyzer.writers.atomic_file import blamed
from analyzer.writers.parallel import Make, TablePart, TableRows

if TYPE_CHECKING:
    import pandas as pd

WORD = pa.dictionary(pa.int8(), pa.string())
MANY = pa.dictionary(pa.int32(), pa.string())  # addresses and notes: more than a byte can number
TYPES: dict[ColumnKind, Any] = {
    "count": pa.int64(),
    "number": pa.int64(),
    "sequence": pa.int64(),
    "word": WORD,
    "address": MANY,
    "file": MANY,
    "text": pa.large_string(),
    "letters": MANY,
    "time": pa.timestamp("ns", "UTC"),
    "seconds": pa.float64(),
    "flag": pa.bool_(),
}
WHOLE = ("count", "number", "sequence", "time")
REPEATED = ("word", "address", "file", "text", "letters")
FINDINGS_AT_ONCE = 1 << 17  # rows of a group
UNIQUE = ("frames", "message")  # texts that hardly repeat


@contextmanager
def parts_maker(tables: TableRows, files: dict[str, BinaryIO], most: int) -> Iterator[Make]:
    """What makes row groups of parts, of at most so many rows, and writes them; the files end with the block."""
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(writer(TABLES[name], file, schema(name), "snappy"))
            for name, file in files.items()
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
    return _schema(TABLES[name])


def _schema(columns: Sequence[TableColumn]) -> Any:
    return pa.schema([(column.name, _type(column)) for column in columns])


def _type(column: TableColumn) -> Any:
    return MANY if column.name == "note" else TYPES[column.kind]


def write_frame(columns: Sequence[TableColumn], frame: "pd.DataFrame", file: BinaryIO) -> None:
    """Write a DataFrame with these columns."""
    write_table(numbers_of_frame(columns, frame), file)


def write_table(table: NumberTable, file: BinaryIO) -> None:
    """Write a table that is given as numbers: a row group a part."""
    made = _schema(table.columns)
    with writer(table.columns, file, made, "zstd") as groups:
        for numbers in table.parts():
            arrays = [_of_numbers(column, numbers[column.name], table.texts) for column in table.columns]
            groups.write_table(pa.Table.from_arrays(arrays, schema=made))


def _of_numbers(column: TableColumn, numbers: NDArray[Any], texts: Mapping[str, Words]) -> Any:
    if column.kind == "flag":
        return arrow_arrays.flags(numbers)
    if column.kind == "text":
        return arrow_arrays.texts(in_order(texts[column.name], numbers).words())
    if _type(column) == MANY:  # only those that occur: a row group repeats its dictionary
        known, places = numbers >= 0, np.full(len(numbers), -1, np.int32)
        kept, places[known] = np.unique(numbers[known], return_inverse=True)
        return arrow_arrays.dictionary(places, in_order(texts[column.name], kept).words(), ~known)
    if column.kind == "word":
        return _words(_dictionary(tuple(texts[column.name].texts())), numbers)
    return _numbers(column.kind, np.ascontiguousarray(numbers, np.int64))


def writer(columns: Sequence[TableColumn], file: BinaryIO, schema: Any, compression: str) -> Any:
    """What writes a table's row groups into a file."""
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


def write_findings(listing: FindingList, file: BinaryIO, threads: int = 1) -> None:
    """Write findings.parquet; the types are those of docs/columns.md. One thread does all."""
    make = FindingArrays(listing)
    first = make.batch(0)
    with writer(TABLES["findings"], file, first.schema, "zstd") as groups:
        groups.write_table(first)
        for start in range(FINDINGS_AT_ONCE, len(listing), FINDINGS_AT_ONCE):
            groups.write_table(make.batch(start))


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
        if kind == "letters":
            codes, spellings = spelled(values)
            return arrow_arrays.dictionary(codes.astype(np.int32), spellings, codes < 0)
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


class FindingArrays:
    """The findings as pyarrow's columns."""

    def __init__(self, listing: FindingList) -> None:
        self._listing = listing
        used = {role: np.unique(listing.numbers(f"{role}_ip", listing.order)) for role in ROLES}
        self._used = {role: addresses[addresses >= 0] for role, addresses in used.items()}

    def batch(self, start: int) -> Any:
        """A pyarrow.Table of the rows from ``start`` on."""
        places = self._listing.order.some(start, FINDINGS_AT_ONCE)
        columns = self._coded(places) | self._numbers(places) | self._located(places)
        columns |= {
            name: arrow_arrays.texts(self._listing.column(name, places)) for name in ("frames", "message", "advice")
        }
        names = [column.name for column in TABLES["findings"]]
        return pa.Table.from_arrays([columns[name] for name in names], names)

    def _coded(self, places: FindingRows) -> dict[str, Any]:
        listing = self._listing
        codes, severities = listing.vocabularies
        columns = {
            "code": dictionary(places.table, codes),
            "severity": dictionary(places.table, severities),
            "endpoint": dictionary(listing.numbers("blamed", places), ROLES),
            "confidence": dictionary(listing.numbers("confidence", places), CONFIDENCES),
        }
        for role, used in self._used.items():
            rows = listing.numbers(f"{role}_ip", places)
            place = np.where(rows < 0, len(used), np.searchsorted(used, rows))
            columns[f"{role}_ip"] = dictionary(place, [listing.address(row) for row in used.tolist()])
        return columns

    def _located(self, places: FindingRows) -> dict[str, Any]:
        file, frame = self._listing.located(places)
        names = self._listing.files.files
        file = np.where(file < 0, len(names), file)
        return {"file": dictionary(file, names), "file_frame": arrow_arrays.numbers(frame, frame == 0)}

    def _numbers(self, places: FindingRows) -> dict[str, Any]:
        stream, when = (self._listing.numbers(name, places) for name in ("stream", "when"))
        when = outer_column(when)
        columns = {
            "stream": arrow_arrays.numbers(stream, stream == UNKNOWN),
            "time_epoch": arrow_arrays.numbers(when, when == UNKNOWN, pa.timestamp("ns", "UTC")),
        }
        for name in (f"{role}_port" for role in ROLES):
            port = self._listing.numbers(name, places)
            columns[name] = arrow_arrays.numbers(port, port < 0)
        return columns


def dictionary(codes: NDArray[Any], words: Sequence[str]) -> Any:
    """Codes as pyarrow's dictionary of their distinct words; no value for codes beyond them."""
    distinct = list(dict.fromkeys(words))
    size = np.int8 if len(distinct) < 127 else np.int16 if len(distinct) < 32767 else np.int32
    known = {word: place for place, word in enumerate(distinct)}
    places = np.array([*(known[word] for word in words), 0], size)
    return arrow_arrays.dictionary(places[np.minimum(codes, len(words))], distinct, np.asarray(codes >= len(words)))
