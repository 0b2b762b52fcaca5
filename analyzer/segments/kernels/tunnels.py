"""Packets inside packets: GRE and what travels over UDP.

A UDP port alone is weak evidence. Each step looks at what its header fixes before it believes in a tunnel;
whatever fails that is plain UDP.
"""

from analyzer.kernels import helper
from analyzer.segments.header_numbers import ETHERNET, ETHERTYPE, IPV6, MPLS, PPP, PROTOCOL, RAW_IP, STOP, WLAN
from analyzer.segments.kernels.cursor import Bytes, Record, be16, be32, lack, skip, u8
from analyzer.segments.kernels.ethertypes import generic

UDP = STOP | PROTOCOL | 17
GRE = STOP | PROTOCOL | 47

PORTS = (2152, 4789, 8472, 4790, 6081, 1701, 3544, 3386, 37008, 4341, 6635)
"""UDP ports at which a tunnel may end. Most UDP has neither, and is done with at once."""


@helper
def udp(data: Bytes, cursor: Record) -> int:
    """The UDP header; the receiver's port tells the tunnel, and the sender's if that says nothing."""
    short = lack(cursor, 8)
    if short:
        return short
    at = cursor["at"]
    sender, receiver, length = be16(data, at), be16(data, at + 2), be16(data, at + 4)
    if length < 8:
        return UDP
    cursor["end"] = min(cursor["end"], at + length)
    cursor["at"] += 8
    following = by_port(data, cursor, receiver)
    return by_port(data, cursor, sender) if following == UDP else following


@helper
def by_port(data: Bytes, cursor: Record, port: int) -> int:
    if port not in PORTS:
        return UDP
    if port == 2152:
        return gtp(data, cursor)
    if port in (4789, 8472):  # IANA's number, and the one Linux used before
        return vxlan(data, cursor)
    if port == 4790:
        return vxlan_gpe(data, cursor)
    if port == 6081:
        return geneve(data, cursor)
    if port == 1701:
        return l2tp(data, cursor)
    if port == 3544:
        return teredo(data, cursor)
    if port == 3386:
        return gtp_0(data, cursor)
    if port == 37008:
        return tzsp(data, cursor)
    if port == 4341:  # LISP data
        return skip(cursor, 8, RAW_IP) if lack(cursor, 9) == 0 else UDP
    return MPLS


@helper
def vxlan(data: Bytes, cursor: Record) -> int:
    """RFC 7348. Its one fixed bit is not asked for, as Wireshark does not."""
    return skip(cursor, 8, ETHERNET) if lack(cursor, 8) == 0 else UDP


@helper
def vxlan_gpe(data: Bytes, cursor: Record) -> int:
    if lack(cursor, 8) or u8(data, cursor["at"]) & 0x0C != 0x0C:
        return UDP
    return skip(cursor, 8, generic(u8(data, cursor["at"] + 3)))


@helper
def geneve(data: Bytes, cursor: Record) -> int:
    """RFC 8926: options of up to 63 words, then what an EtherType names."""
    if lack(cursor, 8):
        return UDP
    length = 8 + (u8(data, cursor["at"]) & 0x3F) * 4
    following = ETHERTYPE | be16(data, cursor["at"] + 2)
    return skip(cursor, length, following) if lack(cursor, length) == 0 else UDP


@helper
def gtp(data: Bytes, cursor: Record) -> int:
    """GTP-U version 1 (3GPP TS 29.281): a user packet (message 255), perhaps after extension headers."""
    if lack(cursor, 8):
        return UDP
    at = cursor["at"]
    flags = u8(data, at)
    if flags & 0xF0 != 0x30 or u8(data, at + 1) != 255:
        return UDP
    cursor["end"] = min(cursor["end"], at + 8 + be16(data, at + 2))
    if flags & 7 == 0:
        return skip(cursor, 8, RAW_IP)
    if lack(cursor, 12):
        return UDP
    more = u8(data, at + 11) if flags & 4 else 0
    cursor["at"] += 12
    while more:
        if lack(cursor, 4):
            return UDP
        length = u8(data, cursor["at"]) * 4
        if length == 0 or lack(cursor, length):
            return UDP
        more = u8(data, cursor["at"] + length - 1)
        cursor["at"] += length
    return RAW_IP


