"""Rules about all flows of a capture, at their thresholds: ports in TIME_WAIT, outages, floods; and exact steps."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.findings.finding_columns import HIGH, LOW, MEDIUM
from analyzer.findings.loading import rules
from analyzer.findings.rule import Crowd
from analyzer.findings.step_function import per_minute, steps
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.vocabularies import CLIENT, SERVER, SIDES, Handshake, Teardown
from tests.findings.books import SECOND, all_flows, at

Row = dict[str, Any]


def judged(code: str, rows: list[Row], facts: dict[str, Any] | None = None, **settings: Any) -> Crowd:
    said = rules()[code].judge(all_flows(rows, **facts or {}), Settings(**settings))
    assert isinstance(said, Crowd)
    return said


def value(crowd: Crowd, name: str) -> Any:
    """One value of the only crowd."""
    assert len(crowd.address) == 1
    return crowd.values[name][0]


def closed(opened: float, acked: float, port: int = 0, **more: Any) -> Row:
    """A connection of the client 1 to port 80 of the server 2, which the client closed first."""
    ends = {"client_ip": 1, "client_port": port, "server_ip": 2, "server_port": 80, "closed_by": CLIENT}
    times = {"first_epoch": at(opened), "client_fin_acked_epoch": at(acked) - 1, "server_fin_acked_epoch": at(acked)}
    last = {"last_epoch": at(acked), "last_frame": round(acked * 10)}
    return {**ends, **times, **last, "teardown": Teardown.GRACEFUL, "handshake": Handshake.COMPLETE} | more


def visits(count: int = 8, every: float = 1.0) -> list[Row]:
    return [closed(place * every, place * every + 0.5, 40000 + place) for place in range(count)]


TEN_PORTS = {"ephemeral_ports": 10}


@pytest.mark.parametrize(
    ("rows", "peak"),
    [
        (visits(), 8),
        (visits(7), 0),
        ([row | {"closed_by": SERVER} for row in visits()], 0),
        ([row | {"client_known": 0} for row in visits()], 0),
        ([*visits(7), visits(8)[7] | {"server_ip": 3}], 0),
        ([*visits(7), visits(8)[7] | {"server_port": 81}], 0),
        ([*visits(7), visits(8)[7] | {"client_ip": 7}], 0),
        ([*visits(7), visits(8)[7] | {"rst_cause": 1}], 0),
        ([*visits(7), closed(9, 9.5, 40000)], 0),
        ([*visits(), closed(9, 9.5, 40000)], 8),
        ([*visits(7), closed(7, 7.5, 40007), closed(3, 3.2, 40000, closed_by=SERVER, teardown=Teardown.OPEN)], 0),
    ],
    ids=[
        *("at the threshold", "below it", "at the server", "who is client is a guess", "two servers", "two ports"),
        *("two clients", "ended by a RST", "one port used again", "used again at the peak", "used again by another"),
    ],
)
def test_ports_in_time_wait_are_counted_toward_one_server(rows: list[Row], peak: int) -> None:
    crowd = judged("TD504", rows, **TEN_PORTS)
    assert crowd.values["peak"].tolist() == ([peak] if peak else [])


def test_time_wait_ends_by_the_timer_in_force() -> None:
    assert not len(judged("TD504", visits(), **TEN_PORTS, time_wait_ns=6 * SECOND).address)
    crowd = judged("TD504", visits(), **TEN_PORTS, time_wait_ns=8 * SECOND)
    assert (value(crowd, "timer"), value(crowd, "source")) == (8 * SECOND, "--time-wait")
    assert (value(crowd, "peak_time"), crowd.when[0], crowd.frames[0]) == (at(7.5), at(7.5), [5, 75, 75])


def test_what_a_gap_hides_is_not_counted() -> None:
    gaps = np.array([[at(6.7), at(6.8)]])
    assert not len(judged("TD504", visits(), {"gaps": gaps}, **TEN_PORTS).address)


def test_growth_is_told_where_it_lasts() -> None:
    slow = judged("TD504", visits(8, every=20), {"end": at(300)}, **TEN_PORTS, time_wait_ns=500 * SECOND)
    assert value(slow, "growth") == (
        "; until then the number grew by 3 per minute, and all ports would be used up 1 minutes later"
    )
    assert value(judged("TD504", visits(8, every=5), **TEN_PORTS), "growth") == ""


def test_steps_are_exact_and_an_end_comes_before_a_beginning() -> None:
    number = steps(np.array([1, 2, 5, 7]), np.array([5, 4, 9, 7]))
    assert (number.times.tolist(), number.counts.tolist()) == ([1, 2, 4, 5, 5, 9], [1, 2, 1, 0, 1, 0])
    assert (number.peak, number.peak_time, number.reaches(1)) == (2, 2, 1)
    assert steps(np.zeros(0, np.int64), np.zeros(0, np.int64)).peak == 0


@pytest.mark.parametrize(
    ("began", "rate"),
    [
        (np.arange(0, 121, 10), 6.0),
        (np.arange(0, 60, 10), 0.0),
        (np.append(np.arange(0, 11), 120), 0.0),
        (np.append(np.arange(0, 121, 10), [60.1, 60.2, 60.3, 60.4]), 8.0),
        (np.append(np.arange(0, 121, 10), [50.1, 50.2, 50.3, 50.4] * 50), 0.0),
        (np.linspace(0, 3600, 100_001), 100_000 / 60),
    ],
    ids=[
        "steady",
        "less than a minute",
        "a burst and one more",
        "steady with a burst",
        "mostly one burst",
        "very many",
    ],
)
def test_growth_is_the_median_of_slopes(began: NDArray[Any], rate: float) -> None:
    times = np.sort(np.round(began * SECOND).astype(np.int64))
    number = steps(times, np.full(len(times), 10**15))
    assert per_minute(number, int(times[0]), int(times[-1])) == pytest.approx(rate, rel=0.1)


def attempt(began: float, handshake: Handshake = Handshake.REFUSED, client: int = 1, **more: Any) -> Row:
    """An attempt to connect to port 80 of the server 2."""
    ends = {"client_ip": client, "client_port": 40000, "server_ip": 2, "server_port": 80}
    times = {"first_epoch": at(began), "last_epoch": at(began) + 1000, "first_frame": round(began * 10) + 1}
    return {**ends, **times, "handshake": handshake} | more


def outage(taken: list[float], failed: list[float], how: Handshake = Handshake.REFUSED, **more: Any) -> list[Row]:
    return [attempt(time, Handshake.COMPLETE) for time in taken] + [attempt(time, how, **more) for time in failed]


WHILE_AWAY = [5.0, 5.5, 6.0, 6.5]
FOUR = {"outage": 4}


def test_an_outage_is_told_with_its_bounds() -> None:
    crowd = judged("TD317", outage([1, 2, 9, 10], WHILE_AWAY), **FOUR)
    assert (value(crowd, "how"), value(crowd, "meanwhile")) == ("refused 4 connections", "none")
    assert (value(crowd, "first"), value(crowd, "last"), value(crowd, "clients")) == (at(5), at(6.5), 1)
    assert (value(crowd, "earlier_frame"), value(crowd, "later_frame")) == (21, 91)
    assert value(crowd, "earlier") == ". It took the last one before that at 2.000000 s"
    assert value(crowd, "later") == " and the first one after that at 9.000000 s"
    assert "was away for that time" in value(crowd, "suspect")
    assert (crowd.confidence[0], crowd.when[0], crowd.decides) == (HIGH, at(6.5), [66])


@pytest.mark.parametrize(
    ("rows", "fires"),
    [
        (outage([1], WHILE_AWAY), True),
        (outage([1], WHILE_AWAY[1:]), False),
        (outage([], WHILE_AWAY), False),
        (outage([1], WHILE_AWAY, server_port=81), False),
        (outage([1], WHILE_AWAY, Handshake.PARTIAL), False),
        (outage([1], WHILE_AWAY, Handshake.UNANSWERED), True),
        (outage([1], [97, 97.5, 98, 99.9], Handshake.UNANSWERED), False),
        (outage([1], [97, 97.5, 98, 98.9], Handshake.UNANSWERED), True),
    ],
    ids=[
        *("as many as the threshold", "one less", "a port that took none", "another port took one"),
        *("answered", "not answered", "the capture just ends", "a second before that"),
    ],
)
def test_an_outage_is_of_a_service_that_took_connections(rows: list[Row], fires: bool) -> None:
    assert len(judged("TD317", rows, **FOUR).address) == fires


def test_failing_now_and_then_is_told_apart_from_an_outage() -> None:
    crowd = judged("TD317", outage([1, 5.2, 5.7, 9], WHILE_AWAY), **FOUR)
    assert (value(crowd, "meanwhile"), value(crowd, "longest")) == ("2", "")
    assert "one backend refuses" in value(crowd, "suspect")


@pytest.mark.parametrize(
    ("taken", "fires"),
    [
        ([1, 2, 9, 10], True),
        ([1, 2, 9], False),
        ([1, 5.2, 9, 10], False),
        ([1, 4.5, 8, 11.5], False),
        ([9, 10, 11, 12], True),
        ([9, 11, 13, 15], False),
    ],
    ids=["as many are taken as fail", "fewer", "one meanwhile", "now and then", "taken later", "now and then later"],
)
def test_clients_who_are_never_let_in_make_no_outage(taken: list[float], fires: bool) -> None:
    strangers = outage(taken, WHILE_AWAY, client=9)
    assert len(judged("TD317", strangers, **FOUR).address) == fires
    assert len(judged("TD317", [*strangers, *(attempt(6, client=1) for _ in range(4))], **FOUR).address) == 1


@pytest.mark.parametrize(("clients", "fires"), [(2, False), (3, True)])
def test_several_clients_who_fail_are_seldom_all_strangers(clients: int, fires: bool) -> None:
    strangers = [attempt(time, client=9 + place % clients) for place, time in enumerate(WHILE_AWAY)]
    assert len(judged("TD317", [*outage([1, 4.1, 7.3, 10], []), *strangers], **FOUR).address) == fires


@pytest.mark.parametrize(("known", "level"), [(0, LOW), (1, MEDIUM), (3, MEDIUM), (4, HIGH)])
def test_an_outage_of_strangers_only_may_be_a_filter(known: int, level: int) -> None:
    failed = [attempt(time, client=1 if place < known else 7 + place) for place, time in enumerate(WHILE_AWAY)]
    crowd = judged("TD317", [*outage([1, 2, 9, 10], []), *failed], **FOUR)
    assert crowd.confidence.tolist() == [level]
    assert bool(value(crowd, "strangers")) == ("list of allowed clients" in value(crowd, "suspect")) == (not known)


def test_the_longest_of_several_outages_is_told() -> None:
    crowd = judged("TD317", outage([1, 9], [*WHILE_AWAY, 20, 21, 22, 23, 24]), **FOUR)
    assert (value(crowd, "first"), value(crowd, "how")) == (at(20), "refused 5 connections")
    assert value(crowd, "longest") == "; it is the longest of 2 such times"
    assert "not back when the capture ended" in value(crowd, "suspect")


def test_what_happened_to_each_attempt_is_told() -> None:
    rows = [*outage([9], [5, 5.5, 6]), attempt(7, Handshake.UNANSWERED), attempt(8, Handshake.UNANSWERED, 4)]
    crowd = judged("TD317", rows, **FOUR)
    assert (value(crowd, "how"), value(crowd, "clients")) == (
        "refused 3 of 5 connections and sent no segment in answer to 2",
        2,
    )
    assert value(crowd, "later") == ". It took the first one after that at 9.000000 s"
    assert "was not there until then" in value(crowd, "suspect")
    ignored = judged("TD317", outage([9], WHILE_AWAY, Handshake.UNANSWERED), **FOUR)
    assert value(ignored, "how") == "sent no segment in answer to 4 connections"
    assert "SYNs were dropped" in value(ignored, "suspect")


@pytest.mark.parametrize(
    ("how", "facts", "level"),
    [
        (Handshake.REFUSED, {"both_directions": False}, HIGH),
        (Handshake.UNANSWERED, {"both_directions": False}, LOW),
        (Handshake.UNANSWERED, {"hides": True}, LOW),
        (Handshake.REFUSED, {"gaps": np.array([[at(5.8), at(5.9)]])}, MEDIUM),
    ],
)
def test_how_sure_an_outage_is(how: Handshake, facts: dict[str, Any], level: int) -> None:
    assert judged("TD317", outage([1, 9], WHILE_AWAY, how), facts, **FOUR).confidence.tolist() == [level]


def half_open(began: float, client: int, answers: int = 3, **more: Any) -> Row:
    """A SYN that was answered ``answers`` times, for three seconds if more than once, and never completed."""
    states = {"client_state": State.SYN_SENT, "server_state": State.SYN_RECEIVED}
    sent = {"client_packets": 1, "server_packets": answers, "last_epoch": at(began + 3 * (answers > 1)) + 1000}
    return attempt(began, Handshake.PARTIAL, client) | states | sent | more


def flood(count: int = 12, every: float = 0.1, **more: Any) -> list[Row]:
    return [half_open(5 + place * every, 20 + place, **more) for place in range(count)]


TWELVE = {"half_open": 12}


def served(began: float, **more: Any) -> Row:
    """A connection with data of which the capture shows each segment."""
    return attempt(began, Handshake.COMPLETE, client_packets=4, last_data_by=SIDES.by_code.index("server")) | more


@pytest.mark.parametrize(
    ("rows", "fires"),
    [
        (flood(), True),
        (flood(11), False),
        (flood(every=0.9), True),
        (flood(every=0.91), False),
        (flood(client_packets=2), False),
        (flood(rst_cause=2), False),
        (flood(server_state=State.CLOSED), False),
        ([row | {"client_ip": 20 + place % 9} for place, row in enumerate(flood())], False),
        ([row | {"client_ip": 20 + place % 10} for place, row in enumerate(flood())], True),
        ([row | {"server_port": 80 + place} for place, row in enumerate(flood())], False),
        (flood(answers=1), False),
        ([*flood(answers=1), served(50, server_port=81)], True),
        ([*flood(answers=1), served(50, observability=3)], False),
        ([*flood(answers=1), served(50, client_packets=3)], False),
        ([*flood(answers=1), served(50, last_data_by=SIDES.by_code.index(""))], False),
        ([row | {"last_epoch": at(99.5)} for row in flood()], False),
    ],
    ids=[
        *("as many as the threshold", "one less", "within ten seconds", "in a longer time", "SYNs repeated"),
        *("reset", "not answered by SYN-ACK", "nine addresses", "ten addresses", "ports scanned"),
        *("acknowledgments may be left out", "a cookie each", "segments are missing", "SYN, FIN and RST"),
        *("SYNs, FINs and RSTs without data", "the capture just ends"),
    ],
)
def test_a_flood_is_of_many_addresses_and_never_completed(rows: list[Row], fires: bool) -> None:
    assert len(judged("TD316", rows, **TWELVE).address) == fires


def test_what_a_flood_left_half_open() -> None:
    crowd = judged("TD316", [*flood(), attempt(6, Handshake.COMPLETE)], **TWELVE)
    held = "For 12 of them the SYN-ACK was repeated, so at least 12 were half-open at the same time."
    assert value(crowd, "held") == held
    assert value(crowd, "served") == "It completed 1 other meanwhile."
    assert (value(crowd, "count"), value(crowd, "sources"), value(crowd, "dense")) == (12, 12, 12)
    assert (crowd.confidence[0], crowd.when[0]) == (HIGH, at(6.1))
    cookies = judged("TD316", [*flood(answers=1), served(50)], **TWELVE)
    assert (value(cookies, "held"), cookies.confidence[0]) == (
        "No SYN-ACK was repeated, as with SYN cookies, which keep no half-open connection.",
        MEDIUM,
    )
    assert value(cookies, "served") == "It completed no other connection meanwhile."
