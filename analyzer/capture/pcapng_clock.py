"""The clock of an interface in a pcapng file: what a count of ticks says, and how the compiled parser is to read it."""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from analyzer.capture import kernels
from analyzer.times import BEYOND_SECOND, FIRST_SECOND
from analyzer.units import SECOND

FINEST, FINEST_BINARY = 19, 63  # powers of ten and of two of which 64 bits of ticks make two seconds at least


class Clock(NamedTuple):
    """if_tsresol and if_tsoffset of an interface. Without an offset the clock counts from 1970."""

    resolution: int  # a power of ten, or with the highest of its eight bits a power of two
    offset: int  # seconds

    @property
    def power(self) -> int:
        return self.resolution & 0x7F

    @property
    def binary(self) -> bool:
        return bool(self.resolution & 0x80)

    @property
    def units(self) -> int:
        """Ticks in one second; 0 where they are too fine for any clock."""
        if self.power > (FINEST_BINARY if self.binary else FINEST):
            return 0
        return 1 << self.power if self.binary else 10**self.power

    def date(self, ticks: int) -> int:
        """Nanoseconds since 1970 of a count of ticks, a finer fraction dropped; ``units`` are not 0."""
        return ticks * SECOND // self.units + self.offset * SECOND

    def can_be_moved(self, ticks: int) -> bool:
        """Whether there is an offset with which the parser can tell the time of so many ticks."""
        return ticks // self.units <= kernels.FAR // 2

    def set(self, row: Any, moved: int) -> None:
        """Write into a row of INTERFACES how ticks become nanoseconds, all dates being taken to be ``moved`` ns
        earlier."""
        units, (seconds, row["more_ns"]) = self.units, divmod(-moved, SECOND)
        offset = self.offset + seconds
        row["units"] = units
        row["offset"] = offset if abs(offset) <= kernels.FAR else 2 * kernels.FAR  # no count of ticks makes up for that
        row["shift"] = self.power if units and self.binary else 0
        decimal = bool(units) and not self.binary
        row["scale"] = 10 ** max(0, 9 - self.power) if decimal else 0
        row["divide"] = 10 ** max(0, self.power - 9) if decimal else 1
        row["tick"] = 0
        if units and SECOND % units == 0 and FIRST_SECOND <= offset < BEYOND_SECOND:
            row["tick"], row["offset_ns"] = SECOND // units, offset * SECOND + row["more_ns"]
            row["most"] = (BEYOND_SECOND - offset) * units - 1


def ticks_of(head: bytes, order: str, clocks: Sequence[Clock]) -> tuple[Clock, int]:
    """Whose ticks a packet has, and how many, by the ``head`` of its block; ``clocks`` are those of the interfaces."""
    kind, _, which, high, low = struct.unpack(order + "IIIII", head)
    if kind == kernels.OLD_PACKET:
        (which,) = struct.unpack_from(order + "H", head, 8)
    return clocks[which], high << 32 | low
