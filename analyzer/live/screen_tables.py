"""The tables of the screen of ``live``. The cursor stays on its row however the rows are sorted, and no number is cut.

Until it is moved, and from Home on, the cursor stays on top.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from rich.text import Text

from analyzer.browse.drawing import GREY, SEVERITY_COLOURS, STATE_COLOURS
from analyzer.browse.rows_view import RowsView
from analyzer.live.census import STATES, SocketGroup
from analyzer.live.fitting import (
    NUMBER,
    ScreenColumn,
    fitted,
    short_duration,
    short_name,
    short_number,
    short_process,
    short_text,
)
from analyzer.live.line_output import who
from analyzer.live.told_findings import ToldFinding, ToldGroup
from analyzer.times import moment, outer
from analyzer.views.escape import safe

Cell = tuple[str, str]  # text, style
LEAST_NAME = 15
SHORT = {
    "SYN_SENT": "SYN_S", "SYN_RECEIVED": "SYN_R", "ESTABLISHED": "ESTAB", "FIN_WAIT_1": "FIN_W1",
    "FIN_WAIT_2": "FIN_W2", "CLOSE_WAIT": "CLOSE_W", "LAST_ACK": "LAST_A", "TIME_WAIT": "TIME_W",
}  # fmt: skip
# Columns with a higher rank are left out first. Of the states that stay away, "other" has the sum.
STATE_RANKS = {
    "CLOSING": 15, "SYN_SENT": 14, "SYN_RECEIVED": 13, "FIN_WAIT_1": 12, "LAST_ACK": 11, "FIN_WAIT_2": 4,
    "TIME_WAIT": 0, "ESTABLISHED": 0, "CLOSE_WAIT": 0,
}  # fmt: skip
STATE_COLUMNS = [
    ScreenColumn(SHORT.get(s.name, s.name), max(NUMBER, len(SHORT.get(s.name, s.name))), STATE_RANKS[s.name])
    for s in STATES
]
ENDPOINT_COLUMNS = [
    *STATE_COLUMNS,
    ScreenColumn("other", NUMBER, 3),
    ScreenColumn("next", 6, 10),
    ScreenColumn("oldest", 6),
    ScreenColumn("process", 26, 6, right=False),
    ScreenColumn("kernel", 16, 7, right=False),
]
PROCESS = [column.title for column in ENDPOINT_COLUMNS].index("process")
FINDING_COLUMNS = [
    ScreenColumn("now", NUMBER),
    ScreenColumn("over", NUMBER, 1),
    ScreenColumn("newest", 8, 3),
    ScreenColumn("confidence", 10, 4, right=False),
    ScreenColumn("finding", 34, 2, right=False),
]
MEMBER_COLUMNS = [
    ScreenColumn("more", NUMBER + 1),
    ScreenColumn("stream", 11, 3),
    ScreenColumn("confidence", 10, 1, right=False),
    ScreenColumn("", 4, 2, right=False),
]


class KeptRows(RowsView):
    """Rows, each of which is known by an identity."""

    title = ""
    columns: Sequence[ScreenColumn] = ()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.rows: Sequence[Any] = ()
        self._places: dict[Hashable, int] = {}
        self._identities: list[Hashable] = []
        self._moved = False
        self._wanted = LEAST_NAME

    def identity(self, row: Any) -> Hashable:
        """By what a row is known."""
        raise NotImplementedError

    def name_of(self, row: Any) -> str:
        """The first column."""
        raise NotImplementedError

    def cells(self, row: Any, shown: set[int]) -> Sequence[Cell]:
        """The others, as :attr:`columns`."""
        raise NotImplementedError

    def fill(self, rows: Sequence[Any]) -> None:
        """There are other rows now; the cursor stays on its own one, or where that was."""
        here = self._identities[self.cursor] if self.cursor < len(self._identities) else None
        self.rows, self._identities = rows, [self.identity(row) for row in rows]
        place = self.cursor
        if here is not None and self._moved:
            place = next((at for at, one in enumerate(self._identities) if one == here), self.cursor)
        self._wanted = max([LEAST_NAME, *(len(self.name_of(row)) for row in rows)])
        self.keep_rows(len(rows), place)

    def move_to(self, place: int) -> None:
        self._moved = place > 0
        super().move_to(place)

    def action_move(self, rows: int) -> None:
        super().action_move(rows)
        self._moved = True

    @property
    def chosen(self) -> Any:
        """The row under the cursor, None where there is none."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def layout_now(self) -> tuple[list[int], int]:
        """Which columns are shown, and the width of the first."""
        return fitted(self.columns, self._wanted, LEAST_NAME, self.room)

    def fit(self, title: str, texts: Iterable[str]) -> None:
        """Make the column of words ``title`` as wide as they are, and no wider than it may be."""
        widest = max(map(len, texts), default=0)
        self.columns = [
            column._replace(width=max(len(title), min(widest, most.width))) if column.title == title else column
            for column, most in zip(self.columns, type(self).columns, strict=True)
        ]

    def heading(self) -> Text | None:
        shown, room = self.layout_now()
        cells = [(self.columns[place].title, "") for place in range(len(self.columns))]
        return self._line((short_text(self.title, room), ""), cells, shown, room, f"bold {GREY}")

    def row(self, place: int) -> Text:
        shown, room = self.layout_now()
        row = self.rows[place]
        return self._line(
            (short_name(self.name_of(row), room), self.style(row)), self.cells(row, {*shown}), shown, room
        )

    def style(self, row: Any) -> str:
        """How the first column of a row is drawn."""
        return ""

    def _line(self, name: Cell, cells: Sequence[Cell], shown: list[int], room: int, style: str = "") -> Text:
        line = Text(no_wrap=True, end="").append(name[0].ljust(room), name[1] or style)
        for place in shown:
            column, (text, colour) = self.columns[place], cells[place]
            text = short_text(text, column.width) if not column.right else text
            line.append(" ").append(
                text.rjust(column.width) if column.right else text.ljust(column.width), colour or style
            )
        return line


