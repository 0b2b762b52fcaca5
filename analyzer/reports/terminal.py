"""The summary a busy person acts on: what was read, how connections ended, what is wrong, where to look.

The order is that of questions asked under pressure. Every finding comes with one example and with the display
filter that shows it in Wireshark. What could not be judged stands at the end, because silence would read as
health.
"""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from analyzer.reports import filters
from analyzer.reports.catalogue import names
from analyzer.reports.columns import SEVERITIES
from analyzer.reports.escape import safe
from analyzer.reports.findings import Listing, Table
from analyzer.reports.overview import CLOSERS, Overview
from analyzer.reports.result import Summary
from analyzer.reports.text import (
    SEVERITY_STYLES,
    Line,
    advice_lines,
    aligned,
    count,
    duration,
    endpoint,
    heading,
    size,
    wrapped,
)

SERVERS_SHOWN = 10
FILES_SHOWN = 5
ACT = "error"  # the severity at which somebody must act: its advice stands in the summary


def summary_lines(summary: Summary, overview: Overview, listing: Listing, columns: int = 80) -> list[Line]:
    """The whole summary, wrapped at ``columns``."""
    parts = (
        _read(summary, columns),
        _endings(overview),
        _servers(overview, listing),
        _findings(summary, overview, listing, columns),
        _next_steps(summary, listing),
        _not_judged(summary, columns),
        _notices(summary, columns),
    )
    return [line for part in parts for line in part]


def _read(summary: Summary, columns: int) -> Iterator[Line]:
    yield from (Line(safe(name), "bold") for name in summary.files[:FILES_SHOWN])
    if len(summary.files) > FILES_SHOWN:
        yield Line(f"... and {len(summary.files) - FILES_SHOWN} more files")
    counts = [size(summary.bytes), count(summary.packets, "packet"), count(summary.segments, "TCP segment")]
    links = [", ".join(summary.link_types)] if summary.link_types else []
    yield Line(", ".join([*counts, count(summary.streams, "connection"), *links]))
    if summary.first_ns is not None and summary.last_ns is not None:
        yield Line(_span(summary.first_ns, summary.last_ns))
    for what, packets in summary.not_understood.items():
        yield from map(Line, wrapped(f"not analysed: {count(packets, 'packet')}, {what}", 0, columns))


def _span(first_ns: int, last_ns: int) -> str:
    first, last = (_moment(ns) for ns in (first_ns, last_ns))
    end = f"{last:%H:%M:%S.%f}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S.%f}"
    return f"{first:%Y-%m-%d %H:%M:%S.%f} to {end} UTC ({duration((last_ns - first_ns) / 1e9)})"


