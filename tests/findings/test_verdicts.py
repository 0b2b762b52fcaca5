"""What single rules make of facts on either side of a line, on ledgers made by hand."""

from typing import Any

import numpy as np
import pytest

from analyzer.tcp.dialogue import Pending
from analyzer.tcp.states import State
from analyzer.times import outer
from analyzer.tracker.ledger import Answered, ThirdParty
from analyzer.tracker.rst import Reception
from analyzer.tracker.vocabularies import RstCause
from tests.findings.books import FIN_END, SECOND, asked, at, data_meets_reset, found, leaking_server, ledger


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


def test_who_closed_and_then_reset_of_its_own_accord_has_answered_no_data() -> None:
    """The client's data knew of the FIN, and the RST's number is not that of a reply to them."""
    assert set(found(ledger(data_meets_reset(0.010, 300, ord("G"), rst_reply=0)))) == {"TD304"}


@pytest.mark.parametrize(
    ("times", "span", "gave_up"),
    [(2, 59 * SECOND, False), (2, 60 * SECOND, True), (1, 60 * SECOND, False), (3, SECOND, True)],
    ids=["twice", "twice, a minute apart, as late repeats are", "once", "three times"],
)
def test_how_often_data_are_repeated_before_that_was_in_vain(times: int, span: int, gave_up: bool) -> None:
    repeats = {"repeat_run": times, "repeat_first_time": at(1), "repeat_last_time": at(1) + span}
    assert ("TD403" in found(ledger({"client": repeats}, end=at(1000)))) == gave_up


def test_numbers_are_compared_across_zero() -> None:
    across = {"fin_end": 5, "rst_answers_ack": 2**32 - 5}
    assert set(found(ledger(data_meets_reset(0.010, 300, ord("G"), **across)))) == {"TD306"}
    beyond = {"fin_end": 2**32 - 5, "rst_answers_ack": 5}
    assert set(found(ledger(data_meets_reset(0.010, 300, ord("G"), **beyond)))) == {"TD103"}


def test_who_used_a_closed_connection_is_blamed_unless_the_client_would_not_wait_for_its_answer() -> None:
    pool = data_meets_reset(2.0, 300, ord("G"), spoke_last=1, pending=Pending.NOTHING)
    answered = data_meets_reset(2.0, 300, ord("H"))
    unused = answered | {"client": answered["server"], "server": answered["client"]}
    hasty = unused | {"server": unused["server"] | {"turns": 1}}
    asked = hasty | {"client": hasty["client"] | {"spoke_last": 1}}
    told = {
        name: found(ledger(flow))["TD103"]
        for name, flow in [*(("pool", pool), ("other", hasty), ("asked", asked), ("unused", unused))]
    }
    assert {name: row["endpoint"] for name, row in told.items()} == {
        "pool": "client",
        "other": "server",
        "asked": "client",
        "unused": "client",
    }
    assert "the server's." in told["other"]["message"] and "No data" in told["unused"]["message"]
    assert "did not wait for the answer" in told["asked"]["message"]
    assert "did not wait" not in told["pool"]["message"] + told["other"]["message"]
    assert "sent 300 bytes 2 s after it (frame 10)" in told["pool"]["message"]


def test_who_waited_long_for_its_answer_lacks_no_half_close() -> None:
    hasty = data_meets_reset(2.0, 300, ord("H"))
    for waited, words in [(SECOND - 1, "did not wait for the answer."), (SECOND, "did not wait for the answer longer")]:
        asked = hasty["server"] | {"spoke_last": 1, "spoken_time": hasty["server"]["fin_time"] - waited}
        told = found(ledger({"client": asked, "server": hasty["client"]}))["TD103"]
        assert words in told["message"]
        assert ("time-out" in told["advice"], "sending side" in told["advice"]) == (waited == SECOND, waited < SECOND)
        assert told["message"].endswith("longer than 1 s.") == (waited == SECOND)


