"""The tables as CSV: compiled lines from rows of numbers, some thousand rows at a time.

Quotes stand where RFC 4180 asks for them, and only free text and names of files can need them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.columns import TableColumn
from analyzer.results.column_values import made_of
from analyzer.results.finding_list import FindingList, FindingRows
from analyzer.results.letters import ALPHABET
from analyzer.results.notes import NOTES
from analyzer.results.number_table import NumberTable, numbers_of_frame
from analyzer.results.schema import SEGMENTS, TABLES
from analyzer.tcp.states import NO_ARROW
from analyzer.text import (
    ParentRows,
    Template,
    TemplatePiece,
    TextLines,
    Words,
    code,
    letters,
    literal,
    number,
    quoted,
    run_on,
    seconds,
)
from analyzer.times import EPOCH, NEVER
from analyzer.tracker.flow_record import BASES, ENTRY_COLUMNS, EVENTS, FLOW_COLUMNS, STATES, WHO
from analyzer.tracker.vocabularies import SIDES
from analyzer.units import UNKNOWN
from analyzer.writers.atomic_file import blamed
from analyzer.writers.finding_lines import FindingLines
from analyzer.writers.parallel import Make, OrderedWork, Steps, TablePart, TableRows

if TYPE_CHECKING:
    import pandas as pd

Rows = NDArray[np.void]
DIGITS = ("count", "number", "sequence")
WORDS = {"address": "addresses", "file": "files", "flag": "flags"}  # where a kind of column has no words of its own


def header(columns: Iterable[TableColumn]) -> bytes:
    """The first line of a table's file."""
    return (",".join(column.name for column in columns) + "\n").encode()


def cells(texts: Sequence[str]) -> Words:
    """Texts as cells of a CSV file."""
    return Words.of([quoted(text) for text in texts])


@contextmanager
def parts_maker(tables: TableRows, files: dict[str, BinaryIO], most: int) -> Iterator[Make]:
    """What makes the lines of parts: UTF-8, a header, lines ended by ``\\n``."""
    combinations, reasons = cells(tables.combinations), reason_cells(tables.notes)
    spare: list[NDArray[np.uint8]] = []  # buffers: memory that has been touched is used again
    for name, file in files.items():
        file.write(header(TABLES[name]))

    def lines_of(part: TablePart) -> TextLines:
        if part.table == "flows":
            return flow_lines(part.rows, tables.addresses, combinations, tables.files)
        if part.table == "timeline":
            return entry_lines(part.rows, part.flows, tables.addresses, reasons)
        return segment_lines(part.rows, part.flows, tables.addresses)

    def write(table: str, text: NDArray[np.uint8]) -> None:
        with blamed(files[table]):
            files[table].write(text.data)

    def make(part: TablePart) -> Iterator[Callable[[], None]]:
        buffer = spare.pop() if spare else np.empty(0, np.uint8)
        for some in part.cut(most):
            lines, buffer = run_on([lines_of(some)], buffer)
            yield partial(write, part.table, lines.text)
        spare.append(buffer)

    yield make


def write_findings(listing: FindingList, file: BinaryIO, threads: int = 1) -> None:
    """Write findings.csv; so many threads make the lines."""
    file.write(header(TABLES["findings"]))
    made = FindingLines(listing)
    spare: list[NDArray[np.uint8]] = []  # memory that has been touched is used again

    def make(places: FindingRows) -> Steps:
        room = spare.pop() if spare else np.empty(0, np.uint8)
        lines, room = made.of(places, room)
        for text in lines.parts():
            yield partial(write, text)
        spare.append(room)

    def write(text: NDArray[np.uint8]) -> None:
        with blamed(file):
            file.write(text.data)

    OrderedWork((partial(FindingRows, *places) for places in listing.parts()), make).run(threads)


def flow_lines(
    endings: Rows,
    addresses: Words,
    combinations: Words,
    files: FrameFiles,
    columns: Sequence[TableColumn] = FLOW_COLUMNS,
) -> TextLines:
    """Lines of flows.csv, with these of its columns. ``combinations`` are the texts of the column ``findings``, as
    cells."""
    words = {**_words(), "addresses": addresses, "findings": combinations, "files": cells(files.files)}
    made = {column.name: made_of(column, endings, files) for column in columns if column.made}
    known = {name: numbers for name, numbers in made.items() if numbers is not None}
    return _flow(frozenset(made.keys() - known.keys()), tuple(column.name for column in columns)).bind(
        endings, words, more=known
    )


class FlowCells:
    """Makes lines of flows.csv, or of the columns ``names`` of it, of any rows of ENDING."""

    def __init__(self, tables: TableRows, names: Sequence[str] | None) -> None:
        own = {column.name: column for column in FLOW_COLUMNS}
        self._columns = [own[name] for name in (own if names is None else names)]
        self._tables, self._combinations = tables, cells(tables.combinations)
        self.header = header(self._columns)

    def lines(self, endings: Rows) -> Iterator[NDArray[np.uint8]]:
        """Their lines as text, many at a time; the array is used again for the next ones."""
        tables = self._tables
        made = flow_lines(endings, tables.addresses, self._combinations, tables.files, self._columns)
        return made.parts()


