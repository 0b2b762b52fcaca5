"""The verdict in one sentence, from the gravest finding; with counts, and no word beyond what was found."""

from collections.abc import Sequence

from analyzer.results.finding_list import FindingList, RuleFindings
from analyzer.results.overview import Overview
from analyzer.results.source_summary import Summary
from analyzer.units import counted
from analyzer.views.console import endpoint
from analyzer.views.summary import nothing
from analyzer.views.summary_findings import by_importance, severity_counts
from analyzer.vocabulary import INFO


def verdict(summary: Summary, overview: Overview, listing: FindingList) -> str:
    """The verdict on a capture."""
    tables = [table for table in by_importance(listing.tables) if not table.rule.about_capture]
    if not tables:
        return _in_order(summary, overview)
    gravest = _gravest(tables)
    told = _one(listing, gravest) if len(gravest) == 1 else _many(listing, gravest, overview)
    rest = f"In all: {severity_counts(tables)}." if len(tables) > 1 else ""
    mild = "No error and no warning; worth knowing: " if gravest.rule.severity == INFO else ""
    return " ".join(filter(None, (mild + told, rest)))


def _gravest(tables: Sequence[RuleFindings]) -> RuleFindings:
    """The first, unless one as grave is about a crowd: that says more in one sentence."""
    crowds = (t for t in tables if t.rule.severity == tables[0].rule.severity and len(t) == 1 and not len(t.streams))
    return next(crowds, tables[0])


def _in_order(summary: Summary, overview: Overview) -> str:
    """Where nothing was found about a connection: how they ended."""
    if not overview.flows:
        return nothing(summary, overview)
    ended = [f"{sum(counts):,} {word}" for word, counts in overview.endings.items()]
    return f"No finding about any of {counted(overview.flows, 'connection')}: {', '.join(ended)}."


def _one(listing: FindingList, table: RuleFindings) -> str:
    return listing.say(table, "message", table.first)


def _many(listing: FindingList, table: RuleFindings, overview: Overview) -> str:
    """How many, what, and whom most of them blame."""
    title = table.rule.title
    said = f"{title[0].lower()}{title[1:]}".rstrip(".")
    streams = len(table.streams)
    number = f"{streams:,} of {counted(overview.flows, 'connection')}" if streams else counted(len(table), "time")
    found, others = listing.blamed(table, 1)
    if not found:
        return f"{number}: {said}."
    (first,) = found
    name = f"the {first.role} {endpoint(first.address, first.port) if first.port >= 0 else first.address}"
    if first.findings == len(table):
        return f"{number}: {said}. Blamed for all of them: {name}."
    more = f"; {counted(others, 'other endpoint')} beside it" if others else ""
    return f"{number}: {said}. Blamed most: {name} ({first.findings:,} of {len(table):,}){more}."
