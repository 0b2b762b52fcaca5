"""The mechanism, on ledgers made by hand: confidence, one finding for one cause, what cannot be judged, the table."""

import time
from typing import Any

import numpy as np
import pytest

from analyzer.findings import Found
from analyzer.findings import found as finding
from analyzer.findings.rule import CannotJudge, Rule, Verdict, rules
from analyzer.findings.view import View
from analyzer.lines import Words
from analyzer.reports.findings import Listing, listing_of
from analyzer.settings import Settings
from analyzer.times import outer
from analyzer.tracker.ledger import Answered, Foreign, Known
from analyzer.tracker.log import Basis
from analyzer.tracker.outcome import Ledger, RstCause
from analyzer.tracker.resets import Verdict as Reception
from analyzer.tracker.transitions import State
from tests.findings.books import END, SECOND, START, WHOLE, Book, at, csv_lines, leaking_server, ledger


def found(made: Ledger, **settings: Any) -> dict[str, dict[str, Any]]:
    rows = listing_of(made, Book(), Settings(**settings)).frame()
    return {row["code"]: row for row in rows.to_dict("records")}


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
    assert "in the 30 s from then until a new connection took its addresses and ports" in row["message"]


FIN_END = 5000  # the sequence number after the server's FIN


def data_meets_reset(after: float, size: int, first_byte: int, ack: int = FIN_END, **server: Any) -> dict[str, Any]:
    """The server's FIN is acknowledged in frame 9; ``after`` seconds behind it the client sends data that acknowledge
    ``ack``, in frame 10, and the server resets."""
    closed = {"fin_count": 1, "fin_time": at(1), "fin_frame": 8, "fin_acked_time": at(1.001), "fin_acked_frame": 9}
    reset = {"rst_time": at(1 + after) + 1000, "rst_frame": 11, "rst_count": 1, "rst_verdict": Reception.ACCEPTED}
    answer = {"rst_reply": 1, "rst_answers": Answered.DATA, "rst_answers_time": at(1 + after), "rst_answers_frame": 10}
    numbers = {"fin_end": FIN_END, "rst_answers_ack": ack, "rst_half_close": size}
    states = {"rst_state": State.FIN_WAIT_2, "rst_peer_state": State.CLOSE_WAIT, "reach": 1000}
    client = {
        "close_wait_time": at(1),
        "close_wait_end": at(1 + after),
        "reach": 10_000_000,
        "data_time": at(1 + after),
        "carried": size,
        "carried_byte": first_byte,
    }
    return {"server": closed | reset | answer | numbers | states | server, "client": client}


@pytest.mark.parametrize(
    ("after", "size", "first_byte", "ack", "code"),
    [
        (2.0, 300, ord("G"), FIN_END, "TD103"),
        (0.010, 300, ord("G"), FIN_END, "TD103"),
        (0.010, 300, ord("G"), FIN_END - 1, "TD306"),
        (2.0, 300, ord("G"), FIN_END - 1, "TD304"),
        (2.0, 31, 21, FIN_END, "TD304"),
        (0.010, 24, 23, FIN_END - 1, "TD304"),
        (2.0, 24, ord("G"), FIN_END, "TD103"),
    ],
    ids=[
        "told long ago",
        "told within a round trip",
        "not told, within a round trip",
        "not told, but long after it: the FIN was lost",
        "TLS 1.2 close_notify",
        "TLS 1.3 close_notify",
        "small but no alert",
    ],
)
def test_data_that_meets_a_reset(after: float, size: int, first_byte: int, ack: int, code: str) -> None:
    """Whether the sender knew of the FIN its acknowledgment says, not the time."""
    assert set(found(ledger(data_meets_reset(after, size, first_byte, ack)))) == {code}


def test_numbers_are_compared_across_zero() -> None:
    across = {"fin_end": 5, "rst_answers_ack": 2**32 - 5}
    assert set(found(ledger(data_meets_reset(0.010, 300, ord("G"), **across)))) == {"TD306"}
    beyond = {"fin_end": 2**32 - 5, "rst_answers_ack": 5}
    assert set(found(ledger(data_meets_reset(0.010, 300, ord("G"), **beyond)))) == {"TD103"}


