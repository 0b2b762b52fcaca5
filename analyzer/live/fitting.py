"""Numbers, addresses and columns for the room there is on the screen of ``live``. No number is ever cut: it is said
in a larger unit, or its whole column is left out."""

from collections.abc import Sequence
from typing import NamedTuple

from analyzer.browse.drawing import BARS

NUMBER = 5  # columns that any short number fits into, up to 999 thousand millions
PLAIN_BARS = " ._-=+*#@"  # for a terminal that has only ASCII
GAP = 1


class ScreenColumn(NamedTuple):
    """A column: its title, how wide, whether to the right; the highest ``rank`` is left out first, 0 never."""

    title: str
    width: int
    rank: int = 0
    right: bool = True


def short_number(number: float) -> str:
    """In at most five characters: ``0.4``, ``9,999``, ``12.3k``, ``200k``, ``10.0M``."""
    if 0 < number < 9.95 and number != int(number):
        return f"{number:.1f}"
    if number < 9_999.5:
        return f"{number:,.0f}"
    for unit in "kMG":
        number /= 1000
        if number < 99.95:
            return f"{number:.1f}{unit}"
        if number < 999.5:
            return f"{number:.0f}{unit}"
    return f"{number / 1000:.0f}T"


def short_duration(seconds: float) -> str:
    """In at most six characters: ``0.4s``, ``59s``, ``12m05s``, ``23h59m``, ``99d23h``, ``1,000d``."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole // 60 % 60:02}m"
    days = whole // 86400
    return f"{days}d{whole // 3600 % 24:02}h" if days < 100 else f"{days:,}d"


def short_name(name: str, room: int) -> str:
    """An endpoint's name in so many columns: both addresses lose their middle, the port stays."""
    if len(name) <= room:
        return name
    client, arrow, server = name.rpartition(" -> ")
    if not client or room < 24:
        return _without_middle(name, room)
    each = (room - len(arrow)) // 2
    first = _without_middle(client, max(each, room - len(arrow) - len(server)))
    return first + arrow + _without_middle(server, room - len(arrow) - len(first))


def _without_middle(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    end = max(room // 2, min(8, room - 2))
    return text[: max(room - end - 1, 0)] + "…" + text[len(text) - end :]


def short_text(text: str, room: int) -> str:
    """Words in so many columns."""
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def short_process(process: str, room: int) -> str:
    """``postgres-wr…[1234567]``: of a process the name loses its end, never the PID a figure."""
    name, bracket, pid = process.rpartition("[")
    return process if len(process) <= room else short_text(name, room - len(bracket + pid)) + bracket + pid


def fitted(columns: Sequence[ScreenColumn], wanted: int, least: int, room: int) -> tuple[list[int], int]:
    """Which of ``columns`` there is room for beside a name that wants ``wanted`` columns, and how many the name gets.
    The name is shortened only once every column that may be left out is, down to ``least``; then further ones go."""
    shown = list(range(len(columns)))

    def taken() -> int:
        return sum(columns[place].width + GAP for place in shown)

    while taken() + wanted > room and any(columns[place].rank for place in shown):
        shown.remove(max(shown, key=lambda place: columns[place].rank))
    while taken() + least > room and shown:
        shown.pop()
    return shown, max(min(wanted, room - taken()), 1)


def pieces_that_fit(pieces: Sequence[Sequence[str]], room: int) -> list[str]:
    """Which of its forms, the longest first, each piece has in a line of so many columns, with two between them. No
    piece is left out before all are in their shortest form; those in front are shortened last, and left out last."""
    shortest = [forms[-1] for forms in pieces]
    while shortest and _joined(shortest) > room:
        shortest.pop()
    for place, forms in enumerate(pieces[: len(shortest)]):
        for form in forms:
            if _joined([*shortest[:place], form, *shortest[place + 1 :]]) <= room:
                shortest[place] = form
                break
    return shortest


def _joined(pieces: Sequence[str]) -> int:
    return sum(len(piece) + 2 for piece in pieces) - 2


def sparkline(values: Sequence[float], room: int, bars: str = BARS) -> str:
    """The newest of ``values`` as bars, the highest of them a full one; anything above 0 can be seen."""
    newest = list(values)[-room:] if room > 0 else []
    most = max(newest, default=0)
    full = len(bars) - 1
    drawn = "".join(bars[0 if value <= 0 else max(1, round(value / most * full))] for value in newest)
    return drawn.rjust(max(room, 0))
