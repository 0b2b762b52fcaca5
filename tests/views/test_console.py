"""Text for people: safe on any terminal, wrapped, in units that fit."""

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.units import counted
from analyzer.views import console
from analyzer.views.escape import safe


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text(st.characters()))
def test_safe_text_never_commands_a_terminal(anything: str) -> None:
    assert safe(anything).isprintable() or safe(anything) == ""


def test_escapes_are_spelled_out() -> None:
    assert safe("a\x1b[31m\u202eb\udc80\n") == r"a\x1b[31m\u202eb\udc80\n"
    assert safe("übung.pcapng") == "übung.pcapng"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 µs"),
        (31e-6, "31 µs"),
        (0.0042, "4.2 ms"),
        (0.5, "500 ms"),
        (1, "1 s"),
        (61.199970, "61.2 s"),
        (99.96, "100 s"),
        (725, "12 min 5 s"),
        (7300, "2 h 1 min"),
        (-0.5, "-500 ms"),
        (math.nan, "unknown"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert console.duration(seconds) == said


def test_sizes_and_counts() -> None:
    assert [console.size(n) for n in (1, 512, 1500, 5 * 10**9)] == ["1 byte", "512 bytes", "1.5 kB", "5.0 GB"]
    assert [counted(n, "packet") for n in (0, 1, 1204)] == ["0 packets", "1 packet", "1,204 packets"]


def test_endpoints() -> None:
    assert console.endpoint("10.0.0.1", 80) == "10.0.0.1:80"
    assert console.endpoint("2001:db8::1", 443) == "[2001:db8::1]:443"


def test_columns_line_up() -> None:
    assert console.aligned([["server", "flows"], ["10.0.0.1:80", "7"]]) == [
        "server       flows",
        "10.0.0.1:80      7",
    ]


def test_what_the_encoding_lacks_is_escaped_not_fatal() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console.show([console.Line("4 µs ▶", "bold red")], file)
    file.seek(0)
    assert file.read() == "4 \\xb5s \\u25b6\n"


def test_no_color_is_honoured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = {}
    for choice in ("", "1"):
        monkeypatch.setenv("NO_COLOR", choice)
        file = Terminal()
        console.show([console.Line("error", "red")], file)
        shown[choice] = file.getvalue()
    assert shown == {"": "\x1b[31merror\x1b[0m\n", "1": "error\n"}


def test_a_line_is_pieces_with_styles() -> None:
    line = console.Line("error ", "bold red").append("").append(" ").append("told").append(" ", "dim").append("  ")
    assert line.rstrip().plain == "error  told"
    assert line.coloured == "\x1b[1;31merror \x1b[0m told"
    assert console.Line(" ").rstrip().plain == ""


def test_a_terminal_may_know_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for kind, colours in (("dumb", False), ("xterm", True)):
        monkeypatch.setenv("TERM", kind)
        assert console.has_colours(Terminal()) is colours


@pytest.mark.parametrize(("columns", "filled"), [("60", 80), ("95", 95), ("200", 100)])
def test_the_width_of_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: str, filled: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout", Terminal())
    assert console.width(100) == filled
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert (console.width(100), console.width(100, alone=100)) == (80, 100)
