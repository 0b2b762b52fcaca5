"""Sockets of this host that are older than the watch: no packet has shown how they came into their state.

They are taken from the kernel when the watch begins, and asked for again as long as some of them are left. Of each the
kernel's state is counted, also when packets of its connection pass: packets seen from the middle on do not tell a state
as surely. Where the peer's FIN came before the watch, they would make the peer look as if it never sent one; so the
peer is not counted either. A socket that the kernel no longer has is no longer counted. A connection whose SYN the
watch saw is never one of these, even between the same two ends.
"""

import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analyzer.live.census import CLOSING_STATES, STATES, SocketGroup
from analyzer.live.interface_addresses import concerning
from analyzer.live.sock_diag import KERNEL_STATES, LISTENING, MAPPED, SOCKET, Sockets, address_text, found_again, listed
from analyzer.segments.addresses import AddressBook
from analyzer.tcp.timers import LINUX
from analyzer.tracker.outcome import Ledger
from analyzer.units import SECOND

KEEP = 1.0  # seconds from one question to the next at least ...
SHARE = 10  # ... and so many times as long as the answer took
FEW = 1000  # sockets that are asked for one by one
EPHEMERAL = 32_768  # own ports of clients begin here on Linux
RECENT_NS = 5 * SECOND  # packets arrive within this
MIXED = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)
COUNTED = {state.name for state in STATES}
CLOSING = {state.name for state in CLOSING_STATES}
HEARD_SINCE = {"CLOSE_WAIT", "FIN_WAIT_2", "CLOSING"}  # entered by a segment of the peer: no younger than the last one
FIN_CAME = {"CLOSE_WAIT", "LAST_ACK", "CLOSING", "TIME_WAIT"}
Flags = NDArray[np.bool_]


class OlderSockets:
    """``groups`` and ``rows`` are those that the kernel had at the last look; ``left_out`` says which ends of the
    ledger's flows are among them, or were, shape (flows, 2)."""

    def __init__(self, interfaces: Sequence[str]) -> None:
        self._interfaces = interfaces
        self.rows: Sockets = np.zeros(0, SOCKET)
        self.since = np.zeros(0)  # when each was first seen in its state, by the monotonic clock
        self.servers: Flags = np.zeros(0, np.bool_)
        self.groups: list[SocketGroup] = []
        self.known = np.zeros(0, np.uint64)  # both ends of every older socket, gone or not, as one number
        self.finished = np.zeros(0, np.uint64)  # ... of those whose peer's FIN passed in the watch
        self.half_closed = np.zeros(0, np.uint64)  # ... and of those whose peer's FIN had come before
        self.streams = np.zeros(0, np.int64)  # connections of these of which packets passed
        self.left_out: Flags = np.zeros((0, 2), np.bool_)
        self._next = 0.0
        self._looked = 0  # time of the look before

    def begin(self) -> None:
        """Take what there is now."""
        rows = listed()
        if rows is not None:
            self.rows = rows[concerning(rows, self._interfaces)]
            self.known = np.unique(pair_numbers(self.rows))
            self.half_closed = pair_numbers(self.rows[in_states(self.rows, FIN_CAME)])
            self.since = np.full(len(self.rows), time.monotonic())
            self._describe()

    def look(self, ledger: Ledger, book: AddressBook) -> None:
        """Compare with the packets, and ask the kernel again if that was some time ago."""
        self.left_out = np.zeros((ledger.flows, 2), np.bool_)
        if not len(self.known):
            return
        if len(self.rows) and time.monotonic() >= self._next:
            self._ask()
        self._compare(ledger, book)

    def _ask(self) -> None:
        begun = time.monotonic()
        rows = found_again(self.rows) if len(self.rows) <= FEW else listed()
        if rows is not None:
            old = np.argsort(self.rows["cookie"])
            place = np.searchsorted(self.rows["cookie"][old], rows["cookie"])
            place = old[np.minimum(place, len(old) - 1)]
            same = self.rows["cookie"][place] == rows["cookie"]
            rows, place = rows[same], place[same]
            moved = self.rows["state"][place] != rows["state"]
            self.since = np.where(moved, begun, self.since[place])
            self.rows = rows
            self._describe()
        took = time.monotonic() - begun
        self._next = time.monotonic() + max(KEEP, SHARE * took)

    def _describe(self) -> None:
        self.servers = served_here(self.rows)
        self.groups = groups_of(self.rows, self.servers, self.age_s())

    def age_s(self) -> NDArray[np.float64]:
        """For how long each socket has been in its state at least, in seconds."""
        age = time.monotonic() - self.since
        heard = in_states(self.rows, HEARD_SINCE) & (self.rows["heard_ms"] >= 0)
        age[heard] = np.maximum(age[heard], self.rows["heard_ms"][heard] / 1e3)
        waits = in_states(self.rows, {"TIME_WAIT"}) & (self.rows["timer"] > 0)
        age[waits] = np.maximum(age[waits], LINUX.time_wait / 1e9 - self.rows["expires"][waits] / 1e3)
        return age

    def _compare(self, ledger: Ledger, book: AddressBook) -> None:
        opened = np.asarray((ledger.noted("syn_count") > 0).any(axis=1))
        asked = np.flatnonzero(~opened | (ledger.flow("first_time") >= self._looked - RECENT_NS))
        self._looked = ledger.end_time
        if not len(asked):
            return
        numbers = flow_numbers(ledger, asked, book)
        of_old: Flags = np.isin(numbers, self.known)
        newer = numbers[of_old & opened[asked, None]]
        if len(newer):
            self.known = self.known[~np.isin(self.known, newer)]
            self._keep(~np.isin(pair_numbers(self.rows), newer))
        of_old = np.asarray(of_old & ~opened[asked, None])
        closed: Flags = ledger.noted("fin_count")[asked][:, ::-1] > 0
        self.finished = np.union1d(self.finished, numbers[of_old & closed])
        ended = np.asarray((of_old & ~closed & np.isin(numbers, self.half_closed)).any(axis=1))
        self.streams = np.union1d(self.streams, ledger.flow("stream")[asked[ended]].astype(np.int64))
        self.left_out[asked] = of_old | ended[:, None]  # packets do not show either end then

    def _keep(self, chosen: Flags) -> None:
        if not chosen.all():
            self.rows, self.since = self.rows[chosen], self.since[chosen]
            self._describe()


