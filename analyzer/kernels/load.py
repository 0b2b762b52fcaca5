"""From the library of machine code to functions that Python calls.

The library lies beside this file; a wheel brings it, ``pip install -e .`` makes it. Where sources have changed since,
or where there is no library, numba compiles in this process if it is installed.
"""

import ctypes
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from analyzer.errors import NotCompiled
from analyzer.kernels import sources
from analyzer.kernels.decorated import Array, Kernel
from analyzer.kernels.link import here, library_name

LIBRARY = Path(__file__).with_name(library_name(here()))
DESCRIPTION = b'{"teardown kernels": '  # what the text in a library begins with that says what is in it; a 0 ends it
RESULTS: dict[str, Callable[[int], Any]] = {"nothing": lambda _: None, "truth": bool, "integer": int}
CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")  # numba is to check every index: only it can
MAKE = "run: pip install -e ." if sources.in_checkout() else "install teardown again"
tell: Callable[[str], object] = lambda line: print(line, file=sys.stderr)  # noqa: E731 (others may replace it)
_lock = threading.RLock()


class Library(NamedTuple):
    """Compiled kernels: the kind of result of each, and ``missing``, why there are none or which are of the past."""

    code: ctypes.CDLL | None
    results: Mapping[str, str]
    changed: frozenset[str] = frozenset()
    missing: str = ""

    def has(self, kernel: Kernel) -> bool:
        """Whether there is machine code of the kernel as it stands in its sources."""
        return kernel.name in self.results and not (self.changed and self.changed & sources.made_of(kernel.module))


def ready(kernel: Kernel) -> Callable[..., Any]:
    """What is to be called for ``kernel``. Raises NotCompiled."""
    with _lock:
        if kernel.arguments is not None and not CHECKED:
            library = _library()
            if library.code is not None and library.has(kernel):
                return caller(kernel, library.code[kernel.symbol], RESULTS[library.results[kernel.name]])
            _say(library.missing or f"{kernel.name} is new: {MAKE}")
        from analyzer.kernels.by_numba import in_process

        return in_process(kernel)


@cache
def _library() -> Library:
    return opened(LIBRARY)


def opened(place: Path) -> Library:
    """The library at ``place``, compared with the sources where these may change."""
    try:
        about = described(place)
        code = ctypes.CDLL(str(place))
    except (OSError, ValueError) as error:
        return Library(None, {}, missing=f"the compiled kernels cannot be loaded ({error}): {MAKE}")
    changed = sources.changed(about["files"]) if sources.in_checkout() else frozenset()
    missing = f"source changed: {', '.join(sorted(changed))}. {MAKE[0].upper()}{MAKE[1:]}" if changed else ""
    return Library(code, about["kernels"], changed, missing)


def described(place: Path) -> dict[str, Any]:
    """What a library says of itself: target, kernels, digests of its sources. Raises OSError, ValueError."""
    data = place.read_bytes()
    begin = data.index(DESCRIPTION)
    about: dict[str, Any] = json.loads(data[begin : data.index(b"\0", begin)])["teardown kernels"]
    return about


@cache
def _say(missing: str) -> None:
    """Tell the user once what is missing. Raises NotCompiled where numba cannot make up for it."""
    if find_spec("numba") is None:
        raise NotCompiled(f"{missing} (or NUMBA_DISABLE_JIT=1, which is slow)")
    tell(f"{missing}{'' if missing.endswith('.') else '.'} Until then each start compiles it again (slow).")


def caller(kernel: Kernel, code: Any, result: Callable[[int], Any]) -> Callable[..., Any]:
    """A Python function around machine code, which is handed nothing that it was not made for."""
    arguments = kernel.arguments or ()
    words = sum(1 if argument is None else 2 for argument in arguments)
    code.argtypes, code.restype = [ctypes.c_int64] * words + [ctypes.POINTER(ctypes.c_int64)], ctypes.c_int32

    def call(*values: Any) -> Any:
        if len(values) != len(arguments):
            raise TypeError(f"{kernel.name} takes {len(arguments)} arguments, not {len(values)}")
        handed = []
        for place, (argument, value) in enumerate(zip(arguments, values, strict=True)):
            if argument is None:
                handed.append(value)
                continue
            dtype, const = argument
            if not isinstance(value, np.ndarray) or (value.dtype is not dtype and value.dtype != dtype):
                raise TypeError(unfit(kernel, place, value))
            flags = value.flags
            if value.ndim != 1 or not (flags.carray or (const and flags.c_contiguous and flags.aligned)):
                raise TypeError(unfit(kernel, place, value))
            handed += (value.ctypes.data, value.size)
        returned = ctypes.c_int64()
        if code(*handed, ctypes.byref(returned)):
            raise RuntimeError(f"{kernel.name} failed")  # no kernel raises anything
        return result(returned.value)

    return call


def unfit(kernel: Kernel, place: int, value: Any) -> str:
    """What is wrong with an argument, which ``place`` counts from 0."""
    wanted = (kernel.arguments or ())[place] or Array(np.dtype(np.void))
    what = f"{value.ndim}-dimensional array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
    kind = "a" if wanted.const else "a writable"
    return f"{kernel.name}: argument {place + 1} must be {kind} contiguous array of {wanted.dtype}, not a {what}"
