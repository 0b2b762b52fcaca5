"""A step for the header that each link type of the table ``segments/link_types.py`` begins with."""

from analyzer.kernels import helper
from analyzer.segments.header_numbers import ETHERTYPE, IPV4, IPV6, LINK, STOP, WLAN
from analyzer.segments.kernels.capture_headers import (
    NFULA_PAYLOAD,
    cooked,
    erf,
    measured,
    netfilter,
    netlink,
    pflog,
    pktap,
    ppi,
    prism,
)
from analyzer.segments.kernels.cursor import Bytes, Record, skip
from analyzer.segments.kernels.link_layers import (
    arcnet,
    ethernet,
    ethertype_at,
    fddi,
    frame_relay,
    hdlc,
    llc,
    loopback,
    ppp,
    raw_ip,
    token_ring,
    wlan,
)
from analyzer.segments.link_types import numbers, skipped, with_ethertype

ETHERNETS, LLCS, RAW_IPS, IPV4S, IPV6S = map(numbers, ("ethernet", "llc", "raw_ip", "ipv4", "ipv6"))
PPPS, HDLCS, LOOPBACKS, PPPOES = map(numbers, ("ppp", "hdlc", "loopback", "pppoe"))
WLANS, RADIOTAPS, PRISMS, FRAME_RELAYS = map(numbers, ("wlan", "radiotap", "prism", "frame_relay"))
FDDIS, TOKEN_RINGS, ARCNETS, LINUX_ARCNETS = map(numbers, ("fddi", "token_ring", "arcnet", "arcnet_linux"))
COOKED, COOKED_2, NFLOGS, NETLINKS = map(numbers, ("cooked", "cooked_2", "nflog", "netlink"))
PPIS, PKTAPS, ERFS, PFLOGS = map(numbers, ("ppi", "pktap", "erf", "pflog"))
SKIPPED, WITH_ETHERTYPE = skipped(), with_ethertype()


@helper
def link(data: Bytes, cursor: Record, number: int) -> int:
    """The step for link types that stand for a header on the wire; the rest is below."""
    if number in ETHERNETS:
        return ethernet(data, cursor)
    if number in LLCS:
        return llc(data, cursor)
    if number in RAW_IPS:
        return raw_ip(data, cursor)
    if number in IPV4S:
        return IPV4
    if number in IPV6S:
        return IPV6
    if number in PPPS:
        return ppp(data, cursor)
    if number in HDLCS:
        return hdlc(data, cursor)
    if number in LOOPBACKS:
        return loopback(data, cursor)
    return wireless(data, cursor, number)


@helper
def wireless(data: Bytes, cursor: Record, number: int) -> int:
    """802.11 with what may stand before it, and the old local networks."""
    if number in WLANS:
        return wlan(data, cursor)
    if number in RADIOTAPS:
        return measured(data, cursor, 2, WLAN)
    if number in PRISMS:
        return prism(data, cursor)
    if number in FDDIS:
        return fddi(data, cursor)
    if number in TOKEN_RINGS:
        return token_ring(data, cursor)
    if number in ARCNETS:
        return arcnet(data, cursor, 2)
    if number in LINUX_ARCNETS:
        return arcnet(data, cursor, 4)
    if number in FRAME_RELAYS:
        return frame_relay(data, cursor)
    return annotated(data, cursor, number)


@helper
def annotated(data: Bytes, cursor: Record, number: int) -> int:
    """Link types whose header was made by the capture."""
    if number in COOKED:
        return cooked(data, cursor, 2, 14, 16)
    if number in COOKED_2:
        return cooked(data, cursor, 8, 0, 20)
    if number in NFLOGS:
        return netfilter(data, cursor, NFULA_PAYLOAD)
    if number in NETLINKS:
        return netlink(data, cursor)
    if number in PPIS:
        return ppi(data, cursor)
    if number in PKTAPS:
        return pktap(data, cursor)
    if number in ERFS:
        return erf(data, cursor)
    if number in PFLOGS:
        return pflog(data, cursor)
    return fixed(data, cursor, number)


@helper
def fixed(data: Bytes, cursor: Record, number: int) -> int:
    """Link types with a header of fixed length."""
    if number in PPPOES:
        return ETHERTYPE | 0x8864
    for each, length, following in SKIPPED:
        if number == each:
            return skip(cursor, length, following)
    for each, position, length in WITH_ETHERTYPE:
        if number == each:
            return ethertype_at(data, cursor, position, length)
    return STOP | LINK | number
