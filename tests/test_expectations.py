"""Every capture against what its scene was: exactly the expected findings, states and closers, and nothing else."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pandas
import pytest

import analyzer
from captures.sets import files_of

FOLDER = Path(__file__).parent.parent / "captures"
NAMES = sorted(path.name.removesuffix(".expect.toml") for path in FOLDER.glob("*.expect.toml"))
NOT_COLUMNS = {"streams", "findings", "blames"}
CASES = [
    pytest.param(name, flow, stream, id=f"{name}-{stream}")
    for name in NAMES
    for flow in tomllib.loads((FOLDER / f"{name}.expect.toml").read_text())["flow"]
    for stream in flow["streams"]
]


@cache
def result(name: str) -> Any:
    """The analysis of a capture, made once."""
    return analyzer.analyze(files_of(name))


def row_of(name: str, stream: int) -> dict[str, Any]:
    """The capture's row of flows.csv for a stream, unknown values as the empty cells they become."""
    rows = result(name).flows
    (row,) = rows[rows["stream"] == stream].to_dict("records")
    return {str(column): "" if pandas.isna(value) else value for column, value in row.items()}


@pytest.mark.parametrize("name", NAMES)
def test_exactly_the_expected_findings(name: str) -> None:
    expected = tomllib.loads((FOLDER / f"{name}.expect.toml").read_text())
    assert sorted(set(result(name).findings["code"])) == sorted(expected["codes"])


@pytest.mark.parametrize(("name", "flow", "stream"), CASES)
def test_a_flow_ended_as_it_was_played(name: str, flow: dict[str, Any], stream: int) -> None:
    expected = {column: value for column, value in flow.items() if column not in NOT_COLUMNS}
    row = row_of(name, stream)
    assert {column: row[column] for column in expected} == expected


@pytest.mark.parametrize(("name", "flow", "stream"), CASES)
def test_findings_of_a_flow_and_whom_they_blame(name: str, flow: dict[str, Any], stream: int) -> None:
    findings = result(name).findings
    mine = findings[findings["stream"] == stream]
    if "findings" in flow:
        assert sorted(mine["code"]) == sorted(flow["findings"])
    blamed = dict(zip(mine["code"], mine["endpoint"], strict=True))
    assert {code: blamed[code] for code in flow.get("blames", {})} == flow.get("blames", {})
