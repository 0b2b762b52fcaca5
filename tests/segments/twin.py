"""The slow, obvious twin of the compiled decoder: one packet, read by slicing, one exception for each way to fail.

It knows the common headers only. At any other it raises Unknown, and nothing is compared.
"""

import struct
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from analyzer.segments.table import (
    BAD_OFFSET,
    CUT_HEADER,
    HAS_FIRST_BYTE,
    HAS_IP_ID,
    HAS_TIMESTAMP,
    IPV6,
    LENGTH_BEYOND,
    NO_FRAGMENT,
    NO_IP_LENGTH,
    QUOTED,
    SYN,
    TUNNELLED,
)
from tests.segments.build import Frame


class NotTcp(Exception):
    """No segment, for a reason that may depend on the order of looking."""


class Unknown(Exception):
    """A header that only the decoder knows."""


@dataclass(frozen=True)
class Layer:
    """Bytes from some header on: those captured, and how many there are on the wire."""

    data: bytes
    length: int

    def take(self, count: int) -> bytes:
        if count > self.length or count > len(self.data):
            raise NotTcp
        return self.data[:count]

    def after(self, count: int) -> "Layer":
        return Layer(self.data[count:], self.length - count)

    def upto(self, length: int) -> "Layer":
        return Layer(self.data, min(self.length, length))


@dataclass(frozen=True)
class Known:
    """What the headers passed so far tell of the packet."""

    inside_ip: bool = False
    quoted: bool = False
    tunnelled: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    marks: int = 0

    def enter(self, fields: dict[str, Any], marks: int) -> "Known":
        return replace(self, inside_ip=True, tunnelled=self.tunnelled or self.inside_ip, fields=fields, marks=marks)


def decode(frame: Frame) -> dict[str, Any] | None:
    """The columns of the frame's segment with addresses as texts, or None; raises Unknown."""
    layer = Layer(frame.data, max(len(frame.data), len(frame.data) if frame.length is None else frame.length))
    try:
        return link(frame.link, layer, Known())
    except NotTcp:
        return None


def link(number: int, layer: Layer, known: Known) -> dict[str, Any]:
    if number == 1:
        return ethernet(layer, known)
    if number == 113:
        if layer.take(16)[2:4] == b"\x03\x38" or layer.data[14] < 6:
            raise Unknown
        return ethertype(struct.unpack_from(">H", layer.data, 14)[0], layer.after(16), known)
    if number == 101:
        version = layer.take(1)[0] >> 4
        if version not in (4, 6):
            raise NotTcp
        return ipv4(layer, known) if version == 4 else ipv6(layer, known)
    raise Unknown


def ethernet(layer: Layer, known: Known) -> dict[str, Any]:
    (value,) = struct.unpack_from(">H", layer.take(14), 12)
    if value < 0x600:
        raise Unknown
    return ethertype(value, layer.after(14), known)


def ethertype(value: int, layer: Layer, known: Known) -> dict[str, Any]:
    if value == 0x0800:
        return ipv4(layer, known)
    if value == 0x86DD:
        return ipv6(layer, known)
    if value in (0x8100, 0x88A8):
        (inner,) = struct.unpack_from(">H", layer.take(4), 2)
        if inner < 0x600:
            raise Unknown
        return ethertype(inner, layer.after(4), known)
    raise Unknown


def bounded(layer: Layer, length: int, known: Known) -> tuple[Layer, int]:
    """The IP packet by its own length, and the mark if what surrounds it is shorter."""
    if length > layer.length and known.quoted:
        return Layer(layer.data, length), 0
    return layer.upto(length), LENGTH_BEYOND if length > layer.length else 0


def ipv4(layer: Layer, known: Known) -> dict[str, Any]:
    first, _, total, ip_id, fragment, ttl, number = struct.unpack_from(">BBHHHBB", layer.take(20))
    header = (first & 15) * 4
    if first >> 4 != 4 or header < 20 or 0 < total < header:
        raise NotTcp
    ends = {"src": str(ip_address(layer.data[12:16])), "dst": str(ip_address(layer.data[16:20]))}
    packet, mark = bounded(layer, total, known) if total else (layer, NO_IP_LENGTH)
    mark |= HAS_IP_ID | (NO_FRAGMENT if fragment & 0x4000 else 0)
    packet.take(header)
    if fragment & 0x3FFF:
        raise Unknown
    known = known.enter({"ip_id": ip_id, "ttl": ttl, **ends}, mark)
    return protocol(number, packet.after(header), known, 4)