def test_a_race_is_one_only_after_a_silence() -> None:
    crossed = data_meets_reset(0.010, 300, ord("G"), FIN_END - 1)
    busy = found(ledger(crossed | {"close_idle": SECOND - 1}))["TD306"]
    idle = found(ledger(crossed | {"close_idle": SECOND}))["TD306"]
    assert "while data were arriving" in busy["message"] and "under way" in busy["advice"]
    assert "after 1 s of silence" in idle["message"] and "idle timer" in idle["advice"]
    ended = crossed | {"client": crossed["client"] | {"idle_longest": 7 * SECOND, "idle_longest_frame": 10}}
    assert "after 7 s of silence" in found(ledger(ended))["TD306"]["message"]


RESET = {"rst_time": at(2), "rst_frame": 11, "rst_count": 1, "rst_nth": 1, "rst_verdict": Reception.ACCEPTED}
OPEN = {"rst_state": State.ESTABLISHED, "rst_peer_state": State.ESTABLISHED, "rst_wait": 500, "tap_rtt": 1000}


def reset_by_server(**facts: Any) -> dict[str, Any]:
    """An open connection that the server resets in frame 11."""
    return {"server": RESET | OPEN | facts}


@pytest.mark.parametrize(
    ("facts", "code", "level"),
    [
        ({"rst_unread": 10, "rst_reached": 10}, "TD303", "high"),
        ({"rst_unread": 10, "rst_reached": 4}, "TD303", "high"),
        ({"rst_unread": 10}, "TD301", "high"),
        ({"rst_unread": 10, "rst_wait": 1000}, "TD303", "medium"),
        ({"rst_unread": 10, "rst_wait": 999}, "TD301", "high"),
        ({"rst_unread": 10, "rst_wait": 1000, "tap_rtt": 0}, "TD301", "high"),
        ({"rst_unread": 0, "rst_wait": 1000}, "TD301", "high"),
        ({"rst_unread": 10, "rst_reached": 11, "rst_unacked": 5}, "TD303", "high"),
        ({"rst_unacked": 5}, "TD302", "high"),
    ],
    ids=[
        "the RST acknowledges them",
        "the RST acknowledges a part of them",
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
        assert ("; the RST does." in said[code]["message"]) == (facts.get("rst_reached", 0) >= 10)
        assert ("; the RST acknowledges 4 bytes of them." in said[code]["message"]) == (facts.get("rst_reached") == 4)
        assert ("its own data" in said[code]["message"]) == ("rst_unacked" in facts)


REPLY = {"rst_reply": 1, "rst_answers": Answered.DATA, "rst_answers_frame": 10, "rst_answers_time": at(2) - 1000}


CLOSED = {"fin_count": 1, "fin_time": at(1), "fin_frame": 8, "fin_end": 7}


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, {"TD305"}),
        ({"rst_nth": 2, "rst_count": 2}, set()),
        ({"rst_answers": Answered.SYN_ACK}, set()),
        (CLOSED | {"rst_answers": Answered.ACK}, {"TD304"}),
        (CLOSED | {"rst_answers": Answered.ACK, "rst_state": State.CLOSED}, {"TD304"}),
    ],
    ids=["it knew nothing", "it had sent a RST", "it was never asked", "it had closed", "it had closed, all was over"],
)
def test_a_host_without_the_connection(facts: dict[str, Any], codes: set[str]) -> None:
    assert set(found(ledger(reset_by_server(**REPLY | facts)))) == codes


@pytest.mark.parametrize(
    ("how", "level", "words", "not_said"),
    [
        (ThirdParty.WENT_ON, "high", ["continued the connection", "(frame 12)"], ["hops"]),
        (ThirdParty.OTHER_PATH, "medium", ["different number of hops", "hop limit is 41", "63 to 64"], ["continued"]),
        (ThirdParty.WENT_ON | ThirdParty.OTHER_PATH, "high", ["different number of hops, and its sender"], []),
    ],
)
def test_a_reset_in_the_name_of_another(how: ThirdParty, level: str, words: list[str], not_said: list[str]) -> None:
    """The RST has no other cause, and nobody is said to have sent it."""
    foreign = {"third_party": how, "third_party_ttl": 41, "third_party_frame": 11, "third_party_time": at(2)}
    own = {"ttl_low": 63, "ttl_high": 64, "own_frame": 12 if how & ThirdParty.WENT_ON else 0}
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
    foreign = {
        "third_party": ThirdParty.OTHER_PATH,
        "third_party_ttl": 41,
        "third_party_frame": 5,
        "third_party_time": at(1),
    }
    assert set(found(ledger(reset_by_server(**foreign)))) == {"TD301", "TD309"}


