"""gzip and zstd: any number of members or frames, cut, damaged, followed by something else; never unbounded."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from analyzer.capture import open_captures
from analyzer.capture.byte_stream import PIECE
from analyzer.capture.compression import open_bytes
from analyzer.errors import UnreadableCapture
from tests.capture.build import EPOCH, Row, pcap, read, rows_of

NOISE = random.Random(5)
PACKETS = [(EPOCH + number, 0, NOISE.randbytes(300)) for number in range(3000)]
CAPTURE = pcap(PACKETS)
HALF = len(CAPTURE) // 2
SKIPPABLE = b"\x50\x2a\x4d\x18\x05\0\0\0hello"

Pack = Callable[[bytes], bytes]


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


packings = pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])


def read_file(folder: Path, data: bytes, name: str = "misleading.txt") -> tuple[list[Row], str]:
    path = folder / name
    path.write_bytes(data)
    with open_captures([path]) as stream:
        assert stream.bytes_total == len(data)
        rows = [row for batch in stream for row in rows_of(batch)]
        assert stream.bytes_read <= len(data)
        return rows, "\n".join(notice.text for notice in stream.notices)


@packings
def test_whole(pack: Pack, tmp_path: Path) -> None:
    assert read_file(tmp_path, pack(CAPTURE)) == (read(CAPTURE)[0], "")


@packings
def test_several_members(pack: Pack, tmp_path: Path) -> None:
    pieces = pack(CAPTURE[:HALF]) + pack(b"") + pack(CAPTURE[HALF:])
    assert read_file(tmp_path, pieces) == (read(CAPTURE)[0], "")


@packings
@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_cut(pack: Pack, share: float, tmp_path: Path) -> None:
    packed = pack(CAPTURE[:HALF]) + pack(CAPTURE[HALF:])
    rows, said = read_file(tmp_path, packed[: int(len(packed) * share)])
    assert len(rows) > 3000 * share - 450  # zstd gives whole blocks of 128 KiB only
    assert rows == read(CAPTURE)[0][: len(rows)]
    assert "data ends in the middle" in said


@packings
def test_cut_where_a_member_ends_is_only_a_cut_capture(pack: Pack, tmp_path: Path) -> None:
    rows, said = read_file(tmp_path, pack(CAPTURE[:HALF]))
    assert len(rows) > 1400
    assert "in the middle of packet" in said
    assert "data ends" not in said


@packings
def test_damaged(pack: Pack, tmp_path: Path) -> None:
    packed = bytearray(pack(CAPTURE[:HALF]) + pack(CAPTURE[HALF:]))
    at = int(len(packed) * 0.8)
    packed[at : at + 50] = bytes(50)
    rows, said = read_file(tmp_path, bytes(packed))
    assert len(rows) >= 1499
    assert "cannot be decompressed" in said or "claims" in said


def test_wrong_checksum_costs_no_packet(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(CAPTURE))
    packed[-6] ^= 255
    rows, said = read_file(tmp_path, bytes(packed))
    assert len(rows) == 3000
    assert "cannot be decompressed" in said


@packings
@pytest.mark.parametrize("behind", [b"garbage", b"g", b"x" * 100_000])
def test_something_else_behind(pack: Pack, behind: bytes, tmp_path: Path) -> None:
    rows, said = read_file(tmp_path, pack(CAPTURE) + behind)
    assert len(rows) == 3000
    assert "were ignored" in said


def test_customary_padding(tmp_path: Path) -> None:
    assert read_file(tmp_path, gzip.compress(CAPTURE) + bytes(1000))[1] == ""
    assert read_file(tmp_path, SKIPPABLE + zstd(CAPTURE) + SKIPPABLE)[1] == ""


@packings
def test_nothing_inside(pack: Pack, tmp_path: Path) -> None:
    for data, why in ((pack(b""), "is empty"), (pack(b"some text\n" * 9), "is a text file"), (pack(b"")[:5], "cut")):
        with pytest.raises(UnreadableCapture, match=why):
            read_file(tmp_path, data)


@packings
def test_every_kind_of_zstd_block_and_any_memory(pack: Pack, tmp_path: Path) -> None:
    """Raw, run-length and compressed blocks, with and without content size, read in pieces of any size."""
    data = NOISE.randbytes(200_000) + bytes(500_000) + b"ab" * 100_000
    streamed = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    for packed in (pack(data), streamed.compress(data) + streamed.flush()):
        path = tmp_path / "packed"
        path.write_bytes(packed)
        for size in (1000, 70_001, 1 << 20):
            stream = open_bytes(path)
            memory = memoryview(bytearray(size))
            found = b"".join(iter(lambda s=stream, m=memory: bytes(m[: s.readinto(m)]), b""))
            assert (found, stream.trouble) == (data, "")
            stream.close()


@packings
def test_a_bomb_is_only_a_long_stream(pack: Pack, tmp_path: Path) -> None:
    """What a call unpacks is bounded by the memory given, however small the packed data are."""
    path = tmp_path / "bomb"
    path.write_bytes(pack(bytes(64 * 1024 * 1024)))
    assert path.stat().st_size < PIECE
    stream = open_bytes(path)
    memory = memoryview(bytearray(1000))
    assert 0 < stream.readinto(memory) <= 1000
    stream.close()
