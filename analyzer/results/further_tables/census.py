"""``census``: how many sockets were in each state, for each service and each of its clients, over time.

It follows from the timelines: an endpoint is counted from the first state that a socket of its host has, in each state
from its best time on, and no longer once that is CLOSED. LISTEN is not counted. Who was last heard of before a gap in
the capture may be in any state after it, or gone: it is counted as of unknown state from where the gap begins. At the
capture's end every endpoint stays where it is.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.results.further_tables import KeptFlows, MadeTable, Rows
from analyzer.results.further_tables.census_kernels import CHANGE, COLUMNS, COUNTED, count_up, find_changes
from analyzer.results.number_table import Numbers
from analyzer.times import inner, outer_column
from analyzer.tracker.vocabularies import SIDES
from analyzer.units import UNKNOWN

CHANGES_AT_ONCE = 65_536
NAMES = tuple(state.name.lower() for state in COUNTED)
CLIENT, SERVER = (SIDES.by_code.index(word) for word in ("client", "server"))


class SocketKeys(NamedTuple):
    """Whose sockets are counted together: first the services (address and port), then their clients (address of a
    client, and the service). ``of_ends`` has the key of each endpoint, the client and the server of a flow side by
    side, in the order of streams; the others have a number for each key."""

    of_ends: NDArray[np.uint32]
    role: NDArray[np.int64]
    ip: NDArray[np.int64]
    port: NDArray[np.int64]
    peer_ip: NDArray[np.int64]
    peer_port: NDArray[np.int64]


class SocketCensus:
    """The changes of all counts in the order of time, 16 bytes each."""

    def __init__(self, kept: KeptFlows, keys: SocketKeys | None = None) -> None:
        self.keys = _keys(kept) if keys is None else keys
        changes: Rows = np.concatenate([np.zeros(0, CHANGE), *_changes(kept, self.keys.of_ends)])
        self._changes: Rows = changes[np.lexsort((changes["key"], changes["time"]))]

    def __len__(self) -> int:
        return len(self._changes)

    def parts(self) -> Iterator[Numbers]:
        """A row for each moment and key that something changed at, many at a time."""
        counts = self._none()
        size = min(CHANGES_AT_ONCE, len(self))
        times, keys = np.empty(size, np.int64), np.empty(size, np.uint32)
        rows: NDArray[np.int32] = np.empty((size, COLUMNS), np.int32)
        for first in range(0, len(self), CHANGES_AT_ONCE):
            last = min(first + CHANGES_AT_ONCE, len(self))
            some = count_up(self._changes, first, last, counts, times, keys, rows.reshape(-1))
            yield self._numbers(times[:some], keys[:some], rows[:some])

    def at(self, since_1970: int) -> Numbers:
        """The counts that held at a moment, in nanoseconds, of all keys that had sockets; all in one row each."""
        return next(self.over(np.array([since_1970])))

    def over(self, moments: NDArray[np.int64]) -> Iterator[Numbers]:
        """The same for each of several moments, ascending."""
        for moment, rows in zip(inner(moments).tolist(), self.counts(moments), strict=True):
            keys = np.flatnonzero(rows.any(axis=1))
            yield self._numbers(np.full(len(keys), moment), keys, rows[keys])

    def counts(self, moments: NDArray[np.int64]) -> Iterator[NDArray[np.int32]]:
        """The counts at each of these moments, a row for each key: in one array, which goes on to the next moment."""
        counts, none = self._none(), np.zeros(0, np.int64)
        no_keys, no_rows = none.astype(np.uint32), none.astype(np.int32)
        places = np.searchsorted(self._changes["time"], inner(moments), "right").tolist()
        for first, last in pairwise([0, *places]):
            count_up(self._changes, first, last, counts, none, no_keys, no_rows)
            yield counts.reshape(-1, COLUMNS)

    def changes_of(self, key: int) -> NDArray[np.int64]:
        """When something changed of a key, ascending."""
        return outer_column(self._changes["time"][self._changes["key"] == key])

    def steps(self, keys: Sequence[int], column: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """When the number of sockets in a state changed, all of these keys together, and the number from then on."""
        own = self._changes[np.isin(self._changes["key"], keys)]
        own = own[(own["from_column"] == column) | (own["column"] == column)]
        counts = np.cumsum(np.where(own["column"] == column, 1, -1), dtype=np.int64)
        last = np.append(own["time"][1:] != own["time"][:-1], True)[: len(own)]
        return outer_column(own["time"][last]), counts[last]

    def _none(self) -> NDArray[np.int32]:
        return np.zeros(len(self.keys.role) * COLUMNS, np.int32)

    def _numbers(self, times: NDArray[np.int64], keys: NDArray[Any], rows: NDArray[np.int32]) -> Numbers:
        who = {name: column.take(keys) for name, column in self.keys._asdict().items() if name != "of_ends"}
        counts = dict(zip(NAMES, rows.T.astype(np.int64), strict=True))
        return {"time_epoch": outer_column(times), **who, "sockets": rows.sum(axis=1, dtype=np.int64), **counts}


def make(kept: KeptFlows) -> MadeTable:
    """The table."""
    return MadeTable(SocketCensus(kept).parts)


def keys_of_hosts(kept: KeptFlows) -> SocketKeys:
    """All sockets of an address are counted together."""
    client, ip, _ = _ends(kept)
    hosts, of_ends = np.unique(np.column_stack([client, ip]), return_inverse=True)
    none = np.full(len(hosts), UNKNOWN)
    return SocketKeys(
        of_ends.astype(np.uint32).reshape(-1),
        np.full(len(hosts), -1),
        hosts,
        none,
        np.full(len(hosts), -1),
        none,
    )


def keys_of_services(kept: KeptFlows) -> SocketKeys:
    """The sockets of each service are counted together, and those of all its clients."""
    _, ip, port = _ends(kept)
    services, service = np.unique(ip << 16 | port, return_inverse=True)
    count = len(services)
    ips, ports = services >> 16, services & 0xFFFF
    nobody, none = np.full(count, -1), np.full(count, UNKNOWN)
    return SocketKeys(
        np.column_stack([service + count, service]).astype(np.uint32).reshape(-1),
        np.repeat([SERVER, CLIENT], count),
        np.concatenate([ips, nobody]),
        np.concatenate([ports, none]),
        np.concatenate([nobody, ips]),
        np.concatenate([none, ports]),
    )


def _ends(kept: KeptFlows) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of each flow, in the order of streams: the client's address, the server's, and its port."""
    flows = [np.zeros((0, 3), np.int64)]
    for endings, _ in kept.slices():
        columns = [endings[name].astype(np.int64) for name in ("client_ip", "server_ip", "server_port")]
        flows.append(np.column_stack(columns))
    client, ip, port = np.concatenate(flows).T
    return client, ip, port