def entry_lines(entries: Rows, endings: Rows, addresses: Words, reasons: Words) -> TextLines:
    """Lines of timeline.csv; ``end`` of the entries counts within ``endings``; ``reasons`` are of ``reason_cells``."""
    who = _endpoints().bind(endings, {"addresses": addresses}).words()
    return _entry().bind(entries, {"happening": _happenings(), "reason": reasons, "who": who})


def segment_lines(segments: Rows, flows: Rows, addresses: Words) -> TextLines:
    """Lines of segments.csv; ``flows`` is the flow table."""
    return _segment().bind(segments, {"addresses": addresses}, {"flow": ParentRows(flows, "sender", 1)})


def frame_lines(columns: Sequence[TableColumn], frame: "pd.DataFrame") -> bytes:
    """The lines of a DataFrame with these columns."""
    return b"".join(map(bytes, table_lines(numbers_of_frame(columns, frame))))


def write_table(table: NumberTable, file: BinaryIO) -> None:
    """Write a table that is given as numbers."""
    file.write(header(table.columns))
    for text in table_lines(table):
        file.write(text.data)


def table_lines(table: NumberTable) -> Iterator[NDArray[np.uint8]]:
    """Its lines as text, many at a time; the array is used again for the next ones."""
    template = Template(_row([_number_piece(column) for column in table.columns]))
    words = {name: cells(texts.texts()) for name, texts in table.texts.items()} | {"flags": FLAGS}
    for numbers in table.parts():
        yield from template.bind(numbers, words).parts()


def _number_piece(column: TableColumn) -> TemplatePiece:
    """A cell of a column that is given as numbers."""
    if column.kind in ("time", "seconds"):
        return seconds(column.name)
    if column.kind in DIGITS:
        return number(column.name)
    return code(column.name, "flags" if column.kind == "flag" else column.name)


FLAGS = cells(["false", "true"])


@cache
def _words() -> dict[str, Words]:
    """The words of the columns of flows.csv that have a vocabulary."""
    made = {column.name: cells(column.words.by_code) for column in FLOW_COLUMNS if column.words.by_code}
    return made | {"flags": FLAGS, "letters": cells(ALPHABET)}


@cache
def _flow(nothing: Set[str], names: tuple[str, ...]) -> Template:
    """Of the columns ``names``, ``nothing`` have no value in any row."""
    own = {column.name: column for column in FLOW_COLUMNS}
    return Template(_row([literal("") if name in nothing else _piece(own[name]) for name in names]))


@cache
def _endpoints() -> Template:
    """Two lines a flow, with what each line of its client's or server's begins."""
    return Template(*(_endpoint(role) for role in SIDES.by_code[:2]))


def _endpoint(role: str) -> list[TemplatePiece | str]:
    who = [_piece(column) for column in WHO]
    return [*_row(who)[:-1], f",{role},", code(f"{role}_ip", "addresses"), ",", number(f"{role}_port")]


@cache
def _entry() -> Template:
    """All behind the endpoint, which stands in the same words at the head of many lines. Words that stand side by side
    are looked up together: there are few that occur."""
    behind = [
        _piece(column) for column in ENTRY_COLUMNS if column.name not in ("event", "from_state", "state", "basis")
    ]
    happening = code("event", "happening", ("from_state", len(STATES.by_code)), ("state", len(STATES.by_code)))
    reason = code("basis", "reason", ("arrow", NO_ARROW + 1), ("note", NOTES))
    return Template(_row([code("end", "who"), happening, *behind, reason]))


@cache
def _happenings() -> Words:
    """The cells of ``event``, ``from_state`` and ``state``, by their codes."""
    moves = [f"{before},{after}" for before in STATES.by_code for after in STATES.by_code]
    return Words.pairs([f"{event}," for event in EVENTS.by_code], moves)


def reason_cells(notes: Sequence[str]) -> Words:
    """The cells of ``basis`` and ``note``, by their codes; ``notes`` are those of ``note_texts``."""
    return Words.pairs([f"{basis}," for basis in BASES.by_code], [quoted(note) for note in notes])


@cache
def _segment() -> Template:
    pieces = [_piece(column) for column in SEGMENTS]
    return Template(_row([piece._replace(of="flow") if piece.column == "stream" else piece for piece in pieces]))


def _row(pieces: Sequence[TemplatePiece]) -> list[TemplatePiece | str]:
    """A line of cells."""
    *parts, _ = (part for piece in pieces for part in (piece, ","))
    return [*parts, "\n"]


def _piece(column: TableColumn) -> TemplatePiece:
    """A cell of a column."""
    field = column.source
    if column.kind == "time":
        return seconds(field, none=NEVER, zero=EPOCH)
    if column.kind == "seconds":
        return seconds(field)
    if column.kind in DIGITS:
        return number(field, none=0 if column.kind == "number" else UNKNOWN)
    if column.kind == "letters":
        return letters(field, "letters", *column.more)
    return code(field, WORDS.get(column.kind, column.name))
