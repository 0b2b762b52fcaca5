"""A client that closes while a few bytes are under way to it has missed a farewell; a longer rest is an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.made import findings
from tests.lab.pcapfile import ACK, FIN, PSH, RST
from tests.stories.built import RTT, Conversation


def crossed(quiet: float, *sizes: int) -> Conversation:
    """The client says QUIT and closes at once; what the server sends then, in segments of these sizes, meets a RST."""
    made = Conversation()
    made.opens(0.0)
    for number in range(3):
        made.exchange(0.1 * (1 + number))
    at = 0.4 + quiet
    made.send(at, made.client, PSH | ACK, 6)
    knew = made.client.next
    made.send(at + 0.00001, made.client, FIN | ACK)
    for number, size in enumerate(sizes):
        made.send(at + 0.00011 + number / 10**6, made.server, PSH | ACK, size, ack=knew)
    made.send(at + 0.0002, made.client, RST, seq=knew)
    made.send(at + 0.0002 + RTT, made.server, FIN | ACK)
    return made


@pytest.mark.parametrize(
    ("quiet", "sizes", "severity"), [(0, (32,), "info"), (0, (101,), "error"), (0, (60, 60), "error")]
)
def test_a_farewell_that_nobody_reads_is_no_error(
    quiet: float, sizes: tuple[int, ...], severity: str, tmp_path: Path
) -> None:
    told = findings(tmp_path, crossed(quiet, *sizes))["TD306"]
    assert (told["severity"], told["endpoint"]) == (severity, "client")
    assert ("as short as a farewell" in told["advice"]) == (severity == "info")
    assert ("under way" in told["advice"]) and "idle timer" not in told["advice"]