def in_states(rows: Sockets, names: set[str]) -> Flags:
    """Which sockets are in one of the states."""
    return np.asarray(np.isin(rows["state"], [n for n, name in enumerate(KERNEL_STATES) if name in names]))


def served_here(rows: Sockets) -> Flags:
    """Which sockets are a server's: something listens at their own port, or only the peer's is a client's."""
    listeners = listed(LISTENING)
    found: Flags = (rows["own_port"] < EPHEMERAL) & (rows["peer_port"] >= EPHEMERAL)
    if listeners is not None and len(listeners):
        everywhere = np.isin(listeners["own"], np.array([b"", MAPPED + bytes(4)], "S16"))
        found |= np.isin(rows["own_port"], listeners["own_port"][everywhere])
        there, own = (_mixed(*_halves(some["own"]), some["own_port"]) for some in (listeners, rows))
        found |= np.isin(own, there)
    return found


def groups_of(rows: Sockets, servers: Flags, age: NDArray[np.float64]) -> list[SocketGroup]:
    """The sockets counted as the census counts them."""
    counted = in_states(rows, COUNTED)
    rows, servers, age = rows[counted], servers[counted], age[counted]
    if not len(rows):
        return []
    numbers = group_numbers(rows, servers)
    _, first, group_of = np.unique(numbers, return_index=True, return_inverse=True)
    order = np.argsort(group_of, kind="stable")
    begins = np.searchsorted(group_of[order], np.arange(len(first) + 1)).tolist()
    return [
        _group(rows[members], bool(servers[members[0]]), age[members])
        for members in (order[begin:end] for begin, end in pairwise(begins))
    ]


def group_numbers(rows: Sockets, servers: Flags) -> NDArray[np.uint64]:
    """A number for the group of each socket: its own end at a server, its address and the server's end at a client."""
    high, low = (np.where(servers, 0, half) for half in _halves(rows["peer"]))
    port = np.where(servers, rows["own_port"], rows["peer_port"] | 1 << 16)
    return _mixed(*_halves(rows["own"]), port, _mixed(high, low, 0))


def _group(rows: Sockets, server: bool, age: NDArray[np.float64]) -> SocketGroup:
    row = rows[0]
    own, peer = address_text(row["own"]), address_text(row["peer"])
    states, counts = np.unique(rows["state"], return_counts=True)
    by_state: dict[str, int] = {}
    for state, count in zip(states.tolist(), counts.tolist(), strict=True):
        by_state[KERNEL_STATES[state]] = by_state.get(KERNEL_STATES[state], 0) + count
    left = rows["expires"][in_states(rows, {"TIME_WAIT"}) & (rows["timer"] > 0)]
    closing = age[in_states(rows, CLOSING)]
    return SocketGroup(
        role="server" if server else "client",
        address=own,
        server=own if server else peer,
        port=int(row["own_port"] if server else row["peer_port"]),
        counts=by_state,
        oldest_s=float(closing.max()) if len(closing) else 0.0,
        next_s=float(left.min()) / 1e3 if len(left) else None,
        streams=(),
    )


def pair_numbers(rows: Sockets) -> NDArray[np.uint64]:
    """A number for both ends of each socket, its own first."""
    return _pairs(_mixed(*_halves(rows["own"]), rows["own_port"]), _mixed(*_halves(rows["peer"]), rows["peer_port"]))


def flow_numbers(ledger: Ledger, some: NDArray[np.intp], book: AddressBook) -> NDArray[np.uint64]:
    """The same of each endpoint of some flows, shape (flows, 2)."""
    addresses = book.rows[ledger.flow("address")[some]]
    low = np.where(addresses["version"] == 4, addresses["low"] | 0xFFFF << 32, addresses["low"])
    ends = _mixed(addresses["high"], low, ledger.flow("port")[some])
    return np.stack([_pairs(ends[:, 0], ends[:, 1]), _pairs(ends[:, 1], ends[:, 0])], axis=1)


def _pairs(own: NDArray[np.uint64], peer: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return _mixed(own, peer, 1)


def _halves(addresses: NDArray[np.bytes_]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    words = np.ascontiguousarray(addresses).view(">u8").reshape(-1, 2).astype(np.uint64)
    return words[:, 0], words[:, 1]


def _mixed(*parts: NDArray[np.generic] | int) -> NDArray[np.uint64]:
    """Some numbers made one of 64 bits."""
    made = np.uint64(0)
    for part, factor in zip(parts, MIXED, strict=False):
        made = (made ^ np.asarray(part).astype(np.uint64)) * factor
        made = made ^ (made >> np.uint64(29))
    return np.asarray(made)