WRONG = {"packets": 2, "rst_count": 2, "rst_ignored": 2, "rst_ignored_frame": 2, "rst_ignored_time": at(1)}


@pytest.mark.parametrize(
    ("server", "codes"),
    [
        ({}, {"TD308"}),
        ({"packets": 2, "unrelated_segments": 2}, {"TD308"}),
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


def test_a_reset_with_a_wrong_number_is_a_refusal_only_of_who_asks() -> None:
    open_before = asked(**WRONG)
    open_before["client"] |= {"state": State.ESTABLISHED}
    assert "TD314" not in found(ledger(open_before))


def test_refusals_are_counted_and_the_first_is_paired_with_its_syn() -> None:
    first = {"refused_syn_frame": 3, "refused_frame": 4, "refused_time": at(1), "refused_after": 25_000}
    row = found(ledger(asked(packets=3, rst_count=3, refusals=2, **first)))["TD307"]
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
        assert "although it had been acknowledged, twice (SYN-ACK in frame 2, then frames 5 to 7)" in row["message"]
        assert set(found(ledger(flow))) == {"TD313"}  # that the client repeats its data is no loss


def test_a_reset_to_the_last_acknowledgment_of_the_handshake() -> None:
    answer = REPLY | {"rst_answers": Answered.ACK, "rst_state": State.SYN_RECEIVED}
    row = found(ledger(reset_by_server(**answer)))
    assert set(row) == {"TD313"}
    message = "answered the handshake's last acknowledgment with RST, once (SYN-ACK in frame 0, then frames 10 to 11)"
    assert message in row["TD313"]["message"]


@pytest.mark.parametrize(("end", "code"), [(100, "TD101"), (5, "TD107")])
def test_a_fin_that_is_only_inferred_is_no_leak(end: float, code: str) -> None:
    leak, inferred = leaking_server(), leaking_server()
    inferred["client"] |= {"fin_count": 0}
    assert code in found(ledger(leak, end=at(end)))
    assert code not in found(ledger(inferred, end=at(end)))


def pile_up(*since: float) -> str:
    """What is said of leaks that began so many seconds after START."""
    return str(found(ledger(*map(leaking_server, since), end=at(300)), descriptors=72)["TD106"]["message"])


def test_a_pile_up_is_projected_to_the_limit_of_descriptors() -> None:
    message = pile_up(*range(1, 122, 10))
    assert "13 connections" in message
    assert "grows by 6.0 per minute" in message
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


@pytest.mark.parametrize(
    ("more", "told"),
    [({}, True), ({"fin_after_ack": 0}, False), ({"fin_reacked_frame": 0}, False)],
    ids=["both", "never repeated behind an acknowledgment", "never acknowledged again"],
)
def test_a_last_acknowledgment_is_lost_where_the_fin_came_again_and_was_acknowledged_again(
    more: dict[str, int], told: bool
) -> None:
    closed = {"fin_count": 2, "fin_frame": 3, "fin_time": at(1), "fin_acked_frame": 4, "fin_acked_time": at(1)}
    again = {"fin_after_ack": 1, "fin_after_ack_frame": 5, "fin_after_ack_time": at(2), "fin_reacked_frame": 6}
    waits = {"state": State.TIME_WAIT, "time_wait_time": at(1)}
    assert ("TD203" in found(ledger({"server": closed | again | more, "client": waits}))) == told


@pytest.mark.parametrize(
    ("answered", "end"), [(3, "SYN-ACK came 2 s after the first (frame 7)"), (0, "no SYN-ACK came")]
)
def test_whoever_asked_again_was_answered_or_not(answered: int, end: str) -> None:
    asks = {"syn_count": 2, "syn_ack": 0, "syn_frame": 5, "syn_time": at(1)}
    answers = {"syn_ack": answered > 0, "stale_acks": 1, "stale_ack_frame": 6, "syn_frame": 7, "syn_time": at(answered)}
    both = {"client": asks, "server": answers, "old_seen": 1, "old_state_1": State.CLOSE_WAIT}
    assert end in found(ledger(both))["TD502"]["message"]
