"""IPv4 and IPv6: where the payload begins and, by the IP length, where it ends; fragments; what ICMP quotes."""

from analyzer.kernels import helper
from analyzer.segments.header_numbers import (
    ETHERNET,
    FRAGMENT,
    FRAGMENT_CUT,
    IPV4,
    IPV6,
    MALFORMED,
    MPLS,
    PROTOCOL,
    QUOTED_PART,
    STOP,
)
from analyzer.segments.kernels.cursor import Bytes, Record, be16, be32, lack, skip, u8
from analyzer.segments.kernels.tunnels import gre, udp
from analyzer.segments.table import HAS_IP_ID, LENGTH_BEYOND, NO_FRAGMENT, NO_IP_LENGTH, PART, QUOTED, TUNNELLED
from analyzer.segments.table import IPV6 as IS_IPV6

FRAGMENTATION_NEEDED, PACKET_TOO_BIG = 3 << 8 | 4, 2  # type and code of ICMP, type of ICMPv6
OF_THE_PACKET = QUOTED | TUNNELLED
"""Marks that stay when another IP header is found inside; all others belong to one header."""


@helper
def enter(cursor: Record, mark: int) -> None:
    """Begin an IP header at the cursor, inside another one or not."""
    inside = TUNNELLED if cursor["ip"] >= 0 else 0
    if inside:
        cursor["icmp_error"] = 0  # it is said of the packet around this one
    cursor["marks"] = (cursor["marks"] & OF_THE_PACKET) | inside | mark
    cursor["ip"] = cursor["at"]


@helper
def bound(cursor: Record, length: int) -> None:
    """Let the content end ``length`` bytes after the IP header's begin, but not after what surrounds it.

    A quoted packet is always shorter than its length says; what it says is the truth about the original."""
    stop = cursor["ip"] + length
    if cursor["marks"] & QUOTED or stop <= cursor["end"]:
        cursor["end"] = stop
    else:
        cursor["marks"] |= LENGTH_BEYOND


@helper
def ipv4(data: Bytes, cursor: Record) -> int:
    short = lack(cursor, 20)
    if short:
        return short
    at = cursor["at"]
    header, total, fragment = (u8(data, at) & 15) * 4, be16(data, at + 2), be16(data, at + 6)
    if u8(data, at) >> 4 != 4 or header < 20 or 0 < total < header:
        return MALFORMED
    enter(cursor, HAS_IP_ID | (NO_FRAGMENT if fragment & 0x4000 else 0))
    cursor["source"], cursor["target"] = at + 12, at + 16
    cursor["ip_id"], cursor["ttl"] = be16(data, at + 4), u8(data, at + 8)
    if total:
        bound(cursor, total)
    else:
        cursor["marks"] |= NO_IP_LENGTH
    short = lack(cursor, header)
    if short:
        return short
    following = PROTOCOL | u8(data, at + 9)
    cursor["at"] += header
    if fragment & 0x3FFF:
        return piece(cursor, (fragment & 0x1FFF) * 8 + (1 if fragment & 0x2000 else 0), following)
    return following


@helper
def piece(cursor: Record, fragment: int, following: int) -> int:
    """A fragment. Where its bytes were cut, nothing can be put together; then the first one speaks for itself."""
    whole = cursor["end"] <= cursor["seen"] and cursor["marks"] & LENGTH_BEYOND == 0
    if cursor["marks"] & QUOTED:
        return following if fragment < 8 else QUOTED_PART
    if not worth_joining(following):
        return STOP | following
    cursor["fragment"], cursor["protocol"] = fragment, following - PROTOCOL
    if whole:
        return FRAGMENT
    if fragment >= 8 or cursor["marks"] & IS_IPV6:  # Wireshark, too, looks into a cut first fragment of IPv4 only
        return FRAGMENT_CUT
    cursor["marks"] |= PART
    return following


@helper
def worth_joining(following: int) -> bool:
    """Whether a datagram of this protocol could hold TCP: TCP itself, a tunnel, or an IPv6 extension header."""
    number = following - PROTOCOL
    return number in (6, 17, 4, 41, 47, 51, 97, 137, 143, 0, 43, 60)


@helper
def ipv6(data: Bytes, cursor: Record) -> int:
    short = lack(cursor, 40)
    if short:
        return short
    at = cursor["at"]
    if u8(data, at) >> 4 != 6:
        return MALFORMED
    enter(cursor, IS_IPV6)
    cursor["source"], cursor["target"] = at + 8, at + 24
    cursor["ip_id"], cursor["ttl"] = 0, u8(data, at + 7)
    length, following = be16(data, at + 4), u8(data, at + 6)
    cursor["at"] += 40
    if length == 0 and following == 0:
        length = jumbo(data, cursor)
    if length:
        bound(cursor, length + 40)
    elif following != 59:
        cursor["marks"] |= NO_IP_LENGTH
    return PROTOCOL | following


