"""From object files to one library, by a linker that others made, for each kind of machine that a wheel is made for."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

OUTSIDE = ("memcpy", "memmove", "memset", "memcmp")  # functions of the C library that code may call


class Target(NamedTuple):
    """A kind of machine, as LLVM calls it; the oldest processor of it that is good enough; the same as zig calls it;
    and the tag of its wheel."""

    triple: str
    cpu: str
    zig: str
    tag: str


class Unlinkable(Exception):
    """There is no linker, or it failed."""


LINUX = "manylinux2014_{0}.manylinux_2_17_{0}.musllinux_1_1_{0}"  # what is linked asks for no version of a C library
TARGETS = {
    "x86_64-linux": Target("x86_64-unknown-linux-gnu", "x86-64-v2", "x86_64-linux-gnu", LINUX.format("x86_64")),
    "aarch64-linux": Target("aarch64-unknown-linux-gnu", "generic", "aarch64-linux-gnu", LINUX.format("aarch64")),
    "x86_64-windows": Target("x86_64-w64-windows-gnu", "x86-64-v2", "x86_64-windows-gnu", "win_amd64"),
    "x86_64-macos": Target("x86_64-apple-macosx11.0.0", "x86-64-v2", "x86_64-macos.11.0", "macosx_11_0_x86_64"),
    "aarch64-macos": Target("arm64-apple-macosx11.0.0", "apple-m1", "aarch64-macos.11.0", "macosx_11_0_arm64"),
}
OPTIONS = {
    "linux": ("-shared", "-nostdlib", "-s", "-Wl,--build-id=none"),  # the process that loads it brings OUTSIDE
    "macos": ("-shared", "-nostdlib", "-lSystem", "-Wl,-install_name,library.so"),  # every process has that library
}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # by names that some systems have for them
WINDOWS = "msvcrt.dll"  # has the functions of OUTSIDE, on every Windows


def here() -> str:
    """What this machine is called in TARGETS, if it is there."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    return f"{MACHINES.get(machine, machine)}-{system}"


def library_name(target: str) -> str:
    """What the library of a target is called."""
    return "library.dll" if target.endswith("-windows") else "library.so"


def link(target: str, objects: Sequence[Path], symbols: Sequence[str], library: Path) -> None:
    """Make a shared library in which others find ``symbols``. Raises Unlinkable."""
    files, system = list(map(str, objects)), target.partition("-")[2]
    with TemporaryDirectory() as scratch:
        if system == "windows":
            _link_for_windows(files, symbols, library, Path(scratch))
        elif find_spec("ziglang"):
            _zig("cc", "-target", TARGETS[target].zig, *OPTIONS[system], "-o", library, *files, scratch=Path(scratch))
        elif target == here() and (compiler := shutil.which("cc")):
            _run([compiler, *OPTIONS[system], "-o", str(library), *files])
        else:
            raise Unlinkable(f"linking for {target} takes the package ziglang, or for this machine a compiler cc")


def _link_for_windows(files: Sequence[str], symbols: Sequence[str], library: Path, scratch: Path) -> None:
    """Without the start-up code of a C library: zig would compile it first, for minutes."""
    wanted = scratch / "system.def"
    wanted.write_text("\n".join((f"LIBRARY {WINDOWS}", "EXPORTS", *OUTSIDE, "")))
    system = scratch / "system.lib"
    _zig("dlltool", "-d", wanted, "-l", system, "-m", "i386:x86-64", scratch=scratch)
    exports = (f"-export:{symbol}" for symbol in symbols)
    made = scratch / library.name  # a second file, of what is exported, comes to lie beside it
    _zig("lld-link", "-dll", "-noentry", f"-out:{made}", *exports, *files, system, scratch=scratch)
    shutil.copyfile(made, library)


def _zig(*words: str | Path, scratch: Path) -> None:
    """``scratch``: what it keeps else goes into the user's cache."""
    kept = {"ZIG_GLOBAL_CACHE_DIR": str(scratch), "ZIG_LOCAL_CACHE_DIR": str(scratch)}
    _run([sys.executable, "-m", "ziglang", *map(str, words)], **kept)


def _run(command: list[str], **environment: str) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unlinkable(f"{' '.join(command[:4])} ... failed: {done.stderr.strip()}")
