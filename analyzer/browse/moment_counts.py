"""How many sockets were in each state at a moment: those of a service, its clients', and everybody's.

The counts are those of ``teardown netstat --every``: each time is the best estimate of the timelines.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.results.further_tables.census import SocketCensus, keys_of_services
from analyzer.results.netstat import STATES, kept_flows, span_of
from analyzer.results.result import Analysed
from analyzer.views.console import endpoint


class CountsRow(NamedTuple):
    """Whose sockets these are, and how many are in each of STATES."""

    name: str
    counts: Sequence[int]


class StateCounts(NamedTuple):
    """The counts at a moment (ns since 1970), and the most that the service and its clients together had in each part
    of the capture's time: a row of STATES for each part. The moment is in the part ``place``."""

    at: int
    rows: Sequence[CountsRow]
    most: NDArray[np.int64]
    place: int


class MomentCounts:
    """The sockets of all connections, whatever the filters choose."""

    def __init__(self, analysed: Analysed) -> None:
        kept = kept_flows(analysed)
        self._span, self._texts = span_of(analysed), analysed.tables.addresses
        self._keys = keys_of_services(kept)
        self._census = SocketCensus(kept, self._keys)
        self._streams = analysed.tables.streams()
        self._most: tuple[int, int, NDArray[np.int64]] = (-1, 0, np.zeros((0, len(STATES)), np.int64))

    def at(self, stream: int, moment: int, parts: int) -> StateCounts:
        """The counts at a moment, for the service of a connection; ``parts`` is how many the capture's time has."""
        first, last = self._span
        at = min(max(moment, first), last)
        flow = int(np.searchsorted(self._streams, stream))
        client, server = self._keys.of_ends[2 * flow : 2 * flow + 2].tolist()
        counts = next(self._census.counts(np.array([at])))
        name = endpoint(self._texts[int(self._keys.ip[server])].decode(), int(self._keys.port[server]))
        rows = [
            CountsRow(name, counts[server].tolist()),
            CountsRow("its clients", counts[client].tolist()),
            CountsRow("all sockets", counts.sum(axis=0).tolist()),
        ]
        place = min((at - first) * parts // max(last - first, 1), parts - 1)
        return StateCounts(at, rows, self._most_of(client, server, parts), place)

    def _most_of(self, client: int, server: int, parts: int) -> NDArray[np.int64]:
        """The most sockets of a service and its clients in each part; those of the last one asked for are kept."""
        if self._most[:2] != (server, parts):
            made = [self._most_in(client, server, place, parts) for place in range(len(STATES))]
            self._most = (server, parts, np.stack(made, axis=1))
        return self._most[2]

    def _most_in(self, client: int, server: int, state: int, parts: int) -> NDArray[np.int64]:
        """The same of one state."""
        first, last = self._span
        times, counts = self._census.steps((client, server), state)
        begins = first + np.arange(parts) * (last - first) // parts
        places = np.searchsorted(times, begins, "right")  # the step after that which a part begins with
        most = np.append(0, counts)[places]
        part = np.searchsorted(begins, times, "right") - 1
        np.maximum.at(most, part[part >= 0], counts[part >= 0])
        return most