def test_who_used_a_closed_connection_is_blamed_unless_the_client_would_not_wait_for_its_answer() -> None:
    pool = data_meets_reset(2.0, 300, ord("G"), spoke_last=1)
    answered = data_meets_reset(2.0, 300, ord("H"), spoke_last=2)
    hasty = answered | {"client": answered["server"], "server": answered["client"]}
    asked = hasty | {"client": hasty["client"] | {"spoke_last": 1}}
    told = {name: found(ledger(flow))["TD103"] for name, flow in [("pool", pool), ("other", hasty), ("asked", asked)]}
    assert {name: row["endpoint"] for name, row in told.items()} == {
        "pool": "client",
        "other": "server",
        "asked": "client",
    }
    assert "did not wait for an answer" in told["asked"]["message"]
    assert "did not wait" not in told["pool"]["message"] + told["other"]["message"]
    assert "sent 300 bytes 2 s after that FIN (frame 10)" in told["pool"]["message"]


def test_a_race_is_one_only_after_a_silence() -> None:
    crossed = data_meets_reset(0.010, 300, ord("G"), FIN_END - 1)
    busy = found(ledger(crossed | {"close_idle": SECOND - 1}))["TD306"]
    idle = found(ledger(crossed | {"close_idle": SECOND}))["TD306"]
    assert "while data were arriving" in busy["message"] and "still sending" in busy["advice"]
    assert "after 1 s of silence" in idle["message"] and "idle timer" in idle["advice"]
    ended = crossed | {"client": crossed["client"] | {"idle_longest": 7 * SECOND, "idle_longest_frame": 10}}
    assert "after 7 s of silence" in found(ledger(ended))["TD306"]["message"]


RESET = {"rst_time": at(2), "rst_frame": 11, "rst_count": 1, "rst_nth": 1, "rst_verdict": Reception.ACCEPTED}
OPEN = {"rst_state": State.ESTABLISHED, "rst_peer_state": State.ESTABLISHED, "rst_data_age": 500, "reach": 1000}


def reset_by_server(**facts: Any) -> dict[str, Any]:
    """An open connection that the server resets in frame 11."""
    return {"server": RESET | OPEN | facts}


@pytest.mark.parametrize(
    ("facts", "code", "level"),
    [
        ({"rst_unread": 10, "rst_reached": 1}, "TD303", "high"),
        ({"rst_unread": 10}, "TD301", "high"),
        ({"rst_unread": 10, "rst_data_age": 1000}, "TD303", "medium"),
        ({"rst_unread": 10, "rst_data_age": 999}, "TD301", "high"),
        ({"rst_unread": 10, "rst_data_age": 1000, "reach": 0}, "TD301", "high"),
        ({"rst_unread": 0, "rst_data_age": 1000}, "TD301", "high"),
        ({"rst_unread": 10, "rst_reached": 1, "rst_unacked": 5}, "TD303", "high"),
        ({"rst_unacked": 5}, "TD302", "high"),
    ],
    ids=[
        "the RST acknowledges them",
        "they may be under way",
        "they had the time to arrive",
        "they had not",
        "nobody knows how long the way is",
        "acknowledged before",
        "and its own were lost",
        "only its own were lost",
    ],
)
def test_what_lay_unread_before_a_reset(facts: dict[str, Any], code: str, level: str) -> None:
    said = found(ledger(reset_by_server(**facts)))
    assert {name: row["confidence"] for name, row in said.items()} == {code: level}
    if code == "TD303":
        assert ("; the RST does" in said[code]["message"]) == ("rst_reached" in facts)
        assert ("Data of its own" in said[code]["message"]) == ("rst_unacked" in facts)


