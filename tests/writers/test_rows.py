"""Tables from rows of numbers: byte for byte and cell by cell what the slow twin makes of the same ledger."""

import io
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import analyzer.engine.pipeline as pipeline
from analyzer.capture.frame_files import FrameFiles
from analyzer.errors import TeardownError, UnwritableOutput
from analyzer.results.column_values import segment_rows
from analyzer.results.dataframes import flows_frame, segments_frame, timeline_frame
from analyzer.results.finding_list import distinct
from analyzer.results.notes import note_texts
from analyzer.results.schema import TABLES
from analyzer.segments.table import SEGMENT
from analyzer.settings import Settings
from analyzer.tcp.evidence import Note
from analyzer.tcp.states import TABLE
from analyzer.tcp.timers import timers_of
from analyzer.text import Words
from analyzer.tracker.flow_record import ENDING, ENTRY
from analyzer.tracker.vocabularies import RST_CAUSES, RstCause
from analyzer.units import UNKNOWN
from analyzer.writers.atomic_file import whole_file
from analyzer.writers.parallel import OrderedWork, Slice, TablePart
from analyzer.writers.tables import ROWS, write_tables
from tests.tracker.naive_rows import flow_rows
from tests.tracker.whole import whole
from tests.writers import naive_tables
from tests.writers.naive_files import write_csv, write_parquet

ROOT = Path(__file__).parents[2]
CAPTURES = [path for path in sorted((ROOT / "captures").iterdir()) if ".pcap" in path.name]
RECORDINGS = sorted((ROOT / "tests/lab/recordings").glob("*.m.pcap*"))
COMBINATIONS = ["", "TD101", 'TD102;TD9"03,x']
Rows = NDArray[np.void]


@dataclass
class Made:
    """Rows as the pipeline's store gives them, and the twin's tables."""

    endings: Rows
    entries: Rows
    segments: tuple[Rows, Rows]
    texts: list[str]
    twins: dict[str, pd.DataFrame]
    combinations: Sequence[str] = field(default_factory=lambda: COMBINATIONS)
    files: FrameFiles = field(default_factory=FrameFiles)
    cut: int = 1 << 40
    notes: Sequence[str] = field(default_factory=lambda: note_texts(timers_of(Settings())))

    @property
    def addresses(self) -> Words:
        return Words.of(self.texts)

    def slices(self, _flows: int, _entries: int = 0) -> Iterator[Slice]:
        """Slices of ``cut`` flows, however many are asked for."""
        return (partial(self._slice, begin) for begin in range(0, len(self.endings), self.cut))

    def _slice(self, begin: int) -> tuple[Rows, Rows]:
        flow = self.entries["end"] >> 1
        entries = self.entries[(flow >= begin) & (flow < begin + self.cut)]
        entries["end"] -= 2 * begin
        return self.endings[begin : begin + self.cut], entries


def made_from(path: Path) -> Made:
    """Analyse a capture up to its rows, and let the twin make tables of all that is known of its flows."""
    batches: list[Rows] = []
    with pipeline.opened([str(path)], Settings()) as capture:
        analysis = pipeline.Analysis(Settings())
        for packets in capture:
            batches.append(analysis.decode(packets).copy())
            analysis.track(batches[-1], len(capture.interfaces))
    analysis._decoder.finish()
    if analysis._order is not None:
        analysis._tell(analysis._order.rest())
    table, book = analysis._table.rows, analysis.book
    seen = whole(analysis._tracker, table, analysis.last_ns)
    endings = flow_rows(seen.ledger)
    endings["findings"] = np.arange(len(endings)) % len(COMBINATIONS)
    flows = naive_tables.Flows(seen.ledger, book)
    twins = {
        "flows": naive_tables.flows_table(flows).assign(
            findings=pd.Series([COMBINATIONS[number] for number in endings["findings"]], dtype="str")
        ),
        "timeline": naive_tables.timeline_table(flows, seen.log),
        "segments": naive_tables.segments_table(batches, table, book),
    }
    twins["flows"] = twins["flows"][[column.name for column in TABLES["flows"]]]
    return Made(endings, seen.entries, (segment_rows(batches), table), book.texts(), twins)


def write(made: Made, folder: Path, format: str = "csv") -> None:
    """Write flows, timeline and segments into ``folder``."""
    with ExitStack() as stack:
        paths = [folder / f"{name}.{format}" for name in ("flows", "timeline", "segments")]
        files = {path.stem: stack.enter_context(whole_file(path, forced=False)) for path in paths}
        write_tables(made, files, format, made.segments)


