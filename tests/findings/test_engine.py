"""The mechanism, on ledgers made by hand: confidence, one finding for one cause, what cannot be judged, the table."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.findings import RuleEngine, engine
from analyzer.findings.combinations import FoundAbout
from analyzer.findings.ledger_view import LedgerView
from analyzer.findings.loading import rules
from analyzer.findings.needs import Needs
from analyzer.findings.rule import CannotJudge, Rule, Verdict
from analyzer.results.dataframes import findings_frame
from analyzer.results.finding_list import FindingList, listing_of
from analyzer.settings import Settings
from analyzer.tcp.evidence import Basis
from analyzer.tcp.states import State
from analyzer.text import Words
from analyzer.times import outer
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign
from tests.findings.books import (
    END,
    SECOND,
    START,
    WHOLE,
    Book,
    asked,
    at,
    csv_lines,
    data_meets_reset,
    found,
    leaking_server,
    ledger,
)


def test_a_finding_names_endpoint_times_frames_and_threshold() -> None:
    row = found(ledger(leaking_server()))["TD101"]
    assert (row["severity"], row["endpoint"], row["stream"], row["frames"]) == ("error", "server", 0, "8;9")
    assert (row["client_ip"], row["client_port"]) == ("10.0.0.1", 40000)
    assert (row["server_ip"], row["server_port"]) == ("2001:db8::2", 80)
    assert row["time_epoch"].value == outer(at(1))
    for words in ("server [2001:db8::2]:80", "frame 8", "frame 9", "1.000000 s", "99 s", "threshold 10 s"):
        assert words in row["message"]
    assert "ss -tnp state close-wait '( sport = :80 )'" in row["advice"]


def test_the_threshold_decides_between_leak_and_too_early() -> None:
    assert set(found(ledger(leaking_server()), close_wait_leak_ns=99 * SECOND - 1)) == {"TD101"}
    assert set(found(ledger(leaking_server()), close_wait_leak_ns=99 * SECOND)) == {"TD107"}


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({}, "high"),
        ({"close_wait_basis": Basis.ASSUMED}, "medium"),
        ({"state_basis": Basis.TIMER}, "medium"),
        ({"half_close_bytes": 10, "data_time": at(2)}, "medium"),
        ({"missing_bytes": 1}, "low"),
        ({"missing_bytes": 1, "close_wait_basis": Basis.ASSUMED}, "low"),
    ],
)
def test_confidence_comes_from_what_the_verdict_rests_on(facts: dict[str, Any], level: str) -> None:
    assert found(ledger(leaking_server(**facts)))["TD101"]["confidence"] == level


def test_gaps_do_not_touch_what_is_a_fact_about_the_capture() -> None:
    assert found(ledger(leaking_server(missing_bytes=1)))["TD903"]["confidence"] == "high"


def test_a_leak_ends_where_a_new_connection_takes_its_place() -> None:
    row = found(ledger(leaking_server() | {"replaced_time": at(31)}))["TD101"]
    assert "in the 30 s from then until a new connection reused its addresses and ports" in row["message"]


def rule(code: str, *supersedes: str, blind: bool = False) -> Rule:
    """A rule that fires for every client."""

    def everywhere(made: Ledger, settings: Settings) -> Verdict:
        fires = np.zeros((made.flows, 2), np.bool_)
        fires[:, 0] = not blind
        reasons = [("it is dark", np.ones((made.flows, 2), np.bool_))] if blind else []
        return Verdict(fires=fires, when=made.own("established_time"), frames=[], not_judged=reasons)

    given = {
        "code": code,
        "supersedes": supersedes,
        "needs": Needs(Sign.SEGMENT, Sign.SEGMENT, ()),
        "message": "",
        "advice": "",
    }
    return rules()["TD101"]._replace(**given, judge=everywhere, hindsight=None)


def with_rules(monkeypatch: pytest.MonkeyPatch, *made: Rule) -> tuple[FindingList, list[str]]:
    monkeypatch.setattr(engine, "rules", lambda: {entry.code: entry for entry in made})
    applied = RuleEngine()
    codes = [applied.combinations[place] for place in applied.judge(ledger({}, {}), Settings())]
    return FindingList(applied, Words.of(Book().texts()), Settings(), END), codes


def test_a_more_exact_rule_supersedes_a_vaguer_one_and_what_that_one_supersedes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing, codes = with_rules(monkeypatch, rule("A", "B"), rule("B", "C"), rule("C"), rule("D"))
    assert findings_frame(listing)["code"].tolist() == ["A", "A", "D", "D"]
    assert codes == ["A;D", "A;D"]


@pytest.mark.parametrize("count", [63, 64, 65, 70, 200])
def test_there_may_be_as_many_rules_as_one_likes(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Also where the last takes the place of the first, and where only those beyond the first 64 find something."""
    codes = [f"R{number:03}" for number in range(count)]
    last = rule(codes[-1], codes[0])
    listing, about = with_rules(monkeypatch, *map(rule, codes[:-1]), last)
    assert about == [";".join(codes[1:])] * 2
    assert len(listing) == 2 * (count - 1)
    assert set(findings_frame(listing)["code"]) == set(codes[1:])
    _, about = with_rules(monkeypatch, *(rule(code, blind=True) for code in codes[:-1]), last)
    assert about == [codes[-1]] * 2


