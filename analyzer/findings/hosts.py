"""What the whole capture tells of hosts: with it the words of findings are chosen once all flows are judged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import captured_until
from analyzer.findings.ledger_view import LedgerView
from analyzer.tracker.signs import Sign
from analyzer.tracker.vocabularies import RstCause

TTLS = 256


class RoundTrip(NamedTuple):
    """The shortest time from the tap to a host and back, in ns, and in how many connections it was measured."""

    least: int
    connections: int


class Hosts:
    """Facts about hosts, which are rows of the address book. They are asked for many hosts at once."""

    def __init__(self) -> None:
        self.answer_ttls: Callable[[Iterable[int]], Mapping[int, Sequence[int]]] = lambda addresses: {}
        self.column: Callable[[str], NDArray[Any]] | None = None  # of all flows of the capture, once they are known
        self._resets: list[NDArray[np.int64]] = []  # address and TTL of the RST, for each connection that has one

    def add(self, view: LedgerView) -> None:
        """Take in the RSTs of some flows."""
        if not (view.signs & int(Sign.UNUSUAL)).any():
            return
        reset, foreign = view.own("rst_count") > 0, view.own("third_party") > 0
        ttl = np.where(foreign, view.own("third_party_ttl"), view.own("rst_ttl")).astype(np.int64)
        self._resets.append((view.flow("address").astype(np.int64) * TTLS + ttl)[reset & (ttl > 0)])

    def reset_ttls(self, addresses: NDArray[np.int64]) -> dict[int, dict[int, int]]:
        """With which TTLs the RSTs of each host came, and in how many connections."""
        keys = np.concatenate([np.zeros(0, np.int64), *self._resets])
        rows = zip(*np.unique(keys[np.isin(keys // TTLS, addresses)], return_counts=True), strict=True)
        found: dict[int, dict[int, int]] = {}
        for key, count in ((int(key), int(count)) for key, count in rows):
            found.setdefault(key // TTLS, {})[key % TTLS] = count
        return found

    def full_queues(self, addresses: NDArray[np.int64], ports: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the service at each address and port answered the last acknowledgment of a handshake by RST, as a
        kernel does whose accept queue is full."""
        if self.column is None:
            return np.zeros(len(addresses), np.bool_)
        full = self.column("rst_cause") == RstCause.NOT_TAKEN
        services = self.column("server_ip")[full].astype(np.int64) << 16 | self.column("server_port")[full]
        return np.isin(addresses.astype(np.int64) << 16 | ports.astype(np.int64), services)

    def captured_until(self, since: NDArray[np.int64]) -> NDArray[np.int64]:
        """Until when it is known that somebody captured, from the times ``since`` of segments on (see all_flows.py)."""
        if self.column is None:
            return since
        return captured_until(self.column("first_epoch"), self.column("last_epoch"), since)

    def round_trips(self, addresses: NDArray[np.int64]) -> dict[int, RoundTrip]:
        """How long hosts took to answer as servers."""
        if self.column is None:
            return {}
        server, trip = self.column("server_ip").astype(np.int64), self.column("server_rtt")
        asked = (trip > 0) & np.isin(server, addresses)
        hosts, of, count = np.unique(server[asked], return_inverse=True, return_counts=True)
        least = np.full(len(hosts), np.iinfo(np.int64).max)
        np.minimum.at(least, of, trip[asked])
        rows = zip(hosts.tolist(), least.tolist(), count.tolist(), strict=True)
        return {host: RoundTrip(time, connections) for host, time, connections in rows}
