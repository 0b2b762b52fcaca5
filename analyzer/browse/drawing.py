"""Lines for people as the screen draws them: their colours, and the words of TCP in those of ``docs/browse.md``."""

from rich.text import Text

from analyzer.views.console import Line

SEVERITY_COLOURS = {"error": "bold red", "warning": "dark_orange", "info": "cyan"}
STATE_COLOURS = {  # safe for those who are colour-blind, and never the only sign
    "SYN_SENT": "green",
    "SYN_RECEIVED": "green",
    "ESTABLISHED": "grey66",
    "FIN_WAIT_1": "dodger_blue1",
    "FIN_WAIT_2": "deep_sky_blue1",
    "CLOSE_WAIT": "dark_orange",
    "CLOSING": "medium_purple1",
    "LAST_ACK": "medium_purple1",
    "TIME_WAIT": "light_sky_blue1",
    "UNKNOWN": "grey50",
}


def drawn(line: Line) -> Text:
    """A line with its colours."""
    return Text.from_ansi(line.coloured, no_wrap=True) if line.plain else Text()


def painted(text: str, style: str = "") -> Text:
    """A text in one style."""
    return Text(no_wrap=True).append(text, style)  # a style of the whole is not drawn where there is no other
