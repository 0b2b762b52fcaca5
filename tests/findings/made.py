"""Findings about conversations that are made up packet by packet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import analyzer
from tests.lab.pcapfile import ACK, LINK_RAW, PSH, write
from tests.stories.built import RTT, Conversation


def findings(path: Path, *conversations: Conversation) -> dict[str, dict[str, Any]]:
    """The findings about them in a capture in the folder ``path``, by their codes, each of which occurs once."""
    packets = [packet for one in conversations for packet in one.packets]
    write(path / "made.pcap", LINK_RAW, sorted(packets, key=lambda packet: packet.time))
    found = analyzer.analyze(path / "made.pcap").findings.to_dict("records")
    assert len({row["code"] for row in found}) == len(found)
    return {row["code"]: row for row in found}


def says(made: Conversation, at: float, payload: int | bytes, by_server: bool = False) -> None:
    """One side sends data, and the other acknowledges them."""
    own, other = (made.server, made.client) if by_server else (made.client, made.server)
    made.send(at, own, PSH | ACK, payload)
    made.send(at + RTT, other, ACK)
