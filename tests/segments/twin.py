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
    PADDED,
    PSH,
    QUOTED,
    SHORT_QUOTE,
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
    mtu: int = -1  # of the next link, where an error that says that the packet is too large quotes it
    tunnelled: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    marks: int = 0
    version: int = 0
    captured: int = 0  # bytes of the frame
    ethernet: bool = False
    ip: int = 0  # where the IP header begins in it
    said: int = 0  # by an ICMP error, of the packet it quotes
    teller: str = ""  # who said it

    def enter(self, layer: Layer, fields: dict[str, Any], marks: int, version: int) -> "Known":
        said = 0 if self.inside_ip else self.said
        tunnelled = self.tunnelled or self.inside_ip
        return replace(
            self,
            inside_ip=True,
            tunnelled=tunnelled,
            fields=fields,
            marks=marks,
            version=version,
            said=said,
            ip=self.captured - len(layer.data),
        )


def decode(frame: Frame) -> dict[str, Any] | None:
    """The columns of the frame's segment with addresses as texts, or None; raises Unknown. Of a quotation ``ts_ecr`` is
    an address, too, where its ICMP error says something."""
    layer = Layer(frame.data, max(len(frame.data), len(frame.data) if frame.length is None else frame.length))
    try:
        return link(frame.link, layer, Known(captured=len(frame.data), ethernet=frame.link == 1))
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
    known = known.enter(layer, {"ip_id": ip_id, "ttl": ttl, **ends}, mark, 4)
    return protocol(number, packet.after(header), known, 4)


def ipv6(layer: Layer, known: Known) -> dict[str, Any]:
    first, length, number, ttl = struct.unpack_from(">IHBB", layer.take(40))
    if first >> 28 != 6:
        raise NotTcp
    if length == 0 and number in (0, 59):
        raise Unknown
    ends = {"src": str(ip_address(layer.data[8:24])), "dst": str(ip_address(layer.data[24:40]))}
    packet, mark = bounded(layer, 40 + length, known) if length else (layer, NO_IP_LENGTH)
    known = known.enter(layer, {"ip_id": 0, "ttl": ttl, **ends}, mark | IPV6, 6)
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
    kind, code = layer.take(8)[:2]
    if kind not in errors:
        raise NotTcp
    said = 0 if known.quoted or known.version != version else kind * 256 + code
    mtu = int.from_bytes(layer.data[6:8] if version == 4 else layer.data[4:8], "big")
    named = (mtu if mtu < 1 << 16 else 0) if (version, kind) == (6, 2) or (version, kind, code) == (4, 3, 4) else -1
    known = replace(known, quoted=True, inside_ip=False, said=said, teller=known.fields["src"], mtu=named)
    quoted = Layer(layer.data[8 : layer.length], layer.length - 8)
    return ipv4(quoted, known) if version == 4 else ipv6(quoted, known)


def tcp(layer: Layer, known: Known) -> dict[str, Any]:
    marks = known.marks | QUOTED * known.quoted | TUNNELLED * known.tunnelled
    row: dict[str, Any] = dict.fromkeys(("ack", "flags", "window", "payload_len", "first_byte", "ts_val", "ts_ecr"), 0)
    row |= {**known.fields, "window_scale": -1}
    if known.quoted and 8 <= len(layer.data) < 16 <= layer.length:
        row["src_port"], row["dst_port"], row["seq"] = struct.unpack_from(">HHI", layer.data)
        return quotation({**row, "marks": marks | SHORT_QUOTE}, known)
    layer.take(16)
    names = ("src_port", "dst_port", "seq", "ack", "flags", "window")
    row |= dict(zip(names, struct.unpack_from(">HHIIHH", layer.data), strict=True))
    bits = row["flags"]
    row = options_and_payload({**row, "flags": bits & 0xFFF, "marks": marks}, layer, (bits >> 12) * 4)
    if known.quoted:
        return quotation(row, known)
    return {**row, "marks": row["marks"] | PADDED * padded(row, layer, (bits >> 12) * 4, known)}


def padded(row: dict[str, Any], layer: Layer, header: int, known: Known) -> bool:
    """Whether the payload may be padding of Ethernet that somebody counted."""
    end = known.captured - len(layer.data) + layer.length
    frame = end if known.ethernet and not known.tunnelled else 0
    payload, length = layer.data[header : layer.length], row["payload_len"]
    if row["marks"] & NO_IP_LENGTH and frame == 64:
        payload, length = payload[: length - 4], length - 4
    elif end - known.ip != 46 and frame != 60:
        return False
    odd = row["marks"] & (LENGTH_BEYOND | BAD_OFFSET) or row["flags"] & PSH
    return not odd and len(payload) == length in range(1, 7) and not any(payload)


def quotation(row: dict[str, Any], known: Known) -> dict[str, Any]:
    said = {"ts_val": known.said, "ts_ecr": known.teller if known.said else 0}
    if known.said and known.mtu >= 0:
        said["window"] = known.mtu
    return {**row, **said, "marks": row["marks"] & ~HAS_TIMESTAMP}


def options_and_payload(row: dict[str, Any], layer: Layer, header: int) -> dict[str, Any]:
    marks = row["marks"]
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
        if kind == 3 and len(value) == 1 and row["flags"] & SYN:
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
