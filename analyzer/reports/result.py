"""What an analysis hands to whoever asked: three tables, perhaps the segments, and what was read to get
them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analyzer.capture.recording import Recording, unbroken
from analyzer.errors import Notice, UsageError
from analyzer.findings.rule import CannotJudge
from analyzer.reports.findings import Listing
from analyzer.reports.overview import Overview
from analyzer.reports.store import Rows, Store
from analyzer.settings import Settings
from analyzer.tcp.timers import Timers, timers_of

if TYPE_CHECKING:
    import pandas as pd
    from scapy.plist import PacketList

    from analyzer.reports.packets import Source

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
    """What an analysis has found, as numbers. ``segments`` are rows of SEGMENT and the flow table, where asked for, and
    ``quoted`` the headers that ICMP errors quote."""

    tables: Store
    overview: Overview
    listing: Listing
    summary: Summary
    segments: tuple[Rows, Rows] | None = None
    quoted: Rows | None = None
    timers: Timers = PROFILE_TIMERS
    recording: Recording = field(default_factory=unbroken)

    def result(self, source: "Source | None" = None) -> "Result":
        """The same as DataFrames; ``source`` has the packets once more."""
        from analyzer.reports.assemble import flows_frame, timeline_frame

        endings, entries = self.tables.whole()
        texts = self.tables.addresses.texts()
        return Result(
            flows_frame(endings, texts, self.tables.combinations, self.tables.files),
            timeline_frame(entries, endings, texts, self.tables.notes),
            self.listing.frame(),
            self.summary,
            self.overview,
            self.listing,
            self._segments(texts),
            self.timers,
            self.recording,
            source,
        )

    def _segments(self, texts: Sequence[str]) -> "pd.DataFrame | None":
        """The segments, and beside them what an analysis of them needs to come out the same."""
        from analyzer.reports import aside
        from analyzer.reports.assemble import segments_frame

        if self.segments is None:
            return None
        frame = segments_frame(*self.segments, texts)
        if self.quoted is not None:
            frame.attrs[aside.KEY] = aside.text_of(len(frame), self.quoted, texts, self.summary, self.recording)
        return frame


@dataclass
class Result:
    """The tables of an analysis as DataFrames with the columns of docs/columns.md; in Jupyter it shows its summary.

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
    source: "Source | None" = field(default=None, repr=False)

    def packets(self, stream: int) -> "PacketList":
        """The packets of one connection as scapy has them, read again from where they came; ``time`` is exact, and
        ``wirelen`` the length on the wire.

        Raises UsageError for an unknown stream, or where the packets cannot be read a second time: from standard input,
        from an iterator, from a DataFrame.
        """
        from analyzer.reports.packets import packets_of

        if self.source is None:
            raise UsageError("this result does not know where its packets came from; analyzer.analyze() gives one")
        return packets_of(self.source, stream, self.listing.settings)

    def _repr_html_(self) -> str:
        """What Jupyter shows of it."""
        from analyzer.reports.notebook import page

        return page(self)
