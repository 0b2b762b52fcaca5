"""A batch of packets through all header steps, in one compiled pass.

Nearly every packet is plain TCP over IPv4 and Ethernet and is read at one go (``plain_ethernet``). For all others each
step reads one header and names the next one (``header_numbers``).
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.packets import PACKET
from analyzer.kernels import be64, const, helper, inlined, kernel
from analyzer.segments.header_numbers import DEEP, END, FRAGMENT, IPV4, IPV6, LINK, PROTOCOL, STOP, TCP
from analyzer.segments.kernels.addresses import ADDRESS, NAMED, USED, fill_addresses, intern_ipv4, prefetch_ipv4
from analyzer.segments.kernels.cursor import CURSOR, NOWHERE, Bytes, Record, be32
from analyzer.segments.kernels.ethertypes import ethertype
from analyzer.segments.kernels.ip import ipv4, ipv6, protocol
from analyzer.segments.kernels.link_dispatch import link
from analyzer.segments.kernels.plain_ethernet import SHORTEST, plain_segment
from analyzer.segments.kernels.tcp import segment
from analyzer.segments.kernels.tunnels import UDP
from analyzer.segments.kernels.udp_fragments import is_plain_udp
from analyzer.segments.table import SEGMENT
from analyzer.times import EPOCH

DEEPEST = 32
"""Headers that a walk passes at most: several tunnels with their tags need a dozen."""

AT_ONCE = 64
"""Packets whose addresses are asked for at a time ..."""
NEAR = 8192
"""... where there are more slots than stay near a processor anyway."""

LAST_INTERFACE = np.int64(255)
BEFORE_1970 = np.int64(EPOCH)

PROGRESS = np.dtype([("packet", "<i8"), ("written", "<i8"), ("fragments", "<i8"), ("latest", "<i8")])
"""Where a pass stands: the next packet, segments written, fragments set aside, the highest time of a packet (inner)."""

PENDING = np.dtype(
    [
        ("packet", "<i8"),  # row of the batch
        ("written", "<i8"),  # segments written before this packet
        ("ip", "<i8"),  # where its IP header begins in the bytes of the batch
        ("begin", "<i8"),  # where its payload begins and ends
        ("end", "<i8"),
        ("offset", "<i8"),  # where in the datagram the payload belongs
        ("more", "<i8"),
        ("ip_id", "<i8"),
        ("protocol", "<i8"),
        ("marks", "<i8"),
    ]
)
"""A fragment that the kernel set aside for the reassembler."""


@helper
def walk(data: Bytes, cursor: Record, number: int) -> int:
    """Pass headers, the first of which is ``number``, to TCP or to where they end otherwise."""
    for _ in range(DEEPEST):
        if number >= END or number == TCP:
            return number
        number = step(data, cursor, number)
    return DEEP


@helper
def step(data: Bytes, cursor: Record, number: int) -> int:
    """Pass one header."""
    if number >= PROTOCOL:
        return protocol(data, cursor, number - PROTOCOL)
    if number >= LINK:
        return link(data, cursor, number - LINK)
    if number == IPV4:
        return ipv4(data, cursor)
    return ipv6(data, cursor) if number == IPV6 else ethertype(data, cursor, number)


@helper
def begin(cursor: Record, packet: Record) -> None:
    """Put the cursor to the first byte of a packet."""
    cursor["at"] = packet["offset"]
    cursor["ethernet"] = cursor["at"] if packet["link"] == 1 else NOWHERE
    cursor["seen"] = packet["offset"] + np.int64(packet["captured"])
    cursor["end"] = packet["offset"] + max(np.int64(packet["captured"]), np.int64(packet["length"]))
    cursor["ip"], cursor["marks"], cursor["icmp_error"] = -1, 0, 0


@inlined
def stamp(row: Record, packet: Record) -> None:
    """What a segment has of its packet as it is; the time by the inner clock."""
    row["time"], row["frame"] = packet["time"] + BEFORE_1970, packet["frame"]
    row["interface"] = min(packet["interface"], LAST_INTERFACE)


@helper
def set_aside(cursor: Record, packet: int, written: int, fragment: Record) -> None:
    """Note the fragment at the cursor for the reassembler."""
    fragment["packet"], fragment["written"] = packet, written
    fragment["ip"], fragment["begin"], fragment["end"] = cursor["ip"], cursor["at"], cursor["end"]
    fragment["offset"], fragment["more"] = cursor["fragment"] & ~7, cursor["fragment"] & 1
    fragment["ip_id"], fragment["protocol"] = cursor["ip_id"], cursor["protocol"]
    fragment["marks"] = cursor["marks"]


@helper
def prefetch_addresses(
    data: Bytes, packets: NDArray[np.void], index: int, stop: int, state: NDArray[np.int64], slots_at: int
) -> None:
    """Ask the processor for the addresses of the packets to come, as if they were plain ones."""
    while index < stop:
        packet = packets[np.uint64(index)]
        if packet["captured"] >= SHORTEST:
            prefetch_ipv4(be32(data, packet["offset"] + 26), state, slots_at)
            prefetch_ipv4(be32(data, packet["offset"] + 30), state, slots_at)
        index += 1


@kernel(
    const(np.uint8),
    const(PACKET),
    SEGMENT,
    np.int64,
    PENDING,
    CURSOR,
    PROGRESS,
    np.int64,
    ADDRESS,
    ADDRESS,
    np.int64,
    int,
)
def decode(
    data: Bytes,
    packets: NDArray[np.void],
    segments: NDArray[np.void],
    counts: NDArray[np.int64],
    fragments: NDArray[np.void],
    scratch: NDArray[np.void],
    progress_: NDArray[np.void],
    udp_fragments: NDArray[np.int64],
    rows: NDArray[np.void],
    slots: NDArray[np.void],
    state: NDArray[np.int64],
    slots_at: int,
) -> None:
    """Decode packets from ``progress["packet"]`` on, until all are done or the book or ``fragments`` are full.

    ``segments`` has a place for every packet; ``counts[number]`` counts the packets whose walk ended at ``number``;
    ``slots_at`` is the address of ``slots``. A packet has NAMED addresses at most, so there is room for those of all
    up to ``stop``.
    """
    cursor, progress = scratch[0], progress_[0]
    number_of, written, aside = progress["packet"], progress["written"], progress["fragments"]
    latest = progress["latest"]
    while aside < len(fragments):
        stop = min(number_of + AT_ONCE, len(packets), number_of + (len(rows) - state[USED]) // NAMED)
        if number_of >= stop:
            break
        if len(slots) > NEAR:
            prefetch_addresses(data, packets, number_of, stop, state, slots_at)
        while number_of < stop and aside < len(fragments):
            packet = packets[np.uint64(number_of)]
            row = segments[np.uint64(written)]
            latest = max(latest, packet["time"] + BEFORE_1970)
            if packet["link"] == 1 and plain_segment(
                data, packet["offset"], np.int64(packet["captured"]), np.int64(packet["length"]), row
            ):
                stamp(row, packet)
                both = be64(data, packet["offset"] + 26)
                row["src"] = intern_ipv4(both >> 32 & 0xFFFFFFFF, rows, slots, state)
                row["dst"] = intern_ipv4(both & 0xFFFFFFFF, rows, slots, state)
                written += 1
                number_of += 1
                continue
            begin(cursor, packet)
            number = walk(data, cursor, LINK | np.int64(packet["link"]))
            if number == TCP:
                short = segment(data, cursor, row)
                number = short if short else TCP
            if number == TCP:
                stamp(row, packet)
                fill_addresses(data, cursor, row, rows, slots, state)
                written += 1
            elif number == FRAGMENT and is_plain_udp(data, cursor, udp_fragments, state):
                counts[UDP & ~STOP] += 1
            elif number == FRAGMENT:
                set_aside(cursor, number_of, written, fragments[aside])
                aside += 1
            else:
                counts[number & ~STOP] += 1
            number_of += 1
    progress["packet"], progress["written"], progress["fragments"] = number_of, written, aside
    progress["latest"] = latest
