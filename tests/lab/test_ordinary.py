"""Connections that end as they should are not called a fault."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

import analyzer
from analyzer.results.result import ResultTables
from tests.lab.ordinary.clients import KINDS
from tests.lab.ordinary.servers import ANSWERS, GREETS, HTTP, HTTPS, SINK

FOLDER = Path(__file__).parent / "ordinary"
NAMES = ("day", "late")
MOST_BYTES = 1_000_000


@cache
def found(name: str) -> ResultTables:
    return analyzer.analyze(FOLDER / f"{name}.pcap.gz")


@pytest.mark.parametrize("name", NAMES)
def test_an_ordinary_day_has_nothing_at_warning_or_above(name: str) -> None:
    findings = found(name).findings
    grave = findings[findings["severity"] != "info"]
    assert grave.empty, grave[["code", "stream", "message"]].to_string()


def test_the_day_is_one_of_all_kinds_of_closes() -> None:
    flows = found("day").flows
    assert len(flows) > 1_500
    assert set(flows["server_port"]) == {HTTP, HTTPS, ANSWERS, SINK, GREETS}
    ends = set(zip(flows["teardown"], flows["closed_by"], strict=True))
    assert {("graceful", "client"), ("graceful", "server"), ("aborted", "client")} <= ends
    assert {"TD104", "TD301", "TD304", "TD312"} <= set(found("day").findings["code"])
    assert len(KINDS) == 13


def test_late_closes_come_after_a_minute_of_silence() -> None:
    flows = found("late").flows
    assert len(flows) > 50
    assert (flows["closed_by"] == "server").all()
    assert flows["idle_before_close_s"].between(58, 76).all()


def test_the_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.pcap.gz")) < MOST_BYTES
