"""Connections as a list, one a line, fitted to the terminal."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.results.column_values import flow_values
from analyzer.results.expression_words import known_column
from analyzer.results.flow_selection import COLUMNS, ListOrder, is_text, selected, text_of
from analyzer.results.result import Analysed
from analyzer.text import Template, TemplatePiece, Words, code, number
from analyzer.text.table import GAP, table, widest
from analyzer.times import date_text
from analyzer.units import SECOND, UNKNOWN, counted
from analyzer.views.console import Line, duration, endpoint, wrapped
from analyzer.views.escape import safe
from analyzer.views.next_commands import command

Rows = NDArray[np.void]
AT_ONCE = 8192  # lines whose columns are as wide as each other
DWELLS = [
    (role, state, f"{role}_{state.lower()}_s")
    for state in ("CLOSE_WAIT", "FIN_WAIT_2")
    for role in ("client", "server")
]
DAY = 24 * 3600 * SECOND
WHOSE = Words.of([f"{role} {state} " for role, state, _ in DWELLS])
THOUSAND = Words.of([f"{number:03d}" for number in range(1000)])
UNITS = 10 ** np.arange(3, 10)  # what ``duration`` rounds to, in nanoseconds, and from where on each
UNITS_FROM = np.array([0, 999_500, 10**7, 10**8, 999_500_000, 10**10, 99_950_000_000])
IN_MINUTES = 120 * SECOND  # from here on
Widths = NDArray[np.int64]


class FlowListing(NamedTuple):
    """What is listed: ``columns`` of flows, none for those that people ask for first."""

    order: ListOrder = ListOrder()
    columns: Sequence[str] = ()


Pieces = list[TemplatePiece | str]


class ListColumn(NamedTuple):
    """A column of the list: its title, the columns of flows that it is made from, whether it is flush right, and how
    much it matters where there is no room (0: always there)."""

    title: str
    made_from: tuple[str, ...]
    pieces: Callable[["ListCells"], Pieces]
    right: bool = False
    matters: int = 0


class ListCells:
    """The values of some connections as what cells are made of: numbers, and words for what is no digits. Of values
    that occur often, the words are made once."""

    def __init__(self, analysed: Analysed, endings: Rows, names: Sequence[str], long: bool) -> None:
        self._store, self._long = analysed.tables, long
        self._values = flow_values(endings, analysed.tables.files, names)
        self.numbers: dict[str, NDArray[Any]] = {"row": np.arange(len(endings))}
        self.words: dict[str, Words] = {}

    def plain(self, name: str) -> Pieces:
        """A column: what stands for texts as those, a time as a time of day, a length of time with its unit."""
        column = COLUMNS[name]
        if column.kind == "time":
            return self.time(name)
        if column.kind == "seconds":
            return self._said(name, as_said(self._values[name]), _length)
        if column.kind == "flag":
            return self._said(name, self._values[name], _yes)
        if not is_text(column):
            self.numbers[name] = self._values[name]
            return [number(name)]
        axis = 0 if self._values[name].ndim > 1 else None
        found, places = np.unique(self._values[name], axis=axis, return_inverse=True)
        self.numbers[name] = places.reshape(-1)
        self.words[name] = Words.of([safe(text) for text in text_of(column, found, self._store)])
        return [code(name, name)]

    def _said(self, key: str, values: NDArray[Any], say: Callable[[int], str]) -> Pieces:
        """Values as texts, nothing where they are not known."""
        found, self.numbers[key] = np.unique(values, return_inverse=True)
        self.words[key] = Words.of([say(value) if value != UNKNOWN else "" for value in found.tolist()])
        return [code(key, key)]

    def time(self, name: str) -> Pieces:
        """With its date where the capture is longer than a day."""
        values = self._values[name]
        whole, rest = np.divmod(values, SECOND)
        millis, micros = np.divmod(rest // 1000, 1000)
        known = values != UNKNOWN
        self.numbers |= {f"{name} ms": np.where(known, millis, -1), f"{name} us": np.where(known, micros, -1)}
        self.words["thousand"] = THOUSAND
        date = slice(None if self._long else 11, 19)
        seconds = self._said(name, np.where(known, whole, UNKNOWN), lambda value: date_text(value * SECOND)[date] + ".")
        return [*seconds, code(f"{name} ms", "thousand"), code(f"{name} us", "thousand")]

    def end(self, role: str) -> Pieces:
        """Address and port."""
        address, port = f"{role}_ip", f"{role}_port"
        self.numbers[port] = self._values[port]
        self._said(address, self._values[address], lambda row: endpoint(self._store.addresses[row].decode(), ""))
        return [code(address, address), number(port)]

    def bytes(self, name: str) -> Pieces:
        return self._said(name, self._values[name], "{:,}".format)

    def longest(self) -> Pieces:
        """The longest known dwell in CLOSE_WAIT or FIN_WAIT_2, and whose it is."""
        table = np.stack([self._values[name] for _, _, name in DWELLS])
        lengths = table.max(axis=0)
        self.numbers["whose"] = np.where(lengths > 0, table.argmax(axis=0), -1)
        self.words["whose"] = WHOSE
        return [
            code("whose", "whose"),
            *self._said("longest", np.where(lengths > 0, as_said(lengths), UNKNOWN), _length),
        ]


def as_said(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lengths of time in nanoseconds, those made equal that ``duration`` says alike; UNKNOWN stays."""
    size = np.abs(np.where(lengths == UNKNOWN, 0, lengths))
    unit = UNITS[np.searchsorted(UNITS_FROM, size, "right") - 1]
    rounded = np.rint(size / unit).astype(np.int64) * unit
    rounded = np.where(size < IN_MINUTES, np.minimum(rounded, IN_MINUTES - 1), rounded)
    return np.where(lengths == UNKNOWN, UNKNOWN, np.sign(lengths) * rounded)


