"""Captures put together byte by byte, and streams that hand bytes out as a test wants them."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analyzer.capture.packet_source import PacketSource
from analyzer.capture.packets import Packets
from analyzer.capture.parser import CaptureInfo

EPOCH = 1_700_000_000
Row = tuple[int, int, int, int, int, bytes]  # frame, time, length, link, interface, captured bytes


def pcap(
    packets: Iterable[tuple[int, int, bytes] | tuple[int, int, bytes, int]],
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    link: int = 1,
    snap: int = 262_144,
    version: tuple[int, int] = (2, 4),
    extra: bytes = b"",
) -> bytes:
    """A classic pcap file of packets (seconds, fraction, bytes, and how long it was: else 4 bytes more); ``extra``
    follows each record's four numbers."""
    pieces = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, snap, link)]
    for seconds, fraction, data, *length in packets:
        sizes = len(data), *(length or [len(data) + 4])
        pieces.append(struct.pack(order + "IIII", seconds, fraction, *sizes) + extra + data)
    return b"".join(pieces)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", version: tuple[int, int] = (1, 0)) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1), order)


def interface(order: str = "<", link: int = 1, snap: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def clock(resolution: int | None = None, offset: int | None = None, name: str = "", order: str = "<") -> bytes:
    """Options of an interface: its name, if_tsresol and if_tsoffset."""
    options = option(2, name.encode(), order) if name else b""
    if resolution is not None:
        options += option(9, bytes([resolution]), order)
    if offset is not None:
        options += option(14, struct.pack(order + "q", offset), order)
    return options + option(0, b"", order)


def enhanced(ticks: int, data: bytes, which: int = 0, order: str = "<", options: bytes = b"") -> bytes:
    head = struct.pack(order + "IIIII", which, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data) + 4)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def simple(data: bytes, length: int | None = None, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(data) if length is None else length) + data, order)


def old(ticks: int, data: bytes, which: int = 0, order: str = "<") -> bytes:
    head = struct.pack(order + "HHIIII", which, 7, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data) + 4)
    return block(2, head + data, order)


@dataclass
class Trickle:
    """A ByteStream that hands out ``data`` in pieces of the sizes given, over and over."""

    data: bytes
    sizes: Sequence[int] = (1 << 30,)
    live: bool = False
    name: str = "capture"
    size: int | None = None
    trouble: str = ""
    taken: int = field(default=0, init=False)
    _turn: int = field(default=0, init=False)

    def readinto(self, memory: memoryview) -> int:
        piece = self.data[self.taken : self.taken + min(self.sizes[self._turn % len(self.sizes)], len(memory))]
        memory[: len(piece)] = piece
        self.taken += len(piece)
        self._turn += 1
        return len(piece)

    def ready(self, seconds: float) -> bool:
        return False

    def close(self) -> None:
        pass


def rows_of(batch: Packets) -> list[Row]:
    """The packets of a batch; fails where one lies outside of the batch's data."""
    found = []
    for frame, time, offset, captured, length, link, interface in batch.rows[
        ["frame", "time", "offset", "captured", "length", "link", "interface"]
    ].tolist():
        assert 0 <= offset <= offset + captured <= len(batch.data)
        found.append((frame, time, length, link, interface, batch.data[offset : offset + captured].tobytes()))
    return found


def read(
    data: bytes, sizes: Sequence[int] = (1 << 30,), batch: int = 1 << 16, live: bool = False
) -> tuple[list[Row], CaptureInfo]:
    """All packets that the readers find in ``data``, and what they note."""
    info = CaptureInfo()
    source = PacketSource(Trickle(data, sizes, live), info, batch)
    return [row for packets in source.batches() for row in rows_of(packets)], info


def notes(info: CaptureInfo) -> str:
    return "\n".join(notice.text for notice in info.notices)