def _keys(kept: KeptFlows) -> SocketKeys:
    client, ip, port = _ends(kept)
    services, service = np.unique(ip << 16 | port, return_inverse=True)
    clients, own = np.unique(client << 32 | service, return_inverse=True)
    of_ends = np.stack([own + len(services), service], axis=1).astype(np.uint32).reshape(-1)
    ips, ports = services >> 16, services & 0xFFFF
    none, asked = np.full(len(services), UNKNOWN), clients & 0xFFFFFFFF
    return SocketKeys(
        of_ends,
        np.repeat([SERVER, CLIENT], [len(services), len(clients)]),
        np.concatenate([ips, clients >> 32]),
        np.concatenate([ports, np.full(len(clients), UNKNOWN)]),
        np.concatenate([np.full(len(services), -1), ips[asked]]),
        np.concatenate([none, ports[asked]]),
    )


def _changes(kept: KeptFlows, keys: NDArray[np.uint32]) -> Iterator[Rows]:
    """All changes, flow after flow."""
    done, none = 0, np.zeros(0, np.int64)
    for endings, entries in kept.slices(entries=True):
        changes: Rows = np.empty(len(entries), CHANGE)
        own = keys[2 * done : 2 * (done + len(endings))]
        yield changes[: find_changes(entries, own, kept.end, changes, none)].copy()
        done += len(endings)
