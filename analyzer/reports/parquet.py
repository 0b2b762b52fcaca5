"""The tables as Parquet, from rows of numbers: a row group a part, words and addresses by their numbers."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analyzer.lines import Words, compact
from analyzer.parquet import Dictionary, Field, File, Form, Group, Pages, Values, dictionary
from analyzer.reports.atomic import blamed
from analyzer.reports.columns import TABLES, Column, Kind
from analyzer.reports.slices import Make, Part, Tables
from analyzer.reports.values import VOCABULARIES, entry_values, flow_values, segment_values

TEXT: dict[int, Any] = {6: 0, 10: {1: {}}}  # of a SchemaElement: UTF-8, by its old name and its new one
TIME: dict[int, Any] = {10: {8: {1: True, 2: {3: {}}}}}  # UTC, nanoseconds
KINDS: dict[Kind, tuple[Form, dict[int, Any], Any]] = {
    "count": (Form.NUMBERS, {}, pa.int64()),
    "number": (Form.NUMBERS, {}, pa.int64()),
    "word": (Form.PLACES, TEXT, pa.dictionary(pa.int8(), pa.string())),
    "address": (Form.PLACES, TEXT, pa.dictionary(pa.int32(), pa.string())),
    "text": (Form.PLACES, TEXT, pa.large_string()),
    "time": (Form.NUMBERS, TIME, pa.timestamp("ns", "UTC")),
    "seconds": (Form.SECONDS, {}, pa.float64()),
    "flag": (Form.FLAGS, {}, pa.bool_()),
}


@contextmanager
def groups_maker(tables: Tables, files: dict[str, BinaryIO], most: int) -> Iterator[Make]:
    """What makes row groups of parts, of at most so many rows, and writes them; the files end with the block."""
    made = {name: new_file(name, file) for name, file in files.items()}
    spare: list[Columns] = []  # memory that has been touched is used again, by the next part of the same table
    texts: dict[Kind, Words] = {"address": tables.addresses, "text": Words.of(tables.combinations)}

    def write(table: str, group: Group) -> None:
        with blamed(files[table]):
            made[table].write(group)

    def make(part: Part) -> Iterator[Callable[[], None]]:
        columns = spare.pop() if spare else None
        if columns is None or columns.table != part.table:
            columns = Columns(part.table, texts)
        for some in part.cut(most):
            yield partial(write, part.table, columns.group(some))
        spare.append(columns)

    yield make
    for name, file in files.items():
        with blamed(file):
            made[name].finish()


def new_file(name: str, file: BinaryIO) -> File:
    """A table's file without rows."""
    return File(file, fields(name), {"ARROW:schema": _schema(name)})


@cache
def fields(name: str) -> list[Field]:
    """The columns of a table's file."""
    return [Field(column.name, _form(name, column), KINDS[column.kind][1]) for column in TABLES[name]]


def _form(name: str, column: Column) -> Form:
    return Form.TEXTS if name == "findings" and column.kind == "text" else KINDS[column.kind][0]


@cache
def _schema(name: str) -> str:
    """The columns as Arrow and pandas have them, for readers that know Arrow."""
    many = KINDS["address"][2]  # there are more notes than a byte can number
    types = [(column.name, many if column.name == "note" else KINDS[column.kind][2]) for column in TABLES[name]]
    return base64.b64encode(pa.schema(types).serialize()).decode()


class Columns:
    """Makes rows of a table into row groups, for one thread at a time."""

    def __init__(self, table: str, texts: Mapping[Kind, Words]) -> None:
        self.table = table
        self._pages = Pages(fields(table))
        self._texts = {kind: (words, np.zeros(len(words), np.int32)) for kind, words in texts.items()}

    def group(self, part: Part) -> Group:
        """One part."""
        values = _values(part)
        columns = [self._column(column, values[column.name]) for column in TABLES[self.table]]
        return self._pages.group(len(part.rows), columns)

    def _column(self, column: Column, values: NDArray[Any]) -> Values:
        kind = column.kind
        if kind == "word":
            vocabulary, lookup = _vocabulary(column.name)
            return Values(values, -1, vocabulary, lookup)
        if kind in self._texts:  # only those that occur: each group has its dictionary
            words, places = self._texts[kind]
            codes, kept = compact(values, places)
            return Values(codes, -1, dictionary(words, kept))
        if kind == "flag":
            return Values((values != 0).view(np.uint8), -1)
        return Values(values)


def _values(part: Part) -> dict[str, NDArray[Any]]:
    if part.table == "flows":
        return flow_values(part.rows)
    values = entry_values if part.table == "timeline" else segment_values
    return values(part.rows, part.flows)


@cache
def _vocabulary(name: str) -> tuple[Dictionary, NDArray[np.int64]]:
    """The distinct words, and where among them each code's is; -1 for none."""
    vocabulary = VOCABULARIES[name]
    kept = {word: place for place, word in enumerate(dict.fromkeys(word for word in vocabulary if word))}
    return dictionary(Words.of(list(kept))), np.array([kept.get(word, -1) for word in vocabulary], np.int64)
