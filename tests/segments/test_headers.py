"""Every way to a TCP header that the decoder knows, one example each; and what it must not take for one."""

import struct

import numpy as np
import pytest

from analyzer.segments import Decoder
from analyzer.segments.header_numbers import VOCABULARY
from analyzer.segments.table import (
    BAD_OFFSET,
    CUT_HEADER,
    HAS_FIRST_BYTE,
    HAS_IP_ID,
    HAS_TIMESTAMP,
    IPV6,
    LENGTH_BEYOND,
    NO_FRAGMENT,
    NO_IP_LENGTH,
    PADDED,
    PART,
    QUOTED,
    SHORT_QUOTE,
    TUNNELLED,
)
from tests.segments.build import (
    A6,
    B6,
    TIMESTAMP,
    A,
    B,
    Frame,
    batch,
    decode,
    ethernet,
    extension,
    ipv4,
    ipv6,
    tcp,
    udp,
)
from tests.segments.examples import INNER, LINKS, PACKET, PACKET6, SEGMENT, TUNNELS, WLAN


def assert_ordinary(segments: np.ndarray, marks: int) -> None:
    """That there is one segment, the one above, with ``marks`` beside those that it always has."""
    (row,) = segments
    assert (row["src_port"], row["dst_port"], row["seq"], row["ack"]) == (40000, 80, 1000, 2000)
    assert (row["flags"], row["window"], row["payload_len"], row["first_byte"]) == (16, 512, 5, ord("h"))
    assert (row["ts_val"], row["ts_ecr"], row["window_scale"], row["sender"]) == (1000, 2000, -1, -1)
    assert row["ttl"] == 64
    version = IPV6 if row["marks"] & IPV6 else HAS_IP_ID | NO_FRAGMENT
    assert row["marks"] == marks | version | HAS_TIMESTAMP | HAS_FIRST_BYTE


@pytest.mark.parametrize(("link", "data"), LINKS.values(), ids=LINKS)
def test_link_layers_lead_to_the_segment(link: int, data: bytes) -> None:
    assert_ordinary(decode(Frame(data, link=link)), 0)


@pytest.mark.parametrize(("protocol", "payload"), TUNNELS.values(), ids=TUNNELS)
@pytest.mark.parametrize("version", [4, 6])
def test_tunnels_lead_to_the_inner_segment(protocol: int, payload: bytes, version: int) -> None:
    packet = ipv4(payload, ends=("192.0.2.1", "192.0.2.2"), protocol=protocol)
    if version == 6:
        packet = ipv6(payload, ends=("fd00::1", "fd00::2"), following=protocol)
    decoder = Decoder()
    segments = decoder.decode(batch([Frame(packet, link=101)]))
    assert_ordinary(segments, TUNNELLED)
    assert decoder.book.texts() in ([A, B], [A6, B6])


EXTENSIONS = {
    "hop-by-hop": (0, extension(6, SEGMENT)),
    "routing": (43, extension(6, SEGMENT, bytes(22))),
    "destination options twice": (60, extension(60, extension(6, SEGMENT))),
    "mobility": (135, extension(6, SEGMENT)),
    "authentication": (51, b"\6\4\0\0" + bytes(20) + SEGMENT),
    "atomic fragment": (44, b"\6\0\0\0\0\0\0\1" + SEGMENT),
    "hop-by-hop, then routing": (0, extension(43, extension(6, SEGMENT))),
}


@pytest.mark.parametrize(("following", "payload"), EXTENSIONS.values(), ids=EXTENSIONS)
def test_ipv6_extension_headers_are_no_payload(following: int, payload: bytes) -> None:
    assert_ordinary(decode(Frame(ipv6(payload, following=following), link=229)), 0)


def test_ip_options_are_no_payload() -> None:
    assert_ordinary(decode(ethernet(ipv4(SEGMENT, options=b"\x94\4\0\0"))), 0)


def test_padding_is_no_payload() -> None:
    (row,) = decode(ethernet(ipv4(tcp())) + bytes(6))
    assert row["payload_len"] == 0
    assert not row["marks"] & HAS_FIRST_BYTE


