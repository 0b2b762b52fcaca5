"""Memory for the rows that the next flows will take is there beforehand, and no more of it than they need."""

from pathlib import Path

import pytest

from analyzer.tracker.pools import AHEAD, SLOTS, Pools


@pytest.fixture
def pools() -> Pools:
    return Pools()


def test_memory_is_made_ready_before_half_of_it_is_used(pools: Pools) -> None:
    assert pools.runs_short()
    pools.make_ready()
    assert not pools.runs_short()
    pools.state["used"][SLOTS] += AHEAD // 2 - 1
    assert not pools.runs_short()
    pools.state["used"][SLOTS] += 2
    assert pools.runs_short()
    pools.make_ready()
    assert not pools.runs_short()


def test_what_is_made_ready_is_bounded(pools: Pools) -> None:
    before = resident()
    pools.make_ready()
    pools.make_ready()
    assert resident() - before < 32 << 20
    assert not pools.ends.rows["packets"].any()


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
