"""A capture cut into files, packet by packet, and read again one by one: nothing here uses the program's readers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct, pack

from tests.lab import pcapfile
from tests.lab.pcapfile import Packet

RECORD = Struct("<IIII")


@dataclass
class Cut:
    """The files that a capture was cut into, and of each its packets in their order."""

    files: list[str]
    packets: list[list[Packet]]


def read(path: Path) -> tuple[int, list[Packet]]:
    """The link type and the packets of a capture of this project: pcap or pcapng in nanoseconds, one interface."""
    data = path.read_bytes()
    if path.suffix == ".pcap":
        return pcapfile.read(path)
    link, packets, at = 1, [], 0
    while at < len(data):
        kind, size = int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == 1:
            link = int.from_bytes(data[at + 8 : at + 10], "little")
            assert b"\x09\x00\x01\x00\x09" in data[at : at + size]
        if kind == 6:
            high, low, captured, length = RECORD.unpack_from(data, at + 12)
            packets.append(Packet(high << 32 | low, data[at + 28 : at + 28 + captured], length))
        at += size
    return link, packets


def write(path: Path, link: int, packets: Sequence[Packet]) -> None:
    """A pcap file in nanoseconds."""
    records = [pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, link)]
    for packet in packets:
        head = *divmod(packet.time, 10**9), len(packet.data), packet.length
        records.append(pack("<IIII", *head) + packet.data)
    path.write_bytes(b"".join(records))


def cut(path: Path, folder: Path, which: Callable[[int, Packet], int], names: Sequence[str]) -> Cut:
    """Each packet of a capture into the file ``names[which(place, packet)]``; files without a packet are not made."""
    link, packets = read(path)
    parts: list[list[Packet]] = [[] for _ in names]
    for place, packet in enumerate(packets):
        parts[which(place, packet)].append(packet)
    for name, part in zip(names, parts, strict=True):
        if part:
            write(folder / name, link, part)
    made = [(str(folder / name), part) for name, part in zip(names, parts, strict=False) if part]
    assert len(made) > 1
    return Cut([name for name, _ in made], [part for _, part in made])
