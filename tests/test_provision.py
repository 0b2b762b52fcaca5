"""Memory for the rows that the next flows will take is there beforehand, and no more of it than they need."""

from pathlib import Path

import numpy as np
import pytest

from analyzer.memory import AHEAD, HUGE, GrowingRows, Provision

ROW = np.dtype([("number", "<i8"), ("rest", "u1", (504,))])


class Some:
    """Two kinds of rows, of which a flow takes one and three."""

    def __init__(self) -> None:
        self.ones, self.threes = GrowingRows(ROW, 16), GrowingRows(ROW, 16)
        self.flows = 0

    def wanted(self, more: int) -> list[tuple[GrowingRows, int]]:
        return [(self.ones, self.flows + more), (self.threes, 3 * (self.flows + more))]


@pytest.fixture
def some() -> Some:
    return Some()


def test_memory_is_made_ready_before_half_of_it_is_used(some: Some) -> None:
    memory = Provision(some.wanted)
    assert memory.runs_short()
    memory.make_ready()
    assert not memory.runs_short()
    some.flows += AHEAD // 2 - 1
    assert not memory.runs_short()
    some.flows += 2
    assert memory.runs_short()
    memory.make_ready()
    assert not memory.runs_short()


def test_what_is_made_ready_is_bounded_and_zero(some: Some) -> None:
    memory, before = Provision(some.wanted), resident()
    memory.make_ready()
    memory.make_ready()
    assert resident() - before < 4 * AHEAD * ROW.itemsize + 4 * HUGE
    some.threes.grow(3 * AHEAD)
    assert not some.threes.rows["number"].any()


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
