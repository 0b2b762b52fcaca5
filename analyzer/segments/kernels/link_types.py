"""Which header each link type of the LINKTYPE_ registry begins with. What is not here is not supported, and counted."""

from analyzer.kernels import part
from analyzer.segments.header_numbers import ETHERTYPE, LINK, STOP
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
    ETHERNET,
    IPV4,
    IPV6,
    LLC,
    PPP,
    RAW_IP,
    WLAN,
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


@part
def link(data: Bytes, cursor: Record, number: int) -> int:
    """The step for link types that stand for a header on the wire; the rest is below."""
    if number == 1:
        return ethernet(data, cursor)
    if number in (100, 106, 19):
        return llc(data, cursor)
    if number in (101, 12, 14):
        return raw_ip(data, cursor)
    if number == 228:
        return IPV4
    if number == 229:
        return IPV6
    if number == 9:
        return ppp(data, cursor)
    if number in (50, 104):
        return hdlc(data, cursor)
    if number in (0, 108):
        return loopback(data, cursor)
    return wireless(data, cursor, number)


@part
def wireless(data: Bytes, cursor: Record, number: int) -> int:
    """802.11 with what may stand before it, and the old local networks."""
    if number == 105:
        return wlan(data, cursor)
    if number == 127:
        return measured(data, cursor, 2, WLAN)
    if number in (119, 163):
        return prism(data, cursor)
    if number == 10:
        return fddi(data, cursor)
    if number == 6:
        return token_ring(data, cursor)
    if number == 7:
        return arcnet(data, cursor, 2)
    if number == 129:
        return arcnet(data, cursor, 4)
    if number == 107:
        return frame_relay(data, cursor)
    return annotated(data, cursor, number)


@part
def annotated(data: Bytes, cursor: Record, number: int) -> int:
    """Link types whose header was made by the capture."""
    if number == 113:
        return cooked(data, cursor, 2, 14, 16)
    if number == 276:
        return cooked(data, cursor, 8, 0, 20)
    if number == 239:
        return netfilter(data, cursor, NFULA_PAYLOAD)
    if number == 253:
        return netlink(data, cursor)
    if number == 192:
        return ppi(data, cursor)
    if number == 258:
        return pktap(data, cursor)
    if number == 197:
        return erf(data, cursor)
    if number == 117:
        return pflog(data, cursor)
    return fixed(data, cursor, number)


@part
def fixed(data: Bytes, cursor: Record, number: int) -> int:
    """Link types with a header of fixed length."""
    if number == 51:
        return ETHERTYPE | 0x8864
    if number == 109:  # OpenBSD's encapsulating interface
        return skip(cursor, 12, RAW_IP)
    if number == 226:  # Solaris IP observability
        return skip(cursor, 24, RAW_IP)
    if number == 138:  # Apple's IP over FireWire
        return ethertype_at(data, cursor, 16, 18)
    if number == 242:  # IP over InfiniBand
        return ethertype_at(data, cursor, 40, 44)
    if number == 204:  # a direction byte, then PPP, Cisco HDLC, frame relay
        return skip(cursor, 1, PPP)
    if number == 166:
        return skip(cursor, 2, PPP)
    if number == 205:
        return skip(cursor, 1, LINK | 104)
    if number == 206:
        return skip(cursor, 1, LINK | 107)
    return tagged(data, cursor, number)


@part
def tagged(data: Bytes, cursor: Record, number: int) -> int:
    """Ethernet as switch chips and capture cards hand it over."""
    if number in (281, 284):  # Broadcom's and Marvell's tag between addresses and EtherType
        return ethertype_at(data, cursor, 16, 18)
    if number == 285:  # Marvell's tag under an EtherType of its own
        return ethertype_at(data, cursor, 20, 22)
    if number in (240, 282):
        return skip(cursor, 4, ETHERNET)
    if number == 241:
        return skip(cursor, 12, ETHERNET)
    if number == 123:  # SunATM
        return skip(cursor, 4, LLC)
    return STOP | LINK | number
