"""Packets made by hand, layer by layer, with every field open to lies; and batches of them as the readers give."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.packets import PACKET, Packets
from analyzer.segments import Decoder

MAC = b"\x02\0\0\0\0\1" + b"\x02\0\0\0\0\2"
A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
TIMESTAMP = b"\x01\x01\x08\x0a" + struct.pack(">II", 1000, 2000)


@dataclass(frozen=True)
class Frame:
    """One packet of a capture: what was captured of it, its length on the wire (by default the same), its link type."""

    data: bytes
    length: int | None = None
    link: int = 1


def batch(frames: Sequence[Frame], first: int = 1) -> Packets:
    """Frames as the readers hand them on, a millisecond apart, numbered from ``first``."""
    rows: NDArray[np.void] = np.zeros(len(frames), PACKET)
    offset = 0
    for row, number, frame in zip(rows, range(first, first + len(frames)), frames, strict=True):
        row["time"], row["frame"], row["link"] = number * 10**6, number, frame.link
        row["offset"], row["captured"] = offset, len(frame.data)
        row["length"] = len(frame.data) if frame.length is None else frame.length
        offset += len(frame.data)
    return Packets(np.frombuffer(b"".join(frame.data for frame in frames), np.uint8), rows)


def decode(*frames: Frame | bytes) -> NDArray[np.void]:
    """The segments of a capture of these frames (bytes are Ethernet)."""
    return Decoder().decode(batch([frame if isinstance(frame, Frame) else Frame(frame) for frame in frames]))


def tcp(
    payload: bytes = b"",
    *,
    ports: tuple[int, int] = (40000, 80),
    seq: int = 1000,
    ack: int = 2000,
    flags: int = 0x10,
    window: int = 512,
    options: bytes = b"",
    offset: int | None = None,
) -> bytes:
    """A TCP segment; ``offset`` may contradict the options, which are to be a multiple of four bytes long."""
    words = 5 + len(options) // 4 if offset is None else offset
    return struct.pack(">HHIIHHHH", *ports, seq, ack, words << 12 | flags, window, 0, 0) + options + payload


def udp(payload: bytes, *, ports: tuple[int, int] = (50000, 53)) -> bytes:
    return struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload


def ipv4(
    payload: bytes,
    *,
    ends: tuple[str, str] = (A, B),
    protocol: int = 6,
    options: bytes = b"",
    total: int | None = None,
    fragment: int = 0x4000,
    ip_id: int = 7,
    ttl: int = 64,
) -> bytes:
    """An IPv4 packet; ``fragment`` is the field of flags and offset, ``total`` may contradict the real length."""
    length = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, length & 0xFFFF, ip_id, fragment, ttl, protocol, 0)
    return head + b"".join(ip_address(end).packed for end in ends) + options + payload


def ipv6(
    payload: bytes,
    *,
    ends: tuple[str, str] = (A6, B6),
    following: int = 6,
    length: int | None = None,
) -> bytes:
    length = len(payload) if length is None else length
    head = struct.pack(">IHBB", 6 << 28, length & 0xFFFF, following, 64)
    return head + b"".join(ip_address(end).packed for end in ends) + payload


def extension(following: int, payload: bytes, body: bytes = bytes(6)) -> bytes:
    """An IPv6 extension header of the ordinary form before ``payload``."""
    return bytes([following, (len(body) + 2) // 8 - 1]) + body + payload


def ethernet(payload: bytes, ethertype: int = 0x0800, *tags: tuple[int, int]) -> bytes:
    """An Ethernet frame, after any number of tags (EtherType, tag)."""
    stack = b"".join(struct.pack(">HH", kind, tag) for kind, tag in tags)
    return MAC + stack + struct.pack(">H", ethertype) + payload


def snap(payload: bytes, ethertype: int = 0x0800) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", ethertype) + payload
