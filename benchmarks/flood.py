"""A SYN flood inside the laboratory: frames with spoofed sources, put onto the wire between the router and host B."""

from __future__ import annotations

import socket

import numpy as np
from numpy.typing import NDArray

from tests.lab import Lab

ANSWERED, DROPPED = 8080, 8082  # ports of host B
SOURCES = 0x0A80_0000  # 10.128.0.0, a /16 of spoofed sources
HEAD = bytes.fromhex("020000000202 020000000201 0800 4500002c 0000 4000 4006")
DROP = f"""
add table ip flood
add chain ip flood in {{ type filter hook input priority 0; }}
add rule ip flood in tcp dport {DROPPED} drop
"""


def syns(count: int, server: str) -> NDArray[np.uint8]:
    """Frames, shape (count, 58): every one a SYN (MSS option) of a tuple of its own, checksums right."""
    random = np.random.default_rng(793)
    frames = np.zeros((count, 58), np.uint8)
    frames[:, : len(HEAD)] = np.frombuffer(HEAD, np.uint8)
    turn, source = np.divmod(np.arange(count), 1 << 16)
    source = SOURCES + (source * 40503 & 0xFFFF)  # each once a turn, in no order a person would see
    port = 1024 + turn % 64 * 1000 + random.integers(0, 1000, count)  # each turn has ports of its own
    frames[:, 26:30] = source.astype(">u4")[:, None].view(np.uint8)
    frames[:, 30:34] = np.frombuffer(socket.inet_aton(server), np.uint8)
    words = frames.view(">u2")  # the frame begins on an even byte, and so do all fields
    words[:, 17], words[:, 18] = port, np.where(np.arange(count) % 2, ANSWERED, DROPPED)
    words[:, 19:21] = random.integers(0, 1 << 16, (count, 2))
    words[:, 23], words[:, 24], words[:, 27], words[:, 28] = 0x6002, 64240, 0x0204, 1460
    words[:, 12] = checksum(words[:, 7:17])
    pseudo = words[:, 13:17].sum(1, dtype=np.int64) + socket.IPPROTO_TCP + 24
    words[:, 25] = checksum(np.column_stack([words[:, 17:29], pseudo]))
    return frames


def checksum(words: NDArray[np.integer]) -> NDArray[np.int64]:
    """The Internet checksum of each row."""
    total = words.sum(1, dtype=np.int64)
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def flood(lab: Lab, count: int) -> None:
    """Send ``count`` SYNs to host B; the answers vanish in the router, as they would on their way to nobody."""
    lab.b.run("nft", "-f", "-", stdin=DROP)
    lab.b.sysctl(tcp_syncookies=2)  # answer every SYN, keep no state
    lab.m.run("ip", "route", "add", "blackhole", "10.128.0.0/9")
    data = syns(count, lab.b.address).tobytes()
    with lab.b.listen(ANSWERED), lab.m.new_socket(socket.AF_PACKET, socket.SOCK_RAW) as device:
        device.bind(("to-b", 0))
        for at in range(0, len(data), 58):
            device.send(data[at : at + 58])
