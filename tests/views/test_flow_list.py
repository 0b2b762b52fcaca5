"""The list of connections: sorted, limited, fitted to the terminal; as CSV the cells of flows.csv."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analyzer.cli import guarded
from analyzer.engine.pipeline import analyze
from analyzer.results.flow_selection import order_of
from analyzer.results.schema import TABLES
from analyzer.settings import Settings
from analyzer.text import Words
from analyzer.text.table import table, widest
from analyzer.units import UNKNOWN
from analyzer.views.console import duration
from analyzer.views.flow_list import IN_MINUTES, UNITS_FROM, FlowListing, as_said, csv_text, list_lines
from analyzer.writers.tables import write_analysed

CAPTURES = Path(__file__).parents[2] / "captures"
MANY = CAPTURES / "reconnect-loop-leaks.pcapng"
WHOLE = analyze([str(MANY)], Settings())


def rows(tmp_path: Path) -> list[dict[str, str]]:
    (path,) = write_analysed(WHOLE, tmp_path, names=("flows",))
    return list(csv.DictReader(path.read_text("utf8").splitlines()))


def listed(sort: str | None, limit: int | None, *columns: str) -> list[dict[str, str]]:
    text = b"".join(csv_text(WHOLE, FlowListing(order_of(sort, limit), columns))).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_the_cells_of_flows(tmp_path: Path) -> None:
    assert listed(None, None) == rows(tmp_path)


@pytest.mark.parametrize("column", ["duration_s", "client_port", "findings", "first_epoch", "teardown"])
def test_sorted_as_the_cells_are(tmp_path: Path, column: str) -> None:
    number = column in ("duration_s", "client_port", "first_epoch")
    key = (lambda row: float(row[column] or "-inf")) if number else (lambda row: row[column])
    whole = rows(tmp_path)
    up, down = sorted(whole, key=key), sorted(whole, key=key, reverse=True)
    assert [row["stream"] for row in listed(column, 5)] == [row["stream"] for row in up[:5]]
    assert [row["stream"] for row in listed(f"-{column}", None)] == [row["stream"] for row in down]


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_lines_fit_where_columns_can_be_left_out(columns: int) -> None:
    made = list_lines(WHOLE, FlowListing(order_of(None, 10)), columns)
    lines = [line for text in made for line in text.plain.split("\n")]
    table = lines[:11]
    least = max(len(f"{row['stream']}  {row['client_ip']}:{row['client_port']}") for row in listed(None, 10))
    assert all(len(line) <= max(columns, 3 * least) for line in table)
    assert len({line.index("10.") for line in table[1:]}) == 1
    assert any("columns left out" in line for line in lines) == (columns < 160)


def cell(name: str, value: str) -> str:
    """A cell of the list, the slow way."""
    column = next(column for column in TABLES["flows"] if column.name == name)
    if not value:
        return ""
    if column.kind == "seconds":
        return duration(float(value))
    if column.kind == "flag":
        return {"true": "yes", "false": "no"}[value]
    if column.kind == "time":
        return f"{datetime.fromtimestamp(int(value.split('.')[0]), UTC):%H:%M:%S}.{value.split('.')[1][:6]}"
    return value


def test_every_column_is_listed_as_the_slow_way_has_it(tmp_path: Path) -> None:
    names = [column.name for column in TABLES["flows"]]
    made = list_lines(WHOLE, FlowListing(order_of(None, None), names), 80)
    titles, *lines = (line for text in made for line in text.plain.split("\n"))
    wanted = [[cell(name, row[name]) for name in names] for row in rows(tmp_path)]
    assert titles.split() == names
    assert [" ".join(line.split()) for line in lines] == [" ".join(filter(None, row)) for row in wanted]


def test_lengths_made_equal_are_said_alike() -> None:
    random = np.random.default_rng(7)
    some = np.concatenate([(10 ** random.uniform(0, 14, 3000)).astype(np.int64), 10 ** np.arange(15), [0, UNKNOWN]])
    edges = np.array([*UNITS_FROM[1:], IN_MINUTES, 7200 * 10**9])
    lengths = np.concatenate([some, edges - 7, edges + 7])
    for value, same in zip(lengths.tolist(), as_said(lengths).tolist(), strict=True):
        assert same == UNKNOWN if value == UNKNOWN else duration(same / 1e9) == duration(value / 1e9), value


def test_a_table_is_laid_out_by_characters() -> None:
    cells = Words.of(["a", "12 µs", "", "bcd", "3 s", "x", "", "", ""])
    widths = widest(cells, 3)
    assert widths.tolist() == [3, 5, 1]
    assert table(cells, widths, [False, True, False]) == "a    12 µs\nbcd    3 s  x\n\n"


def test_unknown_columns_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(["flows", str(MANY), "--sort", "-duration"]) == 2
    assert "did you mean duration_s?" in capfd.readouterr().err
    assert guarded(["flows", str(MANY), "--columns", "stream,ip"]) == 2
    assert "flows has no column ip" in capfd.readouterr().err


def test_a_list_says_what_it_leaves_out(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(["flows", str(MANY), "--limit", "3", "--port", "8080"]) == 0
    out = capfd.readouterr().out
    assert "3 of " in out and f"teardown timeline {MANY} --stream N" in out
    assert guarded(["flows", str(MANY), "--port", "1"]) == 0
    assert "No connection fits --port 1" in capfd.readouterr().out


def test_a_capture_that_was_cut_is_told_beside_the_list(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes((CAPTURES / "close-wait-leak.pcap").read_bytes()[:700])
    for command in (["flows"], ["netstat", "--at", "0"], ["timeline", "--stream", "0"]):
        assert guarded([command[0], str(cut), *command[1:]]) == 0
        said = capfd.readouterr().err
        assert said.startswith(f"teardown: {cut}: cut short in the middle of packet 7") and said.count("\n") == 1
