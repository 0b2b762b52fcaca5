"""Figures say what the tables say, and what cannot be drawn is one clear line."""

from pathlib import Path

import pytest

import analyzer
from analyzer.engine.plots import Plots
from analyzer.errors import TeardownError, UsageError
from analyzer.views.pictures import charts

pytest.importorskip("matplotlib").use("Agg")
ROOT = Path(__file__).parents[2]
LEAKS = ROOT / "captures" / "time-wait-beside-close-wait.pcap"


@pytest.fixture(scope="module")
def result() -> "analyzer.Result":
    return analyzer.analyze(LEAKS)


@pytest.mark.parametrize("role", ["server", "client"])
def test_counts_of_a_server_are_those_of_netstat(result: "analyzer.Result", role: str) -> None:
    counts = charts.socket_counts(result, "10.1.2.2:8080", role)
    inside = counts[counts.index >= result.flows["first_epoch"].min()]
    for moment in inside.index[:: len(inside) // 20]:
        sockets = result.netstat(moment)
        ports = "local_port" if role == "server" else "foreign_port"
        mine = sockets[(sockets[ports] == 8080) & (sockets["endpoint"] == role)]
        expected = mine["state"].astype(str).str.lower().value_counts().to_dict()
        shown = {str(state): int(number) for state, number in counts.loc[moment].items() if number}
        assert shown == expected


def test_endings_are_those_of_the_flows(result: "analyzer.Result") -> None:
    counts = charts.ending_counts(result)
    assert counts.to_dict("index") == {
        "10.1.2.2:8080": {"graceful": 10, "half-closed": 6},
        "10.1.2.2:9090": {"graceful": 1, "half-closed": 0},
    }
    axes = result.plot.endings().axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["graceful (11)", "half-closed (6)"]
    assert sum(patch.get_width() for patch in axes.patches) == len(result.flows)


def test_a_census_has_the_states_that_occur_and_ends_with_the_capture(result: "analyzer.Result") -> None:
    axes = result.plot.census().axes[0]
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == ["SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK"]
    assert "10.1.2.2:8080" in axes.get_title()


def test_many_changes_are_drawn_at_so_many_moments(result: "analyzer.Result", monkeypatch: pytest.MonkeyPatch) -> None:
    whole = charts.socket_counts(result, "10.1.2.2:8080", "server")
    monkeypatch.setattr(charts, "MOMENTS", 10)
    some = charts.socket_counts(result, "10.1.2.2:8080", "server")
    assert len(some) == 10
    assert some.iloc[-1].tolist() == whole.iloc[-1].tolist()


def test_a_ladder_is_the_picture_of_timeline(result: "analyzer.Result", tmp_path: Path) -> None:
    figure = result.plot.ladder(2)
    kept = analyzer.analyze(LEAKS, keep_segments=True).plot.ladder(2)
    assert figure._repr_svg_() == kept.svg
    figure.save(tmp_path / "ladder.svg")
    assert (tmp_path / "ladder.svg").read_text("utf8") == figure.svg
    assert "CLOSE_WAIT" in figure.svg


def test_what_cannot_be_drawn_is_said(result: "analyzer.Result") -> None:
    with pytest.raises(UsageError, match=r"no server 10\.9\.9\.9:1 in it; there are: 10\.1\.2\.2:8080"):
        result.plot.census("10.9.9.9:1")
    with pytest.raises(UsageError, match="role is server or client"):
        result.plot.census(role="both")
    empty = analyzer.analyze(LEAKS, host="10.9.9.9")
    with pytest.raises(UsageError, match="no connection"):
        empty.plot.endings()
    with pytest.raises(UsageError, match="there is no server"):
        empty.plot.census()
    with pytest.raises(UsageError, match="stream 99"):
        result.plot.ladder(99)
    with LEAKS.open("rb") as file:
        once = analyzer.analyze(file)
    with pytest.raises(TeardownError, match="again"):
        once.plot.ladder(2)
    with pytest.raises(UsageError, match="cannot be read again"):
        Plots(once, None).ladder(2)
