"""The last data of a client may be a frame that needs no answer: nobody knows that it waited for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.made import findings, says
from tests.lab.pcapfile import ACK, FIN, PSH, RST
from tests.stories.built import RTT, Conversation

HELLO, DATA = b"\x16\x03\x01", b"\x17\x03\x03"
WAITED = ("gave up waiting", "any byte of an answer", "unanswered", "not wait for")


def spoken(last: bytes, tls: bool) -> Conversation:
    """Three requests and answers, then the client sends ``last``, which is acknowledged."""
    made = Conversation()
    made.opens(0.0)
    if tls:
        says(made, 0.05, HELLO + bytes(500))
        says(made, 0.06, HELLO + bytes(3000), by_server=True)
    for number in range(3):
        says(made, 0.1 * (1 + number), (DATA if tls else b"GET") + bytes(200))
        says(made, 0.1 * (1 + number) + 0.01, (DATA if tls else b"200") + bytes(900), by_server=True)
    says(made, 1.0, last)
    return made


LAST = {
    "TLS, 39 bytes": (DATA + bytes(36), True, True),
    "TLS, 101 bytes": (DATA + bytes(98), True, False),
    "WINDOW_UPDATE": (bytes(2) + b"\x04\x08" + bytes(9), False, True),
    "PING": (bytes(2) + b"\x08\x06" + bytes(13), False, True),
    "WebSocket's close": (b"\x88\x82\x03\xe8\x03\xe8\x03\xe8", False, True),
    "a query as short": (b"Q" + bytes(12), False, False),
}


@pytest.mark.parametrize(("last", "tls", "control"), LAST.values(), ids=LAST)
def test_a_reset_after_a_control_frame_ended_no_wait(last: bytes, tls: bool, control: bool, tmp_path: Path) -> None:
    made = spoken(last, tls)
    made.send(4.3, made.client, RST | ACK)
    told = findings(tmp_path, made)
    assert told.keys() == {"TD301" if control else "TD406"}
    if control:
        row = told["TD301"]
        assert (row["severity"], row["confidence"]) == ("info", "medium")
        assert f"the client's last data were {len(last)} bytes, which may be no request" in row["message"]
        assert not any(words in row["message"] + row["advice"] for words in WAITED)


@pytest.mark.parametrize(("size", "few"), [(39, True), (400, False)])
def test_the_timers_named_after_a_control_frame_are_those_of_idle_connections(
    size: int, few: bool, tmp_path: Path
) -> None:
    made = spoken(DATA + bytes(size - 3), tls=True)
    made.send(61.0, made.client, RST | ACK)
    told = findings(tmp_path, made)
    assert told.keys() == {"TD401" if few else "TD406"}
    if few:
        assert "the client's last data were 39 bytes, which may be no request" in told["TD401"]["message"]
        assert not any(words in told["TD401"]["message"] + told["TD401"]["advice"] for words in WAITED)


@pytest.mark.parametrize(("size", "few"), [(39, True), (400, False)])
def test_a_server_that_resets_after_a_control_frame_left_no_request(size: int, few: bool, tmp_path: Path) -> None:
    made = spoken(DATA + bytes(size - 3), tls=True)
    made.send(4.3, made.server, RST | ACK)
    told = findings(tmp_path, made)["TD301"]
    assert ("were 39 bytes, which may be no request" in told["message"]) == few
    assert ("were unanswered" in told["message"]) == (not few)
    assert ("without reading or answering" in told["advice"]) == (not few)


@pytest.mark.parametrize(("size", "few"), [(39, True), (400, False)])
def test_who_closes_after_a_control_frame_is_not_blamed(size: int, few: bool, tmp_path: Path) -> None:
    made = spoken(DATA + bytes(size - 3), tls=True)
    made.send(1.2, made.client, FIN | ACK)
    made.send(1.2 + RTT, made.server, ACK)
    made.send(1.3, made.client, RST | ACK)
    told = findings(tmp_path, made)["TD304"]
    assert ("as short as a control frame" in told["message"]) == few
    assert told["advice"].startswith("Suspect nobody") == few


@pytest.mark.parametrize(("size", "blamed"), [(39, "server"), (400, "client")])
def test_who_sends_more_after_a_control_frame_was_not_asked(size: int, blamed: str, tmp_path: Path) -> None:
    made = spoken(DATA + bytes(size - 3), tls=True)
    made.send(1.2, made.client, FIN | ACK)
    made.send(1.2 + RTT, made.server, ACK)
    made.send(1.5, made.server, PSH | ACK, DATA + bytes(97))
    made.send(1.5 + RTT, made.client, RST)
    told = findings(tmp_path, made)["TD103"]
    assert told["endpoint"] == blamed
    assert ("did not wait for the answer" in told["message"]) == (blamed == "client")
