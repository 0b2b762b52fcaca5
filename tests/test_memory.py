"""Arrays that grow where they stand, and as ordinary ones where address space is refused; and arrays that are lent."""

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import memory
from analyzer.memory import GrowingRows, ReusableArrays

ROW = np.dtype([("number", "<i8"), ("kind", "u1"), ("pair", "<u2", (2,))])  # 13 bytes: rows lie across pages


@pytest.fixture(params=["reserved", "refused", "beyond"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    if request.param == "refused":
        monkeypatch.setattr(memory.mmap, "mmap", refuse)
    if request.param == "beyond":
        monkeypatch.setattr(memory, "RESERVED", 1 << 16)
    return str(request.param)


def test_growing_keeps_what_was_written(way: str) -> None:
    table = GrowingRows(ROW, 10)
    assert (len(table), table.rows.dtype) == (10, ROW)
    table.rows["number"] = np.arange(10)
    first = table.address
    for count in (11, 1000, 500, 1_000_000):
        table.grow(count)
    assert len(table) == 1_000_000
    assert table.rows["number"][:10].tolist() == list(range(10))
    assert not table.rows[10:].view(np.uint8).any()
    assert way != "reserved" or table.address == first


SPANS = [(0, 0), (0, 5000), (3, 7), (300, 320), (315, 700), (4990, 5000), (17, 4000)]


@pytest.mark.parametrize(("begin", "end"), SPANS)
def test_cleared_rows_are_zero_and_no_others(way: str, begin: int, end: int) -> None:
    table = GrowingRows(ROW, 100)
    table.grow(5000)
    table.rows["number"], table.rows["pair"] = 1 + np.arange(5000), 7
    table.clear(begin, end)
    expected = 1 + np.arange(5000)
    expected[begin:end] = 0
    assert (table.rows["number"] == expected).all()
    assert ((table.rows["pair"] == 7) == (expected > 0)[:, None]).all()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_memory_comes_with_the_first_touch_and_goes() -> None:
    before = resident()
    table = GrowingRows(np.uint8, 1 << 28)
    assert resident() - before < 1 << 23
    table.rows[: 1 << 26] = 1
    assert resident() - before > 1 << 25
    table.clear(0, 1 << 26)
    assert resident() - before < 1 << 23
    table.rows[: 1 << 26] = 1
    del table
    assert resident() - before < 1 << 23


def test_what_is_lent_is_used_again_once_no_part_of_it_is_left() -> None:
    lent = ReusableArrays(np.int64, 8)
    one, other = lent.get(), lent.get()
    one[:], other[:] = 1, 2
    part, places = one[2:][::2], (one.ctypes.data, other.ctypes.data)
    del one
    assert lent.get().ctypes.data not in places
    del part, other
    assert (lent.get().ctypes.data, lent.get().ctypes.data) == (places[1], places[1])
    again = lent.get(), lent.get()
    assert tuple(each.ctypes.data for each in again) == places[::-1]
