"""Arrays that grow where they stand: more rows without a copy, and so never two or three times the memory at once.

Address space is reserved for all the rows there may ever be; the system gives memory, zeroed, where rows are first
touched. An array that has become large is advised to be of huge pages, which spares most of the cost of that first
touch and of looking rows up at random; one that begins small keeps small pages there, so that a short capture stays
cheap.

Where the reservation is refused (another system, a limit on address space), the array grows by copying as usual.
"""

import contextlib
import ctypes
import mmap
import sys
from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

RESERVED = 1 << 36  # bytes of address space for one array
LINE = np.int64(64)  # bytes that the processor brings near at once
HUGE = 2 * 1024 * 1024  # bytes of a huge page
POPULATE_WRITE = 23  # Linux 5.14; older kernels refuse it, and the memory comes with the first touch
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python names it from 3.13 on


class GrowingRows:
    """Rows of one dtype, all zero at first. ``rows`` is to be taken anew after each call of ``grow``."""

    def __init__(self, dtype: Any, count: int) -> None:
        self.dtype = np.dtype(dtype)
        self._map = _reserved()
        self._all: NDArray[Any] = self._mapped() if self._map else np.zeros(count, self.dtype)
        self.rows: NDArray[Any] = self._all[:0]
        self._small = 0 if count * self.dtype.itemsize >= HUGE else HUGE  # bytes at the beginning on small pages
        self.grow(count)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def address(self) -> int:
        """Where row 0 stands; growing does not change it, unless the reservation was refused."""
        return int(self.rows.ctypes.data)

    def grow(self, count: int) -> None:
        """Make it at least ``count`` rows; those that are added are zero."""
        if count > len(self._all):
            self._move(count)
        if count > len(self.rows):
            self.rows = self._all[:count]
            self._advise()

    def make_ready(self, begin: int, end: int) -> None:
        """Have the system give the memory of the rows from ``begin`` to ``end`` now; they need not be there yet.

        So another thread can take the time that the first touch costs; the interpreter's lock is not held."""
        size = self.dtype.itemsize
        first, last = max(begin * size // HUGE * HUGE, HUGE), min(-(-end * size // HUGE) * HUGE, RESERVED)
        if self._map is not None and first < last:
            with contextlib.suppress(OSError):  # a kernel without huge pages
                self._map.madvise(mmap.MADV_HUGEPAGE, first, last - first)
            _madvise()(self.address + first, last - first, POPULATE_WRITE)

    def clear(self, begin: int, end: int) -> None:
        """Make the rows from ``begin`` to ``end`` zero and give their memory back to the system."""
        if self._map is None:
            self.rows[begin:end] = 0
            return
        size = self.dtype.itemsize
        first, last = _page_up(begin * size), end * size // mmap.PAGESIZE * mmap.PAGESIZE
        if first < last:
            self._map.madvise(mmap.MADV_DONTNEED, first, last - first)
        bytes_ = np.frombuffer(self._map, np.uint8, len(self.rows) * size)
        bytes_[begin * size : min(first, end * size)] = 0
        bytes_[max(last, begin * size) : end * size] = 0

    def _mapped(self) -> NDArray[Any]:
        assert self._map is not None
        return np.frombuffer(self._map, self.dtype, RESERVED // self.dtype.itemsize)

    def _move(self, count: int) -> None:
        """Beyond what is reserved: a copy in ordinary memory."""
        larger = np.zeros(count, self.dtype)
        larger[: len(self.rows)] = self.rows
        self._map, self._all = None, larger

    def _advise(self) -> None:
        length = _page_up(len(self.rows) * self.dtype.itemsize) - self._small
        if self._map is not None and length > 0:
            with contextlib.suppress(OSError):  # a kernel without huge pages
                self._map.madvise(mmap.MADV_HUGEPAGE, self._small, length)


class MemoryPreallocator:
    """Memory for the rows that flows will need, had from the system before: another thread may see to that while
    kernels work. Rows are given with up to where they will be needed, those of one kind always in the same place."""

    def __init__(self) -> None:
        self._ready: dict[int, int] = {}  # up to where the memory of each kind has been made ready

    def lacks(self, wanted: list[tuple[GrowingRows, int]]) -> bool:
        """Whether there is no memory for some of them yet."""
        return any(end > self._ready.get(place, 0) for place, (_, end) in enumerate(wanted))

    def get(self, wanted: list[tuple[GrowingRows, int]]) -> None:
        """Have memory for all of them."""
        for place, (rows, end) in enumerate(wanted):
            ready = self._ready.get(place, 0)
            if end > ready:
                rows.make_ready(ready, end)
                self._ready[place] = end


class ReusableArrays:
    """Arrays of ``count`` rows of one dtype, in memory that is used again once nobody has the array or a part of it any
    more. What was let go last is lent first: it is still in the processor's cache."""

    def __init__(self, dtype: Any, count: int) -> None:
        self._dtype = np.dtype(dtype)
        self._size = count * self._dtype.itemsize
        self._free: list[memoryview] = []

    def get(self) -> NDArray[Any]:
        """An array with anything in it."""
        memory = self._free.pop() if self._free else np.empty(self._size, np.uint8).data
        array: NDArray[Any] = np.frombuffer(memory, self._dtype)  # parts of it refer to it, not to the memory
        finalize(array, self._free.append, memory).atexit = False
        return array


def copy_rows(rows: NDArray[np.void], to: NDArray[np.void]) -> NDArray[np.void]:
    """Copy rows of one dtype and number as they are, where numpy would go field by field; returns the copy."""
    to.view(np.uint8)[:] = rows.view(np.uint8)
    return to


@cache
def _madvise() -> Callable[[int, int, int], int]:
    """madvise(2); the module mmap would call it with the interpreter's lock held."""
    function = ctypes.CDLL(None).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    called: Callable[[int, int, int], int] = function
    return called


def _reserved() -> mmap.mmap | None:
    """Address space without memory, or None where the system does not give it."""
    if sys.platform != "linux":
        return None
    try:
        return mmap.mmap(-1, RESERVED, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE)
    except OSError:
        return None


def _page_up(length: int) -> int:
    return -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
