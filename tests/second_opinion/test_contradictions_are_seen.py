"""Each check of consistency.py sees its contradiction, put into a capture that has none."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.second_opinion import consistency
from tests.second_opinion.capture import Capture, read
from tests.second_opinion.packets import Flow
from tests.second_opinion.sources import SETS

GRACEFUL, RESET = "graceful-client-first.pcap", "abortive-close.pcap"


@cache
def original(name: str) -> Capture:
    return read(SETS["own"] / name)


def rows(flow: Flow, role: str, event: str) -> list[dict[str, Any]]:
    return [row for row in flow.timeline if row["endpoint"] == role and row["event"] == event]


def set_row(name: str, value: Any) -> Callable[[Flow], None]:
    return lambda flow: flow.row.update({name: value})


def set_event(role: str, event: str, **values: Any) -> Callable[[Flow], None]:
    return lambda flow: rows(flow, role, event)[0].update(values)


def earlier(role: str, event: str, by: int, column: str = "time_epoch") -> Callable[[Flow], None]:
    def change(flow: Flow) -> None:
        rows(flow, role, event)[0][column] -= by

    return change


def without(role: str, event: str) -> Callable[[Flow], None]:
    def change(flow: Flow) -> None:
        flow.timeline = [row for row in flow.timeline if row["endpoint"] != role or row["event"] != event]

    return change


BROKEN: list[tuple[str, str, Callable[[Flow], None]]] = [
    ("states_follow_one_another", GRACEFUL, without("client", "fin")),
    ("states_follow_one_another", GRACEFUL, earlier("client", "fin", 10**9)),
    ("times_lie_within_their_bounds", GRACEFUL, earlier("client", "fin-acked", 10**9)),
    ("times_lie_within_their_bounds", GRACEFUL, earlier("client", "fin-acked", -(10**9))),
    ("nothing_comes_before_its_cause", GRACEFUL, earlier("server", "peer-fin", 10**6, "earliest_epoch")),
    ("nothing_comes_before_its_cause", GRACEFUL, earlier("client", "ack", 10**6)),
    ("what_is_sent_was_sent_before_it_passed", GRACEFUL, earlier("client", "fin", -(10**8))),
    ("what_is_sent_was_sent_before_it_passed", GRACEFUL, set_event("client", "fin", frame=9)),
    ("flows_end_in_the_states_of_the_timeline", GRACEFUL, set_row("client_state", "CLOSED")),
    ("fins_are_those_of_the_timeline", GRACEFUL, set_row("client_fin_epoch", None)),
    ("fins_are_those_of_the_timeline", GRACEFUL, set_row("client_fin_epoch", 1)),
    ("acknowledged_fins_are_those_of_the_timeline", GRACEFUL, set_row("client_fin_acked_epoch", None)),
    ("acknowledged_fins_are_those_of_the_timeline", GRACEFUL, set_row("client_fin_acked_epoch", 1)),
    ("who_reset_is_who_sent_the_reset", RESET, set_row("rst_by", None)),
    ("who_reset_is_who_sent_the_reset", RESET, set_row("rst_by", "server")),
    ("who_reset_is_who_sent_the_reset", RESET, set_row("rst_cause", None)),
    ("how_it_ended_is_what_happened", GRACEFUL, set_row("client_fin_acked_epoch", None)),
    ("how_it_ended_is_what_happened", GRACEFUL, set_row("teardown", "half-closed")),
    ("how_it_ended_is_what_happened", GRACEFUL, set_row("teardown", "aborted")),
    ("how_it_ended_is_what_happened", GRACEFUL, set_row("teardown", "open")),
    ("how_it_ended_is_what_happened", RESET, set_row("teardown", "reset")),
    ("who_closed_first_is_first", GRACEFUL, set_row("closed_by", None)),
    ("who_closed_first_is_first", GRACEFUL, set_row("closed_by", "server")),
    ("who_closed_first_is_first", RESET, set_row("closed_by", "both")),
    ("findings_are_listed_with_their_flow", RESET, set_row("findings", None)),
    ("findings_are_listed_with_their_flow", GRACEFUL, set_row("findings", "TD101")),
    ("nothing_is_sure_where_frames_are_missing", RESET, set_row("observability", "frames-missing")),
    ("durations_are_those_of_the_timeline", GRACEFUL, set_row("server_close_wait_s", None)),
    ("durations_are_those_of_the_timeline", GRACEFUL, set_row("server_close_wait_s", 1.5)),
    ("counts_are_those_of_the_segments", GRACEFUL, set_row("client_packets", 99)),
    ("counts_are_those_of_the_segments", GRACEFUL, set_row("client_bytes", 1)),
    ("the_ladder_shows_the_states_of_the_timeline", GRACEFUL, set_event("client", "fin", state="CLOSE_WAIT")),
]


@pytest.mark.parametrize("name", [GRACEFUL, RESET])
def test_none_of_them_is_there_before(name: str) -> None:
    assert consistency.contradictions(original(name)) == []


@pytest.mark.parametrize(("check", "name", "change"), BROKEN)
def test_a_contradiction_is_seen(check: str, name: str, change: Callable[[Flow], None]) -> None:
    capture = copy.copy(original(name))
    flow = copy.deepcopy(capture.flows[0])
    change(flow)
    capture.flows = {0: flow}
    assert check in {one.check for one in consistency.contradictions(capture)}


def told(name: str, code: str, message: str, **values: Any) -> set[str]:
    """The checks that object to a finding put into a capture."""
    capture = copy.copy(original(name))
    capture.findings = [{"code": code, "stream": 0, "endpoint": "client", "frames": "8", "message": message, **values}]
    return {one.check for one in consistency.contradictions(capture)}


def test_messages_name_states_that_there_were() -> None:
    assert "states_in_messages_are_those_of_the_timeline" in told(GRACEFUL, "TD205", "it went through CLOSING")
    assert "states_in_messages_are_those_of_the_timeline" not in told(GRACEFUL, "TD205", "it went through TIME_WAIT")


def test_a_foreign_reset_is_nobodys_in_the_other_tables() -> None:
    assert "foreign_resets_move_nobody" in told(RESET, "TD309", "does not fit")
    assert "foreign_resets_move_nobody" in told(RESET, "TD310", "did not accept")
    assert "foreign_resets_move_nobody" not in told(RESET, "TD301", "sent RST")


def test_codes_about_the_capture_agree_with_the_columns() -> None:
    for code in ("TD901", "TD902", "TD903", "TD307", "TD308"):
        assert "codes_about_the_capture_agree_with_flows" in told(GRACEFUL, code, "")


def test_a_reset_is_explained_once() -> None:
    capture = copy.copy(original(RESET))
    capture.findings = [*capture.findings, {**capture.findings[0], "code": "TD305"}]
    assert "each_reset_is_explained_once" in {one.check for one in consistency.contradictions(capture)}


def test_what_is_replaced_ends_first() -> None:
    capture = copy.copy(read(SETS["own"] / "tuple-reused-in-time-wait.pcapng"))
    check = "what_is_replaced_ends_before_what_replaces_it"
    replaced, first = rows(capture.flows[0], "server", "replaced")[0], rows(capture.flows[1], "server", "syn-ack")[0]
    replaced["time_epoch"] = first["time_epoch"] - 1
    assert check not in {one.check for one in consistency.contradictions(capture)}
    replaced["time_epoch"] = first["time_epoch"] + 1
    assert check in {one.check for one in consistency.contradictions(capture)}


def test_every_check_is_tried() -> None:
    tried = {check for check, _, _ in BROKEN} | {
        "states_in_messages_are_those_of_the_timeline",
        "foreign_resets_move_nobody",
        "codes_about_the_capture_agree_with_flows",
        "each_reset_is_explained_once",
        "what_is_replaced_ends_before_what_replaces_it",
    }
    assert {check.__name__ for check in consistency.CHECKS} == tried
