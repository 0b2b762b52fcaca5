"""Which file each frame is in: against the obvious way of counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.capture import frame_files, open_captures
from analyzer.capture.frame_files import FrameFiles
from tests.capture.test_merge import Path, packets, write

runs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300)), min_size=1, max_size=40)


def naive(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """File and number of each frame, counted one by one."""
    counts, found = [0, 0, 0, 0], []
    for file, frames in runs:
        for _ in range(frames):
            counts[file] += 1
            found.append((file, counts[file]))
    return found


@settings(deadline=None)
@given(runs, st.integers(1, 7), st.lists(st.integers(1, 9), min_size=1), st.randoms())
def test_frames_are_found_as_they_were_added(
    runs: list[tuple[int, int]], together: int, pieces: list[int], chance: "np.random.RandomState"
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_files, "RUNS_TOGETHER", together)
        files = FrameFiles("abcd", several=True)
        begin = 0
        for size in pieces * len(runs):
            some = np.array(runs[begin : begin + size], np.int64).reshape(-1, 2)
            files.add(some[:, 0], some[:, 1])
            begin += size
        files.settle()
        expected = naive(runs)
        order = list(range(len(expected)))
        chance.shuffle(order)
        found = files.locate(np.array(order, np.int64) + 1)
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == [expected[place] for place in order]
    assert [column.tolist() for column in files.locate(np.array([0, len(expected) + 1]))] == [[-1, -1], [0, 0]]


def test_long_runs_take_next_to_nothing_and_short_ones_two_bytes() -> None:
    ring, taps = FrameFiles("abc", several=True), FrameFiles("ab", several=True)
    for number in range(3):
        for _ in range(1000):
            ring.add(np.array([number]), np.array([10**6]))
    taps.add(np.arange(10**6) % 2, np.ones(10**6, np.int64))
    for files in (ring, taps):
        files.settle()
    assert ring.locate(np.array([1, 10**9 + 5, 3 * 10**9]))[1].tolist() == [1, 5, 10**9]
    assert size_of(ring) < 100
    assert size_of(taps) < 2.1 * 10**6


def size_of(files: FrameFiles) -> int:
    return sum(packed.before.nbytes + packed.files.nbytes + packed.frames.nbytes for packed in files._packed)


def test_of_one_capture_nothing_is_kept(tmp_path: Path) -> None:
    with open_captures([write(tmp_path, "one", packets(10))]) as stream:
        list(stream)
        assert not stream.recording.frame_files.several
        assert stream.recording.frame_files.locate(np.array([1]))[0].tolist() == [-1]


def test_names_as_they_were_given_and_as_they_are_shown() -> None:
    assert FrameFiles(["x/a", "y/b"]).shown == ["a", "b"]
    assert FrameFiles(["x/a", "y/a"]).shown == ["x/a", "y/a"]
    assert FrameFiles(["x\x1b[1m/a\n"]).files == ["x�[1m/a�"]


def test_several_were_given_though_one_is_empty(tmp_path: Path) -> None:
    """A script finds the columns filled as always."""
    empty = tmp_path / "next"
    empty.touch()
    with open_captures([write(tmp_path, "one", packets(3)), empty]) as stream:
        list(stream)
        file, own = stream.recording.frame_files.locate(np.array([3]))
        assert (stream.recording.frame_files.files[file[0]], own[0]) == (str(tmp_path / "one"), 3)
