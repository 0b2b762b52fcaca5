"""The sockets by state at the moment under the cursor: numbers, and where there is room how they went over time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual.widgets import Static

from analyzer.browse.drawing import BARS, STATE_COLOURS
from analyzer.browse.moment_counts import CountsRow, StateCounts
from analyzer.results.netstat import STATES
from analyzer.times import moment
from analyzer.views.console import duration
from analyzer.views.escape import safe

GAP = "  "


class CountsPane(Static):
    """Drawn anew for every moment."""

    def __init__(self) -> None:
        super().__init__("", id="counts", markup=False)

    def show_counts(self, counts: StateCounts, first: int, over_time: bool) -> None:
        """Show them; ``first`` is when the capture began."""
        width = self.size.width or self.app.size.width
        since = duration((counts.at - first) / 1e9)
        text = Text(f"sockets at {moment(counts.at).time().isoformat('microseconds')} UTC", "bold")
        text.append(f", {since} after the first packet", "not bold grey62")
        lines = [text, *_table(counts.rows, width)]
        lines += _curves(counts, width) if over_time else []
        self.update(Text("\n").join(lines))


def curve_parts(width: int) -> int:
    """How many parts the time has in a pane of this width."""
    return max(width - max(map(len, STATES)) - 18, 10)


def _table(rows: Sequence[CountsRow], width: int) -> list[Text]:
    """A column for each state in which there is a socket; where they have no room, words in their place."""
    there = [place for place in range(len(STATES)) if any(row.counts[place] for row in rows)]
    names = max(len(safe(row.name)) for row in rows)
    cells = {place: max(len(STATES[place]), *(len(f"{row.counts[place]:,}") for row in rows)) for place in there}
    if names + sum(len(GAP) + size for size in cells.values()) > width:
        return [line for row in rows for line in _in_words(row, there, names, width)]
    heading = Text(" " * names)
    for place in there:
        heading.append(GAP + STATES[place].rjust(cells[place]), STATE_COLOURS[STATES[place]])
    made = [heading]
    for row in rows:
        line = Text(safe(row.name).ljust(names))
        for place in there:
            number = f"{row.counts[place]:,}" if row.counts[place] else "-"
            line.append(GAP + number.rjust(cells[place]), STATE_COLOURS[STATES[place]] if number != "-" else "grey50")
        made.append(line)
    return made


def _in_words(row: CountsRow, there: Sequence[int], names: int, width: int) -> list[Text]:
    """The counts of a row as words, on as many lines as they need."""
    lines, indent = [Text(safe(row.name).ljust(names))], min(names, width // 3)
    words = [(f"{STATES[place]} {row.counts[place]:,}", STATES[place]) for place in there if row.counts[place]]
    for word, state in words or [("none", "UNKNOWN")]:
        if len(lines[-1]) + len(GAP) + len(word) > width:
            lines.append(Text(" " * indent))
        lines[-1].append(GAP + word, STATE_COLOURS[state])
    return lines


def _curves(counts: StateCounts, width: int) -> list[Text]:
    """The most sockets of the service and its clients in each state, over the capture's time."""
    names = max(map(len, STATES)) + len(GAP)
    marker = Text(" " * (names + counts.place) + "▼", "bold")
    made = [Text("the service and its clients over the whole capture, the most in each part of it:", "grey62"), marker]
    for place, state in enumerate(STATES):
        series = counts.most[:, place]
        if series.any():
            line = f"{state:<{names}}{_bars(series)}{GAP}peak {int(series.max()):,}"
            made.append(Text(line, STATE_COLOURS[state], no_wrap=True))
    return made


def _bars(series: NDArray[np.int64]) -> str:
    """A bar for each number; none is empty but that of 0."""
    steps = len(BARS) - 1
    heights = -(-series * steps // max(int(series.max()), 1))
    return "".join(BARS[height] for height in heights.tolist())
