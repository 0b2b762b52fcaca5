"""How the capture is cut into batches, and when books are closed on the way, changes nothing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.capture import open_captures
from analyzer.capture.packets import Packets
from analyzer.engine import finished_flows
from analyzer.engine.pipeline import Analysis, analyze
from analyzer.errors import TeardownError
from analyzer.findings.engine import RuleEngine
from analyzer.findings.loading import asked
from analyzer.flows.table import FlowTable
from analyzer.results.result import Analysed
from analyzer.segments import Decoder
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker import track
from analyzer.tracker.ordinary import ORDINARY, OTHER
from analyzer.tracker.signs import Sign
from analyzer.tracker.storage.transpose import OF_REUSED, TransposedLedger
from analyzer.tracker.track import Ended, Tracker
from analyzer.views.summary import summary_lines
from analyzer.writers.tables import write_analysed

CAPTURES = sorted(
    path for path in (Path(__file__).parents[2] / "captures").iterdir() if path.suffix in (".pcap", ".pcapng")
)
POOLED = (  # columns of the ledger that number rows of pools
    *("unusual", "mark_event", "last_event", "proof_event", "peer_fin_event", "next_free"),
    *("closing_row", "older", "last_block", "old_end", "next_older"),
)
Everything = tuple[NDArray[np.void], FlowTable, int]


@pytest.fixture(scope="module")
def everything() -> Everything:
    """All captures of the project as one, in time order: nine minutes in which tuples are used again and again."""
    decoder, flows = Decoder(), FlowTable()
    batches = []
    with open_captures(CAPTURES) as capture:
        for packets in capture:
            batches.append(decoder.decode(packets).copy())
    batch = np.concatenate(batches)
    flows.assign(batch)
    return batch, flows, decoder.last_ns


def tracked(batch: NDArray[np.void], flows: FlowTable, end: int, size: int, retire: bool) -> tuple[list[Ended], int]:
    """What has ended, from batches of ``size``, books closed on the way or only at the end; and late segments."""
    tracker = Tracker(Settings(), asked=asked())
    parts: list[Ended] = []
    for start in range(0, len(batch), size):
        tracker.feed(batch[start : start + size].copy(), flows.rows)
        if retire:
            parts += tracker.retire()
    return [*parts, *tracker.finish(end)], tracker.late


def facts(parts: Iterable[Ended]) -> dict[int, tuple[bytes, ...]]:
    """Of each flow, by its stream or row of the flow table: what ENDING says where it is ordinary, the ledger's columns
    where it is not, and its timeline; places in pools left out (they depend on what else is kept)."""
    told = {}
    for part in parts:
        begins = np.cumsum(part.lengths, dtype=np.int64) - part.lengths
        for place, (begin, length) in enumerate(zip(begins.tolist(), part.lengths.tolist(), strict=True)):
            entries = part.entries[begin : begin + length].copy()
            assert (entries["end"] >> 1 == place).all()
            entries["end"] &= 1
            row, books = books_of(part, place)
            ending = b"" if part.kind == OTHER else part.endings[place].tobytes()
            assert row not in told
            told[row] = (ending, books, entries.tobytes())
    return told


def books_of(part: Ended, place: int) -> tuple[int, bytes]:
    """The row of the flow table, or the stream, of a flow, and its columns in the ledger where it is not ordinary."""
    if part.kind == ORDINARY:
        return int(part.endings["stream"][place]), b""
    chosen, ends, flow = part.facts.chosen, part.facts.ends[:, :, place], part.facts.flows[:, place]
    places = [chosen.ends[name] for name in POOLED if name in chosen.ends]
    flow_places = [chosen.flows[name] for name in POOLED if name in chosen.flows]
    row = int(part.facts.flow("row")[place])
    return row, np.delete(ends, places, axis=0).tobytes() + np.delete(flow, flow_places).tobytes()


@pytest.mark.parametrize("size", [1, 7, 500])
@pytest.mark.parametrize("retire", [False, True])
def test_same_books(everything: Everything, size: int, retire: bool) -> None:
    assert (everything[1].rows["stream"] == np.arange(len(everything[1]))).all()
    whole, late = tracked(*everything, size=10**9, retire=False)
    parts, late_too = tracked(*everything, size=size, retire=retire)
    assert facts(whole) == facts(parts)
    assert late == late_too


def test_books_are_closed_on_the_way(everything: Everything) -> None:
    """And flows that leave CLOSE_WAIT behind are in the last part of all, and only there."""
    parts, _ = tracked(*everything, size=100, retire=True)
    retired = sum(len(part.endings) for part in parts[:-6])  # three kinds with those in CLOSE_WAIT, three with others
    assert retired > 0.2 * len(everything[1])
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    for part in parts:
        if part.kind == OTHER:
            leaking = (part.facts.end("state") == State.CLOSE_WAIT).any(axis=0)
            assert leaking.all() if part.last else not leaking.any()


def test_a_few_flows_at_a_time_or_all_at_once(everything: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = tracked(*everything, size=10**9, retire=False)
    monkeypatch.setattr(track, "FLOWS_AT_ONCE", 3)
    parts, _ = tracked(*everything, size=50, retire=True)
    assert max(len(part.endings) for part in parts[:-1]) <= 3
    assert facts(whole) == facts(parts)


def analysed(paths: list[Path], settle: str, rows: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The tables and the summary. ``settle``: whether flows that are over are put away "always", "never" or by what
    the tracker finds worth it; with the capture in batches of ``rows`` packets."""
    folder.mkdir()
    with monkeypatch.context() as patch, open_captures(paths) as capture:
        if settle:
            patch.setattr(Tracker, "worth_retiring", lambda tracker: settle == "always")
        analysis = Analysis(Settings(keep_segments=True))
        for packets in capture:
            for start in range(0, len(packets.rows), rows):
                some = Packets(packets.data, packets.rows[start : start + rows])
                analysis.track(analysis.decode(some).copy(), len(capture.interfaces))
                analysis.settle()
        made = analysis.result([str(path) for path in paths], capture)
    return [path.read_bytes() for path in write_analysed(made, folder)] + [summary_of(made)]


