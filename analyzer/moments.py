"""A moment of a capture as people write it: a time of day, a date, seconds since 1970, or an offset from its begin.

Times of day are UTC, as the summary prints them. Nothing goes through a float.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from analyzer.errors import UsageError
from analyzer.units import SECOND

DAY = 24 * 3600 * SECOND
LATEST_OFFSET = 100_000_000  # seconds; a larger number counts from 1970
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?")
DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\S+?))?(?:Z| UTC)?")
FORMS = "write a time of day in UTC (14:05:07.25), a date (2026-01-31 14:05), seconds since 1970, or an offset (12.5)"


class GivenTime(NamedTuple):
    """``ns`` counts from 1970 (``since`` is "1970"), from the first packet ("begin"), or from midnight ("midnight")."""

    ns: int
    since: str


def moment_of(text: str) -> GivenTime:
    """The moment that ``text`` means. Raises UsageError where it means none."""
    written = text.strip()
    clock, date = CLOCK.fullmatch(written), DATE.fullmatch(written)
    try:
        if clock:
            return GivenTime(_of_day(clock), "midnight")
        if date:
            return GivenTime(_of_date(date), "1970")
        seconds = Decimal(written)
        ns = int(seconds * SECOND)
    except (ValueError, InvalidOperation, OverflowError):
        raise UsageError(f"{text!r} is no time; {FORMS}") from None
    if abs(ns) >= 1 << 62:
        raise UsageError(f"{text!r} is too far away; {FORMS}")
    return GivenTime(ns, "1970" if seconds >= LATEST_OFFSET else "begin")


def resolved(moment: GivenTime, first_ns: int) -> int:
    """That moment in nanoseconds since 1970, in a capture that begins at ``first_ns``. A time of day is the first of
    that name from the second on in which the capture begins."""
    if moment.since == "1970":
        return moment.ns
    if moment.since == "begin":
        return first_ns + moment.ns
    second = first_ns - first_ns % SECOND
    midnight = second - second % DAY
    return midnight + moment.ns + (DAY if midnight + moment.ns < second else 0)


def _of_day(found: "re.Match[str]") -> int:
    """A time of day in nanoseconds since midnight. Raises ValueError."""
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError
    return (hours * 3600 + minutes * 60 + seconds) * SECOND + int(Decimal(found[4] or 0) * SECOND)


def _of_date(found: "re.Match[str]") -> int:
    """A date in nanoseconds since 1970. Raises ValueError."""
    day = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    clock = CLOCK.fullmatch(found[2]) if found[2] else None
    if found[2] and not clock:
        raise ValueError
    return int(day.timestamp()) * SECOND + (_of_day(clock) if clock else 0)
