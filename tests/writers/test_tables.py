"""Files for scripts: exact, quoted where needed, whole or not there at all."""

import csv
import errno
import io
import os
import resource
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analyzer.engine.pipeline import analyze
from analyzer.errors import UnwritableOutput, UsageError
from analyzer.results.dataframes import findings_frame
from analyzer.results.pandas_types import empty, table
from analyzer.results.result import Analysed
from analyzer.results.schema import TABLES
from analyzer.settings import Settings
from analyzer.vocabulary import FURTHER, TABLE_NAMES
from analyzer.writers import csv as csv_files
from analyzer.writers import parquet as parquet_files
from analyzer.writers.atomic_file import check_output, whole_file
from analyzer.writers.tables import write_analysed
from tests.results.listings import listing
from tests.results.sample import START, many_flows, sample_analysed, sample_findings, sample_result
from tests.writers.naive_files import ROWS_AT_ONCE, write_csv, write_parquet

CAPTURE = Path(__file__).parents[2] / "captures" / "time-wait-beside-close-wait.pcap"


def as_csv(frame: pd.DataFrame) -> str:
    file = io.BytesIO()
    write_csv(frame, file)
    return file.getvalue().decode()


def naive_cell(value: object) -> str:
    """A cell as the contract describes it, the slow way."""
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        seconds, rest = divmod(value.value, 10**9)
        return f"{seconds}.{rest:09d}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.9f}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("name", TABLES)
def test_csv_reads_back_cell_by_cell(name: str) -> None:
    frame = getattr(sample_result(), name)
    header, *rows = csv.reader(io.StringIO(as_csv(frame), newline=""))
    assert header == [column.name for column in TABLES[name]]
    assert rows == [[naive_cell(value) for value in row] for row in frame.itertuples(index=False)]


def test_csv_in_several_steps_equals_the_slow_way() -> None:
    frame = many_flows(ROWS_AT_ONCE + 3).iloc[ROWS_AT_ONCE - 3 :]
    whole = as_csv(many_flows(ROWS_AT_ONCE + 3)).splitlines()
    assert len(whole) == ROWS_AT_ONCE + 4
    assert whole[-6:] == [",".join(map(naive_cell, row)) for row in frame.itertuples(index=False)]


def test_only_text_that_needs_quotes_gets_them() -> None:
    lines = as_csv(sample_result().findings)
    assert '"client 10.1.0.2:40112 in CLOSE_WAIT for 61.2 s; its ""late"" FIN (7) met a RST"' in lines
    assert "\nTD307,info,9," in lines


@pytest.mark.parametrize("copies", [0, 1, 3])
def test_findings_as_numbers_are_written_as_their_table_is(copies: int, tmp_path: Path) -> None:
    """Findings of several rules mixed in time, of connections and of a crowd, with quotes and without."""
    crowd = {"code": "TD106", "severity": "error", "confidence": "low", "server_ip": "10.1.0.3", "server_port": 80}
    entries = [entry for place in range(copies) for entry in sample_findings(5 + place)]
    entries += [crowd | {"time_epoch": START, "endpoint": "server", "message": "many", "advice": ""}] * copies
    made = listing(entries)
    text, file = io.BytesIO(), io.BytesIO()
    csv_files.write_findings(made, text)
    assert text.getvalue().decode() == as_csv(findings_frame(made))
    parquet_files.write_findings(made, file)
    read = pq.read_table(file).to_pandas()
    assert as_csv(table("findings", read)) == text.getvalue().decode()
    assert text.getvalue().count(b"\n") == 1 + 3 * copies


def test_an_empty_table_is_its_header() -> None:
    assert as_csv(empty("findings")) == ",".join(column.name for column in TABLES["findings"]) + "\n"


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("bulk", [0, 300])
def test_a_frame_is_written_as_the_twin_has_it(name: str, bulk: int) -> None:
    frame = getattr(sample_result(bulk), name)
    assert csv_files.header(TABLES[name]) + csv_files.frame_lines(TABLES[name], frame) == as_csv(frame).encode()
    made, wanted = io.BytesIO(), io.BytesIO()
    parquet_files.write_frame(TABLES[name], frame, made)
    write_parquet(frame, wanted)
    read, twin = pq.read_table(made), pq.read_table(wanted)
    assert (read.schema.names, read.to_pylist()) == (twin.schema.names, twin.to_pylist())
    assert csv_files.frame_lines(TABLES[name], frame[:0]) == b""


