"""Packets no kernel would send: a segment with any numbers and any sender, sent from the router.

What a third party does to a connection: a firewall that resets both sides, an attacker's guess, a middlebox
that answers for a host. Numbers that fit come from what a tap has seen so far (`pcapfile.read`).
"""

from __future__ import annotations

import socket
import struct

from .hosts import Host


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _tcp(source: bytes, target: bytes, fields: bytes, payload: bytes) -> bytes:
    """A TCP segment with its checksum; ``fields`` is the 20-byte header with the checksum zero."""
    pseudo = source + target + struct.pack(">II", len(fields) + len(payload), socket.IPPROTO_TCP)
    checksum = _checksum(pseudo + fields + payload)
    return fields[:16] + struct.pack(">H", checksum) + fields[18:] + payload


def segment(
    source: tuple[str, int],
    target: tuple[str, int],
    *,
    seq: int,
    ack: int = 0,
    flags: int,
    window: int = 0,
    ttl: int = 64,
    ip_id: int = 0,
    payload: bytes = b"",
) -> bytes:
    """An IP packet (version 4 or 6 by the addresses) with one TCP segment. An ``ip_id`` of 0 is the kernel's
    choice.
    """
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    sender, receiver = (socket.inet_pton(family, address) for address in (source[0], target[0]))
    fields = struct.pack(">HHIIBBHHH", source[1], target[1], seq, ack, 5 << 4, flags, window, 0, 0)
    body = _tcp(sender, receiver, fields, payload)
    if family == socket.AF_INET6:
        return struct.pack(">IHBB", 6 << 28, len(body), socket.IPPROTO_TCP, ttl) + sender + receiver + body
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), ip_id, 0, ttl, socket.IPPROTO_TCP, 0)
    return header + sender + receiver + body


def send(router: Host, packet: bytes) -> None:
    """Send an IP packet from ``router``, whoever it says it is from; it goes where its receiver's address is
    routed.
    """
    ipv6 = packet[0] >> 4 == 6
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    target = packet[24:40] if ipv6 else packet[16:20]
    with router.new_socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(packet, (socket.inet_ntop(family, target), 0))
