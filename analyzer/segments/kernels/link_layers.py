"""Link-layer headers: from the capture's link type to the EtherType or the IP header it carries.

Numbers are those of the LINKTYPE_ registry (https://www.tcpdump.org/linktypes.html). A header that occurs inside
others has its link type's number there too: Ethernet in a tunnel is ``LINK | 1``, an LLC header ``LINK | 100``.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.header_numbers import (
    COMPRESSED,
    ENCRYPTED,
    ETHERNET,
    ETHERTYPE,
    IPV4,
    IPV6,
    LLC,
    MALFORMED,
    MPLS,
    NO_NETWORK_LAYER,
)
from analyzer.segments.kernels.cursor import Bytes, Record, be16, be32, lack, le16, skip, u8


@helper
def ethertype_at(data: Bytes, cursor: Record, position: int, header: int) -> int:
    """A header of ``header`` bytes whose EtherType stands at ``position``."""
    short = lack(cursor, header)
    if short:
        return short
    return skip(cursor, header, ETHERTYPE | be16(data, cursor["at"] + position))


@helper
def ethernet(data: Bytes, cursor: Record) -> int:
    """DIX Ethernet, or IEEE 802.3, whose length field leads to an LLC header and cuts off the padding."""
    short = lack(cursor, 14)
    if short:
        return short
    at = cursor["at"]
    value = be16(data, at + 12)
    if value >= 0x0600:
        return skip(cursor, 14, ETHERTYPE | value)
    if value > 1500:
        return MALFORMED
    cursor["end"] = min(cursor["end"], at + 14 + value)
    return skip(cursor, 14, LLC)


@helper
def llc(data: Bytes, cursor: Record) -> int:
    """IEEE 802.2: unnumbered information for IP (SAP 6) or SNAP."""
    short = lack(cursor, 3)
    if short:
        return short
    at = cursor["at"]
    sap, control = be16(data, at), u8(data, at + 2)
    if control == 3 and sap == 0x0606:
        return skip(cursor, 3, IPV4)
    if control != 3 or sap & 0xFEFE != 0xAAAA:
        return NO_NETWORK_LAYER
    return snap(data, cursor)


@helper
def snap(data: Bytes, cursor: Record) -> int:
    """The five bytes after ``AA AA 03``: an organisation and its protocol; 00-00-00 and 00-00-F8 mean EtherType."""
    short = lack(cursor, 8)
    if short:
        return short
    at = cursor["at"]
    organisation = be32(data, at + 2) & 0xFFFFFF
    protocol = be16(data, at + 6)
    if organisation in (0, 0x0000F8):
        return skip(cursor, 8, ETHERTYPE | protocol)
    if organisation == 0x0080C2 and protocol in (1, 7):  # RFC 2684: bridged Ethernet, with or without its FCS
        return skip(cursor, 10, ETHERNET)
    return NO_NETWORK_LAYER


@helper
def ppp(data: Bytes, cursor: Record) -> int:
    """PPP with or without address and control, its protocol number perhaps compressed to one byte (RFC 1661)."""
    if lack(cursor, 2) == 0 and u8(data, cursor["at"]) == 0xFF:
        cursor["at"] += 2
    short = lack(cursor, 2)
    if short:
        return short
    protocol, length = u8(data, cursor["at"]), 1
    if protocol & 1 == 0:
        protocol, length = be16(data, cursor["at"]), 2
    return skip(cursor, length, of_ppp(protocol))


@helper
def of_ppp(protocol: int) -> int:
    if protocol == 0x0021:
        return IPV4
    if protocol == 0x0057:
        return IPV6
    if protocol in (0x002D, 0x002F):  # Van Jacobson's compressed and uncompressed TCP (RFC 1332)
        return COMPRESSED
    return MPLS if protocol in (0x0281, 0x0283) else NO_NETWORK_LAYER


@helper
def hdlc(data: Bytes, cursor: Record) -> int:
    """PPP in HDLC-like framing, or Cisco's HDLC, told apart by the first byte."""
    short = lack(cursor, 4)
    if short:
        return short
    if u8(data, cursor["at"]) in (0x0F, 0x8F):
        return ethertype_at(data, cursor, 2, 4)
    return ppp(data, cursor)


@helper
def loopback(data: Bytes, cursor: Record) -> int:
    """BSD loopback: the address family in the byte order of the host that captured, whichever that was.

    AF_INET6 is 10 on Linux, 23 on Windows, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS. Some drivers put an
    EtherType or a PPP header there instead.
    """
    short = lack(cursor, 4)
    if short:
        return short
    at = cursor["at"]
    if be16(data, at) == 0xFF03:
        return ppp(data, cursor)
    family = be32(data, at)
    if family & 0xFFFF0000:
        family = le16(data, at) | (le16(data, at + 2) << 16)
    if family == 2:
        return skip(cursor, 4, IPV4)
    if family in (10, 23, 24, 28, 30):
        return skip(cursor, 4, IPV6)
    return skip(cursor, 4, ETHERTYPE | family) if 0x0600 <= family <= 0xFFFF else NO_NETWORK_LAYER


