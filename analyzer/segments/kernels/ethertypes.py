"""What an EtherType announces besides IP: VLAN tags and other shims, MPLS, PPPoE, service chaining.

Every tag is passed; which VLAN a packet is in decides nothing about its TCP connection.
"""

from analyzer.kernels import helper
from analyzer.segments.header_numbers import (
    ETHERNET,
    ETHERTYPE,
    IPV4,
    IPV6,
    LLC,
    MALFORMED,
    MPLS,
    NO_NETWORK_LAYER,
    STOP,
    WLAN,
)
from analyzer.segments.kernels.cursor import Bytes, Record, be16, lack, skip, u8
from analyzer.segments.kernels.link_layers import ethertype_at, ppp

NSH = ETHERTYPE | 0x894F


@helper
def ethertype(data: Bytes, cursor: Record, number: int) -> int:
    """The step for every EtherType but IP's own."""
    if number in (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300):  # 802.1Q, 802.1ad and what came before it
        return vlan(data, cursor)
    if number in (0x8847, 0x8848):
        return mpls(data, cursor)
    if number == 0x8864:
        return pppoe(data, cursor)
    if number == 0x6558:  # transparent Ethernet bridging
        return ETHERNET
    if number == 0x88E7:  # 802.1ah: the service tag, then the customer's whole frame
        return skip(cursor, 4, ETHERNET)
    if number == 0x8903:  # Cisco FabricPath: its tag, then the whole frame
        return skip(cursor, 2, ETHERNET)
    if number in (0x8926, 0xF1C1, 0x892F):  # VN-Tag, 802.1CB redundancy tag, HSR
        return ethertype_at(data, cursor, 4, 6)
    return rare(data, cursor, number)


@helper
def rare(data: Bytes, cursor: Record, number: int) -> int:
    if number == 0x8909:  # Cisco metadata
        return ethertype_at(data, cursor, 6, 8)
    if number == 0x894F:
        return nsh(data, cursor)
    if number == 0x22F3:
        return trill(data, cursor)
    if number == 0x2452:  # Wi-Fi frames as centralised access points pass them on
        return WLAN
    if number == 0x880B:
        return ppp(data, cursor)
    return STOP | ETHERTYPE | number


@helper
def vlan(data: Bytes, cursor: Record) -> int:
    """A tag; behind it stands an EtherType, or the length of an 802.3 frame."""
    following = ethertype_at(data, cursor, 2, 4)
    if following <= 1500:
        cursor["end"] = min(cursor["end"], cursor["at"] + following)
        return LLC
    return following


@helper
def mpls(data: Bytes, cursor: Record) -> int:
    """The label stack. Nothing names what is below it: the first nibble tells IP from a pseudowire's control word."""
    while True:
        short = lack(cursor, 4)
        if short:
            return short
        bottom = u8(data, cursor["at"] + 2) & 1
        cursor["at"] += 4
        if bottom:
            break
    short = lack(cursor, 4)
    if short:
        return short
    nibble = u8(data, cursor["at"]) >> 4
    if nibble == 4:
        return IPV4
    if nibble == 6:
        return IPV6
    if nibble == 1:  # an associated channel: operation and maintenance
        return NO_NETWORK_LAYER
    return pseudowire(data, cursor) if nibble == 0 else ETHERNET


@helper
def pseudowire(data: Bytes, cursor: Record) -> int:
    """Ethernet behind a control word, or a frame to an address that begins with 0: seen by where its EtherType is."""
    at = cursor["at"]
    if (
        lack(cursor, 18) == 0
        and may_follow_addresses(be16(data, at + 12))
        and not may_follow_addresses(be16(data, at + 16))
    ):
        return ETHERNET
    return skip(cursor, 4, ETHERNET)


@helper
def may_follow_addresses(number: int) -> bool:
    return number in (0x0800, 0x86DD, 0x8100, 0x88A8)


@helper
def pppoe(data: Bytes, cursor: Record) -> int:
    short = lack(cursor, 6)
    if short:
        return short
    at = cursor["at"]
    cursor["end"] = min(cursor["end"], at + 6 + be16(data, at + 4))
    cursor["at"] += 6
    return ppp(data, cursor)


@helper
def nsh(data: Bytes, cursor: Record) -> int:
    """Network service header (RFC 8300): its length in words, and what follows."""
    short = lack(cursor, 8)
    if short:
        return short
    length = (be16(data, cursor["at"]) & 0x3F) * 4
    following = generic(u8(data, cursor["at"] + 3))
    if length < 8:
        return MALFORMED
    short = lack(cursor, length)
    return short if short else skip(cursor, length, following)


@helper
def generic(number: int) -> int:
    """The next-protocol numbers that NSH and VXLAN-GPE share."""
    if number == 1:
        return IPV4
    if number == 2:
        return IPV6
    if number == 3:
        return ETHERNET
    if number == 4:
        return NSH
    return MPLS if number == 5 else NO_NETWORK_LAYER


@helper
def trill(data: Bytes, cursor: Record) -> int:
    """TRILL (RFC 6325): options of up to 31 words, then the whole frame."""
    short = lack(cursor, 6)
    if short:
        return short
    length = 6 + ((be16(data, cursor["at"]) >> 6) & 0x1F) * 4
    short = lack(cursor, length)
    return short if short else skip(cursor, length, ETHERNET)
