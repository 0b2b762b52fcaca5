"""The screen of ``browse``, driven by keys without a terminal."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("textual", reason="needs textual (the extra live)")

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from analyzer.browse import connection_list
from analyzer.browse.app import BrowseApp
from analyzer.browse.browsed import BrowsedCapture
from analyzer.browse.connection_list import ConnectionList
from analyzer.browse.dialogs import FindingsScreen, SortScreen, TextScreen
from analyzer.browse.drawing import STATE_COLOURS, WORDS, drawn
from analyzer.browse.filter_box import read_box
from analyzer.browse.head_lines import about_capture, about_list
from analyzer.browse.key_bar import KeyBar
from analyzer.browse.keys import KEYS
from analyzer.browse.reading import Reading, ReadingStopped
from analyzer.browse.rows_view import MORE, RowsView
from analyzer.browse.text_view import TextView
from analyzer.results.netstat import STATES
from analyzer.settings import Settings
from analyzer.views.console import CODES, Line

CAPTURES = Path(__file__).parents[2] / "captures"
LEAKS, LEAK, FLOOD = "reconnect-loop-leaks.pcapng", "close-wait-leak.pcap", "half-open-flood.pcap"
READ = Settings(keep_further=())
Drive = Callable[[BrowseApp, Pilot[None]], Awaitable[None]]


def app_of(*captures: str | Path, box: str = "") -> BrowseApp:
    words = read_box(box, READ)
    return BrowseApp(Reading([str(CAPTURES / capture) for capture in captures], READ), words.settings, words.listing)


def drive(
    capture: str | Path, steps: Drive, size: tuple[int, int] = (80, 24), box: str = "", app: BrowseApp | None = None
) -> BrowseApp:
    app = app or app_of(capture, box=box)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot)
            await steps(app, pilot)

    asyncio.run(run())
    return app


async def settled(app: BrowseApp, pilot: Pilot[None]) -> None:
    """Until the capture is read, and everything that was asked for is shown: also what the last of it asks for."""
    calm = 0
    for _ in range(2000):
        await pilot.pause(0.01)
        await pilot.pause()
        calm = calm + 1 if app.settled else 0
        if calm == 3:
            return
    raise AssertionError("it does not settle")


async def press(app: BrowseApp, pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(app, pilot)


async def typed(app: BrowseApp, pilot: Pilot[None], text: str) -> None:
    await pilot.press("slash")
    main(app).query_one("#filter", Input).value = text
    await press(app, pilot, "enter")


def main(app: BrowseApp) -> Screen[Any]:
    """The list and what stands beside it."""
    return app.screen_stack[0]


def rows(view: RowsView) -> list[str]:
    return [view.row(place).plain for place in range(view.count)]


def seen(view: RowsView) -> list[str]:
    """What stands on the screen of it."""
    return ["".join(part.text for part in view.render_line(y)) for y in range(view.size.height)]


def connections(app: BrowseApp) -> list[str]:
    return rows(main(app).query_one(ConnectionList))


def text(app: BrowseApp, name: str) -> str:
    """What stands on the screen of a part, its lines one after the other."""
    part = main(app).query_one(f"#{name}", Static)
    lines = ["".join(piece.text for piece in part.render_line(y)) for y in range(part.size.height)]
    return " ".join(" ".join(line.split()) for line in lines)


def test_a_connection_is_listed_opened_and_left() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        assert "20 packets" in text(app, "head") and "2 connections" in text(app, "head")
        assert "10.1.1.2:44296" in connections(app)[0] and "● TD101" in connections(app)[0]
        ladder = main(app).query_one("#ladder", TextView)
        assert "error TD101 close-wait-leak" in rows(ladder)[0]
        await press(app, pilot, "enter")
        assert app.has_opened and ladder.has_focus
        assert "its clients" in text(app, "counts")
        await press(app, pilot, "J")
        assert app.has_opened and "connection 1 " in text(app, "title")
        await press(app, pilot, "K")
        assert app.has_opened and "connection 0 " in text(app, "title")
        await press(app, pilot, "escape")
        assert not app.has_opened and main(app).query_one(ConnectionList).has_focus
        await press(app, pilot, "down")
        assert "connection 1 " in text(app, "title") and "2 of 2" in text(app, "title")
        await pilot.press("q")

    assert drive(LEAK, steps)._exit


def test_the_ladder_has_the_forms_of_the_timeline() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        ladder = main(app).query_one("#ladder", TextView)
        assert any("never closed" in row for row in rows(ladder))
        assert any(row.strip().startswith("0.000000") for row in rows(ladder))
        await press(app, pilot, "b")
        assert not any("never closed" in row for row in rows(ladder))
        await press(app, pilot, "t")
        assert any(row.strip().startswith("17:57:31.356622") for row in rows(ladder))
        await press(app, pilot, "t", "t", "b")
        assert any("never closed" in row for row in rows(ladder))

    drive(LEAK, steps)


def test_the_counts_are_those_of_the_line_under_the_cursor() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        await press(app, pilot, "enter")
        ladder = main(app).query_one("#ladder", TextView)
        ladder.move_to(next(place for place, row in enumerate(rows(ladder)) if "SYN_SENT" in row))
        await settled(app, pilot)
        assert "SYN_SENT" in text(app, "counts") and ", 0 µs after the first packet" in text(app, "counts")
        await press(app, pilot, "end")
        assert "SYN_SENT" not in text(app, "counts") and "CLOSE_WAIT" in text(app, "counts")

    drive(LEAK, steps)


def test_the_filter_box_takes_the_words_of_the_command_line() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        whole = len(connections(app))
        assert f"all {whole:,}" in text(app, "chosen")
        await typed(app, pilot, "--code TD101 --sort -client_port")
        some = connections(app)
        assert 0 < len(some) < whole and all("TD101" in row for row in some)
        assert f"{len(some)} of {whole}, by client_port ▼" in text(app, "chosen")
        await press(app, pilot, "r")
        assert connections(app) == some[::-1]
        await press(app, pilot, "x")
        assert len(connections(app)) == whole

    drive(LEAKS, steps)


def test_a_filter_that_means_nothing_is_answered_in_place() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        before = connections(app)
        for wrong, said in (("duration > 5", "did you mean duration_s? There are stream"),
                            ("duration_s + 5", "neither true nor false")):  # fmt: skip
            await typed(app, pilot, wrong)
            assert said in text(app, "error") and app.screen.has_class("refused")
            assert (
                main(app).query_one("#filter", Input).has_focus and main(app).query_one("#filter", Input).value == wrong
            )
            assert connections(app) == before
            await press(app, pilot, "escape")
            assert not app.screen.has_class("refused")
        await typed(app, pilot, "duration_s > 500000")
        assert connections(app) == [] and "No connection fits" in text(app, "title")

    drive(LEAK, steps)


def test_filters_of_the_command_line_stand_in_the_box() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        assert len(connections(app)) == 1
        assert "--stream 1" in text(app, "chosen")
        await pilot.press("slash")
        assert main(app).query_one("#filter", Input).value == "--stream 1"
        await press(app, pilot, "escape")
        assert main(app).query_one(ConnectionList).has_focus

    drive(LEAK, steps, box="--stream 1")


def test_findings_are_grouped_and_lead_to_their_connections() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        await press(app, pilot, "f")
        assert isinstance(app.screen, FindingsScreen)
        groups = rows(app.screen.query_one("#groups", RowsView))
        grave = [group.split()[1] for group in groups]
        assert grave == sorted(grave, key=("error", "warning", "info").index)
        said = rows(app.screen.query_one("#text", RowsView))
        assert "blamed: " in said[0] and any(row.startswith("Why it matters") for row in said)
        await press(app, pilot, "enter")
        assert len(app.screen_stack) == 1
        code = groups[0].split()[2]
        assert f"--code {code}" in text(app, "chosen") and all(code in row for row in connections(app))

    drive(LEAKS, steps)


def test_dialogs_open_and_close() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        for key, within in (("question_mark", "Show this help"), ("n", "Local Address"), ("v", "Findings: ")):
            for back in ("q", "escape"):
                await press(app, pilot, key)
                assert isinstance(app.screen, TextScreen)
                assert any(within in row for row in rows(app.screen.query_one("#text", RowsView)))
                await press(app, pilot, back)
                assert len(app.screen_stack) == 1
        await press(app, pilot, "s")
        assert isinstance(app.screen, SortScreen)
        await press(app, pilot, "f")
        assert isinstance(app.screen, SortScreen)
        place = next(n for n, row in enumerate(rows(app.screen.query_one("#columns", RowsView))) if "duration_s" in row)
        await press(app, pilot, *["down"] * place, "enter")
        assert "by duration_s ▼" in text(app, "chosen")

    drive(LEAK, steps)


def test_nothing_but_what_is_seen_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    whole = connection_list.measured

    def counted(analysed, endings, columns):  # type: ignore[no-untyped-def]
        made.append(len(endings))
        return whole(analysed, endings, columns)

    monkeypatch.setattr(connection_list, "measured", counted)
    monkeypatch.setattr(connection_list, "BLOCK", 8)

    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        listed = main(app).query_one(ConnectionList)
        assert listed.count == 51 and sum(made) <= 16
        await press(app, pilot, "end")
        assert listed.cursor == 50 and sum(made) <= 32

    drive(FLOOD, steps)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
@pytest.mark.parametrize("capture", [LEAKS, "graceful-over-ipv6.pcap", FLOOD])
def test_no_number_is_cut_off(capture: str, size: tuple[int, int]) -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        assert app._capture is not None and app._chosen is not None
        analysed = app._capture.analysed
        for words in (about_capture(analysed, size[0]).plain, about_list(analysed, app._chosen, size[0]).plain):
            assert len(words) <= size[0] and f"{analysed.overview.flows}" in words
        assert not any(MORE in line for line in seen(main(app).query_one(ConnectionList)))
        assert not any(MORE in line for line in seen(main(app).query_one("#ladder", TextView)))

    drive(capture, steps, size)


def test_every_style_of_a_line_and_every_state_has_a_colour() -> None:
    assert set(WORDS) == set(CODES)
    assert set(STATE_COLOURS) == set(STATES)
    line = Line("[red]", "bold red").append("\\x1b", "dim")
    assert drawn(line).plain == line.plain


def test_the_key_bar_leaves_out_whole_keys() -> None:
    for width in range(20, 160):
        bar = KeyBar().bar(width).plain
        assert len(bar) <= width
        assert all(part in {f"{key.shown} {key.label}" for key in KEYS} for part in bar.strip().split("  ") if part)
    assert "? help" in KeyBar().bar(80).plain and "q Esc back" in KeyBar().bar(80).plain


def test_what_came_from_elsewhere_is_no_markup(tmp_path: Path) -> None:
    path = tmp_path / "[red]x[b]\x1b[2J.pcap"
    shutil.copy(CAPTURES / LEAK, path)

    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        assert "[red]x[b]\\x1b[2J.pcap" in text(app, "head")
        await typed(app, pilot, "[bold]\x1b[2J")
        assert "\x1b" not in text(app, "error") and "--where" in text(app, "error")

    drive(path, steps, (200, 24))


def test_what_is_wider_than_the_screen_goes_on_below() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        await press(app, pilot, "f")
        said = app.screen.query_one("#text", TextView)
        place = next(place for place, row in enumerate(rows(said)) if row.startswith("Next"))
        assert "ss -tnp state close-wait '( sport =" in rows(said)[place] and rows(said)[place + 1] == ":8080 )'"
        await pilot.resize_terminal(120, 30)
        await settled(app, pilot)
        (whole,) = (row for row in rows(said) if row.startswith("Next"))
        assert whole.endswith("'( sport = :8080 )'")

    drive(LEAK, steps)


def test_keys_work_while_the_capture_is_read() -> None:
    class Slow(Reading):
        def _read(self) -> BrowsedCapture:
            while not self._stopped:
                time.sleep(0.01)
            raise ReadingStopped

    async def run() -> None:
        app = BrowseApp(Slow([str(CAPTURES / LEAK)], READ), READ, read_box("", READ).listing)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause(0.1)
            assert "reading " in text(app, "progress") and "opening" in text(app, "progress")
            for key in ("slash", "f", "s", "n", "v", "r", "x", "enter"):
                await pilot.press(key)
                assert len(app.screen_stack) == 1 and not app.screen.has_class("box", "opened")
            await pilot.press("question_mark")
            assert isinstance(app.screen, TextScreen)
            await pilot.press("q", "q")
        assert app._exit
        app.reading.stop()
        assert isinstance(app.reading.outcome, ReadingStopped)

    asyncio.run(run())


def test_the_copied_filter_holds_in_every_file() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        await press(app, pilot, "y")
        assert app.clipboard == expected

    expected = "tcp.stream == 0"
    drive(LEAK, steps)
    expected = "ip.addr == 10.1.1.2 && ip.addr == 10.1.2.2 && tcp.port == 55260 && tcp.port == 8080"
    drive(LEAK, steps, app=app_of("capture-has-gaps/before.pcap", "capture-has-gaps/after.pcap"))


def test_quitting_ends_the_reading() -> None:
    async def steps(app: BrowseApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+c")

    app = drive(LEAK, steps)
    app.reading.stop()
    assert app._exit and not app.reading._thread.is_alive()
