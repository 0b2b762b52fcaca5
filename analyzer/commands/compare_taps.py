"""teardown compare --taps: two captures of the same connections, made at two places."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.commands.running import analysed_of
from analyzer.errors import UsageError
from analyzer.settings import Settings, without_filters

if TYPE_CHECKING:
    from analyzer.results.taps.tap import Tap


def compare_taps(files: Sequence[Sequence[str]], settings: Settings, form: str, fail_on_lost: bool) -> int:
    """Compare the captures of tap A and of tap B; ``form`` is "text", "csv" or "json". Filters go by A."""
    if list(files[0]) == list(files[1]) or _same_file(files[0], files[1]):
        raise UsageError(f"A and B are the same capture, {', '.join(files[0])}: --taps compares two")
    from analyzer.results.taps.compared import compared_taps

    settings = replace(settings, keep_further=())
    result = compared_taps(_tap("A", files[0], settings), _tap("B", files[1], without_filters(settings)))
    if form == "text":
        from analyzer.views.console import show, width
        from analyzer.views.taps import taps_lines

        show(taps_lines(result, width(120, alone=100), ladder=settings.filtered and len(result.pairs) == 1))
    else:
        from analyzer.views import taps_files

        sys.stdout.write((taps_files.csv_text if form == "csv" else taps_files.json_text)(result))
    return int(fail_on_lost and bool(result.lost))


def _same_file(one: Sequence[str], other: Sequence[str]) -> bool:
    if len(one) != 1 or len(other) != 1 or "-" in (one[0], other[0]):
        return False
    try:
        return Path(one[0]).samefile(other[0])
    except OSError:
        return False


def _tap(name: str, paths: Sequence[str], settings: Settings) -> "Tap":
    """Read the captures of one tap, with all their segments."""
    from analyzer.results.store import SpooledRows
    from analyzer.results.taps.tap import tap_of
    from analyzer.segments.table import SEGMENT

    spooled = SpooledRows(SEGMENT, None)
    analysed = analysed_of(paths, settings, each=spooled.append)
    return tap_of(name, analysed, spooled.rows())