def summary_of(made: Analysed) -> bytes:
    lines = summary_lines(made.summary, made.overview, made.listing, 100)
    return "\n".join(line.plain for line in lines).encode()


def test_when_finished_flows_are_put_away_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all captures joined in time order."""
    never = analysed(CAPTURES, "never", 1 << 40, tmp_path / "never", monkeypatch)
    assert len(never) == 5 and min(map(len, never)) > 1000
    for rows in (1, 100):
        assert analysed(CAPTURES, "always", rows, tmp_path / f"always{rows}", monkeypatch) == never
    assert analysed(CAPTURES, "", 1000, tmp_path / "as usual", monkeypatch) == never


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_the_same_of_every_capture(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        never = analysed([path], "never", 1 << 40, tmp_path / "never", monkeypatch)
    except TeardownError:
        pytest.skip("not to be analysed")
    assert analysed([path], "always", 10, tmp_path / "always", monkeypatch) == never


def everything_as_chunks(forget: bool) -> tuple[list[tuple[object, ...]], list[int]]:
    """The rows of flows.csv of all captures, books closed on the way; and sizes of the flow table."""
    analysis = Analysis(Settings())
    rows: list[tuple[object, ...]] = []
    sizes = []
    with open_captures(CAPTURES) as capture:
        for packets in capture:
            for start in range(0, len(packets.rows), 200):
                analysis.feed(Packets(packets.data, packets.rows[start : start + 200]))
                rows += flows_of(analysis.retire())
                if forget:
                    analysis.forget(40)
                sizes.append(len(analysis._table))
        rows += flows_of(analysis.result([], capture))
    return sorted(rows), sizes


def flows_of(made: Analysed) -> list[tuple[object, ...]]:
    return list(made.result().flows.astype(str).itertuples(index=False, name=None))


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
    before = analysis.held
    dropped = analysis.drop_idle(1 << 62, 1).result().flows
    left = analysis.snapshot(analysis.last_ns)
    assert State.CLOSE_WAIT in left.own("state")
    assert len(dropped) == before - 1 and analysis.held == 1


def test_one_flow_as_it_stands_and_nothing_is_changed_by_looking() -> None:
    """Every flow alone tells what it tells at the end, but for what the capture's end adds."""
    paths = [CAPTURES[0].parent / "time-wait-beside-close-wait.pcap"]
    analysis, batches = Analysis(Settings()), []
    with open_captures(paths) as capture:
        for packets in capture:
            batches.append(analysis.decode(packets).copy())
            analysis.track(batches[-1])
        streams = analysis.snapshot(analysis.last_ns).flow("stream").tolist()
        alone = {stream: of_one(analysis, stream, batches) for stream in streams}
        assert alone == {stream: of_one(analysis, stream, batches) for stream in streams}
        assert analysis.one(max(streams) + 1, analysis.last_ns, batches) is None
        whole = analysis.result([], capture).result()
    for stream, (timeline, segments) in alone.items():
        told = whole.timeline[whole.timeline["stream"] == stream]
        told = told[told["basis"] != "capture-end"].drop(columns="stream")
        assert told.astype(str).to_numpy().tolist() == timeline
        assert segments > 2


