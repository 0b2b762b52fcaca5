"""The screen, driven by keys without a terminal."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from analyzer.errors import UsageError
from analyzer.live.census import SocketGroup
from analyzer.live.screen_data import News, ScreenData
from analyzer.views.console import Line

pytest.importorskip("textual", reason="needs textual (the extra live)")

from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from analyzer.live.screen import LadderScreen, Screen, difference

Drive = Callable[[Screen, Pilot[None]], Awaitable[None]]


class Played:
    """A subject that shows what the test puts there."""

    def __init__(self) -> None:
        leak = SocketGroup("server", "10.0.0.2", "10.0.0.2", 80, {"CLOSE_WAIT": 7}, 12.0, None, (3,))
        waits = SocketGroup("client", "10.0.0.1", "10.0.0.2", 80, {"TIME_WAIT": 9, "ESTABLISHED": 1}, 5.0, 31.0, ())
        hostile = News("[red]not markup[/red] \\x1b[2J", "error", 3, "10.0.0.2 TD101")
        self.now = ScreenData("eth0", [leak, waits], {leak.name: {"CLOSE_WAIT": 6}}, {leak.name: "py[1]"}, [hostile])
        self.stopped = False

    def data(self) -> ScreenData:
        return self.now

    def ladder(self, stream: int, columns: int) -> list[Line]:
        if stream != 3:
            raise UsageError("gone")
        return [Line("the ladder of 3")]

    def stop(self) -> None:
        self.stopped = True


def drive(played: object, steps: Drive) -> None:
    async def run() -> None:
        screen = Screen(played)  # type: ignore[arg-type]
        async with screen.run_test(size=(160, 40)) as pilot:
            await pilot.pause()
            await steps(screen, pilot)

    asyncio.run(run())


def cells(screen: Screen, table: str, column: int = 0) -> list[str]:
    widget = screen.query_one(f"#{table}", DataTable)
    return [str(widget.get_row_at(row)[column]) for row in range(widget.row_count)]


def head(screen: Screen) -> str:
    return str(screen.query_one("#head", Static).render())


def test_places_are_shown_sorted_and_filtered() -> None:
    async def steps(screen: Screen, pilot: Pilot[None]) -> None:
        assert cells(screen, "groups") == ["10.0.0.1 -> 10.0.0.2:80", "10.0.0.2:80"]
        await pilot.press("s")
        assert "sorted by CLOSE_WAIT" in head(screen)
        assert cells(screen, "groups") == ["10.0.0.2:80", "10.0.0.1 -> 10.0.0.2:80"]
        assert cells(screen, "groups", -2) == ["py[1]", ""]
        assert cells(screen, "groups", -1) == ["CLOSE_W 6", ""]
        await pilot.press("slash", *"10.0.0.1", "enter")
        assert cells(screen, "groups") == ["10.0.0.1 -> 10.0.0.2:80"]
        assert cells(screen, "news") == []

    drive(Played(), steps)


def test_what_came_from_a_capture_is_no_markup() -> None:
    async def steps(screen: Screen, pilot: Pilot[None]) -> None:
        assert cells(screen, "news") == ["[red]not markup[/red] \\x1b[2J"]

    drive(Played(), steps)


def test_pause_holds_the_picture_and_quit_stops_the_watch() -> None:
    played = Played()

    async def steps(screen: Screen, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        played.now = ScreenData("changed")
        screen.redraw()
        assert "eth0" in head(screen) and "PAUSED" in head(screen)
        await pilot.press("p")
        screen.redraw()
        assert "changed" in head(screen)
        await pilot.press("q")

    drive(played, steps)
    assert played.stopped


def test_a_ladder_opens_and_closes() -> None:
    async def steps(screen: Screen, pilot: Pilot[None]) -> None:
        await pilot.press("s", "enter")
        await pilot.pause()
        assert isinstance(screen.screen, LadderScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(screen.screen, LadderScreen)

    drive(Played(), steps)


def test_kernel_and_packets_agree_or_differ() -> None:
    group = SocketGroup("server", "a", "a", 1, {"TIME_WAIT": 2}, 0.0, None, ())
    assert difference(group, None) == ""
    assert difference(group, {"TIME_WAIT": 2}) == "same"
    assert difference(group, {"TIME_WAIT": 1, "CLOSE_WAIT": 1}) == "CLOSE_W 1, TIME_W 1"
