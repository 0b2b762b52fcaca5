"""Running programs and weighing them: seconds, CPU seconds and memory of whole processes, in turn, several times.

The numbers are the kernel's own for the process and all its children (wait4): CPU time is the sum, peak memory the
largest of any one of them. A process is charged with what its parent held when it was started, so nothing large is
imported or read here; below about 20 MB the memory shown is this process's own.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Timer
from typing import NamedTuple

from benchmarks.programs import Program

SLOW = 20.0  # seconds; beyond, a program is not run to warm up and takes part in three rounds
SLOW_ROUNDS = 3


class Cost(NamedTuple):
    """What one run took: wall and CPU seconds, peak memory in bytes."""

    wall: float
    cpu: float
    peak: int


class Failed(Exception):
    """A program ended with an error, or did not end in time."""


def run(command: list[str], patience: float) -> Cost:
    """One run; its output goes nowhere. Failed when its status is not 0 or it takes more than ``patience`` seconds."""
    quiet = subprocess.DEVNULL
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    alarm = Timer(patience, lambda: os.killpg(process.pid, signal.SIGKILL))
    alarm.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    alarm.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if wall >= patience:
        raise Failed(f"more than {patience:.0f} s")
    if status:
        raise Failed(f"ended with status {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def warm(path: Path) -> None:
    """Have the file in the page cache."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


class Bench:
    """Runs programs on captures and keeps what they took, one row a run; and why a program was not run."""

    def __init__(self, patience: float, python: str = sys.executable) -> None:
        self.patience, self.python = patience, python
        self.rows: list[dict[str, object]] = []
        self.left_out: list[dict[str, object]] = []
        self._expected: dict[tuple[str, str], float] = {}  # (kind, program) -> seconds a packet

    def rounds(self, part: str, capture: Path, packets: int, programs: Iterable[Program], runs: int) -> None:
        """Run all programs in turn, ``runs`` times."""
        chosen = [one for one in programs if self._chosen(one, part, capture, packets)]
        slow = {one.name for one in chosen if self._guess(one, capture, packets) > SLOW}
        for turn in range(-1, runs):  # the first round, -1, is not counted
            for one in [*chosen]:
                if one.name in slow and not 0 <= turn < SLOW_ROUNDS:
                    continue
                cost = self._once(one, part, capture)
                if cost is None:
                    chosen.remove(one)
                    continue
                if turn >= 0:
                    self._keep(one, part, capture, turn, cost)
                    slow |= {one.name} if cost.wall > SLOW else set()
        self._learn(part, capture, packets)

    def _guess(self, program: Program, capture: Path, packets: int) -> float:
        """How long it should take, from a shorter capture of the kind; 0 when nothing is known."""
        return self._expected.get((_kind(capture), program.name), 0.0) * packets

    def _chosen(self, program: Program, part: str, capture: Path, packets: int) -> bool:
        reason = program.missing(self.python)
        guess = self._guess(program, capture, packets)
        if not reason and guess > self.patience:
            reason = f"about {guess:.0f} s"
        if reason:
            self._leave_out(program, part, capture, reason)
        return not reason

    def _leave_out(self, program: Program, part: str, capture: Path, reason: str) -> None:
        self.left_out.append({"part": part, "capture": capture.name, "program": program.name, "reason": reason})
        print(f"{capture.name}: {program.name} left out: {reason}", flush=True)

    def _keep(self, program: Program, part: str, capture: Path, turn: int, cost: Cost) -> None:
        row = {"part": part, "capture": capture.name, "program": program.name, "round": turn}
        self.rows.append({**row, "wall": round(cost.wall, 4), "cpu": round(cost.cpu, 3), "peak": cost.peak})

    def _once(self, program: Program, part: str, capture: Path) -> Cost | None:
        with tempfile.TemporaryDirectory(prefix="teardown-bench-") as scratch:
            warm(capture)  # before each run: a system may take back the pages of files that rest while others run
            try:
                cost = run(program.command(capture, f"{scratch}/out", self.python), 2 * self.patience)
            except Failed as failed:
                self._leave_out(program, part, capture, str(failed))
                return None
        print(f"{capture.name:16} {program.name:24} {cost.wall:9.3f} s {cost.peak / 1e6:7.0f} MB", flush=True)
        return cost

    def _learn(self, part: str, capture: Path, packets: int) -> None:
        walls: dict[str, list[float]] = {}
        for row in self.rows:
            if (row["part"], row["capture"]) == (part, capture.name):
                walls.setdefault(str(row["program"]), []).append(float(str(row["wall"])))
        for name, seconds in walls.items():
            self._expected[_kind(capture), name] = statistics.median(seconds) / packets


def _kind(capture: Path) -> str:
    return capture.name.split("-")[0]