class EndpointRows(KeptRows):
    """The sockets of each endpoint by state."""

    title, columns = "endpoint", ENDPOINT_COLUMNS

    def __init__(self) -> None:
        super().__init__("groups")
        self.owners: dict[str, str] = {}
        self.kernel: dict[str, dict[str, int]] = {}

    def fill(self, rows: Sequence[Any]) -> None:
        self.fit("process", (self.owners.get(row.name, "") for row in rows))
        self.fit("kernel", (difference(row, self.kernel.get(row.name)) for row in rows if row.name in self.kernel))
        super().fill(rows)

    def identity(self, row: SocketGroup) -> Hashable:
        return row.name

    def name_of(self, row: SocketGroup) -> str:
        return safe(row.name)

    def cells(self, row: SocketGroup, shown: set[int]) -> Sequence[Cell]:
        counts = [row.counts.get(state.name, 0) for state in STATES]
        drawn = [(short_number(count) if count else "-", STATE_COLOURS[s.name] if count else GREY)
                 for s, count in zip(STATES, counts, strict=True)]  # fmt: skip
        other = sum(count for place, count in enumerate(counts) if place not in shown)
        left = "" if row.next_s is None else short_duration(max(row.next_s, 0.0))
        oldest = short_duration(row.oldest_s) if row.oldest_s else ""
        process = short_process(self.owners.get(row.name, ""), self.columns[PROCESS].width)
        tail = (process, difference(row, self.kernel.get(row.name)))
        return [*drawn, (short_number(other) if other else "-", ""), (left, ""), (oldest, ""), *((t, "") for t in tail)]


class FoundGroupRows(KeptRows):
    """Announced findings in groups. ``signs`` are those of the severities."""

    title, columns = "findings about", FINDING_COLUMNS

    def __init__(self, signs: Callable[[str], str]) -> None:
        super().__init__("found")
        self._signs = signs

    def fill(self, rows: Sequence[Any]) -> None:
        self.fit("finding", (row.name for row in rows))
        super().fill(rows)

    def identity(self, row: ToldGroup) -> Hashable:
        return row.key

    def name_of(self, row: ToldGroup) -> str:
        return f"{self._signs(row.severity)} {row.code} {row.whom}"

    def style(self, row: ToldGroup) -> str:
        return SEVERITY_COLOURS.get(row.severity, "") if row.holding else GREY

    def cells(self, row: ToldGroup, shown: set[int]) -> Sequence[Cell]:
        over = short_number(row.over) if row.over else "-"
        clock = f"{moment(outer(row.last_ns)):%H:%M:%S}"
        return [(short_number(row.holding), "bold"), (over, GREY), (clock, ""), (row.confidence, ""), (row.name, "")]


class MemberRows(KeptRows):
    """The newest findings of a group."""

    title, columns = "time, connection", MEMBER_COLUMNS

    def identity(self, row: ToldFinding) -> Hashable:
        return row.number

    def name_of(self, row: ToldFinding) -> str:
        return f"{moment(outer(row.at_ns)):%H:%M:%S} {ends_of_row(row.row)}"

    def cells(self, row: ToldFinding, shown: set[int]) -> Sequence[Cell]:
        more = f"+{short_number(row.more)}" if row.more else ""
        stream = "" if row.stream is None else str(row.stream)
        return [(more, "bold"), (stream, ""), (str(row.row.confidence), ""), ("over" if row.over else "", GREY)]


def ends_of_row(row: Any) -> str:
    """``client -> server`` of a finding."""
    return who(row).replace(" - ", " -> ")


def difference(group: SocketGroup, kernel: dict[str, int] | None) -> str:
    """Where this host's kernel counts otherwise than the packets show; "" where the group is not of this host."""
    if kernel is None:
        return ""
    states = [state.name for state in STATES if kernel.get(state.name, 0) != group.counts.get(state.name, 0)]
    said = [f"{SHORT.get(name, name)} {short_number(kernel.get(name, 0))}" for name in states]
    if not said:
        return "same"
    return said[0] if len(said) == 1 else f"{len(said)} states differ"
