"""The screen, driven by keys without a terminal."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
import pytest

from analyzer.errors import UsageError
from analyzer.live.announcements import Announcement, Crowd
from analyzer.live.census import SocketGroup
from analyzer.live.older_leaks import OlderLeak
from analyzer.live.rates import BINS, RATES, Rates, SocketCourses
from analyzer.views.console import Line

pytest.importorskip("textual", reason="needs textual (the extra live)")

from textual.pilot import Pilot
from textual.widgets import Static

from analyzer.browse.dialogs import TextScreen
from analyzer.browse.key_bar import KeyBar
from analyzer.browse.rows_view import RowsView
from analyzer.live.ascii_only import ascii_of
from analyzer.live.fitting import short_duration, short_name, short_number, short_process, sparkline
from analyzer.live.screen import GroupScreen, LiveScreen, only_ascii
from analyzer.live.screen_data import ScreenData, processes_said
from analyzer.live.screen_tables import EndpointRows, FoundGroupRows, KeptRows, difference
from analyzer.live.sockets import Process
from analyzer.live.told_findings import MOST_GROUPS, ToldFinding, ToldFindings

Drive = Callable[[LiveScreen, Pilot[None]], Awaitable[None]]
SECOND = 1_000_000_000
WIDTHS = (80, 100, 120, 160, 200)


class Row(NamedTuple):
    """The columns of findings.csv that the screen reads."""

    code: str = "TD101"
    severity: str = "error"
    endpoint: Any = "server"
    server_ip: Any = "10.0.0.2"
    server_port: Any = 80
    client_ip: Any = "10.0.0.1"
    client_port: Any = 40000
    stream: Any = 3
    message: str = "[red]not markup[/red] \x1b[2J"
    advice: str = ""
    confidence: str = "high"


class Played:
    """A subject that shows what the test puts there."""

    def __init__(self) -> None:
        leak = SocketGroup("server", "10.0.0.2", "10.0.0.2", 80, {"CLOSE_WAIT": 7}, 12.0, None, (3,))
        waits = SocketGroup("client", "10.0.0.1", "10.0.0.2", 80, {"TIME_WAIT": 9, "ESTABLISHED": 1}, 5.0, 31.0, ())
        self.found = ToldFindings()
        self.found.add([Announcement(Row()), Announcement(Row(code="TD305", severity="warning", stream=4))], SECOND)
        self.now = ScreenData(["eth0"], [leak, waits], {leak.name: {"CLOSE_WAIT": 6}}, {leak.name: "py[1]"})
        self.stopped = False

    def data(self) -> ScreenData:
        return replace(self.now, findings=self.found.groups(), told=self.found.told)

    def members(self, key: Crowd) -> Sequence[ToldFinding]:
        return self.found.members(key)

    def sockets(self, name: str) -> dict[str, list[int]]:
        return {"CLOSE_WAIT": [1, 2, 200_000], "TIME_WAIT": [9, 9, 10_000_000]}

    def ladder(self, stream: int, columns: int) -> list[Line]:
        if stream != 3:
            raise UsageError("[red]gone[/red]")
        return [Line("the ladder of 3")]

    def stop(self) -> None:
        self.stopped = True


def drive(played: object, steps: Drive, size: tuple[int, int] = (160, 40)) -> None:
    async def run() -> None:
        screen = LiveScreen(played, {"LANG": "C.UTF-8"})  # type: ignore[arg-type]
        async with screen.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(screen, pilot)

    asyncio.run(run())


def shown(screen: LiveScreen, kind: type[RowsView]) -> list[str]:
    """The lines of a table as they are drawn."""
    table = screen.screen.query_one(kind)
    return [table.render_line(y).text.rstrip() for y in range(1, table.count + 1)]


def text(screen: LiveScreen, name: str) -> str:
    return str(screen.screen_stack[0].query_one(f"#{name}", Static).render())


def names(table: KeptRows) -> list[str]:
    return [table.name_of(row) for row in table.rows]


async def settled(screen: LiveScreen, pilot: Pilot[None]) -> None:
    await screen.workers.wait_for_complete()
    await pilot.pause()


def test_endpoints_are_shown_sorted_and_filtered() -> None:
    async def steps(screen: LiveScreen, pilot: Pilot[None]) -> None:
        table = screen.query_one(EndpointRows)
        assert names(table) == ["10.0.0.1 -> 10.0.0.2:80", "10.0.0.2:80"]
        await pilot.press("s")
        assert "sorted by CLOSE_WAIT" in text(screen, "head")
        assert names(table) == ["10.0.0.2:80", "10.0.0.1 -> 10.0.0.2:80"]
        assert re.search(r"12s py\[1\] +CLOSE_W 6$", shown(screen, EndpointRows)[0])
        await pilot.press("slash", *"10.0.0.1", "enter")
        assert names(table) == ["10.0.0.1 -> 10.0.0.2:80"]
        assert "1 of 2 endpoints, 0 of 2 findings (x clears)" in text(screen, "head")
        await pilot.press("x")
        assert len(names(table)) == 2 and "filter" not in text(screen, "head")
        await pilot.press("slash", *"abc", "escape")
        assert len(names(table)) == 2 and not screen.query_one("#filter").has_class("open")

    drive(Played(), steps)


def test_pause_counts_what_came_and_quit_stops_the_watch() -> None:
    played = Played()

    async def steps(screen: LiveScreen, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        played.now = replace(played.now, head=["changed"], packets=12_345)
        played.found.add([Announcement(Row(stream=9), more=41)], 2 * SECOND)
        screen.redraw()
        assert "PAUSED: 42 findings, 12.3k packets since" in text(screen, "head") and "eth0" in text(screen, "head")
        await pilot.press("p")
        assert "changed" in text(screen, "head") and "PAUSED" not in text(screen, "head")
        await pilot.press("q")

    drive(played, steps)
    assert played.stopped


def test_a_group_its_ladder_and_help_open_and_q_returns() -> None:
    played = Played()

    async def steps(screen: LiveScreen, pilot: Pilot[None]) -> None:
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert isinstance(screen.screen, GroupScreen)
        assert " 10.0.0.1:40000 -> 10.0.0.2:80" in shown(screen, KeptRows)[0]
        lines = screen.screen.query_one("#text", RowsView)
        assert str(lines.row(0)) == "[red]not markup[/red] \\x1b[2J"
        await pilot.press("enter")
        await settled(screen, pilot)
        assert isinstance(screen.screen, TextScreen)
        await pilot.press("q")
        assert isinstance(screen.screen, GroupScreen)
        await pilot.press("question_mark")
        assert isinstance(screen.screen, TextScreen)
        await pilot.press("escape", "q")
        assert len(screen.screen_stack) == 1 and not played.stopped
        await pilot.press("down", "enter", "enter")  # a connection that is no longer kept
        await settled(screen, pilot)
        assert isinstance(screen.screen, GroupScreen) and not played.stopped

    drive(played, steps)


def test_the_cursor_stays_on_its_row() -> None:
    played = Played()

    async def steps(screen: LiveScreen, pilot: Pilot[None]) -> None:
        groups = [
            SocketGroup("server", f"10.0.1.{n}", f"10.0.1.{n}", 80, {"CLOSE_WAIT": 100 - n}, 1.0, None, ())
            for n in range(60)
        ]
        played.now = replace(played.now, groups=groups)
        screen.redraw()
        table, found = screen.query_one(EndpointRows), screen.query_one(FoundGroupRows)
        await pilot.press(*["down"] * 30)
        await pilot.pause()
        name, line = table.chosen.name, table.cursor - table.scroll_offset.y
        more = [replace(group, address=f"10.0.2.{n}", server=f"10.0.2.{n}") for n, group in enumerate(groups[:9])]
        played.now = replace(played.now, groups=[*reversed(more), *reversed(groups)])
        screen.redraw()
        await pilot.pause()
        assert table.chosen.name == name and table.cursor == 39
        assert table.cursor - table.scroll_offset.y == line
        await pilot.press("tab", "down")
        key = found.chosen.key
        played.found.add([Announcement(Row(code=f"TD10{n}", stream=n + 10)) for n in range(2, 6)], 3 * SECOND)
        screen.redraw()
        assert found.chosen.key == key and found.cursor == 5

    drive(played, steps)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_number_is_cut(width: int) -> None:
    played = Played()
    counts = dict.fromkeys(("ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT", "FIN_WAIT_2", "LAST_ACK", "CLOSING"), 200_000)
    six = "2001:db8:1111:2222:3333:4444:5555:6666"
    groups = [
        SocketGroup("server", "10.0.0.2", "10.0.0.2", 80, counts, 86_400.0 * 3, 59.4, (1,)),
        SocketGroup("client", six, six, 65_535, counts, 3_599.0, 0.2, (1,)),
    ]
    rates = Rates()
    for second in range(0, 400, 2):
        rates.add(float(second), (10_000_000 * second, 200_000 * second, 200_000 * second, 100_000 * second))
    played.now = replace(played.now, rates=rates.courses(), lost=10_000_000, kernel={groups[0].name: {"TIME_WAIT": 1}})
    played.found.add([Announcement(Row(server_ip=six, stream=8), more=1_234_567)], SECOND)

    async def steps(screen: LiveScreen, pilot: Pilot[None]) -> None:
        for chosen in (groups[:1], groups):
            played.now = replace(played.now, groups=chosen)
            screen.redraw()
            await pilot.pause()
            for table in (screen.query_one(EndpointRows), screen.query_one(FoundGroupRows)):
                places, _ = table.layout_now()
                for y, row in enumerate(table.rows):
                    line, cells = table.render_line(y + 1).text, table.cells(row, {*places})
                    drawn = [cells[place][0] for place in places if table.columns[place].right]
                    at = 0
                    for number in drawn:
                        at = line.index(f" {number}", at) + len(number)
                    assert len(line) <= width and "▸" not in line
        for number in ("10.0M", "200k", "100k"):
            assert number in text(screen, "rates")
        for name in ("rates", "course"):
            assert all(len(line) <= width for line in text(screen, name).split("\n"))
        assert "LOST 10.0M packets" in text(screen, "head") and "10.0M" in text(screen, "course")
        assert "1.2M" in shown(screen, FoundGroupRows)[0] and ":80" in shown(screen, FoundGroupRows)[0]

    drive(played, steps, (width, 24))


def test_findings_are_counted_as_they_are_announced() -> None:
    found = ToldFindings()
    found.add([Announcement(Row(stream=n)) for n in range(5)], SECOND)
    found.add([Announcement(Row(stream=7), more=94), Announcement(Row(endpoint="client", stream=8))], 2 * SECOND)
    found.add([Announcement(Row(stream=2), over=True), Announcement(Row(stream=pd.NA), over=True, more=9)], 3 * SECOND)
    groups = {group.whom: group for group in found.groups()}
    server = groups["server 10.0.0.2:80"]
    assert (server.told, server.over, server.holding, server.last_ns) == (100, 11, 89, 3 * SECOND)
    assert groups["clients of 10.0.0.2:80"].holding == 1 and found.told == 101
    members = found.members(server.key)
    assert [(told.stream, told.more, told.over) for told in members][:2] == [(7, 94, False), (4, 0, False)]
    assert [told.stream for told in members if told.over] == [2]
    found.add([Announcement(Row(server_port=n, stream=n)) for n in range(1000, 1000 + MOST_GROUPS)], 4 * SECOND)
    assert len(found.groups()) == MOST_GROUPS and found.left_out == 2


def test_what_the_kernel_had_before_is_a_group() -> None:
    found = ToldFindings()
    leak = OlderLeak("server", "10.0.0.2:80", 41, 9.0, 5.0, "py[1]", 0, "Suspect the server.")
    found.hear([leak], SECOND)
    (group,) = found.groups()
    assert (group.holding, group.over, group.whom, group.confidence) == (41, 0, "10.0.0.2:80", "kernel")
    found.hear([replace(leak, over=True)], 2 * SECOND)
    (group,) = found.groups()
    assert (group.holding, group.over, len(found.members(group.key))) == (0, 41, 2)


def test_rates_and_courses_are_bounded() -> None:
    rates, courses = Rates(), SocketCourses()
    group = SocketGroup("server", "a", "a", 1, {"TIME_WAIT": 2}, 0.0, None, ())
    for second in range(500):
        if rates.add(float(second), (7 * second, 0, 0, 0)):
            courses.add([group] if second < 480 else [])
    packets = rates.courses()[0]
    assert packets.name == RATES[0] and packets.now == 7 and len(packets.values) == BINS
    assert courses.of(group.name)["TIME_WAIT"][-12:] == [2] * 2 + [0] * 10
    assert courses.of("b") == {}


def test_numbers_names_and_bars_fit() -> None:
    for number in (0, 0.4, 9.96, 9_999, 9_999.6, 99_950, 999_499, 999_500, 10**7, 999_400_000, 10**11):
        assert len(short_number(number)) <= 5
    assert [short_number(number) for number in (12_345, 9_999, 10**7)] == ["12.3k", "9,999", "10.0M"]
    for seconds in (0, 9.94, 9.96, 59.6, 3_599.6, 86_399.6, 8_639_000, 86_400 * 9_999):
        assert len(short_duration(seconds)) <= 6
    name = "2001:db8:1111:2222::1 -> [2001:db8:3333:4444::2]:65535"
    for room in range(15, 60):
        assert len(short_name(name, room)) <= room and short_name(name, room).endswith("65535")
    assert sparkline([0, 1, 100], 5, " _#") == "   _#"
    assert only_ascii({"LC_ALL": "C"}) and not only_ascii({"LANG": "de_DE.UTF-8"}) and not only_ascii({})


def test_kernel_and_packets_agree_or_differ() -> None:
    group = SocketGroup("server", "a", "a", 1, {"TIME_WAIT": 2}, 0.0, None, ())
    assert difference(group, None) == ""
    assert difference(group, {"TIME_WAIT": 2}) == "same"
    assert difference(group, {"TIME_WAIT": 1, "TIME": 1}) == "TIME_W 1"
    assert difference(group, {"TIME_WAIT": 1, "CLOSE_WAIT": 1}) == "2 states differ"


def test_of_two_lots_of_old_leaks_one_may_be_over() -> None:
    found = ToldFindings()
    first = OlderLeak("server", "10.0.0.2:80", 15, 9.0, 5.0, "py[1]", 0, "Suspect the server.")
    found.hear([first, replace(first, sockets=25)], SECOND)
    found.hear([replace(first, over=True)], 2 * SECOND)
    (group,) = found.groups()
    assert (group.holding, group.over, found.told) == (25, 15, 40)


def test_a_process_keeps_its_pid_and_others_are_counted() -> None:
    assert short_process("postgres-writer[1234567]", 20) == "postgres-w…[1234567]"
    assert short_process("nginx[17]", 9) == "nginx[17]"
    assert processes_said(Counter()) == ""
    assert processes_said(Counter({Process(9, "a"): 2, Process(7, "b"): 5, Process(8, "c"): 1})) == "+2 b[7]"


@pytest.mark.parametrize("width", WIDTHS)
def test_what_matters_stays_in_the_first_line(width: int) -> None:
    played = Played()
    played.now = replace(played.now, lost=10_000_000, notices=["the disk is full"])

    async def steps(screen: LiveScreen, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *("10.0.0." * 6), "enter", "p")
        played.now = replace(played.now, packets=12_345)
        screen.redraw()
        line = text(screen, "head")
        assert len(line) <= width and "PAUSED" in line and "LOST 10.0M" in line and "filter '10.0." in line
        assert re.search(r": 0/2, 0/2|: 0 of 2 endpoints, 0 of 2 findings", line)
        assert "the disk is full" in {notice.message for notice in screen._notifications}
        await pilot.press("question_mark")
        await pilot.pause()
        table = screen.screen.query_one("#text", RowsView)
        assert any("Notice: the disk is full" in str(table.row(place)) for place in range(table.count))

    drive(played, steps, (width, 24))


def test_the_key_bar_names_only_what_does_something() -> None:
    async def steps(screen: LiveScreen, pilot: Pilot[None]) -> None:
        bar = screen.query_one(KeyBar)
        assert "clear filter" not in str(bar.render())
        await pilot.press("slash", *"10", "enter")
        assert "clear filter" in str(bar.render())
        await pilot.press("x")
        assert "clear filter" not in str(bar.render())

    drive(Played(), steps)


def test_the_screen_is_ascii_where_the_terminal_is() -> None:
    played = Played()

    async def run() -> None:
        screen = LiveScreen(played, {"LC_ALL": "C"})
        async with screen.run_test(size=(80, 24)) as pilot:
            for keys in ([], ["question_mark"], ["escape", "tab", "enter"], ["enter"]):
                await pilot.press(*keys)
                await settled(screen, pilot)
                lines = ["".join(piece.text for piece in strip) for strip in screen.screen._compositor.render_strips()]
                assert all(line.isascii() and len(line) == 80 for line in lines)

    asyncio.run(run())
    assert ascii_of("a…→日█") == "a~>??#"
