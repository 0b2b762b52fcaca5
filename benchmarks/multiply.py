"""A capture, multiplied: copies of a slice one after another in time, each with other clients.

In copy k every address that never was sent a SYN, a client's, is moved by k networks of 65,536 addresses (10.1.1.9
becomes 10.2.1.9, then 10.3.1.9 ...), so that all connections are new; times are moved by k times the slice's length.
The checksums of IP and TCP stay right (RFC 1624). Everything else is as it was recorded.

Only what the laboratory records: pcap with nanoseconds in this machine's byte order, Ethernet, IPv4 without options,
TCP.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.records import HEADER, record_starts

MAGIC_NANO, ETHERNET = 0xA1B23C4D, 1
SECOND = 10**9
GAP = SECOND // 10  # between the copies, in nanoseconds
# places in a record: its own header has 16 bytes, then Ethernet 14, IPv4 20
TYPE, VERSION, IP_SUM, SOURCE, TARGET = 28, 30, 40, 42, 46
PORTS, SEQUENCE, FLAGS, TCP_SUM = 50, 54, 63, 66
SYN, ACK = 0x02, 0x10

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


class Slice:
    """The recorded packets and what is to be changed in each of them."""

    def __init__(self, data: bytes) -> None:
        magic, link = struct.unpack_from("=I16xI", data)
        if (magic, link) != (MAGIC_NANO, ETHERNET):
            raise ValueError("not a pcap file of Ethernet with nanoseconds in this machine's byte order")
        self.header = data[:HEADER]
        self.data = np.frombuffer(data, np.uint8)[HEADER:]
        self.starts = np.array(record_starts(data)[:-1], np.int64) - HEADER
        if not ((self._field(TYPE, ">u2") == 0x0800) & (self.data[self.starts + VERSION] == 0x45)).all():
            raise ValueError("a packet is not IPv4 without options")
        self.times = self._field(0, "=u4") * SECOND + self._field(4, "=u4")
        self.span = int(self.times.max() - self.times.min()) + GAP
        self.moving = self._moving()

    def _field(self, at: int, kind: str) -> Numbers:
        """One field of each packet."""
        return _get(self.data, self.starts + at, kind)

    def _syns(self) -> NDArray[np.bool_]:
        """Which packets are a client's SYN."""
        return self.data[self.starts + FLAGS] & (SYN | ACK) == SYN

    def connections(self) -> tuple[int, int]:
        """How many connections were begun, and how many different addresses and ports they have."""
        kinds = ((SOURCE, ">u4"), (TARGET, ">u4"), (PORTS, ">u4"), (SEQUENCE, ">u4"))
        asked = np.column_stack([self._field(at, kind)[self._syns()] for at, kind in kinds])
        return len(np.unique(asked, axis=0)), len(np.unique(asked[:, :3], axis=0))

    def _moving(self) -> list[Numbers]:
        """Places of the addresses that are moved: those of packets from clients, those of packets to clients."""
        servers = np.unique(self._field(TARGET, ">u4")[self._syns()])
        return [self.starts[~np.isin(self._field(at, ">u4"), servers)] + at for at in (SOURCE, TARGET)]

    def copy(self, turn: int) -> Bytes:
        """The records of copy number ``turn``; 0 is the slice itself."""
        data = self.data.copy()
        seconds, nanoseconds = np.divmod(self.times + turn * self.span, SECOND)
        _put(data, self.starts, "=u4", seconds)
        _put(data, self.starts + 4, "=u4", nanoseconds)
        for places, at in zip(self.moving, (SOURCE, TARGET), strict=True):
            network = _get(data, places, ">u2")
            moved = network + turn
            if moved.size and moved.max() > 0xFFFF:
                raise ValueError("too many copies for the addresses there are")
            _put(data, places, ">u2", moved)
            for total in (IP_SUM, TCP_SUM):
                _put(data, places - at + total, ">u2", _updated(_get(data, places - at + total, ">u2"), network, moved))
        return data

    def copies(self, packets: int) -> Iterator[Bytes]:
        """Copy after copy until there are so many packets; the last one may be a part."""
        whole, rest = divmod(packets, len(self.starts))
        for turn in range(whole):
            yield self.copy(turn)
        if rest:
            yield self.copy(whole)[: self.starts[rest]]


def _get(data: Bytes, places: Numbers, kind: str) -> Numbers:
    """Numbers of any alignment out of ``data``."""
    size = np.dtype(kind).itemsize
    return data[places[:, None] + np.arange(size)].view(kind)[:, 0].astype(np.int64)


def _put(data: Bytes, places: Numbers, kind: str, values: Numbers) -> None:
    size = np.dtype(kind).itemsize
    data[places[:, None] + np.arange(size)] = values.astype(kind)[:, None].view(np.uint8)


def _updated(total: Numbers, old: Numbers, new: Numbers) -> Numbers:
    """The Internet checksum after one of its words has changed (RFC 1624, equation 3)."""
    changed = (~total & 0xFFFF) + (~old & 0xFFFF) + new
    for _ in range(2):
        changed = (changed & 0xFFFF) + (changed >> 16)
    return ~changed & 0xFFFF


def multiply(recorded: Slice, target: Path, packets: int) -> None:
    """Write ``packets`` packets to ``target``, copies of what was recorded; one copy at a time in memory."""
    with target.open("wb") as file:
        file.write(recorded.header)
        for piece in recorded.copies(packets):
            file.write(piece)
