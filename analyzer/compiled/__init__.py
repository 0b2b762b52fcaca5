"""How a hot loop becomes machine code, and how that code is there at once the next time.

A kernel is a plain Python function over numpy arrays, marked with ``@kernel(...)``; what it calls is marked with
``@part``. numba compiles them. But importing numba takes longer than analysing a small capture, and compiling takes
seconds: so numba works in processes of its own (``making``, ``emitting``), and what it makes of a kernel is one file in
the user's cache (``cache``). On x86-64 under Linux that is an image of machine code (``linking``), which needs no
library to be put into memory (``images``, ``loading``); elsewhere it is an object file, for which LLVM must be
imported (``by_llvm``). Where neither can be, numba compiles in this process (``by_numba``).

With ``NUMBA_DISABLE_JIT=1`` the very same functions run as ordinary Python (slow; the tests use it).
"""

import os
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from analyzer.compiled.marks import BigEndian, Kernel, Part, Prefetch, RecordAt, Wipe, const

__all__ = ["be64", "const", "inlined", "kernel", "on_compiling", "part", "prefetch", "record_at", "wipe"]

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
        return arguments[0] if AS_PYTHON else Kernel(arguments[0], None)
    return lambda function: function if AS_PYTHON else Kernel(function, arguments)


def part(function: Callable[..., Any]) -> Any:
    """Compile ``function`` as a part of kernels: called by them only, never from Python. It allocates nothing."""
    return function if AS_PYTHON else Part(function)


def inlined(function: Callable[..., Any]) -> Any:
    """A part that is written out where it is called: for the few that every packet passes, as a call among parts
    hands each array over as seven numbers."""
    return function if AS_PYTHON else Part(function, inlined=True)


def record_at(dtype: np.dtype[np.void]) -> Callable[[int, int], Any]:
    """A function ``(address, index)`` that gives row ``index`` of the array of ``dtype`` at ``address``, by reference.

    For parts: where an array is handed on as seven numbers, a record is a plain pointer. Whoever calls holds the array
    and keeps ``index`` inside it.
    """
    record = RecordAt(dtype)
    return record.in_python if AS_PYTHON else record


prefetch: Any = Prefetch()
"""``prefetch(address)`` asks the processor to bring what stands there nearer, while the part that calls it goes on."""

wipe: Any = Wipe()
"""``wipe(address, size)`` makes ``size`` bytes zero; a loop over addresses would be compiled to a store for each."""

be64: Any = BigEndian()
"""``be64(data, at)`` is the number made by eight bytes of the array ``data`` from ``at`` on, the first the highest. Who
calls has made sure that they are there: several fields of a header come with one load, where the compiler would make
one for each."""


def on_compiling(tell: Callable[[str], object]) -> None:
    """Have ``tell`` called with one line of text before anything is compiled, which takes seconds."""
    from analyzer.compiled import loading

    loading.tell = tell
