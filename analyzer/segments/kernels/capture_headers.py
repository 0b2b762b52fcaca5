"""Headers that were never on a wire: capture software and drivers put them before the packet.

Most are a length and the link type of what follows.
"""

from analyzer.kernels import helper
from analyzer.segments.header_numbers import ETHERNET, ETHERTYPE, LINK, LLC, MALFORMED, NO_NETWORK_LAYER, RAW_IP, WLAN
from analyzer.segments.kernels.cursor import Bytes, Record, be16, be32, lack, le16, skip, u8

HDLC = LINK | 50
NETLINK = LINK | 253
ARPHRD_NETLINK = 824
NFULA_PAYLOAD = 9
NFQA_PAYLOAD = 10


@helper
def measured(data: Bytes, cursor: Record, position: int, following: int) -> int:
    """A header whose own length stands at ``position`` as 16 little-endian bits (radiotap, PPI, pktap)."""
    short = lack(cursor, position + 2)
    if short:
        return short
    length = le16(data, cursor["at"] + position)
    if length < position + 2:
        return MALFORMED
    short = lack(cursor, length)
    return short if short else skip(cursor, length, following)


@helper
def ppi(data: Bytes, cursor: Record) -> int:
    """Per-packet information: version, flags, length, and the link type of the packet behind it."""
    short = lack(cursor, 8)
    if short:
        return short
    return measured(data, cursor, 2, LINK | le16(data, cursor["at"] + 4))


@helper
def pktap(data: Bytes, cursor: Record) -> int:
    """Apple's packet tap: length, type, and the link type of the packet behind it."""
    short = lack(cursor, 12)
    if short:
        return short
    return measured(data, cursor, 0, LINK | le16(data, cursor["at"] + 8))


@helper
def prism(data: Bytes, cursor: Record) -> int:
    """Prism's header of 144 bytes, or the AVS header that announces itself by its version and gives its length."""
    short = lack(cursor, 8)
    if short:
        return short
    if be32(data, cursor["at"]) & 0xFFFFF000 != 0x80211000:
        short = lack(cursor, 144)
        return short if short else skip(cursor, 144, WLAN)
    length = be32(data, cursor["at"] + 4)
    short = lack(cursor, length)
    return short if short else skip(cursor, length, WLAN)


@helper
def cooked(data: Bytes, cursor: Record, kind: int, protocol: int, header: int) -> int:
    """Linux cooked capture, both versions: ``kind`` is where ARPHRD stands, ``protocol`` where the EtherType does."""
    short = lack(cursor, header)
    if short:
        return short
    value = be16(data, cursor["at"] + protocol)
    if be16(data, cursor["at"] + kind) == ARPHRD_NETLINK:
        return skip(cursor, header, NETLINK)
    if value == 4:
        return skip(cursor, header, LLC)
    return skip(cursor, header, ETHERTYPE | value) if value >= 0x0600 else NO_NETWORK_LAYER


@helper
def netlink(data: Bytes, cursor: Record) -> int:
    """A netlink message of netfilter, if it carries a packet: a log entry (subsystem 4) or a queued one (3)."""
    short = lack(cursor, 36)
    if short:
        return short
    at = cursor["at"] + 20
    kind = max(be16(data, at), le16(data, at))  # subsystem << 8, message 0, in the capturing host's order
    if be16(data, at - 6) != 12 or kind not in (0x0300, 0x0400):
        return NO_NETWORK_LAYER
    cursor["at"] += 32
    return netfilter(data, cursor, NFQA_PAYLOAD if kind == 0x0300 else NFULA_PAYLOAD)


@helper
def netfilter(data: Bytes, cursor: Record, wanted: int) -> int:
    """The packet among netfilter's attributes (length, type, value padded to 4, in the capturing host's order)."""
    short = lack(cursor, 4)
    if short:
        return short
    cursor["at"] += 4
    while lack(cursor, 4) == 0:
        at = cursor["at"]
        length, kind = le16(data, at), le16(data, at + 2) & 0x7FFF
        if kind > 0xFF:
            length, kind = be16(data, at), be16(data, at + 2) & 0x7FFF
        if length < 4:
            return MALFORMED
        if kind == wanted:
            cursor["end"] = min(cursor["end"], at + length)
            return skip(cursor, 4, RAW_IP)
        cursor["at"] += (length + 3) & ~3
    return NO_NETWORK_LAYER


@helper
def erf(data: Bytes, cursor: Record) -> int:
    """Endace's record header, its extension headers, then Ethernet (after two bytes), HDLC or IP."""
    short = lack(cursor, 16)
    if short:
        return short
    kind = u8(data, cursor["at"] + 8)
    more = kind & 0x80
    cursor["at"] += 16
    while more:
        short = lack(cursor, 8)
        if short:
            return short
        more = u8(data, cursor["at"]) & 0x80
        cursor["at"] += 8
    kind &= 0x7F
    if kind in (2, 11, 16):
        return skip(cursor, 2, ETHERNET)
    if kind in (1, 10):
        return HDLC
    return RAW_IP if kind in (22, 23) else NO_NETWORK_LAYER


@helper
def pflog(data: Bytes, cursor: Record) -> int:
    """The log of BSD's packet filter: its length byte does not count the padding to four bytes."""
    short = lack(cursor, 4)
    if short:
        return short
    length = (u8(data, cursor["at"]) + 3) & ~3
    short = lack(cursor, length)
    return short if short else skip(cursor, length, RAW_IP)
