"""Packets written as pcapng: a kernel turns rows of PACKET into enhanced packet blocks.

The counterpart of the parsers: nothing is done per packet in interpreted Python, so that keeping the packets
costs less than receiving them. Times are written in nanoseconds whatever they were read from.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.interfaces import Interface
from analyzer.capture.kernels import write_blocks
from analyzer.capture.packets import Packets

AROUND = 32  # bytes of a block around the packet
NANOSECONDS = b"\x09\x00\x01\x00\x09\x00\x00\x00"  # option if_tsresol = 9
SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)


def blocks(packets: Packets) -> memoryview:
    """The packets as enhanced packet blocks; ``rows["interface"]`` are the numbers of their description blocks."""
    sizes = (packets.rows["captured"].astype(np.int64) + 3 & ~3) + AROUND
    out: NDArray[np.uint8] = np.zeros(int(sizes.sum()), np.uint8)
    written = int(write_blocks(packets.data, packets.rows, out))
    return out.data[:written]


def description(interface: Interface) -> bytes:
    """The interface description block."""
    name = interface.name.encode()
    padded = name + bytes(-len(name) % 4)
    options = (struct.pack("<HH", 2, len(name)) + padded if name else b"") + NANOSECONDS + bytes(4)
    size = 20 + len(options)
    head = struct.pack("<IIHHI", 1, size, interface.link_type, 0, interface.snap_length)
    return head + options + struct.pack("<I", size)


def statistics(number: int, time_ns: int, lost: int) -> bytes:
    """An interface statistics block with the packets lost so far (option isb_osdrop)."""
    ticks = time_ns >> 32 & 0xFFFFFFFF, time_ns & 0xFFFFFFFF
    body = struct.pack("<III", number, *ticks) + struct.pack("<HHQ", 7, 8, lost) + bytes(4)
    size = 12 + len(body)
    return struct.pack("<II", 5, size) + body + struct.pack("<I", size)


def with_numbers(packets: Packets, numbers: NDArray[Any]) -> Packets:
    """The same packets with other interface numbers."""
    rows = packets.rows.copy()
    rows["interface"] = numbers
    return Packets(packets.data, rows)
