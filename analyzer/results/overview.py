"""What everybody asks for first: how connections ended, and who closed first at which server.

It is added up from the rows of the flows, slice by slice; memory grows with the number of servers alone.
"""

import secrets
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.memory import GrowingRows
from analyzer.results.overview_kernels import BEGAN, BOTH_WAYS, HOST, HOSTS, chain, count
from analyzer.tracker.vocabularies import CLOSERS as CLOSED_BY
from analyzer.tracker.vocabularies import TEARDOWNS, Teardown

CLOSERS = (*CLOSED_BY.by_code[1:], "nobody")  # in the order of the columns
FEW = 1024  # servers for which there is room at first, a power of two


class ServerCounts(NamedTuple):
    """One server: its row of the address book, its port, and how many flows it had; how many of them the client, the
    server, both and nobody closed first; and how many a RST ended."""

    address: int
    port: int
    counts: tuple[int, ...]


class Overview:
    """The counts of all flows seen so far."""

    def __init__(self) -> None:
        self._endings = np.zeros((len(Teardown), len(CLOSERS)), np.int64)
        self._hosts, self._seen = GrowingRows(HOST, FEW), np.array([0, np.iinfo(np.int64).max, 0])
        self._heads = np.zeros(FEW, np.int32)
        self._secrets = np.array([secrets.randbits(62) | 1 for _ in range(3)], np.int64)

    def add(self, endings: NDArray[np.void]) -> None:
        """Count some rows of dtype ENDING."""
        done = 0
        while done < len(endings):
            done = count(
                endings, done, self._endings.reshape(-1), self._seen, self._hosts.rows, self._heads, self._secrets
            )
            if done < len(endings):
                self._grow()

    def _grow(self) -> None:
        """Make room for twice as many servers."""
        self._hosts.grow(2 * len(self._hosts))
        self._heads = np.zeros(len(self._hosts), np.int32)
        chain(self._hosts.rows, int(self._seen[HOSTS]), self._heads, self._secrets)

    @property
    def flows(self) -> int:
        return int(self._endings.sum())

    @property
    def began(self) -> int:
        """When the first of them began, in ns."""
        return int(self._seen[BEGAN])

    @property
    def both_ways(self) -> bool:
        """Whether of any of them both directions were captured."""
        return bool(self._seen[BOTH_WAYS])

    @property
    def endings(self) -> dict[str, list[int]]:
        """By ``teardown``, in the order in which docs/columns.md has its words: how many flows each of CLOSERS closed
        first; without those that no flow has."""
        by_word = dict(zip(TEARDOWNS.by_code, self._endings.tolist(), strict=True))
        return {word: by_word[word] for word in TEARDOWNS.meanings if sum(by_word[word])}

    def servers(self, most: int | None = None) -> tuple[list[ServerCounts], int]:
        """Servers, ``most`` at most, the one with the most flows first, those of as many by address and port; and how
        many there are."""
        hosts = self._hosts.rows[: int(self._seen[HOSTS])]
        flows = hosts["counts"][:, :-1].sum(axis=1, dtype=np.int64)
        hosts, flows = hosts[order := np.lexsort((hosts["port"], hosts["address"], -flows))[:most]], flows[order]
        counts = np.column_stack([flows, hosts["counts"]])
        rows = zip(hosts["address"].tolist(), hosts["port"].tolist(), map(tuple, counts.tolist()), strict=True)
        return [ServerCounts(*row) for row in rows], int(self._seen[HOSTS])
