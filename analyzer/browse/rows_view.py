"""Rows of text with a cursor, each made when it is seen: a list of 300,000 takes no longer than one of 30."""

from typing import ClassVar

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

SIDEWAYS = 8  # columns
MORE = "▸"  # at the right of a row that goes on there


class RowsView(ScrollView, can_focus=True):
    """The base of lists and ladders: who inherits it says what stands in a row. ``heading`` stays on top."""

    DEFAULT_CSS = """
    RowsView { scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1; }
    RowsView > .rows--cursor { background: #2b323b; }
    RowsView:focus > .rows--cursor { background: #434f5e; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home", "to_start", show=False),
        Binding("end", "to_end", show=False),
        Binding("left", "sideways(-1)", show=False),
        Binding("right", "sideways(1)", show=False),
        Binding("enter", "open", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, rows: "RowsView") -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> "RowsView":
            return self.rows

    class Opened(Moved):
        """A row is to be opened."""

    def __init__(self, name: str) -> None:
        super().__init__(id=name)
        self.cursor = 0
        self._count = 0

    def row(self, place: int) -> Text:
        """What stands in a row; nothing, where nobody who inherits it says so."""
        return Text()

    def heading(self) -> Text | None:
        """What stays above the rows."""
        return None

    def widest(self) -> int:
        """Columns of the widest row."""
        return 0

    def show_rows(self, count: int, cursor: int = 0) -> None:
        """There are other rows now."""
        self._count = count
        self.cursor = max(min(cursor, count - 1), 0)
        self.measure()
        self.scroll_to(x=0, y=0, animate=False, immediate=True)
        self._follow()
        self.refresh()
        self.post_message(self.Moved(self))

    def keep_rows(self, count: int, cursor: int) -> None:
        """Rows came, went or were sorted: the cursor is where its row is now, on the line of the screen where it was,
        if that is possible. Where it was out of sight, nothing scrolls."""
        top = int(self.scroll_offset.y)
        line, height = self.cursor - top, max(self.size.height - self._above, 1)
        self._count, self.cursor = count, max(min(cursor, count - 1), 0)
        self.measure()
        if 0 <= line < height:
            self.scroll_to(y=max(self.cursor - line, 0), animate=False, immediate=True)
            self._follow()
        self.refresh()

    def measure(self) -> None:
        """Tell how much there is to scroll through."""
        self.virtual_size = Size(self.widest(), self._count + self._above)

    @property
    def count(self) -> int:
        return self._count

    @property
    def room(self) -> int:
        """Columns for a row, beside the scrollbar."""
        return self.scrollable_content_region.width

    @property
    def _above(self) -> int:
        return 0 if self.heading() is None else 1

    def render_line(self, y: int) -> Strip:
        """The line ``y`` of what is seen."""
        width, (left, top) = self.room, self.scroll_offset
        heading, place = self.heading(), top + y - self._above
        on_top = heading is not None and y == 0
        text = self.row(place) if 0 <= place < self._count and not on_top else Text()
        text = heading if heading is not None and on_top else text
        strip = Strip([*text.render(self.app.console), Segment("")])
        more = strip.cell_length > left + width > 0
        strip = strip.crop_extend(left, left + width - more, None)
        if more:
            strip = Strip([*strip, Segment(MORE)])
        strip = strip.apply_style(self.rich_style)
        if place == self.cursor and self._count and not on_top:
            strip = Strip(
                Segment.apply_style(list(strip), post_style=self.get_component_rich_style("rows--cursor", partial=True))
            )
        return strip

    def _follow(self) -> None:
        """Scroll as little as shows the cursor."""
        height = max(self.size.height - self._above, 1)
        top = int(self.scroll_offset.y)
        if self.cursor < top:
            top = self.cursor
        elif self.cursor >= top + height:
            top = self.cursor - height + 1
        self.scroll_to(y=top, animate=False, immediate=True)

    def move_to(self, place: int) -> None:
        """Put the cursor on a row."""
        place = max(min(place, self._count - 1), 0)
        if place != self.cursor:
            self.cursor = place
            self._follow()
            self.refresh()
            self.post_message(self.Moved(self))

    def on_resize(self) -> None:
        self.measure()
        self._follow()

    def on_click(self, event: events.Click) -> None:
        place = int(self.scroll_offset.y) + event.y - self._above
        if event.y >= self._above and place < self._count:
            again = place == self.cursor
            self.move_to(place)
            if again:
                self.action_open()

    def action_move(self, rows: int) -> None:
        self.move_to(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        self.move_to(self.cursor + pages * max(self.size.height - self._above - 1, 1))

    def action_to_start(self) -> None:
        self.move_to(0)

    def action_to_end(self) -> None:
        self.move_to(self._count - 1)

    def action_sideways(self, steps: int) -> None:
        self.scroll_to(x=max(self.scroll_offset.x + steps * SIDEWAYS, 0), animate=False, immediate=True)

    def action_open(self) -> None:
        if self._count:
            self.post_message(self.Opened(self))
