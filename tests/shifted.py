"""A capture with all its times moved, written anew as pcapng: an offset for each interface, and nanoseconds."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from analyzer.capture import open_captures
from analyzer.capture.interfaces import Interface
from tests.capture.build import block, clock, interface, section

Move = Callable[[list[int]], int]
Rest = tuple[int, int, bytes]  # interface, length, captured bytes
SECOND = 10**9


def shifted(path: Path, target: Path, move: Move) -> int:
    """Write the capture at ``path`` to ``target``, moved by as many nanoseconds as ``move`` says of its times."""
    times, rest, interfaces = packets_of(path)
    shift = move(times)
    write(target, [time + shift for time in times], rest, interfaces)
    return shift


def packets_of(path: Path) -> tuple[list[int], list[Rest], list[Interface]]:
    """Times of a capture's packets, what else there is of them, and its interfaces."""
    times: list[int] = []
    rest: list[Rest] = []
    with open_captures([path]) as stream:
        for batch in stream:
            for row in batch.rows:
                begin = int(row["offset"])
                data = batch.data[begin : begin + int(row["captured"])].tobytes()
                times.append(int(row["time"]))
                rest.append((int(row["interface"]), int(row["length"]), data))
        return times, rest, stream.interfaces


def write(target: Path, times: Sequence[int], rest: Sequence[Rest], interfaces: Sequence[Interface]) -> None:
    """Write the packets with these times; the offset is the second of the earliest, so that no count is negative."""
    offset = min(times) // SECOND
    described = [
        interface(link=one.link_type, snap=one.snap_length, options=clock(9, offset, one.name)) for one in interfaces
    ]
    packets = [enhanced(time - offset * SECOND, *more) for time, more in zip(times, rest, strict=True)]
    target.write_bytes(section() + b"".join(described) + b"".join(packets))


def enhanced(ticks: int, which: int, length: int, data: bytes) -> bytes:
    head = struct.pack("<IIIII", which, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length)
    return block(6, head + data + bytes(-len(data) % 4))
