"""The lines of flows.csv, timeline.csv and segments.csv, from rows of ENDING, ENTRY and SEGMENT."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.results.column_values import FIRST, SEGMENT_FIELDS, VOCABULARIES, first_in_file
from analyzer.results.schema import FLOWS, SEGMENTS, TABLES, TIMELINE, WHO, TableColumn
from analyzer.results.vocabulary import ARROWS, FLOW_WORDS, NOTES, SIDE_WORDS, STATES
from analyzer.text import ParentRows, Template, TemplatePiece, TextLines, Words, code, literal, number, quoted, seconds
from analyzer.times import EPOCH, NEVER, UNKNOWN

Rows = NDArray[np.void]


def header(name: str) -> bytes:
    """The first line of a table's file."""
    return (",".join(column.name for column in TABLES[name]) + "\n").encode()


def cells(texts: Sequence[str]) -> Words:
    """Texts as cells of a CSV file."""
    return Words.of([quoted(text) for text in texts])


def flow_lines(endings: Rows, addresses: Words, combinations: Words, files: FrameFiles) -> TextLines:
    """Lines of flows.csv. ``combinations`` are the texts of the column ``findings``, as cells."""
    words = {**_flow_words(), "addresses": addresses, "findings": combinations}
    if not files.several:
        return _flow(False).bind(endings, words)
    columns = {column.name: endings[column.name] for column in FLOWS if column.name not in FIRST}
    return _flow(True).bind(columns | first_in_file(endings, files), words | {"first_file": cells(files.files)})


def entry_lines(entries: Rows, endings: Rows, addresses: Words, reasons: Words) -> TextLines:
    """Lines of timeline.csv; ``end`` of the entries counts within ``endings``; ``reasons`` are of ``reason_cells``."""
    who = _endpoints().bind(endings, {"addresses": addresses}).words()
    return _entry().bind(entries, {"happening": _happenings(), "reason": reasons, "who": who})


def segment_lines(segments: Rows, flows: Rows, addresses: Words) -> TextLines:
    """Lines of segments.csv; ``flows`` is the flow table."""
    return _segment().bind(segments, {"addresses": addresses}, {"flow": ParentRows(flows, "sender", 1)})


@cache
def _flow_words() -> dict[str, Words]:
    return {name: cells(words) for name, words in FLOW_WORDS.items()}


@cache
def _flow(several: bool) -> Template:
    """``several`` captures: else nothing stands in the cells of FIRST."""
    nothing = literal("")
    pieces = [_piece(column, column.name) if several or column.name not in FIRST else nothing for column in FLOWS]
    return Template(_row(pieces))


@cache
def _endpoints() -> Template:
    """Two lines a flow, with what each line of its client's or server's begins."""
    return Template(*(_endpoint(role) for role in SIDE_WORDS))


def _endpoint(role: str) -> list[TemplatePiece | str]:
    who = [_piece(column, column.name) for column in WHO]
    return [*_row(who)[:-1], f",{role},", code(f"{role}_ip", "addresses"), ",", number(f"{role}_port")]


@cache
def _entry() -> Template:
    """All behind the endpoint, which stands in the same words at the head of many lines. Words that stand side by side
    are looked up together: there are few that occur."""
    behind = [_piece(column, column.name.removesuffix("_epoch")) for column in TIMELINE[len(WHO) + 6 : -2]]
    happening = code("event", "happening", ("from_state", STATES), ("state", STATES))
    reason = code("basis", "reason", ("arrow", ARROWS), ("note", NOTES))
    return Template(_row([code("end", "who"), happening, *behind, reason]))


@cache
def _happenings() -> Words:
    """The cells of ``event``, ``from_state`` and ``state``, by their codes."""
    states = VOCABULARIES["state"]
    moves = [f"{before},{after}" for before in states for after in states]
    return Words.pairs([f"{event}," for event in VOCABULARIES["event"]], moves)


def reason_cells(notes: Sequence[str]) -> Words:
    """The cells of ``basis`` and ``note``, by their codes; ``notes`` are those of ``note_texts``."""
    return Words.pairs([f"{basis}," for basis in VOCABULARIES["basis"]], [quoted(note) for note in notes])


@cache
def _segment() -> Template:
    pieces = [_piece(column, SEGMENT_FIELDS.get(column.name, column.name)) for column in SEGMENTS]
    return Template(_row([piece._replace(of="flow") if piece.column == "stream" else piece for piece in pieces]))


def _row(pieces: Sequence[TemplatePiece]) -> list[TemplatePiece | str]:
    """A line of cells."""
    *parts, _ = (part for piece in pieces for part in (piece, ","))
    return [*parts, "\n"]


def _piece(column: TableColumn, field: str) -> TemplatePiece:
    """A cell of a column, kept in ``field``."""
    if column.kind == "time":
        return seconds(field, none=NEVER, zero=EPOCH)
    if column.kind == "seconds":
        return seconds(field)
    if column.kind in ("count", "number"):
        return number(field, none=0 if column.kind == "number" else UNKNOWN)
    return code(field, "addresses" if column.kind == "address" else column.name)
