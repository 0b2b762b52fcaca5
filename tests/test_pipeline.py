"""How the capture is cut into batches, and when books are closed on the way, changes nothing."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.flows.table import FlowTable
from analyzer.pipeline import Analysis
from analyzer.readers import open_captures
from analyzer.readers.packets import Packets
from analyzer.segments import Decoder
from analyzer.settings import Settings
from analyzer.tracker.track import LOG_PLACES, Books, Tracker
from analyzer.tracker.transitions import State

CAPTURES = sorted(
    path for path in (Path(__file__).parents[1] / "captures").iterdir() if path.suffix in (".pcap", ".pcapng")
)


@pytest.fixture(scope="module")
def everything() -> tuple[NDArray[np.void], FlowTable, int]:
    """All captures of the project as one, in time order: nine minutes in which tuples are used again and again."""
    decoder, flows = Decoder(), FlowTable()
    batches, end = [], 0
    for packets in open_captures(CAPTURES):
        batches.append(decoder.decode(packets).copy())
        end = max(end, int(packets.rows["time"].max()))
    batch = np.concatenate(batches)
    flows.assign(batch)
    return batch, flows, end


def tracked(batch: NDArray[np.void], flows: FlowTable, end: int, size: int, retire: bool) -> tuple[list[Books], int]:
    """The books of all flows, from batches of ``size``, closed on the way or only at the end; and late segments."""
    tracker = Tracker(Settings())
    parts = []
    for start in range(0, len(batch), size):
        tracker.feed(batch[start : start + size].copy(), flows.rows)
        if retire:
            parts.append(tracker.retire())
    return [*parts, tracker.finish(end)], tracker.late


def facts(parts: list[Books]) -> tuple[NDArray[np.void], NDArray[np.void], list[tuple[int, ...]]]:
    """Everything in the books by flow row, places in the log left out (they depend on what else is kept)."""
    order = np.argsort(np.concatenate([part.flows["row"] for part in parts]), kind="stable")
    ends = np.concatenate([part.ends.reshape(-1, 2) for part in parts])[order]
    for name in LOG_PLACES:
        ends[name] = 0
    flows = np.concatenate([part.flows for part in parts])[order]
    flows["old_end"] = 0
    names = [name for name in parts[0].log.dtype.names or () if name not in ("end", "previous")]
    log = [
        (int(part.flows["row"][entry["end"] >> 1]), int(entry["end"] & 1), *(int(entry[name]) for name in names))
        for part in parts
        for entry in part.log
    ]
    log.sort(key=lambda entry: entry[:2])
    return ends, flows, log


@pytest.mark.parametrize("size", [1, 7, 500])
@pytest.mark.parametrize("retire", [False, True])
def test_same_books(everything: tuple[NDArray[np.void], FlowTable, int], size: int, retire: bool) -> None:
    whole, late = tracked(*everything, size=10**9, retire=False)
    parts, late_too = tracked(*everything, size=size, retire=retire)
    for one, other in zip(facts(whole), facts(parts), strict=True):
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other
    assert late == late_too


def test_books_are_closed_on_the_way(everything: tuple[NDArray[np.void], FlowTable, int]) -> None:
    parts, _ = tracked(*everything, size=100, retire=True)
    retired = sum(len(part.flows) for part in parts[:-1])
    assert retired > 0.2 * len(everything[1])


def everything_as_chunks(forget: bool) -> tuple[list[tuple[object, ...]], list[int]]:
    """The rows of flows.csv of all captures, books closed on the way; and sizes of the flow table."""
    analysis = Analysis(Settings())
    rows: list[tuple[object, ...]] = []
    sizes = []
    with open_captures(CAPTURES) as capture:
        for packets in capture:
            for start in range(0, len(packets.rows), 200):
                analysis.feed(Packets(packets.data, packets.rows[start : start + 200]))
                rows += analysis.retire().flows.astype(str).itertuples(index=False, name=None)
                if forget:
                    analysis.forget(40)
                sizes.append(len(analysis._table))
        rows += analysis.result([], capture).flows.astype(str).itertuples(index=False, name=None)
    return sorted(rows), sizes


def test_forgetting_finished_flows_changes_nothing_else() -> None:
    whole, all_rows = everything_as_chunks(forget=False)
    parts, fewer_rows = everything_as_chunks(forget=True)
    assert parts == whole
    assert max(fewer_rows) < max(all_rows)


def test_a_crowd_spares_what_is_telling() -> None:
    """The leak is kept, though it is the most silent."""
    analysis = Analysis(Settings())
    with open_captures([CAPTURES[0].parent / "time-wait-beside-close-wait.pcap"]) as capture:
        for packets in capture:
            analysis.feed(packets)
    states = analysis.drop_idle(1 << 62, 1).flows
    left = analysis.snapshot(analysis.last_ns)
    assert State.CLOSE_WAIT in left.own("state")
    assert len(states) >= 1
