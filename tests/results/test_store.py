"""Finished flows kept in memory or in a scratch file: the same slices, nothing left, one line when there is no room."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analyzer
from analyzer.engine.pipeline import analyze
from analyzer.errors import UnwritableOutput
from analyzer.results import store
from analyzer.results.packed_entries import BITS, PACKED
from analyzer.results.store import FlowStore, Rows, SpooledColumns, SpooledRows
from analyzer.settings import Settings
from analyzer.tcp.evidence import Basis, Note
from analyzer.tcp.states import NO_ARROW, Event, State
from analyzer.tracker.flow_record import ENDING, ENTRY
from analyzer.writers.tables import write_analysed

CAPTURES = [str(path) for path in sorted((Path(__file__).parents[2] / "captures").glob("*.pcap*"))]


def finished(seed: int, flows: int = 300) -> Iterator[tuple[Rows, Rows, np.ndarray[Any, np.dtype[np.uint32]]]]:
    """Some flows at a time, in any order and with some streams left out, as they come from the tracker."""
    dice = np.random.default_rng(seed)
    streams = dice.permutation(2 * flows)[:flows]
    begin = 0
    while begin < flows:
        some = streams[begin : begin + int(dice.integers(0, 40))]
        begin += len(some)
        lengths = dice.integers(0, 9, len(some)).astype(np.uint32)
        endings, entries = np.zeros(len(some), ENDING), np.zeros(int(lengths.sum()), ENTRY)
        endings["stream"], endings["client_bytes"] = some, dice.integers(0, 1 << 60, len(some))
        flow = np.repeat(np.arange(len(some)), lengths)
        entries["end"] = 2 * flow + dice.integers(0, 2, len(flow))
        entries["time"], entries["frame"] = dice.integers(0, 1 << 60, len(flow)), some[flow]
        yield endings, entries, lengths


def filled(folder: Path | None = None, seed: int = 1) -> FlowStore:
    made = FlowStore(folder)
    for rows in finished(seed):
        made.add(*rows)
    return made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly everything goes to the file."""
    monkeypatch.setattr(store, "IN_MEMORY", 500)
    monkeypatch.setattr(store, "READ_AHEAD", 400)


def as_the_slow_way_has_it(seed: int) -> tuple[list[bytes], list[list[bytes]]]:
    """Each flow's ENDING by stream, and its rows of ENTRY, their ``end`` telling only the side."""
    flows = {}
    for endings, entries, lengths in finished(seed):
        for place, (ending, length) in enumerate(zip(endings, lengths.tolist(), strict=True)):
            own = entries[entries["end"] >> 1 == place]
            assert len(own) == length
            own["end"] &= 1
            flows[int(ending["stream"])] = (ending.tobytes(), [entry.tobytes() for entry in own])
    ordered = [flows[stream] for stream in sorted(flows)]
    return [ending for ending, _ in ordered], [own for _, own in ordered]


@pytest.mark.parametrize(("flows", "most"), [(1, 1000), (7, 1000), (1000, 1000), (1000, 5), (1000, 100)])
@pytest.mark.parametrize("spilled", [False, True])
def test_slices_are_in_the_order_of_streams(
    flows: int, most: int, spilled: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if spilled:
        request.getfixturevalue("small")
    made = filled(tmp_path)
    endings: list[bytes] = []
    entries: list[list[bytes]] = []
    for gathered in made.slices(flows, most):
        some, told = gathered()
        assert len(some) <= flows and (len(told) <= most or len(some) == 1)
        assert (np.diff(told["end"].astype(np.int64) >> 1) >= 0).all()
        flow = told["end"] >> 1
        told["end"] &= 1
        endings += [ending.tobytes() for ending in some]
        entries += [[entry.tobytes() for entry in told[flow == place]] for place in range(len(some))]
    assert (endings, entries) == as_the_slow_way_has_it(1)


def test_they_can_be_read_again_and_as_a_whole(small: None, tmp_path: Path) -> None:
    made = filled(tmp_path)
    first, again = ([gathered() for gathered in made.slices(50, 90)] for _ in range(2))
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one[0], two[0]) and np.array_equal(one[1], two[1])
    endings, entries = made.whole()
    assert np.array_equal(endings, np.concatenate([some for some, _ in first]))
    assert len(entries) == sum(len(told) for _, told in first)
    assert (endings["stream"][entries["end"] >> 1] == entries["frame"]).all()


def test_how_much_was_spilled(small: None, tmp_path: Path) -> None:
    made, given = FlowStore(tmp_path), list(finished(1))
    assert made.spilled == 0
    for rows in given:
        made.add(*rows)
    endings, entries = (sum(len(rows[kind]) for rows in given) for kind in (0, 1))
    assert endings * ENDING.itemsize < made.spilled <= endings * ENDING.itemsize + 2 * entries * PACKED.itemsize


