"""Everything on the screen in ASCII, for a terminal that has nothing else. Each character keeps its columns."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

ALIKE = {
    "…": "~", "▸": ">", "→": ">", "←": "<", "↑": "^", "↓": "v", "▶": ">", "◀": "<", "▲": "^", "▼": "v",
    "─": "-", "━": "-", "│": "|", "┃": "|", "├": "+", "┤": "+", "┐": "+", "┘": "+", "└": "+", "┌": "+", "┼": "+",
    "●": "E", "◐": "W", "○": "I", "≥": ">", "—": "-", "µ": "u", "░": ".", "█": "#",
    "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "+", "▆": "*", "▇": "#",
}  # fmt: skip


class AsciiOnly(LineFilter):
    """The last step before lines are drawn."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same in ASCII."""
        return [
            segment if segment.text.isascii() else Segment(ascii_of(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def ascii_of(text: str) -> str:
    """A text in as many columns; what has no likeness is a question mark."""
    return "".join(c if c.isascii() else ALIKE.get(c, "?" * cell_len(c)) for c in text)
