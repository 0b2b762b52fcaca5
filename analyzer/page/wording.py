"""What the first screen says: what was captured, how connections ended, who closed first; and the end of the page."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from analyzer.findings.loading import rules
from analyzer.results.overview import CLOSERS, Overview
from analyzer.results.result import Analysed
from analyzer.settings import adjustable, default_text, option_name, seconds_text
from analyzer.times import date_text
from analyzer.tracker.vocabularies import TEARDOWNS
from analyzer.units import counted
from analyzer.views.console import duration, size
from analyzer.views.summary_findings import by_importance, how_many

BAR = 1000.0  # units of a bar's width
LEAST = 4.0  # of these, so that one connection of a million is seen
FILES_SHOWN = 3


class BarPart(NamedTuple):
    """A part of a bar: its word, its meaning, how many, their share in words, and where it stands."""

    word: str
    meaning: str
    number: int
    share: str
    left: float
    width: float


def bar(numbers: Sequence[tuple[str, str, int]]) -> list[BarPart]:
    """The parts of a bar, each as wide as its share, but none too narrow to be seen."""
    numbers = [entry for entry in numbers if entry[2]]
    total = sum(number for _, _, number in numbers)
    widths = [max(BAR * number / total, LEAST) for _, _, number in numbers]
    made, left, narrowed = list[BarPart](), 0.0, BAR / sum(widths) if widths else 0
    for (word, meaning, number), width in zip(numbers, widths, strict=True):
        made.append(BarPart(word, meaning, number, share(number, total), left, width * narrowed))
        left += width * narrowed
    return made


def share(number: int, of: int) -> str:
    """``31 %``; what is neither nothing nor all is never called so."""
    percent = 100 * number / of if of else 0
    if 0 < percent < 1:
        return "< 1 %"
    return "> 99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def endings(overview: Overview) -> list[BarPart]:
    """How connections ended."""
    return bar([(word, TEARDOWNS.meanings[word], sum(counts)) for word, counts in overview.endings.items()])


def closers(overview: Overview) -> list[BarPart]:
    """Who closed first."""
    counts = [sum(column) for column in zip(*overview.endings.values(), strict=True)] if overview.endings else []
    said = {"both": "both closed at once", "nobody": "nobody closed"}
    return bar(
        [(word, said.get(word, f"the {word} closed first"), n) for word, n in zip(CLOSERS, counts, strict=False)]
    )


def captured(analysed: Analysed) -> list[tuple[str, str]]:
    """What was captured, as names and values."""
    summary = analysed.summary
    names = summary.files[:FILES_SHOWN]
    more = f" and {len(summary.files) - FILES_SHOWN} more" if len(summary.files) > FILES_SHOWN else ""
    rows = [("Capture", ", ".join(names) + more)]
    if summary.first_ns is not None and summary.last_ns is not None:
        rows.append(("From", date_text(summary.first_ns)))
        rows.append(("To", f"{date_text(summary.last_ns)} ({duration((summary.last_ns - summary.first_ns) / 1e9)})"))
    rows.append(("Packets", f"{summary.packets:,}, {size(summary.bytes)}; TCP segments {summary.segments:,}"))
    rows.append(("Connections", f"{summary.streams:,}"))
    if summary.chosen is not None:
        rows.append(("Told of", f"{counted(summary.chosen, 'connection')} only: {summary.chosen_by}"))
    if summary.told:
        rows.append(("Findings told", summary.told))
    if summary.not_understood:
        said = "; ".join(f"{number:,} {what}" for what, number in summary.not_understood.items())
        rows.append(("Not analysed", said))
    about = [table for table in by_importance(analysed.listing.tables) if table.rule.about_capture]
    said = "; ".join(f"{table.rule.code} {table.rule.name}: {how_many(table)}" for table in about)
    rows.append(("The capture itself", said or "no loss, cut or gap was found"))
    return rows


def not_judged(analysed: Analysed) -> list[tuple[str, str, str]]:
    """What could not be judged: code and name, how many, why."""
    return [
        (f"{entry.code} {rules()[entry.code].name if entry.code in rules() else ''}", f"{entry.flows:,}", entry.reason)
        for entry in analysed.summary.cannot_judge
    ]


def timers(analysed: Analysed) -> list[tuple[str, str, str]]:
    """The timers that were assumed: state, length, who says so."""
    pairs = (("TIME_WAIT", analysed.timers.time_wait), ("FIN_WAIT_2, once orphaned", analysed.timers.fin_wait_2))
    return [(name, f"{seconds_text(timer.length)} s", timer.source) for name, timer in pairs]


def settings(analysed: Analysed) -> list[tuple[str, str, bool]]:
    """Every setting: its option, its value, whether that is not the default."""
    made = []
    for entry in adjustable():
        value: Any = getattr(analysed.listing.settings, entry.name)
        usual = default_text(entry)
        timed = "seconds" in entry.metadata and value is not None
        said = usual if value is None else f"{seconds_text(value)} s" if timed else str(value)
        own = value != entry.default
        made.append((option_name(entry), said if own or not timed else f"{usual} s", own))
    return made
