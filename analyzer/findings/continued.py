"""Connections that go on in another stream: a segment from elsewhere that is numbered as theirs are.

Where an address translation fails in the midst of a connection, a segment of it comes from an address or a port that
its receiver never dealt with. That is a stream of its own, but two numbers give it away: its sequence number is one
that the connection's other end had come to, and its acknowledgment number one that the receiver had come to.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows, FlowColumn
from analyzer.tcp.sequence import MODULUS
from analyzer.tracker.vocabularies import SIDES, Handshake, RstCause

AHEAD = 1 << 16  # bytes beyond all that was captured of the connection: they went the other way, too, or were lost
FIN = 2  # the number of a FIN, and the one behind it
BY_CHANCE = 1 << 54  # of 2**64 pairs of numbers so many may fit at most: more, and a pair fits by chance
AT_ONCE = 1 << 22  # pairs of streams that are looked at together
ROLES = ("client", "server")


class Continued(NamedTuple):
    """Pairs of flows: places of the ``connection`` and of the ``stray`` stream that goes on in its numbers; whether the
    stray came to the client; and how far its numbers lie beyond the first ones of its sender and of its receiver."""

    connection: NDArray[Any]
    stray: NDArray[Any]
    to_client: NDArray[Any]
    sent: NDArray[Any]
    acked: NDArray[Any]


def continued(flows: AllFlows) -> Continued:
    """The connections of which a segment came from elsewhere and was refused."""
    strays = _strays(flows)
    none = np.zeros(0, np.int64)
    parts = [Continued(none, none, none > 0, none, none)]
    for role in ROLES if len(strays) else ():
        found = _Receivers(flows, strays, role).found()
        parts.append(found._replace(to_client=np.full(len(found.stray), role == "client")))
    return Continued(*map(np.concatenate, zip(*parts, strict=True)))


def _strays(flows: AllFlows) -> NDArray[np.intp]:
    """Streams without an opening of which the first segment met a RST: its receiver has no such connection."""
    places = flows.where(
        lambda column: (column("handshake") == Handshake.NOT_CAPTURED) & (column("rst_cause") == RstCause.NO_CONNECTION)
    )
    row, refuser = flows.table_rows(places), flows.column("rst_by", places)
    client, server = (refuser == SIDES.by_code.index(role) for role in ROLES)
    refused = np.where(flows.is_second(row, places, "client"), client, server)
    return np.asarray(places[refused & (row["isn_known"] & 3 == 3)])


class _Receivers:
    """Strays beside the connections whose client, or server, they came to: of each end the connections in the order of
    the first number of the other end."""

    def __init__(self, flows: AllFlows, strays: NDArray[np.intp], role: str) -> None:
        self.flows, self.strays = flows, strays
        self.receiver, self.sender = role, ROLES[1 - ROLES.index(role)]
        row = flows.table_rows(strays)
        ends = row["address"][:, 1].astype(np.int64) << 16 | row["port"][:, 1]
        self.seq, self.ack = ((row["isn"][:, side].astype(np.int64) + 1) % MODULUS for side in (0, 1))
        self.came_from = row["address"][:, 0], row["port"][:, 0]
        self.known = np.unique(ends)
        self.end = np.searchsorted(self.known, ends)

    def found(self) -> Continued:
        """Strays that continue one connection, and surely so."""
        connections, numbers = self._connections()
        widest = int(self._span(connections, self.sender).max(initial=0)) + AHEAD
        parts = [self._fitting(connections, *pairs) for pairs in self._near(numbers, widest)]
        none = np.zeros(0, np.int64)
        columns = [np.concatenate([none, *column]) for column in zip(*parts, strict=True)] if parts else [none] * 4
        stray = columns[1]
        once = np.bincount(stray, minlength=1)[stray] == 1
        chance = self._chance(connections, columns[0])
        connection, stray, sent, acked = (column[once & chance] for column in columns)
        return Continued(connections[connection], self.strays[stray], stray > 0, sent, acked)

    def _connections(self) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The connections of the receivers whose opening was captured, and what they are ordered by."""
        flows = self.flows
        places = flows.where(self._opened)
        key = np.searchsorted(self.known, self._owner(flows.of(places))) << 33
        key |= flows.first_numbers(places, self.sender)
        order = np.argsort(key, kind="stable")
        return places[order], key[order]

    def _opened(self, column: FlowColumn) -> NDArray[np.bool_]:
        """Whether the opening of some connections of these receivers was captured."""
        opened = np.isin(column("handshake"), (Handshake.COMPLETE, Handshake.SIMULTANEOUS, Handshake.PARTIAL))
        return np.asarray(opened & np.isin(self._owner(column), self.known))

    def _owner(self, column: FlowColumn) -> NDArray[np.int64]:
        """A number for the address and port of the receiver of some connections."""
        return np.asarray(column(f"{self.receiver}_ip").astype(np.int64) << 16 | column(f"{self.receiver}_port"))

    def _near(self, numbers: NDArray[np.int64], widest: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Pairs of connections and strays of one receiver in which the stray's sequence number lies not too far behind
        the connection's first one; numbers begin anew after the last."""
        for turn in (0, MODULUS):
            high = self.seq + turn
            least, most = (
                np.searchsorted(numbers, (self.end << 33) + bound) for bound in (np.maximum(high - widest, 0), high)
            )
            part = np.cumsum(most - least) // AT_ONCE
            for some in (np.flatnonzero(part == which) for which in np.unique(part).tolist()):
                count = (most - least)[some]
                ahead = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
                yield np.repeat(least[some], count) + ahead, np.repeat(some, count)

    def _fitting(
        self, connections: NDArray[np.intp], at: NDArray[np.intp], stray: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64], ...]:
        """Those of the pairs in which both numbers are the connection's, and the stray came later and from elsewhere;
        and how far they lie beyond its first ones."""
        flows, places = self.flows, connections[at]
        sent = (self.seq[stray] - flows.first_numbers(places, self.sender)) % MODULUS
        acked = (self.ack[stray] - flows.first_numbers(places, self.receiver)) % MODULUS
        address, port, began = flows.columns(f"{self.sender}_ip", f"{self.sender}_port", "first_epoch", places=places)
        fits = (sent > 0) & (sent <= self._span(places, self.sender) + AHEAD)
        fits &= (acked > 0) & (acked <= self._span(places, self.receiver))
        fits &= (address != self.came_from[0][stray]) | (port != self.came_from[1][stray])
        fits &= began < flows.column("first_epoch", self.strays[stray])
        return tuple(np.asarray(column[fits], np.int64) for column in (at, stray, sent, acked))

    def _span(self, places: NDArray[np.intp], role: str) -> NDArray[np.int64]:
        """How many numbers client or server of some flows used at most."""
        return np.asarray(self.flows.column(f"{role}_bytes", places) + FIN, np.int64)

    def _chance(self, connections: NDArray[np.intp], found: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether numbers can hardly fit by chance: those of these connections are few enough."""
        places = connections[found]
        pairs = (self._span(places, self.sender) + AHEAD).astype(float) * self._span(places, self.receiver)
        return np.asarray(pairs * len(connections) < BY_CHANCE)
