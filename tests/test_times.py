"""Whenever a capture was taken, the same is said of it: at 1970, before it, and at either end of what can be told."""

import csv
import json
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.engine.pipeline import analyze
from analyzer.results.pandas_types import epoch_ns
from analyzer.results.result import Analysed, ResultTables
from analyzer.settings import Settings
from analyzer.times import NEVER, date_text, inner, moment, outer, outer_column
from analyzer.units import UNKNOWN
from analyzer.views.ladder import ladder_lines
from analyzer.writers.tables import write_analysed
from tests.shifted import Move, packets_of, shifted, write
from tests.test_invariants import (
    CONTRACT,
    check_files_agree,
    check_flows,
    check_frames,
    check_order,
    nanoseconds,
    written,
)

ROOT = Path(__file__).parents[1]
CAPTURES = sorted((ROOT / "captures").glob("*.pcap*"))
LEAK = ROOT / "captures" / "close-wait-leak.pcap"


def at(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 10**9


ANY = st.integers(-(1 << 64), 1 << 64)
MOVES: dict[str, Move] = {
    "begins at 1970": lambda times: -times[0],
    "is at 1970 in the middle": lambda times: -sorted(times)[len(times) // 2],
    "ends at 1970": lambda times: -max(times),
    "ends half a second before 1970": lambda times: -max(times) - 500_000_000,
    "is in 1969": lambda times: at(1969, 6) - times[0],
    "begins with 1824": lambda times: at(1824) - min(times),
    "is in 2100": lambda times: at(2100) - times[0],
    "ends with 2115": lambda times: at(2116) - 1 - max(times),
}


AT_1970 = ("begins at 1970", "is at 1970 in the middle", "is in 1969")


@given(st.integers(at(1824), at(2116) - 1))
def test_inside_a_time_is_never_nothing(time: int) -> None:
    assert NEVER == 0 < inner(time) < np.iinfo(np.int64).max
    assert outer(inner(time)) == time
    assert outer_column(np.array([inner(time), NEVER, UNKNOWN])).tolist() == [time, UNKNOWN, UNKNOWN]


@given(st.integers(at(1824), at(2116) - 1))
def test_dates_are_those_of_the_calendar(time: int) -> None:
    date = moment(time)
    assert int((date - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() // 1) == time // 10**9
    assert date_text(time).startswith(f"{date:%Y-%m-%d %H:%M:%S}")


@given(ANY, st.integers(-3, 3))
def test_the_calendar_repeats_itself_after_400_years(time: int, times: int) -> None:
    date, later = date_text(time), date_text(time + times * 146_097 * 86_400 * 10**9)
    assert date[-len(" 00:00:00") :] == later[-len(" 00:00:00") :]
    assert int(later.rsplit("-", 2)[0]) == int(date.rsplit("-", 2)[0]) + 400 * times


def test_dates_far_away() -> None:
    texts = [date_text(second * 10**9) for second in (-62_167_219_200, -62_167_219_201, 253_402_300_800)]
    assert texts == ["0000-01-01 00:00:00 UTC", "-0001-12-31 23:59:59 UTC", "10000-01-01 00:00:00 UTC"]
    assert date_text(-1) == "1969-12-31 23:59:59.999999999 UTC"


def tables(analysed: Analysed, folder: Path) -> dict[str, list[dict[str, str]]]:
    folder.mkdir()
    found = {}
    for path in write_analysed(analysed, folder):
        with path.open(newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


def moved_back(rows: list[dict[str, str]], shift: int) -> Iterator[dict[str, str | Decimal]]:
    """Rows as they would be without the shift."""
    for row in rows:
        yield {name: cell for name, cell in row.items() if not name.endswith("_epoch")} | {
            name: Decimal(cell) * 10**9 - shift if cell else "" for name, cell in row.items() if name.endswith("_epoch")
        }


@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_the_same_at_any_time(path: Path, segments: bool, tmp_path: Path) -> None:
    """All tables but for the dates, with their segments the ladders too; and nothing is said of the dates."""
    settings, target = Settings(keep_segments=segments), tmp_path / "moved.pcapng"
    shifted(path, target, lambda times: 0)
    analysed = analyze([str(target)], settings)
    told, drawn = tables(analysed, tmp_path / "now"), ladders(analysed.result())
    assert told["flows"]
    for name in AT_1970 if segments else MOVES:
        shift = shifted(path, target, MOVES[name])
        analysed = analyze([str(target)], settings)
        assert not [notice.text for notice in analysed.summary.notices if "dated" in notice.text]
        for table, rows in tables(analysed, tmp_path / name).items():
            assert list(moved_back(rows, shift)) == list(moved_back(told[table], 0)), (name, table)
        assert ladders(analysed.result()) == drawn, name


def ladders(result: ResultTables) -> list[list[str]]:
    """Of all connections, without the line with the date; nothing where segments were not kept."""
    if result.segments is None:
        return []
    streams = result.flows["stream"].tolist()[:5]
    drawn = [[line.plain for line in ladder_lines(result, stream)] for stream in streams]
    assert all(lines[1].startswith("began ") for lines in drawn)
    return [lines[:1] + lines[2:] for lines in drawn]


@pytest.mark.parametrize("path", CAPTURES[::4], ids=lambda path: path.name)
@pytest.mark.parametrize("move", ["is at 1970 in the middle", "is in 1969"])
def test_the_files_of_such_a_capture(path: Path, move: str, tmp_path: Path) -> None:
    """What must hold of the written tables of any capture."""
    target = tmp_path / "moved.pcapng"
    shifted(path, target, MOVES[move])
    analysed = analyze([str(target)], Settings(keep_segments=True))
    write_analysed(analysed, tmp_path, "csv")
    write_analysed(analysed, tmp_path, "parquet")
    found = {name: written(tmp_path / f"{name}.csv", CONTRACT[name]) for name in CONTRACT}
    check_files_agree(analysed.result(), found, tmp_path)
    check_order(found)
    check_frames(found)
    check_flows(found)


@pytest.mark.parametrize(("magic", "tick"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
@pytest.mark.parametrize("second", [0, (1 << 32) - 13])
def test_a_classic_pcap_from_its_first_second_to_its_last(magic: int, tick: int, second: int, tmp_path: Path) -> None:
    times, rest, _ = packets_of(LEAK)
    told = [second * 10**9 + (time - times[0]) // tick * tick for time in times]
    path = tmp_path / "leak.pcap"
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262_144, 1))
        for time, (_, length, data) in zip(told, rest, strict=True):
            file.write(struct.pack("<IIII", time // 10**9, time % 10**9 // tick, len(data), length) + data)
    result = analyze([str(path)], Settings(keep_segments=True)).result()
    assert result.segments is not None and epoch_ns(result.segments["time_epoch"]).tolist() == told
    assert result.findings["code"].tolist() == ["TD101"] and result.flows["handshake"].tolist() == ["complete"] * 2
    assert result.findings["confidence"].tolist() == ["high"] and result.summary.notices == []


@pytest.mark.parametrize("path", CAPTURES[::3], ids=lambda path: path.name)
def test_a_clock_that_jumps_by_centuries(path: Path, tmp_path: Path) -> None:
    """Whatever stands in the file, no time in the tables is far from all of it, and the bounds hold."""
    chance = random.Random(path.name)
    times, rest, interfaces = packets_of(path)
    for often in (0.02, 0.1, 0.4):
        shift, jumping = 0, []
        for time in times:
            if chance.random() < often:
                shift = chance.choice([chance.randrange(at(1824), at(2115)), at(1824), at(2115)]) - time
            jumping.append(min(max(time + shift, at(1824)), at(2116) - 1))
        write(tmp_path / "jumping.pcapng", jumping, rest, interfaces)
        write_analysed(analyze([str(tmp_path / "jumping.pcapng")], Settings(keep_segments=True)), tmp_path)
        found = {name: written(tmp_path / f"{name}.csv", CONTRACT[name]) for name in CONTRACT}
        check_order(found)
        week = 7 * 86_400 * 10**9
        for row in (row for rows in found.values() for row in rows):
            told = [nanoseconds(cell) for name, cell in row.items() if name.endswith("_epoch") and cell]
            assert all(min(jumping) - week <= time <= max(jumping) + week for time in told), row


def teardown(*arguments: str) -> str:
    command = [sys.executable, "-m", "analyzer.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


def test_a_leak_in_1969_is_one_live_too(tmp_path: Path) -> None:
    """What is announced, written and kept while a capture is read is what the analysis says of it afterwards."""
    source, kept = tmp_path / "leak.pcapng", tmp_path / "kept.pcapng"
    shifted(LEAK, source, MOVES["ends half a second before 1970"])
    after = json.loads(teardown("analyze", "--json", str(source), "--out", str(tmp_path / "after")))
    assert [after["capture"][name] for name in ("first_epoch", "last_epoch")] == ["-12.751700811", "-0.500000000"]
    told = teardown("live", "--json", "-r", str(source), "--out", str(tmp_path / "live"), "--write", str(kept))
    finding, summary = map(json.loads, told.splitlines())
    assert finding.pop("event") == "finding" and finding == after["findings"][0]
    assert finding["code"] == "TD101" and finding["time_epoch"] == "-12.609581051"
    assert summary["notices"] == []
    for name in ("flows", "timeline", "findings"):
        assert (tmp_path / "live" / f"{name}.csv").read_bytes() == (tmp_path / "after" / f"{name}.csv").read_bytes()
    announced = (tmp_path / "live" / "announced.csv").read_text().splitlines()
    assert announced[1].startswith("-0.500000000,finding,0,TD101,")
    assert "23:59:59.500 error   TD101" in teardown("live", "--plain", "-r", str(source))
    ladder = [teardown("timeline", str(path), "--stream", "0") for path in (source, kept)]
    assert ladder[0] == ladder[1] and "began 1969-12-31 23:59:47.248299189 UTC" in ladder[0]


def test_a_capture_of_2300_is_told_as_one(tmp_path: Path) -> None:
    source = tmp_path / "leak.pcapng"
    shifted(LEAK, source, lambda times: 10_413_792_000 * 10**9 - times[0])
    (now,), (then,) = (json.loads(teardown("analyze", "--json", str(path)))["findings"] for path in (LEAK, source))
    assert {**now, "time_epoch": ""} == {**then, "time_epoch": ""}
    assert then["time_epoch"] == "0.142119760"
    summary = " ".join(teardown("analyze", str(source)).split())
    assert "packet 1 is dated 2300-01-01 00:00:00 UTC, outside the years 1824 to 2115; the times" in summary
