"""The screen of ``live``: a table of groups with their sockets by state, and what was found.

It draws the data of a :class:`~analyzer.live.screen_data.ScreenSource` twice a second, and asks it for ladders. Nothing
is computed here. All text is drawn as it is, never as markup.
"""

from typing import ClassVar

from rich.markup import escape
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Static

from analyzer.errors import TeardownError
from analyzer.live.census import STATES, SocketGroup
from analyzer.live.screen_data import News, ScreenData, ScreenSource
from analyzer.views.console import SEVERITY_STYLES, Line, duration

REFRESH = 0.5  # seconds
ROWS_SHOWN = 500
SHORT = {
    "SYN_SENT": "SYN_S", "SYN_RECEIVED": "SYN_R", "ESTABLISHED": "ESTAB", "FIN_WAIT_1": "FIN_W1",
    "FIN_WAIT_2": "FIN_W2", "CLOSE_WAIT": "CLOSE_W", "LAST_ACK": "LAST_A", "TIME_WAIT": "TIME_W",
}  # fmt: skip
SORTS = ("closing", "CLOSE_WAIT", "TIME_WAIT", "ESTABLISHED", "oldest", "name")


class LadderScreen(ModalScreen[None]):
    """One connection from its first segment to its last."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "back")]

    def __init__(self, lines: list[Line]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Text("\n").join(Text.assemble(*line.pieces) for line in self._lines), markup=False)
        yield Footer()


class Screen(App[None]):
    """The whole screen."""

    CSS = """
    #head { height: 1; background: $panel; }
    #filter { display: none; }
    #filter.open { display: block; }
    #groups { height: 3fr; }
    #news { height: 2fr; border-top: solid $panel; }
    LadderScreen { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "sort"),
        Binding("slash", "filter", "filter"),
        Binding("p,space", "pause", "pause"),
        Binding("tab", "focus_next", "other table"),
        Binding("q,ctrl+c", "leave", "quit", priority=True),
    ]

    def __init__(self, subject: ScreenSource) -> None:
        super().__init__()
        self._subject = subject
        self._sort = 0
        self._words = ""
        self._paused = False
        self._data = ScreenData()
        self._shown: list[SocketGroup] = []
        self._news: list[News] = []

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield Input(placeholder="show only what contains ...", id="filter")
        yield DataTable(id="groups", cursor_type="row", zebra_stripes=True)
        yield DataTable(id="news", cursor_type="row", show_header=False)
        yield Footer()

    def on_mount(self) -> None:
        self._table("groups").add_columns(
            "endpoint", *(SHORT.get(state.name, state.name) for state in STATES), "next", "oldest", "process", "kernel"
        )
        self._table("news").add_columns("news")
        self._table("groups").focus()
        self.set_interval(REFRESH, self.redraw)
        self.redraw()

    def _table(self, name: str) -> "DataTable[Text]":
        return self.query_one(f"#{name}", DataTable)

    def redraw(self) -> None:
        """Draw the newest data, unless paused or behind a ladder."""
        if len(self.screen_stack) > 1:
            return
        if not self._paused:
            self._data = self._subject.data()
        self._draw()
        if self._data.ended and not self._paused:
            self.exit()

    def _draw(self) -> None:
        sort = SORTS[self._sort]
        state = "   PAUSED" if self._paused else ""
        words = f"   filter: {self._words}" if self._words else ""
        self.query_one("#head", Static).update(Text(f"{self._data.head}   sorted by {sort}{words}{state}"))
        chosen = [group for group in self._data.groups if self._words in f"{group.name} {self._owner(group)}"]
        self._shown = sorted(chosen, key=lambda group: order(group, sort))[:ROWS_SHOWN]
        self._fill("groups", [self._row(group) for group in self._shown])
        self._news = [news for news in self._data.news if self._words in news.search][:ROWS_SHOWN]
        styles = SEVERITY_STYLES
        self._fill("news", [[Text(news.text, style=styles.get(news.severity, "dim"))] for news in self._news])

    def _owner(self, group: SocketGroup) -> str:
        return self._data.owners.get(group.name, "")

    def _row(self, group: SocketGroup) -> list[Text]:
        counts = [group.counts.get(state.name, 0) for state in STATES]
        cells = [Text(f"{count:,}" if count else "-", justify="right") for count in counts]
        left = "" if group.next_s is None else duration(max(group.next_s, 0.0))
        oldest = duration(group.oldest_s) if group.oldest_s else ""
        tail = (Text(left, justify="right"), Text(oldest, justify="right"), Text(self._owner(group)))
        return [Text(group.name), *cells, *tail, Text(difference(group, self._data.kernel.get(group.name)))]

    def _fill(self, name: str, rows: list[list[Text]]) -> None:
        """Draw the rows anew, the cursor and the scrolling where they were."""
        table = self._table(name)
        cursor, scroll = table.cursor_row, table.scroll_y
        table.clear()
        table.add_rows(rows)
        if rows:
            table.move_cursor(row=min(cursor, len(rows) - 1), scroll=False)
            table.scroll_to(y=scroll, animate=False)

    def action_sort(self) -> None:
        self._sort = (self._sort + 1) % len(SORTS)
        self._draw()

    def action_pause(self) -> None:
        self._paused = not self._paused
        self._draw()

    def action_filter(self) -> None:
        entry = self.query_one("#filter", Input)
        entry.add_class("open")
        entry.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The filter is what was typed; nothing typed is no filter."""
        self._words = event.value
        event.input.remove_class("open")
        self._table("groups").focus()
        self._draw()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self._open(event.data_table.id or "", event.cursor_row)

    def _open(self, table: str, row: int) -> None:
        """The ladder of the finding's connection, or of the group's oldest closing one."""
        streams: list[int] = []
        if table == "news" and row < len(self._news):
            stream = self._news[row].stream
            streams = [] if stream is None else [stream]
        elif table == "groups" and row < len(self._shown):
            streams = list(self._shown[row].streams)
        if not streams:
            self.notify("no closing connection there")
            return
        try:
            self.push_screen(LadderScreen(self._subject.ladder(streams[0], max(80, self.size.width - 4))))
        except TeardownError as error:
            self.notify(escape(str(error)))

    def action_leave(self) -> None:
        self._subject.stop()
        self.exit()


def order(group: SocketGroup, sort: str) -> tuple[float | str, ...]:
    """A key for the sort: the most first, names from A."""
    if sort == "name":
        return (group.name,)
    if sort == "closing":
        return (-group.closing, group.name)
    return (-(group.oldest_s if sort == "oldest" else group.counts.get(sort, 0)), group.name)


def difference(group: SocketGroup, kernel: dict[str, int] | None) -> str:
    """Where this host's kernel counts otherwise than the packets show; "" where the group is not of this host."""
    if kernel is None:
        return ""
    states = [state.name for state in STATES if kernel.get(state.name, 0) != group.counts.get(state.name, 0)]
    return ", ".join(f"{SHORT.get(name, name)} {kernel.get(name, 0)}" for name in states) or "same"


def show(subject: ScreenSource) -> None:
    """Run the screen until its end, or the subject's."""
    Screen(subject).run()
