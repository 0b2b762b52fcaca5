"""Machine code that needs no library to be put into memory, which takes less time than importing one.

An image is code and constants as they lie in memory, and the places in them that hold an address of 64 bits: of
something in the image itself, where what stands there counts from its beginning, or of a function of the C library.
So it takes a copy and a few additions to run it wherever it comes to lie. ``linking`` makes images of objects.
"""

import ctypes
import mmap
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

IMAGE, OBJECT = b"m", b"o"  # what is kept of a kernel begins so: an image, or an object that cannot become one
OUTSIDE = ("memcpy", "memmove", "memset", "memcmp")  # functions of the C library that code may call
READABLE, EXECUTABLE = 1, 4  # what mprotect(2) calls PROT_READ and PROT_EXEC
HEAD = 2 + len(OUTSIDE)  # 64-bit numbers before the places: where the code begins, and how many places of each kind


class Image(NamedTuple):
    """``entry`` is where in ``code`` the function begins that is called; ``own`` and ``outside`` (an array for each
    function of OUTSIDE) are the places in it."""

    code: bytes
    entry: int
    own: NDArray[np.uint32]
    outside: Sequence[NDArray[np.uint32]]

    def packed(self) -> bytes:
        """The image as it is kept."""
        places = [self.own, *self.outside]
        head = np.array([self.entry, *map(len, places)], np.int64)
        return head.tobytes() + b"".join(each.tobytes() for each in places) + self.code

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """What :meth:`packed` has made."""
        entry, *counts = np.frombuffer(data, np.int64, HEAD).tolist()
        places = np.frombuffer(data, np.uint32, sum(counts), 8 * HEAD)
        own, *outside = np.split(places, np.cumsum(counts[:-1]))
        return cls(data[8 * HEAD + 4 * len(places) :], entry, own, outside)

    def placed(self) -> int:
        """The address of the function that is called, in memory that holds the image from now on; raises OSError."""
        memory = mmap.mmap(-1, len(self.code), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))  # never freed: a thread may run in it to the very end
        memory.write(self.code)
        numbers: NDArray[Any] = np.ndarray(len(self.code) - 7, np.uint64, memory, strides=(1,))  # one at every byte
        library = ctypes.CDLL(None, use_errno=True)
        base = numbers.ctypes.data
        numbers[self.own] += np.uint64(base)
        for name, places in zip(OUTSIDE, self.outside, strict=True):
            if len(places):
                numbers[places] = ctypes.cast(library[name], ctypes.c_void_p).value
        if library.mprotect(ctypes.c_void_p(base), ctypes.c_size_t(len(self.code)), READABLE | EXECUTABLE):
            raise OSError(ctypes.get_errno(), "code cannot be made executable")
        return base + self.entry
