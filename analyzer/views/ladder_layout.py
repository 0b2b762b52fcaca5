"""What the lines of a ladder are drawn with: which columns there are and how wide, how times read, what has which
colour.

Where there is room, states stand at the sides of the arrows. On a narrow terminal they stand on a line of their own
below the arrow, which then has the whole width, and so they do where long numbers would take more lines otherwise:
nothing is cut off and no line is broken by the terminal. A colour never tells anything alone: flags and states are
words, an arrow that carries data is a heavy one, that of a RST begins with a cross.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from analyzer.capture.gaps import Gaps
from analyzer.segments.table import FIN, RST, SYN
from analyzer.tcp.timers import Timers
from analyzer.times import decimal
from analyzer.units import SECOND
from analyzer.views.frame_names import FrameNames

LEAST_WIDTH, PLAIN_WIDTH, MOST_WIDTH = 60, 100, 200  # columns of a ladder; the second where there is no terminal
TIME, FRAME, STATE = 11, 7, 13  # widths of the columns; the first two are wider where their numbers are
LEAST_ARROW = 31  # columns: with fewer between the states, these stand below
WITH_WINDOW = 66  # columns: with so many between the states, each segment has its window
DAY = 86_400 * SECOND
TIMES = {"offset": "time", "absolute": "UTC", "delta": "delta"}  # what times are told as, and the head of their column


@dataclass(frozen=True)
class ArrowSigns:
    """What arrows are drawn with: the line, that of data, the tail of a RST, both heads."""

    line: str = "─"
    data: str = "━"
    reset: str = "\N{MULTIPLICATION SIGN}"
    right: str = "▶"
    left: str = "◀"
    pause: str = "—"


UNICODE, ASCII = ArrowSigns(), ArrowSigns("-", "=", "x", ">", "<", "--")
STATE_STYLES = {
    "SYN_SENT": "green",
    "SYN_RECEIVED": "green",
    "FIN_WAIT_1": "bright_blue",
    "FIN_WAIT_2": "bright_blue",
    "CLOSE_WAIT": "yellow",
    "CLOSING": "magenta",
    "LAST_ACK": "magenta",
    "TIME_WAIT": "cyan",
    "UNKNOWN": "dim",
}


@dataclass
class LadderLayout:
    """The columns there are, the signs the terminal can show, and what the lines share."""

    columns: int
    start: int  # time of the first segment
    signs: ArrowSigns
    timers: Timers
    frames: FrameNames
    gaps: Gaps
    times: str = "offset"  # one of TIMES
    brief: bool = False
    time: int = TIME  # widths of these columns
    frame: int = FRAME
    stacked: bool = False  # whether states stand below the arrows
    used: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # signs, and the states that have them

    @property
    def indent(self) -> int:
        """Columns before the first state, and before words."""
        return self.time + self.frame + 2

    @property
    def between(self) -> int:
        """Columns for an arrow where states stand beside it."""
        return self.columns - self.indent - 2 * STATE - 2

    @property
    def room(self) -> int:
        """Columns for an arrow."""
        return self.columns - self.indent if self.stacked else self.between

    @property
    def lane(self) -> int:
        """Columns before an arrow."""
        return self.indent + (0 if self.stacked else STATE + 1)

    def offset(self, time: int) -> str:
        """Seconds since the first segment, to the nearest microsecond; all digits are in the tables."""
        return decimal((time - self.start + 500) // 1000 * 1000)[:-3]

    def clock(self, time: int) -> str:
        """A time in the words of the time column, where it is no difference."""
        return time_of_day(time) if self.times == "absolute" else self.offset(time)

    def moment(self, time: int, before: int | None) -> str:
        """What stands in the column of times; ``before`` is the time of the step before."""
        if self.times != "delta":
            return self.clock(time)
        return decimal((time - (time if before is None else before) + 500) // 1000 * 1000)[:-3]

    def time_width(self, times: list[int]) -> int:
        """Columns that the column of times needs."""
        differences = np.diff(times) if self.times == "delta" else np.array(times, np.int64) - self.start
        extremes = [self.start + int(some) for some in (differences.min(initial=0), differences.max(initial=0))]
        return max(len(self.moment(time, self.start)) for time in extremes)

    def span(self, earliest: int, latest: int) -> str:
        """``between 0.1 and 0.2``; what is an offset among differences says so."""
        kind = "offset " if self.times == "delta" else ""
        return f"between {kind}{self.clock(earliest)} and {self.clock(latest)}"


def time_of_day(time: int) -> str:
    """``22:13:20.123457``: UTC, to the nearest microsecond."""
    seconds, micros = divmod((time + 500) // 1000 % (DAY // 1000), 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros:06d}"


def day(time: int) -> int:
    """The number of the UTC day in which a time is shown."""
    return (time + 500) // DAY


def arrow_style(flags: int, size: int) -> str:
    """The colour of an arrow, by what the segment is."""
    if flags & RST:
        return "red"
    if flags & FIN:
        return "bright_blue"
    if flags & SYN:
        return "green"
    return "" if size else "dim"
