"""The screen of ``live``: rates, the endpoints with their sockets by state, and what was found, in groups.

It draws the data of a :class:`~analyzer.live.screen_data.ScreenSource` twice a second, and asks it for ladders. Nothing
is computed here. All text is drawn as it is, never as markup. The parts are those of the screen of ``browse``.
"""

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from analyzer.browse.dialogs import TextScreen, key_lines
from analyzer.browse.drawing import BARS, GREY, ORANGE, RED, SEVERITY_SIGNS, STATE_COLOURS, painted
from analyzer.browse.key_bar import KeyBar
from analyzer.browse.rows_view import RowsView
from analyzer.browse.text_view import TextView
from analyzer.errors import TeardownError
from analyzer.live.ascii_only import AsciiOnly
from analyzer.live.census import SocketGroup
from analyzer.live.fitting import PLAIN_BARS, pieces_that_fit, short_number, short_text, sparkline
from analyzer.live.keys import KEYS
from analyzer.live.rates import RateCourse
from analyzer.live.screen_data import ScreenData, ScreenSource
from analyzer.live.screen_tables import EndpointRows, FoundGroupRows, MemberRows
from analyzer.live.told_findings import ToldGroup
from analyzer.views.console import Line, advice_lines, wrapped
from analyzer.views.escape import safe
from analyzer.vocabulary import SEVERITIES

REFRESH = 0.5  # seconds
SORTS = ("closing", "CLOSE_WAIT", "TIME_WAIT", "ESTABLISHED", "oldest", "name")
FINDING_SORTS = ("gravest", "newest", "most")
PLAIN_SIGNS = {"error": "E", "warning": "W", "info": "I"}
WIDE = 120  # columns, from which all rates stand in one line
NOTICE = 15  # seconds for which one is shown
CELL = 38  # columns for the course of a state


class GroupScreen(Screen[None]):
    """The newest findings of a group; under them what the one under the cursor says."""

    def __init__(self, group: ToldGroup, subject: ScreenSource) -> None:
        super().__init__()
        self._group, self._subject = group, subject

    def compose(self) -> ComposeResult:
        yield Static("", id="about", classes="title", markup=False)
        yield MemberRows("members")
        yield TextView("text")
        yield KeyBar(("open", "go_back"))

    def on_mount(self) -> None:
        self.update_members(self._group)
        self.query_one(MemberRows).focus()

    def update_members(self, group: ToldGroup) -> None:
        """There may be more now."""
        self._group = group
        members, found = self._subject.members(group.key), self.query_one(MemberRows)
        said = f" {group.severity} {group.code} {group.name}  {group.whom}  {group.holding:,} now, {group.over:,} over"
        kept = f"; the newest {len(members)} announcements" if sum(1 + m.more for m in members) < group.told else ""
        self.query_one("#about", Static).update(painted(said + kept))
        found.fill(members)
        self._tell()

    def on_rows_view_moved(self, event: RowsView.Moved) -> None:
        if isinstance(event.rows, MemberRows):
            self._tell()

    def on_resize(self) -> None:
        self._tell()

    def _tell(self) -> None:
        told, text = self.query_one(MemberRows).chosen, self.query_one("#text", TextView)
        if told is None:
            return
        columns = max(self.size.width - 3, 20)
        lines = [Line(line) for line in wrapped(safe(str(told.row.message)), 0, columns)]
        if told.row.advice:
            lines += [Line(line, "bold") for line in advice_lines(f"-> {safe(str(told.row.advice))}", 0, columns)]
        text.show_lines(lines, text.cursor)

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        if isinstance(event.rows, MemberRows) and isinstance(self.app, LiveScreen):
            self.app.open_ladder(event.rows.chosen.stream)


