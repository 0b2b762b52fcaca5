"""The link types that are read: number, name, and the header that a packet of it begins with.

Numbers are those of the LINKTYPE_ registry (https://www.tcpdump.org/linktypes.html). What is not here is not supported,
and counted. ``kernels/link_dispatch.py`` has a step for each header; a header of fixed length needs none: it is skipped
(``Skip``), or only its EtherType is read (``EtherTypeAt``).
"""

from typing import NamedTuple

from analyzer.segments.header_numbers import ETHERNET, LINK, LLC, PPP, RAW_IP


class Skip(NamedTuple):
    """A header of ``length`` bytes; ``following`` comes next."""

    length: int
    following: int


class EtherTypeAt(NamedTuple):
    """A header of ``length`` bytes whose EtherType stands at ``position``."""

    position: int
    length: int


class LinkType(NamedTuple):
    """One link type; ``header`` is the name of a step, or what is known of a header of fixed length."""

    number: int
    name: str
    header: str | Skip | EtherTypeAt


LINK_TYPES = (
    # Headers of the wire.
    LinkType(1, "Ethernet", "ethernet"),
    LinkType(100, "LLC over ATM", "llc"),
    LinkType(106, "Linux ATM CLIP", "llc"),
    LinkType(19, "Linux ATM CLIP", "llc"),
    LinkType(101, "raw IP", "raw_ip"),
    LinkType(12, "raw IP", "raw_ip"),
    LinkType(14, "raw IP", "raw_ip"),
    LinkType(228, "IPv4", "ipv4"),
    LinkType(229, "IPv6", "ipv6"),
    LinkType(9, "PPP", "ppp"),
    LinkType(50, "PPP with HDLC framing", "hdlc"),
    LinkType(104, "Cisco HDLC", "hdlc"),
    LinkType(0, "BSD loopback", "loopback"),
    LinkType(108, "OpenBSD loopback", "loopback"),
    # 802.11 with what may stand before it, and the old local networks.
    LinkType(105, "802.11", "wlan"),
    LinkType(127, "802.11 with radiotap header", "radiotap"),
    LinkType(119, "802.11 with Prism header", "prism"),
    LinkType(163, "802.11 with AVS header", "prism"),
    LinkType(10, "FDDI", "fddi"),
    LinkType(6, "token ring", "token_ring"),
    LinkType(7, "ARCNET", "arcnet"),
    LinkType(129, "ARCNET of Linux", "arcnet_linux"),
    LinkType(107, "Frame Relay", "frame_relay"),
    # Headers that the capture made.
    LinkType(113, "Linux cooked", "cooked"),
    LinkType(276, "Linux cooked v2", "cooked_2"),
    LinkType(239, "NFLOG", "nflog"),
    LinkType(253, "netlink", "netlink"),
    LinkType(192, "PPI", "ppi"),
    LinkType(258, "pktap", "pktap"),
    LinkType(197, "ERF", "erf"),
    LinkType(117, "pflog", "pflog"),
    LinkType(51, "PPPoE", "pppoe"),
    # Headers of fixed length.
    LinkType(109, "OpenBSD enc", Skip(12, RAW_IP)),
    LinkType(226, "Solaris ipnet", Skip(24, RAW_IP)),
    LinkType(138, "IP over FireWire", EtherTypeAt(16, 18)),
    LinkType(242, "IP over InfiniBand", EtherTypeAt(40, 44)),
    LinkType(204, "PPP with direction", Skip(1, PPP)),
    LinkType(166, "PPP of pppd", Skip(2, PPP)),
    LinkType(205, "Cisco HDLC with direction", Skip(1, LINK | 104)),
    LinkType(206, "Frame Relay with direction", Skip(1, LINK | 107)),
    # Ethernet as switch chips and capture cards hand it over.
    LinkType(281, "Ethernet with Broadcom tag", EtherTypeAt(16, 18)),
    LinkType(284, "Ethernet with Marvell tag", EtherTypeAt(16, 18)),
    LinkType(285, "Ethernet with Marvell EtherType tag", EtherTypeAt(20, 22)),
    LinkType(240, "netANALYZER", Skip(4, ETHERNET)),
    LinkType(282, "Ethernet with prepended Broadcom tag", Skip(4, ETHERNET)),
    LinkType(241, "netANALYZER with preamble", Skip(12, ETHERNET)),
    LinkType(123, "SunATM", Skip(4, LLC)),
)
NAMES = {link_type.number: link_type.name for link_type in LINK_TYPES}


def link_name(number: int) -> str:
    """``Ethernet``; ``link type 147`` where it is not supported."""
    return NAMES.get(number, f"link type {number}")


def numbers(header: str) -> tuple[int, ...]:
    """The link types that begin with a header."""
    return tuple(link_type.number for link_type in LINK_TYPES if link_type.header == header)


def skipped() -> tuple[tuple[int, int, int], ...]:
    """Number, length and what follows, of those whose header is skipped."""
    return tuple((each.number, *each.header) for each in LINK_TYPES if isinstance(each.header, Skip))


def with_ethertype() -> tuple[tuple[int, int, int], ...]:
    """Number, place of the EtherType and length, of those of whose header only that is read."""
    return tuple((each.number, *each.header) for each in LINK_TYPES if isinstance(each.header, EtherTypeAt))
