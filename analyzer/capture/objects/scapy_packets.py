"""Packets of scapy: their bytes as they were read, their time, their length on the wire, their link type.

The bytes of a packet that scapy has read and nobody has changed are those it was made from (``packet.original``);
of one that was made or changed by hand, those that scapy builds (``bytes(packet)``). Its link type is the one that
scapy's own table (``conf.l2types``) has for the packet's class.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from analyzer.capture.interfaces import harmless
from analyzer.capture.objects.frames import Frame, is_a, nanoseconds
from analyzer.errors import UsageError

ETHERNET, RAW_IP, UNKNOWN = 1, 101, 147  # LINKTYPE_; the last is a private one, of which nothing is known
PADDING = "Padding"  # scapy's name for what stands behind the IP packet
RAW_IPS = (12, 14, 101, 228, 229)  # numbers for IPv4 and IPv6 without a link layer: one link, so one interface


def is_packet(thing: object) -> bool:
    """Whether it is a packet of scapy's."""
    return is_a(thing, "scapy.packet", "Packet")


def is_list(thing: object) -> bool:
    """Whether it is one of scapy's own lists of packets."""
    return is_a(thing, "scapy.plist", "PacketList")


def frames(packets: Iterable[Any]) -> Iterator[Frame]:
    """What is to be read of ``packets``. Raises UsageError at one that is none, or that begins in the middle."""
    links: dict[type, int] = {}
    for number, packet in enumerate(packets, 1):
        kind = type(packet)
        if kind not in links:
            links[kind] = link_type(packet, number)
        data = captured(packet, number)
        time = nanoseconds(packet.time, f"packet {number:,}")
        yield Frame(time, packet.wirelen or 0, data, links[kind], interface_name(packet))


def link_type(packet: Any, number: int) -> int:
    """The link type of packets of this class. What scapy had no class for is counted as not understood, as it is when
    the file is read."""
    from scapy.config import conf

    if not is_packet(packet):
        raise UsageError(f"item {number:,} is {named(packet)}, but the first is a scapy packet: pass packets only")
    table = conf.l2types.layer2num
    found = next((table[kind] for kind in type(packet).__mro__ if kind in table), None)
    if found is None and isinstance(packet, conf.raw_layer):
        return UNKNOWN
    if found is None:
        raise UsageError(
            f"packet {number:,} begins with {named(packet)}, for which scapy has no link type: "
            f"pass packets that begin with Ethernet or IP"
        )
    return RAW_IP if found in RAW_IPS else int(found)


def interface_name(packet: Any) -> str:
    """The interface that a packet was captured on, where scapy knows it: from a pcapng by name, live as an object."""
    interface = getattr(packet, "sniffed_on", None)
    return str(getattr(interface, "name", interface) or "")


def captured(packet: Any, number: int) -> bytes:
    """The bytes of a packet as they were captured, or as they are now if they were changed."""
    if packet.original and untouched(packet):
        return bytes(packet.original)
    try:
        return bytes(packet)
    except Exception as error:  # whatever scapy raises: a field holds something that cannot be written
        said = f"{type(error).__name__}: {harmless(str(error)[:200])}"
        raise UsageError(f"scapy cannot write packet {number:,}: {said}") from None


def untouched(packet: Any) -> bool:
    """Whether all of its layers are as they were read, and still around one another."""
    while packet:
        inside, own = packet.payload, as_read(packet)
        behind = len(inside.original) if type(inside).__name__ == PADDING else 0
        if own is None:
            return False
        if (not inside or behind) and len(packet.original) - len(own) not in (0, behind):
            return False  # what was inside has been taken out
        if inside and not behind and inside.original not in packet.original:
            return False
        packet = inside
    return True


def as_read(layer: Any) -> bytes | None:
    """The bytes that a layer alone was read from; None where scapy has forgotten them, as it does when a field is set.
    Whether something inside of a list was changed, as the options are, it only sees when it builds the layer."""
    if layer.raw_packet_cache is not None and layer.raw_packet_cache_fields:
        with suppress(Exception):  # only what was changed is built anew; that it cannot be is told later
            layer.self_build()
    found: bytes | None = layer.raw_packet_cache
    return found


def named(thing: object) -> str:
    """The kind of a thing, for messages."""
    return harmless(type(thing).__name__)
