"""How a hot loop becomes machine code, and where that code is kept between runs.

A kernel is a plain Python function over numpy arrays, marked with ``@kernel``. numba compiles it the first
time it runs and keeps the result on disk. Its own check for staleness looks at one file only, yet a kernel
calls kernels of other files; so the cache folder is named after a fingerprint of every source file of the rooms
that hold kernels: any change, any upgrade, starts a new folder, and an old one is never read again.

With ``NUMBA_DISABLE_JIT=1`` the very same functions run as ordinary Python (slow; the tests use it).
"""

import ctypes
import hashlib
import os
import platform
import stat
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

PACKAGE = Path(__file__).parent
# Where kernels, and the constants they fold in, are written.
ROOMS = ("lines", "readers", "segments", "flows", "tracker")


def fingerprint() -> str:
    """A short name for this exact state of the kernels, of numba and of the interpreter."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{numba.__version__} {platform.python_version()} {platform.machine()}".encode())
    for source in sorted(source for room in ROOMS for source in (PACKAGE / room).rglob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def cache_folder() -> Path:
    """The folder for compiled code: the user's cache, or a private temporary one where that is not writable."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = home / "teardown" / fingerprint()
    if _usable(folder):
        return folder
    shared = Path(tempfile.gettempdir()) / f"teardown-{os.getuid()}" / folder.name
    if _usable(shared):
        return shared
    return Path(tempfile.mkdtemp(prefix="teardown-"))


def _usable(folder: Path) -> bool:
    """Whether ``folder`` can be written by us and by nobody else (cached code is executed)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
    except OSError:
        return False
    ours = facts.st_uid == os.getuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return ours and os.access(folder, os.W_OK)


FOLDER = cache_folder()
numba.config.CACHE_DIR = str(FOLDER)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function``; it takes arrays and numbers only, holds no lock of the interpreter, allocates nothing,
    and checks every index it derives from captured bytes itself.

    Because it allocates nothing, numba's reference counting is switched off (``_nrt``): its atomic counting of
    arguments at every call among kernels costs several times what the work itself does.
    """
    compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True, _nrt=False)(function)
    return compiled


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` as a part of kernels: called by them only, never from Python, and cached within them.

    As a kernel, it allocates nothing. Constants handed to a part should be numpy integers: for each plain Python
    constant numba compiles it anew.
    """
    compiled: Callable[..., Any] = numba.njit(
        nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)
    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part that is written out where it is called: for the few that every packet passes, as a call among parts
    hands each array over as seven numbers."""
    compiled: Callable[..., Any] = numba.njit(
        nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True
    )(function)
    return compiled


def record_at(dtype: np.dtype[np.void]) -> Callable[[int, int], Any]:
    """A function ``(address, index)`` that gives row ``index`` of the array of ``dtype`` at ``address``, by reference.

    numba counts references to every array that one part hands to another, which costs more than the work on a
    segment; a record is a plain pointer. Whoever calls holds the array and keeps ``index`` inside it.
    """
    if numba.config.DISABLE_JIT:
        return partial(_record_in_python, dtype)
    record = numba.from_dtype(dtype)

    @intrinsic  # type: ignore[untyped-decorator]
    def at(_: Any, address: Any, index: Any) -> Any:
        def code(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            size = arguments[1].type(dtype.itemsize)
            place = builder.add(arguments[0], builder.mul(arguments[1], size))
            return builder.inttoptr(place, context.get_value_type(record))

        return record(numba.types.int64, numba.types.int64), code

    made: Callable[[int, int], Any] = at
    return made


def _record_in_python(dtype: np.dtype[np.void], address: int, index: int) -> Any:
    place = int(address) + int(index) * dtype.itemsize
    memory: Any = (ctypes.c_char * dtype.itemsize).from_address(place)
    return np.frombuffer(memory, dtype)[0]


def first_run() -> bool:
    """Whether nothing has been compiled yet for this version on this machine (the first run takes a while)."""
    return not numba.config.DISABLE_JIT and not any(FOLDER.rglob("*.nbi"))
