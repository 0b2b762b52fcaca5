"""What opens above the list: text, the findings in groups, the columns to sort by. ``q`` and Esc lead back."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from analyzer.browse.drawing import SEVERITY_COLOURS, SEVERITY_SIGNS, painted
from analyzer.browse.key_bar import KeyBar
from analyzer.browse.keys import FILTER_EXAMPLES, FILTER_HELP, KEYS, KeyMeaning
from analyzer.browse.rows_view import RowsView
from analyzer.browse.text_view import TextView
from analyzer.results.finding_list import FindingList, RuleFindings
from analyzer.results.flow_selection import COLUMNS, ListOrder
from analyzer.views.console import Line, advice_lines, endpoint, wrapped
from analyzer.views.escape import safe
from analyzer.views.explanation import page_lines
from analyzer.views.flow_list import FIRST
from analyzer.views.summary_findings import by_importance, how_many

BLAMED = 5  # endpoints that a group of findings names


class TextScreen(Screen[None]):
    """Lines to read."""

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__()
        self._about, self._text = title, lines

    def compose(self) -> ComposeResult:
        yield Static(painted(self._about), classes="title", markup=False)
        yield TextView("text", self._text)
        yield KeyBar(("go_back",))


class FindingsScreen(Screen[RuleFindings]):
    """The findings in groups, the gravest first; under them what the group under the cursor says. Opening one answers
    with it."""

    def __init__(self, listing: FindingList, about: str) -> None:
        super().__init__()
        self._listing, self._about = listing, about
        self._groups = by_importance(listing.tables)

    def compose(self) -> ComposeResult:
        yield Static(painted(self._about), classes="title", markup=False)
        yield FindingGroups(self._groups)
        yield TextView("text")
        yield KeyBar(("open", "go_back"))

    def on_rows_view_moved(self, event: RowsView.Moved) -> None:
        if isinstance(event.rows, FindingGroups):
            self._tell()

    def on_resize(self) -> None:
        self._tell()

    def _tell(self) -> None:
        """What the group under the cursor says."""
        if self._groups:
            table = self._groups[self.query_one("#groups", FindingGroups).cursor]
            columns = max(self.size.width - 3, 20)
            self.query_one("#text", TextView).show_lines(list(group_lines(self._listing, table, columns)))

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        if isinstance(event.rows, FindingGroups):
            self.dismiss(self._groups[event.rows.cursor])


class FindingGroups(RowsView):
    """A row for each code that was found."""

    def __init__(self, groups: Sequence[RuleFindings]) -> None:
        super().__init__("groups")
        self._groups = groups
        self._names = max((len(table.rule.name) for table in groups), default=0)

    def on_mount(self) -> None:
        self.show_rows(len(self._groups))

    def row(self, place: int) -> Text:
        table = self._groups[place]
        rule = table.rule
        words = f"{SEVERITY_SIGNS[rule.severity]} {rule.severity:<7}  {rule.code}  {rule.name:<{self._names}}  "
        return painted(words, SEVERITY_COLOURS[rule.severity]).append(how_many(table))

    def widest(self) -> int:
        return max((len(self.row(place)) for place in range(len(self._groups))), default=0)


def group_lines(listing: FindingList, table: RuleFindings, columns: int) -> Sequence[Line]:
    """Whom the findings with one code blame, the surest of them, what to do, and the page of the code."""
    found, others = listing.blamed(table, BLAMED)
    named = [f"{role} {endpoint(ip, port) if port >= 0 else ip} ({number:,})" for role, ip, port, number in found]
    named += [f"{others:,} more"] if others else []
    example = table.surest
    label = "e.g. " if len(table) > 1 else ""
    said = f"{label}{listing.say(table, 'message', example)} [{table.confidence(example)} confidence]"
    advice = listing.say(table, "advice", example)
    return [
        *(Line(line, "bold") for line in wrapped(f"blamed: {', '.join(named)}" if named else "", 0, columns)),
        *map(Line, wrapped(said, 0, columns)),
        *(Line(line, "bold") for line in advice_lines(f"-> {advice}", 0, columns)),
        Line(),
        *page_lines(table.rule.code, columns),
    ]


class SortChoice(NamedTuple):
    """A column to sort by, and what it says."""

    column: str
    meaning: str


class SortScreen(Screen[ListOrder]):
    """The columns of flows: those of the list first. Choosing the one that sorts already turns it round."""

    def __init__(self, order: ListOrder) -> None:
        super().__init__()
        self._order = order
        first = [name for column in FIRST for name in column.made_from if not name.endswith("_port")]
        names = [*first, *(name for name in COLUMNS if name not in first)]
        self._choices = [SortChoice(name, COLUMNS[name].meaning) for name in names]

    def compose(self) -> ComposeResult:
        yield Static(painted(" sort by"), classes="title", markup=False)
        yield SortColumns(self._choices, self._order)
        yield KeyBar(("open", "go_back"))

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        column = self._choices[event.rows.cursor].column
        number = COLUMNS[column].kind in ("count", "number", "seconds")
        down = not self._order.down if column == self._order.column else number and column != "stream"
        self.dismiss(ListOrder(column, down))


class SortColumns(RowsView):
    """A row for each column."""

    def __init__(self, choices: Sequence[SortChoice], order: ListOrder) -> None:
        super().__init__("columns")
        self._choices, self._order = choices, order
        self._names = max(len(choice.column) for choice in choices)

    def on_mount(self) -> None:
        names = [choice.column for choice in self._choices]
        self.show_rows(len(names), names.index(self._order.column))

    def row(self, place: int) -> Text:
        choice = self._choices[place]
        sign = ("▼" if self._order.down else "▲") if choice.column == self._order.column else " "
        return painted(f"{sign} {choice.column:<{self._names}}  ", "bold").append(choice.meaning, "not bold")

    def widest(self) -> int:
        return max(len(self.row(place)) for place in range(len(self._choices)))


def key_lines(keys: Sequence[KeyMeaning], columns: int) -> list[Line]:
    """What each key does."""
    names = max(len(key.shown) for key in keys) + 2
    lines = [Line("Keys", "bold")]
    for key in keys:
        first, *others = wrapped(key.meaning, names + 2, columns)
        lines += [Line(f"  {key.shown:<{names}}", "bold").append(first.strip()), *map(Line, others)]
    return lines


def help_lines(columns: int) -> list[Line]:
    """The keys, and what the filter box takes."""
    lines = [*key_lines(KEYS, columns), Line(), Line("The filter box", "bold")]
    lines += [Line(line) for text in FILTER_HELP for line in wrapped(text, 2, columns)]
    lines += [Line(f"    {example}", "green") for example in FILTER_EXAMPLES]
    lines += [Line(), Line("The signs", "bold")]
    signs = ", ".join(f"{sign} {word}" for word, sign in SEVERITY_SIGNS.items())
    return [*lines, *map(Line, wrapped(f"{signs}. Columns: teardown explain, docs/columns.md.", 2, columns))]


def filter_of(listing: FindingList, table: RuleFindings) -> str:
    """The words of the filter box that choose the connections of a group of findings: its code, or where the findings
    are about many connections together, the addresses and ports that the first of them names."""
    if len(table.streams):
        return f"--code {table.rule.code}"
    hosts, ports = listing.ends(table, table.first)
    options = [*(f"--host {safe(host)}" for host in hosts[-1:]), *(f"--port {port}" for port in ports[-1:])]
    return " ".join(options)
