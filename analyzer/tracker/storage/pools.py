"""Rows that are taken and given back: the slots of flows, the rows that only some of them need, the blocks of the log.

A pool's rows grow where they stand and are zero when they are taken. A free row's first number is the next free one.
Row 0 of every pool but the slots belongs to nobody: 0 stands for "none", and reading it reads zeros.

Fence: only numpy and this project's enums inside the kernels; the typed wrapper is ``Pools``.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.kernels import helper, prefetch, record_at, wipe
from analyzer.memory import LINE, GrowingRows
from analyzer.tracker.ledger import CLOSING_FACTS, ENDPOINT_CORE, FLOW_CORE, OLDER, UNUSUAL
from analyzer.tracker.storage.layout import BLOCK, FAR, LOG, ROWS_A_BLOCK

POOL = np.dtype(
    [
        ("rows", "<i8"),  # where its rows lie in memory
        ("size", "<i8"),  # bytes of a row
        ("used", "<i8"),  # rows ever taken: in use or free again
        ("free", "<i8"),  # first of the free rows, -1 none
        ("given", "<i8"),  # free rows
        ("capacity", "<i8"),
    ]
)
SLOTS, UNUSUALS, OLDERS, BLOCKS, FARS, CLOSINGS = (np.int64(number) for number in range(6))
NEEDED = np.array([1, 8, 1, 8, 32, 4])  # rows of each pool that one segment may take at most (16 rows of the log)
PIECE = 4096  # slots, whose endpoints' rows are a huge page
_pool = record_at(POOL)
_link = record_at(np.dtype([("next", "<i4")]))


@helper
def take(context, number):
    """A row of that pool, zero; the caller has made sure that there is one. Row after row is new and zero as it comes;
    a row used before is wiped only now, when whoever takes it wants it in the cache anyway."""
    pool = _pool(context["pools"], number)
    row = np.int64(pool["free"])
    if row < 0:
        row = np.int64(pool["used"])
        pool["used"] = row + 1
        return row
    address = pool["rows"] + row * pool["size"]
    row_after = np.int64(_link(address, np.int64(0))["next"])
    prefetch(pool["rows"] + row_after * pool["size"])  # it was last used a minute ago
    prefetch(pool["rows"] + row_after * pool["size"] + LINE)
    pool["free"] = row_after
    pool["given"] = pool["given"] - 1
    wipe(address, np.int64(pool["size"]))
    return row


@helper
def next_free(context, number):
    """The row that will be taken next, -1 where that is one never used before."""
    return np.int64(_pool(context["pools"], number)["free"])


@helper
def give_back(context, number, row):
    """Make the row free."""
    pool = _pool(context["pools"], number)
    _link(pool["rows"] + row * pool["size"], np.int64(0))["next"] = pool["free"]
    pool["free"] = row
    pool["given"] = pool["given"] + 1


@helper
def give_back_chain(context, number, first, last, count):
    """Make ``count`` rows free that are chained as free rows are, ``first`` to ``last``."""
    if count > 0:
        pool = _pool(context["pools"], number)
        _link(pool["rows"] + np.int64(last) * pool["size"], np.int64(0))["next"] = pool["free"]
        pool["free"] = np.int64(first)
        pool["given"] = pool["given"] + count


@helper
def in_use(context, number):
    """Rows of that pool that are in use, row 0 among them where it belongs to nobody."""
    pool = _pool(context["pools"], number)
    return pool["used"] - pool["given"]


@helper
def copy_words(words, place, address, size):
    """Copy ``size`` bytes at ``address`` to ``words`` (int32) from ``place`` on; returns the place behind them."""
    for word in range(size >> 2):
        words[place + word] = _link(address, np.int64(word))["next"]
    return place + (size >> 2)


@helper
def slots_taken(context):
    """Slots ever taken: those from here on are new."""
    return np.int64(_pool(context["pools"], SLOTS)["used"])


@helper
def room(context):
    """How many segments can surely be taken in with the rows there are."""
    left = np.int64(1 << 62)
    for number in range(len(NEEDED)):
        pool = _pool(context["pools"], np.int64(number))
        left = min(left, (pool["capacity"] - pool["used"]) // NEEDED[number])
    return left


class Pools:
    """The pools' memory, and the rows that lie beside them: two endpoints a slot, two rows of the log a block."""

    def __init__(self) -> None:
        self.flows, self.ends = GrowingRows(FLOW_CORE, 1024), GrowingRows(ENDPOINT_CORE, 2048)
        self.unusual, self.older = GrowingRows(UNUSUAL, 256), GrowingRows(OLDER, 256)
        self.blocks, self.log = GrowingRows(BLOCK, 4096), GrowingRows(LOG, 4096 * ROWS_A_BLOCK)
        self.far, self.closing_rows = GrowingRows(FAR, 1024), GrowingRows(CLOSING_FACTS, 2048)
        self.state: np.ndarray[Any, np.dtype[np.void]] = np.zeros(len(NEEDED), POOL)
        self.state["used"] = 0, 1, 1, 1, 1, 1
        self.state["free"] = -1
        self.state["size"] = [rows.dtype.itemsize for rows in self._pooled]
        self._lay_out()

    def lay_out(self, context: NDArray[np.void]) -> None:
        """Tell the kernels where the rows lie now; ``context`` has dtype CONTEXT."""
        for name in ("flows", "ends", "closing_rows", "unusual", "older", "blocks", "log", "far"):
            context[name] = getattr(self, name).address
        context["pools"] = self.state.ctypes.data

    @property
    def _pooled(self) -> tuple[GrowingRows, ...]:
        return self.flows, self.unusual, self.older, self.blocks, self.far, self.closing_rows

    @property
    def slots(self) -> int:
        """Slots ever taken."""
        return int(self.state["used"][SLOTS])

    @property
    def in_use(self) -> int:
        """Slots that hold a flow now."""
        return self.slots - int(self.state["given"][SLOTS])

    def grow(self) -> None:
        """Twice as many rows of whatever is nearly full."""
        for number, rows in enumerate(self._pooled):
            if self.state["used"][number] + NEEDED[number] > len(rows):
                rows.grow(2 * len(rows))
        self.ends.grow(2 * len(self.flows))
        self.log.grow(ROWS_A_BLOCK * len(self.blocks))
        self._lay_out()

    def let_go(self, pieces: NDArray[np.intp]) -> None:
        """Give back the memory of the endpoints in these pieces of the ledger, of which no slot is in use any more."""
        for piece in pieces.tolist():
            self.ends.clear(2 * PIECE * piece, min(2 * PIECE * (piece + 1), len(self.ends)))

    def _lay_out(self) -> None:
        """Tell the kernels where the rows are."""
        for number, rows in enumerate(self._pooled):
            self.state["rows"][number], self.state["capacity"][number] = rows.address, len(rows)