REPLY = {"rst_reply": 1, "rst_answers": Answered.DATA, "rst_answers_frame": 10, "rst_answers_time": at(2) - 1000}


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, {"TD305"}),
        ({"rst_nth": 2, "rst_count": 2}, set()),
        ({"rst_answers": Answered.SYN_ACK}, set()),
        ({"fin_count": 1, "fin_time": at(1), "fin_frame": 8, "fin_end": 7, "rst_answers": Answered.ACK}, {"TD304"}),
    ],
    ids=["it knew nothing", "it had sent a RST", "it was never asked", "it had closed"],
)
def test_a_host_without_the_connection(facts: dict[str, Any], codes: set[str]) -> None:
    assert set(found(ledger(reset_by_server(**REPLY | facts)))) == codes


@pytest.mark.parametrize(
    ("how", "level", "words", "not_said"),
    [
        (Foreign.WENT_ON, "high", ["went on with the connection", "(frame 12)"], ["hops"]),
        (Foreign.OTHER_PATH, "medium", ["another number of hops", "TTL is 41", "63 to 64"], ["went on"]),
        (Foreign.WENT_ON | Foreign.OTHER_PATH, "high", ["another number of hops, and its sender went on"], []),
    ],
)
def test_a_reset_in_the_name_of_another(how: Foreign, level: str, words: list[str], not_said: list[str]) -> None:
    """The RST has no other cause, and nobody is said to have sent it."""
    foreign = {"foreign": how, "foreign_ttl": 41, "foreign_frame": 11, "foreign_time": at(2)}
    own = {"ttl_low": 63, "ttl_high": 64, "own_frame": 12 if how & Foreign.WENT_ON else 0}
    made = ledger(reset_by_server(rst_unacked=5, **foreign, **own) | {"close_side": 2})
    assert made.rst_cause.tolist() == [RstCause.THIRD_PARTY]
    assert made.closed_by.tolist() == [0]
    said = found(made)
    assert set(said) == {"TD309"}
    assert said["TD309"]["confidence"] == level
    for word in words:
        assert word in said["TD309"]["message"]
    for word in not_said:
        assert word not in said["TD309"]["message"]


def test_a_reset_that_was_not_the_foreign_one_has_its_own_cause() -> None:
    foreign = {"foreign": Foreign.OTHER_PATH, "foreign_ttl": 41, "foreign_frame": 5, "foreign_time": at(1)}
    assert set(found(ledger(reset_by_server(**foreign)))) == {"TD301", "TD309"}


def asked(**server: Any) -> dict[str, Any]:
    """A client that waits for the answer to its SYNs, and what came from the server."""
    nothing = {"packets": 0, "syn_count": 0, "syn_ack": 0, "known": 0, "established_time": 0}
    client = {"packets": 2, "syn_count": 2, "syn_frame": 1, "state": State.SYN_SENT, "established_time": 0}
    return {"client": client, "server": nothing | server}


WRONG = {"packets": 2, "rst_count": 2, "rst_ignored": 2, "rst_ignored_frame": 2, "rst_ignored_time": at(1)}


@pytest.mark.parametrize(
    ("server", "codes"),
    [
        ({}, {"TD308"}),
        ({"packets": 2, "strays": 2}, {"TD308"}),
        (WRONG, {"TD314"}),
        (WRONG | {"packets": 1, "rst_count": 1, "rst_ignored": 1}, {"TD314"}),
        (WRONG | {"packets": 3}, set()),
        (WRONG | {"packets": 3, "rst_count": 3}, set()),
        ({"packets": 2, "rst_count": 2, "refusals": 2, "refused_frame": 2, "refused_syn_frame": 1}, {"TD307"}),
    ],
    ids=[
        "nothing",
        "what belongs to no connection",
        "a RST with the wrong number for each SYN",
        "the last SYN is still unanswered",
        "something else, too",
        "a RST that counts, too",
        "refused",
    ],
)
def test_what_comes_in_answer_to_a_syn(server: dict[str, Any], codes: set[str]) -> None:
    assert set(found(ledger(asked(**server)))) == codes


