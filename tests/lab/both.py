"""The score of two taps together: each host's states as ``teardown compare --taps`` has them, against its kernel's.

The recordings at A and B were made with one clock. For this B's is moved by 17.3 s and slowed by 50 ppm first.
"""

from __future__ import annotations

import dataclasses
import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from analyzer.engine.pipeline import analyze
from analyzer.errors import UsageError
from analyzer.results.store import SpooledRows
from analyzer.results.taps.compared import TapsComparison, compared_taps
from analyzer.results.taps.states import EnteredState, entered
from analyzer.results.taps.tap import Tap, tap_of
from analyzer.segments.table import SEGMENT
from analyzer.settings import Settings
from analyzer.times import outer

from . import conduct, edits, pcapfile
from .inferred import Flow, Row
from .scenario import Scenario, load
from .score import EXACT, Verdict, excused, judge, judge_flows
from .truth import Truth

AHEAD_NS, DRIFT_PPM = 17_300_000_000, -50


def tap(name: str, path: Path) -> Tap:
    """A capture as a tap."""
    spooled = SpooledRows(SEGMENT, None)
    analysed = analyze([str(path)], Settings(), each=spooled.append)
    return tap_of(name, analysed, spooled.rows())


def moved(path: Path, target: Path) -> Path:
    """The capture as a clock that is ahead and slow would have dated it."""
    target.write_bytes(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
    link, packets = pcapfile.read(target)
    begin = packets[0].time if packets else 0
    drifted = [
        dataclasses.replace(one, time=one.time + AHEAD_NS + (one.time - begin) * DRIFT_PPM // 1_000_000)
        for one in packets
    ]
    pcapfile.write(target, link, drifted)
    return target


def compared(scenario: Scenario, folder: Path, scratch: Path) -> TapsComparison:
    """A's capture and B's of a scenario, compared."""
    base = scenario.base or scenario.name
    paths = {name: folder / f"{base}.{name}.pcap.gz" for name in "ab"}
    if scenario.edit is not None:
        paths = {name: edits.edited(path, scenario, name, scratch) for name, path in paths.items()}
    return compared_taps(tap("A", paths["a"]), tap("B", moved(paths["b"], scratch / f"{base}.moved.pcap")))


def flows(result: TapsComparison) -> list[Flow]:
    """The connections with the states of both ends; those of one tap as this has them alone."""
    found = []
    for pair in result.all_pairs:
        ends = {}
        for states in result.states[pair.row_a]:
            local, remote = result.a.end_of(states.sender), result.a.end_of(states.sender ^ 1)
            ends[local, remote] = _rows(states.entered)
        found.append(Flow(_first(result.a, pair.row_a), ends, "", 0))
    for alone in result.alone:
        which, clock = (result.a, None) if alone.tap == "A" else (result.b, result.clock)
        ends = {}
        for sender in (2 * alone.row, 2 * alone.row + 1):
            ends[which.end_of(sender), which.end_of(sender ^ 1)] = _rows(entered(which, sender, clock))
        first = _first(which, alone.row)
        found.append(Flow(first if clock is None else first - AHEAD_NS, ends, "", 0))
    return sorted(found, key=lambda flow: flow.first)


def _first(which: Tap, row: int) -> int:
    ending = which.ending(int(which.flows["stream"][row]))
    assert ending is not None
    return outer(int(ending["first_epoch"]))


def _rows(states: tuple[EnteredState, ...]) -> list[Row]:
    return [Row(one.state, *(outer(time) if time else 0 for time in one[1:4]), one.basis, one.frame) for one in states]


def score(scenario: Scenario, folder: Path) -> tuple[list[Verdict], list[Verdict], list[Verdict]]:
    """Every endpoint by A alone, by B alone, and by both; none of these where the taps have nothing in common."""
    base = scenario.base or scenario.name
    truth = conduct.read_truth(base, folder)
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        lost = edits.lost_packets(folder, base, scratch) if scenario.lossy else set()
        alone = []
        for name in "ab":
            path = folder / f"{base}.{name}.pcap.gz"
            path = path if scenario.edit is None else edits.edited(path, scenario, name, scratch)
            alone.append([excused(one, lost) for one in judge(scenario, name, truth, path)[0]])
        try:
            result = compared(scenario, folder, scratch)
        except UsageError:
            return alone[0], alone[1], []
        told = flows(result)
        b_span = result.clock.by_a(np.array(result.b.span)).tolist()
        spans = [(outer(first), outer(last)) for first, last in (result.a.span, b_span)]
        both = list(_both(scenario, truth, told, spans))
    return alone[0], alone[1], [excused(one, lost) for one in both]


def _both(scenario: Scenario, truth: Truth, told: list[Flow], spans: list[tuple[int, int]]) -> Iterator[Verdict]:
    """Each host as its own tap may be judged; exact is exact, whatever one tap cannot tell."""
    for name, span in zip("ab", spans, strict=True):
        way = round(scenario.delay * 1e9) if name == "b" else 0
        seen = [dataclasses.replace(flow, first=flow.first + way) for flow in told]
        for verdict in judge_flows(scenario, name, truth, seen, span):
            if verdict.host == name:
                exact = verdict.kernel == [row.state for row in verdict.rows]
                yield dataclasses.replace(verdict, outcome=EXACT) if exact else verdict


def score_all(
    names: list[str], folder: Path = conduct.RECORDINGS
) -> tuple[list[Verdict], list[Verdict], list[Verdict]]:
    """Several scenarios; all when none is named."""
    made: tuple[list[Verdict], list[Verdict], list[Verdict]] = ([], [], [])
    for scenario in load().values():
        if (not names or scenario.name in names) and "a" in scenario.taps and "b" in scenario.taps:
            for all_of, some in zip(made, score(scenario, folder), strict=True):
                all_of += some
    return made
