"""What time it is at the tap. Verdicts depend on silence, and silence has to be measured without any packet.

The time of the capture is the packets' own; between packets it goes on by the monotonic clock of this machine (the
one that runs while a laptop sleeps, where the system has one). A capture from another host therefore needs no
agreement between clocks. When packet times move by much more, or less, than the monotonic clock did meanwhile, the
wall clock was set: that is told, and the new time holds from then on.
"""

import time

from analyzer.units import SECOND

STEP_NS = 2 * SECOND  # packets arrive late by less than this
BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed_ns() -> int:
    """Nanoseconds of a clock that nobody sets."""
    return time.monotonic_ns() if BOOT_CLOCK is None else time.clock_gettime_ns(BOOT_CLOCK)


class CaptureClock:
    """The capture's time by the inner clock, fed with the newest packet time of each batch."""

    def __init__(self) -> None:
        self._newest: int | None = None  # of the packets
        self._seen = 0  # when it arrived, by the monotonic clock

    def feed(self, newest_ns: int) -> int:
        """Take in a batch's newest time; returns by how much the clock was set meanwhile, 0 if it was not."""
        now = elapsed_ns()
        step = 0
        if self._newest is not None:
            expected = self._newest + now - self._seen
            step = newest_ns - expected if abs(newest_ns - expected) > STEP_NS else 0
            if not step and newest_ns < self._newest:
                return 0  # packets slightly out of order
        self._newest, self._seen = newest_ns, now
        return step

    def now(self) -> int | None:
        """The time at the tap; None before the first packet."""
        return None if self._newest is None else self._newest + elapsed_ns() - self._seen
