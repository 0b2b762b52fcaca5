"""The summary a busy person acts on: what was read, how connections ended, what is wrong, where to look.

The first screen is for what must be acted on; the commands that lead on stand last, beside the prompt. What could not
be judged is told, because silence would read as health.
"""

from collections.abc import Iterator, Sequence

from analyzer.results.finding_list import FindingList
from analyzer.results.overview import CLOSERS, Overview
from analyzer.results.source_summary import Summary
from analyzer.times import moment
from analyzer.units import counted
from analyzer.views.console import (
    Line,
    aligned,
    duration,
    endpoint,
    heading,
    size,
    wrapped,
)
from analyzer.views.escape import safe
from analyzer.views.explanation import names
from analyzer.views.next_commands import command
from analyzer.views.summary_findings import SummaryContext, by_importance, entry_lines

SERVERS_SHOWN = 5
FILES_SHOWN = 5


def summary_lines(summary: Summary, overview: Overview, listing: FindingList, columns: int = 80) -> list[Line]:
    """The whole summary, wrapped at ``columns``."""
    parts = (
        read_lines(summary, columns),
        _findings(summary, overview, listing, columns),
        _endings(overview),
        _servers(overview, listing),
        _not_judged(summary, columns),
        _notices(summary, columns),
        _next_steps(summary, listing),
    )
    return [line for part in parts for line in part]


def read_lines(summary: Summary, columns: int) -> Iterator[Line]:
    """What was read: its names, how much it is, from when to when."""
    yield from (Line(safe(name), "bold") for name in summary.files[:FILES_SHOWN])
    if len(summary.files) > FILES_SHOWN:
        yield Line(f"... and {len(summary.files) - FILES_SHOWN} more files")
    counts = [size(summary.bytes), counted(summary.packets, "packet"), counted(summary.segments, "TCP segment")]
    links = [", ".join(summary.link_types)] if summary.link_types else []
    yield Line(", ".join([*counts, counted(summary.streams, "connection"), *links]))
    if summary.chosen is not None:
        which = "this connection" if summary.chosen == 1 else f"these {summary.chosen:,} connections"
        said = f"Told of {which} only: {summary.chosen_by}" if summary.chosen else f"None fits {summary.chosen_by}"
        yield from (Line(line, "yellow") for line in wrapped(said, 0, columns))
    told = f"Findings that are told: {summary.told}" if summary.told else ""
    for said in filter(None, (told, summary.settings_from)):
        yield from (Line(line, "yellow") for line in wrapped(said, 0, columns))
    if summary.first_ns is not None and summary.last_ns is not None:
        yield Line(_span(summary.first_ns, summary.last_ns))
    if summary.not_understood:
        packets = counted(sum(summary.not_understood.values()), "packet")
        most = sorted(summary.not_understood.items(), key=lambda kind: -kind[1])
        kinds = [f"{number:,} {what}" for what, number in most]
        only = next(iter(summary.not_understood))
        text = f"{packets}, {only}" if len(kinds) == 1 else f"{packets}: {'; '.join(kinds)}"
        yield from map(Line, wrapped(f"not analysed: {text}", 0, columns))


def _span(first_ns: int, last_ns: int) -> str:
    first, last = moment(first_ns), moment(last_ns)
    end = f"{last:%H:%M:%S.%f}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S.%f}"
    return f"{first:%Y-%m-%d %H:%M:%S.%f} to {end} UTC ({duration((last_ns - first_ns) / 1e9)})"


def _endings(overview: Overview) -> list[Line]:
    """How many connections ended in each way, by who closed first."""
    if not overview.flows:
        return []
    rows = [["ending", "flows", *CLOSERS], *ending_rows(overview)]
    return _counted("How connections ended, and who closed first", rows)


def ending_rows(overview: Overview) -> list[list[str]]:
    """The same as cells."""
    return [[word, *map(_cell, (sum(counts), *counts))] for word, counts in overview.endings.items()]


def _servers(overview: Overview, listing: FindingList) -> list[Line]:
    """Who closed first at each server address and port, the busiest first."""
    if not overview.flows:
        return []
    busiest, more = server_rows(overview, listing)
    rest = [Line(f"... and {counted(more, 'more server')}")] if more else []
    return [*_counted("Who closed first, by server", [["server", "flows", *CLOSERS, "by RST"], *busiest]), *rest]


def server_rows(overview: Overview, listing: FindingList) -> tuple[list[list[str]], int]:
    """The busiest servers as cells, and how many more there are."""
    busiest, total = overview.servers(SERVERS_SHOWN)
    rows = [[endpoint(listing.address(row), port), *map(_cell, counts)] for row, port, counts in busiest]
    return rows, total - len(busiest)


def _counted(title: str, rows: Sequence[Sequence[str]]) -> list[Line]:
    first, *others = aligned(rows)
    return [*heading(title), Line(first, "dim"), *map(Line, others)]


def _cell(number: int) -> str:
    return f"{number:,}" if number else "-"


def nothing(summary: Summary, overview: Overview) -> str:
    """What to say where there is no finding."""
    cut = summary.not_understood.get("headers cut", 0)
    if summary.chosen == 0:
        return "No connection was chosen."
    if not overview.flows and cut:
        return f"No TCP header is complete: the snap length cut {counted(cut, 'packet')}. Capture with -s 128 or more."
    return "No findings" if overview.flows else "The capture contains no TCP connection."


def _findings(summary: Summary, overview: Overview, listing: FindingList, columns: int) -> Iterator[Line]:
    if len(listing):
        yield from entry_lines(SummaryContext(summary, listing, columns))
    else:
        yield from heading(nothing(summary, overview))


def _next_steps(summary: Summary, listing: FindingList) -> list[Line]:
    """The two commands that lead on from the gravest finding about one connection."""
    with_stream = by_importance([table for table in listing.tables if len(table.streams)])
    if not with_stream:
        return []
    table = with_stream[0]
    stream = f"--stream {table.columns['stream'][table.first]}"
    return [
        *heading("Next, once these packets are in a file" if "-" in summary.files else "Next"),
        Line(command("timeline", summary, listing.settings, stream, filters=False)),
        Line(f"teardown explain {table.rule.code}"),
    ]


def _not_judged(summary: Summary, columns: int) -> Iterator[Line]:
    if summary.cannot_judge:
        yield from heading("Could not be judged")
    for entry in summary.cannot_judge:
        text = f"{entry.code} {names().get(entry.code, '')}: {counted(entry.flows, 'connection')}, {entry.reason}"
        yield from map(Line, wrapped(text, 0, columns))


def _notices(summary: Summary, columns: int) -> Iterator[Line]:
    if summary.notices:
        yield from heading("Notices")
    for notice in summary.notices:
        yield from (Line(line, "yellow") for line in wrapped(notice.text, 0, columns))
