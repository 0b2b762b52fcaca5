"""A finding about two streams that are one connection stands at the first; what was said of each alone is gone."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analyzer
from analyzer.engine.pipeline import analyze
from analyzer.results import store
from analyzer.results.dataframes import findings_frame
from analyzer.segments.table import ACK, RST
from analyzer.settings import Settings
from analyzer.views.ladder import ladder_lines

CAPTURES = Path(__file__).parents[2] / "captures"
CAPTURE = CAPTURES / "answered-from-elsewhere.pcap"
TO_CLIENT, TO_SERVER = CAPTURES / "goes-on-untranslated.pcap", CAPTURES / "goes-on-from-another-port.pcap"
WORD = 1 << 32


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


@pytest.fixture(params=[TO_CLIENT, TO_SERVER], ids=["to the client", "to the server"])
def goes_on(request: pytest.FixtureRequest) -> pd.DataFrame:
    return analyzer.analyze(request.param, keep_segments=True).segments


def test_both_streams_are_shown() -> None:
    result = analyzer.analyze(TO_CLIENT, keep_segments=True)
    (told,) = result.listing.tables
    assert told.streams.tolist() == [0]
    assert told.shown_streams.tolist() == [0, 1]
    ladders = ["\n".join(line.plain for line in ladder_lines(result, stream)) for stream in range(3)]
    assert ["TD315" in text for text in ladders] == [True, True, False]


@pytest.mark.parametrize("beyond", [0, 65_536 - 441, 1 << 20, -(1 << 20)])
@pytest.mark.parametrize("column", ["seq", "ack"])
def test_both_numbers_must_be_those_of_the_connection(column: str, beyond: int, goes_on: pd.DataFrame) -> None:
    """The sequence number may lie ahead of what was captured; the acknowledged number may not."""
    stray = goes_on.index[goes_on["stream"] == 1][0]
    made = change(goes_on, stray, **{column: (int(goes_on[column][stray]) + beyond) % WORD})
    if column == "ack":  # what refuses the segment has the number that it acknowledges
        refusals = (made["stream"] == 1) & (made["flags"] == RST)
        made = change(made, refusals, seq=(int(goes_on["ack"][stray]) + beyond) % WORD)
    near = beyond == 0 or (column == "seq" and 0 < beyond <= 65_536)
    assert (("TD315", 0) in found(made)) == near


@pytest.mark.parametrize(("which", "other"), [("seq", "ack"), ("ack", "seq")])
def test_numbers_may_begin_anew(which: str, other: str, goes_on: pd.DataFrame) -> None:
    """The 2^32nd number lies in the midst of what one end sent."""
    stray = goes_on[goes_on["stream"] == 1].iloc[0]
    own, mine = goes_on["src_port"] == stray["src_port"], goes_on["stream"] <= 1
    own |= (goes_on["src_port"] == 8080) == (stray["src_port"] == 8080)
    made = goes_on.astype({"seq": "int64", "ack": "int64"})
    theirs = mine & ~own & ((made["flags"] & ACK > 0) | (other == "seq"))
    for rows, column in ((mine & own & ((made["flags"] & ACK > 0) | (which == "seq")), which), (theirs, other)):
        made.loc[rows, column] = (made.loc[rows, column] - int(stray[which]) + 20) % WORD
    assert ("TD315", 0) in found(made)


def test_nobody_else_may_have_such_numbers(goes_on: pd.DataFrame) -> None:
    """As in a capture that shows a connection on both sides of a translation."""
    again = goes_on[goes_on["stream"] == 0]
    ours = again["src_port"] == 8080
    received = goes_on[goes_on["stream"] == 1].iloc[0]
    to_client = received["src_port"] == 8080
    moved = again.astype({"src_ip": object, "dst_ip": object})
    moved.loc[ours == to_client, "src_ip"] = "203.0.113.77"
    moved.loc[ours != to_client, "dst_ip"] = "203.0.113.77"
    moved["stream"], moved["frame"] = 90, 100 + moved["frame"]
    made = pd.concat([goes_on.astype({"src_ip": object, "dst_ip": object}), moved]).sort_values(
        "time_epoch", kind="stable"
    )
    assert "TD315" not in {code for code, _ in found(made)}


def test_it_must_have_been_refused(goes_on: pd.DataFrame) -> None:
    refusals = (goes_on["stream"] == 1) & (goes_on["flags"] == RST)
    assert refusals.sum() == 1
    assert "TD315" not in {code for code, _ in found(goes_on[~refusals])}


def test_it_is_only_worth_knowing_after_the_end(goes_on: pd.DataFrame) -> None:
    last = goes_on.index[goes_on["stream"] == 0][-1]
    stray = goes_on["stream"] == 1
    later = goes_on["time_epoch"].where(~stray, goes_on["time_epoch"] + pd.Timedelta(seconds=9))
    ended = change(goes_on, last, flags=RST | ACK).assign(time_epoch=later)
    findings = analyzer.analyze(ended[ended["stream"] <= 1].sort_values("time_epoch")).findings
    (told,) = findings[findings["code"] == "TD315"].to_dict("records")
    assert (told["severity"], told["stream"]) == ("info", 0)
    assert " and had ended:" in told["message"]