PADDED_FRAMES = {
    "counted in the IP length": ethernet(ipv4(tcp(), total=46)) + bytes(6),
    "and more behind it": ethernet(ipv4(tcp(), total=46)) + bytes(6) + b"FCS!",
    "after a SYN": ethernet(ipv4(tcp(flags=2, options=b"\2\4\5\xb4"), total=46)) + bytes(2),
    "of a FIN": ethernet(ipv4(tcp(flags=0x11), total=46)) + bytes(6),
    "without IP length": ethernet(ipv4(tcp(), total=0)) + bytes(6),
    "with the frame check sequence": ethernet(ipv4(tcp(), total=0)) + bytes(6) + b"FCS!",
    "in a VLAN": ethernet(ipv4(tcp(), total=46), 0x0800, (0x8100, 5)) + bytes(6),
    "in a VLAN, of 60 bytes": ethernet(ipv4(tcp(), total=42), 0x0800, (0x8100, 5)) + bytes(2),
    "in a tunnel": ethernet(ipv4(ipv4(tcp(), total=46) + bytes(6), protocol=4)),
}
NOT_PADDED = {
    "PSH": ethernet(ipv4(tcp(bytes(6), flags=0x18))),
    "not zero": ethernet(ipv4(tcp(b"\0\0\0\0\0\1"))),
    "shorter": ethernet(ipv4(tcp(bytes(5)))) + bytes(1),
    "longer": ethernet(ipv4(tcp(bytes(7)))),
    "more than padding": ethernet(ipv4(tcp(bytes(7), options=b""), total=0)),
    "not captured": Frame(ethernet(ipv4(tcp(bytes(6))))[:59], length=60),
    "beyond the frame": Frame(ethernet(ipv4(tcp(bytes(6)), total=60))),
    "no check sequence": ethernet(ipv4(tcp(bytes(10)))),
    "no Ethernet frame of 60 bytes": Frame(ipv4(tcp(bytes(4), options=bytes(16))), link=101),
}


@pytest.mark.parametrize("frame", PADDED_FRAMES.values(), ids=PADDED_FRAMES)
def test_padding_that_somebody_counted_is_marked(frame: bytes) -> None:
    (row,) = decode(frame)
    assert row["marks"] & PADDED and row["payload_len"] > 0


@pytest.mark.parametrize("frame", NOT_PADDED.values(), ids=NOT_PADDED)
def test_what_is_no_padding_is_not_marked(frame: bytes | Frame) -> None:
    assert not (decode(frame)["marks"] & PADDED).any()


def test_ip_length_zero_means_to_the_end_of_the_frame() -> None:
    for packet, ethertype in ((ipv4(SEGMENT, total=0), 0x0800), (ipv6(SEGMENT, length=0), 0x86DD)):
        (row,) = decode(Frame(ethernet(packet, ethertype), length=14 + len(packet) + 60000))
        assert row["payload_len"] == 60005
        assert row["marks"] & NO_IP_LENGTH


def test_ip_length_beyond_the_frame_counts_to_its_end() -> None:
    for packet, ethertype in ((ipv4(SEGMENT, total=1500), 0x0800), (ipv6(SEGMENT, length=1500), 0x86DD)):
        (row,) = decode(ethernet(packet, ethertype))
        assert row["payload_len"] == 5
        assert row["marks"] & LENGTH_BEYOND


def test_jumbogram() -> None:
    options = b"\xc2\4" + struct.pack(">I", 8 + len(tcp()) + 100_000)
    packet = ipv6(extension(6, tcp(), options), following=0, length=0)
    (row,) = decode(Frame(ethernet(packet, 0x86DD), length=14 + len(packet) + 100_000))
    assert row["payload_len"] == 100_000
    assert not row["marks"] & NO_IP_LENGTH


def test_snap_length_does_not_shorten_the_payload() -> None:
    frame = ethernet(ipv4(tcp(bytes(1000))))
    (row,) = decode(Frame(frame[:60], length=len(frame)))
    assert row["payload_len"] == 1000
    assert not row["marks"] & CUT_HEADER