@helper
def raw_ip(data: Bytes, cursor: Record) -> int:
    short = lack(cursor, 1)
    if short:
        return short
    version = u8(data, cursor["at"]) >> 4
    if version == 4:
        return IPV4
    return IPV6 if version == 6 else MALFORMED


@helper
def token_ring(data: Bytes, cursor: Record) -> int:
    """Access control, frame control, addresses; a source-routed frame has a route whose length is its low 5 bits."""
    short = lack(cursor, 16)
    if short:
        return short
    at = cursor["at"]
    route = u8(data, at + 14) & 31 if u8(data, at + 8) & 0x80 else np.int64(0)
    if u8(data, at + 1) & 0xC0 != 0x40:
        return NO_NETWORK_LAYER
    return skip(cursor, 14 + route, LLC)


@helper
def fddi(data: Bytes, cursor: Record) -> int:
    short = lack(cursor, 13)
    if short:
        return short
    return skip(cursor, 13, LLC) if 0x50 <= u8(data, cursor["at"]) <= 0x5F else NO_NETWORK_LAYER


@helper
def arcnet(data: Bytes, cursor: Record, protocol: int) -> int:
    """RFC 1201 and RFC 1051; ``protocol`` is where the protocol byte stands (Linux puts two bytes before it)."""
    short = lack(cursor, protocol + 1)
    if short:
        return short
    value = u8(data, cursor["at"] + protocol)
    if value == 240:  # RFC 1051: no fragmentation header
        return skip(cursor, protocol + 1, IPV4)
    if value not in (212, 196):
        return NO_NETWORK_LAYER
    short = lack(cursor, protocol + 4)
    if short:
        return short
    split = u8(data, cursor["at"] + protocol + 1)
    if split == 0xFF:  # an exception packet repeats the header after four bytes
        return skip(cursor, protocol + 8, IPV4 if value == 212 else IPV6)
    if split:
        return NO_NETWORK_LAYER
    return skip(cursor, protocol + 4, IPV4 if value == 212 else IPV6)


@helper
def frame_relay(data: Bytes, cursor: Record) -> int:
    """Q.922 address of 2 to 4 bytes, then RFC 2427 (control 3 and a network layer identifier) or Cisco's EtherType."""
    at = cursor["at"]
    length = 1
    while length < 4 and lack(cursor, length) == 0 and u8(data, at + length - 1) & 1 == 0:
        length += 1
    short = lack(cursor, length + 4)
    if short:
        return short
    at += length
    if u8(data, at) != 3:
        return skip(cursor, length + 2, ETHERTYPE | be16(data, at))
    pad = 1 if u8(data, at + 1) == 0 else 0
    identifier = u8(data, at + 1 + pad)
    if identifier == 0xCC:
        return skip(cursor, length + 2 + pad, IPV4)
    if identifier == 0x8E:
        return skip(cursor, length + 2 + pad, IPV6)
    if identifier != 0x80:
        return NO_NETWORK_LAYER
    cursor["at"] += length + 2 + pad - 3  # so that the SNAP part stands where an LLC header would have it
    return snap(data, cursor)


@helper
def wlan(data: Bytes, cursor: Record) -> int:
    """IEEE 802.11: only readable data frames lead on, and only those that carry one LLC payload."""
    short = lack(cursor, 24)
    if short:
        return short
    at = cursor["at"]
    control, flags = u8(data, at), u8(data, at + 1)
    if control & 0x0F != 0x08 or control & 0x40:  # not a data frame, or one without data
        return NO_NETWORK_LAYER
    length = 30 if flags & 3 == 3 else 24
    if control & 0x80:  # QoS control; with the order bit also HT control
        short = lack(cursor, length + 2)
        if short:
            return short
        if u8(data, at + length) & 0x80:  # an aggregate of several frames
            return NO_NETWORK_LAYER
        length += 6 if flags & 0x80 else 2
    return protected(data, cursor, length) if flags & 0x40 else skip(cursor, length, LLC)


@helper
def protected(data: Bytes, cursor: Record, length: int) -> int:
    """A protected frame whose payload is readable nevertheless: some drivers and access points decrypt, but leave the
    flag and the initialisation vector (none, WEP's 4 bytes or the 8 of TKIP and CCMP) in place."""
    for vector in (0, 4, 8):
        at = cursor["at"] + length + vector
        if lack(cursor, length + vector + 6) == 0 and be32(data, at) == 0xAAAA0300 and be16(data, at + 4) == 0:
            return skip(cursor, length + vector, LLC)
    return ENCRYPTED
