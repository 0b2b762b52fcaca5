"""What the packets seem to show of this host's sockets, where its kernel says otherwise."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import analyzer
from analyzer.live.kernel_evidence import KernelEvidence
from analyzer.live.sockets import Socket, own_addresses
from analyzer.segments.addresses import AddressBook

CAPTURES = Path(__file__).parents[2] / "captures"
LEAK = analyzer.analyze(CAPTURES / "close-wait-leak.pcap")  # TD101 of the server 10.1.2.2:8080
PILE_UP = analyzer.analyze(CAPTURES / "reconnect-loop-leaks.pcapng")  # TD101 of 12 clients, TD106
SERVER = ("10.1.2.2", 8080)


class Book(AddressBook):
    """The addresses of a result."""

    def __init__(self, made: analyzer.Result) -> None:
        self._texts = made.listing._addresses.texts()

    def text(self, row: int) -> str:
        return str(self._texts[row])


def kept(made: analyzer.Result, states: list[str], local: set[str], newest: list[int] | None = None) -> list[str]:
    """The codes of what remains where the kernel has the first sockets in these states and no others."""
    flows = made.flows.head(len(states)).itertuples()
    role = "server" if made is LEAK else "client"
    ends = [[(str(getattr(flow, f"{who}_ip")), int(getattr(flow, f"{who}_port"))) for who in ("server", "client")]
            for flow in flows]  # fmt: skip
    sockets = {
        (tuple(pair) if role == "server" else tuple(pair[::-1])): Socket(state, 1, 0, -1)
        for pair, state in zip(ends, states, strict=True)
    }
    owners = SimpleNamespace(sockets=lambda: sockets, addresses=lambda: local)
    evidence = KernelEvidence(owners, 10)  # type: ignore[arg-type]
    streams = np.arange(99) if newest is None else np.array(newest, np.int64)
    agreed = evidence.agreed(made.listing, Book(made), lambda: streams)
    return [table.rule.code for table in agreed.tables for _ in range(len(table)) if table.rule.code < "TD200"]


@pytest.mark.parametrize(
    ("states", "local", "newest", "codes"),
    [
        (["CLOSE_WAIT"], {"10.1.2.2"}, None, ["TD101"]),
        (["TIME_WAIT"], {"10.1.2.2"}, None, []),
        ([], {"10.1.2.2"}, None, []),
        ([], {"10.1.1.2"}, None, ["TD101"]),
        (["ESTABLISHED"], {"10.1.2.2"}, [], ["TD101"]),
    ],
    ids=["as the kernel says", "another state", "no such socket", "another host's", "a newer connection's"],
)
def test_a_leak(states: list[str], local: set[str], newest: list[int] | None, codes: list[str]) -> None:
    assert kept(LEAK, states, local, newest) == codes


def test_a_pile_up_needs_as_many_of_the_kernels_sockets() -> None:
    client = {str(PILE_UP.flows["client_ip"][0])}
    assert kept(PILE_UP, ["CLOSE_WAIT"] * 12, client) == ["TD101"] * 12 + ["TD106"]
    assert kept(PILE_UP, ["CLOSE_WAIT"] * 9, client) == ["TD101"] * 9
    assert kept(PILE_UP, [], set()) == ["TD101"] * 12 + ["TD106"]


def test_the_addresses_of_this_host() -> None:
    assert "127.0.0.1" in own_addresses()