@pytest.mark.parametrize("kept", range(35))
def test_header_cut_by_the_snap_length(kept: int) -> None:
    """16 bytes give a row (Wireshark numbers it then); options that are not whole are not there."""
    frame = ethernet(ipv4(tcp(b"hello", options=TIMESTAMP)))
    decoder = Decoder()
    segments = decoder.decode(batch([Frame(frame[: 34 + kept], length=len(frame))]))
    assert len(segments) == (kept >= 16)
    assert decoder.counts == ({} if kept >= 16 else {"headers cut": 1})
    for row in segments:
        assert row["payload_len"] == 5
        assert bool(row["marks"] & CUT_HEADER) == (kept < 32)
        assert bool(row["marks"] & HAS_TIMESTAMP) == (kept >= 32)
        assert bool(row["marks"] & HAS_FIRST_BYTE) == (kept > 32)


def test_impossible_data_offsets() -> None:
    rows = decode(*(ethernet(ipv4(tcp(b"x" * 8, offset=offset))) for offset in (0, 4, 5, 7, 8, 15)))
    assert rows["payload_len"].tolist() == [0, 0, 8, 0, 0, 0]
    marks = rows["marks"] & (BAD_OFFSET | CUT_HEADER)
    assert marks.tolist() == [BAD_OFFSET, BAD_OFFSET, 0, 0, BAD_OFFSET | CUT_HEADER, BAD_OFFSET | CUT_HEADER]


def test_tcp_header_that_the_ip_length_cuts() -> None:
    decoder = Decoder()
    assert len(decoder.decode(batch([Frame(ethernet(ipv4(tcp(), total=20 + 15)))]))) == 0
    assert decoder.counts == {"malformed headers": 1}


WSCALE = b"\3\3\7\1"
OPTIONS = {
    "none": (b"", -1, None),
    "window scale": (WSCALE, 7, None),
    "window scale too great": (b"\3\3\x0f\1", 14, None),
    "of a SYN as Linux sends it": (b"\2\4\5\xb4\4\2\x08\x0a" + struct.pack(">II", 5, 6) + b"\1\3\3\7", 7, (5, 6)),
    "timestamp last, unaligned": (b"\1\x08\x0a" + struct.pack(">II", 5, 6) + b"\0", -1, (5, 6)),
    "nothing after the end": (b"\0" + WSCALE[:3], -1, None),
    "length 0 ends it": (b"\x05\0" + WSCALE[:2] + WSCALE, -1, None),
    "length 1 ends it": (b"\x05\1" + WSCALE[:2] + WSCALE, -1, None),
    "length beyond ends it": (b"\x05\x09" + b"\3\3" + WSCALE, -1, None),
    "length missing": (b"\1\1\1\x08", -1, None),
    "timestamp of another length": (b"\x08\6\1\2\3\4\1\1", -1, None),
    "window scale of another length": (b"\3\4\7\7", -1, None),
    "timestamp that is not whole": (b"\1\1\x08\x0a\0\0\0\0", -1, None),
}


@pytest.mark.parametrize(("options", "scale", "stamps"), OPTIONS.values(), ids=OPTIONS)
def test_tcp_options(options: bytes, scale: int, stamps: tuple[int, int] | None) -> None:
    (row,) = decode(ethernet(ipv4(tcp(flags=2, options=options))))
    assert row["window_scale"] == scale
    assert bool(row["marks"] & HAS_TIMESTAMP) == (stamps is not None)
    assert (row["ts_val"], row["ts_ecr"]) == (stamps or (0, 0))


def test_window_scale_counts_in_a_syn_only() -> None:
    (row,) = decode(ethernet(ipv4(tcp(flags=0x10, options=WSCALE))))
    assert row["window_scale"] == -1