@given(st.lists(st.sets(st.integers(0, 150), max_size=4), min_size=1, max_size=30))
def test_the_rules_that_found_something_about_a_flow_are_told_apart(found: list[set[int]]) -> None:
    about = FoundAbout(len(found))
    for place in range(151):
        about.note(place, np.array([flow for flow, places in enumerate(found) if place in places], np.intp))
    flows, of, distinct = about.combinations()
    assert flows.tolist() == [flow for flow, places in enumerate(found) if places]
    assert [set(distinct[number]) for number in of] == [places for places in found if places]
    assert len(set(distinct)) == len(distinct) == len({frozenset(places) for places in found if places})


def test_what_cannot_be_judged_is_counted_by_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    listing, _ = with_rules(monkeypatch, rule("A", blind=True))
    assert not len(listing)
    assert [(entry.code, entry.reason, entry.flows) for entry in listing.cannot_judge] == [("A", "it is dark", 2)]


def test_a_leak_cannot_be_judged_where_only_the_other_direction_was_captured() -> None:
    one_way = leaking_server(packets=0, known=int(Known.NXT), state=State.UNKNOWN, syn_count=0)
    one_way["client"] |= {"ack_sent": 500}
    listing = listing_of(ledger(one_way), Book(), Settings())
    assert "TD101" not in set(findings_frame(listing)["code"])
    assert [entry.code for entry in listing.cannot_judge] == ["TD101"]


def test_flows_known_only_from_icmp_errors_are_not_judged() -> None:
    quoted = leaking_server(packets=0) | {"first_frame": 0}
    quoted["client"] |= {"packets": 0}
    assert not len(listing_of(ledger(quoted), Book(), Settings()))


def test_of_a_flow_that_holds_more_than_one_connection_nothing_is_concluded_and_that_is_said_once() -> None:
    mixed = leaking_server(known=WHOLE | Known.MIXED)
    listing = listing_of(ledger(mixed, mixed, {}), Book(), Settings())
    assert not len(listing)
    assert [(entry.code, entry.flows) for entry in listing.cannot_judge] == [("all", 2)]


def test_the_findings_fit_the_declared_table() -> None:
    typed = findings_frame(listing_of(ledger(leaking_server(), copies=12), Book(), Settings()))
    assert set(typed["code"]) == {"TD101", "TD106"}
    pile = typed[typed["code"] == "TD106"].iloc[0]
    assert (pile["server_ip"], int(pile["server_port"]), pile["endpoint"]) == ("2001:db8::2", 80, "server")
    assert typed.loc[typed["code"] == "TD106", ["stream", "client_ip", "client_port"]].isna().all().all()
    assert typed["time_epoch"].notna().all()