def of_one(analysis: Analysis, stream: int, batches: list[NDArray[np.void]]) -> tuple[list[list[str]], int]:
    made = analysis.one(stream, analysis.last_ns, batches)
    assert made is not None
    result = made.result()
    assert result.flows["stream"].tolist() == [stream] and result.segments is not None
    return result.timeline.drop(columns="stream").astype(str).to_numpy().tolist(), len(result.segments)


def test_a_newer_connection_on_a_tuple_is_noted_with_the_older(everything: Everything) -> None:
    batch, flows, end = everything
    tracker = Tracker(Settings(), asked=asked())
    tracker.feed(batch.copy(), flows.rows)
    books = tracker.snapshot(end)
    place = {int(row): number for number, row in enumerate(books.flows["row"])}
    opened = (books.ends["established_time"].reshape(-1, 2) > 0).any(axis=1)
    noted = np.flatnonzero(books.flows["replaced_time"])
    newer = {int(flows.rows["previous"][row]): number for row, number in place.items()}
    assert len(noted)
    for number in noted:
        successor = newer[int(books.flows["row"][number])]
        assert books.flows["replaced_time"][number] == books.flows["first_time"][successor]
        assert opened[successor]


def test_so_many_flows_wait_for_their_judge_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, int]] = []
    judge = RuleEngine.judge

    def counted(engine: RuleEngine, ledger: TransposedLedger, *settings: Any, **more: Any) -> Any:
        brief = ledger._facts.chosen is OF_REUSED
        given.append(("few columns" if brief else "all columns", ledger.flows))
        shown = ledger.signs & int(asked().signs | Sign.OTHER_ENDING)
        assert (shown > 0).all() and ((shown & ~int(asked().few_columns_enough) == 0) == brief).all()
        return judge(engine, ledger, *settings, **more)

    monkeypatch.setattr(track, "FLOWS_AT_ONCE", 2)
    for kind, (chosen, _) in finished_flows.JUDGED.items():
        monkeypatch.setitem(finished_flows.JUDGED, kind, (chosen, 5))
    monkeypatch.setattr(RuleEngine, "judge", counted)
    analyze([str(path) for path in CAPTURES], Settings())
    assert {kind for kind, _ in given} == {"few columns", "all columns"}
    assert {flows for _, flows in given[:-1]} <= {1, 2, 3, 4, 5}  # all flows left in CLOSE_WAIT come last and together
    assert sum(flows < 4 for _, flows in given) <= 2