def test_all_flags_and_reserved_bits() -> None:
    (row,) = decode(ethernet(ipv4(tcp(flags=0xFFF))))
    assert row["flags"] == 0xFFF


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_header_quoted_in_an_icmp_error(kind: int) -> None:
    """The quoted packet's own ends and length, whatever the router cut."""
    quoted = ipv4(tcp(bytes(500), options=TIMESTAMP))
    decoder = Decoder()
    frame = ethernet(ipv4(bytes([kind, 10]) + bytes(6) + quoted[:52], ends=("192.0.2.9", A), protocol=1))
    (row,) = decoder.decode(batch([Frame(frame)]))
    assert (row["src_port"], row["dst_port"], row["payload_len"]) == (40000, 80, 500)
    assert row["marks"] & (QUOTED | TUNNELLED | HAS_TIMESTAMP | SHORT_QUOTE) == QUOTED
    assert (row["ts_val"], decoder.book.text(row["ts_ecr"])) == (kind * 256 + 10, "192.0.2.9")


@pytest.mark.parametrize("kept", [48, 56, 500])
def test_header_quoted_in_an_icmpv6_error(kept: int) -> None:
    decoder = Decoder()
    frame = Frame(ipv6(b"\3\1" + bytes(6) + PACKET6[:kept], ends=("2001:db8::9", A6), following=58), link=229)
    (row,) = decoder.decode(batch([frame]))
    assert row["marks"] & (QUOTED | TUNNELLED | IPV6) == QUOTED | IPV6
    assert bool(row["marks"] & SHORT_QUOTE) == (kept < 56)
    assert (row["ts_val"], decoder.book.text(row["ts_ecr"])) == (3 * 256 + 1, "2001:db8::9")


@pytest.mark.parametrize("quoted", range(20))
@pytest.mark.parametrize("behind", [0, 4, 20])
def test_icmp_error_that_quotes_a_few_bytes(quoted: int, behind: int) -> None:
    """Eight of them tell which segment is meant. What stands in the frame behind the ICMP error is none of it."""
    decoder = Decoder()
    frame = ethernet(ipv4(b"\3\1" + bytes(6) + PACKET[: 20 + quoted], ends=(B, A), protocol=1)) + b"?" * behind
    rows = decoder.decode(batch([Frame(frame)]))
    assert decoder.counts == ({} if quoted >= 8 else {"headers cut": 1})
    for row in rows:
        assert bool(row["marks"] & SHORT_QUOTE) == (quoted < 16)
        assert (row["src_port"], row["dst_port"], row["seq"], row["ip_id"]) == (40000, 80, 1000, 7)
        assert (row["ack"], row["flags"], row["window"]) == ((0, 0, 0) if quoted < 16 else (2000, 16, 512))
        assert (row["payload_len"], row["window_scale"]) == (0 if quoted < 16 else 5, -1)
        assert (row["ts_val"], decoder.book.text(row["ts_ecr"])) == (3 * 256 + 1, B)


@pytest.mark.parametrize(
    ("error", "mtu"),
    [(b"\3\4\0\0\0\0\5\x78", 1400), (b"\3\4" + bytes(6), 0), (b"\3\1\0\0\0\0\5\x78", 512)],
)
def test_next_hop_mtu_of_icmp(error: bytes, mtu: int) -> None:
    """It stands in the column of the window; other errors leave the quoted one there."""
    (row,) = decode(Frame(ethernet(ipv4(error + PACKET, ends=("192.0.2.9", A), protocol=1))))
    assert row["marks"] & QUOTED and row["window"] == mtu


@pytest.mark.parametrize(("said", "mtu"), [(1280, 1280), (65536 + 1280, 0), (0, 0)])
def test_mtu_of_icmpv6(said: int, mtu: int) -> None:
    error = b"\2\0\0\0" + said.to_bytes(4, "big")
    (row,) = decode(Frame(ipv6(error + PACKET6, ends=("2001:db8::9", A6), following=58), link=229))
    assert row["marks"] & QUOTED and row["window"] == mtu


QUOTE = b"\3\3" + bytes(6)
OF_ANOTHER_PACKET = {
    "an error in an error": ipv4(QUOTE + ipv4(QUOTE + PACKET, protocol=1), protocol=1),
    "a tunnel in an error": ipv4(QUOTE + ipv4(PACKET, protocol=4), protocol=1),
    "ICMP of the other version": ipv6(QUOTE + PACKET, following=1),
}