def ipv6(layer: Layer, known: Known) -> dict[str, Any]:
    first, length, number, ttl = struct.unpack_from(">IHBB", layer.take(40))
    if first >> 28 != 6:
        raise NotTcp
    if length == 0 and number in (0, 59):
        raise Unknown
    ends = {"src": str(ip_address(layer.data[8:24])), "dst": str(ip_address(layer.data[24:40]))}
    packet, mark = bounded(layer, 40 + length, known) if length else (layer, NO_IP_LENGTH)
    known = known.enter({"ip_id": 0, "ttl": ttl, **ends}, mark | IPV6)
    return protocol(number, packet.after(40), known, 6)


def protocol(number: int, layer: Layer, known: Known, version: int) -> dict[str, Any]:
    if number == 6:
        return tcp(layer, known)
    if number in (0, 43, 60):
        following, units = layer.take(8)[:2]
        layer.take(units * 8 + 8)
        return protocol(following, layer.after(units * 8 + 8), known, version)
    if number == 4:
        return ipv4(layer, known)
    if number == 41:
        return ipv6(layer, known)
    if number == 17:
        return udp(layer, known)
    if (number, version) in ((1, 4), (58, 6)):
        return icmp(layer, known, (3, 4, 5, 11, 12) if version == 4 else (1, 2, 3, 4), version)
    raise Unknown


def udp(layer: Layer, known: Known) -> dict[str, Any]:
    receiver, length = struct.unpack_from(">2xHH", layer.take(8))
    if receiver != 4789 or length < 8:
        raise Unknown
    inner = layer.upto(length).after(8)
    inner.take(8)
    return ethernet(inner.after(8), known)


def icmp(layer: Layer, known: Known, errors: tuple[int, ...], version: int) -> dict[str, Any]:
    if layer.take(8)[0] not in errors:
        raise NotTcp
    known = replace(known, quoted=True, inside_ip=False)
    return ipv4(layer.after(8), known) if version == 4 else ipv6(layer.after(8), known)


def tcp(layer: Layer, known: Known) -> dict[str, Any]:
    layer.take(16)
    src_port, dst_port, seq, ack, bits, window = struct.unpack_from(">HHIIHH", layer.data)
    row = {**known.fields, "src_port": src_port, "dst_port": dst_port, "seq": seq, "ack": ack, "window": window}
    row |= {"flags": bits & 0xFFF, "payload_len": 0, "first_byte": 0, "window_scale": -1, "ts_val": 0, "ts_ecr": 0}
    marks = known.marks | QUOTED * known.quoted | TUNNELLED * known.tunnelled
    header = (bits >> 12) * 4
    if header < 20:
        return {**row, "marks": marks | BAD_OFFSET}
    if header > layer.length:
        return {**row, "marks": marks | BAD_OFFSET | CUT_HEADER}
    row["payload_len"] = layer.length - header
    present = layer.data[: layer.length]
    if len(layer.data) < header:
        marks |= CUT_HEADER
    elif len(present) > header:
        row["first_byte"], marks = present[header], marks | HAS_FIRST_BYTE
    for kind, value in options(layer.data[20:header]):
        if kind == 8 and len(value) == 8:
            row["ts_val"], row["ts_ecr"] = struct.unpack(">II", value)
            marks |= HAS_TIMESTAMP
        if kind == 3 and len(value) == 1 and bits & SYN:
            row["window_scale"] = min(value[0], 14)
    return {**row, "marks": marks}


def options(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data and data[0] != 0:
        if data[0] == 1:
            data = data[1:]
            continue
        length = data[1] if len(data) > 1 else 0
        if length < 2 or length > len(data):
            break
        found.append((data[0], data[2:length]))
        data = data[length:]
    return found