@helper
def gtp_0(data: Bytes, cursor: Record) -> int:
    """GTP version 0 (3GPP TS 09.60), user packet."""
    if lack(cursor, 20) or u8(data, cursor["at"]) >> 5 or u8(data, cursor["at"] + 1) != 255:
        return UDP
    return skip(cursor, 20, RAW_IP)


@helper
def l2tp(data: Bytes, cursor: Record) -> int:
    """L2TP version 2 (RFC 2661), data message: optional length, sequence and offset fields, then PPP."""
    if lack(cursor, 6):
        return UDP
    flags = be16(data, cursor["at"])
    if flags & 0x800F != 2:
        return UDP
    length = 6 + (2 if flags & 0x4000 else 0) + (4 if flags & 0x0800 else 0)
    if flags & 0x0200:
        if lack(cursor, length + 2):
            return UDP
        length += 2 + be16(data, cursor["at"] + length)
    return skip(cursor, length, PPP) if lack(cursor, length) == 0 else UDP


@helper
def teredo(data: Bytes, cursor: Record) -> int:
    """Teredo (RFC 4380): an authentication and an origin indication may stand before the IPv6 header."""
    if lack(cursor, 4) == 0 and be16(data, cursor["at"]) == 1:
        cursor["at"] += 13 + u8(data, cursor["at"] + 2) + u8(data, cursor["at"] + 3)
    if lack(cursor, 8) == 0 and be16(data, cursor["at"]) == 0:
        cursor["at"] += 8
    if lack(cursor, 40) or u8(data, cursor["at"]) >> 4 != 6:
        return UDP
    return IPV6


@helper
def tzsp(data: Bytes, cursor: Record) -> int:
    """TaZmen sniffer protocol: mirrored frames, after tags of which the one-byte 1 is the last."""
    if lack(cursor, 5) or u8(data, cursor["at"]) != 1:
        return UDP
    inner = be16(data, cursor["at"] + 2)
    cursor["at"] += 4
    while lack(cursor, 2) == 0 and u8(data, cursor["at"]) != 1:
        cursor["at"] += 1 if u8(data, cursor["at"]) == 0 else 2 + u8(data, cursor["at"] + 1)
    if lack(cursor, 2) or inner not in (1, 18):
        return UDP
    return skip(cursor, 1, ETHERNET if inner == 1 else WLAN)


@helper
def gre(data: Bytes, cursor: Record) -> int:
    """GRE (RFC 2784, 2890), the enhanced one of PPTP (RFC 2637), and who borrowed its header."""
    short = lack(cursor, 4)
    if short:
        return short
    flags, protocol = be16(data, cursor["at"]), be16(data, cursor["at"] + 2)
    if protocol == 0x6400 and flags & 0x7FFF == 0x2001:  # MikroTik's Ethernet over IP
        return skip(cursor, 8, ETHERNET)
    length = 4
    for bit in (0x8000, 0x2000, 0x1000):  # checksum (with routing's offset), key, sequence number
        if flags & bit:
            length += 4
    if flags & 7 == 1 and flags & 0x0080:  # version 1 has an acknowledgment number
        length += 4
    if flags & 0x4000:  # source routing, withdrawn by RFC 2784
        return GRE
    short = lack(cursor, length + 1)
    return short if short else over_gre(data, cursor, length, flags, protocol)


@helper
def over_gre(data: Bytes, cursor: Record, length: int, flags: int, protocol: int) -> int:
    first = u8(data, cursor["at"] + length)
    if protocol == 0x883E:  # WCCP: version 2 puts a redirect header before the IP header
        return skip(cursor, length if first >> 4 == 4 else length + 4, RAW_IP)
    if protocol == 0x88BE:  # ERSPAN; type II is known by GRE's sequence number
        return skip(cursor, length + 8 if flags & 0x1000 else length, ETHERNET)
    if protocol == 0x22EB:
        return erspan_3(data, cursor, length)
    return skip(cursor, length, ETHERTYPE | protocol)


@helper
def erspan_3(data: Bytes, cursor: Record, length: int) -> int:
    """ERSPAN type III: twelve bytes, the last of which tells whether eight more follow."""
    short = lack(cursor, length + 12)
    if short:
        return short
    optional = be32(data, cursor["at"] + length + 8) & 1
    return skip(cursor, length + 12 + (8 if optional else 0), ETHERNET)
