"""The findings in the summary: what must be acted on first, each code once, in no more lines than a person reads.

The gravest codes are told in full: how many, whom they blame most, an example with its frames, the advice, and where to
see it. What has no room in ``LINES`` then follows in a line or two each, and what is only worth knowing in one.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from analyzer.results.finding_list import FindingList, RuleFindings
from analyzer.results.source_summary import Summary
from analyzer.units import counted
from analyzer.views import wireshark_filters
from analyzer.views.console import SEVERITY_STYLES, Line, advice_lines, endpoint, heading, wrapped
from analyzer.views.escape import safe
from analyzer.views.next_commands import command
from analyzer.vocabulary import INFO, SEVERITIES

LINES = 75  # of all entries: with the rest of the summary two screens
FEW = 10  # entries told in brief for which there are two lines each
BLAMED_SHOWN = 3  # endpoints that an entry names
INDENT, ROOM = 9, 68  # columns before the text, columns for a filter


class SummaryContext(NamedTuple):
    """What the entries are told with."""

    summary: Summary
    listing: FindingList
    columns: int


def entry_lines(context: SummaryContext) -> Iterator[Line]:
    """All findings: errors and warnings, then what is worth knowing; where nothing is wrong, that in full."""
    tables = by_importance(context.listing.tables)
    yield from heading(f"Findings: {severity_counts(tables)}")
    urgent = [table for table in tables if table.rule.severity != INFO]
    urgent = urgent or [table for table in tables if not table.rule.about_capture]
    full = list(_in_full(context, urgent))
    yield from (line for told in full for line in told)
    brief = urgent[len(full) :]
    for table in brief:
        yield from _in_brief(context, table, two_lines=len(brief) <= FEW)
    for table in (table for table in tables if table not in urgent):
        yield _one_line(context, table, [table.rule.title])
    if len(full) < len(tables):
        code = next(table.rule.code for table in tables if table not in urgent[: len(full)])
        yield Line(" " * INDENT).append(f"all findings with this code: {_all_of(context, code)}", "green")


def _in_full(context: SummaryContext, urgent: Sequence[RuleFindings]) -> Iterator[list[Line]]:
    """The first entries, as many as there is room for, and at least one."""
    left = LINES - len(context.listing.tables)
    for place, table in enumerate(urgent):
        told = list(_entry(context, table))
        left -= len(told)
        if place > 0 and left < 0:
            return
        yield told


def _in_brief(context: SummaryContext, table: RuleFindings, two_lines: bool) -> Iterator[Line]:
    """The title and whom it blames."""
    if two_lines:
        yield _title(table)
        yield from map(Line, wrapped(_blamed(context, table, BLAMED_SHOWN), INDENT, context.columns))
    else:
        yield _one_line(context, table, [_blamed(context, table, most) for most in range(BLAMED_SHOWN, 0, -1)])


def by_importance(tables: Sequence[RuleFindings]) -> list[RuleFindings]:
    """By severity, then by how many there are, then by code."""
    grave = SEVERITIES.index
    return sorted(tables, key=lambda table: (grave(table.rule.severity), -len(table), table.rule.code))


def severity_counts(tables: Sequence[RuleFindings]) -> str:
    """How many findings of each severity."""
    counts: Counter[str] = Counter()
    for table in tables:
        counts[table.rule.severity] += len(table)
    return ", ".join(
        counted(counts[word], word) if word != INFO else f"{counts[word]:,} info" for word in SEVERITIES if counts[word]
    )


def _title(table: RuleFindings) -> Line:
    rule, style = table.rule, SEVERITY_STYLES[table.rule.severity]
    line = Line(f"{rule.severity:<8} ", style).append(f"{rule.code} {rule.name}", f"bold {style}")
    return line.append(f": {how_many(table)}")


def _one_line(context: SummaryContext, table: RuleFindings, more: Sequence[str]) -> Line:
    """The title, and the first of ``more`` for which there is room."""
    line = _title(table)
    room = context.columns - len(line.plain) - 2
    fitting = next((text for text in more if text and len(text) <= room), "")
    return line.append(f"; {fitting}") if fitting else line


def _entry(context: SummaryContext, table: RuleFindings) -> Iterator[Line]:
    """A code in full."""
    listing, columns = context.listing, context.columns
    yield _title(table)
    blamed = _blamed(context, table, BLAMED_SHOWN) if len(table) > 1 else ""
    yield from map(Line, wrapped(blamed, INDENT, columns))
    example = table.surest
    label = "" if len(table) == 1 else "e.g. "
    said = f"{label}{listing.say(table, 'message', example)} [{table.confidence(example)} confidence]"
    yield from map(Line, wrapped(said, INDENT, columns))
    advice = listing.say(table, "advice", example)
    yield from (Line(line, "bold") for line in advice_lines(f"-> {advice}", INDENT, columns))
    shown, cut = _filter(listing, table)
    yield Line(" " * INDENT).append(shown, "green")
    if cut:
        yield Line(" " * INDENT).append(f"all {len(table):,}: {_all_of(context, table.rule.code)}", "green")


def _all_of(context: SummaryContext, code: str) -> str:
    return command("analyze", context.summary, context.listing.settings, "--code", code)


def how_many(table: RuleFindings) -> str:
    """Of a code: in how many connections it was found."""
    streams = len(table.streams)
    if streams == 0:
        return counted(len(table), "time")
    connections = counted(streams, "connection")
    return connections if streams == len(table) else f"{len(table):,} in {connections}"


def _blamed(context: SummaryContext, table: RuleFindings, most: int) -> str:
    """The endpoints that are blamed most: a server by its port, a client by its address alone."""
    found, others = context.listing.blamed(table, most)
    named = [f"{role} {endpoint(ip, port) if port >= 0 else ip} ({number:,})" for role, ip, port, number in found]
    more = [f"{others:,} more"] if others else []
    return f"blamed: {', '.join(named + more)}" if named else ""


def _filter(listing: FindingList, table: RuleFindings) -> tuple[str, bool]:
    """The filter that shows the findings of one rule, and whether it leaves some out: their streams; of a crowd, its
    addresses; else frames."""
    if listing.files.several:
        return _filter_in_file(listing, table), len(table) > 1
    if len(table.streams):
        return wireshark_filters.of_streams(table.shown_streams.tolist(), ROOM)
    hosts, ports = listing.ends(table, table.first)
    frames = [int(frame) for frame in listing.say(table, "frames", table.first).split(";") if frame]
    shown = wireshark_filters.of_addresses(hosts, ports)
    return (shown, len(table) > 1) if shown else wireshark_filters.of_frames(frames, ROOM)


def _filter_in_file(listing: FindingList, table: RuleFindings) -> str:
    """Of several captures a filter that shows the example in its file: numbers of streams are others there."""
    example = table.surest
    name, frame = listing.where(table, example)
    found = wireshark_filters.of_addresses(*listing.ends(table, example)) or f"frame.number == {frame}"
    return f"{found}  (in {safe(name)})"
