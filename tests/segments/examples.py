"""One example for each link type, shim and tunnel that the decoder knows, all around the same segment."""

import struct

from tests.segments.build import MAC, TIMESTAMP, ethernet, ipv4, ipv6, snap, tcp, udp

SEGMENT = tcp(b"hello", options=TIMESTAMP)
PACKET = ipv4(SEGMENT)
PACKET6 = ipv6(SEGMENT)
INNER = ethernet(PACKET)
WLAN = b"\x08\x01\0\0" + bytes(20)


def little(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}H", *numbers)


def attribute(kind: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


LINKS = {
    "Ethernet": (1, INNER),
    "VLAN": (1, ethernet(PACKET, 0x0800, (0x8100, 5))),
    "QinQ": (1, ethernet(PACKET, 0x0800, (0x88A8, 5), (0x8100, 6))),
    "old QinQ, three deep": (1, ethernet(PACKET, 0x0800, (0x9100, 5), (0x9200, 6), (0x8100, 7))),
    "IPv6 in a VLAN": (1, ethernet(PACKET6, 0x86DD, (0x8100, 5))),
    "802.3 with SNAP": (1, ethernet(snap(PACKET), len(snap(PACKET)))),
    "802.3 in a VLAN": (1, ethernet(snap(PACKET), len(snap(PACKET)), (0x8100, 5))),
    "802.3 with IP's own SAP": (1, ethernet(b"\x06\x06\x03" + PACKET, 3 + len(PACKET))),
    "MPLS": (1, ethernet(b"\0\1\0\x40\0\1\1\x40" + PACKET, 0x8847)),
    "MPLS, Ethernet with control word": (1, ethernet(b"\0\1\1\x40" + bytes(4) + INNER, 0x8847)),
    "MPLS, Ethernet without": (1, ethernet(b"\0\1\1\x40" + INNER, 0x8848)),
    "PPPoE": (1, ethernet(b"\x11\0\0\1" + struct.pack(">HH", 2 + len(PACKET), 0x21) + PACKET, 0x8864)),
    "PPPoE, IPv6": (1, ethernet(b"\x11\0\0\1" + struct.pack(">HH", 2 + len(PACKET6), 0x57) + PACKET6, 0x8864)),
    "provider backbone bridge": (1, ethernet(bytes(4) + INNER, 0x88E7, (0x88A8, 5))),
    "FabricPath": (1, ethernet(b"\0\1" + INNER, 0x8903)),
    "VN-Tag": (1, ethernet(bytes(4) + b"\x08\0" + PACKET, 0x8926)),
    "HSR": (1, ethernet(bytes(4) + b"\x08\0" + PACKET, 0x892F)),
    "Cisco metadata": (1, ethernet(b"\1\1\0\1\0\5\x08\0" + PACKET, 0x8909)),
    "service function chain": (1, ethernet(b"\x0f\xc2\1\3" + bytes(4) + INNER, 0x894F)),
    "TRILL": (1, ethernet(b"\0\x3f\0\1\0\2" + INNER, 0x22F3)),
    "cooked": (113, b"\0\0\0\1\0\6" + bytes(8) + b"\x08\0" + PACKET),
    "cooked, LLC": (113, b"\0\0\0\1\0\6" + bytes(8) + b"\0\4" + snap(PACKET)),
    "cooked, version 2": (276, b"\x86\xdd" + bytes(6) + b"\0\1" + bytes(10) + PACKET6),
    "raw IP 12": (12, PACKET),
    "raw IP 14": (14, PACKET6),
    "raw IP 101": (101, PACKET6),
    "raw IPv4": (228, PACKET),
    "raw IPv6": (229, PACKET6),
    "null, little-endian": (0, b"\2\0\0\0" + PACKET),
    "null, big-endian": (0, b"\0\0\0\2" + PACKET),
    **{f"null, AF_INET6 {family}": (0, struct.pack("<I", family) + PACKET6) for family in (10, 23, 24, 28, 30)},
    "loop": (108, b"\0\0\0\x18" + PACKET6),
    "PPP": (9, b"\xff\x03\0\x21" + PACKET),
    "PPP, compressed": (9, b"\x21" + PACKET),
    "PPP, MPLS": (9, b"\xff\x03\2\x81\0\1\1\x40" + PACKET),
    "PPP in HDLC": (50, b"\xff\x03\0\x57" + PACKET6),
    "Cisco HDLC": (104, b"\x0f\0\x08\0" + PACKET),
    "PPPoE alone": (51, b"\x11\0\0\1" + struct.pack(">HH", 2 + len(PACKET), 0x21) + PACKET),
    "PPP with direction": (204, b"\1\xff\x03\0\x21" + PACKET),
    "PPP with direction for address": (166, b"\1\x03\0\x21" + PACKET),
    "Cisco HDLC with direction": (205, b"\1\x0f\0\x08\0" + PACKET),
    "frame relay, RFC 2427": (107, b"\x18\x41\x03\xcc" + PACKET),
    "frame relay, SNAP": (107, b"\x18\x41\x03\0\x80\0\0\0\x08\0" + PACKET),
    "frame relay, Cisco": (107, b"\x18\x41\x08\0" + PACKET),
    "frame relay with direction": (206, b"\1\x18\x41\x03\x8e" + PACKET6),
    "LLC on ATM": (100, snap(PACKET)),
    "Ethernet bridged on ATM": (100, b"\xaa\xaa\x03\0\x80\xc2\0\7\0\0" + INNER),
    "SunATM": (123, bytes(4) + snap(PACKET)),
    "FDDI": (10, b"\x50" + MAC + snap(PACKET)),
    "token ring": (6, b"\x10\x40" + MAC + snap(PACKET)),
    "token ring, routed": (6, b"\x10\x40" + MAC[:6] + b"\x82" + MAC[7:] + b"\6\0\1\2\3\4" + snap(PACKET)),
    "ARCNET, RFC 1051": (129, b"\1\2\0\0\xf0" + PACKET),
    "ARCNET, RFC 1201": (129, b"\1\2\0\0\xd4\0\0\1" + PACKET),
    "ARCNET of BSD, exception": (7, b"\1\2\xd4\xff\xff\xff\xff\0\0\1" + PACKET),
    "802.11": (105, WLAN + snap(PACKET)),
    "802.11, QoS": (105, b"\x88" + WLAN[1:] + b"\0\0" + snap(PACKET)),
    "802.11, bridged": (105, b"\x08\x03" + WLAN[2:] + bytes(6) + snap(PACKET)),
    "802.11, decrypted by the driver": (105, b"\x08\x41" + WLAN[2:] + bytes(8) + snap(PACKET)),
    "radiotap": (127, b"\0\0" + little(12) + bytes(8) + WLAN + snap(PACKET)),
    "AVS": (163, struct.pack(">II", 0x80211001, 64) + bytes(56) + WLAN + snap(PACKET)),
    "Prism": (119, bytes(144) + WLAN + snap(PACKET)),
    "PPI": (192, b"\0\0" + little(8) + struct.pack("<I", 105) + WLAN + snap(PACKET)),
    "Wi-Fi in Ethernet": (1, ethernet(WLAN + snap(PACKET), 0x2452)),
    "NFLOG": (239, b"\2\0\0\0" + attribute(10, b"eth0") + attribute(9, PACKET)),
    "NFLOG, big-endian": (239, b"\x0a\0\0\0" + attribute(10, b"a", ">") + attribute(9, PACKET6, ">")),
    "netlink": (
        253,
        b"\0\4\x03\x38" + bytes(10) + b"\0\x0c" + bytes(4) + b"\0\4" + bytes(10) + bytes(4) + attribute(9, PACKET),
    ),
    "pktap": (258, struct.pack("<III", 108, 1, 1) + bytes(96) + INNER),
    "ERF, Ethernet": (197, bytes(8) + b"\2" + bytes(7) + b"\0\0" + INNER),
    "ERF, HDLC, extended": (197, bytes(8) + b"\x81" + bytes(7) + bytes(8) + b"\x0f\0\x08\0" + PACKET),
    "pflog": (117, b"\x3d\2" + bytes(62) + PACKET),
    "enc": (109, bytes(12) + PACKET),
    "Solaris ipnet": (226, bytes(24) + PACKET),
    "FireWire": (138, bytes(16) + b"\x08\0" + PACKET),
    "InfiniBand": (242, bytes(40) + b"\x08\0\0\0" + PACKET),
    "Broadcom tag": (281, MAC + bytes(4) + b"\x08\0" + PACKET),
    "Broadcom tag in front": (282, bytes(4) + INNER),
    "Marvell tag": (284, MAC + bytes(4) + b"\x08\0" + PACKET),
    "Marvell tag with EtherType": (285, MAC + bytes(8) + b"\x08\0" + PACKET),
    "netANALYZER": (240, bytes(4) + INNER),
    "netANALYZER, transparent": (241, bytes(12) + INNER),
}

ERSPAN_3 = struct.pack(">III", 0x20000000, 0, 0)
GTP = b"\x30\xff" + struct.pack(">HI", len(PACKET), 1)
GTP_EXTENDED = b"\x34\xff" + struct.pack(">HI", len(PACKET) + 8, 1) + b"\0\0\0\x85" + b"\1\0\0\0"
TUNNELS = {
    "IP in IP": (4, PACKET),
    "IPv6 in IP": (41, PACKET6),
    "Ethernet in IP": (97, b"\x30\0" + INNER),
    "Ethernet in segment routing": (143, INNER),
    "MPLS in IP": (137, b"\0\1\1\x40" + PACKET),
    "authentication header": (51, b"\4\4\0\0" + bytes(20) + PACKET),
    "GRE": (47, b"\0\0\x08\0" + PACKET),
    "GRE with checksum, key, sequence": (47, b"\xb0\0\x08\0" + bytes(12) + PACKET),
    "NVGRE": (47, b"\x20\0\x65\x58" + bytes(4) + INNER),
    "PPTP": (47, b"\x30\x81\x88\x0b" + bytes(12) + b"\xff\x03\0\x21" + PACKET),
    "EoIP": (47, b"\x20\1\x64\0" + bytes(4) + INNER),
    "WCCP": (47, b"\0\0\x88\x3e" + PACKET),
    "WCCP 2": (47, b"\0\0\x88\x3e" + bytes(4) + PACKET),
    "ERSPAN I": (47, b"\0\0\x88\xbe" + INNER),
    "ERSPAN II": (47, b"\x10\0\x88\xbe" + bytes(4) + bytes(8) + INNER),
    "ERSPAN III": (47, b"\x10\0\x22\xeb" + bytes(4) + ERSPAN_3 + INNER),
    "ERSPAN III with subheader": (47, b"\x10\0\x22\xeb" + bytes(4) + ERSPAN_3[:11] + b"\1" + bytes(8) + INNER),
    "VXLAN": (17, udp(b"\x08" + bytes(7) + INNER, ports=(50000, 4789))),
    "VXLAN of old Linux": (17, udp(b"\x08" + bytes(7) + INNER, ports=(8472, 50000))),
    "VXLAN-GPE": (17, udp(b"\x0c\0\0\2" + bytes(4) + PACKET6, ports=(50000, 4790))),
    "Geneve": (17, udp(b"\1\0\x65\x58" + bytes(8) + INNER, ports=(50000, 6081))),
    "Geneve, IP": (17, udp(b"\0\0\x08\0" + bytes(4) + PACKET, ports=(50000, 6081))),
    "GTP": (17, udp(GTP + PACKET, ports=(2152, 2152))),
    "GTP with extension headers": (17, udp(GTP_EXTENDED + PACKET, ports=(2152, 2152))),
    "GTP 0": (17, udp(b"\x1e\xff" + bytes(18) + PACKET, ports=(3386, 3386))),
    "L2TP": (17, udp(b"\0\2\0\1\0\1\xff\x03\0\x21" + PACKET, ports=(1701, 1701))),
    "L2TP with all fields": (17, udp(b"\x4a\2" + bytes(10) + b"\0\2" + bytes(2) + b"\x21" + PACKET, ports=(9, 1701))),
    "Teredo": (17, udp(PACKET6, ports=(50000, 3544))),
    "Teredo with indications": (17, udp(b"\0\1\0\0" + bytes(9) + bytes(8) + PACKET6, ports=(50000, 3544))),
    "TZSP": (17, udp(b"\1\0\0\1" + b"\x0a\1\0" + b"\0\1" + INNER, ports=(50000, 37008))),
    "LISP": (17, udp(bytes(8) + PACKET, ports=(50000, 4341))),
    "MPLS in UDP": (17, udp(b"\0\1\1\x40" + PACKET, ports=(50000, 6635))),
}
