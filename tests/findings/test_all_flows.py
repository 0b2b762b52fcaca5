"""Rules about all flows are given each flow of the capture once, in the order of streams, however it was followed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.engine.pipeline import Analysis, analyze, opened
from analyzer.errors import UnusableRule
from analyzer.findings import Rule, engine, rules
from analyzer.findings.all_flows import KEPT, AllFlows
from analyzer.findings.needs import NO_NEEDS
from analyzer.findings.rule import AT_THE_END, Crowd
from analyzer.results import store
from analyzer.settings import Settings
from analyzer.tracker.flow_record import ENDING

FOLDER = Path(__file__).parents[2] / "captures"
CAPTURES = [str(path) for path in sorted(FOLDER.glob("*.pcap*"))]


def crowd(flows: AllFlows, settings: Settings) -> Crowd:
    """One crowd: the server of the first flow, and the number of all."""
    return Crowd(
        address=flows.column("server_ip")[:1],
        port=flows.column("server_port")[:1],
        server=np.ones(1, np.bool_),
        when=flows.column("first_epoch")[:1],
        frames=[[int(flows.column("first_frame")[0])]],
        confidence=np.zeros(1, np.int64),
        values={"count": np.array([len(flows)])},
    )


def rule(judge: Any) -> Rule:
    changed: dict[str, Any] = {"code": "TD999", "needs": NO_NEEDS, "message": "{count:flow}", "advice": ""}
    return rules()["TD106"]._replace(**changed, judge=judge, of_all_flows=True, live_wait=AT_THE_END)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[AllFlows]:
    """What the rule is given, each time that it is asked; it is the only one."""
    told: list[AllFlows] = []

    def judge(flows: AllFlows, settings: Settings) -> Crowd:
        told.append(flows)
        return crowd(flows, settings)

    monkeypatch.setattr(engine, "rules", lambda: {"TD999": rule(judge)})
    return told


@pytest.mark.parametrize("how", [{}, {"fast_path": False}, {"keep_flows": False}, {"keep_timeline": False}])
@pytest.mark.parametrize("spooled", [False, True])
def test_all_flows_are_given_in_the_order_of_streams(
    how: dict[str, Any], spooled: bool, given: list[AllFlows], monkeypatch: pytest.MonkeyPatch
) -> None:
    if spooled:
        monkeypatch.setattr(store, "IN_MEMORY", 500)
        monkeypatch.setattr(store, "FLOWS_AT_ONCE", 7)
    listing = analyze(CAPTURES, Settings(**how)).listing
    monkeypatch.undo()
    expected = endings()
    assert len(given) == 1 and len(given[0]) == len(expected)
    for name in KEPT:
        assert given[0].column(name).tolist() == expected[name].tolist(), name
    assert listing.say(listing.tables[0], "message", 0) == f"{len(expected)} flows"


def endings() -> NDArray[np.void]:
    """The rows of all flows, in the order of streams."""
    return analyze(CAPTURES, Settings()).tables.whole()[0]


def test_columns_are_numbers_of_which_differences_may_be_taken(given: list[AllFlows]) -> None:
    analyze(CAPTURES[:5], Settings())
    ports = given[0].column("server_port")
    assert (ports - 65535 <= 0).all()
    assert [column.dtype.kind for column in given[0].columns("first_frame", "stream")] == ["i", "i"]


def test_a_rule_that_reads_what_is_not_kept_of_all_flows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(KEPT) < set(ENDING.names or ())
    monkeypatch.setattr(engine, "rules", lambda: {"TD999": rule(lambda flows, _: flows.column("client_fins"))})
    with pytest.raises(UnusableRule, match="judge reads 'client_fins', which is not kept for rules"):
        analyze(CAPTURES[:1], Settings())


@pytest.mark.parametrize("retires", [False, True])
def test_a_crowd_of_which_a_part_has_left_is_not_judged(retires: bool, given: list[AllFlows]) -> None:
    """So a watch that lets connections go says nothing wrong of them."""
    analysis = Analysis(Settings())
    with opened([str(FOLDER / "time-wait-runs-out.pcap")], Settings()) as capture:
        for packets in capture:
            analysis.feed(packets)
        assert not analysis.drop_idle(1 << 62, 1 << 62).overview.flows
        assert not retires or analysis.retire().overview.flows
        analysis.result([], capture)
    assert len(given) == (not retires)
