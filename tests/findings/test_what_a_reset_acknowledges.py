"""What the RST or FIN of an endpoint acknowledges had reached it, captured or not: it did not give up waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.made import findings, says
from tests.lab.pcapfile import ACK, FIN, PSH, RST
from tests.stories.built import RTT, Conversation

TOLD_FALSELY = ("gave up waiting", "before any byte of an answer", "were unanswered", "not wait", "neither side")


def asked(missing: int, exchanges: int = 4) -> Conversation:
    """After some exchanges the client asks once more; of the answer, of ``missing`` bytes, nothing is captured."""
    made = Conversation()
    made.opens(0.0)
    for number in range(exchanges):
        made.exchange(0.1 * (1 + number))
    says(made, 1.0, 60)
    made.server.next += missing
    return made


@pytest.mark.parametrize(("missing", "gave_up"), [(0, True), (1, False), (200, False), (60_000, False)])
def test_a_reset_that_acknowledges_an_answer_ended_no_wait(missing: int, gave_up: bool, tmp_path: Path) -> None:
    made = asked(missing)
    made.send(31.0, made.client, RST | ACK)
    told = findings(tmp_path, made)
    assert ("TD406" in told, "TD301" in told) == (gave_up, not gave_up)
    assert ("TD903" in told) == (missing > 1)  # a single number may be a FIN
    if not gave_up:
        assert told["TD301"]["confidence"] == "low"
        assert "consistent with" not in told["TD301"]["message"]
    if missing > 1:
        assert told["TD903"]["confidence"] == "medium"
        assert f"At least {missing} bytes that the server" in told["TD903"]["message"]
        assert "the other side had sent data that are not in the capture" in told["TD301"]["message"]
        assert not any(words in row["message"] + row["advice"] for row in told.values() for words in TOLD_FALSELY)


@pytest.mark.parametrize("beyond", [1 << 25, 1 << 31])
def test_a_number_that_no_window_allows_is_not_believed(beyond: int, tmp_path: Path) -> None:
    made = asked(0)
    made.send(31.0, made.client, RST | ACK, ack=made.server.next + beyond)
    assert findings(tmp_path, made).keys() == {"TD406"}


def test_nobody_knows_how_long_the_silence_was_before(tmp_path: Path) -> None:
    quiet, heard = asked(3000, 0), asked(0, 0)
    says(heard, 1.01, 3000, by_server=True)
    for made in (quiet, heard):
        made.send(61.02, made.client, RST | ACK)
    assert "after 60.01 s of silence" in findings(tmp_path, heard)["TD401"]["message"]
    told = findings(tmp_path, quiet)
    assert told.keys() == {"TD903", "TD301"}
    told = told["TD301"]
    assert "consistent with" not in told["message"]
    assert "idle timer" not in told["advice"]


def test_a_connection_of_which_no_data_were_captured_was_used(tmp_path: Path) -> None:
    made = Conversation()
    made.opens(0.0)
    made.server.next += 200
    made.send(1.0, made.client, RST | ACK)
    assert not any(words in findings(tmp_path, made)["TD301"]["message"] for words in TOLD_FALSELY)


def test_a_fin_that_acknowledges_an_answer_waited_for_it(tmp_path: Path) -> None:
    made = asked(200)
    made.send(1.5, made.client, FIN | ACK)
    made.send(1.5 + RTT, made.server, ACK)
    made.send(1.8, made.server, PSH | ACK, 20)
    made.send(1.8 + RTT, made.client, RST)
    told = findings(tmp_path, made)
    assert told.keys() == {"TD903", "TD103"}
    assert "The last data before the FIN were the server's." in told["TD103"]["message"]
    assert told["TD103"]["endpoint"] == "server"
