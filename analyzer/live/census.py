"""Who has how many sockets in which state now: the table of the screen, and what Prometheus is served.

Sockets are counted where people look for them: at a server by its address and port (``10.0.0.2:80``), at a client
by its address and the server it called, because its own ports are a new one each time (``10.0.0.1 -> 10.0.0.2:80``).
The states are those of the last look, timers included. Sockets that are older than a watch are counted as this host's
kernel has them (``older_sockets``).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.segments.addresses import AddressBook
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger

STATES = (
    State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT,
    State.CLOSING, State.LAST_ACK, State.TIME_WAIT,
)  # fmt: skip
CLOSING_STATES = STATES[3:]
NOT_OPEN = (State.CLOSED, State.UNKNOWN, State.LISTEN)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SocketGroup:
    """One row of the census."""

    role: str  # client or server
    address: str
    server: str  # address of the server, the same as ``address`` at a server
    port: int  # the server's
    counts: dict[str, int]  # state -> sockets in it now
    oldest_s: float  # how long the oldest of those that are closing has been in its state; 0 where none is
    next_s: float | None  # when the next TIME_WAIT ends
    streams: tuple[int, ...]  # the connections with the oldest ones, a few of them

    @property
    def name(self) -> str:
        server = f"[{self.server}]:{self.port}" if ":" in self.server else f"{self.server}:{self.port}"
        return server if self.role == "server" else f"{self.address} -> {server}"

    @property
    def closing(self) -> int:
        """Sockets that are neither opening nor open."""
        return sum(self.counts.get(state.name, 0) for state in CLOSING_STATES)

    def with_those_of(self, other: "SocketGroup") -> "SocketGroup":
        """Both as one."""
        ends = [left for left in (self.next_s, other.next_s) if left is not None]
        return replace(
            self,
            counts=dict(Counter(self.counts) + Counter(other.counts)),
            oldest_s=max(self.oldest_s, other.oldest_s),
            next_s=min(ends, default=None),
            streams=(self.streams + other.streams)[:STREAMS_KEPT],
        )


STREAMS_KEPT = 50


def census(
    ledger: Ledger,
    book: AddressBook,
    now_ns: int,
    further: Sequence[SocketGroup] = (),
    left_out: NDArray[np.bool_] | None = None,
) -> list[SocketGroup]:
    """All groups with at least one socket, the one with the most closing sockets first. ``further`` are sockets that
    the kernel tells of, and ``left_out`` says which ends of flows, shape (flows, 2), these stand for."""
    found: list[SocketGroup] = [*further]
    if ledger.flows:
        every = np.arange(ledger.flows)
        address, port = ledger.flow("address").astype(np.int64), ledger.flow("port").astype(np.int64)
        server_side = 1 - ledger.client
        server, server_port = address[every, server_side], port[every, server_side]
        for role, side in (("server", server_side), ("client", ledger.client)):
            ends = Ends(ledger, side, now_ns)
            if left_out is not None:
                ends.counted &= ~left_out[every, side]
            found += _groups(role, ends, address[every, side], server, server_port, book)
    if further:
        found = united(found)
    return sorted(found, key=lambda group: (-group.closing, -sum(group.counts.values()), group.name))


def united(groups: list[SocketGroup]) -> list[SocketGroup]:
    """Each group once."""
    found: dict[tuple[str, str, str, int], SocketGroup] = {}
    for group in groups:
        key = (group.role, group.address, group.server, group.port)
        found[key] = group.with_those_of(found[key]) if key in found else group
    return [*found.values()]


class Ends:
    """The endpoints on one side of all flows: state, age in it, and what is left of TIME_WAIT."""

    def __init__(self, ledger: Ledger, side: Ints, now_ns: int) -> None:
        self.stream = ledger.flow("stream")
        self.state = ledger.of_side("state", side)
        self.age = np.maximum(now_ns - ledger.of_side("state_time", side), 0)
        deadline = ledger.of_side("deadline", side)
        self.left = np.where((self.state == State.TIME_WAIT) & (deadline > 0), deadline - now_ns, -1)
        self.counted = ledger.reported & ~np.isin(self.state, NOT_OPEN)


def _groups(role: str, ends: Ends, own: Ints, server: Ints, port: Ints, book: AddressBook) -> list[SocketGroup]:
    rows = np.flatnonzero(ends.counted)
    if not len(rows):
        return []
    _, called = np.unique(server[rows] << 16 | port[rows], return_inverse=True)
    distinct, first, group_of = np.unique(own[rows] * len(rows) + called, return_index=True, return_inverse=True)
    counts = np.zeros((len(distinct), len(State)), np.int64)
    np.add.at(counts, (group_of, ends.state[rows]), 1)
    order = np.lexsort((-ends.age[rows], group_of))
    begins = np.searchsorted(group_of[order], np.arange(len(distinct) + 1))
    made = []
    for number, (begin, end) in enumerate(pairwise(begins.tolist())):
        members = rows[order[begin:end]]
        row = int(rows[first[number]])
        address, called_at = book.text(int(own[row])), book.text(int(server[row]))
        made.append(_group_of_rows(role, ends, members, counts[number], address, called_at, int(port[row])))
    return made


def _group_of_rows(
    role: str, ends: Ends, members: Ints, counts: Ints, address: str, server: str, port: int
) -> SocketGroup:
    closing = members[np.isin(ends.state[members], CLOSING_STATES)]
    left = ends.left[members]
    left = left[left >= 0]
    return SocketGroup(
        role=role,
        address=address,
        server=server,
        port=port,
        counts={state.name: int(counts[state]) for state in STATES if counts[state]},
        oldest_s=float(ends.age[closing].max()) / 1e9 if len(closing) else 0.0,
        next_s=float(left.min()) / 1e9 if len(left) else None,
        streams=tuple(ends.stream[closing[:STREAMS_KEPT]].tolist()),
    )


def kernel_counts(sockets: dict[Any, Any], groups: list[SocketGroup]) -> dict[str, dict[str, int]]:
    """For each group that is local: how many sockets this host's kernel has there, by state."""
    counts: dict[tuple[str, str, str, int], dict[str, int]] = {}
    for (local, remote), entry in sockets.items():
        for key in (("server", local[0], local[0], local[1]), ("client", local[0], remote[0], remote[1])):
            states = counts.setdefault(key, {})
            states[entry.state] = states.get(entry.state, 0) + 1
    keys = {group.name: (group.role, group.address, group.server, group.port) for group in groups}
    return {name: counts[key] for name, key in keys.items() if key in counts}