def test_parquet_has_the_same_columns_with_exact_times(tmp_path: Path) -> None:
    timeline = sample_result().timeline
    with whole_file(tmp_path / "timeline.parquet") as file:
        write_parquet(timeline, file)
    read = pq.read_table(tmp_path / "timeline.parquet")
    assert read.schema.field("time_epoch").type == pa.timestamp("ns", "UTC")
    assert read.schema.names == [column.name for column in TABLES["timeline"]]
    assert read.column("time_epoch").cast(pa.int64()).to_pylist() == timeline["time_epoch"].astype("int64").tolist()


def analysed(segments: bool = True) -> Analysed:
    return analyze([str(CAPTURE)], Settings(keep_segments=segments))


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_segments_are_written_only_where_they_are(format: str, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    names = [f"{name}.{format}" for name in TABLE_NAMES]
    assert [file.name for file in write_analysed(analysed(), folder, format)] == names
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
    again = write_analysed(analysed(segments=False), tmp_path, format)
    assert [file.name for file in again] == [name for name in names if "segments" not in name]


def test_only_the_tables_asked_for_are_written(tmp_path: Path) -> None:
    whole = {file.name: file.read_bytes() for file in write_analysed(analysed(), tmp_path / "all")}
    for names in (["findings"], ["timeline"], ["segments", "flows"]):
        written = write_analysed(analysed(), tmp_path / names[0], "csv", names)
        assert {file.stem for file in written} == set(names)
        assert all(file.read_bytes() == whole[file.name] for file in written)


@pytest.mark.parametrize("name", FURTHER)
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_further_table_of_no_connections_has_columns_and_no_rows(name: str, format: str, tmp_path: Path) -> None:
    made = sample_analysed()
    write_analysed(made, tmp_path, format, [name])
    read = pd.read_csv if format == "csv" else pd.read_parquet
    frame = read(tmp_path / f"{name}.{format}")
    assert (list(frame.columns), len(frame)) == ([column.name for column in TABLES[name]], 0)


@pytest.mark.parametrize("name", FURTHER)
def test_further_tables_come_where_they_are_named(name: str, tmp_path: Path) -> None:
    made = analyze([str(CAPTURE)], Settings())
    assert [file.name for file in write_analysed(made, tmp_path, "csv", [name])] == [f"{name}.csv"]
    frame, text = getattr(made.result(), name), (tmp_path / f"{name}.csv").read_text()
    assert text == as_csv(frame)
    write_analysed(made, tmp_path, "parquet", [name])
    assert as_csv(table(name, pd.read_parquet(tmp_path / f"{name}.parquet"))) == text


def test_a_further_table_cannot_be_made_of_what_was_not_kept(tmp_path: Path) -> None:
    for settings, message in (
        (Settings(keep_timeline=False), "keep_timeline=False leaves out"),
        (Settings(keep_flows=False), "keep_flows=False leaves out"),
        (Settings(keep_further=("reuse",)), "keep_further does not name it"),
    ):
        with pytest.raises(UsageError, match=message):
            write_analysed(analyze([str(CAPTURE)], settings), tmp_path, "csv", ["census"])
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_or_device_is_refused_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UnwritableOutput, match="not a regular file"):
        check_output(pipe)
    with pytest.raises(UnwritableOutput, match="not a regular file"), whole_file(pipe):
        pass
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_an_output_that_cannot_be_written_is_told_before_reading(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput, match="cannot write"):
        check_output(tmp_path / "missing" / "page.html")
    check_output(tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "flows.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert [entry.name for entry in tmp_path.iterdir()] == ["flows.csv"]
    assert path.read_text() == "old"


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    made = analysed()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        for names in TABLE_NAMES:
            with pytest.raises(UnwritableOutput, match=rf"cannot write .*/{names}\.csv: File too large$"):
                write_analysed(made, tmp_path, "csv", [names])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_late_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with (
        pytest.raises(UnwritableOutput, match=r"cannot write .*flows\.csv: No space left on device$"),
        whole_file(tmp_path / "flows.csv") as file,
    ):
        file.write(b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableOutput, match=r"cannot make the folder .*: Not a directory$"):
        write_analysed(analysed(), tmp_path / "file" / "out")


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as file:
        file.write(b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
