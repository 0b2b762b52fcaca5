"""A capture as a subject of the screen: analysed to its end, all its segments kept for ladders."""

from analyzer.capture import open_captures
from analyzer.engine.pipeline import Analysis
from analyzer.live.announcements import Announcement, rows_of
from analyzer.live.census import census
from analyzer.live.screen_data import CaptureScreenSource, ScreenData, news_of
from analyzer.results.dataframes import findings_frame
from analyzer.results.finding_list import listing_of
from analyzer.settings import Settings
from analyzer.times import inner
from analyzer.views.escape import safe


def subject(paths: list[str], settings: Settings) -> CaptureScreenSource:
    """Read the captures. Raises UnreadableCapture if one cannot be analysed at all."""
    with open_captures(paths, settings.capture_gap_ns) as capture:
        analysis = Analysis(settings, recording=capture.recording)
        for packets in capture:
            analysis.feed(packets)
        end = analysis.last_ns
        ledger = analysis.snapshot(end)
        groups = census(ledger, analysis.book, end)
        findings = rows_of(findings_frame(listing_of(ledger, analysis.book, settings, capture.recording)))
        news = [
            news_of(Announcement(row), inner(int(row.time_epoch.as_unit("ns").value))) for row in reversed(findings)
        ]
        flows = ledger.flows
        result = analysis.result(paths, capture).result()
    counts = f"{capture.packets:,} packets   {flows:,} connections   findings: {len(findings):,}"
    return CaptureScreenSource(result, ScreenData(f"{safe(', '.join(paths))}   {counts}", groups, news=news))
