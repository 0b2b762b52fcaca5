"""A segment as an arrow from its sender to the other side, with its words near the sender.

Of several forms the fullest that fits is drawn. What fits in none stands below the arrow, on the sender's side.
"""

from collections.abc import Iterable, Iterator

from analyzer.segments.table import ACK, RST
from analyzer.views.console import Line, wrapped
from analyzer.views.ladder_layout import WITH_WINDOW, LadderLayout, arrow_style
from analyzer.views.ladder_segments import LadderSegments, flags_text, numbers_texts, said, window_text

REMARK = "yellow"
AROUND = 6  # columns of an arrow beside its words


def arrow(talk: LadderSegments, row: int, paper: LadderLayout) -> tuple[list[tuple[str, str]], str]:
    """The arrow of a segment as pieces of a line, each with its style, and what had no room in it."""
    plain, remarks, below = _form(talk, row, paper.room - AROUND, paper.room >= WITH_WINDOW)
    flags, size = int(talk.flags[row]), int(talk.size[row])
    style, line = arrow_style(flags, size), paper.signs.data if size else paper.signs.line
    taken = len(plain) + len(remarks) + bool(remarks)
    fill = line * max(1, paper.room - taken - AROUND + 1)
    tail = paper.signs.reset + line if flags & RST else line * 2
    words = [(plain, style), *([(" ", style), (remarks, REMARK)] if remarks else [])]
    if talk.up[row]:
        return [(f"{tail} ", style), *words, (f" {fill}{paper.signs.right}", style)], below
    return [(f"{paper.signs.left}{fill} ", style), *words, (f" {tail[::-1]}", style)], below


def _form(talk: LadderSegments, row: int, room: int, with_window: bool) -> tuple[str, str, str]:
    """The numbers and the remarks that stand in the arrow, and what stands below."""
    numbers, remarks = numbers_texts(talk, row), ", ".join(talk.texts(row))
    window = [window_text(talk, row)] if with_window and talk.flags[row] & (ACK | RST) == ACK else []
    plains = [
        " ".join([flags_text(talk, row, short), *told])
        for told in ([*numbers, *window], numbers)
        for short in (False, True)
    ]
    for plain in plains:
        if len(plain) + len(remarks) + bool(remarks) <= room:
            return plain, remarks, ""
    for plain in plains:
        if len(plain) <= room:
            return plain, "", remarks
    first, rest = numbers.pop(0), [remarks] if remarks else []
    long = flags_text(talk, row)
    kept = [long if len(f"{long} {first}") <= room else flags_text(talk, row, short=True), first]
    for number in reversed(numbers):  # the length first, as it says more beside the number than the acknowledgment
        fits = len(" ".join([*kept, number])) <= room
        kept, rest = ([*kept, number], rest) if fits else (kept, [number, *rest])
    return " ".join(kept), "", ", ".join(rest)


def overflowing(talk: LadderSegments, rows: Iterable[int], room: int) -> int:
    """How many of the segments would not have all their words in an arrow of ``room`` columns."""
    return sum(len(said(talk, row, short=True)) > room - AROUND for row in rows)


def below_lines(text: str, up: bool, paper: LadderLayout) -> Iterator[Line]:
    """What had no room in an arrow, below it at the side of its sender."""
    for line in wrapped(text, 0, paper.room - 3):
        placed = f"   {line}" if up else f"{line:>{paper.room - 3}}"
        yield Line(" " * paper.lane + placed, REMARK)