def test_some_findings_of_a_rule_may_be_less_grave_than_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come behind graver ones of the same moment; whose severity they are changes nothing else."""
    given = rule("B", "C")

    def mild(made: Ledger, settings: Settings) -> Verdict:
        verdict = given.judge(made, settings)
        assert isinstance(verdict, Verdict)
        return verdict._replace(info=made.flow("stream") == 0)

    made = given._replace(severity="error", info_when="of the first stream", judge=mild)
    listing, codes = with_rules(monkeypatch, made, rule("C"))
    frame = findings_frame(listing)
    assert list(zip(frame["code"], frame["severity"], frame["stream"], strict=True)) == [
        ("B", "error", 1),
        ("B", "info", 0),
    ]
    assert codes == ["B", "B"]
    assert [line.split(",")[1] for line in csv_lines(listing).decode().splitlines()] == ["error", "info"]
    assert made.severities == "error or info" and given.severities == "error"


def test_no_flows_no_findings() -> None:
    listing = listing_of(ledger(), Book(), Settings())
    assert len(listing) == len(findings_frame(listing)) == 0


def test_many_flows_take_no_loop() -> None:
    many = ledger({}, leaking_server(), {"client": {"fin_count": 1}}, copies=70_000)
    begun = time.process_time()
    listing = listing_of(many, Book(), Settings(pile_up=10**9))
    lines = csv_lines(listing)
    assert lines.count(b"\n") == len(listing) == 70_000
    assert time.process_time() - begun < 10
    assert listing.numbers("when", listing.order).min() > START


def written(chunks: list[Ledger], **more: Any) -> tuple[str, list[CannotJudge], list[list[str]]]:
    """findings.csv of flows that come in chunks, what could not be judged, and the codes of each flow."""
    applied = RuleEngine()
    codes = []
    for place, chunk in enumerate(chunks):
        numbers = applied.judge(chunk, Settings(), last=place == len(chunks) - 1, first_time=START, **more)
        codes.append([applied.combinations[number] for number in numbers])
    listing = FindingList(applied, Words.of(Book().texts()), Settings(), END)
    return csv_lines(listing).decode(), applied.cannot_judge, codes


def test_how_the_flows_are_cut_into_chunks_changes_nothing() -> None:
    """The leaks are in the last chunk, as they are never over; whether both directions are captured is told early."""
    unanswered = asked()
    reset = data_meets_reset(2.0, 300, ord("G"))
    one_way = leaking_server(packets=0, known=int(Known.NXT), state=State.UNKNOWN, syn_count=0)
    one_way["client"] |= {"ack_sent": 500}
    flows = [unanswered, reset, {}, one_way, reset, *[leaking_server()] * 12]
    flows = [flow | {"stream": place} for place, flow in enumerate(flows)]
    whole = written([ledger(*flows)])
    assert len(whole[1]) == 1 and "TD308" in whole[0] and "TD106" in whole[0]
    for cut in range(1, 5):
        parts = written([ledger(*flows[:cut]), ledger(*flows[cut:])])
        assert parts[:2] == whole[:2]
        assert [code for chunk in parts[2] for code in chunk] == whole[2][0]
        others = written([ledger(*flows[cut:5]), ledger(*flows[:cut], *flows[5:])])
        assert others[:2] == whole[:2]


def test_what_rests_on_both_directions_being_captured_waits_for_the_whole_capture() -> None:
    unanswered = asked()
    assert ",medium," in written([ledger(unanswered)])[0]
    assert ",high," in written([ledger(unanswered)], both_ways=True)[0]
    assert ",high," in written([ledger(unanswered), ledger({} | {"stream": 1})])[0]


def test_a_view_of_a_ledger_says_what_the_ledger_says() -> None:
    made = ledger({}, leaking_server(), data_meets_reset(2.0, 300, 0), copies=3)
    rows = np.array([4, 0, 8])
    view = LedgerView(made, rows)
    assert view.flows == 3 and view.of(np.arange(3)) is view
    for name in ("handshake", "teardown", "closed_by", "rst_cause", "one_sided", "client", "reported", "gave_up"):
        assert np.array_equal(getattr(view, name), getattr(made, name)[rows]), name
    assert np.array_equal(view.of(np.array([2])).peer("fin_frame"), made.peer("fin_frame")[[8]])
