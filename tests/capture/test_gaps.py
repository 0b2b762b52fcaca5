"""When nobody captured, between files: told by their names, by how long nothing came, and by what the capture says."""

import struct
from pathlib import Path

import numpy as np
import pytest

from analyzer.capture import open_captures
from analyzer.capture.gaps import MANY, Gap, crossed, watched_until
from analyzer.capture.rotated_files import position_of, succession
from tests.capture.build import EPOCH, block, clock, enhanced, interface, option, section
from tests.capture.test_merge import packets, write

SECOND = 10**6  # of the times that packets are given with
NAMES = [f"x_{number:05}_20240101000000.pcapng" for number in range(1, 9)]


def gaps_of(paths: list[Path], least: float = 5) -> list[Gap]:
    with open_captures(paths, round(least * 10**9)) as stream:
        list(stream)
        return stream.recording.gaps.rows


def at(time: int) -> int:
    return EPOCH * 10**9 + time * 1000


def test_between_two_captures_begun_by_hand_is_a_gap(tmp_path: Path) -> None:
    files = [write(tmp_path, "a", packets(100)), write(tmp_path, "b", packets(50, 60 * SECOND))]
    assert gaps_of(files[::-1]) == [Gap(at(99_000), at(60 * SECOND), 100, 101)]
    assert gaps_of(files, least=59) == gaps_of(files)
    assert gaps_of(files, least=60) == []


@pytest.mark.parametrize("quiet", ["before", "after"])
@pytest.mark.parametrize("more", [0, 1])
def test_where_it_is_often_so_quiet_it_is_no_gap(quiet: str, more: int, tmp_path: Path) -> None:
    """Not before it is ``MANY`` times as long as the longest silence in either file."""
    silence = 10 * SECOND
    before, after = packets(9, step=silence if quiet == "before" else 1000), packets(9)
    last = 8 * (silence if quiet == "before" else 1000)
    begin = last + MANY * silence + more
    after = packets(9, begin, silence if quiet == "after" else 1000)
    files = [write(tmp_path, "a", before), write(tmp_path, "b", after)]
    assert gaps_of(files) == [Gap(at(last), at(begin), 9, 10)] * more


def test_a_quiet_file_in_the_middle_is_no_gap(tmp_path: Path) -> None:
    whole = packets(40, step=7 * SECOND)
    assert gaps_of([write(tmp_path, str(number), whole[number * 10 : number * 10 + 10]) for number in range(4)]) == []


def test_what_another_file_covers_is_no_gap(tmp_path: Path) -> None:
    long = write(tmp_path, "long", packets(20, step=10 * SECOND))
    files = [write(tmp_path, "a", packets(5)), write(tmp_path, "b", packets(5, 150 * SECOND)), long]
    assert gaps_of(files) == []
    late = write(tmp_path, "late", packets(5, 900 * SECOND))
    assert gaps_of([*files, late]) == [Gap(at(190 * SECOND), at(900 * SECOND), 30, 31)]


def test_several_gaps(tmp_path: Path) -> None:
    files = [write(tmp_path, f"day{number}", packets(3, number * 3600 * SECOND)) for number in range(30)]
    found = gaps_of(files)
    assert [(gap.frame_before, gap.frame_after) for gap in found] == [(3 * n, 3 * n + 1) for n in range(1, 30)]
    assert [gap.end - gap.begin for gap in found] == [3600 * 10**9 - 2 * 10**6] * 29


def test_a_ring_has_no_gap_where_it_is_quiet_and_one_where_a_file_is_missing(tmp_path: Path) -> None:
    starts = [0, 1, 1000, 1001, 5000, 5001]
    files = [write(tmp_path, name, packets(5, start * SECOND)) for name, start in zip(NAMES, starts, strict=False)]
    assert gaps_of(files) == []
    assert [(gap.frame_before, gap.missing) for gap in gaps_of([files[0], *files[2:]])] == [(5, "x_00002_*.pcapng")]
    assert [(gap.frame_before, gap.missing) for gap in gaps_of([*files[:3], *files[5:]])] == [(15, "x_00004_*.pcapng")]
    assert gaps_of(files[1:5]) == []


