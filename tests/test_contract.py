"""The tables of every capture in captures/ keep the contract: columns, vocabularies, numbers, one file format as good
as the other."""

from pathlib import Path

import pandas as pd
import pytest

from analyzer.engine.pipeline import analyze
from analyzer.results.schema import TABLES
from analyzer.settings import Settings
from analyzer.views.ladder import ladder_lines
from analyzer.writers.tables import write_analysed

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.pcap*"))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_tables_keep_the_contract(capture: Path, tmp_path: Path) -> None:
    analysed = analyze([str(capture)], Settings(keep_segments=True))
    result = analysed.result()
    frames = {name: getattr(result, name) for name in TABLES}
    for name, frame in frames.items():
        assert list(frame.columns) == [column.name for column in TABLES[name]]
        for column in TABLES[name]:
            meanings = column.words.meanings
            assert not meanings or set(frame[column.name].dropna()) <= set(meanings), column.name
    check_numbers(result.flows, result.timeline, result.findings)
    write_analysed(analysed, tmp_path, "csv", TABLES)
    write_analysed(analysed, tmp_path, "parquet", TABLES)
    for name, frame in frames.items():
        assert len(pd.read_csv(tmp_path / f"{name}.csv")) == len(frame)
        assert len(pd.read_parquet(tmp_path / f"{name}.parquet")) == len(frame)
    for stream in result.flows["stream"]:
        assert ladder_lines(result, stream)[0].plain.startswith(f"stream {stream}: ")


def check_numbers(flows: pd.DataFrame, timeline: pd.DataFrame, findings: pd.DataFrame) -> None:
    assert flows["stream"].is_unique
    assert set(timeline["stream"]) <= set(flows["stream"])
    assert set(findings["stream"].dropna()) <= set(flows["stream"])
    bounded = timeline.dropna(subset=["earliest_epoch", "latest_epoch"])
    assert (bounded["earliest_epoch"] <= bounded["latest_epoch"]).all()
    assert (flows["duration_s"] >= 0).all()
    by_stream = findings.dropna(subset=["stream"]).groupby("stream")["code"]
    told = {
        stream: set(codes.split(";")) for stream, codes in zip(flows["stream"], flows["findings"], strict=True) if codes
    }
    assert {stream: set(codes) for stream, codes in by_stream} == told
