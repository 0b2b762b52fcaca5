"""Filters: which connections of an analysis were asked for, and an analysis of these alone.

Connections are chosen after they were tracked whole, so no filter changes what is said of one.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.errors import UsageError
from analyzer.filters import Filters, Range, filters_of
from analyzer.findings.finding_columns import PARTNER
from analyzer.moments import resolved
from analyzer.results.filter_words import codes_told
from analyzer.results.finding_list import RuleFindings
from analyzer.results.overview import Overview
from analyzer.results.result import Analysed
from analyzer.results.store import FlowStore
from analyzer.segments.table import SEGMENT
from analyzer.settings import filters_text, without_filters
from analyzer.times import inner
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.vocabularies import TEARDOWNS
from analyzer.units import UNKNOWN

Rows = NDArray[np.void]
Bools = NDArray[np.bool_]
AT_ONCE = 16_384  # connections that are looked at together
ENDS = ("client_ip", "server_ip", "server_port")  # what a finding about a crowd names
NO_ENDS = [(name, ENDING[name]) for name in ENDS]


def chosen(analysed: Analysed) -> Analysed:
    """An analysis with nothing but the connections that the filters in its settings ask for, and what was found about
    them; the same analysis where there is no filter. Raises UsageError for an expression that cannot be reckoned."""
    settings = analysed.listing.settings
    filters = filters_of(settings)
    if not filters:
        return analysed
    choice = _choose(analysed, filters)
    tables = analysed.tables.only(choice.streams)
    listing = analysed.listing.some(choice.found)
    summary = replace(
        analysed.summary,
        chosen=choice.overview.flows,
        chosen_by=filters_text(settings),
    )
    kept: dict[str, Any] = {"tables": tables, "overview": choice.overview, "listing": listing, "summary": summary}
    if analysed.segments is not None:
        kept["segments"] = (_of_streams(*analysed.segments, choice.streams), analysed.segments[1])
    if analysed.quoted is not None and analysed.flow_table is not None:
        kept["quoted"] = _of_streams(analysed.quoted, analysed.flow_table, choice.streams)
    return replace(analysed, **kept, whole=analysed.tables)


def whole_connections(analysed: Analysed) -> Analysed:
    """An analysis of chosen connections without a word of the filters that chose them."""
    listing = copy(analysed.listing)
    listing.settings = without_filters(listing.settings)
    return replace(analysed, listing=listing, summary=replace(analysed.summary, chosen=None, chosen_by=""))


def only_connection(analysed: Analysed, stream: int) -> Analysed:
    """An analysis with nothing but one connection and what was found about it."""
    flags = np.zeros(stream + 1, np.bool_)
    flags[stream] = True

    def found(table: RuleFindings) -> Bools:
        own = table.columns["stream"]
        return np.asarray((own == stream) | (table.columns.get(PARTNER, own) == stream))

    return replace(analysed, tables=analysed.tables.only(flags), listing=analysed.listing.some(found))


def told(analysed: Analysed) -> Analysed:
    """An analysis without the findings that its settings leave out (select, ignore)."""
    settings = analysed.listing.settings
    codes = codes_told(settings)
    if codes is None:
        return analysed
    listing = analysed.listing.some(lambda table: np.full(len(table), table.rule.code in codes))
    listing.cannot_judge = [entry for entry in listing.cannot_judge if entry.code in codes]
    only = f"only {settings.select}" if settings.select is not None else "all"
    said = (f"{only} but {settings.ignore}" if settings.ignore is not None else only).replace(",", ", ")
    summary = replace(analysed.summary, cannot_judge=listing.cannot_judge, told=said)
    return replace(analysed, tables=analysed.tables.telling(codes), listing=listing, summary=summary)


class _Choice:
    """The connections that were asked for: their ``streams`` as one flag a stream, and the counts of them."""

    def __init__(self, count: int, codes: frozenset[str]) -> None:
        self.streams: Bools = np.zeros(count, np.bool_)
        self.overview = Overview()
        self._codes = codes
        self._ends: list[Rows] = []  # addresses and ports of connections that crowds may be about

    def add(self, endings: Rows, asked: Bools, related: Bools) -> None:
        """Take some connections: which were ``asked`` for, and which would be but for their findings."""
        self.streams[endings["stream"][asked]] = True
        self.overview.add(endings[asked])
        self._ends.append(np.unique(endings[[*ENDS]][related]))

    def found(self, table: RuleFindings) -> Bools:
        """Which of a rule's findings are about these connections: about one of them, about the addresses and ports of
        some, or about the capture itself."""
        stream = table.columns["stream"]
        single = stream != UNKNOWN
        kept = np.zeros(len(stream), np.bool_)
        kept[single] = self.streams[stream[single]] | self.streams[table.columns.get(PARTNER, stream)[single]]
        if not single.all() and (not self._codes or table.rule.code in self._codes):
            kept[~single] = self._about_some(table, np.flatnonzero(~single))
        return kept

    def _about_some(self, table: RuleFindings, rows: NDArray[np.intp]) -> Bools:
        """Which of a rule's findings about crowds name nobody, or addresses and ports that one of these has."""
        ends: Rows = np.unique(np.concatenate(self._ends)) if self._ends else np.zeros(0, NO_ENDS)
        made = np.zeros(len(rows), np.bool_)
        for place, row in enumerate(rows.tolist()):
            named = [(name, table.columns[name][row]) for name in ENDS if table.columns[name][row] >= 0]
            made[place] = not named or bool(np.all([ends[name] == value for name, value in named], axis=0).any())
        return made


