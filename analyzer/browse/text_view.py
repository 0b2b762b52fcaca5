"""Lines of text to scroll through: a ladder, a summary, sockets."""

from collections.abc import Sequence
from functools import lru_cache

from rich.text import Text

from analyzer.browse.drawing import drawn
from analyzer.browse.rows_view import RowsView
from analyzer.views.console import Line

DRAWN_KEPT = 512


class TextView(RowsView):
    """Lines for people."""

    def __init__(self, name: str, lines: Sequence[Line] = ()) -> None:
        super().__init__(name)
        self._lines = list(lines)
        self._drawn = lru_cache(DRAWN_KEPT)(self._draw)

    def on_mount(self) -> None:
        self.show_rows(len(self._lines))

    def show_lines(self, lines: Sequence[Line], cursor: int = 0) -> None:
        """Show other lines."""
        self._lines = list(lines)
        self._drawn.cache_clear()
        self.show_rows(len(self._lines), cursor)

    @property
    def lines(self) -> list[Line]:
        return self._lines

    def row(self, place: int) -> Text:
        return self._drawn(place)

    def widest(self) -> int:
        return max((len(line.plain) for line in self._lines), default=0)

    def _draw(self, place: int) -> Text:
        return drawn(self._lines[place])
