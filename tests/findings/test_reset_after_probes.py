"""A RST after keep-alive probes: whether the last was answered decides whom to suspect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.made import findings
from tests.lab.pcapfile import ACK, RST
from tests.stories.built import RTT, Conversation


@pytest.mark.parametrize("answered", [True, False])
def test_a_reset_after_keep_alive_probes_is_not_laid_to_so_linger(answered: bool, tmp_path: Path) -> None:
    made = Conversation()
    made.opens(0.0)
    made.exchange(0.1)
    for number in range(3):
        at = 2.6 + 2.502 * number
        made.send(at, made.server, ACK, seq=made.server.next - 1)
        if answered or number < 2:
            made.send(at + RTT, made.client, ACK)
    made.send(2.6 + 2.502 * 3, made.server, RST | ACK)
    told = findings(tmp_path, made)
    row = told.pop("TD301")
    assert not told
    assert "SO_LINGER" not in row["advice"]
    word = "answered" if answered else "not answered"
    assert f"it had sent keep-alive probes, and the last of them was {word}." in row["message"]
    suspect = "the application on" if answered else "the path between the two, or the other side, before the"
    assert row["advice"].startswith(f"Suspect {suspect}")