class LiveScreen(App[None]):
    """The whole screen."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: $surface; }
    #head, .title { height: 1; background: $panel; }
    .title { text-style: bold; }
    #rates { height: auto; }
    #filter { display: none; height: 1; border: none; padding: 0 1; background: $boost; }
    #filter.open { display: block; }
    #groups { height: 3fr; }
    #course { height: auto; max-height: 4; }
    #found { height: 2fr; }
    #members { height: 2fr; }
    #text { height: 1fr; padding: 0 1; border-top: solid $panel; }
    .keys { height: 1; dock: bottom; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.label, show=False, priority=key.action in ("leave", "other_table"))
        for key in KEYS
        if key.action
    ]

    def __init__(self, subject: ScreenSource, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._subject = subject
        self._sort = self._finding_sort = 0
        self._words = ""
        self._paused = False
        self._notices = 0  # that were shown
        self._data = self._newest = ScreenData()
        plain = only_ascii(environment)
        self._last_step = [AsciiOnly()] if plain else []
        self._bars, self._signs = (PLAIN_BARS, PLAIN_SIGNS) if plain else (BARS, SEVERITY_SIGNS)

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield Static("", id="rates", markup=False)
        yield Input(placeholder="show only what contains ... (Enter applies, Esc leaves)", id="filter")
        yield EndpointRows()
        yield Static("", id="course", markup=False)
        yield FoundGroupRows(lambda severity: self._signs.get(severity, " "))
        yield KeyBar(keys=KEYS)

    def on_mount(self) -> None:
        self._main = self.screen_stack[0]
        self._endpoints, self._findings = self._main.query_one(EndpointRows), self._main.query_one(FoundGroupRows)
        self._endpoints.focus()
        self.set_interval(REFRESH, self.redraw)
        self.redraw()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line goes through before it is drawn."""
        return [*super().get_line_filters(), *self._last_step]

    def redraw(self) -> None:
        """Draw the newest data, unless paused."""
        self._newest = self._subject.data()
        if not self._paused:
            self._data = self._newest
        self._draw()
        for notice in self._newest.notices[self._notices :]:
            self.notify(notice, severity="warning", timeout=NOTICE, markup=False)
        self._notices = len(self._newest.notices)
        if self._newest.ended and (self._newest.hurry or not self._paused):
            self.exit()

    def on_resize(self) -> None:
        if hasattr(self, "_main"):
            self._draw()

    def _draw(self) -> None:
        data, words = self._data, self._words.casefold()
        groups = [
            group for group in data.groups if words in f"{group.name} {data.owners.get(group.name, '')}".casefold()
        ]
        found = [group for group in data.findings if words in group.search.casefold()]
        self._endpoints.owners, self._endpoints.kernel = data.owners, data.kernel
        self._endpoints.fill(sorted(groups, key=lambda group: order(group, SORTS[self._sort])))
        self._findings.fill(sorted(found, key=lambda group: finding_order(group, FINDING_SORTS[self._finding_sort])))
        self._main.query_one(KeyBar).without(*(() if self._words else ("clear",)))
        self._main.query_one("#head", Static).update(self._head(len(groups), len(found)))
        self._main.query_one("#rates", Static).update(rate_lines(data.rates, self.size.width, self._bars))
        self._draw_course()
        if isinstance(self.screen, GroupScreen) and not self._paused:
            for group in data.findings:
                if group.key == self.screen._group.key and group != self.screen._group:
                    self.screen.update_members(group)

    def _draw_course(self) -> None:
        """The sockets over time of the endpoint under the cursor."""
        group = self._endpoints.chosen
        course = self._subject.sockets(group.name) if group is not None and not self._paused else None
        if course is not None or group is None:
            name = "" if group is None else safe(group.name)
            text = course_lines(name, course or {}, self.size.width, self._bars)
            self._main.query_one("#course", Static).update(text)

    def _head(self, groups: int, found: int) -> Text:
        """One line: what matters most stands first, so that nothing of it is cut."""
        data, new = self._data, self._newest
        pieces: list[tuple[Sequence[str], str]] = []
        if self._paused:
            came = [short_number(new.told - data.told), short_number(new.packets - data.packets)]
            whole = f"PAUSED: {came[0]} findings, {came[1]} packets since"
            pieces.append(((f"{whole} (p goes on)", whole, "PAUSED"), f"bold {ORANGE}"))
        if new.lost:
            lost = f"LOST {short_number(new.lost)}"
            pieces.append(((f"{lost} packets", lost), f"bold {RED}"))
        if self._words:
            shown = f"{groups} of {len(data.groups)} endpoints, {found} of {len(data.findings)} findings"
            few = f"{groups}/{len(data.groups)}, {found}/{len(data.findings)}"
            filters = [f"filter {short_text(safe(self._words), room)!r}: " for room in (20, 8)]
            forms = (f"{filters[0]}{shown} (x clears)", f"{filters[0]}{shown}", *(filter + few for filter in filters))
            pieces.append((forms, f"bold {ORANGE}"))
        pieces.append((data.head, ""))
        pieces.append(((f"{short_number(data.told)} finding{'s' * (data.told != 1)}",), ""))
        if data.left_out:
            pieces.append(((f"{data.left_out} groups of findings left out",), GREY))
        if data.notices:
            pieces.append(((f"{len(data.notices)} notice{'s' * (len(data.notices) != 1)} (?)",), GREY))
        pieces.append(((f"sorted by {SORTS[self._sort]}, {FINDING_SORTS[self._finding_sort]}",), GREY))
        line = Text(" ", no_wrap=True)
        fitting = pieces_that_fit([forms for forms, _ in pieces], self.size.width - 2)
        for text, (_, style) in zip(fitting, pieces, strict=False):
            line.append(text, style).append("  ")
        return line

    def action_sort(self) -> None:
        if self._findings.has_focus:
            self._finding_sort = (self._finding_sort + 1) % len(FINDING_SORTS)
        else:
            self._sort = (self._sort + 1) % len(SORTS)
        self._draw()

    def action_pause(self) -> None:
        self._paused = not self._paused
        self.redraw()

    def action_other_table(self) -> None:
        if self.screen is self._main:
            (self._endpoints if self._findings.has_focus else self._findings).focus()

    def action_filter(self) -> None:
        if self.screen is self._main:
            entry = self._main.query_one("#filter", Input)
            entry.value = self._words
            entry.add_class("open")
            entry.focus()

    def action_clear(self) -> None:
        self._words = ""
        self._draw()

    def action_help(self) -> None:
        if not isinstance(self.screen, TextScreen):
            self.push_screen(
                TextScreen(" help", help_lines(max(self.size.width - 3, 20), self._signs, self._newest.notices))
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The filter is what was typed; nothing typed is no filter."""
        self._words = event.value.strip()
        self._close_filter()
        self._draw()

    def _close_filter(self) -> None:
        self._main.query_one("#filter", Input).remove_class("open")
        self._endpoints.focus()

    def on_rows_view_moved(self, event: RowsView.Moved) -> None:
        if isinstance(event.rows, EndpointRows) and hasattr(self, "_main"):
            self._draw_course()

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        """The newest findings of a group, or the ladder of the oldest closing connection of an endpoint."""
        if isinstance(event.rows, FoundGroupRows):
            self.push_screen(GroupScreen(event.rows.chosen, self._subject))
        elif isinstance(event.rows, EndpointRows):
            streams = event.rows.chosen.streams
            self.open_ladder(streams[0] if streams else None)

    def open_ladder(self, stream: int | None) -> None:
        """Show a connection once the watch has answered."""
        if stream is None:
            self.notify("no single connection there", markup=False)
            return
        columns = max(80, self.size.width - 4)
        self.run_worker(lambda: self._ask(stream, columns), thread=True, exclusive=True, group="ladder")

    def _ask(self, stream: int, columns: int) -> None:
        try:
            lines = self._subject.ladder(stream, columns)
        except TeardownError as error:
            self.call_from_thread(self.notify, str(error), markup=False)
        else:
            if not get_current_worker().is_cancelled:  # another one was asked for meanwhile
                self.call_from_thread(self.push_screen, TextScreen(f" connection {stream}", lines))

    def action_go_back(self) -> None:
        """Leave what was opened last; the watch where nothing is open."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self._main.query_one("#filter", Input).has_class("open"):
            self._close_filter()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        self._subject.stop()
        self.exit()


def order(group: SocketGroup, sort: str) -> tuple[float | str, ...]:
    """A key for the sort of endpoints: the most first, names from A."""
    if sort == "name":
        return (group.name,)
    if sort == "closing":
        return (-group.closing, group.name)
    return (-(group.oldest_s if sort == "oldest" else group.counts.get(sort, 0)), group.name)


def finding_order(group: ToldGroup, sort: str) -> tuple[float | str, ...]:
    """A key for the sort of groups of findings: those that hold first, as ``analyze`` has them, unless the newest."""
    if sort == "newest":
        return (-group.last_ns, group.code, group.whom)
    grave = () if sort == "most" else (not group.holding, SEVERITIES.index(group.severity))
    return (*grave, -group.holding, group.code, group.whom)


def rate_lines(rates: Sequence[RateCourse], width: int, bars: str) -> Text:
    """Each rate: its name, how it went, and the number now."""
    columns = 4 if width >= WIDE else 2
    room = width // columns - 2
    cells = [spark_cell(rate.name, rate.values, rate.now, room, bars, GREY) for rate in rates]
    return in_columns(cells, columns)


def course_lines(name: str, course: Mapping[str, Sequence[int]], width: int, bars: str) -> Text:
    """The sockets of an endpoint in each state over the last minutes."""
    columns = max(width // (CELL + 2), 1)
    room = width // columns - 2
    cells = [
        spark_cell(state, counts, counts[-1], room, bars, STATE_COLOURS.get(state, ""))
        for state, counts in course.items()
    ]
    title = Text(f" {short_text(name, width - 25)}, the last 3 minutes", f"bold {GREY}", no_wrap=True)
    return Text("\n").join([title, in_columns(cells, columns)] if cells else [title])


def spark_cell(name: str, values: Sequence[float], now: float, room: int, bars: str, colour: str) -> Text:
    """``name ▁▂▃▅ 12.3k``, as wide as ``room``."""
    label = f"{name:<12}" if room >= CELL - 4 else name
    number = f"{short_number(now):>6}"
    course = sparkline(values, room - len(label) - len(number) - 1, bars)
    return Text(" ", no_wrap=True).append(label, GREY).append(f" {course}", colour).append(number, "bold")


def in_columns(cells: Sequence[Text], columns: int) -> Text:
    """Cells beside and under one another."""
    rows = [cells[place : place + columns] for place in range(0, len(cells), columns)]
    return Text("\n").join(Text(" ").join(row) for row in rows)


def help_lines(columns: int, signs: Mapping[str, str], notices: Sequence[str]) -> list[Line]:
    """The keys and what the tables have; what must be known of this watch."""
    said = (
        "Above stand rates, under them the sockets of each endpoint by state, timers included; of states whose column "
        "has no room, other has the sum. next is when the next TIME_WAIT ends, oldest how long the oldest closing "
        "socket has been in its state.",
        "Findings stand in groups: now is how many were announced and hold, over how many no longer do; confidence is "
        "that of the surest.",
        f"Signs: {', '.join(f'{sign} {word}' for word, sign in signs.items())}.",
        *(f"Notice: {notice}" for notice in notices),
    )
    texts = [line for text in said for line in ("", *wrapped(text, 2, columns))]
    return [*key_lines(KEYS, columns), *map(Line, texts)]


def only_ascii(environment: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal has no UTF-8."""
    named = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "UTF-8")
    return "utf" not in named.casefold()


def show(subject: ScreenSource) -> None:
    """Run the screen until its end, or the subject's."""
    LiveScreen(subject).run()
