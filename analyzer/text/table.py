"""Cells become the lines of a table whose columns stand below one another: compiled, some thousand rows at a time.

    cells = Template([number("stream")], [code("ip", "addresses")]).bind(rows, words).words()   # a line a cell
    widths = widest(cells, 2)
    text = table(cells, widths, right=[True, False])

Widths count characters, not bytes; blanks at the end of lines are left out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyzer.kernels import const, helper, kernel
from analyzer.text.words import Words

GAP = 2  # blanks between columns
BLANK, NEW_LINE = ord(" "), ord("\n")


def widest(cells: Words, columns: int) -> NDArray[np.int64]:
    """The characters of the longest cell of each column; ``cells`` are row after row."""
    widths = np.zeros(columns, np.int64)
    measure(cells.data, cells.starts, widths)
    return widths


def table(cells: Words, widths: NDArray[np.int64], right: Sequence[bool]) -> str:
    """The lines, each ended; the columns that are ``right`` stand flush right."""
    rows = len(cells) // len(widths)
    spare = len(cells.text) + rows * (int(widths.sum()) + GAP * len(widths) + 1)
    out = np.empty(spare, np.uint8)
    size = lay_out(cells.data, cells.starts, widths, np.array(right, np.int64), out)
    return bytes(out[:size]).decode()


@helper
def characters(text, begin, end):
    """How many characters of UTF-8 these bytes are."""
    count = np.int64(0)
    for at in range(begin, end):
        if text[at] & 0xC0 != 0x80:
            count += 1
    return count


@kernel(const(np.uint8), const(np.int64), np.int64)
def measure(text, starts, widths):
    """Set each of ``widths`` to the characters of its longest cell."""
    columns = len(widths)
    for cell in range(len(starts) - 1):
        size = characters(text, starts[cell], starts[cell + 1])
        if size > widths[cell % columns]:
            widths[cell % columns] = size


@kernel(const(np.uint8), const(np.int64), const(np.int64), const(np.int64), np.uint8)
def lay_out(text, starts, widths, right, out):
    """Fill ``out`` with the lines; returns of how many bytes."""
    columns, at, line = len(widths), np.int64(0), np.int64(0)
    for cell in range(len(starts) - 1):
        column = cell % columns
        begin, end = starts[cell], starts[cell + 1]
        pad = widths[column] - characters(text, begin, end)
        before = (pad if right[column] else np.int64(0)) + (np.int64(GAP) if column else np.int64(0))
        for _ in range(before):
            out[at] = BLANK
            at += 1
        for place in range(begin, end):
            out[at] = text[place]
            at += 1
        if column < columns - 1:
            for _ in range(np.int64(0) if right[column] else pad):
                out[at] = BLANK
                at += 1
            continue
        while at > line and out[at - 1] == BLANK:
            at -= 1
        out[at] = NEW_LINE
        at += 1
        line = at
    return at