def test_refusals_are_counted_and_the_first_is_paired_with_its_syn() -> None:
    first = {"refused_syn_frame": 3, "refused_frame": 4, "refused_time": at(1), "refused_after": 25_000}
    row = found(ledger(asked(packets=2, rst_count=2, refusals=2, **first)))["TD307"]
    assert "refused 2 SYNs" in row["message"]
    assert "SYN (frame 3), RST (frame 4, 25 µs after it)" in row["message"]
    assert (row["frames"], row["time_epoch"].value) == ("3;4", outer(at(1)))


@pytest.mark.parametrize(
    ("times", "state", "fires"),
    [(1, State.SYN_RECEIVED, False), (2, State.SYN_RECEIVED, True), (2, State.ESTABLISHED, False)],
    ids=["one acknowledgment was lost", "the kernel drops them", "it opened after all"],
)
def test_a_syn_ack_repeated_although_acknowledged(times: int, state: State, fires: bool) -> None:
    again = {
        "syn_ack_after_ack": times,
        "syn_ack_after_ack_frame": 5,
        "syn_ack_after_ack_last": 7,
        "syn_count": 1 + times,
    }
    repeats = {"repeat_run": 4, "repeat_first_time": at(1), "repeat_last_time": at(9), "repeat_last_frame": 9}
    flow = {"server": again | {"state": state, "syn_frame": 2}, "client": repeats}
    assert ("TD313" in found(ledger(flow))) == fires
    if fires:
        row = found(ledger(flow))["TD313"]
        assert row["frames"] == "2;5;7"
        assert "although it had been acknowledged (frames 5 to 7)" in row["message"]
        assert set(found(ledger(flow))) == {"TD313"}  # that the client repeats its data is no loss


def test_a_reset_to_the_last_acknowledgment_of_the_handshake() -> None:
    answer = REPLY | {"rst_answers": Answered.ACK, "rst_state": State.SYN_RECEIVED}
    row = found(ledger(reset_by_server(**answer)))
    assert set(row) == {"TD313"}
    assert "answered the handshake's last acknowledgment with RST (frames 10 to 11)" in row["TD313"]["message"]


def test_a_fin_that_is_only_inferred_is_no_leak() -> None:
    inferred = leaking_server()
    inferred["client"] |= {"fin_count": 0}
    assert not {"TD101", "TD107"} & set(found(ledger(inferred)))


def test_of_a_flow_that_holds_more_than_one_connection_nothing_is_concluded_and_that_is_said_once() -> None:
    mixed = leaking_server(known=WHOLE | Known.MIXED)
    listing = listing_of(ledger(mixed, mixed, {}), Book(), Settings())
    assert not len(listing)
    assert [(entry.code, entry.flows) for entry in listing.cannot_judge] == [("all", 2)]


def rule(code: str, *supersedes: str, blind: bool = False) -> Rule:
    """A rule that fires for every client."""

    def everywhere(made: Ledger, settings: Settings) -> Verdict:
        fires = np.zeros((made.flows, 2), np.bool_)
        fires[:, 0] = not blind
        reasons = [("it is dark", np.ones((made.flows, 2), np.bool_))] if blind else []
        return Verdict(fires=fires, when=made.own("established_time"), frames=[], blind=reasons)

    given = {"code": code, "supersedes": supersedes, "needs": ("packets",), "message": "", "advice": ""}
    return rules()["TD101"]._replace(**given, judge=everywhere)


def with_rules(monkeypatch: pytest.MonkeyPatch, *made: Rule) -> tuple[Listing, list[str]]:
    monkeypatch.setattr(finding, "rules", lambda: {entry.code: entry for entry in made})
    found = Found()
    numbers = found.judge(ledger({}, {}), Settings())
    return Listing(found, Words.of(Book().texts()), Settings(), END), [found.combinations[place] for place in numbers]


