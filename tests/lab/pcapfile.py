"""Recorded packets as rows a person can edit: read a pcap file, change it, write it again.

Only what the laboratory itself records: classic pcap with nanoseconds, this machine's byte order. The
program's own readers are not used here, so that a capture never depends on what it is to test.
"""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

from .hosts import LabError, run

MAGIC_NANO = 0xA1B23C4D
HEADER = struct.Struct("=IHHiIII")
RECORD = struct.Struct("=IIII")
LINK_ETHERNET, LINK_RAW, LINK_COOKED_2 = 1, 101, 276
LINK_HEADER = {LINK_ETHERNET: 14, LINK_RAW: 0, LINK_COOKED_2: 20}
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclasses.dataclass(frozen=True)
class Packet:
    """One captured packet: ``time`` in nanoseconds, ``data`` what was kept of it, ``length`` what it had on
    the wire.
    """

    time: int
    data: bytes
    length: int


@dataclasses.dataclass(frozen=True)
class Segment:
    """The TCP header of a packet, raw numbers."""

    source: str
    source_port: int
    port: int
    seq: int
    ack: int
    flags: int
    payload: int


def read(path: Path) -> tuple[int, list[Packet]]:
    """The link type and the packets of a file."""
    data = path.read_bytes()
    magic, *_, link = HEADER.unpack_from(data)
    if magic != MAGIC_NANO:
        raise LabError(f"{path}: not a pcap file with nanoseconds of this machine")
    packets, place = [], HEADER.size
    while place + RECORD.size <= len(data):
        seconds, nanoseconds, captured, length = RECORD.unpack_from(data, place)
        place += RECORD.size
        packets.append(Packet(seconds * 10**9 + nanoseconds, data[place : place + captured], length))
        place += captured
    return link, packets


def write(path: Path, link: int, packets: list[Packet], snaplen: int = 262144) -> None:
    """A pcap file with nanoseconds that holds the packets in the order given."""
    pieces = [HEADER.pack(MAGIC_NANO, 2, 4, 0, 0, snaplen, link)]
    for packet in packets:
        seconds, nanoseconds = divmod(packet.time, 10**9)
        pieces += (RECORD.pack(seconds, nanoseconds, len(packet.data), packet.length), packet.data)
    path.write_bytes(b"".join(pieces))


def to_pcapng(source: Path, target: Path) -> None:
    """The same packets in a pcapng file, nanoseconds kept."""
    run("editcap", "-F", "pcapng", str(source), str(target))


def segment(link: int, packet: Packet) -> Segment:
    """The TCP header of a packet that was captured far enough; no extension headers."""
    ip = packet.data[LINK_HEADER[link] :]
    if ip[0] >> 4 == 4:
        header, total, source = (ip[0] & 15) * 4, int.from_bytes(ip[2:4], "big"), ".".join(map(str, ip[12:16]))
    else:
        header, total, source = 40, 40 + int.from_bytes(ip[4:6], "big"), ip[8:24].hex()
    source_port, port, seq, ack, offset, flags = struct.unpack_from(">HHIIBB", ip, header)
    return Segment(source, source_port, port, seq, ack, flags, total - header - (offset >> 4) * 4)
