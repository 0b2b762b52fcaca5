"""Whatever a capture is handed over as, its tables are those of its path."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scapy.all import PcapReader, rdpcap  # with its layers: else packets would be without a class

import analyzer
from tests.captures import own
from tests.objects.tables import CAPTURES, LATE_FIN, LEAK, REJECTED, tables


@pytest.mark.parametrize("path", own())
def test_objects_give_the_tables_of_the_path(path: Path) -> None:
    by_path = analyzer.analyze(path, keep_segments=True)
    expected = tables(by_path, path)
    with path.open("rb") as file:
        assert tables(analyzer.analyze(file)) == expected
        assert not file.closed
    assert tables(analyzer.analyze(path.read_bytes())) == expected
    packets = rdpcap(str(path))
    assert tables(analyzer.analyze(packets)) == expected
    assert tables(analyzer.analyze(list(packets))) == expected
    assert tables(analyzer.analyze(iter(packets))) == expected
    assert by_path.segments is not None
    again = analyzer.analyze(by_path.segments, keep_segments=True)
    assert tables(again, path) == expected
    assert again.segments is not None
    assert again.segments.equals(by_path.segments)
    assert again.segments.attrs == by_path.segments.attrs


@pytest.mark.parametrize("path", [LATE_FIN, LEAK, REJECTED], ids=lambda path: path.stem)
def test_a_reader_of_scapys_gives_them_packet_by_packet(path: Path) -> None:
    with PcapReader(str(path)) as reader:
        assert tables(analyzer.analyze(reader)) == tables(analyzer.analyze(path), path)


@pytest.mark.parametrize("folder", ["capture-has-gaps", "ring-without-gaps"])
def test_segments_of_several_captures_keep_their_files_and_gaps(folder: str) -> None:
    paths = sorted((CAPTURES / folder).glob("*.pcap*"))
    whole = analyzer.analyze(paths, keep_segments=True)
    again = analyzer.analyze(whole.segments, keep_segments=True)  # type: ignore[arg-type]
    assert tables(again) == tables(whole)
    assert again.recording.gaps.rows == whole.recording.gaps.rows
    assert sorted(again.summary.files) == sorted(map(str, paths))


def overlapping(tmp_path: Path) -> list[Path]:
    """Two captures whose packets come in turns."""
    packets = rdpcap(str(LEAK))
    from scapy.utils import wrpcap

    paths = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    for place, path in enumerate(paths):
        wrpcap(str(path), packets[place::2], nano=True)
    return paths


def test_segments_of_overlapping_captures_keep_their_files(tmp_path: Path) -> None:
    whole = analyzer.analyze(overlapping(tmp_path), keep_segments=True)
    assert whole.findings["file"].notna().any()
    assert tables(analyzer.analyze(whole.segments)) == tables(whole)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [LATE_FIN, REJECTED], ids=lambda path: path.stem)
def test_segments_may_be_saved_and_analysed_later(path: Path, tmp_path: Path) -> None:
    whole = analyzer.analyze(path, keep_segments=True)
    assert whole.segments is not None
    whole.segments.to_parquet(tmp_path / "segments.parquet")
    assert tables(analyzer.analyze(pd.read_parquet(tmp_path / "segments.parquet"))) == tables(whole)


@pytest.mark.parametrize("times", ["texts", "seconds", "naive", "objects"])
def test_times_of_segments_come_in_several_forms(times: str) -> None:
    whole = analyzer.analyze(LATE_FIN, keep_segments=True)
    frame: pd.DataFrame = whole.segments.copy()  # type: ignore[union-attr]
    if times == "texts":
        frame = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
        frame.attrs = dict(whole.segments.attrs)  # type: ignore[union-attr]
    elif times == "objects":
        frame["time_epoch"] = frame["time_epoch"].astype(object)
    elif times == "naive":
        frame["time_epoch"] = frame["time_epoch"].dt.tz_localize(None)
    else:
        ns = frame["time_epoch"].astype("int64")
        frame["time_epoch"] = [f"{time // 10**9}.{time % 10**9:09d}" for time in ns]
    assert tables(analyzer.analyze(frame)) == tables(whole)


def test_the_order_of_the_rows_of_segments_does_not_matter() -> None:
    whole = analyzer.analyze(LEAK, keep_segments=True)
    shuffled = whole.segments.sample(frac=1, random_state=3)  # type: ignore[union-attr]
    assert tables(analyzer.analyze(shuffled)) == tables(whole)


def test_settings_hold_for_objects() -> None:
    settings: dict[str, Any] = {"close_wait_leak_s": 1, "pile_up": 1}
    expected = tables(analyzer.analyze(LEAK, **settings), LEAK)
    assert tables(analyzer.analyze(LEAK.read_bytes(), **settings)) == expected
