"""What IPv4 calls TTL is the hop limit of IPv6, which has no IP identification: messages and advice say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.made import findings
from tests.lab.pcapfile import ACK, PSH, RST
from tests.stories.built import Conversation, Side

ENDS = [(("192.0.2.10", 40001), ("198.51.100.20", 8080)), (("2001:db8::10", 40001), ("2001:db8::20", 8080))]


def between(ends: tuple[tuple[str, int], tuple[str, int]]) -> Conversation:
    """A connection with a request and its answer."""
    made = Conversation(Side(ends[0], 1_000_000_000), Side(ends[1], 3_000_000_000, ttl=57, ip_id=20_000))
    made.opens(0.0)
    made.exchange(0.1)
    return made


@pytest.mark.parametrize("ends", ENDS, ids=["IPv4", "IPv6"])
def test_a_reset_from_elsewhere_is_told_by_its_hop_limit(ends: tuple[tuple[str, int], ...], tmp_path: Path) -> None:
    made = between((ends[0], ends[1]))
    made.send(0.5, made.server, RST | ACK, ttl=41, ip_id=999)
    told = findings(tmp_path, made)["TD309"]["message"]
    v6 = ":" in ends[0][0]
    assert f"Its {'hop limit' if v6 else 'TTL'} is 41; that of the sender's other segments, RSTs apart, is 57" in told
    assert ("TTL" in told or "IP id" in told) != v6


@pytest.mark.parametrize("ends", ENDS, ids=["IPv4", "IPv6"])
def test_the_advice_names_what_can_be_compared(ends: tuple[tuple[str, int], ...], tmp_path: Path) -> None:
    made = between((ends[0], ends[1]))
    at = made.client.next
    made.send(0.5, made.client, PSH | ACK, 50)
    made.send(0.5004, made.server, RST, ack=at)
    told = findings(tmp_path, made)
    assert told.keys() == {"TD305"}
    v6 = ":" in ends[0][0]
    assert f"to compare the {'hop limit' if v6 else 'TTL'} of the RST" in told["TD305"]["advice"]
    assert ("TTL" in told["TD305"]["advice"]) != v6
