"""What everybody asks for first: how connections ended, and who closed first at which server.

It is added up from the rows of the flows, slice by slice; memory grows with the number of servers alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.reports.columns import TEARDOWNS
from analyzer.tracker.outcome import CLOSER_WORDS, Teardown, words_of

CLOSERS = (*CLOSER_WORDS[1:], "nobody")  # in the order of the columns
COLUMN = np.array([3, 0, 1, 2])  # of each code of ``closed_by``, 0 being nobody
BY_RST = (Teardown.RESET, Teardown.ABORTED)
RUN = 1 << 16  # so many new rows of servers are added at once, at least

Counts = NDArray[np.uint32]


class Server(NamedTuple):
    """One server: its row of the address book, its port, and how many flows it had; how many of them the client, the
    server, both and nobody closed first; and how many a RST ended."""

    address: int
    port: int
    counts: tuple[int, ...]


class Overview:
    """The counts of all flows seen so far."""

    def __init__(self) -> None:
        self._endings = np.zeros((len(Teardown), 4), np.int64)
        self._keys, self._counts = np.zeros(0, np.int64), np.zeros((0, 5), np.uint32)
        self._waiting: list[tuple[NDArray[np.int64], Counts]] = []  # servers not entered yet

    def add(self, endings: NDArray[np.void]) -> None:
        """Count some rows of dtype ENDING."""
        if not len(endings):
            return
        closer, teardown = COLUMN[endings["closed_by"]], endings["teardown"].astype(np.int64)
        size = self._endings.size
        self._endings += np.bincount(teardown * 4 + closer, minlength=size).reshape(self._endings.shape)
        keys = endings["server_ip"].astype(np.int64) << 16 | endings["server_port"]
        distinct, place = _numbered(keys, self._keys)
        by_closer = np.bincount(place * 4 + closer, minlength=4 * len(distinct)).reshape(-1, 4)
        reset = np.bincount(place[np.isin(teardown, BY_RST)], minlength=len(distinct))
        self._enter(distinct, np.column_stack([by_closer, reset]).astype(np.uint32))

    def _enter(self, keys: NDArray[np.int64], counts: Counts) -> None:
        """Add counts of servers; new servers wait until they are many, since each entry copies all."""
        if len(keys) == len(self._keys):
            self._counts += counts
            return
        some = np.flatnonzero(counts.any(axis=1))
        self._waiting.append((keys[some], counts[some]))
        if sum(len(entry[0]) for entry in self._waiting) > max(RUN, len(self._keys)):
            self._settle()

    def _settle(self) -> None:
        keys = np.concatenate([self._keys, *(entry[0] for entry in self._waiting)])
        counts = np.concatenate([self._counts, *(entry[1] for entry in self._waiting)])
        order = np.argsort(keys, kind="stable")
        begins = np.flatnonzero(np.diff(keys[order], prepend=-1))
        self._keys = keys[order][begins]
        self._counts = np.add.reduceat(counts[order], begins, axis=0, dtype=np.uint32) if len(begins) else counts
        self._waiting = []

    @property
    def flows(self) -> int:
        return int(self._endings.sum())

    @property
    def endings(self) -> dict[str, list[int]]:
        """By ``teardown``, in the order in which docs/columns.md has its words: how many flows each of CLOSERS closed
        first; without those that no flow has."""
        by_word = dict(zip(words_of(Teardown), self._endings.tolist(), strict=True))
        return {word: by_word[word] for word in TEARDOWNS if sum(by_word[word])}

    def servers(self, most: int | None = None) -> tuple[list[Server], int]:
        """Servers, ``most`` at most, the one with the most flows first, those of as many by address and port; and how
        many there are."""
        self._settle()
        flows = self._counts[:, :4].sum(axis=1, dtype=np.int64)
        order = np.argsort(-flows, kind="stable")[:most]
        keys, counts = self._keys[order], np.column_stack([flows[order], self._counts[order]])
        rows = zip((keys >> 16).tolist(), (keys & 0xFFFF).tolist(), map(tuple, counts.tolist()), strict=True)
        return [Server(*row) for row in rows], len(flows)


def _numbered(keys: NDArray[np.int64], known: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct keys and the place of each key among them; where all are ``known``, these are taken."""
    if len(known):
        place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        if np.array_equal(known[place], keys):
            return known, place
    distinct, place = np.unique(keys, return_inverse=True)
    return distinct, place.reshape(-1)

