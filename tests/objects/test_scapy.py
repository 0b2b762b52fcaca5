"""Packets of scapy: exact times, the bytes that were captured, the link they are of, and what is no packet."""

from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scapy.all import conf  # what scapy.config alone gives does not know the link types
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, Ether, Loopback
from scapy.packet import Packet, Raw
from scapy.utils import EDecimal, rdpcap

import analyzer
from analyzer.capture import open_captures
from analyzer.capture.objects.frames import nanoseconds
from analyzer.capture.objects.scapy_packets import frames, untouched
from analyzer.errors import UsageError
from analyzer.results.pandas_types import epoch_ns
from tests.captures import OWN, public
from tests.objects.tables import LATE_FIN, LEAK


def refused(first: Any, **fields: Any) -> list[Packet]:
    """A SYN and its RST, on a link of which ``first`` makes a header."""
    there = first("10.0.0.1", "10.0.0.2") / TCP(sport=1000, dport=80, flags="S", seq=1)
    back = first("10.0.0.2", "10.0.0.1") / TCP(sport=80, dport=1000, flags="RA", seq=0, ack=2)
    for packet, time in ((there, 100.000001), (back, 100.000002)):
        packet.time = time
    return [there, back]


def ip(source: str, target: str) -> Packet:
    return IP(src=source, dst=target)


LINKS = {
    "Ethernet": lambda a, b: Ether() / ip(a, b),
    "raw IP": ip,
    "raw IPv6": lambda a, b: IPv6(src=f"::ffff:{a}", dst=f"::ffff:{b}"),
    "Linux cooked": lambda a, b: CookedLinux(proto=0x800) / ip(a, b),
    "BSD loopback": lambda a, b: Loopback(type=2) / ip(a, b),
}


@pytest.mark.parametrize("link", LINKS)
def test_the_class_of_a_packet_tells_its_link(link: str) -> None:
    result = analyzer.analyze(refused(LINKS[link]))
    assert result.flows["teardown"].tolist() == ["never-established"]
    assert result.summary.link_types == [link.replace("v6", "")]


def test_a_class_of_ones_own_is_of_the_link_that_it_derives_from() -> None:
    class Mine(Ether):
        pass

    assert len(analyzer.analyze(refused(lambda a, b: Mine() / ip(a, b))).flows) == 1


def test_ipv4_and_ipv6_without_link_layer_are_of_one_interface() -> None:
    both = [*refused(ip), *refused(LINKS["raw IPv6"])]
    assert {frame.link for frame in frames(both)} == {101}


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_every_packet_is_what_stands_in_the_file(path: Any) -> None:
    made = list(frames(rdpcap(str(path))))
    with open_captures(path) as capture:
        for batch in capture:
            for row in batch.rows:
                frame = made[int(row["frame"]) - 1]
                begin = int(row["offset"])
                data = batch.data[begin : begin + int(row["captured"])].tobytes()
                assert (frame.time, frame.length, frame.data, frame.link) == (
                    row["time"],
                    row["length"],
                    data,
                    row["link"],
                )


@pytest.mark.parametrize("path", public())
def test_packets_that_nobody_changed_give_the_bytes_that_were_read(path: Any) -> None:
    """Also those of layers that scapy cannot write as they were."""
    if path.stat().st_size > 100_000:
        pytest.skip("scapy takes long for it")
    try:
        with path.open("rb") as file:
            packets = rdpcap(file)
    except Exception as error:
        pytest.skip(f"scapy does not read it: {error}")
    tcp = [packet for packet in packets if TCP in packet and type(packet[TCP].payload).__name__ in ("Raw", "NoPayload")]
    assert all(map(untouched, tcp))


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (EDecimal("1700000000.123456789"), 1700000000_123456789),
        (Decimal("-1.750000001"), -1_750000001),
        (EDecimal(1700000000123456789) / 1000000000, 1700000000_123456789),
        (
            Decimal(1) + Decimal.from_float(0.000001) * 999999,
            1_999999000,
        ),  # what older releases of scapy make of microseconds
        (Decimal("0.9999999999"), 999999999),  # finer than a nanosecond: dropped, as everywhere
        (1700000000.123456, 1700000000_123456000),
        (np.float64(1700000000.5), 1700000000_500000000),
        (1700000000, 1700000000_000000000),
        ("1700000000.000000001", 1700000000_000000001),
    ],
)
def test_times_are_exact(time: object, expected: int) -> None:
    assert nanoseconds(time, "packet 1") == expected