@pytest.mark.parametrize("path", [*CAPTURES, *RECORDINGS], ids=lambda path: path.name)
def test_every_capture_as_the_twin_has_it(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        made = made_from(path)
    except TeardownError:
        pytest.skip("not to be analysed")
    frames = {
        "flows": flows_frame(made.endings, made.texts, made.combinations, made.files),
        "timeline": timeline_frame(made.entries, made.endings, made.texts, made.notes),
        "segments": segments_frame(*made.segments, made.texts),
    }
    for cut, rows in ((1 << 40, 16_384), (3, 2)):
        made.cut = cut
        monkeypatch.setitem(ROWS, "csv", rows)
        write(made, tmp_path)
        for name, twin in made.twins.items():
            pd.testing.assert_frame_equal(frames[name], twin, check_exact=True)
            assert (tmp_path / f"{name}.csv").read_bytes() == csv_of(twin), name


@pytest.mark.parametrize("path", CAPTURES[::6], ids=lambda path: path.name)
@pytest.mark.parametrize("rows", [5, 131_072])
def test_parquet_as_the_twin_has_it(path: Path, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = made_from(path)
    monkeypatch.setitem(ROWS, "parquet", rows)
    made.cut = max(rows // 2, 3)
    write(made, tmp_path, "parquet")
    for name, twin in made.twins.items():
        read = pq.read_table(tmp_path / f"{name}.parquet")
        with (tmp_path / "twin").open("wb") as file:
            write_parquet(twin, file)
        wanted = pq.read_table(tmp_path / "twin")
        assert [plain(column.type) for column in read.schema] == [plain(column.type) for column in wanted.schema]
        assert read.to_pylist() == wanted.to_pylist()


def csv_of(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    write_csv(frame, file)
    return file.getvalue()


def plain(type: Any) -> Any:
    """An Arrow type, however wide the numbers of a dictionary are."""
    return ("dictionary", type.value_type) if pa.types.is_dictionary(type) else type


def test_rows_at_the_edges_of_their_types(tmp_path: Path) -> None:
    endings, entries = np.zeros(4, ENDING), np.zeros(4, ENTRY)
    for rows in (endings, entries):
        for name in rows.dtype.names or ():
            info = np.iinfo(rows[name].dtype)
            rows[name] = [info.min, info.max, 0, 7]
    endings["findings"] = 0
    entries["end"] = [0, 1, 5, 7]
    for rows in (endings, entries):
        rows[rows.dtype.names[-1]] = 0
    made = Made(endings, entries, (np.zeros(0, SEGMENT), np.zeros(0, ENDING)), ["::", "1.2.3.4"] * 4, {})
    write(made, tmp_path)
    flows = (tmp_path / "flows.csv").read_text().splitlines()
    assert flows[1].split(",")[:8] == ["", "", "0", "", "0", "", "", ""]
    assert flows[2].split(",")[7:10] == ["4611686018.427387903"] * 2 + ["9223372036.854775807"]
    assert flows[3].split(",")[:10] == ["0", "::", "0", "::", "0", "", "", "", "", "0.000000000"]
    assert flows[4].split(",")[7:10] == ["-4611686018.427387897"] * 2 + ["0.000000007"]
    assert (tmp_path / "timeline.csv").read_text().count("\n") == 5


def test_codes_mean_what_the_columns_declare() -> None:
    for columns in TABLES.values():
        for column in columns:
            assert set(column.words.by_code) - {""} == set(column.words.meanings)
    assert RST_CAUSES.by_code[RstCause.LATE_FIN] == "late-fin"
    notes = note_texts(timers_of(Settings()))
    assert len(notes) == 256 * len(Note) and notes[0].startswith(TABLE[0].words)


def test_a_part_is_cut_by_rows() -> None:
    endings, entries = np.zeros(5, ENDING), np.zeros(7, ENTRY)
    entries["frame"] = np.arange(7)
    parts = list(TablePart("timeline", entries, endings).cut(3))
    assert [part.rows["frame"].tolist() for part in parts] == [[0, 1, 2], [3, 4, 5], [6]]
    assert all(part.flows is endings for part in parts)


def test_parts_are_written_in_their_order_and_steps_one_by_one() -> None:
    """Whatever thread makes a part, and however long that takes."""
    written: list[tuple[int, int]] = []
    made = [0] * 40

    def make(part: TablePart) -> Iterator[Callable[[], None]]:
        number = int(part.rows["frame"][0])
        for step in range(number % 4):
            assert made[number] == step == sum(one == number for one, _ in written)
            sleep(0.002 if number % 5 == step else 0)
            made[number] += 1
            yield partial(written.append, (number, step))

    entries = np.zeros(40, ENTRY)
    entries["frame"] = np.arange(40)
    OrderedWork(iter([lambda row=row: TablePart("timeline", row, row) for row in np.split(entries, 40)]), make).run(3)
    assert written == [(number, step) for number in range(40) for step in range(number % 4)]


def test_an_error_in_one_thread_ends_all_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endings = np.zeros(50, ENDING)
    endings["first_epoch"] = UNKNOWN
    made = Made(endings, np.zeros(0, ENTRY), (np.zeros(0, SEGMENT), endings), ["::"], {})
    monkeypatch.setitem(ROWS, "csv", 2)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("analyzer.writers.csv.flow_lines", broken)
    with pytest.raises(ZeroDivisionError):
        write(made, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_file_that_cannot_grow_is_named(format: str, tmp_path: Path) -> None:
    endings = np.zeros(9000, ENDING)
    endings["stream"] = endings["first_epoch"] = np.random.default_rng(1).integers(0, 1 << 60, len(endings))
    made = Made(endings, np.zeros(0, ENTRY), (np.zeros(0, SEGMENT), endings), ["::"], {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UnwritableOutput, match=rf"cannot write .*/flows\.{format}: File too large$"):
            write(made, tmp_path, format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_csv_needs_none_of_the_heavy_libraries() -> None:
    program = (
        "import sys; from analyzer.writers.tables import write_tables; "
        "print({'pandas', 'pyarrow', 'numba'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_parquet_does_without_pandas(tmp_path: Path) -> None:
    arguments = ["analyze", str(CAPTURES[0]), "--out", str(tmp_path), "--format", "parquet", "--quiet"]
    program = f"import sys; from analyzer.cli import guarded; print(guarded({arguments}), 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["0", "False"]
    assert pq.read_table(tmp_path / "flows.parquet").num_rows > 0


@pytest.mark.parametrize("values", [[], [7], [3, 1, 3, -2, 1], [UNKNOWN, 0, UNKNOWN]])
def test_distinct(values: list[int]) -> None:
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))
