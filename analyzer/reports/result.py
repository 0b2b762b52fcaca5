"""What an analysis hands to whoever asked: three tables, perhaps the segments, and what was read to get
them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analyzer.errors import Notice
from analyzer.findings.rule import CannotJudge
from analyzer.readers.recording import Recording, unbroken
from analyzer.reports.findings import Listing
from analyzer.reports.overview import Overview
from analyzer.reports.store import Rows, Store
from analyzer.settings import Settings
from analyzer.tracker.timers import Timers, timers_of

if TYPE_CHECKING:
    import pandas as pd

PROFILE_TIMERS = timers_of(Settings())

__all__ = ["CannotJudge", "Result", "Summary"]


@dataclass
class Summary:
    """What was read. Times are integer nanoseconds since 1970 UTC, None where no packet was read."""

    files: list[str] = field(default_factory=list)
    bytes: int = 0
    packets: int = 0
    segments: int = 0
    streams: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    link_types: list[str] = field(default_factory=list)
    not_understood: dict[str, int] = field(default_factory=dict)  # what -> number of packets
    notices: list[Notice] = field(default_factory=list)
    cannot_judge: list[CannotJudge] = field(default_factory=list)


@dataclass
class Analysed:
    """What an analysis has found, as numbers. ``segments`` are rows of SEGMENT and the flow table, where asked for."""

    tables: Store
    overview: Overview
    listing: Listing
    summary: Summary
    segments: tuple[Rows, Rows] | None = None
    timers: Timers = PROFILE_TIMERS
    recording: Recording = field(default_factory=unbroken)

    def result(self) -> "Result":
        """The same as DataFrames."""
        from analyzer.reports.assemble import flows_frame, segments_frame, timeline_frame

        endings, entries = self.tables.whole()
        texts = self.tables.addresses.texts()
        return Result(
            flows_frame(endings, texts, self.tables.combinations, self.tables.files),
            timeline_frame(entries, endings, texts, self.tables.notes),
            self.listing.frame(),
            self.summary,
            self.overview,
            self.listing,
            None if self.segments is None else segments_frame(*self.segments, texts),
            self.timers,
            self.recording,
        )


@dataclass
class Result:
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
    listing: Listing
    segments: "pd.DataFrame | None" = None
    timers: Timers = PROFILE_TIMERS
    recording: Recording = field(default_factory=unbroken)
