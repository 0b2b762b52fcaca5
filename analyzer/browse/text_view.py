"""Lines of text to scroll through: a ladder, a summary, sockets. What is wider than the screen goes on below."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from rich.text import Text

from analyzer.browse.drawing import drawn
from analyzer.browse.rows_view import RowsView
from analyzer.views.console import Line

DRAWN_KEPT = 512
LEAST = 20  # columns, below which nothing is broken


class TextView(RowsView):
    """Lines for people. A row is a line, or a piece of one that is broken."""

    def __init__(self, name: str, lines: Sequence[Line] = ()) -> None:
        super().__init__(name)
        self._lines = list(lines)
        self._rows: list[tuple[int, int]] = []  # of each row: the line, and which piece of it
        self._laid_out = 0  # the columns for which that is so
        self._broken = lru_cache(DRAWN_KEPT)(self._break)

    def on_mount(self) -> None:
        self.show_lines(self._lines)

    def show_lines(self, lines: Sequence[Line], cursor: int = 0) -> None:
        """Show other lines."""
        self._lines = list(lines)
        self._lay_out()
        self.show_rows(len(self._rows), cursor)

    @property
    def moment(self) -> int | None:
        """What the line under the cursor tells of, or else the last one before it, or the first one after it."""
        here = self._rows[self.cursor][0] if self._rows else 0
        before, after = self._lines[: here + 1], self._lines[here + 1 :]
        return next((line.at for line in (*reversed(before), *after) if line.at is not None), None)

    def row(self, place: int) -> Text:
        line, piece = self._rows[place]
        return self._broken(line)[piece]

    def widest(self) -> int:
        return max((len(line.plain) for line in self._lines), default=0) if self._laid_out < LEAST else self._laid_out

    def on_resize(self) -> None:
        if self.room != self._laid_out:
            self._lay_out()
            self.show_rows(len(self._rows), self.cursor)
        super().on_resize()

    def _lay_out(self) -> None:
        """Break what is too wide."""
        self._laid_out = self.room
        self._broken.cache_clear()
        self._rows = list(self._places())

    def _places(self) -> Iterator[tuple[int, int]]:
        for place, line in enumerate(self._lines):
            pieces = len(self._broken(place)) if self._too_wide(line) else 1
            yield from ((place, piece) for piece in range(pieces))

    def _too_wide(self, line: Line) -> bool:
        return self._laid_out >= LEAST and len(line.plain) > self._laid_out

    def _break(self, place: int) -> list[Text]:
        """A line as it is drawn: in pieces where it is too wide."""
        line = self._lines[place]
        text = drawn(line)
        return list(text.wrap(self.app.console, self._laid_out, no_wrap=False)) if self._too_wide(line) else [text]