def test_a_more_exact_rule_supersedes_a_vaguer_one_and_what_that_one_supersedes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing, codes = with_rules(monkeypatch, rule("A", "B"), rule("B", "C"), rule("C"), rule("D"))
    assert listing.frame()["code"].tolist() == ["A", "A", "D", "D"]
    assert codes == ["A;D", "A;D"]


def test_what_cannot_be_judged_is_counted_by_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    listing, _ = with_rules(monkeypatch, rule("A", blind=True))
    assert not len(listing)
    assert [(entry.code, entry.reason, entry.flows) for entry in listing.cannot_judge] == [("A", "it is dark", 2)]


def test_a_leak_cannot_be_judged_where_only_the_other_direction_was_captured() -> None:
    one_way = leaking_server(packets=0, known=int(Known.NXT), state=State.UNKNOWN, syn_count=0)
    one_way["client"] |= {"ack_sent": 500}
    listing = listing_of(ledger(one_way), Book(), Settings())
    assert "TD101" not in set(listing.frame()["code"])
    assert [entry.code for entry in listing.cannot_judge] == ["TD101"]


def test_flows_known_only_from_icmp_errors_are_not_judged() -> None:
    quoted = leaking_server(packets=0) | {"first_frame": 0}
    quoted["client"] |= {"packets": 0}
    assert not len(listing_of(ledger(quoted), Book(), Settings()))


def test_the_findings_fit_the_declared_table() -> None:
    typed = listing_of(ledger(leaking_server(), copies=12), Book(), Settings()).frame()
    assert set(typed["code"]) == {"TD101", "TD106"}
    pile = typed[typed["code"] == "TD106"].iloc[0]
    assert (pile["server_ip"], int(pile["server_port"]), pile["endpoint"]) == ("2001:db8::2", 80, "server")
    assert typed.loc[typed["code"] == "TD106", ["stream", "client_ip", "client_port"]].isna().all().all()
    assert typed["time_epoch"].notna().all()


def test_no_flows_no_findings() -> None:
    listing = listing_of(ledger(), Book(), Settings())
    assert len(listing) == len(listing.frame()) == 0


def pile_up(*since: float) -> str:
    """What is said of leaks that began so many seconds after START."""
    return str(found(ledger(*map(leaking_server, since), end=at(300)), descriptors=72)["TD106"]["message"])


def test_a_pile_up_is_projected_to_the_limit_of_descriptors() -> None:
    message = pile_up(*range(1, 122, 10))
    assert "13 connections" in message
    assert "grow by 6.0 per minute" in message
    assert "72 descriptors are used up after 10 more minutes" in message


@pytest.mark.parametrize(
    ("since", "grows"),
    [
        (np.linspace(1, 61, 13), True),
        (np.linspace(1, 60.9, 13), False),
        ([*np.linspace(1, 20, 12), 120], False),
        ([1, *np.linspace(100, 120, 12)], False),
    ],
    ids=["over a minute", "less than a minute", "all in the first half", "all in the second half"],
)
def test_no_growth_is_told_from_a_burst(since: list[float], grows: bool) -> None:
    message = pile_up(*since)
    assert ("per minute" in message, "descriptors are used up" in message) == (grows, grows)


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
    found = Found()
    codes = []
    for place, chunk in enumerate(chunks):
        numbers = found.judge(chunk, Settings(), last=place == len(chunks) - 1, first_time=START, **more)
        codes.append([found.combinations[number] for number in numbers])
    listing = Listing(found, Words.of(Book().texts()), Settings(), END)
    return csv_lines(listing).decode(), found.cannot_judge, codes


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
    view = View(made, rows)
    assert view.flows == 3 and view.of(np.arange(3)) is view
    for name in ("handshake", "teardown", "closed_by", "rst_cause", "one_sided", "client", "reported", "gave_up"):
        assert np.array_equal(getattr(view, name), getattr(made, name)[rows]), name
    assert np.array_equal(view.of(np.array([2])).peer("fin_frame"), made.peer("fin_frame")[[8]])
