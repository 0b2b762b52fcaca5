"""The conversations of a capture: one row each, and the look-up that gives every segment its row.

A segment's ``sender`` is 2 * flow row + side: the peer's is ``sender ^ 1``, the row is ``sender >> 1``, and a
table with one row an endpoint is indexed by it directly. Side 0 is whoever sent the flow's first segment, which
says nothing about roles: those are in ``client`` and ``client_basis``.
"""

import secrets

import numpy as np
from numpy.typing import NDArray

from analyzer.errors import TeardownError
from analyzer.flows import kernels, roles
from analyzer.flows.row import COLUMNS, FLOW

__all__ = ["COLUMNS", "FLOW", "FlowTable"]

LIMIT = 1 << 29  # rows: one doubling more and 2 * row + side may not fit the 32 bits of a segment's sender


class FlowTable:
    """All flows so far. Memory grows by doubling: ``rows`` is a view, to be taken anew after each batch."""

    def __init__(self) -> None:
        self._rows = np.zeros(1024, FLOW)
        self._entries = np.zeros(4096, kernels.ENTRY)
        self._counts = np.zeros(3, np.int64)
        self._secrets = np.array([secrets.randbits(62) | 1 for _ in range(3)], np.int64)
        self._ranks = roles.port_ranks()

    def __len__(self) -> int:
        return int(self._counts[kernels.FLOWS])

    @property
    def rows(self) -> NDArray[np.void]:
        """Shape (len(self),), dtype FLOW, in the order in which Wireshark makes streams."""
        return self._rows[: len(self)]

    def assign(self, batch: NDArray[np.void]) -> None:
        """Set ``sender`` of every segment of ``batch`` (dtype SEGMENT), starting flows as they come.

        Batches are to be given in the capture's order; how it is cut into batches makes no difference.
        """
        done = 0
        while done < len(batch):
            done = kernels.assign(
                batch, done, self._rows, self._entries, self._counts, self._secrets, self._ranks
            )
            if done < len(batch):
                self._grow()

    def forget(self, kept: NDArray[np.intp], addresses: NDArray[np.int32]) -> None:
        """Keep the rows ``kept`` only (ascending), and renumber their addresses: number ``addresses[k]`` becomes k.

        Segments given a ``sender`` before have no meaning any more, and later segments of a forgotten flow start one.
        """
        new_row = np.full(len(self) + 1, -1)  # the last place is for "none", -1
        new_row[kept] = np.arange(len(kept))
        rows = self.rows[kept]
        rows["previous"] = new_row[rows["previous"]]
        rows["address"] = np.searchsorted(addresses, rows["address"])
        known = self._entries[self._entries["state"] > 0]
        place = new_row[(known["state"] >> 2).astype(np.int64) - 1]
        known, place = known[place >= 0], place[place >= 0]
        known["state"] = (place + 1) << 2 | known["state"] & 3
        for end in ("low", "high"):
            known[end] = np.searchsorted(addresses, known[end])
        self._rows = np.concatenate([rows, np.zeros(max(1024, len(rows)), FLOW)])
        self._entries = np.zeros(max(4096, 4 << len(known).bit_length()), kernels.ENTRY)
        kernels.rehash(known, self._entries, self._secrets)
        self._counts[kernels.FLOWS], self._counts[kernels.TUPLES] = len(rows), len(known)

    def _grow(self) -> None:
        """Double what is full: the rows, or the hash once five eighths of it are taken."""
        if len(self) == len(self._rows):
            if len(self) >= LIMIT:
                raise TeardownError(f"more than {LIMIT} connections in one capture: split it by time")
            self._rows = np.concatenate([self._rows, np.zeros(len(self._rows), FLOW)])
        else:
            entries = np.zeros(2 * len(self._entries), kernels.ENTRY)
            kernels.rehash(self._entries, entries, self._secrets)
            self._entries = entries
