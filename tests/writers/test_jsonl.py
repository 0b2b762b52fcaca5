"""Lines of JSON: each the row of the table's DataFrame, one after the other, while the next are not made yet."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyzer.cli import guarded
from analyzer.engine.pipeline import analyze
from analyzer.live.line_output import _cells
from analyzer.results.schema import TABLES
from analyzer.results.store import FlowStore
from analyzer.settings import Settings
from analyzer.times import decimal
from analyzer.vocabulary import FURTHER
from analyzer.writers.json_document import finding_object, finding_objects
from analyzer.writers.jsonl import finding_lines, number_lines, table_lines
from analyzer.writers.tables import write_analysed

CAPTURES = Path(__file__).parents[2] / "captures"
LEAK, MANY = CAPTURES / "close-wait-leak.pcap", CAPTURES / "reconnect-loop-leaks.pcapng"
JOINED = ("findings", "frames", "timers")
SUBJECTS: dict[str, list[Path]] = {"one": [MANY], "two": [LEAK, CAPTURES / "tuple-reused-in-time-wait.pcapng"]}


@cache
def analysed(name: str) -> Any:
    return analyze([str(path) for path in SUBJECTS[name]], Settings(keep_segments=True))


def naive(column: Any, value: Any) -> Any:
    """A cell as docs/json.md describes it."""
    if column.name in JOINED:
        parts = [] if pd.isna(value) or not value else str(value).split(";")
        return [int(part) for part in parts] if column.name == "frames" else parts
    if pd.isna(value) or (value == "" and column.kind != "text"):
        return None
    if isinstance(value, pd.Timestamp):
        return decimal(int(value.as_unit("ns").value))
    return value.item() if isinstance(value, np.generic) else value


def lines_of(name: str, made: Any) -> Iterator[bytes]:
    if name == "findings":
        yield from finding_lines(made.listing)
    elif name in ("flows", "timeline", "segments"):
        yield from map(bytes, table_lines(made.tables, name, made.segments))
    else:
        yield from map(bytes, number_lines(made.further(name)))


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("name", TABLES)
def test_each_line_is_a_row_of_the_table(name: str, subject: str) -> None:
    frame = getattr(analysed(subject).result(), name)
    text = b"".join(lines_of(name, analysed(subject)))
    assert text.isascii()
    lines = text.decode().splitlines()
    assert len(lines) == len(frame)
    assert lines or name in FURTHER
    for line, row in zip(lines, frame.itertuples(index=False), strict=True):
        wanted = {column.name: naive(column, getattr(row, column.name)) for column in TABLES[name]}
        assert json.loads(line) == wanted
        assert list(json.loads(line)) == list(wanted)


def test_what_live_says_of_a_finding_is_what_files_say() -> None:
    made = analysed("one")
    rows = [finding_object(_cells(row)) for row in made.result().findings.itertuples(index=False)]
    assert rows == [each for places in made.listing.parts() for each in finding_objects(made.listing, places)]


def test_the_first_line_is_there_before_the_last_flow_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    made, gathered = analysed("one"), []
    whole = FlowStore.slices

    def slices(store: FlowStore, flows: int, entries: int = 0) -> Iterator[Any]:
        for gather in whole(store, 10, entries):
            gathered.append(gather)
            yield gather

    monkeypatch.setattr(FlowStore, "slices", slices)
    for name in ("flows", "timeline"):
        gathered.clear()
        lines = table_lines(made.tables, name)
        assert bytes(next(lines)).startswith(b'{"stream": 0,')
        assert len(gathered) == 1
        assert list(lines) and len(gathered) > 1


def test_commands_print_lines_of_what_filters_choose(capfd: pytest.CaptureFixture[str]) -> None:
    def printed(*words: str) -> list[dict[str, Any]]:
        assert guarded([words[0], str(MANY), *words[1:]]) == 0
        return [json.loads(line) for line in capfd.readouterr().out.splitlines()]

    ports = printed("flows", "--jsonl", "--columns", "server_port,stream", "--stream", "3-5", "--sort", "-stream")
    assert [list(row.items()) for row in ports] == [[("server_port", 8080), ("stream", n)] for n in (5, 4, 3)]
    assert {row["stream"] for row in printed("timeline", "--jsonl", "--stream", "3-4")} == {3, 4}
    head, *rows = printed("analyze", "--jsonl", "--stream", "3")
    assert head["table"] == "capture" and head["flows"] == 1
    assert rows[0]["table"] == "flows" and {row["table"] for row in rows[1:]} == {"findings"}
    chosen = printed("analyze", "--jsonl", "--stream", "3", "--tables", "timeline,timers", "--segments")
    assert {row["table"] for row in chosen[1:]} >= {"timeline", "segments"}
    for command, other in (("analyze", "--json"), ("flows", "--csv")):
        assert guarded([command, str(MANY), other, "--jsonl"]) == 2
        assert "two forms of the same" in capfd.readouterr().err


def test_a_folder_of_lines(tmp_path: Path) -> None:
    names = ("flows", "findings", "timeline", "segments", "census", "reuse", "timers")
    paths = write_analysed(analysed("one"), tmp_path, "jsonl", names)
    assert sorted(path.name for path in paths) == sorted(f"{name}.jsonl" for name in names)
    for path in paths:
        assert path.read_bytes() == b"".join(lines_of(path.stem, analysed("one")))


def test_a_reader_that_goes_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "analyzer", "flows", str(MANY), "--jsonl"]
    with subprocess.Popen(command, cwd=CAPTURES.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == (b"", 141)
