"""All kernels compiled, into one library: ``python -m analyzer.kernels.build``, which building the package runs.

Several processes compile, a module of kernels at a time. Where the library there is of the same sources, nothing is
done. ``--target`` makes the library for another kind of machine (see ``link``), which needs nothing of that machine.
"""

import argparse
import ctypes
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import import_module
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from analyzer.kernels import sources
from analyzer.kernels.decorated import Kernel
from analyzer.kernels.link import TARGETS, here, library_name, link
from analyzer.kernels.load import DESCRIPTION, described

if TYPE_CHECKING:
    from analyzer.kernels.emit import Emitter

HERE = Path(__file__).parent
MOST = 4  # processes
ABOUT = "teardown_kernels"  # the constant that says what is in a library


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m analyzer.kernels.build", description="Compile the kernels.")
    parser.add_argument("--target", choices=TARGETS, default=here(), help="for which kind of machine (default: this)")
    parser.add_argument("--into", type=Path, default=HERE, metavar="FOLDER", help="where the library is put")
    options = parser.parse_args(arguments)
    if options.target not in TARGETS:
        parser.error(f"there are no kernels for {options.target}, only for {', '.join(TARGETS)}")
    made = build(options.target, options.into)
    print(f"the kernels for {options.target} {'are compiled' if made else 'were compiled before'}")


def build(target: str, folder: Path) -> bool:
    """Make sure that the library of the kernels for ``target`` lies in ``folder``; whether it had to be made.

    Raises emit.Unemittable, link.Unlinkable, and what numba finds wrong with a kernel.
    """
    library, files = folder / library_name(target), sources.digests()
    if _is_of(library, target, files):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, _workers() as workers:
        at = Path(scratch)
        results: dict[str, str] = {}
        for some in workers.map(_compile, repeat(target), sources.kernel_modules(), repeat(at)):
            results |= some
        about = {"target": target, "kernels": dict(sorted(results.items())), "files": files}
        workers.submit(_describe, target, about, at).result()
        symbols = [*(name.replace(".", "_") for name in results), ABOUT]
        link(target, sorted(at.glob("*.o")), symbols, at / library.name)
        if target == here():
            workers.submit(_load, at / library.name).result()
        part = library.with_suffix(".part")
        part.write_bytes((at / library.name).read_bytes())
    part.replace(library)
    return True


def _is_of(library: Path, target: str, files: dict[str, str]) -> bool:
    try:
        about = described(library)
    except (OSError, ValueError):
        return False
    return bool(about["target"] == target and about["files"] == files)


def _workers() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(min(MOST, os.cpu_count() or 1), get_context("spawn"))


def kernels_of(module: str) -> list[Kernel]:
    """The kernels of a module that are compiled beforehand."""
    kernels = [value for value in vars(import_module(module)).values() if isinstance(value, Kernel)]
    return [kernel for kernel in kernels if kernel.arguments is not None and kernel.module == module]


@cache
def _emitter(target: str) -> "Emitter":
    from analyzer.kernels.emit import Emitter

    return Emitter(TARGETS[target])


def _compile(target: str, module: str, folder: Path) -> dict[str, str]:
    """Put the objects of a module's kernels into ``folder``; the kind of each kernel's result."""
    results = {}
    for kernel in kernels_of(module):
        emitted = _emitter(target).emit(kernel)
        (folder / f"{kernel.symbol}.o").write_bytes(emitted.code)
        results[kernel.name] = emitted.result
    return results


def _describe(target: str, about: dict[str, Any], folder: Path) -> None:
    text = DESCRIPTION + json.dumps(about).encode() + b"}"
    (folder / f"{ABOUT}.o").write_bytes(_emitter(target).text(ABOUT, text))


def _load(library: Path) -> None:
    """Where something is missing from it, the system says so."""
    ctypes.CDLL(str(library))


if __name__ == "__main__":
    main()
