"""How hot loops become machine code, and how Python calls it (docs/building.md has the commands).

A kernel is a plain Python function over numpy arrays, marked with ``@kernel(...)``; what it calls is marked with
``@helper``. numba compiles them when the package is built (``build``): each becomes an object file (``emit``), all of
them one shared library (``link``), which lies in this folder and is called through ctypes (``load``). So a run
compiles nothing, and needs no numba. ``sources`` knows what each kernel is made of: where that has changed since, which
happens in a check-out only, the user is told to build again, and numba compiles in this process (``by_numba``).

With ``NUMBA_DISABLE_JIT=1`` the very same functions run as ordinary Python (slow; the tests use it).
"""

import os
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from analyzer.kernels.decorated import BigEndian, Kernel, KernelHelper, Prefetch, RecordAt, Wipe, const

__all__ = ["be64", "const", "helper", "inlined", "kernel", "on_compiling", "prefetch", "record_at", "wipe"]

AS_PYTHON = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def kernel(*arguments: Any) -> Any:
    """Compile a function that is called from Python; ``arguments`` tell what it takes, one by one.

    A dtype stands for a one-dimensional array of it that the kernel may write to, ``const(dtype)`` for one that it
    only reads, ``int`` for an integer of 64 bits. A kernel returns an integer, a truth value or nothing; it allocates
    nothing, and checks every index it derives from captured bytes itself. While it runs, other threads run too.

    Without arguments (plain ``@kernel``) it takes what numba can take, and numba compiles it in this process: for
    trying things out.
    """
    if len(arguments) == 1 and isinstance(arguments[0], FunctionType):
        return arguments[0] if AS_PYTHON else Kernel(arguments[0], None, _load)
    return lambda function: function if AS_PYTHON else Kernel(function, arguments, _load)


def _load(kernel: Kernel) -> Callable[..., Any]:
    from analyzer.kernels.load import ready

    return ready(kernel)


def helper(function: Callable[..., Any]) -> Any:
    """Compile ``function`` as a helper of kernels: they call it, Python does not. It allocates nothing."""
    return function if AS_PYTHON else KernelHelper(function)


def inlined(function: Callable[..., Any]) -> Any:
    """A helper that is written out where it is called: for the few that every packet passes, as a call of a helper
    hands each array over as seven numbers."""
    return function if AS_PYTHON else KernelHelper(function, inlined=True)


def record_at(dtype: np.dtype[np.void]) -> Callable[[int, int], Any]:
    """A function ``(address, index)`` that gives row ``index`` of the array of ``dtype`` at ``address``, by reference.

    For helpers: where an array is handed on as seven numbers, a record is a plain pointer. Whoever calls holds the
    array and keeps ``index`` inside it.
    """
    record = RecordAt(dtype)
    return record.in_python if AS_PYTHON else record


prefetch: Any = Prefetch()
"""``prefetch(address)`` asks the processor to bring what stands there nearer, while the caller goes on."""

wipe: Any = Wipe()
"""``wipe(address, size)`` makes ``size`` bytes zero; a loop over addresses would be compiled to a store for each."""

be64: Any = BigEndian()
"""``be64(data, at)`` is the number made by eight bytes of the array ``data`` from ``at`` on, the first the highest. Who
calls has made sure that they are there: several fields of a header come with one load, where the compiler would make
one for each."""


def on_compiling(tell: Callable[[str], object]) -> None:
    """Have ``tell`` called with one line of text before anything is compiled in this process, which takes long; else
    the line goes to standard error."""
    from analyzer.kernels import load

    load.tell = tell
