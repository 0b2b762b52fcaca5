"""How a hot loop becomes machine code, and where that code is kept between runs.

A kernel is a plain Python function over numpy arrays, marked with ``@kernel``. numba compiles it the first
time it runs and keeps the result on disk. Its own check for staleness looks at one file only, yet a kernel
calls kernels of other files; so the cache folder is named after a fingerprint of every source file of the rooms
that hold kernels: any change, any upgrade, starts a new folder, and an old one is never read again.

With ``NUMBA_DISABLE_JIT=1`` the very same functions run as ordinary Python (slow; the tests use it).
"""

import hashlib
import os
import platform
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

PACKAGE = Path(__file__).parent
ROOMS = ("readers", "segments", "flows", "tracker")  # where kernels, and the constants they fold in, are written


def fingerprint() -> str:
    """A short name for this exact state of the kernels, of numba and of the interpreter."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{numba.__version__} {platform.python_version()} {platform.machine()}".encode())
    for source in sorted(source for room in ROOMS for source in (PACKAGE / room).glob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def cache_folder() -> Path:
    """The folder for compiled code: the user's cache, or a private temporary one where that is not writable."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(home) / "teardown" / fingerprint()
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

    Constants handed to a part should be numpy integers: for each plain Python constant numba compiles it anew.
    """
    compiled: Callable[..., Any] = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


def first_run() -> bool:
    """Whether nothing has been compiled yet for this version on this machine (the first run takes a while)."""
    return not numba.config.DISABLE_JIT and not any(FOLDER.rglob("*.nbi"))
