"""A capture with all its times moved, written anew as pcapng: an offset for each interface, and nanoseconds."""

import struct
from collections.abc import Callable
from pathlib import Path

from analyzer.readers import open_captures
from tests.readers.build import block, clock, interface, section

Move = Callable[[list[int]], int]
SECOND = 10**9


def shifted(path: Path, target: Path, move: Move) -> int:
    """Write the capture at ``path`` to ``target``, moved by as many nanoseconds as ``move`` says of its times."""
    packets: list[tuple[int, int, int, bytes]] = []  # time, interface, length, captured bytes
    with open_captures([path]) as stream:
        for batch in stream:
            for row in batch.rows:
                begin = int(row["offset"])
                data = batch.data[begin : begin + int(row["captured"])].tobytes()
                packets.append((int(row["time"]), int(row["interface"]), int(row["length"]), data))
        shift = move([time for time, *_ in packets])
        offset = (min(time for time, *_ in packets) + shift) // SECOND
        described = [
            interface(link=one.link_type, snap=one.snap_length, options=clock(9, offset, one.name))
            for one in stream.interfaces
        ]
    pieces = [enhanced(time + shift - offset * SECOND, *rest) for time, *rest in packets]
    target.write_bytes(section() + b"".join(described) + b"".join(pieces))
    return shift


def enhanced(ticks: int, which: int, length: int, data: bytes) -> bytes:
    head = struct.pack("<IIIII", which, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length)
    return block(6, head + data + bytes(-len(data) % 4))
