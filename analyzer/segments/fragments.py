"""IP fragments back to datagrams, in bounded memory.

Fragments are rare, so this is ordinary Python; the kernel hands over only those that may hold TCP. The rules are
those of current kernels: a datagram must be covered exactly; a repeated fragment is harmless, but an overlap with
*different* bytes kills the datagram, as does a length beyond 65535 bytes (teardrop, ping of death). What is
not complete within a minute of capture time is given up, and the oldest goes when memory is short.
"""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from analyzer.units import SECOND


class Fragment(NamedTuple):
    """One fragment: the IP header before it (the fixed part), where its payload belongs, and the payload."""

    header: bytes
    ip_id: int
    protocol: int
    offset: int
    more: bool
    payload: bytes
    time: int

    @property
    def key(self) -> tuple[int, bytes, int]:
        """What fragments of one datagram share (RFC 791, RFC 8200). IPv6 does not count the protocol."""
        if self.header[0] >> 4 == 6:
            return 6, self.header[8:40], self.ip_id
        return 4 + 256 * self.protocol, self.header[12:20], self.ip_id


@dataclass
class Datagram:
    """A datagram in the making."""

    born: int
    fragments: int = 0
    header: bytes = b""
    protocol: int = 0
    size: int | None = None
    received: int = 0
    refused: bool = False
    data: bytearray = field(default_factory=bytearray)
    known: bytearray = field(default_factory=bytearray)

    def add(self, fragment: Fragment) -> bool:
        """Enter a fragment; whether it fits what is known already."""
        begin, end = fragment.offset, fragment.offset + len(fragment.payload)
        self.fragments += 1
        if self.refused or end > 65535 or not self._size_fits(fragment, end):
            return False
        self._extend(end)
        if not self._agrees(begin, end, fragment.payload):
            return False
        self.received += (end - begin) - self.known.count(1, begin, end)
        self.data[begin:end] = fragment.payload
        self.known[begin:end] = b"\1" * (end - begin)
        if begin == 0:
            self.header, self.protocol = fragment.header, fragment.protocol
        return True

    def _size_fits(self, fragment: Fragment, end: int) -> bool:
        """The last fragment tells the size; all before it are whole multiples of eight bytes within it."""
        if fragment.more:
            return len(fragment.payload) % 8 == 0 and (self.size is None or end <= self.size)
        if self.size not in (None, end) or len(self.data) > end:
            return False
        self.size = end
        return True

    def _extend(self, end: int) -> None:
        missing = end - len(self.data)
        if missing > 0:
            self.data.extend(bytes(missing))
            self.known.extend(bytes(missing))

    def _agrees(self, begin: int, end: int, payload: bytes) -> bool:
        """Whether the bytes that came before are the same where they overlap."""
        known = self.known[begin:end]
        if not any(known):
            return True
        return all(
            not seen or mine == other for seen, mine, other in zip(known, payload, self.data[begin:end], strict=True)
        )

    @property
    def bytes_held(self) -> int:
        return len(self.data) + len(self.known)

    def complete(self) -> bool:
        return self.size is not None and self.received == self.size

    def packet(self) -> bytes | None:
        """The whole as an unfragmented IP packet with a minimal header; None if it is too long to be one."""
        if self.header[0] >> 4 == 6:
            middle = struct.pack(">HB", len(self.data), self.protocol)
            return self.header[:4] + middle + self.header[7:40] + bytes(self.data)
        if 20 + len(self.data) > 65535:
            return None
        length = struct.pack(">H", 20 + len(self.data))
        flags = bytes([self.header[6] & 0x40, 0])
        return b"\x45" + self.header[1:2] + length + self.header[4:6] + flags + self.header[8:20] + bytes(self.data)


@dataclass
class Outcome:
    """What a fragment led to: ``packet`` if it completed a datagram; how many fragments that one had."""

    packet: bytes | None = None
    fragments: int = 0
    refused: bool = False


class Reassembler:
    """Datagrams in the making, at most ``datagrams`` of them and ``memory`` bytes, each for ``patience`` ns."""

    def __init__(self, datagrams: int = 4096, memory: int = 64 << 20, patience: int = 60 * SECOND) -> None:
        self._limit, self._memory, self._patience = datagrams, memory, patience
        self._waiting: dict[tuple[int, bytes, int], Datagram] = {}
        self._bytes = 0

    @property
    def waiting(self) -> int:
        """Datagrams in the making, refused ones included."""
        return len(self._waiting)

    @property
    def bytes_held(self) -> int:
        """Bytes held: payload with its gaps, and as many that tell which of them are known."""
        return self._bytes

    def add(self, fragment: Fragment) -> Outcome:
        """Enter one fragment, in the order of the capture."""
        self._expire(fragment.time)
        datagram = self._waiting.setdefault(fragment.key, Datagram(fragment.time))
        before = datagram.bytes_held
        accepted = datagram.add(fragment)
        self._bytes += datagram.bytes_held - before
        if not accepted:
            return self._refuse(fragment, datagram)
        if not datagram.complete():
            self._make_room()
            return Outcome()
        self._forget(fragment.key)
        packet = datagram.packet()
        return Outcome(packet, datagram.fragments, refused=packet is None)

    def _refuse(self, fragment: Fragment, datagram: Datagram) -> Outcome:
        """Kill a datagram; what still comes for it is refused too, until it expires."""
        count = 1 if datagram.refused else datagram.fragments
        self._bytes -= datagram.bytes_held
        datagram.refused, datagram.data, datagram.known = True, bytearray(), bytearray()
        return Outcome(fragments=count, refused=True)

    def _expire(self, now: int) -> None:
        while self._waiting:
            key, oldest = next(iter(self._waiting.items()))
            if now - oldest.born <= self._patience:
                return
            self._forget(key)

    def _make_room(self) -> None:
        while len(self._waiting) > self._limit or self._bytes > self._memory:
            self._forget(next(iter(self._waiting)))

    def _forget(self, key: tuple[int, bytes, int]) -> None:
        self._bytes -= self._waiting.pop(key).bytes_held
