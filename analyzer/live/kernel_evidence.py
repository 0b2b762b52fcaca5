"""What this host's kernel says of its own sockets, held against what the packets seem to show.

A packet that the capture missed makes a socket look as if it were left in a state for ever. On the host itself the
kernel knows better: a finding that rests on the state of a socket is held back while the kernel has that socket in
another state, or has no such socket. That some are is told.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analyzer.live.ends import SERVER, blamed_first, ends_of
from analyzer.live.older_sockets import OlderSockets
from analyzer.live.sockets import End, Owners
from analyzer.results.finding_list import FindingList, RuleFindings
from analyzer.segments.addresses import AddressBook

# Findings that rest on a state, and the states in which the kernel may have such a socket; "": none any more.
STATES = {"TD101": {"CLOSE_WAIT"}, "TD201": {"FIN_WAIT_1", "CLOSING", "LAST_ACK", ""}}
LEAK = "TD101"
PILE_UP, PILED_UP = "TD106", "CLOSE_WAIT"  # of one address, so many at once as the finding's threshold asks for
Newest = Callable[[], NDArray[np.int64]]


class KernelEvidence:
    """Asked for all findings of a look; ``contradicted`` is of how many at the last look the kernel said otherwise."""

    def __init__(self, owners: Owners, least: int, older: OlderSockets | None = None) -> None:
        self._owners, self._least, self._older = owners, least, older
        self.contradicted = 0

    def agreed(self, listing: FindingList, book: AddressBook, newest: Newest) -> FindingList:
        """The findings without those that the kernel contradicts. ``newest`` gives the streams that no newer connection
        of the same addresses and ports followed: a socket of the kernel may be one of theirs only."""
        self.contradicted = 0
        if self._older is not None and len(self._older.streams):
            listing = without_older(listing, self._older.streams, self._least)
        return listing.some(lambda table: self._agrees(table, book, newest))

    def _agrees(self, table: RuleFindings, book: AddressBook, newest: Newest) -> NDArray[np.bool_]:
        agrees = np.ones(len(table), np.bool_)
        if table.rule.code == PILE_UP:
            agrees[:] = [self._piled_up(end) for end, _ in self._ends(table, np.arange(len(table)), book)]
        elif table.rule.code in STATES:
            asked = np.flatnonzero(np.isin(table.columns["stream"], newest()))
            fitting = STATES[table.rule.code]
            agrees[asked] = [self._fits(own, peer, fitting) for own, peer in self._ends(table, asked, book)]
            self.contradicted += int((~agrees).sum())
        return agrees

    @staticmethod
    def _ends(table: RuleFindings, rows: NDArray[np.intp], book: AddressBook) -> list[tuple[End, End]]:
        return blamed_first(ends_of(table)[rows], table.columns["blamed"][rows].tolist(), book.text)

    def _fits(self, own: End, peer: End, states: set[str]) -> bool:
        """Whether the socket between two ends may be in one of these states: if the first is another host's, it may."""
        entry = self._owners.sockets().get((own, peer))
        if entry is not None:
            return entry.state in states
        return own[0] not in self._owners.addresses() or "" in states

    def _piled_up(self, own: End) -> bool:
        """Whether so many sockets of an address may be in CLOSE_WAIT."""
        if own[0] not in self._owners.addresses():
            return True
        held = (local for (local, _), entry in self._owners.sockets().items() if entry.state == PILED_UP)
        return sum(local[0] == own[0] for local in held) >= self._least


def without_older(listing: FindingList, streams: NDArray[np.int64], least: int) -> FindingList:
    """The findings without leaks in ``streams``, and without pile-ups of fewer than ``least`` others. The peer's FIN
    had come before the watch there: the kernel tells of the socket of this host, and the peer has leaked nothing."""
    left = [_blamed(table)[~np.isin(table.columns["stream"], streams)] for table in listing.tables if _leaks(table)]
    address, count = np.unique(np.concatenate([np.zeros(0, np.int64), *left]), return_counts=True)
    enough = address[count >= least]

    def stands(table: RuleFindings) -> NDArray[np.bool_]:
        if _leaks(table):
            return ~np.isin(table.columns["stream"], streams)
        if table.rule.code == PILE_UP:
            return np.isin(_blamed(table), enough)
        return np.ones(len(table), np.bool_)

    return listing.some(stands)


def _leaks(table: RuleFindings) -> bool:
    return table.rule.code == LEAK


def _blamed(table: RuleFindings) -> NDArray[np.int64]:
    """The address of the blamed end, as a row of the address book."""
    ends = ends_of(table)
    return np.where(table.columns["blamed"] == SERVER, ends[:, 2], ends[:, 0])
