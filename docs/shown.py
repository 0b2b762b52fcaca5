"""What commands print, shown in the pages: a comment ``<!-- teardown ... -->`` and the block below it.

``docs/make.py`` runs each such command again, in the repository's root and on its own captures, and puts what it
prints into the block. ``head=N`` at the end of the comment keeps the first N lines, and says that there is more.
"""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHOWN = re.compile(r"(<!-- (teardown [^\n]*?)(?: head=(\d+))? -->\n```\n)(.*?)(^```$)", re.S | re.M)
WIDTH = "100"  # columns, where a command asks for those of the terminal
OMITTED = "..."


def pages() -> dict[str, str]:
    """The pages that show output, as they are: path relative to docs/ -> text."""
    texts = ((os.path.relpath(path, ROOT / "docs"), path.read_text("utf8")) for path in _candidates())
    return {name: text for name, text in texts if SHOWN.search(text)}


def refreshed(text: str) -> str:
    """The text of a page with each block made anew."""
    return SHOWN.sub(lambda found: found[1] + printed(found[2], int(found[3] or 0)) + "\n" + found[5], text)


def printed(command: str, head: int = 0) -> str:
    """What ``teardown ...`` prints. Raises RuntimeError where it fails."""
    from analyzer.cli import guarded

    out = io.TextIOWrapper(io.BytesIO(), "utf8", write_through=True)
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(out), _columns():
        status = guarded(shlex.split(command)[1:])
    if status not in (0, 1):
        raise RuntimeError(f"{command}: exit status {status}")
    assert isinstance(out.buffer, io.BytesIO)
    lines = out.buffer.getvalue().decode("utf8").rstrip("\n").split("\n")
    return "\n".join([*lines[:head], OMITTED] if 0 < head < len(lines) else lines)


@contextlib.contextmanager
def _columns() -> Iterator[None]:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _candidates() -> Iterator[Path]:
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").glob("*.md"))
    yield from sorted((ROOT / "docs" / "how-to").glob("*.md"))
