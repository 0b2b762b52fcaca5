"""Pages of captures, for the tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analyzer.engine.pipeline import analyze
from analyzer.engine.segment_spool import SegmentSpool
from analyzer.page.document import page_text
from analyzer.results.result import Analysed
from analyzer.settings import Settings
from tests.captures import CAPTURES_FOLDER as CAPTURES

WORDS = ("teardown", "analyze", "some.pcap", "--html", "page.html")


def analysed_with_spool(paths: Sequence[str | Path], **settings: Any) -> tuple[Analysed, SegmentSpool]:
    """An analysis, and its segments."""
    spool = SegmentSpool()
    return analyze([str(path) for path in paths], Settings(keep_further=(), **settings), each=spool.take), spool


def page_of(*names: str, **settings: Any) -> tuple[str, Analysed]:
    """The page of captures of the collection, and the analysis."""
    analysed, spool = analysed_with_spool([CAPTURES / name for name in names], **settings)
    return page_text(analysed, spool, WORDS), analysed