def test_a_file_of_the_ring_without_a_packet_is_there(tmp_path: Path) -> None:
    """dumpcap writes one where nothing passed; and one of no bytes may wait to be written."""
    files = [write(tmp_path, name, packets(5, n * 100 * SECOND)) for n, name in enumerate(NAMES[:4])]
    files[1].write_bytes(files[1].read_bytes()[:24])
    files[2].write_bytes(b"")
    assert gaps_of(files) == []


def test_a_ring_that_begins_anew_is_judged_by_time(tmp_path: Path) -> None:
    older = [write(tmp_path, name, packets(5, n * SECOND)) for n, name in enumerate(NAMES[2:4])]
    newer = [write(tmp_path, name, packets(5, (90 + n) * SECOND)) for n, name in enumerate(NAMES[:2])]
    assert [gap.frame_before for gap in gaps_of([*older, *newer])] == [10]


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        ("t.pcap", "t.pcap1", ""),
        ("t.pcap", "t.pcap2", "t.pcap1"),
        ("t.pcap09", "t.pcap11", "t.pcap10"),
        ("t.pcap1.gz", "t.pcap3.gz", "t.pcap2"),
        ("/d/r_00009_20240101000000.pcapng", "/d/r_00012_20240101000500.pcapng", "r_00010_*.pcapng"),
        ("r_20240101000000_00001.pcap.zst", "r_20240101000500_00003.pcap.zst", "r_00002_*.pcap"),
        ("r_00001_20240101000000.pcapng", "r_00002_20240101000000.pcapng", ""),
        ("t.pcap2", "t.pcap1", None),
        ("t.pcap", "u.pcap1", None),
        ("a/t.pcap", "b/t.pcap1", None),
        ("server2.pcap", "server4.pcap", None),
        ("day1", "day3", None),
        ("-", "t.pcap", None),
    ],
)
def test_names_of_rings(before: str, after: str, missing: str | None) -> None:
    """None: they do not tell."""
    found = succession(before, after, [before, after])
    assert (found.missing if found.known else None) == missing


def test_what_lies_between_may_be_given() -> None:
    names = ["t.pcap", "t.pcap1", "t.pcap3"]
    assert succession("t.pcap", "t.pcap3", [*names, "t.pcap2"]) == (True, "")
    assert succession("t.pcap", "t.pcap3", names) == (True, "t.pcap2")
    assert position_of("t.pcap").number == 0  # type: ignore[union-attr]


def pcapng(ticks: list[int], ended: int | None, resolution: int = 9) -> bytes:
    """A capture of some packets that says when it ended, if it does."""
    made = section() + interface(options=clock(resolution))
    made += b"".join(enhanced(tick, b"x") for tick in ticks)
    if ended is None:
        return made
    moment = struct.pack("<II", ended >> 32, ended & 0xFFFFFFFF)
    return made + block(5, struct.pack("<III", 0, *struct.unpack("<II", moment)) + option(3, moment) + option(0, b""))


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize(
    ("captured_until", "gap"), [(50, (50, 90)), (87, None), (None, (2, 90)), (1, (2, 90)), (95, (2, 90)), (89, None)]
)
def test_a_capture_that_says_when_it_ended(
    captured_until: int | None, gap: tuple[int, int] | None, unit: int, tmp_path: Path
) -> None:
    """In ticks of its own or, as dumpcap writes it, in microseconds; what lies beyond the next file's begin speaks of
    more than this file."""
    second, start = 10**9, EPOCH * 10**9
    ended = None if captured_until is None else (start + captured_until * second) // unit
    first, later = tmp_path / "a", tmp_path / "b"
    first.write_bytes(pcapng([start, start + second, start + 2 * second], ended))
    later.write_bytes(pcapng([start + 90 * second], None))
    found = gaps_of([later, first])
    expected = [] if gap is None else [Gap(start + gap[0] * second, start + gap[1] * second, 3, 4)]
    assert found == expected


def test_until_when_something_is_known() -> None:
    bounds = np.array([[10, 20], [30, 40]], np.int64)
    heard = np.array([[0, 10], [11, 20], [30, 45]])
    assert watched_until(bounds, heard, 50).tolist() == [[10, 10], [10, 30], [30, 50]]
    assert watched_until(bounds[:0], heard, 50).tolist() == [[50, 50]] * 3
    begin, end = np.array([0, 10, 12, 20, 40]), np.array([9, 20, 30, 29, 50])
    assert crossed(bounds, begin, end).tolist() == [False, True, True, False, False]
