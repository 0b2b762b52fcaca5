"""Several files as one capture: rings, overlaps, the same file twice, pipes among files."""

import gzip
import heapq
import itertools
import os
import random
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.capture import merge, open_captures
from analyzer.capture.packet_source import PacketSource
from analyzer.capture.parser import CaptureInfo
from analyzer.errors import UnreadableCapture
from tests.capture.build import EPOCH, Row, Trickle, block, clock, enhanced, interface, pcap, read, rows_of, section

Timed = tuple[int, int, bytes]


def read_files(paths: Sequence[Path | str]) -> tuple[list[Row], str]:
    with open_captures(paths) as stream:
        rows = [row for batch in stream for row in rows_of(batch)]
        assert stream.packets == len(rows) == sum(stream.link_types.values())
        return rows, "\n".join(notice.text for notice in stream.notices)


def packets(count: int, first: int = 0, step: int = 1000, mark: int = 0) -> list[Timed]:
    """Packets ``step`` microseconds apart, each with bytes of its own."""
    times = (first + number * step for number in range(count))
    return [(EPOCH + time // 10**6, time % 10**6, bytes([mark]) + time.to_bytes(8, "big")) for time in times]


def write(folder: Path, name: str, capture: Sequence[Timed]) -> Path:
    path = folder / name
    path.write_bytes(pcap(capture))
    return path


def test_a_ring_in_any_order_is_the_one_big_file(tmp_path: Path) -> None:
    whole = packets(1000)
    names = ["ring", *(f"ring{number}" for number in range(1, 13))]
    files = [write(tmp_path, name, whole[at * 80 : (at + 1) * 80]) for at, name in enumerate(names)]
    random.Random(3).shuffle(files)
    assert read_files(files) == (read(pcap(whole))[0], "")


def test_a_ring_with_equal_times_at_its_joints(tmp_path: Path) -> None:
    """All packets have one time: the order of the names decides, by the value of the numbers in them."""
    whole = [(EPOCH, 0, number.to_bytes(2, "big")) for number in range(120)]
    files = [write(tmp_path, f"ring{at}", whole[at * 10 : (at + 1) * 10]) for at in range(12)]
    assert read_files(files[::-1])[0] == read(pcap(whole))[0]


def test_a_ring_whose_clock_goes_back_within_files(tmp_path: Path) -> None:
    whole = packets(300)
    whole[50:60] = whole[50:60][::-1]
    files = [write(tmp_path, f"ring{at}", whole[at * 100 : (at + 1) * 100]) for at in range(3)]
    assert read_files([files[2], files[0], files[1]])[0] == read(pcap(whole))[0]


def naive_merge(files: Sequence[Sequence[Timed]]) -> list[bytes]:
    """The head of the queue: always the earliest of the packets that stand first in a file."""
    heads = [list(file) for file in sorted(files, key=lambda file: file[0][:2])]
    merged = []
    while any(heads):
        first = min((file for file in heads if file), key=lambda file: file[0][:2])
        merged.append(first.pop(0)[2])
    return merged


times = st.lists(st.integers(0, 40), min_size=1, max_size=30)


@given(st.lists(times, min_size=2, max_size=4), st.integers(30, 100))
@settings(deadline=None)
def test_overlapping_files_are_merged_by_the_head_of_the_queue(files: list[list[int]], batch: int) -> None:
    captures = [
        [(EPOCH + time, 0, bytes([at, number])) for number, time in enumerate(file)] for at, file in enumerate(files)
    ]
    info = CaptureInfo()
    opened = []
    for at, capture in enumerate(captures):
        file = merge.OpenCapture(f"file{at}")
        file.first_time = (capture[0][0]) * 10**9
        file.source = PacketSource(Trickle(pcap(capture), [batch], live=True), info, batch)
        file.start()
        opened.append(file)
    opened.sort(key=lambda file: file.first_time)
    rows = [row for part in merge.Merge(opened, info).batches() for row in rows_of(part)]
    assert [row[5] for row in rows] == naive_merge(captures)
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.skipif(shutil.which("mergecap") is None, reason="mergecap (Wireshark) is not installed")
def test_overlapping_files_like_mergecap(tmp_path: Path) -> None:
    """No two times are equal: of equal times mergecap takes the file named last first, here it is the file that
    begins first, so that the joints of a ring stay in order."""
    chance = random.Random(11)
    steps = [chance.randint(0, 50) for _ in range(900)]
    moments = [2 * moment + 1 for moment in itertools.accumulate(steps)]
    files = [write(tmp_path, "even", packets(20_000, 0, 2))]
    files.append(write(tmp_path, "odd", [(EPOCH, moment, b"%d" % moment) for moment in dict.fromkeys(moments)]))
    files.append(write(tmp_path, "later", packets(50, 10**6, 500)))
    merged = tmp_path / "merged"
    subprocess.run(["mergecap", "-F", "pcap", "-w", merged, *files], check=True, capture_output=True)
    assert read_files(files[::-1])[0] == read(merged.read_bytes(), batch=1 << 23)[0]


def test_frame_numbers_of_blocks_that_are_no_packets_survive_the_merging(tmp_path: Path) -> None:
    custom = block(0xBAD, bytes(8))
    start = section() + interface()
    first = start + custom + enhanced(10, b"a") + custom + enhanced(30, b"c") + custom
    second = start + enhanced(20, b"b") + custom + custom
    third = start + enhanced(90, b"d")
    files = []
    for name, data in (("1", first), ("2", second), ("3", third)):
        files.append(tmp_path / name)
        files[-1].write_bytes(data)
    rows, said = read_files(files)
    assert [(row[0], row[5]) for row in rows] == [(2, b"a"), (3, b"b"), (7, b"c"), (9, b"d")]
    assert "1: 3 custom blocks skipped" in said
    assert "2: 2 custom blocks skipped" in said


def test_formats_and_links_mixed(tmp_path: Path) -> None:
    plain = write(tmp_path, "plain", packets(3, 0))
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(pcap(packets(3, 10**6), ">", 0xA1B23C4D, link=113)))
    blocks = tmp_path / "blocks"
    start = section() + interface(link=276, options=clock(name="eth7"))
    blocks.write_bytes(start + enhanced(EPOCH * 10**6 + 1500, b"between"))
    with open_captures([packed, blocks, plain]) as stream:
        rows = [row for batch in stream for row in rows_of(batch)]
        assert [row[3] for row in rows] == [1, 1, 276, 1, 113, 113, 113]
        assert dict(stream.link_types) == {1: 3, 276: 1, 113: 3}
        assert [one.name for one in stream.interfaces] == ["", "eth7", ""]
        assert stream.bytes_read == stream.bytes_total == sum(path.stat().st_size for path in (plain, packed, blocks))


def test_equal_interfaces_of_a_ring_are_one(tmp_path: Path) -> None:
    files = [write(tmp_path, str(at), packets(2, at * 10**6)) for at in range(5)]
    with open_captures(files) as stream:
        assert {row[4] for batch in stream for row in rows_of(batch)} == {0}
        assert [one.packets for one in stream.interfaces] == [10]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_five_hundred_files_with_few_open(tmp_path: Path) -> None:
    files = [write(tmp_path, f"ring{at}", packets(4, at * 10**6)) for at in range(500)]
    most = 0
    with open_captures(files) as stream:
        for _ in stream:
            most = max(most, open_files())
        assert stream.packets == 2000
    assert most <= open_files() + 2


def test_a_hundred_files_at_once(tmp_path: Path) -> None:
    files = [packets(20, at, 1000, at) for at in range(100)]
    rows, _ = read_files([write(tmp_path, f"{at}", file) for at, file in enumerate(files)])
    assert [row[5] for row in rows] == [data for _, _, data in heapq.merge(*files)]


def test_the_same_file_twice_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path, "one", packets(5))
    link = tmp_path / "link"
    link.symlink_to(path)
    rows, said = read_files([path, link, path])
    assert len(rows) == 5
    assert f"{link} is the same file as {path}; it was read once" in said


