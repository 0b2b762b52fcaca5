"""What time it is at the tap. Verdicts depend on silence, and silence has to be measured without any packet.

The time of the capture is the packets' own; between packets it goes on by the monotonic clock of this machine (the
one that runs while a laptop sleeps, where the system has one). A capture from another host therefore needs no
agreement between clocks. Packets that wait to be analysed are no silence: while there are any, the time is that of the
last packet taken. Packets that come late do not show that a clock was set; this host's own clocks do.
"""

import time

from analyzer.units import SECOND

STEP_NS = 2 * SECOND  # packets are out of order by less than this
SET_NS = SECOND // 2  # no clock is slewed by so much between two looks
BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed_ns() -> int:
    """Nanoseconds of a clock that nobody sets."""
    return time.monotonic_ns() if BOOT_CLOCK is None else time.clock_gettime_ns(BOOT_CLOCK)


class CaptureClock:
    """The capture's time by the inner clock, fed with the newest packet time of each batch."""

    def __init__(self) -> None:
        self._newest: int | None = None  # of the packets
        self._seen = 0  # when it arrived, by the monotonic clock

    def feed(self, newest_ns: int) -> None:
        """Take in a batch's newest time."""
        out_of_order = self._newest is not None and 0 < self._newest - newest_ns <= STEP_NS
        if not out_of_order:
            self._newest, self._seen = newest_ns, elapsed_ns()

    def now(self, behind: bool = False) -> int | None:
        """The time at the tap, as far as all packets until then are known: ``behind`` tells that more of them wait.
        None before the first packet."""
        if self._newest is None or behind:
            return self._newest
        return self._newest + elapsed_ns() - self._seen


class WallClock:
    """This host's wall clock, with which the packets captured here are stamped, beside the one that nobody sets."""

    def __init__(self) -> None:
        self._ahead = self._difference()

    @staticmethod
    def _difference() -> int:
        return time.time_ns() - elapsed_ns()

    def set_by(self) -> int:
        """By how much it was set since this was asked last, in ns; 0 if it was not."""
        before, self._ahead = self._ahead, self._difference()
        return self._ahead - before if abs(self._ahead - before) > SET_NS else 0
