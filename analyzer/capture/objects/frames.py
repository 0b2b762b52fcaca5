"""Packets that somebody has in memory, as the bytes of a pcapng capture: made while they are read, never kept.

That is the one way in for packets of scapy and pyshark: times, lengths, damage and dates outside the calendar are then
what they are in a file. Link type and name tell the interface of a packet; each gets its description block before its
first packet, so several interfaces come out as in the capture that dumpcap wrote.
"""

import struct
import sys
from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from analyzer.capture.byte_stream import ReadBytes
from analyzer.capture.interfaces import Interface, harmless
from analyzer.capture.pcapng_writer import SECTION, description
from analyzer.errors import UsageError
from analyzer.units import SECOND

TOGETHER = 256 * 1024  # bytes of blocks that are made before they are handed on
ROUNDING = Decimal("0.001")  # nanoseconds that arithmetic on a time may have lost: it is not taken for the one before
HEAD, PADDING = struct.Struct("<IIIIIII"), (b"", b"\0\0\0", b"\0\0", b"\0")
PACKET_BLOCK, AROUND = 6, 32


class Frame(NamedTuple):
    """One packet: ns since 1970, bytes on the wire, bytes captured, link type (LINKTYPE_), interface or ""."""

    time: int
    length: int
    data: bytes
    link: int
    interface: str = ""


class FrameBytes(ReadBytes):
    """The bytes of a capture that holds ``frames``."""

    def __init__(self, frames: Iterator[Frame], name: str) -> None:
        super().__init__(name)
        self._frames = frames
        self._numbers: dict[tuple[int, str], int] = {}
        self._waiting = memoryview(SECTION)

    def _read(self, count: int) -> bytes:
        if not self._waiting:
            self._waiting = memoryview(self._more())
        some, self._waiting = self._waiting[:count], self._waiting[count:]
        self.taken += len(some)
        return some.tobytes()

    def _more(self) -> bytes:
        """The blocks of the next frames."""
        made = bytearray()
        for frame in self._frames:
            key = frame.link, frame.interface
            if key not in self._numbers:
                self._numbers[key] = len(self._numbers)
                made += description(Interface(frame.interface, frame.link, 0))
            made += block(frame, self._numbers[key])
            if len(made) >= TOGETHER:
                break
        return bytes(made)


def is_a(thing: object, module: str, name: str) -> bool:
    """Whether it is an object of the class ``name`` in ``module``, which is not imported for that: whoever has such an
    object has imported it."""
    found = getattr(sys.modules.get(module), name, None)
    return found is not None and isinstance(thing, found)


def block(frame: Frame, interface: int) -> bytes:
    """The enhanced packet block."""
    size = AROUND + (len(frame.data) + 3 & ~3)
    ticks = frame.time & 0xFFFFFFFFFFFFFFFF
    length = min(max(frame.length, len(frame.data)), 0xFFFFFFFF)
    head = HEAD.pack(PACKET_BLOCK, size, interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame.data), length)
    return head + frame.data + PADDING[len(frame.data) & 3] + struct.pack("<I", size)


def nanoseconds(time: object, whose: str) -> int:
    """A time in seconds as ns since 1970: a Decimal or its digits exactly; a float as the shortest decimal that it
    stands for, so that a time in microseconds is exact. Raises UsageError, which says ``whose`` it is."""
    try:
        exact = (
            time if isinstance(time, Decimal) else Decimal(time if isinstance(time, str) else repr(float(str(time))))
        )
        whole = int((exact * SECOND + ROUNDING).to_integral_value(ROUND_FLOOR))
        if not -(1 << 63) <= whole < 1 << 63:
            raise OverflowError
    except (ArithmeticError, ValueError):
        raise UsageError(f"{whose} has no valid time ({harmless(repr(time)[:60])})") from None
    return whole
