"""How things are said: safe text, numbers, durations, addresses, and lines for a terminal or a file.

A line carries its colours along and loses them where there is no terminal, or where NO_COLOR is set. Nothing is ever
cut off or drawn with boxes, so what a script greps and what a person pastes is all there.
"""

import io
import math
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Self, TextIO

from analyzer.units import counted
from analyzer.views.escape import safe

PLAIN_WIDTH = 80
CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36"}
CODES |= {"bright_blue": "94"}  # ECMA-48, 8.3.117; the last is aixterm's: the plain blue is too dark on black
SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class Line:
    """One line for people: ``pieces`` of text, each with its style, which is some words of ``CODES``. Text without
    style may be several lines.

    What prints it needs no library: importing one that does takes longer than a small capture.
    """

    def __init__(self, text: str = "", style: str = "", at: int | None = None) -> None:
        self.pieces = [(text, style)]
        self.at = at  # the moment that it tells of, ns since 1970

    def append(self, text: str, style: str = "") -> Self:
        """Go on with ``text``; returns the line itself."""
        self.pieces.append((text, style))
        return self

    def rstrip(self) -> Self:
        """Drop the blanks at the end; returns the line itself."""
        while self.pieces:
            text, style = self.pieces.pop()
            if text.rstrip():
                return self.append(text.rstrip(), style)
        return self

    @property
    def plain(self) -> str:
        """The text alone."""
        return "".join(text for text, _ in self.pieces)

    @property
    def coloured(self) -> str:
        """The text with what makes a terminal show its styles."""
        return "".join(_coloured(text, style) if text and style else text for text, style in self.pieces)


def _coloured(text: str, style: str) -> str:
    return f"\x1b[{';'.join(CODES[word] for word in style.split())}m{text}\x1b[0m"


def has_colours(file: TextIO) -> bool:
    """Whether it is a terminal that shows colours, and none that must not."""
    return file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")


def show(lines: Iterable[Line], file: TextIO | None = None) -> None:
    """Print ``lines``; what the file's encoding lacks is written as an escape instead of failing."""
    target = file or sys.stdout
    if isinstance(target, io.TextIOWrapper):
        target.reconfigure(errors="backslashreplace")
    from analyzer.views.progress import ProgressBar

    colours, done = has_colours(target), 0
    with ProgressBar("writing", shown=not target.isatty()) as bar:
        for line in lines:
            done += target.write(f"{line.coloured if colours else line.plain}\n")
            bar(done, None)


def width(most: int, alone: int = PLAIN_WIDTH, least: int = PLAIN_WIDTH) -> int:
    """Columns to fill on standard output: the terminal's, ``least`` to ``most``; ``alone`` where there is no
    terminal."""
    if not sys.stdout.isatty():
        return alone
    from shutil import get_terminal_size

    return max(least, min(get_terminal_size().columns, most))


def wrapped(text: str, indent: int, columns: int) -> list[str]:
    """``text`` as lines of at most ``columns``, each with ``indent`` spaces before it; words are never
    broken."""
    margin = " " * indent
    return textwrap.wrap(
        safe(text.replace("\n", " ")),
        columns,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def advice_lines(advice: str, indent: int, columns: int) -> list[str]:
    """An advice, wrapped; its last sentence, the next command to run, stays on one line so that it can be copied."""
    words, begins, command = advice.replace("\n", " ").rpartition(" Next")
    if not begins:
        return wrapped(command, indent, columns)
    return [*wrapped(words, indent, columns), " " * indent + safe(begins.strip() + command)]


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Rows as lines with their cells in columns: the first ``left`` columns flush left, the others flush
    right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(size) if place < left else cell.rjust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def heading(text: str) -> list[Line]:
    return [Line(), Line(text, "bold")]


def size(number: int) -> str:
    """Bytes as people say them: ``512 bytes``, ``1.3 MB``."""
    for unit, name in _SIZES:
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return counted(number, "byte")


def duration(seconds: float) -> str:
    """A duration to three or four digits in the unit that fits: ``31 µs``, ``4.2 ms``, ``61.2 s``, ``12 min 5
    s``."""
    if math.isnan(seconds):
        return "unknown"
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 0.000_999_5:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.999_5:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s" if seconds < 99.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def endpoint(ip: object, port: object) -> str:
    """``10.0.0.1:80``, ``[2001:db8::1]:443``."""
    address = safe(str(ip))
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
