"""How a kernel's sockets and the program's connections are brought together before they are compared."""

from __future__ import annotations

import pytest

from tests.lab.inferred import Flow, Row
from tests.lab.scenario import Scenario
from tests.lab.score import WRONG, owner, shown, socketless
from tests.lab.sockdiag import Pair
from tests.lab.truth import Endpoint, Entry, Truth

MS = 1_000_000
CLIENT: Pair = (("10.1.1.2", 4000), ("10.1.2.2", 80))
SERVER: Pair = (CLIENT[1], CLIENT[0])
SLACK = 30 * MS


def flow(first_ms: float) -> Flow:
    return Flow(round(first_ms * MS), {CLIENT: [], SERVER: []}, "", 0)


def socket(host: str, pair: Pair, *entered: tuple[str, float]) -> Endpoint:
    return Endpoint(host, pair, [Entry.at(state, round(ms * MS)) for state, ms in entered])


def connection(asked_ms: float, way_ms: float) -> list[Endpoint]:
    """Both ends of a connection that the client asked for at this moment."""
    opened = ("ESTABLISHED", asked_ms + 2 * way_ms)
    client = socket("a", CLIENT, ("SYN_SENT", asked_ms), opened)
    return [client, socket("b", SERVER, ("SYN_RECEIVED", asked_ms + way_ms))]


@pytest.mark.parametrize("way_ms", [0.0, 5.0, 10.0])
def test_a_port_used_again_at_once_has_a_connection_for_each_of_its_sockets(way_ms: float) -> None:
    truth = Truth([*connection(0, 10), *connection(50, 10)])
    flows = [flow(0.02 + way_ms), flow(50.02 + way_ms)]
    found = [owner(flows, end, truth, SLACK, round(way_ms * MS)) for end in truth.endpoints]
    assert found == [flows[0], flows[0], flows[1], flows[1]]


def test_a_syn_that_passes_when_the_next_one_has_left_is_still_of_the_first_socket() -> None:
    truth = Truth([socket("a", CLIENT, ("SYN_SENT", 0), ("CLOSED", 1)), *connection(50, 150)])
    flows = [flow(75.5), flow(125.5)]
    assert [owner(flows, end, truth, SLACK, 75 * MS) for end in truth.endpoints] == [flows[0], flows[1], flows[1]]


def test_two_connections_told_as_one_are_held_against_it_both() -> None:
    truth = Truth([*connection(0, 10), *connection(500, 10)])
    assert [owner([flow(0.02)], end, truth, SLACK, 0) for end in truth.endpoints] == [flow(0.02)] * 4


def test_of_a_capture_begun_late_the_newest_socket_has_the_first_connection() -> None:
    truth = Truth([*connection(0, 10), *connection(500, 10)])
    assert [owner([flow(530)], end, truth, SLACK, 0) for end in truth.endpoints] == [None, None, flow(530), flow(530)]


def row(state: str) -> Row:
    return Row(state, 0, 0, 0, "sent", 1)


@pytest.mark.parametrize(
    ("states", "raw_ports", "wrong"),
    [(["SYN_SENT"], (), True), (["SYN_SENT"], (4000,), False), (["CLOSED"], (), False), ([], (), False)],
)
def test_what_is_said_of_an_endpoint_without_a_socket(
    states: list[str], raw_ports: tuple[int, ...], wrong: bool
) -> None:
    """Nothing may be said but CLOSED, unless a raw SYN made it look like one."""
    truth = Truth([socket("a", CLIENT)])
    scene = Scenario("scene", "group", "story", raw_ports=raw_ports)
    verdicts = list(socketless(scene, "m", truth, [(CLIENT, [row(state) for state in states])]))
    assert [(verdict.host, verdict.outcome) for verdict in verdicts] == [("a", WRONG)] * wrong
    assert all(len(verdict.sure_and_wrong) == len(states) for verdict in verdicts)


LIFE = socket("a", CLIENT, ("SYN_SENT", 0), ("ESTABLISHED", 20), ("FIN_WAIT_1", 300), ("FIN_WAIT_2", 320)).entered


def test_of_a_capture_that_ran_from_the_beginning_everything_counts() -> None:
    before, found = shown(LIFE, [], (0, 310 * MS), 20 * MS)
    assert (before, [entry.state for entry in found]) == ([], ["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1"])


def test_what_followed_the_last_packet_counts_if_it_is_said() -> None:
    said = [row(entry.state) for entry in LIFE]
    assert shown(LIFE, said, (0, 310 * MS), 20 * MS)[1] == LIFE
    assert shown(LIFE, said, (0, 150 * MS), 20 * MS)[1] == LIFE[:2]


def test_of_a_capture_begun_late_the_state_it_is_found_in_need_not_be_said() -> None:
    assert shown(LIFE, [row("ESTABLISHED")], (100 * MS, 310 * MS), 20 * MS) == ([], LIFE[1:3])
    assert shown(LIFE, [row("FIN_WAIT_1")], (100 * MS, 310 * MS), 20 * MS) == (["ESTABLISHED"], LIFE[2:3])


def test_a_state_left_while_the_first_packet_was_on_its_way_may_be_said() -> None:
    assert shown(LIFE, [row("SYN_SENT")], (25 * MS, 310 * MS), 20 * MS)[0] == ["SYN_SENT", "ESTABLISHED"]