def test_an_empty_file_among_several_is_left_out(tmp_path: Path) -> None:
    empty = tmp_path / "next"
    empty.touch()
    rows, said = read_files([empty, write(tmp_path, "one", packets(5))])
    assert len(rows) == 5
    assert f"{empty} is empty; it was skipped" in said
    other = tmp_path / "other"
    other.touch()
    with pytest.raises(UnreadableCapture, match="are empty"):
        open_captures([empty, other])


def test_an_unreadable_file_among_several_stops_before_anything(tmp_path: Path) -> None:
    text = tmp_path / "notes"
    text.write_text("not a capture\n")
    with pytest.raises(UnreadableCapture, match="notes is a text file"):
        open_captures([write(tmp_path, "one", packets(5)), text])


def test_damage_in_one_file_does_not_stop_the_others(tmp_path: Path) -> None:
    first = write(tmp_path, "first", packets(10))
    first.write_bytes(first.read_bytes()[:-3])
    rows, said = read_files([first, write(tmp_path, "second", packets(10, 10**6))])
    assert len(rows) == 19
    assert "first: cut short in the middle of packet 10" in said


def test_a_file_without_packets_among_others(tmp_path: Path) -> None:
    files = [write(tmp_path, "none", []), write(tmp_path, "some", packets(5))]
    rows, said = read_files(files)
    assert len(rows) == 5
    assert "none: it contains no packets" in said


def test_a_pipe_among_files(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(pcap(packets(50, 500)),))
    writer.start()
    with open_captures([write(tmp_path, "file", packets(50)), pipe]) as stream:
        assert stream.bytes_total is None
        rows = [row for batch in stream for row in rows_of(batch)]
    writer.join()
    assert [row[5] for row in rows] == [data for _, _, data in heapq.merge(packets(50), packets(50, 500))]


def test_a_ring_whose_dates_cannot_be_told_stays_in_order(tmp_path: Path) -> None:
    """Its files count from one second: that of the first of them, by their names, wherever they are named."""
    first, names = 10_413_792_000 * 1000, []
    for number in range(3):
        packets = b"".join(enhanced(first + 1000 * number + step, bytes([number, step])) for step in (5, 6))
        (tmp_path / f"ring{number}.pcapng").write_bytes(section() + interface(options=clock(3)) + packets)
        names.append(str(tmp_path / f"ring{number}.pcapng"))
    for order in (names, names[::-1]):
        with open_captures(order) as capture:
            rows = [row for batch in capture for row in rows_of(batch)]
        assert [row[1] // 10**6 for row in rows] == [5, 6, 1005, 1006, 2005, 2006]
        assert [row[5] for row in rows] == [bytes([number, step]) for number in range(3) for step in (5, 6)]
        said = [notice.text for notice in capture.notices]
        assert len(said) == 3 and all("count from 2300-01-01 00:00:00 UTC" in text for text in said)
