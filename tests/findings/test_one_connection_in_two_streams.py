"""A finding about two streams that are one connection stands at the first; what was said of each alone is gone."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analyzer
from analyzer.engine.pipeline import analyze
from analyzer.results import store
from analyzer.results.dataframes import findings_frame
from analyzer.segments.table import RST
from analyzer.settings import Settings

CAPTURE = Path(__file__).parents[2] / "captures" / "answered-from-elsewhere.pcap"


def found(segments: pd.DataFrame) -> list[tuple[str, int]]:
    findings = analyzer.analyze(segments).findings
    return list(zip(findings["code"], findings["stream"], strict=True))


@pytest.fixture
def segments() -> pd.DataFrame:
    return analyzer.analyze(CAPTURE, keep_segments=True).segments


@pytest.mark.parametrize("in_memory", [store.IN_MEMORY, 100])
def test_the_flows_say_what_the_findings_say(in_memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "IN_MEMORY", in_memory)
    result = analyzer.analyze(CAPTURE)
    assert result.findings["code"].tolist() == ["TD315"]
    assert result.findings["stream"].tolist() == [0]
    assert result.flows["findings"].tolist() == ["TD315", "", ""]


def test_it_is_found_too_where_the_flows_are_not_kept() -> None:
    listing = analyze([str(CAPTURE)], Settings(keep_flows=False)).listing
    assert findings_frame(listing)["code"].tolist() == ["TD315"]


def change(segments: pd.DataFrame, rows: Any, **values: int) -> pd.DataFrame:
    """The segments with other values in some rows."""
    made = segments.copy()
    for name, value in values.items():
        made.loc[rows, name] = value
    return made


def test_the_number_must_be_that_of_the_syn(segments: pd.DataFrame) -> None:
    answers = (segments["stream"] == 1) & (segments["ack"] > 0)
    other = change(segments, answers, ack=int(segments["ack"][answers].iloc[0]) + 1)
    assert found(segments) == [("TD315", 0)]
    assert found(other) == [("TD308", 0)]


@pytest.mark.parametrize("more", ["with the same", "number"])
def test_no_other_syn_may_have_its_number(more: str, segments: pd.DataFrame) -> None:
    """As of a scanner that uses one port and one number for all hosts."""
    syn = segments[segments["stream"] == 0].iloc[:1]
    other = syn.assign(dst_ip="203.0.113.77", seq=syn["seq"] + (more == "number"), stream=90, frame=90)
    made = pd.concat([segments, other.assign(time_epoch=segments["time_epoch"].max())])
    assert (("TD315", 0) in found(made)) == (more == "number")


def test_the_client_must_have_refused_it(segments: pd.DataFrame) -> None:
    refused = (segments["stream"] == 1) & (segments["flags"] == RST)
    assert refused.sum() == 4
    assert ("TD315", 0) not in found(segments[~refused])
