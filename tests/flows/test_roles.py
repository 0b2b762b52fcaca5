"""Who is the client."""

import pytest

from analyzer.flows.roles import CALLER, LISTED, OTHER, SYSTEM, port_ranks
from analyzer.flows.table import FlowTable
from analyzer.settings import Settings
from analyzer.tracker.track import Tracker

from .stories import Step, batch

SYN, SYN_ACK, GUESSED = 2, 1, 0


def client(steps: list[Step], ports: dict[str, int]) -> tuple[int, int]:
    """The last flow's client ("A" is 0, "B" is 1, when A speaks first) and how it is known."""
    table, tracker, segments = FlowTable(), Tracker(Settings()), batch(steps, ports=ports)
    table.assign(segments)
    tracker.feed(segments, table.rows)
    flow = tracker.snapshot(int(segments["time"][-1])).flows[-1]
    return int(flow["client"]), int(flow["client_basis"])


HIGH = {"A": 50000, "B": 50001}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("A", "S", 1, 0)], (0, SYN)),
        ([("A", "SA", 1, 2)], (1, SYN_ACK)),
        ([("A", "SA", 1, 2), ("B", "S", 1, 0)], (1, SYN)),  # captured in the wrong order
        ([("A", "A", 8, 2), ("B", "SA", 1, 8)], (0, SYN_ACK)),
        ([("A", "S", 1, 0), ("B", "S", 5, 0)], (0, SYN)),  # simultaneous open: the first SYN decides
        ([("A", "S", 1, 0), ("A", "SA", 1, 6)], (0, SYN)),
        ([("A", "A", 8, 2), ("B", "S", 1, 0)], (1, SYN)),  # its ISN fits what A acknowledged
        ([("A", "QS", 1, 0), ("B", "A", 8, 2)], (1, GUESSED)),  # a quoted SYN proves nothing
    ],
)
def test_the_handshake_decides(steps: list[Step], expected: tuple[int, int]) -> None:
    assert client(steps, HIGH) == expected


@pytest.mark.parametrize(
    ("port_a", "port_b", "expected"),
    [
        (50000, 443, 0),
        (443, 50000, 1),
        (40000, 8080, 0),
        (8080, 2222, 1),  # a listed port against any other, though lower
        (800, 2049, 0),  # an NFS client on a reserved port
        (1000, 3456, 1),  # a system port against any other
        (80, 443, 1),  # both are services: the lower
        (60000, 60001, 1),
        (179, 179, 0),  # nothing to choose: whoever spoke first
        (20, 50000, 0),  # FTP data in active mode: the server calls
    ],
)
def test_else_the_ports_do(port_a: int, port_b: int, expected: int) -> None:
    assert client([("A", "PA", 1, 1)], {"A": port_a, "B": port_b}) == (expected, GUESSED)


def test_every_port_has_a_rank() -> None:
    ranks = port_ranks()
    assert ranks.shape == (65536,)
    assert [ranks[port] for port in (443, 8080, 1, 1024, 20)] == [LISTED, LISTED, SYSTEM, OTHER, CALLER]
