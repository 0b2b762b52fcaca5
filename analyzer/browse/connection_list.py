"""The connections as a list, of which only what is seen is ever made."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.text import Text

from analyzer.browse.browsed import ChosenConnections, gravest
from analyzer.browse.drawing import GREY, ORANGE, RED, SEVERITY_COLOURS, SEVERITY_SIGNS, painted
from analyzer.browse.rows_view import RowsView
from analyzer.results.flow_selection import rows_of
from analyzer.tracker.vocabularies import TEARDOWNS, Teardown
from analyzer.views.flow_list import ListColumn, fitting, measured, shown_columns

BLOCK = 128  # connections whose cells are made together
BLOCKS_KEPT = 32
GAP = "  "
ENDING_COLOURS = {  # words of the column teardown: a RST, a side that is not closed, what was never open
    TEARDOWNS.by_code[Teardown.RESET]: RED,
    TEARDOWNS.by_code[Teardown.ABORTED]: RED,
    TEARDOWNS.by_code[Teardown.HALF_CLOSED]: ORANGE,
    TEARDOWNS.by_code[Teardown.TIMED_OUT]: ORANGE,
    TEARDOWNS.by_code[Teardown.NEVER_ESTABLISHED]: GREY,
}


class ListCell(NamedTuple):
    """A cell, and the style that its text asks for."""

    text: str
    style: str


class ConnectionList(RowsView):
    """The list. Columns are as wide as the widest of their cells so far, so nothing is ever cut off; those that matter
    least are left out where there is no room."""

    def __init__(self) -> None:
        super().__init__("connections")
        self._chosen: ChosenConnections | None = None
        self._blocks: dict[int, dict[ListColumn, list[str]]] = {}
        self._widths: dict[ListColumn, int] = {}
        self._columns: list[ListColumn] = []

    def show_connections(self, chosen: ChosenConnections, stream: int | None) -> None:
        """List other connections, the cursor on the one it was on, if that is among them."""
        self._chosen, self._blocks = chosen, {}
        self._columns = shown_columns(chosen.words.listing)
        self._widths = {column: len(self._title(column)) for column in self._columns}
        places = np.flatnonzero(chosen.streams.astype(np.int64) == (-1 if stream is None else stream))
        cursor = int(places[0]) if len(places) else 0
        if len(chosen.streams):
            self._block(cursor // BLOCK)
        self.show_rows(len(chosen.streams), cursor)

    @property
    def stream(self) -> int | None:
        """The connection under the cursor."""
        return int(self._chosen.streams[self.cursor]) if self._chosen is not None and self.count else None

    def widest(self) -> int:
        return sum(self._widths[column] + len(GAP) for column in self._shown())

    def heading(self) -> Text | None:
        return painted(self._line({column: self._title(column) for column in self._shown()}), "bold")

    def row(self, place: int) -> Text:
        block = self._block(place // BLOCK)
        text = Text(no_wrap=True)
        for column in self._shown():
            cell = _cell(column, block[column][place % BLOCK])
            text.append(self._padded(column, cell.text), cell.style).append(GAP)
        return text

    def _title(self, column: ListColumn) -> str:
        """With an arrow where the column sorts."""
        order = self._chosen.words.listing.order if self._chosen else None
        if order is None or order.column != column.made_from[0] or len(column.made_from) > 2:
            return column.title
        return f"{column.title}{'▼' if order.down else '▲'}"

    def _line(self, cells: dict[ListColumn, str]) -> str:
        return GAP.join(self._padded(column, text) for column, text in cells.items())

    def _padded(self, column: ListColumn, text: str) -> str:
        return text.rjust(self._widths[column]) if column.right else text.ljust(self._widths[column])

    def _shown(self) -> Sequence[ListColumn]:
        """The columns for which there is room; all that were asked for by name."""
        if self._chosen is None or self._chosen.words.listing.columns:
            return self._columns
        return fitting(self._columns, np.array([*self._widths.values()]), self.room)

    def _block(self, number: int) -> dict[ListColumn, list[str]]:
        """The cells of some connections that stand together."""
        if number not in self._blocks:
            assert self._chosen is not None
            streams = self._chosen.streams[number * BLOCK : (number + 1) * BLOCK]
            analysed = self._chosen.analysed
            texts = measured(analysed, rows_of(analysed.tables, streams), self._columns)[0].texts()
            cells = {column: texts[place :: len(self._columns)] for place, column in enumerate(self._columns)}
            while len(self._blocks) >= BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[number] = cells
            wider = {
                column: max((len(_cell(column, text).text) for text in texts), default=0)
                for column, texts in cells.items()
            }
            if any(wider[column] > self._widths[column] for column in self._columns):
                self._widths = {column: max(width, wider[column]) for column, width in self._widths.items()}
                self.call_later(self.measure)
                self.refresh()
        return self._blocks[number]


def _cell(column: ListColumn, text: str) -> ListCell:
    """A cell with its sign and colour."""
    name = column.made_from[0]
    if name == "findings" and text:
        severity = gravest(text.split(";"))
        return ListCell(f"{SEVERITY_SIGNS.get(severity, ' ')} {text}", SEVERITY_COLOURS.get(severity, ""))
    if name == "teardown":
        return ListCell(text, ENDING_COLOURS.get(text, ""))
    return ListCell(text, "")
