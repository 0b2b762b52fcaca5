"""The conversations of a capture: one row each, and the look-up that gives every segment its row.

A segment's ``sender`` is 2 * flow row + side: the peer's is ``sender ^ 1``, the row is ``sender >> 1``, and a
table with one row an endpoint is indexed by it directly. Side 0 is whoever sent the flow's first segment, which
says nothing about roles: ``guess`` is what the ports say of them, and the tracker knows more.
"""

import secrets

import numpy as np
from numpy.typing import NDArray

from analyzer.errors import TeardownError
from analyzer.flows import kernels, roles
from analyzer.flows.row import COLUMNS, FLOW
from analyzer.memory import GrowingRows

__all__ = ["COLUMNS", "FLOW", "FlowTable"]

LIMIT = 1 << 29  # rows: one doubling more and 2 * row + side may not fit the 32 bits of a segment's sender
PIECE = 1 << 17  # entries moved at a time when the hash grows


class FlowTable:
    """All flows so far. ``rows`` is a view, to be taken anew after each batch."""

    def __init__(self) -> None:
        self._rows = GrowingRows(FLOW, 1024)
        self._entries = GrowingRows(kernels.ENTRY, 4096)
        self._counts = np.zeros(kernels.COUNTS, np.int64)
        self._hashes = np.zeros(kernels.AHEAD, np.int64)
        self._secrets = np.array([secrets.randbits(62) | 1 for _ in range(3)], np.int64)
        self._ranks = roles.port_ranks()

    def __len__(self) -> int:
        return int(self._counts[kernels.FLOWS])

    @property
    def quotations(self) -> int:
        """Segments so far that were headers quoted in ICMP errors."""
        return int(self._counts[kernels.QUOTATIONS])

    @property
    def rows(self) -> NDArray[np.void]:
        """Shape (len(self),), dtype FLOW, in the order in which Wireshark makes streams."""
        return self._rows.rows[: len(self)]

    def assign(self, batch: NDArray[np.void]) -> None:
        """Set ``sender`` of every segment of ``batch`` (dtype SEGMENT), starting flows as they come.

        Batches are to be given in the capture's order; how it is cut into batches makes no difference.
        """
        done = 0
        while done < len(batch):
            done = kernels.assign(
                batch,
                batch.ctypes.data,
                done,
                self._rows.rows,
                self._rows.address,
                self._entries.rows,
                self._entries.address,
                self._counts,
                self._secrets,
                self._ranks,
                self._hashes,
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
        states = self._entries.rows["state"]
        states = states[states > 0]
        place = new_row[(states >> 1).astype(np.int64) - 1]
        states, place = states[place >= 0], place[place >= 0]
        states = ((place + 1) << 1 | states & kernels.SETTLED).astype(np.uint32)
        self._rows.clear(len(rows), len(self))
        self._rows.rows[: len(rows)] = rows
        self._entries = GrowingRows(kernels.ENTRY, max(4096, 4 << len(states).bit_length()))
        kernels.enter(self._rows.address, states, self._entries.rows, self._secrets)
        self._counts[kernels.FLOWS], self._counts[kernels.TUPLES] = len(rows), len(states)

    def _grow(self) -> None:
        """Double what is full: the rows, or the hash once half of it is taken."""
        if len(self) == len(self._rows):
            if len(self) >= LIMIT:
                raise TeardownError(f"more than {LIMIT} connections in one capture: split it by time")
            self._rows.grow(2 * len(self))
        else:
            self._rehash()

    def _rehash(self) -> None:
        """Twice the hash, where it stands. An entry's new place is at least twice its old one; so the last are moved
        first, from the beginning of a run of taken places on, and none comes among those that are still to be moved.
        """
        end = len(self._entries)
        self._entries.grow(2 * end)
        states, words = self._entries.rows["state"], self._entries.rows.view(np.int64)
        while end > 0:
            begin = max(0, end - PIECE)
            while begin > 0 and states[begin - 1]:
                begin -= 1
            moved = self._entries.rows[begin:end].copy()
            words[begin:end] = 0
            kernels.rehash(moved, self._entries.rows)
            end = begin