def _choose(analysed: Analysed, filters: Filters) -> _Choice:
    """Look at all connections, many thousand at a time."""
    matcher = _Matcher(analysed, filters)
    last = max((int(endings["stream"].max()) for endings in _endings(analysed.tables) if len(endings)), default=-1)
    choice = _Choice(last + 1, filters.code)
    for endings in _endings(analysed.tables):
        related = matcher.related(endings)
        choice.add(endings, related & matcher.has_code(endings), related)
    return choice


def in_networks(texts: Sequence[str], networks: Iterable[IPv4Network | IPv6Network]) -> Bools:
    """Which addresses are in one of the networks."""
    made = np.zeros(len(texts), np.bool_)
    for row, text in enumerate(texts):
        try:
            address = ip_address(text)
        except ValueError:
            continue
        made[row] = any(address in network for network in networks)
    return made


def _endings(tables: FlowStore) -> Iterator[Rows]:
    return (gather()[0] for gather in tables.slices(AT_ONCE))


class _Matcher:
    """Which rows of ENDING the filters ask for."""

    def __init__(self, analysed: Analysed, filters: Filters) -> None:
        self._filters, self._tables = filters, analysed.tables
        self._texts = analysed.tables.addresses.texts() if filters.host or filters.where else []
        self._hosts = in_networks(self._texts, filters.host) if filters.host else np.zeros(0, np.bool_)
        self._first = first = analysed.summary.first_ns or 0
        self._between = [inner(resolved(moment, first)) for moment in filters.between]
        if self._between and self._between[0] > self._between[1]:
            raise UsageError("--between: the first time is after the second")

    def related(self, endings: Rows) -> Bools:
        """Those that all filters but that of codes ask for."""
        asked, filters = np.ones(len(endings), np.bool_), self._filters
        if filters.host:
            asked &= self._hosts[endings["client_ip"]] | self._hosts[endings["server_ip"]]
        if filters.port:
            asked &= _in(endings["client_port"], filters.port) | _in(endings["server_port"], filters.port)
        if filters.stream:
            asked &= _in(endings["stream"], filters.stream)
        if self._between:
            asked &= (endings["first_epoch"] <= self._between[1]) & (endings["last_epoch"] >= self._between[0])
        if filters.ending:
            codes = [code for code, word in enumerate(TEARDOWNS.by_code) if word in filters.ending]
            asked &= np.isin(endings["teardown"], codes)
        if filters.where and asked.any():
            asked[asked] = self._true(endings[asked])
        return asked

    def has_code(self, endings: Rows) -> Bools:
        """Those with one of the findings that are asked for."""
        if not self._filters.code:
            return np.ones(len(endings), np.bool_)
        with_one = [not self._filters.code.isdisjoint(text.split(";")) for text in self._tables.combinations]
        return np.asarray(np.array(with_one, np.bool_)[endings["findings"]])

    def _true(self, endings: Rows) -> Bools:
        """The rows for which the expression is true."""
        from analyzer.results.expression import true_of  # brings pandas along

        return true_of(self._filters.where, endings, self._tables, self._texts, self._first)


def _in(values: NDArray[Any], ranges: tuple[Range, ...]) -> Bools:
    made = np.zeros(len(values), np.bool_)
    for first, last in ranges:
        made |= (values >= first) & (values <= last)
    return made


def _of_streams(segments: Rows, flow_table: Rows, streams: Bools) -> Rows:
    """The segments (SEGMENT) of some streams."""
    if not len(segments):
        return np.zeros(0, SEGMENT)
    sender = segments["sender"]
    stream = flow_table["stream"][np.where(sender >= 0, sender >> 1, 0)]
    known = (sender >= 0) & (stream >= 0) & (stream < len(streams))
    return segments[known & streams[np.where(known, stream, 0)]] if len(streams) else segments[:0]
