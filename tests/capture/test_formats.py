"""Variants of the formats, and what is said of files that are none of them."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from analyzer.capture import open_captures
from analyzer.errors import UnreadableCapture, UsageError
from tests.capture.build import EPOCH, interface, notes, pcap, read, rows_of, section

PACKETS = [(EPOCH + number, number * 1000 + 7, bytes([0x80 + number]) * (40 + number)) for number in range(6)]
needs_editcap = pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap (Wireshark) is not installed")


def file(folder: Path, data: bytes, name: str = "capture.pcap") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def complaint(path: Path | str) -> str:
    with pytest.raises(UnreadableCapture) as caught:
        open_captures([path])
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_pcap_orders_and_units(order: str, magic: int, tick: int) -> None:
    rows, _ = read(pcap(PACKETS, order, magic))
    assert [row[1] for row in rows] == [second * 10**9 + part * tick for second, part, _ in PACKETS]
    assert [row[5] for row in rows] == [data for _, _, data in PACKETS]


@pytest.mark.parametrize(
    ("magic", "extra"),
    [
        (0xA1B2CD34, struct.pack("<IHBx", 2, 0x0800, 4)),
        (0xA1B2C3D4, struct.pack("<IHBx", 2, 0x0800, 0)),
        (0xA1B2CD34, struct.pack("<IHB5x", 2, 0x0800, 0)),
        (0xA1B2C3D4, struct.pack("<I", 0x9FBFB601)),
    ],
    ids=["modified", "modified with the usual magic", "modified twice", "nokia"],
)
def test_pcap_with_longer_records(magic: int, extra: bytes) -> None:
    rows, info = read(pcap(PACKETS, magic=magic, extra=extra))
    assert [row[5] for row in rows] == [data for _, _, data in PACKETS]
    assert notes(info) == ""


@needs_editcap
@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "modpcap", "suse6_3pcap", "rh6_1pcap", "pcapng", "snoop"])
def test_formats_written_by_wireshark(form: str, tmp_path: Path) -> None:
    original = file(tmp_path, pcap(PACKETS))
    converted = tmp_path / "converted"
    subprocess.run(["editcap", "-F", form, original, converted], check=True, capture_output=True)
    with open_captures([converted]) as stream:
        rows = [row for batch in stream for row in rows_of(batch)]
        assert stream.notices == []
    assert rows == read(pcap(PACKETS))[0]


@pytest.mark.parametrize("version", [(2, 2), (543, 0)])
def test_pcap_with_lengths_the_other_way_round(version: tuple[int, int]) -> None:
    data = bytearray(pcap(PACKETS[:1], version=version))
    data[32:36], data[36:40] = data[36:40], data[32:36]
    assert read(bytes(data))[0] == read(pcap(PACKETS[:1]))[0]


def test_pcap_of_version_2_3_may_have_them_either_way() -> None:
    data = bytearray(pcap(PACKETS[:2], version=(2, 3)))
    data[32:36], data[36:40] = data[36:40], data[32:36]
    assert read(bytes(data))[0] == read(pcap(PACKETS[:2]))[0]


def test_pcap_of_aix() -> None:
    data = bytearray(pcap(PACKETS[:1], version=(2, 2), link=6))
    data[32:36], data[36:40] = data[36:40], data[32:36]
    ((_, time, _, link, _, _),) = read(bytes(data))[0]
    assert (time, link) == (EPOCH * 10**9 + 7, 1)


def test_link_type_has_16_bits() -> None:
    assert {row[3] for row in read(pcap(PACKETS, link=0x14000001))[0]} == {1}


def test_fraction_beyond_a_second() -> None:
    rows, info = read(pcap([(EPOCH, 5, b"x"), (EPOCH, 1_500_000, b"y"), (EPOCH, 2_000_000, b"z")]))
    assert rows[1][1] == EPOCH * 10**9 + 1_500_000_000
    assert "2 packets (first: packet 2) with a fraction of a second that is a second or more" in notes(info)


def test_impossible_length() -> None:
    data = pcap(PACKETS)
    at = len(data)
    rows, info = read(data + struct.pack("<IIII", EPOCH, 0, 0xFFFFFFFF, 60) + bytes(60))
    assert len(rows) == len(PACKETS)
    assert f"packet 7 (at byte {at:,}) claims 4,294,967,295 bytes, which is impossible" in notes(info)


def test_packets_as_large_as_the_file_announces() -> None:
    large = [(EPOCH, 0, bytes(1_000_000)), (EPOCH, 1, b"next")]
    assert [len(row[5]) for row in read(pcap(large, snap=1_000_000), batch=4096)[0]] == [1_000_000, 4]
    rows, info = read(pcap(large))
    assert rows == []
    assert "claims 1,000,000 bytes, which is impossible (the limit is 262,144)" in notes(info)


def test_damage_at_once_is_no_packet_and_a_notice() -> None:
    rows, info = read(pcap([]) + b"\xff" * 40)
    assert rows == []
    assert "packet 1 (at byte 24) claims 4,294,967,295 bytes" in notes(info)
    assert "it contains no packets" in notes(info)


def test_no_packet() -> None:
    for data in (pcap([]), section(), section() + interface()):
        rows, info = read(data)
        assert rows == []
        assert notes(info) == "capture: it contains no packets"


def test_files_that_are_no_captures(tmp_path: Path) -> None:
    assert complaint(tmp_path / "missing.pcap").endswith("missing.pcap: there is no such file; check the path")
    assert "it is a directory; name the capture files in it" in complaint(tmp_path)
    assert "is empty" in complaint(file(tmp_path, b""))
    assert "is a text file, not a packet capture" in complaint(file(tmp_path, "Größe\n".encode() * 30))
    letters = b'happened = "The client closed first."\n'  # read as numbers they would pass for an ERF record
    assert "is a text file, not a packet capture" in complaint(file(tmp_path, letters))
    assert "not in a known capture format (it begins with 00 01 02 03)" in complaint(file(tmp_path, bytes(range(60))))
    foreign = complaint(file(tmp_path, b"GMBU" * 9))
    assert "Network Monitor 2 capture, which is not supported directly; add --engine tshark" in foreign
    assert "xz -d" in complaint(file(tmp_path, b"\xfd7zXZ\0" + bytes(40)))
    assert "inside its pcap file header (10 of 24 bytes)" in complaint(file(tmp_path, pcap([])[:10]))
    assert "has an unknown version" in complaint(file(tmp_path, pcap([], version=(1, 0))))
    assert "inside its pcapng section header" in complaint(file(tmp_path, section()[:14]))
    assert "no valid byte order" in complaint(file(tmp_path, section()[:8] + bytes(20)))
    assert "of version 7.1, which is not supported" in complaint(file(tmp_path, section(">", (7, 1))))


def test_a_name_that_cannot_be() -> None:
    assert "the path is not valid" in complaint("a\0b")


def test_names_of_files_cannot_disturb_a_terminal(tmp_path: Path) -> None:
    assert "evil�[31m�.txt is a text file" in complaint(file(tmp_path, b"text\n" * 9, "evil\x1b[31m\n.txt"))
    with open_captures([file(tmp_path, pcap([]), os.fsdecode(b"\xff.pcap"))]) as stream:
        assert list(stream) == []
        assert "/�.pcap: it contains no packets" in stream.notices[0].text


def test_erf_is_recognised(tmp_path: Path) -> None:
    record = struct.pack("<II", 0, EPOCH) + struct.pack(">BBHHH", 2, 4, 80, 0, 60)
    assert "Endace ERF capture" in complaint(file(tmp_path, record + bytes(64)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_permission_denied(tmp_path: Path) -> None:
    path = file(tmp_path, pcap(PACKETS))
    path.chmod(0)
    assert "permission denied" in complaint(path)


def test_no_path_at_all() -> None:
    with pytest.raises(UsageError):
        open_captures([])
    with pytest.raises(UsageError):
        open_captures(["-", "-"])
