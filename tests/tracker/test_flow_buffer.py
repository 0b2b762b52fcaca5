"""Segments that come together, and connections told at a glance: the same as all of them followed as they come."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.findings.loading import asked
from analyzer.flows.table import FlowTable
from analyzer.segments.table import QUOTED
from analyzer.settings import Settings
from analyzer.tracker.fast_path import flow_buffer
from analyzer.tracker.fast_path.buffered import CHAIN, MOST
from analyzer.tracker.fast_path.flow_buffer import FlowBuffer
from analyzer.tracker.fast_path.reused import CLOSED_NORMALLY
from analyzer.tracker.ordinary import OTHER, REUSED
from analyzer.tracker.signs import SIGNS_OF_SINGLE_SYN, SIGNS_OF_WHOLE_FLOW, Asked, Sign
from analyzer.tracker.track import Ended, Tracker
from tests.engine.test_pipeline import Everything, everything, facts

from .plausible import SECOND, capture

__all__ = ["everything"]
SETTINGS = [
    Settings(),
    Settings(keep_timeline=False),
    Settings(profile="windows", clock_back_ns=3_000_000_000),
    Settings(time_wait_ns=2_000_000_000, fin_timeout_ns=0),
]


def as_told(part: Ended) -> Ended:
    """``part`` with no more in its facts than the rules can tell of connections that went by the book, where it is of
    the kind REUSED: whether they were established, not when, not the last acknowledgment, and when the last segment of
    both ends together passed."""
    if part.kind == REUSED:
        part.facts.end("ack_sent")[:] = 0
        part.facts.end("known")[:] &= CLOSED_NORMALLY
        part.facts.end("established_time")[:] = (part.facts.end("established_time") > 0).any(axis=0)
        part.facts.end("last_time")[:] = part.facts.end("last_time").max(axis=0)
    return part


def as_they_come(
    batch: NDArray[np.void], flows: NDArray[np.void], end: int, settings: Settings
) -> tuple[list[Ended], int]:
    tracker = Tracker(settings, asked=asked())
    tracker.feed(batch.copy(), flows)
    return [as_told(part) for part in tracker.finish(end)], tracker.late


def together(
    batch: NDArray[np.void], flows: NDArray[np.void], end: int, settings: Settings, size: int
) -> tuple[list[Ended], int, int]:
    """What has ended, how many segments were late, and how many flows were told at a glance."""
    tracker, stage = Tracker(settings, asked=asked()), FlowBuffer(settings, asked=asked())
    parts, concluded = [], 0

    def given() -> Iterator[flow_buffer.Released]:
        for start in range(0, len(batch), size):
            yield from stage.take(batch[start : start + size].copy(), flows)
        yield from stage.rest(end, flows)

    for part in given():
        concluded += part.concluded.ordinary + len(part.concluded.reused)
        parts += [as_told(ended._replace(endings=ended.endings.copy())) for ended in tracker.follow(part, flows)]
        if tracker.worth_retiring():
            parts += map(as_told, tracker.retire())
    return [*parts, *map(as_told, tracker.finish(end))], tracker.late + stage.late, concluded


def arranged(rows: NDArray[np.void]) -> tuple[NDArray[np.void], int]:
    """The flow table once every segment of ``rows`` has its ``sender``, and when the capture ends."""
    table = FlowTable()
    table.assign(rows)
    return table.rows, int(rows["time"].max())


@pytest.mark.parametrize("settings", SETTINGS, ids=["timelines", "none", "windows", "own timers"])
@pytest.mark.parametrize("size", [1, 90, 10**9])
def test_every_capture(everything: Everything, settings: Settings, size: int) -> None:
    batch, table, end = everything
    alone, late = as_they_come(batch, table.rows, end, settings)
    parts, late_too, concluded = together(batch, table.rows, end, settings, size)
    assert facts(alone) == facts(parts)
    assert late == late_too
    assert concluded > 0.05 * len(table)


@pytest.mark.parametrize("settings", SETTINGS, ids=["timelines", "none", "windows", "own timers"])
@pytest.mark.parametrize(("trouble", "least"), [(0, 0.35), (0.1, 0.28), (0.4, 0.15)])
def test_plausible_connections(settings: Settings, trouble: float, least: float) -> None:
    for seed in range(3):
        rows = capture(700, seed, trouble)
        flows, end = arranged(rows)
        alone, late = as_they_come(rows, flows, end + seed * 40 * SECOND, settings)
        parts, late_too, concluded = together(rows, flows, end + seed * 40 * SECOND, settings, 500)
        assert facts(alone) == facts(parts)
        assert late == late_too
        assert concluded > least * len(flows)


def test_what_icmp_errors_say_is_noted_whatever_waits() -> None:
    rows = capture(3000, 12, 0.25)
    flows, end = arranged(rows)
    tracker = Tracker(Settings(), asked=asked())
    tracker.feed(rows.copy(), flows)
    noted = sum(int((part.facts.end("icmp_count") > 0).sum()) for part in tracker.finish(end) if part.kind == OTHER)
    assert 40 < noted < np.count_nonzero(rows["marks"] & QUOTED)


def test_tuples_that_come_again() -> None:
    """Of flows that take over addresses and ports, some are told at a glance too, with those that had them before."""
    rows = capture(1000, 3, 0)
    flows, end = arranged(rows)
    stage = FlowBuffer(Settings(), asked=asked())
    parts = [*stage.take(rows, flows), *stage.rest(end, flows)]
    assert sum(len(part.concluded.reused) for part in parts) > 30


@pytest.mark.parametrize("seed", [9111, 9112])
def test_segments_in_another_order_than_flows_were_numbered(seed: int) -> None:
    """As those of several interfaces: a flow may begin before the one that had its addresses and ports "before" it."""
    rows = capture(200, seed, 0.2)
    flows, _ = arranged(rows)
    delays = np.random.default_rng(seed).choice([0, 0, 0, 2_000_000, 100_000_000, 1_500_000_000], len(rows))
    rows = rows[np.argsort(rows["time"] + delays, kind="stable")]
    end = int(rows["time"].max())
    alone, late = as_they_come(rows, flows, end, Settings())
    parts, late_too, _ = together(rows, flows, end, Settings(), 100)
    assert facts(alone) == facts(parts)
    assert late == late_too


@pytest.mark.parametrize("settings", SETTINGS[:2], ids=["timelines", "none"])
def test_little_room(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = capture(500, 77, 0.2)
    flows, end = arranged(rows)
    alone, late = as_they_come(rows, flows, end, settings)
    monkeypatch.setattr(flow_buffer, "TOGETHER", CHAIN * MOST)
    monkeypatch.setattr(flow_buffer, "CONCLUDED_AT_ONCE", CHAIN)
    parts, late_too, _ = together(rows, flows, end, settings, 10**9)
    assert facts(alone) == facts(parts)
    assert late == late_too


def test_memory_is_used_again() -> None:
    """A capture that is four times as long has no four times as many flows of which something is expected."""
    used = []
    for count in (1000, 4000):
        rows = capture(count, 5, 0.1)
        flows, _ = arranged(rows)
        stage = FlowBuffer(Settings(), asked=asked())
        for start in range(0, len(rows), 100):
            for _ in stage.take(rows[start : start + 100].copy(), flows):
                pass
        used.append(stage.taken)
    assert used[0] > 300 and used[1] < 3 * used[0] < 4000


def test_its_memory_is_given_back_at_once() -> None:
    """Not only when somebody searches for cycles: the tables that are written next need it."""
    stage = FlowBuffer(Settings(), asked=asked())
    there = weakref.ref(stage)
    gc.disable()
    del stage
    gc.enable()
    assert there() is None


def test_the_same_without_compilation() -> None:
    code = "import sys; sys.path.insert(0, '.'); from tests.tracker.test_flow_buffer import uncompiled; uncompiled()"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], env=environment)


def uncompiled() -> None:
    """What the test above runs."""
    rows = capture(30, 9, 0.2)
    flows, end = arranged(rows)
    parts, late, concluded = together(rows, flows, end, Settings(), 100)
    alone, late_too = as_they_come(rows, flows, end, Settings())
    assert facts(alone) == facts(parts) and late == late_too and concluded > 5


def test_what_the_fast_path_takes_shows_only_what_it_is_said_to() -> None:
    """So a rule that asks for another sign may leave such flows to the fast path, and one that asks for these not."""
    taken = signs = 0
    for seed in range(3):
        rows = capture(700, seed, 0.1)
        flows, end = arranged(rows)
        tracker = Tracker(Settings())  # every sign is asked for: it gives those of all flows
        tracker.feed(rows.copy(), flows)
        shown = {}
        for part in tracker.finish(end):
            shown |= dict(zip(part.endings["stream"].tolist(), part.facts.signs.tolist(), strict=True))
        stage = FlowBuffer(Settings(), asked=asked())
        parts = [*stage.take(rows.copy(), flows), *stage.rest(end, flows)]
        for part in parts:
            concluded = part.concluded
            newer = concluded.endings[len(concluded.endings) - len(concluded.reused) :]
            some = [(ending, 0) for ending in concluded.endings[: concluded.ordinary]]
            for ending, more in some + [(ending, int(Sign.OLDER_FLOW)) for ending in newer]:
                alone = ending["client_packets"] + ending["server_packets"] == 1
                may = int(SIGNS_OF_SINGLE_SYN if alone else SIGNS_OF_WHOLE_FLOW) | more
                assert shown[int(ending["stream"])] & ~may == 0
                signs |= shown[int(ending["stream"])]
                taken += 1
    assert taken > 500
    assert signs & int(SIGNS_OF_WHOLE_FLOW) == int(SIGNS_OF_WHOLE_FLOW)


@pytest.mark.parametrize("sign", [*SIGNS_OF_WHOLE_FLOW, Sign.OLDER_FLOW])
def test_what_somebody_asks_for_the_fast_path_leaves_to_the_tracker(sign: Sign) -> None:
    rows = capture(700, 1, 0)
    flows, _ = arranged(rows)
    stage = FlowBuffer(Settings(), asked=Asked(sign, Sign(0)))
    parts = [*stage.take(rows.copy(), flows), *stage.rest(int(rows["time"].max()), flows)]
    whole = sum(int((part.concluded.endings[: part.concluded.ordinary]["server_packets"] > 0).sum()) for part in parts)
    newer = sum(len(part.concluded.reused) for part in parts)
    assert newer == 0
    assert (whole == 0) == (sign in SIGNS_OF_WHOLE_FLOW)
