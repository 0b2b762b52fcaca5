"""The lines on top: what is read, what is listed, how far the reading is. Numbers are never cut off: names are."""

from rich.text import Text

from analyzer.browse.browsed import ChosenConnections
from analyzer.browse.reading import Reading
from analyzer.results.result import Analysed
from analyzer.units import counted
from analyzer.views.console import duration
from analyzer.views.escape import safe

GAP = "   "
BAR = 40  # columns of the progress bar at most
DOTS = "…"


def about_capture(analysed: Analysed, width: int) -> Text:
    """The files, and how much is in them."""
    summary = analysed.summary
    span = (summary.last_ns or 0) - (summary.first_ns or 0)
    told = [counted(summary.packets, "packet"), counted(len(analysed.tables.streams()), "connection"),
            duration(span / 1e9)]  # fmt: skip
    if summary.notices:
        told.append(counted(len(summary.notices), "notice") + " (v)")
    names = safe(", ".join(summary.files))
    return _line(names, GAP.join(told), width, "bold")


def about_list(analysed: Analysed, chosen: ChosenConnections | None, width: int) -> Text:
    """The filter in force, and how many connections fit it."""
    if chosen is None:
        return Text()
    order = chosen.words.listing.order
    total = len(analysed.tables.streams())
    shown = f"{len(chosen.streams):,} of {total:,}" if len(chosen.streams) != total else f"all {total:,}"
    by = f"by {order.column} {'▼' if order.down else '▲'}"
    words = safe(chosen.words.text) or "no filter"
    return _line(words, f"{shown}, {by}", width, "bold yellow" if chosen.words.text else "grey62")


def about_reading(reading: Reading, width: int) -> Text:
    """How far it is."""
    names = safe(", ".join(reading.paths))
    share, left = reading.share, reading.left
    room = min(BAR, width - 12)
    bar = "" if share is None else "█" * round(share * room) + "░" * (room - round(share * room)) + f" {share:4.0%}"
    took = f"{reading.took:.0f} s" + (f", about {duration(max(round(left), 1))} left" if left is not None else "")
    counts = f"{counted(reading.packets, 'packet')}, {counted(reading.connections, 'connection')} so far"
    text = Text(f"reading {_cut(names, width - 12)}", "bold")
    for line in filter(None, (bar, counts if reading.packets else "opening", took, safe(reading.said))):
        text.append(f"\n{line}", "not bold")
    return text


def _line(name: str, numbers: str, width: int, style: str) -> Text:
    """A name at the left, as much of it as there is room for, and numbers at the right."""
    room = max(width - len(numbers) - 4, 0)
    name = _cut(name, room)
    return Text(f" {name}", style, no_wrap=True).append(" " * (room - len(name) + 2)).append(f"{numbers} ", "not bold")


def _cut(text: str, room: int) -> str:
    """The end of a text that is longer than that."""
    return text if len(text) <= room else DOTS + text[len(text) - room + 1 :] if room > 1 else ""
