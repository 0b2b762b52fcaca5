"""Put the faults of faults.toml into the program, one at a time, and see whether the tests that concern it notice.

    python -m tests.mutate                  all of them
    python -m tests.mutate ledger live 7    those of some areas, and the seventh
    python -m tests.mutate --list           only whether each can still be put in

Run by hand: it takes about a minute for each. The faults are put into a copy of the tree; the kernels run uncompiled. A
fault that survives shows what no test holds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", "dist", "build", "benchmarks")
PASSED, FAILED = 0, 1  # exit status of pytest


class Fault(NamedTuple):
    """One thing wrong in the program; see faults.toml."""

    number: int
    area: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def put_into(self, text: str) -> str:
        """The text of the file with the fault in it. Raises ValueError where that cannot be done."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError("the text is not there" if not found else f"the text is there {found} times")
        return text.replace(self.old, self.new)


def faults() -> list[Fault]:
    """The faults of faults.toml, numbered from 1."""
    told = tomllib.loads((ROOT / "tests" / "faults.toml").read_text("utf8"))
    made = []
    for number, fault in enumerate(told["fault"], 1):
        tests = tuple(told["selections"].get(name, name) for name in fault["tests"])
        made.append(Fault(number, fault["area"], fault["file"], fault["old"], fault["new"], tests))
    return made


def source(tree: Path, fault: Fault) -> Path:
    return tree / "analyzer" / fault.file


def asked_for(fault: Fault, words: list[str]) -> bool:
    """Whether the words name its area, its number, or nothing."""
    return not words or fault.area in words or str(fault.number) in words


def copied(folder: Path) -> Path:
    """A copy of the tree, with what stands beside it."""
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
    beside = ROOT.parent / "shared"
    if beside.exists():
        (folder / "shared").symlink_to(beside.resolve())
    return tree


def status_of(tree: Path, selection: str) -> int:
    """The exit status of pytest for some tests of a tree."""
    files, _, chosen = selection.partition(":")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += [f"tests/{name}" for name in files.split()] + (["-k", chosen.strip()] if chosen else [])
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode


class Trial:
    """The faults, tried one after the other in one copy of the tree."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.sound = cache(lambda selection: status_of(tree, selection))  # of the program as it is

    def outcome(self, fault: Fault) -> str:
        """What became of a fault."""
        path = source(self.tree, fault)
        text = path.read_text("utf8")
        try:
            broken = fault.put_into(text)
        except ValueError as error:
            return f"NOT FOUND: {error}"
        for selection in fault.tests:
            if self.sound(selection) != PASSED:
                return f"UNTRIED: these tests fail without it, or there are none: {selection}"
        path.write_text(broken, "utf8")
        try:
            found = [status_of(self.tree, selection) for selection in fault.tests]
        finally:
            path.write_text(text, "utf8")
        return "caught" if FAILED in found else "SURVIVED" if set(found) == {PASSED} else f"BROKE THE TESTS: {found}"


def only_listed(chosen: list[Fault]) -> int:
    """Whether each fault can be put in."""
    missing = 0
    for fault in chosen:
        try:
            fault.put_into(source(ROOT, fault).read_text("utf8"))
        except ValueError as error:
            missing += 1
            print(f"{fault.number:3} {fault.area:20} {fault.file}: {error}")
    print(f"{len(chosen) - missing} of {len(chosen)} faults can be put in")
    return min(missing, 1)


def main() -> int:
    """Try the faults that are asked for; returns how many were not caught, 1 at most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only say whether each can still be put in")
    parser.add_argument("which", nargs="*", help="areas or numbers; else all")
    wanted = parser.parse_args()
    chosen = [fault for fault in faults() if asked_for(fault, wanted.which)]
    if wanted.list:
        return only_listed(chosen)
    caught = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        trial = Trial(copied(Path(folder)))
        for fault in chosen:
            begun = time.monotonic()
            outcome = trial.outcome(fault)
            caught += outcome == "caught"
            print(
                f"{fault.number:3} {fault.area:20} {fault.file:45} {outcome} ({time.monotonic() - begun:.0f} s)",
                flush=True,
            )
    print(f"{caught} of {len(chosen)} caught")
    return int(caught < len(chosen))


if __name__ == "__main__":
    raise SystemExit(main())
