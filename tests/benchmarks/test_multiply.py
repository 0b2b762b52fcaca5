"""The benchmark's captures: copies of a slice against the same rewriting done packet by packet by scapy."""

import random
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from benchmarks.flood import syns
from benchmarks.multiply import GAP, Slice, multiply
from benchmarks.records import head, record_starts
from tests.lab.pcapfile import Packet, read, write

START = 1_700_000_000_900_000_000  # nearly a full second, so that copies carry over
SERVER = "10.1.2.2"


def recorded(path: Path) -> list[Packet]:
    """Connections between a few clients and a server; every length, right checksums."""
    choose, packets = random.Random(1), []
    for number in range(40):
        client, port = f"10.{choose.randrange(1, 200)}.{choose.randrange(256)}.9", choose.randrange(1024, 65536)
        ends = (client, SERVER, port, 80), (SERVER, client, 80, port)
        for side, flags in enumerate(("S", "SA", "A", "PA", "FA", "R")):
            source, target, sport, dport = ends[side % 2]
            segment = TCP(sport=sport, dport=dport, flags=flags, seq=choose.getrandbits(32))
            payload = Raw(choose.randbytes(choose.randrange(60))) if "P" in flags else b""
            frame = bytes(Ether(type=0x0800) / IP(src=source, dst=target) / segment / payload)
            moment = START + (number * 6 + side) * 1_234_567
            packets.append(Packet(moment, frame, len(frame) + 10))
    write(path, 1, packets)
    return packets


def moved(packet: Packet, turn: int, span: int) -> Packet:
    """The slow, obvious way of making a copy's packet."""
    frame = Ether(packet.data)
    for end in ("src", "dst"):
        address = getattr(frame[IP], end)
        if address != SERVER:
            first, second, rest = address.split(".", 2)
            setattr(frame[IP], end, f"{first}.{int(second) + turn}.{rest}")
    del frame[IP].chksum, frame[TCP].chksum
    return Packet(packet.time + turn * span, bytes(frame), packet.length)


def test_copies_are_what_scapy_makes_of_the_packets(tmp_path: Path) -> None:
    packets = recorded(tmp_path / "slice.pcap")
    multiply(Slice((tmp_path / "slice.pcap").read_bytes()), tmp_path / "copies.pcap", 3 * len(packets))
    span = packets[-1].time - packets[0].time + GAP
    expected = [moved(packet, turn, span) for turn in range(3) for packet in packets]
    assert read(tmp_path / "copies.pcap") == (1, expected)


def test_the_last_copy_may_be_a_part(tmp_path: Path) -> None:
    packets = recorded(tmp_path / "slice.pcap")
    multiply(Slice((tmp_path / "slice.pcap").read_bytes()), tmp_path / "copies.pcap", len(packets) + 7)
    assert len(read(tmp_path / "copies.pcap")[1]) == len(packets) + 7


def test_a_recording_is_cut_after_so_many_packets(tmp_path: Path) -> None:
    packets = recorded(tmp_path / "slice.pcap")
    head(tmp_path / "slice.pcap", tmp_path / "head.pcap", 11)
    assert read(tmp_path / "head.pcap") == (1, packets[:11])


def test_connections_and_tuples_are_counted(tmp_path: Path) -> None:
    packets = recorded(tmp_path / "slice.pcap")
    again = Ether(packets[0].data)
    again[TCP].seq += 1
    write(tmp_path / "slice.pcap", 1, [*packets, packets[0], Packet(START, bytes(again), 60)])
    assert Slice((tmp_path / "slice.pcap").read_bytes()).connections() == (41, 40)


def test_addresses_are_not_carried_over(tmp_path: Path) -> None:
    recorded(tmp_path / "slice.pcap")
    with pytest.raises(ValueError, match="too many copies"):
        Slice((tmp_path / "slice.pcap").read_bytes()).copy(65_000)


def test_what_the_laboratory_does_not_record_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path / "slice.pcap")
    data = (tmp_path / "slice.pcap").read_bytes()
    for wrong, reason in (
        (data[:-1], "not whole"),
        (b"\xd4" + data[1:], "not a pcap"),
        (data.replace(b"\x45\0", b"\x46\0"), "IPv4"),
    ):
        with pytest.raises(ValueError, match=reason):
            Slice(wrong)
    assert len(record_starts(data)) == 241


def test_the_flood_sends_what_scapy_would() -> None:
    frames = syns(200_000, SERVER)
    tuples = {(bytes(frame[26:30]), bytes(frame[34:36])) for frame in frames}
    assert len(tuples) == len(frames)
    for frame in frames[::9973]:
        rebuilt = Ether(bytes(frame))
        del rebuilt[IP].chksum, rebuilt[TCP].chksum
        assert bytes(rebuilt) == bytes(frame)
        assert rebuilt[TCP].flags == "S"
