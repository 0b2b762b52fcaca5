"""Lines for people as the screen draws them: their colours, and those of states. The colours are apart for those who
are colour-blind, and never the only sign."""

from rich.text import Text

from analyzer.views.console import Line

RED, GREEN, ORANGE, VIOLET, CYAN, GREY = "#ff5f5f", "#5fd787", "#ffaf00", "#af87ff", "#5fd7d7", "#9e9e9e"
BLUE, LIGHTER_BLUE, PALE_BLUE = "#5f9fff", "#5fcfff", "#b7dcff"
BARS = " ▁▂▃▄▅▆▇█"
WORDS = {  # what the words of a line's styles (``console.CODES``) are here: a theme of the terminal has no say
    "bold": "bold",
    "dim": GREY,
    "red": RED,
    "green": GREEN,
    "yellow": ORANGE,
    "magenta": VIOLET,
    "cyan": CYAN,
    "bright_blue": BLUE,
}
SEVERITY_SIGNS = {"error": "●", "warning": "◐", "info": "○"}
SEVERITY_COLOURS = {"error": f"bold {RED}", "warning": ORANGE, "info": CYAN}
STATE_COLOURS = {
    "SYN_SENT": GREEN,
    "SYN_RECEIVED": GREEN,
    "ESTABLISHED": GREY,
    "FIN_WAIT_1": BLUE,
    "FIN_WAIT_2": LIGHTER_BLUE,
    "CLOSE_WAIT": ORANGE,
    "CLOSING": VIOLET,
    "LAST_ACK": VIOLET,
    "TIME_WAIT": PALE_BLUE,
    "UNKNOWN": GREY,
}


def drawn(line: Line) -> Text:
    """A line with its colours."""
    text = Text(no_wrap=True)
    for piece, style in line.pieces:
        text.append(piece, " ".join(WORDS[word] for word in style.split()))
    return text


def painted(text: str, style: str = "") -> Text:
    """A text in one style."""
    return Text(no_wrap=True).append(text, style)  # a style of the whole is not drawn where there is no other