def _moment(ns: int) -> datetime:
    seconds, rest = divmod(ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def _endings(overview: Overview) -> list[Line]:
    """How many connections ended in each way, by who closed first."""
    if not overview.flows:
        return []
    rows = [[word, *map(_cell, (sum(counts), *counts))] for word, counts in overview.endings.items()]
    return _counted("How connections ended, and who closed first", [["ending", "flows", *CLOSERS], *rows])


def _servers(overview: Overview, listing: Listing) -> list[Line]:
    """Who closed first at each server address and port, the busiest first."""
    if not overview.flows:
        return []
    busiest, total = overview.servers(SERVERS_SHOWN)
    rows = [["server", "flows", *CLOSERS, "by RST"]]
    rows += [[endpoint(listing.address(row), port), *map(_cell, counts)] for row, port, counts in busiest]
    more = total - len(busiest)
    rest = [Line(f"... and {count(more, 'more server')}")] if more else []
    return [*_counted("Who closed first, by server", rows), *rest]


def _counted(title: str, rows: Sequence[Sequence[str]]) -> list[Line]:
    first, *others = aligned(rows)
    return [*heading(title), Line(first, "dim"), *map(Line, others)]


def _cell(number: int) -> str:
    return f"{number:,}" if number else "-"


def _nothing(summary: Summary, overview: Overview) -> str:
    """What to say where there is no finding."""
    cut = summary.not_understood.get("headers cut", 0)
    if not overview.flows and cut:
        return f"No TCP header is whole: the snap length cut {count(cut, 'packet')}. Capture with -s 128 or more."
    return "No findings" if overview.flows else "There is no TCP connection in it."


def _findings(summary: Summary, overview: Overview, listing: Listing, columns: int) -> Iterator[Line]:
    """One entry for each code: the gravest first, then the most frequent."""
    if not len(listing):
        yield from heading(_nothing(summary, overview))
        return
    counts: Counter[str] = Counter()
    for table in listing.tables:
        counts[table.rule.severity] += len(table)
    words = [
        count(counts[word], word) if word != "info" else f"{counts[word]:,} info" for word in SEVERITIES if counts[word]
    ]
    yield from heading(f"Findings: {', '.join(words)}")
    for table in by_importance(listing.tables):
        yield from _finding(listing, table, columns)


def by_importance(tables: Sequence[Table]) -> list[Table]:
    """By severity, then by how many there are, then by code."""
    grave = list(SEVERITIES).index
    return sorted(tables, key=lambda table: (grave(table.rule.severity), -len(table), table.rule.code))


def _finding(listing: Listing, table: Table, columns: int) -> Iterator[Line]:
    rule = table.rule
    style = SEVERITY_STYLES[rule.severity]
    line = Line(f"{rule.severity:<8} ", style).append(f"{rule.code} {rule.name}", f"bold {style}")
    yield line.append(f": {_how_many(table)}")
    example = table.surest
    label = "" if len(table) == 1 else "e.g. "
    said = f"{label}{listing.say(table, 'message', example)} [{table.confidence(example)} confidence]"
    yield from map(Line, wrapped(said, 9, columns))
    if rule.severity == ACT:
        advice = advice_lines(f"-> {listing.say(table, 'advice', example)}", 9, columns)
        yield from (Line(line, "bold") for line in advice)
    yield Line(" " * 9).append(_filter(listing, table, 68), "green")


def _how_many(table: Table) -> str:
    streams = len(table.streams)
    if streams == 0:
        return count(len(table), "time")
    connections = count(streams, "connection")
    return connections if streams == len(table) else f"{len(table):,} in {connections}"


def _filter(listing: Listing, table: Table, room: int) -> str:
    """The filter that shows the findings of one rule: their streams; of a crowd, its addresses; else frames."""
    if listing.files.several:
        return _filter_in_file(listing, table)
    if len(table.streams):
        return filters.of_streams(table.streams.tolist(), room)
    hosts, ports = listing.ends(table, table.first)
    frames = [int(frame) for frame in listing.say(table, "frames", table.first).split(";") if frame]
    return filters.of_addresses(hosts, ports) or filters.of_frames(frames, room)


def _filter_in_file(listing: Listing, table: Table) -> str:
    """Of several captures a filter that shows the example in its file: numbers of streams are others there."""
    example = table.surest
    name, frame = listing.where(table, example)
    found = filters.of_addresses(*listing.ends(table, example)) or filters.of_frames([frame], 0)
    return f"{found}  (in {safe(name)})"


def _next_steps(summary: Summary, listing: Listing) -> list[Line]:
    """The two commands that lead on from the gravest finding about one connection."""
    with_stream = by_importance([table for table in listing.tables if len(table.streams)])
    if not with_stream:
        return []
    table = with_stream[0]
    captures = " ".join(shlex.quote(safe(name)) for name in summary.files)
    return [
        *heading("Next"),
        Line(f"teardown timeline {captures} --stream {table.columns['stream'][table.first]}"),
        Line(f"teardown explain {table.rule.code}"),
    ]


def _not_judged(summary: Summary, columns: int) -> Iterator[Line]:
    if summary.cannot_judge:
        yield from heading("Could not be judged")
    for entry in summary.cannot_judge:
        text = f"{entry.code} {names().get(entry.code, '')}: {count(entry.flows, 'connection')}, {entry.reason}"
        yield from map(Line, wrapped(text, 0, columns))


def _notices(summary: Summary, columns: int) -> Iterator[Line]:
    if summary.notices:
        yield from heading("Notices")
    for notice in summary.notices:
        yield from (Line(line, "yellow") for line in wrapped(notice.text, 0, columns))
