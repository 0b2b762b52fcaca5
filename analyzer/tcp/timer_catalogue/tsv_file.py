"""Reads files of tab-separated values, those of the catalogue and a site's own, and says where one is wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from analyzer.errors import UsageError

MOST_ROWS = 10_000
LONGEST_CELL = 1000  # characters
HINT = "docs/timers.md has a line to copy"


class TsvRow(NamedTuple):
    """A row, and where it stands: ``FILE, line 2``."""

    where: str
    cells: dict[str, str]

    def wrong(self, column: str, what: str) -> UsageError:
        """That ``what`` is wrong in a column."""
        return UsageError(f"{self.where}, column {column}: {what}")


def rows_of(path: str, columns: tuple[str, ...]) -> Iterator[TsvRow]:
    """The rows of a file whose first line names ``columns``; empty lines are passed over.

    Raises UsageError, which names the line, for what is no such file.
    """
    lines = _lines(path, len(columns) * (LONGEST_CELL + 1) + 1)
    if tuple(next(lines, "").split("\t")) != columns:
        raise UsageError(
            f"{path}: the first line must name these columns, separated by tabs ({HINT}): {' '.join(columns)}"
        )
    for number, line in enumerate(lines, 2):
        where, cells = f"{path}, line {number}", line.split("\t")
        if number > MOST_ROWS + 1:
            raise UsageError(f"{where}: a file has {MOST_ROWS} timers at most; leave out those that you do not need")
        if not line:
            continue
        row = TsvRow(where, dict(zip(columns, cells, strict=False)))
        _harmless(row)
        if len(cells) != len(columns):
            raise UsageError(f"{where}: it must have {len(columns)} columns, separated by tabs, and has {len(cells)}")
        yield row


def _lines(path: str, longest: int) -> Iterator[str]:
    """The lines of a file, without their ends; of one that is too long the beginning, which has a cell too long or too
    many of them. A byte order mark, as Windows writes it, is passed over."""
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            while line := file.readline(longest):
                yield line.removesuffix("\n")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: it is not text in UTF-8; save it as such, with tabs between the columns") from None
    except OSError as error:
        raise UsageError(f"cannot read the timers in {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(f"cannot read the timers in {path}: {error}") from None


def _harmless(row: TsvRow) -> None:
    """Raises UsageError for a cell that a terminal or a table could not show."""
    for column, text in row.cells.items():
        if len(text) > LONGEST_CELL:
            raise row.wrong(column, f"it is too long; shorten it to {LONGEST_CELL} characters at most")
        if not text.isprintable():
            mark = next(character for character in text if not character.isprintable())
            raise row.wrong(column, f"remove or replace the character {mark!r}, which cannot be printed")
