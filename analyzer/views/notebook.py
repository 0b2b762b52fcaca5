"""A result as Jupyter shows it: what was read, what was found, how connections ended.

Everything in it may come from a capture, and is escaped where it enters a cell; the page has neither scripts nor links.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from analyzer.results.overview import CLOSERS
from analyzer.units import counted
from analyzer.views.escape import safe
from analyzer.views.summary import SERVERS_SHOWN, ending_rows, nothing, read_lines, server_rows
from analyzer.views.summary_findings import by_importance, how_many

if TYPE_CHECKING:
    from analyzer.results.result import ResultTables

FOUND_SHOWN, NOTICES_SHOWN = 12, 5  # codes; notices and reasons why something was not judged
COLOURS = {"error": "#c0392b", "warning": "#b9770e", "info": "#2471a3"}
WIDE = 10_000  # columns: a browser wraps by itself
LEFT, RIGHT = "text-align:left;vertical-align:top", "text-align:right"


def page(result: "ResultTables") -> str:
    """The summary as HTML."""
    return "".join(["<div>", *_read(result), *_found(result), *_endings(result), *_told(result), "</div>"])


def _text(text: str) -> str:
    return escape(safe(text))


def _read(result: "ResultTables") -> Iterator[str]:
    lines = "<br>".join(_text(line.plain) for line in read_lines(result.summary, WIDE))
    yield f"<p>{lines}</p>"


def _found(result: "ResultTables") -> Iterator[str]:
    """Each code once: how many, and the message of which the program is surest."""
    listing = result.listing
    tables = by_importance(listing.tables)
    if not tables:
        yield f"<p><b>{_text(nothing(result.summary, result.overview))}</b></p>"
        return
    rows = []
    for table in tables[:FOUND_SHOWN]:
        rule = table.rule
        severity = f'<span style="color:{COLOURS[rule.severity]}">{_text(rule.severity)}</span>'
        said = listing.say(table, "message", table.surest)
        rows.append([severity, *map(_text, (f"{rule.code} {rule.name}", how_many(table), said))])
    yield _table("Findings", ("severity", "finding", "how many", "what was seen, for instance"), rows, 4)
    if len(tables) > FOUND_SHOWN:
        yield f"<p>... and {_text(counted(len(tables) - FOUND_SHOWN, 'more code'))} in <code>findings</code></p>"


def _endings(result: "ResultTables") -> Iterator[str]:
    if not result.overview.flows:
        return
    rows = [list(map(_text, row)) for row in ending_rows(result.overview)]
    yield _table("How connections ended, and who closed first", ("ending", "flows", *CLOSERS), rows)
    servers, more = server_rows(result.overview, result.listing)
    rows = [list(map(_text, row)) for row in servers]
    yield _table("Who closed first, by server", ("server", "flows", *CLOSERS, "by RST"), rows)
    if more:
        yield f"<p>... and {_text(counted(more, 'more server'))} beside these {SERVERS_SHOWN}</p>"


def _told(result: "ResultTables") -> Iterator[str]:
    """What could not be judged, and what is to be known of the capture."""
    judged = [
        f"{entry.code}: {counted(entry.flows, 'connection')} could not be judged, {entry.reason}"
        for entry in result.summary.cannot_judge
    ]
    lines = [*judged, *(notice.text for notice in result.summary.notices)]
    if lines:
        items = [f"<li>{_text(line)}</li>" for line in lines[:NOTICES_SHOWN]]
        more = len(lines) - len(items)
        rest = f"<li>... and {more:,} more in <code>summary</code></li>" if more else ""
        yield f"<ul>{''.join(items)}{rest}</ul>"


def _table(title: str, head: Iterable[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table of cells that are HTML already; the first ``left`` columns flush left."""
    styles = [LEFT if place < left else RIGHT for place in range(max(map(len, rows)))]
    top = "".join(f'<th style="{style}">{_text(cell)}</th>' for style, cell in zip(styles, head, strict=True))
    body = "".join(_row(cells, styles) for cells in rows)
    return f"<p><b>{_text(title)}</b></p><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _row(cells: Sequence[str], styles: Sequence[str]) -> str:
    filled = "".join(f'<td style="{style}">{cell}</td>' for style, cell in zip(styles, cells, strict=True))
    return f"<tr>{filled}</tr>"
