"""Sockets by state over time, for each server and for its clients, as the table ``census`` counts them.

And the steps of each endpoint on the page, from which a script lists the sockets of a moment as ``teardown netstat``
does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.results.further_tables.census import SocketCensus, keys_of_services
from analyzer.results.netstat import STATES, endpoint_steps, kept_flows
from analyzer.results.result import Analysed
from analyzer.tcp.codes import FIN_AGAIN
from analyzer.times import NEVER, outer
from analyzer.units import UNKNOWN
from analyzer.views.console import endpoint

SERVERS = 12
MOMENTS = 600  # of each; where more changes are, the counts at so many moments are told


def series(analysed: Analysed) -> list[dict[str, Any]]:
    """The counts of the busiest servers and of their clients: exact at each change where these are few, else at MOMENTS
    moments as far apart as each other."""
    if not analysed.overview.flows:
        return []
    kept = kept_flows(analysed)
    keys = keys_of_services(kept)
    census = SocketCensus(kept, keys)
    connections = np.bincount(keys.of_ends, minlength=len(keys.role))
    servers = np.flatnonzero(keys.ip >= 0)
    chosen = servers[np.argsort(-connections[servers], kind="stable")[:SERVERS]].tolist()
    places = [place for key in chosen for place in (key, key + len(servers))]
    moments = {place: _moments(census, place, analysed) for place in places}
    every = np.unique(np.concatenate([some for some, _ in moments.values()]))
    counted = np.zeros((len(every), len(places), len(STATES)), np.int32)
    for row, rows in enumerate(census.counts(every)):
        counted[row] = rows[places]
    return [
        _series(analysed, keys, place, every, counted[:, number], moments[place]) for number, place in enumerate(places)
    ]


def _moments(census: SocketCensus, key: int, analysed: Analysed) -> tuple[NDArray[np.int64], bool]:
    """At which moments the counts of a key are told, and whether these are all at which they change."""
    first, last = analysed.summary.first_ns or 0, analysed.summary.last_ns or 0
    changes = np.clip(census.changes_of(key), first, last)
    changes = changes[np.append(changes[1:] != changes[:-1], True)[: len(changes)]]
    if len(changes) <= MOMENTS:
        return np.unique(np.append(changes, [first, last])), True
    return np.unique(np.linspace(first, last, MOMENTS).astype(np.int64).clip(first, last)), False


def _series(
    analysed: Analysed,
    keys: Any,
    place: int,
    every: NDArray[np.int64],
    counted: NDArray[np.int32],
    moments: tuple[NDArray[np.int64], bool],
) -> dict[str, Any]:
    server = keys.ip[place] >= 0
    ip, port = (keys.ip, keys.port) if server else (keys.peer_ip, keys.peer_port)
    name = endpoint(analysed.tables.addresses[int(ip[place])].decode(), int(port[place]))
    rows = counted[np.searchsorted(every, moments[0])]
    there = np.flatnonzero(rows.any(axis=0)).tolist()
    return {
        "server": name,
        "whose": "server" if server else "clients",
        "times": (moments[0] - (analysed.summary.first_ns or 0)).tolist(),
        "exact": moments[1],
        "states": {STATES[state]: rows[:, state].tolist() for state in there},
    }


def steps(analysed: Analysed, streams: NDArray[np.int64]) -> dict[int, Any]:
    """The steps of the endpoints of these connections: for each the lists of time, earliest, latest (ns since the first
    packet, null where there is no bound), place of the state (-1: no socket) and whether a timer ended TIME_WAIT;
    whether it was in a state before that the capture does not show; and when its TIME_WAIT began again."""
    flags = np.zeros(int(streams.max(initial=0)) + 1, np.bool_)
    flags[streams] = True
    kept = kept_flows(analysed)
    kept.flows = analysed.tables.only(flags)
    first, made = analysed.summary.first_ns or 0, dict[int, Any]()
    for endings, entries in kept.slices(entries=True):
        told = endpoint_steps(entries, 2 * len(endings), kept.end)
        again = entries[entries["event"] == FIN_AGAIN]
        rows = zip(
            *(told.key.tolist(), _since(told.time, first), _since(told.earliest, first), _since(told.latest, first)),
            *(told.column.tolist(), told.timed_out.astype(int).tolist()),
            strict=True,
        )
        ends: list[list[Any]] = [[[], 0, []] for _ in range(2 * len(endings))]
        for key, *step in rows:
            ends[key][0].append(step)
        for key in told.key[told.first & told.from_unknown].tolist():
            ends[key][1] = 1
        for key, time in zip((again["end"] ^ 1).tolist(), _since(again["time"].astype(np.int64), first), strict=True):
            ends[key][2].append(time)
        for place, stream in enumerate(endings["stream"].tolist()):
            made[int(stream)] = ends[2 * place : 2 * place + 2]
    return made


def _since(times: NDArray[np.int64], first: int) -> list[int | None]:
    """Times of the inner clock as ns since the first packet."""
    return [None if time in (NEVER, UNKNOWN) else outer(time) - first for time in times.tolist()]
