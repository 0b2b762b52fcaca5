"""What was read, and everything that the screen asks of it. Whatever takes long here is called from a thread."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.browse.drawing import SEVERITY_SIGNS
from analyzer.browse.filter_box import BoxWords
from analyzer.browse.moment_counts import MomentCounts, StateCounts
from analyzer.engine.segment_spool import SegmentSpool
from analyzer.errors import UsageError
from analyzer.findings.loading import rules
from analyzer.findings.wording import ROLES
from analyzer.moments import GivenTime
from analyzer.results.choice import chosen, only_connection
from analyzer.results.column_values import segment_rows
from analyzer.results.finding_list import RuleFindings
from analyzer.results.flow_selection import rows_of, streams_in_order
from analyzer.results.netstat import sockets_at
from analyzer.results.result import Analysed
from analyzer.times import outer
from analyzer.views.console import SEVERITY_STYLES, Line, endpoint
from analyzer.views.summary_findings import ROOM, by_importance
from analyzer.views.wireshark_filters import of_addresses, of_streams

MOST_SOCKETS = 2000  # of a host, and hosts, in the list of a moment


class ChosenConnections(NamedTuple):
    """The connections that the box asks for: an analysis of these alone, and their numbers in the order asked for."""

    words: BoxWords
    analysed: Analysed
    streams: NDArray[np.uint32]


class LadderForm(NamedTuple):
    """How a ladder is drawn: see ``ladder_lines``."""

    columns: int
    everything: bool = False
    brief: bool = False
    times: str = "offset"


class ShownConnection(NamedTuple):
    """A connection opened: a title, and the lines of its ladder under those of what was found. ``moment`` is that of
    its last packet, ns since 1970; ``display_filter`` shows it in Wireshark."""

    stream: int
    title: str
    lines: Sequence[Line]
    moment: int
    display_filter: str


class BrowsedCapture:
    """An analysis of all connections with its segments at hand."""

    def __init__(self, analysed: Analysed, spool: SegmentSpool) -> None:
        self.analysed, self._spool = analysed, spool
        self._one_at_a_time = Lock()

    def choose(self, words: BoxWords) -> ChosenConnections:
        """Apply the box. Raises UsageError for an expression that cannot be reckoned."""
        listing = copy(self.analysed.listing)
        listing.settings = words.settings
        some = chosen(replace(self.analysed, listing=listing))
        return ChosenConnections(words, some, streams_in_order(some.tables, words.listing.order))

    def open(self, stream: int, form: LadderForm) -> ShownConnection:
        """One connection as ``teardown timeline`` shows it, with what was found about it on top."""
        from analyzer.views.ladder import ladder_lines

        one = only_connection(self.analysed, stream)
        ending = rows_of(self.analysed.tables, np.array([stream]))[0]
        frames = int(ending["first_frame"]), int(ending["last_frame"])
        flow_table = self.analysed.flow_table
        if flow_table is None:
            raise UsageError("the connections' addresses were not kept")
        segments, one.quoted = self._spool.of_stream(stream, flow_table, frames)
        one.segments = segment_rows([segments]), flow_table
        ladder = ladder_lines(one.result(), stream, **form._asdict())
        hosts = [self.analysed.listing.address(int(ending[f"{role}_ip"])) for role in ROLES]
        ports = [int(ending[f"{role}_port"]) for role in ROLES]
        named = " → ".join(endpoint(ip, port) for ip, port in zip(hosts, ports, strict=True))
        lines = [*map(finding_line, by_importance(one.listing.tables)), *ladder]
        several = self.analysed.tables.files.several  # each file has numbers of its own there
        shows = of_addresses(hosts, ports) if several else of_streams([stream], ROOM)[0]
        return ShownConnection(stream, f"connection {stream}  {named}", lines, outer(int(ending["last_epoch"])), shows)

    def sockets(self, at: int, columns: int) -> list[Line]:
        """What ``teardown netstat --at`` prints."""
        from analyzer.views.netstat import socket_lines

        sockets = sockets_at(self.analysed, GivenTime(at, "1970"))
        return list(socket_lines(self.analysed, sockets, MOST_SOCKETS, columns))

    def counts(self, stream: int, moment: int, parts: int) -> StateCounts:
        """The sockets by state at a moment."""
        with self._one_at_a_time:
            return self._moments.at(stream, moment, parts)

    @cached_property
    def _moments(self) -> MomentCounts:
        return MomentCounts(self.analysed)


def finding_line(table: RuleFindings) -> Line:
    """What was found about one connection, in one line."""
    rule = table.rule
    style = SEVERITY_STYLES[rule.severity]
    line = Line(f"{SEVERITY_SIGNS[rule.severity]} {rule.severity} {rule.code} {rule.name}", style)
    return line.append(f"  [{table.confidence(table.surest)} confidence]")


def gravest(codes: Sequence[str]) -> str:
    """The highest severity among some codes of findings, "" for none."""
    found = {rules()[code].severity for code in codes if code in rules()}
    return next((word for word in SEVERITY_SIGNS if word in found), "")
