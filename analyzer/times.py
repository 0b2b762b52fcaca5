"""What a time is: outside nanoseconds since 1970 UTC, inside nanoseconds of an inner clock that began long before.

Wherever something has not happened, or has no bound, the program says 0 instead of a time (NEVER): rows of memory are
handed out filled with zeros. So 0 must be no time. But a capture may begin at 1970 exactly (text2pcap, a device without
a clock) or before it (a clock that was set wrong). So inside the program, from the table of segments to the rows of the
tables, a time counts from ``EPOCH`` nanoseconds before 1970, and no packet is dated so early.

A time is converted once where it enters (``segments``: a packet's time becomes its segment's) and once where it leaves
(the columns ``*_epoch``, the summary's dates, what ``live`` says). Lengths of time are the same inside and outside.

64 bits hold the years FIRST_YEAR to LAST_YEAR of it, and weeks on either side for bounds and timers. A packet dated
outside of these has no time that can be told; ``capture.dates`` says what becomes of it.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analyzer.units import SECOND, UNKNOWN

EPOCH = 1 << 62  # 1970 by the inner clock, which began on 12 November 1823
NEVER = 0  # by the inner clock: no time

YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = 1824, 2115
FIRST_SECOND, BEYOND_SECOND = (  # seconds since 1970 that can be told: from the first on, and below the second
    (datetime(year, 1, 1, tzinfo=UTC) - YEAR_1970) // timedelta(seconds=1) for year in (FIRST_YEAR, LAST_YEAR + 1)
)
CYCLE_YEARS, CYCLE_SECONDS = 400, 146_097 * 86_400  # after so long the Gregorian calendar repeats itself

Time = TypeVar("Time", int, NDArray[Any])


def inner(since_1970: Time) -> Time:
    """A time by the inner clock."""
    return since_1970 + EPOCH


def outer(time: int) -> int:
    """A time of the inner clock in nanoseconds since 1970."""
    return time - EPOCH


def outer_column(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same of a column, UNKNOWN where there is no time: NEVER, or UNKNOWN already."""
    made = times - EPOCH
    none = times <= NEVER
    if none.any():
        made[none] = UNKNOWN
    return made


def moment(since_1970: int) -> datetime:
    """A time that can be told as a date, to the microsecond below."""
    return YEAR_1970 + timedelta(microseconds=since_1970 // 1000)


def date_text(since_1970: int) -> str:
    """Any time at all, in nanoseconds, as a date: ``2300-01-01 00:00:00.000000005 UTC``. The calendar is the Gregorian
    of all years, that before the year 1 is the year 0."""
    seconds, fraction = divmod(since_1970, SECOND)
    cycles, rest = divmod(seconds, CYCLE_SECONDS)
    date = YEAR_1970 + timedelta(seconds=rest)
    digits = f".{fraction:09d}" if fraction else ""
    year = date.year + cycles * CYCLE_YEARS
    return f"{year:0{4 + (year < 0)}d}-{date:%m-%d %H:%M:%S}{digits} UTC"


def decimal(nanoseconds: int) -> str:
    """Nanoseconds as seconds with exactly nine decimals: no digit goes through a float."""
    whole, fraction = divmod(abs(nanoseconds), SECOND)
    return f"{'-' if nanoseconds < 0 else ''}{whole}.{fraction:09d}"
