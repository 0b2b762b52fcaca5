"""From what is kept of a kernel to a function that Python calls."""

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from analyzer.compiled import cache
from analyzer.compiled.images import IMAGE, Image
from analyzer.compiled.marks import Array, Kernel

RESULTS: dict[bytes, Callable[[int], Any]] = {b"n": lambda _: None, b"b": bool, b"i": int}
tell: Callable[[str], object] = lambda line: None  # noqa: E731 (replaced by whoever has something to tell it to)
FIELD = ctypes.sizeof(ctypes.c_void_p)


class Unloadable(Exception):
    """Nothing is kept that this process can use."""


def ready(kernel: Kernel) -> Callable[..., Any]:
    """What is to be called for ``kernel``, compiled first if need be."""
    with _loader.lock:
        try:
            if kernel.arguments is not None:
                return _loader.caller(kernel)
        except Unloadable as reason:
            if os.environ.get("TEARDOWN_DEBUG"):
                print(f"{kernel.name} is compiled in this process: {reason}", file=sys.stderr)
        from analyzer.compiled.by_numba import in_process

        return in_process(kernel)


class Loader:
    """Finds the machine code of kernels; ``lock`` is to be held meanwhile."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._report: str | None = None  # what became of compiling, which is tried once

    def caller(self, kernel: Kernel) -> Callable[..., Any]:
        """The kernel's machine code as a function. Raises Unloadable."""
        if not as_expected():
            raise Unloadable("arrays are not where they are expected in memory")
        data = cache.read(kernel.kept) or self._made(kernel)
        if data[:1] not in RESULTS:
            raise Unloadable(data[1:].decode(errors="replace"))
        try:
            return caller(kernel, address(kernel.name, data[1:]), RESULTS[data[:1]])
        except OSError as error:
            raise Unloadable(str(error)) from error

    def _made(self, kernel: Kernel) -> bytes:
        from analyzer.compiled.making import LINE, make_all

        if self._report is None:
            tell(LINE)
            self._report = make_all(cache.folder())
        data = cache.read(kernel.kept)
        if data is None:
            raise Unloadable(self._report or "nobody compiled it")
        return data


_loader = Loader()


def address(name: str, code: bytes) -> int:
    """Where the function ``name`` lies once its image, or its object, has been put into memory, to stay there."""
    if code[:1] == IMAGE:
        return Image.unpacked(code[1:]).placed()
    from analyzer.compiled.by_llvm import placed

    return placed(code[1:], name)


def as_expected() -> bool:
    """Whether arrays lie in memory as compiled code takes them to."""
    array = np.zeros(3, np.int64)
    data, shape = (ctypes.c_void_p.from_address(id(array) + place).value for place in fields())
    if FIELD != 8 or data != array.ctypes.data or not shape:
        return False
    return ctypes.c_int64.from_address(shape).value == 3


def fields() -> tuple[int, int]:
    """Where in an array object the address of its data stands, and where that of its shape."""
    return object.__basicsize__, object.__basicsize__ + 2 * FIELD


def caller(kernel: Kernel, address: int, result: Callable[[int], Any]) -> Callable[..., Any]:
    """A Python function around the machine code at ``address``, which is handed nothing that it was not made for."""
    arguments = kernel.arguments or ()
    kinds = [ctypes.c_int64 if argument is None else ctypes.py_object for argument in arguments]
    code = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds, ctypes.POINTER(ctypes.c_int64))(address)
    arrays = [(place, argument) for place, argument in enumerate(arguments) if argument is not None]

    def call(*values: Any) -> Any:
        if len(values) != len(arguments):
            raise TypeError(f"{kernel.name} takes {len(arguments)} arguments, not {len(values)}")
        for place, (dtype, const) in arrays:
            value = values[place]
            if not isinstance(value, np.ndarray) or (value.dtype is not dtype and value.dtype != dtype):
                raise TypeError(unfit(kernel, place, value))
            flags = value.flags
            if value.ndim != 1 or not (flags.carray or (const and flags.c_contiguous and flags.aligned)):
                raise TypeError(unfit(kernel, place, value))
        returned = ctypes.c_int64()
        if code(*values, ctypes.byref(returned)):
            raise IndexError(f"{kernel.name} failed")  # it does where numba checks indices (NUMBA_BOUNDSCHECK=1)
        return result(returned.value)

    return call


def unfit(kernel: Kernel, place: int, value: Any) -> str:
    wanted = (kernel.arguments or ())[place] or Array(np.dtype(np.void))
    what = f"{value.ndim}-dimensional array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
    kind = "a" if wanted.const else "a writable"
    return f"{kernel.name}: argument {place + 1} must be {kind} contiguous array of {wanted.dtype}, not a {what}"
