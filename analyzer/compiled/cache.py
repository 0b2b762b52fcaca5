"""Where compiled code is kept between runs.

The folder is named after what compiles and runs the code: interpreter, libraries, processor. In it, a kernel's file
is named after the kernel and a fingerprint of its sources: the file it stands in and all that this one imports, since
a kernel calls parts, and folds in constants, of other files. So any change and any upgrade leads to another name, and
what was kept under the old one is never read again. Cached code is executed: the folder must be ours alone.

A file begins with a digest of the rest: one that was cut short or damaged is as good as none. What nobody has used
for a month is removed whenever something is compiled; the time of a file tells in which week it was used.
"""

import hashlib
import os
import re
import stat
import sys
import time
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
DIGEST = 16  # bytes
WEEK = 7 * 24 * 3600  # seconds
UNUSED = 30 * 24 * 3600  # seconds: kept for so long without being used
OURS = re.compile(r"[0-9a-f]{16}")  # names of folders of compiled code
PROCESSOR = {"vendor_id", "cpu family", "model", "flags", "cpu implementer", "cpu variant", "cpu part", "features"}
IMPORT = re.compile(r"\nfrom analyzer\.?([\w.]*) import (?:\(([^)]*)\)|(.*))")  # sought faster than with ^


@cache
def folder() -> Path:
    """The folder for compiled code: the user's cache, or a private temporary one where that is not writable."""
    name = platform_name()
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    if _usable(home / "teardown" / name):
        return home / "teardown" / name
    import tempfile

    shared = Path(tempfile.gettempdir()) / f"teardown-{os.getuid()}-{name}"
    if _usable(shared):
        return shared
    return Path(tempfile.mkdtemp(prefix="teardown-"))


def _usable(folder: Path) -> bool:
    """Whether ``folder`` can be written by us and by nobody else (cached code is executed)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
    except OSError:
        return False
    ours = facts.st_uid == os.getuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(facts.st_mode) and ours and os.access(folder, os.W_OK)


def platform_name() -> str:
    """A short name for what compiles and runs the code."""
    facts = [sys.version, os.uname().machine, *_processor(), *_libraries()]
    facts += sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_"))
    sources = [source.read_text("utf8") for source in sorted((PACKAGE / "compiled").glob("*.py"))]
    return _short("\0".join(facts + sources))


def _processor() -> list[str]:
    """What it is and what it can do: as the system tells it where it does, else as LLVM, which takes long to import."""
    try:
        with open("/proc/cpuinfo", encoding="utf8", errors="replace") as file:  # noqa: PTH123 (only its beginning)
            first = list(takewhile(str.strip, file))  # of many
    except OSError:
        first = []
    facts = [line for line in first if line.lower().partition(":")[0].strip() in PROCESSOR]
    if facts:
        return facts
    import llvmlite.binding as llvm

    return [llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]


def _libraries() -> list[str]:
    """Where they are and what version; their own file about that is cheaper to read than to import them."""
    found = []
    for library in ("numba", "llvmlite", "numpy"):
        spec = find_spec(library)
        if spec is not None and spec.origin is not None:
            about = Path(spec.origin).with_name("_version.py" if library != "numpy" else "version.py")
            found += [spec.origin, about.read_text("utf8") if about.exists() else ""]
    return found


@cache
def sources_name(module: str) -> str:
    """A fingerprint of the file of ``module``, and of all files of this package that it imports, and they."""
    found: set[str] = set()
    left = {module.removeprefix("analyzer.")}
    while left:
        found |= left
        left = set().union(*map(_imported, left)) - found
    return _short("\0".join(f"{name}\0{_text_name(name)}" for name in sorted(found)))


@cache
def _imported(module: str) -> set[str]:
    """The modules of this package from which ``module`` imports."""
    found = set()
    for origin, several, one in IMPORT.findall(_text(module)):
        found.add(origin)
        if _is_package(origin):  # then a name taken from it may be a module, too
            names = [name.split()[0] for name in (several or one).split(",") if name.strip()]
            found |= {name for name in (f"{origin}.{name}".lstrip(".") for name in names) if _text(name)}
    return found


@cache
def _is_package(module: str) -> bool:
    return PACKAGE.joinpath(*module.split(".")).is_dir()


@cache
def _text(module: str) -> str:
    """The source of a module of this package; nothing where there is none of that name."""
    at = PACKAGE.joinpath(*module.split("."))
    for path in (at.with_suffix(".py"), at / "__init__.py"):
        if path.is_file():
            return path.read_text("utf8")
    return ""


@cache
def _text_name(module: str) -> str:
    """A fingerprint of the file of ``module`` alone."""
    return _short(_text(module))


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def place(name: str, module: str) -> Path:
    """Where the code of the kernel ``name`` is kept, which stands in ``module``."""
    return folder() / f"{name}-{sources_name(module)}.o"


def read(path: Path) -> bytes | None:
    """What is kept at ``path``; None if there is none, or not all of it as it was written."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > WEEK:
            os.utime(path)
    kept = data[DIGEST:]
    return kept if hashlib.blake2b(kept, digest_size=DIGEST).digest() == data[:DIGEST] else None


def write(path: Path, data: bytes) -> None:
    """Keep code; it appears when it is whole."""
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.blake2b(data, digest_size=DIGEST).digest() + data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def tidy() -> None:
    """Remove what nobody has used for a month: of older versions of this program, its libraries, the interpreter."""
    home, long_ago = folder().parent, time.time() - UNUSED
    for place in home.iterdir() if home.name == "teardown" else ():
        if OURS.fullmatch(place.name) and _usable(place):
            for file in place.iterdir():
                with suppress(OSError):
                    if file.stat().st_mtime < long_ago:
                        file.unlink()
            with suppress(OSError):  # it still holds something
                place.rmdir()
