"""How fast packets become segments: python benchmarks/decoding.py

Batches of one kind of packet, each from another of 2000 addresses, with 128 captured bytes; small batches stay in
the processor's cache, a million packets do not.
"""

import struct
import time
from ipaddress import ip_address

import numpy as np

from analyzer.capture.packets import PACKET, Packets
from analyzer.segments import Decoder

SNAP = 128
TIMESTAMP = b"\x01\x01\x08\x0a" + bytes(8)
SYN = b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07"
HEADS = {
    "Ethernet, IPv4": (1, bytes(12) + b"\x08\0", 4, TIMESTAMP),
    "... without options": (1, bytes(12) + b"\x08\0", 4, b""),
    "... SYN": (1, bytes(12) + b"\x08\0", 4, SYN),
    "... in a VLAN": (1, bytes(12) + b"\x81\0\0\1\x08\0", 4, TIMESTAMP),
    "Ethernet, IPv6": (1, bytes(12) + b"\x86\xdd", 6, TIMESTAMP),
    "cooked, IPv4": (113, bytes(14) + b"\x08\0", 4, TIMESTAMP),
    "raw IPv4": (101, b"", 4, TIMESTAMP),
}


def packet(number: int, version: int, options: bytes) -> bytes:
    """An IP packet with a TCP header, from the ``number``-th address."""
    words = 5 + len(options) // 4
    tcp = struct.pack(">HHIIHHHH", 1024 + number % 60000, 80, number, 7, words << 12 | 16, 512, 0, 0) + options
    length = len(tcp) + 1000
    if version == 6:
        head = struct.pack(">IHBB", 6 << 28, length, 6, 64)
        return head + ip_address((0xFD << 120) + number % 2000).packed + ip_address("fd01::1").packed + tcp
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, number & 0xFFFF, 0x4000, 64, 6, 0)
    return head + ip_address(0x0A000000 + number % 2000).packed + ip_address("10.1.0.1").packed + tcp


def batch(kind: str, count: int) -> Packets:
    link, head, version, options = HEADS[kind]
    block = b"".join((head + packet(number, version, options)).ljust(SNAP, b"x") for number in range(2000))
    rows = np.zeros(count, PACKET)
    rows["offset"], rows["frame"] = np.arange(count) * SNAP, np.arange(count) + 1
    rows["captured"], rows["length"], rows["link"] = SNAP, 1200, link
    return Packets(np.resize(np.frombuffer(block, np.uint8), count * SNAP), rows)


def speed(packets: Packets) -> float:
    """Million packets a second, the best of some rounds."""
    decoder = Decoder()
    best = float("inf")
    for _ in range(max(5, 4_000_000 // len(packets.rows))):
        start = time.perf_counter()
        decoder.decode(packets)
        best = min(best, time.perf_counter() - start)
    return len(packets.rows) / best / 1e6


def main() -> None:
    Decoder().decode(batch("raw IPv4", 10))  # compiles
    print(f"{'packets':20} {'4,000':>8} {'1,000,000':>10}  million packets/s")
    for kind in HEADS:
        print(f"{kind:20} {speed(batch(kind, 4_000)):8.1f} {speed(batch(kind, 1_000_000)):10.1f}")


if __name__ == "__main__":
    main()
