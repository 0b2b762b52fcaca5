"""Every finding of some codes, a line each: for grep, and for whoever wants to see all that the summary counts."""

from collections.abc import Collection, Iterator

from analyzer.results.finding_list import FindingList
from analyzer.views.console import SEVERITY_STYLES, Line
from analyzer.views.escape import safe
from analyzer.vocabulary import CONFIDENCES


def found_lines(listing: FindingList, codes: Collection[str]) -> Iterator[Line]:
    """The findings with one of ``codes``, in the order of time."""
    rules = [table.rule for table in listing.tables]
    chosen = [place for place, rule in enumerate(rules) if rule.code in codes]
    for here in filter(lambda part: len(part.row), (part.of(chosen) for part in listing.parts())):
        messages, streams = listing.column("message", here).texts(), listing.numbers("stream", here)
        levels = listing.numbers("confidence", here)
        for table, text, stream, level in zip(here.table.tolist(), messages, streams.tolist(), levels, strict=True):
            rule = rules[table]
            about = f" stream {stream}" if stream >= 0 else ""
            line = Line(f"{rule.severity:<8} ", SEVERITY_STYLES[rule.severity]).append(f"{rule.code}{about}: ")
            yield line.append(f"{safe(text)} [{CONFIDENCES[level]} confidence]")
