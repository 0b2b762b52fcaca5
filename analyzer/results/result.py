"""What an analysis hands on: as numbers (``Analysed``), and as DataFrames (``ResultTables``)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
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

PROFILE_TIMERS = timers_of(Settings())


@dataclass
class Analysed:
    """What an analysis has found, as numbers. ``segments`` are rows of SEGMENT and the flow table, where asked for, and
    ``quoted`` the headers that ICMP errors quote."""

    tables: FlowStore
    overview: Overview
    listing: FindingList
    summary: Summary
    segments: tuple[Rows, Rows] | None = None
    quoted: Rows | None = None
    timers: Timers = PROFILE_TIMERS
    recording: Recording = field(default_factory=unbroken)

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
    NaN where unknown. ``segments`` is None unless it was asked for (``keep_segments=True``). ``overview`` and
    ``listing`` are what the summary is made from, ``timers`` those that were in force. ``recording`` tells which file
    each frame is in (``recording.frame_files.locate``), and when nobody captured (``recording.gaps.rows``).
    """

    flows: "pd.DataFrame"
    timeline: "pd.DataFrame"
    findings: "pd.DataFrame"
    summary: Summary
    overview: Overview
    listing: FindingList
    segments: "pd.DataFrame | None" = None
    timers: Timers = PROFILE_TIMERS
    recording: Recording = field(default_factory=unbroken)
