"""Packets dated so far from today that their date cannot be told (see ``times``).

Nothing false is to follow from such a date. In a file that begins with a date that can be told, a packet with one that
cannot takes the time of the packet before it, as one without a time does. A file that begins with one that cannot has a
clock that shows something else: its times count from that second instead of from 1970, and so do those of the other
files of the capture that begin like it. Where such a clock jumps too far to be told once more, it goes on from the
packet before. Lengths of time are right then, and a notice says which dates stand in the file.
"""

from analyzer.capture.parser import TimeOrigin
from analyzer.times import BEYOND_SECOND, FIRST_SECOND, FIRST_YEAR, LAST_YEAR, date_text
from analyzer.units import SECOND, counted

YEARS = f"the years {FIRST_YEAR} to {LAST_YEAR}"
First = tuple[int, int]  # frame and date of the first of some packets


def tellable(date: int) -> bool:
    """Whether a date, in nanoseconds since 1970, can be told."""
    return FIRST_SECOND <= date // SECOND < BEYOND_SECOND


class Dates:
    """The dates of one file, and by how many nanoseconds earlier all of them are taken to be (``moved``)."""

    def __init__(self, time_origin: TimeOrigin) -> None:
        self.moved = 0
        self.beyond = 0  # packets that took the time of the one before
        self.negative = 0  # packets whose ticks were read as negative numbers
        self.first_beyond: First = (0, 0)
        self.first_negative: First = (0, 0)
        self._time_origin = time_origin
        self._began: First | None = None  # where the file was moved
        self._counts_from = 0
        self._jumps = 0
        self._first_jump: First = (0, 0)
        self._time: int | None = None  # of the packet before, as ``time`` gave it

    def time(self, frame: int, date: int | None) -> int:
        """The time of the next packet, which has this date or none; for sources that give dates one by one."""
        if date is None:
            return self._time or 0
        if not tellable(date - self.moved) and (self._time is None or self._began):
            self.move(frame, date, self._time)
        if tellable(date - self.moved):
            self._time = date - self.moved
            return self._time
        self.first_beyond = self.first_beyond if self.beyond else (frame, date)
        self.beyond += 1
        return self._time or 0

    def move(self, frame: int, date: int, before: int | None) -> None:
        """Move the clock so that ``date``, which the packet of that number has, can be told. ``before`` is the time of
        the packet before it, None where none has one."""
        if before is not None:
            self._first_jump = self._first_jump if self._jumps else (frame, date)
            self._jumps += 1
            self.moved = date - before
            return
        if self._time_origin.second is None:
            self._time_origin.second = date // SECOND
        shared = tellable(date - self._time_origin.second * SECOND)
        self.moved = self._counts_from = (self._time_origin.second if shared else date // SECOND) * SECOND
        self._began = (frame, date)

    def remarks(self) -> list[str]:
        """What is to be said of them."""
        said = []
        if self._began:
            frame, date = self._began
            said.append(
                f"packet {frame:,} is dated {date_text(date)}, outside {YEARS}; the times of this file count from "
                f"{date_text(self._counts_from)}, which is shown as {date_text(0)}"
            )
        if self._jumps:
            said.append(
                f"its clock jumped outside {YEARS} ({counted(self._jumps, 'time')}, first: {_dated(*self._first_jump)}"
                f"); it continues from the packet before"
            )
        if self.negative:
            said.append(
                f"{counted(self.negative, 'packet')} (first: {_dated(*self.first_negative)}) with the highest bit of "
                f"the timestamp set; it was read as a negative number, a time before 1970"
            )
        if self.beyond:
            said.append(
                f"{counted(self.beyond, 'packet')} (first: {_dated(*self.first_beyond)}) dated outside {YEARS}; the "
                f"time of the packet before was used"
            )
        return said


def _dated(frame: int, date: int) -> str:
    return f"packet {frame:,}, dated {date_text(date)}"
