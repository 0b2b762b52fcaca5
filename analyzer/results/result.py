"""What an analysis hands on: as numbers (``Analysed``), and as DataFrames (``ResultTables``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.capture.recording import Recording, unbroken
from analyzer.results.finding_list import FindingList
from analyzer.results.overview import Overview
from analyzer.results.source_summary import Summary
from analyzer.results.store import FlowStore, Rows
from analyzer.settings import Settings
from analyzer.tcp.timers import Timers, timers_of

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.results.number_table import NumberTable

PROFILE_TIMERS = timers_of(Settings())


@dataclass
class Analysed:
    """What an analysis has found, as numbers. ``segments`` are rows of SEGMENT and the flow table, where asked for, and
    ``quoted`` the headers that ICMP errors quote. ``flow_table``, when the capture ended (``end``, by the inner clock)
    and what was ``noted`` of flows for them is there for further tables."""

    tables: FlowStore
    overview: Overview
    listing: FindingList
    summary: Summary
    segments: tuple[Rows, Rows] | None = None
    quoted: Rows | None = None
    timers: Timers = PROFILE_TIMERS
    recording: Recording = field(default_factory=unbroken)
    flow_table: Rows | None = None
    end: int = 0
    noted: Mapping[str, Sequence[Rows]] = field(default_factory=dict)
    whole: FlowStore | None = None  # all flows, where ``tables`` has only those that filters ask for

    def further(self, name: str) -> "NumberTable":
        """The table census, reuse or timers. Raises UsageError where what it is made from was not kept."""
        import numpy as np

        from analyzer.flows.row import FLOW
        from analyzer.results.further_tables import KeptFlows, further_table

        rows = self.noted.get(name)
        noted = np.concatenate(rows) if rows else None
        flow_table: Rows = np.zeros(0, FLOW) if self.flow_table is None else self.flow_table
        # the rows of chosen flows rest on other flows, too; what is counted of sockets is of the chosen
        store = self.tables if name == "census" or self.whole is None else self.whole
        made = further_table(name, KeptFlows(store, self.listing.settings, flow_table, self.end, noted))
        return made if store is self.tables or self.tables.chosen is None else made.of_streams(self.tables.chosen)

    def result(self) -> "ResultTables":
        """The same as DataFrames."""
        from analyzer.results.dataframes import findings_frame, flows_frame, timeline_frame

        endings, entries = self.tables.whole()
        texts = self.tables.addresses.texts()
        return ResultTables(
            flows_frame(endings, texts, self.tables.combinations, self.tables.files),
            timeline_frame(entries, endings, texts, self.tables.notes),
            findings_frame(self.listing),
            self.summary,
            self.overview,
            self.listing,
            self._segments(texts),
            self.timers,
            self.recording,
            self,
        )

    def _segments(self, texts: Sequence[str]) -> "pd.DataFrame | None":
        """The segments, and beside them what an analysis of them needs to come out the same."""
        from analyzer.results import segment_attrs
        from analyzer.results.dataframes import segments_frame

        if self.segments is None:
            return None
        frame = segments_frame(*self.segments, texts)
        if self.quoted is not None:
            frame.attrs[segment_attrs.KEY] = segment_attrs.text_of(
                len(frame), self.quoted, texts, self.summary, self.recording
            )
        return frame


@dataclass
class ResultTables:
    """The tables of an analysis as DataFrames with the columns of docs/columns.md.

    Times (``*_epoch``) are ``datetime64[ns, UTC]``, NaT where unknown; durations (``*_s``) are float seconds,
    NaN where unknown. ``segments`` is None unless it was asked for (``keep_segments=True``). ``census``, ``reuse`` and
    ``timers`` are made when they are first asked for. ``overview`` and ``listing`` are what the summary is made from,
    ``timers_in_force`` what ends TIME_WAIT and FIN_WAIT_2. ``recording`` tells which file each frame is in
    (``recording.frame_files.locate``), and when nobody captured (``recording.gaps.rows``).
    """

    flows: "pd.DataFrame"
    timeline: "pd.DataFrame"
    findings: "pd.DataFrame"
    summary: Summary
    overview: Overview
    listing: FindingList
    segments: "pd.DataFrame | None" = None
    timers_in_force: Timers = PROFILE_TIMERS
    recording: Recording = field(default_factory=unbroken)
    analysed: Analysed | None = field(default=None, repr=False)  # the same as numbers

    @cached_property
    def census(self) -> "pd.DataFrame":
        """How many sockets were in each state, for each service and client, over time."""
        return self._further("census")

    @cached_property
    def reuse(self) -> "pd.DataFrame":
        """The connections on addresses and ports that were used before."""
        return self._further("reuse")

    @cached_property
    def timers(self) -> "pd.DataFrame":
        """The silences and waits that ended something, and the known timers that fit."""
        return self._further("timers")

    def _further(self, name: str) -> "pd.DataFrame":
        """A further table. Raises UsageError where what it is made from was not kept."""
        from analyzer.results.dataframes import number_frame
        from analyzer.results.pandas_types import empty

        return empty(name) if self.analysed is None else number_frame(self.analysed.further(name))