def _length(value: int) -> str:
    return duration(value / 1e9)


def _yes(value: int) -> str:
    return "yes" if value else "no"


def _plain(name: str) -> ListColumn:
    return ListColumn(name, (name,), lambda cells: cells.plain(name), right=not is_text(COLUMNS[name]))


def _role(role: str) -> ListColumn:
    return ListColumn(role, (f"{role}_ip", f"{role}_port"), lambda cells: cells.end(role))


def _bytes(role: str) -> ListColumn:
    name = f"{role}_bytes"
    return ListColumn(f"{role} bytes", (name,), lambda cells: cells.bytes(name), right=True, matters=3)


FIRST = (
    _plain("stream"),
    _plain("first_epoch")._replace(title="time (UTC)", matters=2),
    _role("client"),
    _role("server"),
    _plain("duration_s")._replace(title="lasted", matters=1),
    _bytes("client"),
    _bytes("server"),
    _plain("teardown")._replace(title="ending"),
    _plain("closed_by")._replace(title="closed first", matters=1),
    ListColumn("longest state", tuple(name for _, _, name in DWELLS), lambda cells: cells.longest(), matters=4),
    _plain("findings"),
)


def list_lines(analysed: Analysed, listing: FlowListing, columns: int) -> Iterator[Line]:
    """The list, at most ``columns`` wide where columns can be left out; what was, is said at the end. The connections
    come many at a time, as one text of several lines."""
    shown, count = shown_columns(listing), 0
    kept = shown
    for endings in selected(analysed.tables, listing.order):
        for begin in range(0, len(endings), AT_ONCE):
            some = endings[begin : begin + AT_ONCE]
            if not count and not listing.columns:
                _, widths = measured(analysed, some, shown)
                kept = fitting(shown, widths, columns)
            count += len(some)
            yield from _table(kept, *measured(analysed, some, kept))
    yield from _last_words(analysed, listing, count, len(kept) < len(shown), columns)


def shown_columns(listing: FlowListing) -> list[ListColumn]:
    """The columns that are asked for, else those that people ask for first."""
    return [_plain(known_column(name)) for name in listing.columns] or list(FIRST)


def measured(analysed: Analysed, endings: Rows, columns: Sequence[ListColumn]) -> tuple[Words, Widths]:
    """The cells of some connections, row after row, and how wide each column has to be."""
    summary = analysed.summary
    long = (summary.last_ns or 0) - (summary.first_ns or 0) >= DAY
    made = ListCells(analysed, endings, sorted({name for column in columns for name in column.made_from}), long)
    template = Template(*([*column.pieces(made), ""] for column in columns))
    cells = template.bind(made.numbers, made.words).words()
    return cells, np.maximum(widest(cells, len(columns)), [len(column.title) for column in columns])


def _table(columns: Sequence[ListColumn], cells: Words, widths: Widths) -> Iterator[Line]:
    """Some lines under their titles."""
    right = [column.right for column in columns]
    titles = table(Words.of([column.title for column in columns]), widths, right)
    yield Line(titles.removesuffix("\n"), "dim")
    yield Line(table(cells, widths, right).removesuffix("\n"))


def _last_words(analysed: Analysed, listing: FlowListing, shown: int, left_out: bool, columns: int) -> Iterator[Line]:
    total = analysed.overview.flows
    if not total:
        by = analysed.summary.chosen_by
        yield Line(f"No connection fits {safe(by)}" if by else "The capture contains no TCP connection.")
        return
    words = []
    if shown < total:
        words.append(f"{shown:,} of {counted(total, 'connection')}; --limit 0 lists all")
    if left_out:
        words.append("columns left out for want of room; a wider terminal or --columns shows them")
    if words:
        yield Line()
        yield from (Line(line, "dim") for line in wrapped(". ".join(words), 0, columns))
    if not listing.columns:
        yield Line(command("timeline", analysed.summary, analysed.listing.settings, "--stream N", filters=False), "dim")


def fitting(shown: Sequence[ListColumn], widths: Widths, columns: int) -> list[ListColumn]:
    """The columns for which there is room, those that matter least left out first."""
    wide = dict(zip(shown, widths.tolist(), strict=True))
    kept = list(shown)
    while sum(wide[column] + GAP for column in kept) - GAP > columns:
        least = max(kept, key=lambda column: column.matters)
        if not least.matters:
            break
        kept.remove(least)
    return kept


def only_stream(analysed: Analysed) -> int:
    """The stream of the only connection."""
    return int(next(selected(analysed.tables, ListOrder(limit=1)))["stream"][0])


def csv_text(analysed: Analysed, listing: FlowListing) -> Iterator[memoryview]:
    """The same as CSV, with the cells of flows.csv."""
    from analyzer.writers.csv import FlowCells

    cells = FlowCells(analysed.tables, [known_column(name) for name in listing.columns] or None)
    yield memoryview(cells.header)
    for endings in selected(analysed.tables, listing.order):
        yield from (text.data for text in cells.lines(endings))


def json_text(analysed: Analysed, listing: FlowListing) -> Iterator[memoryview]:
    """The same as lines of JSON, as in flows.jsonl."""
    from analyzer.writers.jsonl import TableLines
    from analyzer.writers.parallel import TablePart

    made, names = TableLines(analysed.tables), [known_column(name) for name in listing.columns] or None
    for endings in selected(analysed.tables, listing.order):
        for some in TablePart("flows", endings, endings).cut(AT_ONCE):
            yield from (text.data for text in made.of(some, names).lines())