@helper
def jumbo(data: Bytes, cursor: Record) -> int:
    """The length that a jumbo payload option (RFC 2675) in the hop-by-hop header at the cursor gives, or 0."""
    if lack(cursor, 8):
        return 0
    at = cursor["at"] + 2
    stop = cursor["at"] + 8 + u8(data, cursor["at"] + 1) * 8
    while at + 6 <= min(stop, cursor["seen"], cursor["end"]):
        if u8(data, at) == 0xC2 and u8(data, at + 1) == 4:
            return be32(data, at + 2)
        at += 1 if u8(data, at) == 0 else 2 + u8(data, at + 1)
    return 0


@helper
def extension(data: Bytes, cursor: Record, unit: int, least: int) -> int:
    """An IPv6 extension header: what follows it, then its length in units of which ``least`` are not counted."""
    short = lack(cursor, 8)
    if short:
        return short
    length = (u8(data, cursor["at"] + 1) + least) * unit
    following = PROTOCOL | u8(data, cursor["at"])
    short = lack(cursor, length)
    return short if short else skip(cursor, length, following)


@helper
def fragment_header(data: Bytes, cursor: Record) -> int:
    """IPv6's fragment header; one with offset 0 and nothing to follow is whole already (RFC 6946)."""
    short = lack(cursor, 8)
    if short:
        return short
    at = cursor["at"]
    following, field = PROTOCOL | u8(data, at), be16(data, at + 2)
    cursor["at"] += 8
    if field & 0xFFF9 == 0:
        return following
    cursor["ip_id"] = be32(data, at + 4)
    return piece(cursor, field & 0xFFF9, following)


@helper
def quoted(data: Bytes, cursor: Record, first: int, last: int, following: int) -> int:
    """An ICMP error (types ``first`` to ``last``) quotes the packet that caused it after eight bytes of its own.

    What it says is of that packet. What an error quoted in another error once said is not said by this one."""
    short = lack(cursor, 8)
    if short:
        return short
    kind = u8(data, cursor["at"])
    if kind < first or kind > last or (following == IPV4 and kind in (6, 7, 8, 9, 10)):
        return STOP | PROTOCOL | (1 if following == IPV4 else 58)
    own = cursor["marks"] & QUOTED == 0 and (cursor["marks"] & IS_IPV6 != 0) == (following == IPV6)
    cursor["icmp_error"], cursor["icmp_sender"] = be16(data, cursor["at"]) if own else 0, cursor["source"]
    cursor["icmp_mtu"] = link_mtu(data, cursor["at"], following) if own else -1
    cursor["marks"] |= QUOTED
    cursor["ip"] = -1
    cursor["seen"] = min(cursor["seen"], cursor["end"])  # bytes behind the ICMP message are no part of the quotation
    return skip(cursor, 8, following)


@helper
def link_mtu(data: Bytes, at: int, following: int) -> int:
    """The MTU that the ICMP error at ``at`` gives of the link for which the packet is too large (RFC 1191, RFC 8201),
    0 where it names none that a packet can have, as old routers do; -1 of other errors."""
    if following == IPV4:
        return be16(data, at + 6) if be16(data, at) == FRAGMENTATION_NEEDED else -1
    if u8(data, at) != PACKET_TOO_BIG:
        return -1
    named = be32(data, at + 4)
    return named if named <= 0xFFFF else 0


@helper
def protocol(data: Bytes, cursor: Record, number: int) -> int:
    """The step for every IP protocol but TCP."""
    if number == 17:
        return udp(data, cursor)
    if number == 1:
        return quoted(data, cursor, 3, 12, IPV4)
    if number == 58:
        return quoted(data, cursor, 1, 4, IPV6)
    if number in (0, 43, 60, 135, 139, 140):
        return extension(data, cursor, 8, 1)
    if number == 51:  # authentication header: four-byte units
        return extension(data, cursor, 4, 2)
    if number == 44:
        return fragment_header(data, cursor)
    if number == 47:
        return gre(data, cursor)
    return carried(cursor, number)


@helper
def carried(cursor: Record, number: int) -> int:
    """Protocols whose payload is another packet without more ado."""
    if number == 4:
        return IPV4
    if number == 41:
        return IPV6
    if number == 97:  # Ethernet in IP (RFC 3378)
        return skip(cursor, 2, ETHERNET)
    if number == 137:
        return MPLS
    return ETHERNET if number == 143 else STOP | PROTOCOL | number
