"""The whole screen of ``teardown browse``."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.markup import escape
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Static

from analyzer.browse.background import NewestOnly
from analyzer.browse.browsed import BrowsedCapture, ChosenConnections, LadderForm, ShownConnection
from analyzer.browse.connection_list import ConnectionList
from analyzer.browse.counts_pane import CountsPane, curve_parts
from analyzer.browse.dialogs import FindingsScreen, SortScreen, TextScreen, filter_of, help_lines
from analyzer.browse.drawing import painted
from analyzer.browse.filter_box import BoxWords, read_box, with_more
from analyzer.browse.head_lines import about_capture, about_list, about_reading
from analyzer.browse.key_bar import KeyBar
from analyzer.browse.keys import KEYS
from analyzer.browse.reading import Reading, ReadingStopped
from analyzer.browse.rows_view import RowsView
from analyzer.browse.style_sheet import STYLE
from analyzer.browse.text_view import TextView
from analyzer.errors import UsageError
from analyzer.results.finding_list import RuleFindings
from analyzer.results.flow_selection import ListOrder
from analyzer.settings import Settings
from analyzer.times import date_text
from analyzer.units import counted
from analyzer.views.console import Line
from analyzer.views.escape import safe
from analyzer.views.flow_list import FlowListing
from analyzer.views.ladder_layout import LEAST_WIDTH, MOST_WIDTH, TIMES
from analyzer.views.summary import summary_lines

TICK = 0.1  # seconds between two looks at how far the reading is
REST = 0.08  # seconds that the cursor rests before what is under it is opened
TALL, TALLER = 30, 48  # rows from which on the counts are shown beside list and ladder, and how they went
ABOVE = (  # what works on the list, not in a dialog
    *("filter", "findings", "sort", "reverse", "netstat", "counts", "everything", "summary", "copy", "clear", "step"),
    *("brief", "time"),
)


class BrowseApp(App[None]):
    """A list of connections, the ladder of the one under the cursor, and the sockets at that moment."""

    CSS = STYLE
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = "RowsView"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.label, show=False, priority=key.action == "leave")
        for key in KEYS
        if key.action
    ]

    def __init__(self, reading: Reading, settings: Settings, listing: FlowListing) -> None:
        super().__init__()
        self.reading, self._settings = reading, settings
        self._words = BoxWords(settings, listing)
        self._capture: BrowsedCapture | None = None
        self._chosen: ChosenConnections | None = None
        self._shown: ShownConnection | None = None
        self._form = LadderForm(LEAST_WIDTH)
        self._counts_wanted: bool | None = None  # None: as the height of the screen has it
        self._rest: dict[str, Timer] = {}
        self._behind = NewestOnly(self)

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield Static("", id="chosen", markup=False)
        yield Input(id="filter", placeholder="10.0.0.7   --port 443 --code TD101   duration_s > 5   (? explains)")
        yield Static("", id="error", markup=False)
        yield Static("", id="progress", markup=False)
        yield ConnectionList()
        yield Static("", id="title", classes="title", markup=False)
        yield TextView("ladder")
        yield CountsPane()
        yield KeyBar()
        yield KeyBar(("help", "go_back"), "while-reading")

    @property
    def _main(self) -> Screen[Any]:
        """The list and what stands beside it, also while a dialog is above it."""
        return self.screen_stack[0]

    def on_mount(self) -> None:
        self._main.add_class("reading")
        self.reading.start()
        self._ticking = self.set_interval(TICK, self._look)
        self._look()

    def _look(self) -> None:
        """See how far the reading is."""
        outcome = self.reading.outcome
        if outcome is None:
            text = about_reading(self.reading, self.size.width)
            self._main.query_one("#progress", Static).update(text)
            return
        self._ticking.stop()
        if isinstance(outcome, BaseException):
            self.exit()
            return
        self._capture = outcome
        self._main.remove_class("reading")
        self._update_heads()
        self._main.query_one(ConnectionList).focus()
        self._choose(self._words)

    # --- the list -------------------------------------------------------------------------------------------------

    def _choose(self, words: BoxWords) -> None:
        """List what the box asks for; a box that cannot be answered stays open, and so does the list as it was."""
        capture = self._capture
        if capture is not None:
            self._main.query_one("#chosen", Static).update(painted(" looking ...", "grey62"))
            self._behind.do("choose", lambda: capture.choose(words), self._list, self._refuse)

    def _list(self, chosen: ChosenConnections) -> None:
        stays = self._shown is not None and chosen.words.listing.order == self._words.listing.order
        stream = self._shown.stream if self._shown is not None and stays else None
        self._chosen, self._words = chosen, chosen.words
        self._close_box()
        connections = self._main.query_one(ConnectionList)
        connections.show_connections(chosen, stream)
        self._update_heads()
        if not connections.count:
            self._empty("No connection fits; x empties the filter box." if chosen.words.text else
                        "The captures contain no TCP connection.")  # fmt: skip

    def _empty(self, words: str) -> None:
        self._shown = None
        self._main.query_one("#title", Static).update(painted(words))
        self._main.query_one("#ladder", TextView).show_lines([])

    def _refuse(self, reason: str) -> None:
        """Say in place what is wrong with the box."""
        self._main.query_one("#error", Static).update(Text(reason))
        self._main.add_class("refused")
        self._update_heads()
        if not self._main.has_class("box"):
            self.action_filter()

    def _update_heads(self) -> None:
        if self._capture is not None:
            width = self.size.width
            self._main.query_one("#head", Static).update(about_capture(self._capture.analysed, width))
            self._main.query_one("#chosen", Static).update(about_list(self._capture.analysed, self._chosen, width))

    def on_rows_view_moved(self, event: RowsView.Moved) -> None:
        if event.rows.id == "connections":
            self._after_rest("open", self._open)
        elif event.rows.id == "ladder":
            self._after_rest("counts", self._count)

    def on_descendant_focus(self) -> None:
        """The cursor that tells the moment is another."""
        self._after_rest("counts", self._count)

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        if event.rows.id == "connections":
            self._main.add_class("opened")
            self._update_counts_shown()
            self._main.query_one("#ladder", TextView).focus()

    def _after_rest(self, kind: str, do: Callable[[], None]) -> None:
        """Do it once the cursor rests."""
        if kind in self._rest:
            self._rest[kind].stop()

        def rested() -> None:
            if self._rest.get(kind) is timer:  # one that was stopped may have been on its way
                del self._rest[kind]
                do()

        timer = self._rest[kind] = self.set_timer(REST, rested)

    @property
    def settled(self) -> bool:
        """Whether everything that was asked for is shown."""
        return self._capture is not None and not self._rest and not self._behind.unfinished

    @property
    def fault(self) -> Exception | None:
        """What went wrong in the program, where something did."""
        return self._behind.fault

    # --- the connection under the cursor ----------------------------------------------------------------------------

    def _open(self) -> None:
        capture, stream = self._capture, self._main.query_one(ConnectionList).stream
        if capture is None or stream is None:
            return
        form = self._form._replace(columns=min(max(self.size.width - 3, LEAST_WIDTH), MOST_WIDTH))
        self._behind.do("open", lambda: capture.open(stream, form), self._show_connection, self._say)

    def _show_connection(self, shown: ShownConnection) -> None:
        ladder = self._main.query_one("#ladder", TextView)
        same = self._shown is not None and self._shown.stream == shown.stream
        self._shown = shown
        ladder.show_lines(shown.lines, ladder.cursor if same else 0)
        place = self._main.query_one(ConnectionList)
        title = f" {shown.title}   {place.cursor + 1:,} of {place.count:,}"
        self._main.query_one("#title", Static).update(painted(title))
        self._count()

    def _say(self, words: str) -> None:
        self.notify(escape(words))

    def _moment(self) -> int | None:
        """The moment under the cursor: of the line in the ladder, else of the connection's last packet."""
        if self._shown is None:
            return None
        ladder = self._main.query_one("#ladder", TextView)
        at = ladder.moment if ladder.has_focus or self.has_opened else None
        return self._shown.moment if at is None else at

    @property
    def has_opened(self) -> bool:
        """Whether a connection is opened: there is its ladder alone."""
        return self._main.has_class("opened")

    def _count(self) -> None:
        """The sockets at that moment, where they are shown."""
        capture, shown, at = self._capture, self._shown, self._moment()
        if capture is None or shown is None or at is None or not self._main.has_class("counts"):
            return
        pane, first = self._main.query_one(CountsPane), capture.analysed.summary.first_ns or 0
        parts, curves = curve_parts(self.size.width), self.size.height >= (TALL if self.has_opened else TALLER)
        self._behind.do(
            "counts",
            lambda: capture.counts(shown.stream, at, parts),
            lambda counts: pane.show_counts(counts, first, curves),
            self._say,
        )

    # --- keys -------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What works in a dialog, and before the captures are read."""
        if action in ABOVE:
            return len(self.screen_stack) == 1 and self._capture is not None
        return action != "help" or len(self.screen_stack) == 1

    def action_filter(self) -> None:
        self._main.add_class("box")
        box = self._main.query_one("#filter", Input)
        box.value = box.value if self._main.has_class("refused") else self._words.text
        box.cursor_position = len(box.value)
        box.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The filter is what was typed; nothing typed is no filter."""
        self._main.remove_class("refused")
        try:
            self._choose(read_box(event.value, self._settings))
        except UsageError as error:
            self._refuse(str(error))

    def _close_box(self) -> None:
        self._main.remove_class("refused")
        if self._main.has_class("box"):
            self._main.remove_class("box")
            self._main.query_one(ConnectionList).focus()

    def action_clear(self) -> None:
        self._choose(read_box("", self._settings))

    def action_sort(self) -> None:
        self.push_screen(SortScreen(self._words.listing.order), self._sort)

    def _sort(self, order: ListOrder | None) -> None:
        if order is not None:
            self._choose(self._words._replace(listing=self._words.listing._replace(order=order)))

    def action_reverse(self) -> None:
        order = self._words.listing.order
        self._sort(order._replace(down=not order.down))

    def action_findings(self) -> None:
        if self._chosen is not None:
            listing = self._chosen.analysed.listing
            flows = self._chosen.analysed.overview.flows
            about = f" {counted(len(listing), 'finding')} about {counted(flows, 'connection')}"
            self.push_screen(FindingsScreen(listing, about), self._list_found)

    def _list_found(self, table: RuleFindings | None) -> None:
        """List the connections of a group of findings, of those that are listed."""
        if table is not None and self._chosen is not None:
            self._choose(with_more(self._words, filter_of(self._chosen.analysed.listing, table)))

    def action_netstat(self) -> None:
        capture, at, columns = self._capture, self._moment(), self.size.width - 3
        if capture is not None and at is not None:
            self.notify("listing the sockets ...", timeout=1)
            title = f" sockets at {date_text(at)}"

            def show(lines: list[Line]) -> None:
                self.push_screen(TextScreen(title, lines))

            self._behind.do("netstat", lambda: capture.sockets(at, columns), show, self._say)

    def action_summary(self) -> None:
        if self._chosen is not None:
            analysed = self._chosen.analysed
            columns = min(self.size.width - 3, 120)
            lines = summary_lines(analysed.summary, analysed.overview, analysed.listing, columns)
            self.push_screen(TextScreen(" summary", lines))

    def action_help(self) -> None:
        self.push_screen(TextScreen(" help", help_lines(min(self.size.width - 3, 120))))

    def action_everything(self) -> None:
        self._draw_anew(everything=not self._form.everything)

    def action_brief(self) -> None:
        self._draw_anew(brief=not self._form.brief)

    def action_time(self) -> None:
        times = [*TIMES]
        self._draw_anew(times=times[(times.index(self._form.times) + 1) % len(times)])

    def _draw_anew(self, **changed: Any) -> None:
        """The ladder in another form."""
        self._form = self._form._replace(**changed)
        self._open()

    def action_step(self, rows: int) -> None:
        self._main.query_one(ConnectionList).action_move(rows)

    def action_counts(self) -> None:
        self._counts_wanted = not self._main.has_class("counts")
        self._update_counts_shown()

    def _update_counts_shown(self) -> None:
        """As asked for; else where there is room."""
        wanted = self.size.height >= TALL or self.has_opened if self._counts_wanted is None else self._counts_wanted
        self._main.set_class(wanted, "counts")
        self._count()

    def action_copy(self) -> None:
        if self._shown is not None:
            text = self._shown.display_filter
            self.copy_to_clipboard(text)
            self.notify(escape(f"copied: {text}"), timeout=2)

    def action_go_back(self) -> None:
        """Leave what was opened last; the screen itself where nothing is open."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self._main.has_class("box"):
            self._close_box()
        elif self.has_opened:
            self._main.remove_class("opened")
            self._main.query_one(ConnectionList).focus()
            self._update_counts_shown()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        self.exit()

    def on_resize(self, event: Resize) -> None:
        self._update_counts_shown()
        self._update_heads()
        self._after_rest("open", self._open)


def shown(captures: Sequence[str], settings: Settings, listing: FlowListing) -> list[str]:
    """Show the screen until it is left; returns what is to be known of the captures. Raises UnreadableCapture if they
    cannot be analysed at all."""
    reading = Reading(captures, settings)
    app = BrowseApp(reading, settings, listing)
    app.run()
    reading.stop()
    if app.fault is not None:
        raise app.fault
    if app.return_code:
        raise RuntimeError("the screen failed, as told above")
    outcome = reading.outcome
    if isinstance(outcome, BaseException) and not isinstance(outcome, ReadingStopped):
        raise outcome
    return (
        [safe(notice.text) for notice in outcome.analysed.summary.notices]
        if isinstance(outcome, BrowsedCapture)
        else []
    )