@pytest.mark.parametrize("at_once", [7, 8192])
def test_columns_by_themselves(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(store, "SPLIT_AT_ONCE", at_once)
    names, made = (
        ("stream", "server_port", "first_epoch", "handshake", "client_bytes"),
        SpooledColumns(ENDING, ("stream", "server_port", "first_epoch", "handshake", "client_bytes"), tmp_path),
    )
    given = [endings for endings, _, _ in finished(1)]
    for endings in given:
        made.append(endings)
    for name in names:
        assert np.array_equal(made.column(name), np.concatenate(given)[name])


def test_entries_only_where_they_are_wanted() -> None:
    made = filled()
    endings = np.concatenate([some for some, told in (gathered() for gathered in made.slices(50)) if not len(told)])
    assert np.array_equal(endings, made.whole()[0])


def test_no_flows() -> None:
    assert list(FlowStore().slices(9, 9)) == []
    assert [len(rows) for rows in FlowStore().whole()] == [0, 0]


def test_the_scratch_file_has_no_name(small: None, tmp_path: Path) -> None:
    made = filled(tmp_path)
    assert list(tmp_path.iterdir()) == []
    rows = [gathered() for gathered in made.slices(9)]
    assert len(rows) > 0 and list(tmp_path.iterdir()) == []


def test_tables_are_the_same_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tables(name: str) -> list[bytes]:
        analysed = analyze(CAPTURES, Settings(), scratch=tmp_path)
        return [path.read_bytes() for path in write_analysed(analysed, tmp_path / name)]

    in_memory = tables("memory")
    monkeypatch.setattr(store, "IN_MEMORY", 500)
    monkeypatch.setattr("analyzer.tracker.track.FLOWS_AT_ONCE", 5)
    assert tables("file") == in_memory
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "memory"]


class Full:
    """A file on a disk that is full after ``room`` bytes; a write may be a part of what was asked."""

    def __init__(self, room: int) -> None:
        self.room, self.written = room, b""

    def write(self, data: memoryview) -> int:
        size = min(len(data), self.room, 100)
        if len(data) and not size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= size
        self.written += bytes(data[:size])
        return size

    def close(self) -> None: ...


def test_a_full_disk_is_one_clear_line(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full(3000))
    with pytest.raises(UnwritableOutput) as caught:
        filled(tmp_path)
    assert str(caught.value) == f"cannot keep connections in a scratch file in {tmp_path}: No space left on device"


def test_what_is_written_in_pieces_is_whole(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[Full] = []

    def made(**_: object) -> Full:
        files.append(Full(1 << 40))
        return files[-1]

    monkeypatch.setattr("tempfile.TemporaryFile", made)
    spool, given = SpooledRows(ENDING, None), [endings for endings, _, _ in finished(5)]
    for endings in given:
        spool.append(endings)
    assert len(files) == 1 and files[0].written == np.concatenate(given).tobytes()


def failing(code: int) -> Callable[..., object]:
    def fail(**_: object) -> object:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_folder_that_takes_no_file_ends_the_analysis_with_one_line(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", failing(errno.EACCES))
    with pytest.raises(UnwritableOutput, match=r"^cannot keep connections in a scratch file in .*: Permission denied$"):
        analyzer.analyze(CAPTURES)
    assert list(tmp_path.iterdir()) == []


CODES = [st.integers(0, (1 << bits) - 1) for bits in BITS.values()]
TIMES = st.sampled_from([0, 1, -1, 2**32 - 3, 2**32 - 2, 2**32 - 1, 2**32, -(2**62), 2**62]) | st.integers(-9, 2**33)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**60), 2**60), TIMES, TIMES, st.integers(0, 2**32 - 1), *CODES), max_size=9))
def test_what_is_packed_comes_out_again(rows: list[tuple[int, ...]]) -> None:
    """Whatever bounds and codes an entry has; each flow has one more than the one before."""
    entries = np.zeros(len(rows), ENTRY)
    for place, (time, early, late, frame, *codes) in enumerate(rows):
        entries[place]["time"], entries[place]["frame"] = time, frame
        entries[place]["earliest"], entries[place]["latest"] = time - early if place % 3 else 0, time + late
        for name, value in zip(BITS, codes, strict=True):
            entries[place][name] = value
    flow = np.repeat(np.arange(9), np.arange(9))[: len(rows)]
    entries["end"] = 2 * flow + np.arange(len(rows)) % 2
    lengths = np.bincount(flow, minlength=3).astype(np.uint32)
    kept = FlowStore()
    kept.add(np.zeros(len(lengths), ENDING), entries, lengths)
    kept._streams.rows[: len(lengths)] = np.arange(len(lengths))
    told = np.concatenate([np.zeros(0, ENTRY), *(gathered()[1] for gathered in kept.slices(1000, 1000))])
    assert told.tobytes() == entries.tobytes()


def test_codes_have_room() -> None:
    most = {"event": len(Event), "arrow": NO_ARROW + 1, "from_state": len(State), "state": len(State)}
    most |= {"basis": len(Basis), "note": len(Note)}
    assert all(most[name] <= 1 << bits for name, bits in BITS.items())
