"""The tables as lines of JSON, one object a row: the columns of docs/columns.md, as ``json_document`` has findings.

A time is a text of decimal seconds, a length of time a number, what is joined by ``;`` in CSV a list, an unknown value
null. Plain ASCII: everything else is escaped. The lines are compiled, some thousand rows at a time, and rest on nothing
but these rows, so memory does not grow with the capture.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.columns import ColumnKind, TableColumn
from analyzer.results.column_values import entry_values, flow_values, segment_values
from analyzer.results.finding_list import FindingList
from analyzer.results.letters import spelled
from analyzer.results.number_table import NumberTable
from analyzer.results.schema import TABLES
from analyzer.text import Template, TemplatePiece, Words, code, number, seconds
from analyzer.units import UNKNOWN
from analyzer.writers.atomic_file import blamed
from analyzer.writers.json_document import finding_objects
from analyzer.writers.parallel import Make, TablePart, TableRows, entry_parts, flow_parts, segment_parts

Rows = NDArray[np.void]
Numbers = dict[str, NDArray[Any]]
AT_ONCE = 16_384  # rows
DIGITS = ("count", "number", "sequence")
LISTS = ("findings", "timers", "also_possible")  # columns of texts that are joined by semicolons
NULLS, OPENED, CLOSED = (Words.of(texts) for texts in (["null", ""], ["", '"'], ["null", '"']))
FIXED = {"nulls": NULLS, "opened": OPENED, "closed": CLOSED, "flags": Words.of(["false", "true"])}


class JsonRows(NamedTuple):
    """Rows of a table as numbers, and what those that are not counted stand for: none has one number more."""

    columns: Sequence[TableColumn]
    numbers: Mapping[str, NDArray[Any]]
    words: Mapping[str, Words]

    def lines(self, table: str = "") -> Iterator[NDArray[np.uint8]]:
        """The lines as text, many at a time; the array is used again for the next ones. ``table`` is named in each."""
        template = _template(tuple((column.name, column.kind) for column in self.columns), table)
        known = {f"known:{name}": values != UNKNOWN for name, values in self.numbers.items()}
        return template.bind(dict(self.numbers) | known, {**FIXED, **self.words}).parts()


@cache
def _template(columns: tuple[tuple[str, ColumnKind], ...], table: str) -> Template:
    pieces: list[TemplatePiece | str] = []
    for name, kind in columns:
        before = ", " if pieces else "{" + (f'"table": {json.dumps(table)}, ' if table else "")
        pieces += [f"{before}{json.dumps(name)}: ", *_value(name, kind)]
    return Template([*pieces, "}\n"])


def _value(name: str, kind: ColumnKind) -> list[TemplatePiece | str]:
    known = f"known:{name}"
    if kind == "time":
        return [code(known, "opened"), seconds(name), code(known, "closed")]
    if kind == "seconds":
        return [seconds(name), code(known, "nulls")]
    if kind in DIGITS:
        return [number(name)] if kind == "count" else [number(name), code(known, "nulls")]
    return [code(name, "flags" if kind == "flag" else name)]


def text_values(texts: Sequence[str], several: bool = False) -> Words:
    """Texts as JSON has them: null for an empty one, and once more behind them all, for numbers that have none."""
    if several:
        return Words.of([json.dumps([part for part in text.split(";") if part]) for text in [*texts, ""]])
    return Words.of([json.dumps(text) if text else "null" for text in [*texts, ""]])


class TableLines:
    """Makes the lines of what is kept of an analysis; the texts are made once."""

    def __init__(self, tables: TableRows) -> None:
        self._tables = tables
        self._texts = {
            "addresses": text_values(tables.addresses.texts()),
            "findings": text_values(tables.combinations, several=True),
            "files": text_values(tables.files.files),
            "note": text_values(tables.notes),
        }

    def of(self, part: TablePart, names: Sequence[str] | None = None) -> JsonRows:
        """Rows of one table, with these of its columns."""
        if part.table == "flows":
            values = flow_values(part.rows, self._tables.files, names)
        else:
            values = (entry_values if part.table == "timeline" else segment_values)(part.rows, part.flows)
        own = {column.name: column for column in TABLES[part.table]}
        columns = [own[name] for name in names] if names is not None else list(own.values())
        numbers: Numbers = {}
        words: dict[str, Words] = {}
        for column in columns:
            numbers[column.name], found = self._coded(column, values[column.name])
            words |= {} if found is None else {column.name: found}
        return JsonRows(columns, numbers, words)

    def _coded(self, column: TableColumn, values: NDArray[Any]) -> tuple[NDArray[Any], Words | None]:
        """A column as numbers, and their words where it has any."""
        if column.kind in (*DIGITS, "time", "seconds", "flag"):
            return values, None
        if column.kind == "letters":
            codes, texts = spelled(values)
            return _within(codes, words := text_values(texts)), words
        shared = {"address": "addresses", "file": "files"}.get(column.kind, column.name)
        words = self._texts[shared] if shared in self._texts else _vocabulary(column.words.by_code)
        return _within(values, words), words


@cache
def _vocabulary(words: tuple[str, ...]) -> Words:
    return text_values(words)


def _within(codes: NDArray[Any], words: Words) -> NDArray[Any]:
    """Codes, the last of ``words`` instead of those that have none."""
    none = len(words) - 1
    signed = codes.astype(np.int64)
    return np.where((signed < 0) | (signed > none), none, signed)


@contextmanager
def parts_maker(tables: TableRows, files: dict[str, BinaryIO], most: int) -> Iterator[Make]:
    """What makes the lines of parts and writes them."""
    made = TableLines(tables)

    def write(table: str, text: NDArray[np.uint8]) -> None:
        with blamed(files[table]):
            files[table].write(text.data)

    def make(part: TablePart) -> Iterator[Callable[[], None]]:
        for some in part.cut(most):
            for text in made.of(some).lines():
                yield partial(write, part.table, text)

    yield make


def write_findings(listing: FindingList, file: BinaryIO, threads: int = 1) -> None:
    """Write the findings. One thread does all."""
    for line in finding_lines(listing):
        with blamed(file):
            file.write(line)


def finding_lines(listing: FindingList, table: str = "") -> Iterator[bytes]:
    """The lines of the findings, many at a time; ``table`` is named in each."""
    head: dict[str, Any] = {"table": table} if table else {}
    for places in listing.parts():
        objects = finding_objects(listing, places)
        yield "".join(json.dumps({**head, **each}) + "\n" for each in objects).encode()


def write_table(table: NumberTable, file: BinaryIO) -> None:
    """Write a table that is given as numbers."""
    for text in number_lines(table):
        file.write(text.data)


def number_lines(table: NumberTable, name: str = "") -> Iterator[NDArray[np.uint8]]:
    """The lines of a table that is given as numbers; ``name`` is named in each."""
    words = {column: text_values(texts.texts(), column in LISTS) for column, texts in table.texts.items()}
    for part in table.parts():
        numbers = {name: _within(values, words[name]) if name in words else values for name, values in part.items()}
        yield from JsonRows(table.columns, numbers, words).lines(name)


def table_lines(
    tables: TableRows, name: str, segments: tuple[Rows, Rows] | None = None, named: bool = False
) -> Iterator[NDArray[np.uint8]]:
    """The lines of flows, timeline or segments; if ``named``, the table is named in each."""
    made = TableLines(tables)
    if name == "segments":
        parts = segment_parts(*segments, AT_ONCE) if segments is not None else iter(())
    else:
        parts = (flow_parts if name == "flows" else entry_parts)(tables, AT_ONCE)
    for gather in parts:
        for some in gather().cut(AT_ONCE):
            yield from made.of(some).lines(name if named else "")
