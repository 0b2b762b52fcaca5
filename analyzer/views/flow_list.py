"""Connections as a list, one a line, fitted to the terminal."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.results.column_values import flow_values
from analyzer.results.filter_words import known_column
from analyzer.results.flow_selection import COLUMNS, ListOrder, is_text, selected, text_of
from analyzer.results.result import Analysed
from analyzer.times import date_text, moment
from analyzer.units import UNKNOWN, counted
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
DAY = 24 * 3600 * 10**9


class FlowListing(NamedTuple):
    """What is listed: ``columns`` of flows, none for those that people ask for first."""

    order: ListOrder = ListOrder()
    columns: Sequence[str] = ()


class ListColumn(NamedTuple):
    """A column of the list: its title, the columns of flows that it is made from, whether it is flush right, and how
    much it matters where there is no room (0: always there)."""

    title: str
    made_from: tuple[str, ...]
    cells: Callable[["_Cells"], list[str]]
    right: bool = False
    matters: int = 0


Widths = dict[ListColumn, int]


class _Cells:
    """The values of some connections, as text."""

    def __init__(self, analysed: Analysed, endings: Rows, names: Sequence[str], long: bool) -> None:
        self._store, self._long = analysed.tables, long
        self._values = flow_values(endings, analysed.tables.files, names)

    def numbers(self, name: str) -> list[Any]:
        return list(self._values[name].tolist())

    def texts(self, name: str) -> list[str]:
        """A column as text: what stands for texts as those, a time as a time of day, a length of time with its unit."""
        column, values = COLUMNS[name], self._values[name]
        if is_text(column):
            return [safe(text) for text in text_of(column, values, self._store)]
        say = {"time": self.time, "seconds": _length, "flag": _yes}.get(column.kind, str)
        return [say(value) if value != UNKNOWN else "" for value in values.tolist()]

    def time(self, value: int) -> str:
        """With its date where the capture is longer than a day."""
        if self._long:
            return date_text(value // 1000 * 1000)[:-4].removesuffix("000")
        return moment(value).time().isoformat("microseconds")

    def ends(self, role: str) -> list[str]:
        ports = self.numbers(f"{role}_port")
        return [endpoint(ip, port) for ip, port in zip(self.texts(f"{role}_ip"), ports, strict=True)]

    def longest(self) -> list[str]:
        """The longest known dwell in CLOSE_WAIT or FIN_WAIT_2, and whose it is."""
        table = np.stack([self._values[name] for _, _, name in DWELLS])
        which = table.argmax(axis=0)
        lengths = table.max(axis=0)
        return [
            f"{DWELLS[place][0]} {DWELLS[place][1]} {_length(value)}" if value > 0 else ""
            for place, value in zip(which.tolist(), lengths.tolist(), strict=True)
        ]


def _length(value: int) -> str:
    return duration(value / 1e9)


def _yes(value: int) -> str:
    return "yes" if value else "no"


def _plain(name: str) -> ListColumn:
    return ListColumn(name, (name,), lambda cells: cells.texts(name), right=not is_text(COLUMNS[name]))


def _role(role: str) -> ListColumn:
    return ListColumn(role, (f"{role}_ip", f"{role}_port"), lambda cells: cells.ends(role))


def _bytes(role: str) -> ListColumn:
    name = f"{role}_bytes"
    title = f"{role} bytes"
    return ListColumn(title, (name,), lambda cells: [f"{n:,}" for n in cells.numbers(name)], right=True, matters=3)


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
    """The list, at most ``columns`` wide where columns can be left out; what was, is said at the end."""
    shown = [_plain(known_column(name)) for name in listing.columns] or list(FIRST)
    summary, count, kept = analysed.summary, 0, shown
    long = (summary.last_ns or 0) - (summary.first_ns or 0) >= DAY
    for endings in selected(analysed.tables, listing.order):
        for begin in range(0, len(endings), AT_ONCE):
            names = sorted({name for column in kept for name in column.made_from})
            some = _Cells(analysed, endings[begin : begin + AT_ONCE], names, long)
            cells = {column: column.cells(some) for column in kept}
            widths = {column: max(map(len, [column.title, *cells[column]])) for column in kept}
            if not count and not listing.columns:
                kept = _fitting(shown, widths, columns)
            count += len(endings[begin : begin + AT_ONCE])
            yield from _table(kept, widths, cells)
    yield from _last_words(analysed, listing, count, len(kept) < len(shown), columns)


def _table(columns: Sequence[ListColumn], widths: Widths, cells: dict[ListColumn, list[str]]) -> Iterator[Line]:
    """Some lines under their titles."""
    form = "  ".join(f"%{'' if column.right else '-'}{widths[column]}s" for column in columns)
    yield Line((form % tuple(column.title for column in columns)).rstrip(), "dim")
    for row in zip(*(cells[column] for column in columns), strict=True):
        yield Line((form % row).rstrip())


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


def _fitting(shown: Sequence[ListColumn], widths: Widths, columns: int) -> list[ListColumn]:
    """The columns for which there is room, those that matter least left out first."""
    kept = list(shown)
    while sum(widths[column] + 2 for column in kept) - 2 > columns:
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