@pytest.mark.parametrize("packet", OF_ANOTHER_PACKET.values(), ids=OF_ANOTHER_PACKET)
def test_what_an_error_says_of_another_packet_is_not_said_of_this_one(packet: bytes) -> None:
    (row,) = decode(Frame(packet, link=101))
    assert row["marks"] & QUOTED and (row["ts_val"], row["ts_ecr"]) == (0, 0)


def test_an_error_in_a_tunnel_is_one() -> None:
    (row,) = decode(Frame(ipv4(ipv4(QUOTE + PACKET, ends=(B, A), protocol=1), protocol=4), link=101))
    assert (row["ts_val"], row["ts_ecr"]) == (3 * 256 + 3, row["dst"])


def test_icmp_error_that_quotes_fragments() -> None:
    decoder = Decoder()
    frames = [ethernet(ipv4(b"\3\1" + bytes(6) + ipv4(SEGMENT, fragment=at), protocol=1)) for at in (0x2000, 0x2001)]
    assert len(decoder.decode(batch([Frame(frame) for frame in frames]))) == 1
    assert decoder.counts == {"ICMP quoting a fragment": 1}


def test_first_fragment_that_was_cut_speaks_for_itself() -> None:
    frame = ethernet(ipv4(tcp(bytes(480)), fragment=0x2000))
    (row,) = decode(Frame(frame[:96], length=len(frame)))
    assert row["payload_len"] == 480
    assert row["marks"] & PART


NOT_TCP = {
    "not IP": [
        (1, ethernet(bytes(28), 0x0806)),
        (1, ethernet(b"\x42\x42\x03" + bytes(35), 38)),
        (9, b"\xff\x03\xc0\x21"),
    ],
    "UDP": [(101, ipv4(udp(b"query"), protocol=17)), (101, ipv4(udp(b"", ports=(1, 4789)), protocol=17))],
    "ICMP": [(101, ipv4(b"\x08\0" + bytes(60), protocol=1)), (101, ipv6(b"\x80\0" + bytes(6), following=58))],
    "other IP protocols": [(101, ipv4(bytes(40), protocol=132)), (101, ipv6(bytes(40), following=50))],
    "malformed headers": [(228, ipv4(SEGMENT, total=19)), (228, b"\x44" + PACKET[1:]), (101, b"\x55" + PACKET[1:])],
    "headers cut": [(1, b""), (1, INNER[:13]), (1, INNER[:20]), (101, b"")],
    "encrypted": [(105, b"\x08\x41" + WLAN[2:] + bytes(60))],
    "link type 189 not supported": [(189, bytes(60))],
}


@pytest.mark.parametrize("reason", NOT_TCP)
def test_what_gives_no_segment_is_counted(reason: str) -> None:
    frames = [Frame(data, length=max(len(data), 60), link=link) for link, data in NOT_TCP[reason]]
    decoder = Decoder()
    assert len(decoder.decode(batch(frames))) == 0
    assert decoder.counts == {reason: len(frames)}
    assert sum(decoder.details.values()) == len(frames)
    assert reason in VOCABULARY or "link type" in reason


def test_details_name_the_ethertype() -> None:
    decoder = Decoder()
    decoder.decode(batch([Frame(ethernet(bytes(40), 0x88CC)), Frame(ethernet(ipv4(bytes(40), protocol=132)))]))
    assert decoder.details == {"EtherType 0x88cc": 1, "IP protocol 132": 1}


def test_nesting_is_bounded() -> None:
    packet = PACKET
    for _ in range(40):
        packet = ipv4(packet, protocol=4)
    decoder = Decoder()
    assert len(decoder.decode(batch([Frame(packet, link=228)]))) == 0
    assert decoder.counts == {"nested too deeply": 1}


def test_a_frame_longer_on_the_wire_than_any_length_field() -> None:
    (row,) = decode(Frame(ethernet(ipv4(SEGMENT)), length=2**32 - 1))
    assert row["payload_len"] == 5


def test_interfaces_beyond_254_are_one() -> None:
    packets = batch([Frame(INNER), Frame(INNER), Frame(INNER)])
    packets.rows["interface"] = (0, 254, 60000)
    assert Decoder().decode(packets)["interface"].tolist() == [0, 254, 255]
