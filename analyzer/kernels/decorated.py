"""What the decorators leave in place of a function: cheap to make, and compiled code when it is first called."""

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Array(NamedTuple):
    """An argument that is a one-dimensional array, contiguous and aligned."""

    dtype: np.dtype[Any]
    const: bool = False  # the kernel does not write to it


def const(dtype: DTypeLike) -> Array:
    """An array that the kernel only reads."""
    return Array(np.dtype(dtype), const=True)


def _argument(declared: Any) -> Array | None:
    """An array, or None for an integer."""
    if declared is int:
        return None
    return declared if isinstance(declared, Array) else Array(np.dtype(declared))


class Decorated:
    """A function that is to be compiled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.module}.{self.function.__name__}"

    @property
    def module(self) -> str:
        """Where it is written."""
        return self.function.__module__


class KernelHelper(Decorated):
    """A function that kernels call."""

    def __init__(self, function: Callable[..., Any], inlined: bool = False) -> None:
        super().__init__(function)
        self.inlined = inlined


class Kernel(Decorated):
    """A function that Python calls; ``arguments`` is None where they were not declared, ``load`` finds its machine code
    at the first call."""

    def __init__(
        self, function: Callable[..., Any], arguments: tuple[Any, ...] | None, load: Callable[["Kernel"], Any]
    ) -> None:
        super().__init__(function)
        self._load = load
        self.arguments = None if arguments is None else tuple(map(_argument, arguments))
        self._call: Any = None

    @property
    def symbol(self) -> str:
        """What it is called in the library, where a dot would mean something to a linker."""
        return self.name.replace(".", "_")

    def __call__(self, *values: Any) -> Any:
        if self._call is None:
            self._call = self._load(self)
        return self._call(*values)


class RecordAt:
    """See ``analyzer.kernels.record_at``."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self.dtype = dtype

    def __call__(self, address: int, index: int) -> Any:
        raise TypeError("a record is looked up by kernels and their helpers only")

    def in_python(self, address: int, index: int) -> Any:
        """The same as ordinary Python."""
        place = int(address) + int(index) * self.dtype.itemsize
        memory: Any = (ctypes.c_char * self.dtype.itemsize).from_address(place)
        return np.frombuffer(memory, self.dtype)[0]


class Prefetch:
    """See ``analyzer.kernels.prefetch``; as ordinary Python it does nothing."""

    def __call__(self, address: int) -> None:
        return None


class Wipe:
    """See ``analyzer.kernels.wipe``."""

    def __call__(self, address: int, size: int) -> None:
        ctypes.memset(int(address), 0, int(size))


class BigEndian:
    """See ``analyzer.kernels.be64``."""

    def __call__(self, data: NDArray[np.uint8], at: int) -> np.int64:
        begin = int(at)
        return np.int64(int.from_bytes(data[begin : begin + 8].tobytes(), "big", signed=True))
