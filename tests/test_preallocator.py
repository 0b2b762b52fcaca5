"""Memory for the rows that come next is there beforehand, and no more of it than they need."""

from pathlib import Path

import numpy as np
import pytest

from analyzer.findings.loading import asked
from analyzer.flows.table import FlowTable
from analyzer.memory import HUGE, GrowingRows, MemoryPreallocator
from analyzer.settings import Settings
from analyzer.tracker.fast_path import flow_buffer
from analyzer.tracker.fast_path.flow_buffer import FlowBuffer
from tests.tracker.plausible import capture

ROW = np.dtype([("number", "<i8"), ("rest", "u1", (504,))])
MANY = 1 << 14


def test_each_kind_up_to_where_it_is_wanted() -> None:
    ones, threes, provision = GrowingRows(ROW, 16), GrowingRows(ROW, 16), MemoryPreallocator()
    assert provision.lacks([(ones, 1), (threes, 0)])
    before = resident()
    for _ in range(2):
        provision.get([(ones, MANY), (threes, 3 * MANY)])
    assert 0.9 * 4 * MANY * ROW.itemsize - 4 * HUGE < resident() - before < 4 * MANY * ROW.itemsize + 4 * HUGE
    assert not provision.lacks([(ones, MANY), (threes, 3 * MANY)])
    assert provision.lacks([(ones, MANY), (threes, 3 * MANY + 1)])
    threes.grow(3 * MANY)
    assert not threes.rows["number"].any()


def test_once_there_are_many_flows_before_half_of_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, taken = FlowBuffer(Settings(), asked=asked()), []
    monkeypatch.setattr(flow_buffer, "AHEAD", 400)
    monkeypatch.setattr(flow_buffer, "FEW", 100)
    rows = capture(2500, 1, 0.0)
    flows = FlowTable()
    flows.assign(rows)
    for start in range(0, len(rows), 500):
        for _ in stage.take(rows[start : start + 500].copy(), flows.rows):
            pass
        if stage.runs_short():
            taken.append(stage.taken)
            stage.make_ready()
            assert not stage.runs_short()
    assert taken[0] > 100 and 3 <= len(taken) <= 8


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