@pytest.mark.parametrize("time", [None, float("nan"), float("inf"), "soon", 1e30, Decimal("NaN")])
def test_what_is_no_time_is_said(time: Any) -> None:
    packets = refused(ip)
    packets[1].time = time
    with pytest.raises(UsageError, match="packet 2 has no valid time"):
        analyzer.analyze(packets)


def test_nanoseconds_arrive_in_the_tables() -> None:
    packets = refused(ip)
    packets[0].time = EDecimal("1700000000.123456789")
    packets[1].time = EDecimal("1700000000.123456790")
    assert epoch_ns(analyzer.analyze(packets).flows["first_epoch"])[0] == 1700000000_123456789


def test_the_length_on_the_wire_counts() -> None:
    packet = Ether(bytes(Ether() / ip("10.0.0.1", "10.0.0.2") / TCP(flags="A") / Raw(b"x" * 1000))[:60])
    packet.wirelen, packet.time = 1054, 1.0
    (frame,) = frames([packet])
    assert (frame.length, len(frame.data)) == (1054, 60)
    assert (
        analyzer.analyze([packet]).flows["client_bytes"][0] + analyzer.analyze([packet]).flows["server_bytes"][0]
        == 1000
    )


def changed(how: str) -> Packet:
    """The first segment with data of a capture, changed."""
    packet = rdpcap(str(LATE_FIN))[3]
    assert untouched(packet)
    if how == "a field":
        packet[TCP].flags = "FA"
    elif how == "an address":
        packet[IP].src = "10.9.9.9"
    elif how == "an option in its list":
        packet[TCP].options[0] = ("Timestamp", (1, 2))
    elif how == "payload taken out":
        packet[TCP].remove_payload()
    elif how == "other payload":
        packet[TCP].payload = Raw(b"other")
    elif how == "a checksum":
        del packet[IP].chksum
    return packet


@pytest.mark.parametrize(
    "how", ["a field", "an address", "an option in its list", "payload taken out", "other payload", "a checksum"]
)
def test_a_packet_that_was_changed_is_read_as_it_is_now(how: str) -> None:
    packet = changed(how)
    assert not untouched(packet)
    for _ in range(2):  # looking at it changes nothing
        (frame,) = frames([packet])
        assert frame.data == bytes(packet)


def test_a_generator_is_read_once_and_never_kept() -> None:
    given = 0

    def packets() -> Iterator[Packet]:
        nonlocal given
        for packet in rdpcap(str(LEAK)):
            given += 1
            yield packet

    result = analyzer.analyze(packets())
    assert given == result.summary.packets
    with pytest.raises(UsageError, match="came from an iterator"):
        result.packets(0)


def test_one_packet_and_no_packet() -> None:
    assert len(analyzer.analyze(refused(ip)[0]).flows) == 1
    assert len(analyzer.analyze(rdpcap(str(LEAK))[:0]).flows) == 0


def test_bytes_that_scapy_had_no_class_for_are_counted() -> None:
    result = analyzer.analyze([*refused(LINKS["Ethernet"]), Raw(b"something")])
    assert len(result.flows) == 1
    assert sum(result.summary.not_understood.values()) == 1


@pytest.mark.parametrize(
    ("things", "said"),
    [
        ([TCP()], "packet 1 begins with TCP, for which scapy has no link type"),
        ([Ether() / ip("10.0.0.1", "10.0.0.2"), UDP()], "packet 2 begins with UDP"),
        ([Ether() / ip("10.0.0.1", "10.0.0.2"), "a.pcap"], "item 2 is str, but the first is a scapy packet"),
        (["a.pcap", Ether()], "Ether among paths: analyze.. takes a path"),
        ([Ether() / IP(ttl="many")], "scapy cannot write packet 1"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_number(things: list[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        analyzer.analyze(things)


@pytest.mark.parametrize("kind", ["names", "objects"])
def test_interfaces_keep_their_names(kind: str) -> None:
    names = ("eth0", "eth1", "eth0")
    packets = [packet for _ in names for packet in refused(LINKS["Ethernet"])[:1]]
    for packet, name in zip(packets, names, strict=True):
        packet.sniffed_on = name if kind == "names" else SimpleNamespace(name=name)  # as scapy's NetworkInterface
    result = analyzer.analyze(packets, keep_segments=True)
    assert result.segments is not None
    assert result.segments["interface"].tolist() == [0, 1, 0]


def test_what_an_iterator_raises_is_raised() -> None:
    def packets() -> Iterator[Packet]:
        yield from refused(ip)
        raise RuntimeError("the capture was pulled out")

    with pytest.raises(RuntimeError, match="pulled out"):
        analyzer.analyze(packets())


def test_the_table_of_link_types_is_scapys() -> None:
    assert conf.l2types.layer2num[Ether] == 1
