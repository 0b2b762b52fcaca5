"""The table ``timers``: a row for each silence that ended something, and what fits."""

from pathlib import Path

import pandas as pd
import pytest

import analyzer
from analyzer.tcp.timer_catalogue import Silence, catalogue, fitting
from tests.captures import OWN
from tests.findings.filed import OPENED, analyzed

SECOND = 10**9
CAPTURES = Path(__file__).parents[2] / "captures"
THREADS = Path(__file__).parents[1] / "stories" / "threads"


def table(name: str) -> pd.DataFrame:
    return analyzer.analyze(CAPTURES / name).timers


def test_closes_in_order_are_told_from_the_flows() -> None:
    result = analyzer.analyze(CAPTURES / "keep-alive-time-out.pcap")
    rows, flows = result.timers, result.flows
    closed = flows[flows["since_data_s"] >= 1]
    assert list(rows["stream"]) == list(closed["stream"]) == list(range(7))
    assert list(rows["frame"]) == list(closed["server_fin_frame"])
    assert (
        set(rows["ending"]) == {"fin"} and set(rows["ended_by"]) == {"server"} and set(rows["waiting_for"]) == {"idle"}
    )
    assert set(rows["clock"]) == {"data"} and set(rows["recurs"]) == {7}
    assert list(rows["length_s"]) == list(closed["since_data_s"])
    assert rows["timers"].str.startswith("gunicorn-keepalive").all() and set(rows["likeliest_s"]) == {2.0}


@pytest.mark.parametrize("how", [{}, {"fast_path": False}])
def test_both_ways_of_tracking_give_the_same(how: dict[str, bool]) -> None:
    whole = analyzer.analyze(CAPTURES / "keep-alive-time-out.pcap", **how).timers  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(whole, table("keep-alive-time-out.pcap"))


def test_a_reset_a_forgotten_connection_and_a_loss() -> None:
    reset = table("closed-by-idle-timer.pcap")
    assert set(reset["ending"]) == {"rst"} and set(reset["recurs"]) == {3}
    forgotten = table("reset-by-host-without-connection.pcap")
    assert list(forgotten["ending"]) == ["rst-to-next"] and list(forgotten["timers"]) == [""]
    lost = analyzer.analyze(THREADS / "cloud-balancer-dropped-silently.pcap").timers
    assert list(lost["ending"]) == ["nothing"] and list(lost["ended_by"]) == ["client"]
    assert lost["likeliest"][0].startswith("Azure Load Balancer") and list(lost["likeliest_s"]) == [240.0]


@pytest.mark.parametrize("capture", OWN, ids=lambda path: path.stem)
def test_every_timer_named_fits_one_by_one(capture: Path) -> None:
    known = {timer.id: timer for timer in catalogue()}
    for row in analyzer.analyze(capture).timers.itertuples():
        assert max(row.length_s, row.silence_s) >= 1
        for name in filter(None, str(row.timers).split(";")):
            timer = known[name]
            if timer.clock == row.clock:
                clocks = {timer.clock: round(float(row.length_s) * SECOND)}
                alone = Silence(row.waiting_for, row.ending, row.ended_by, clocks, {}, SECOND)
                assert fitting(alone, [timer]) == [timer], (row, name)


def test_what_is_not_known_is_left_empty(tmp_path: Path) -> None:
    lone = analyzed("A R. 101:101 ack 201\n+20 end", tmp_path)
    assert lone.timers.empty
    (row,) = analyzed(OPENED + "\n+10000 B F. 1201:1202 ack 101\nA . 101:101 ack 1202", tmp_path).timers.itertuples()
    assert row.silence_s == 10.0 and pd.isna(row.length_s) and row.timers == ""


def test_the_first_segment_captured_begins_no_wait(tmp_path: Path) -> None:
    kept = "".join("+2500 B . 0:0 ack 1\nA . 1:1 ack 1\n" for _ in range(4))
    (row,) = analyzed(kept + "+2500 B R. 1:1 ack 1", tmp_path).timers.itertuples()
    assert (row.clock, row.length_s, row.waiting_for) == ("packet", row.silence_s, "idle") and row.silence_s < 2.6


def test_a_silence_that_was_survived_strikes_out(tmp_path: Path) -> None:
    talk = "A P. {0}:{1} ack 201\nB . 201:201 ack {1}\n"
    story = OPENED + "\n+300000 " + talk.format(101, 151) + "+400000 A P. 151:201 ack 201\n"
    story += "".join(f"+{pause} A P. 151:201 ack 201\n" for pause in (200, 400, 800, 1600)) + "+300000 end"
    (row,) = analyzed(story, tmp_path).timers.itertuples()
    assert row.ending == "nothing" and "aws-nfw" in row.timers and "azure" not in row.timers


def test_a_greeting_that_was_not_answered_is_told_alike_by_table_and_finding(tmp_path: Path) -> None:
    opened, closed = "A S 0:1\nB S. 0:1 ack 1\nA . 1:1 ack 1\n", "\n+10000 B F. 86:87 ack 1\nA . 1:1 ack 87"
    greeted = [f"{opened}+{after} B P. 1:86 ack 1\nA . 1:1 ack 86{closed}" for after in range(16000, 19000, 600)]
    result = analyzed("\n\n".join(greeted), tmp_path)
    (many,) = [finding for finding in result.findings.itertuples() if finding.code == "TD401"]
    assert "Ask why the program on the client opens connections that it does not use" in many.advice
    assert set(result.timers["waiting_for"]) == {"unused"} and set(result.timers["length_s"].round()) == {10}
    assert "consistent" in many.message and result.timers["timers"].all()
