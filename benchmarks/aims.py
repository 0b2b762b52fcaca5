"""What the program's speed and memory are to be, each with the figure that proves or disproves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.results import Results

FIXED, A_CONNECTION = 400e6, 700  # bytes of memory: whatever is read, and for each connection kept


@dataclass(frozen=True)
class Aim:
    """``value`` must be at most, or with ``at_least`` at least, ``limit``."""

    text: str
    limit: float
    unit: str
    value: Callable[[Results], float | None]
    at_least: bool = False

    def row(self, results: Results) -> list[str]:
        """Text, limit, figure and verdict; no figure when it was not measured."""
        value = self.value(results)
        met = (
            "" if value is None else "yes" if (value >= self.limit if self.at_least else value <= self.limit) else "no"
        )
        sign = "at least" if self.at_least else "at most"
        figure = "" if value is None else f"{value:.2f}{self.unit}"
        return [self.text, f"{sign} {self.limit:g}{self.unit}", figure, met]


def _marginal(program: str, kind: str) -> Callable[[Results], float | None]:
    return lambda results: results.marginal_ratio(program, f"{kind}-4m.pcap", f"{kind}-16m.pcap")


def _faster_than(program: str) -> Callable[[Results], float | None]:
    def value(results: Results) -> float | None:
        ours, theirs = results.wall("mix-4m.pcap", "teardown-csv"), results.wall("mix-4m.pcap", program)
        return theirs / ours if ours and theirs else None

    return value


def _threads(results: Results) -> float | None:
    """By how much a second CPU shortens the analysis."""
    for capture in results.of("cpus")[0]:
        one, two = (results.wall(capture, f"teardown-{count}", "cpus") for count in ("one", "two"))
        if one and two:
            return one / two
    return None


def _memory(results: Results) -> float | None:
    """The largest part of the memory allowed that any run took."""
    parts = []
    for capture in results.of("sizes")[0]:
        for program in ("teardown", "teardown-csv", "teardown-parquet"):
            if found := results.summary("sizes", capture, program):
                allowed = FIXED + A_CONNECTION * results.captures[capture]["connections"]
                parts.append(found.peak / allowed)
    return max(parts, default=None)


def _small(results: Results) -> float | None:
    ours, theirs = (results.wall("first-50.pcap", name, "start") for name in ("teardown-summary", "tshark"))
    return ours / theirs if ours and theirs else None


def _growth(kind: str) -> Callable[[Results], float | None]:
    """The steepest growth of a doubling from 4 million packets on."""

    def value(results: Results) -> float | None:
        names = (name for name in results.of("sizes")[0] if name.startswith(f"{kind}-"))
        lengths = sorted((name for name in names if results.packets(name) >= 4e6), key=results.packets)
        steps = [
            results.doubling(program, *pair) for program in ("teardown", "teardown-csv") for pair in pairwise(lengths)
        ]
        return max((step for step in steps if step), default=None)

    return value


TIMES = " x tcpdump"
AIMS = (
    Aim("an additional packet, mix, summary and findings.csv", 1.0, TIMES, _marginal("teardown-findings", "mix")),
    Aim("an additional packet, mix, flows as Parquet", 1.5, TIMES, _marginal("teardown-flows-parquet", "mix")),
    Aim("an additional packet, mix, flows as CSV", 3.0, TIMES, _marginal("teardown-flows-csv", "mix")),
    Aim("an additional packet, mix, everything as CSV", 6.0, TIMES, _marginal("teardown-csv", "mix")),
    Aim("an additional packet, bulk, everything as CSV", 1.0, TIMES, _marginal("teardown-csv", "bulk")),
    Aim("4 million packets, mix, everything as CSV: speed against tshark", 30, " x", _faster_than("tshark"), True),
    Aim("the same: against tcptrace", 4, " x", _faster_than("tcptrace"), True),
    Aim("the same: against argus and ra", 3, " x", _faster_than("argus"), True),
    Aim("analysis alone: speed of two CPUs against one", 1.4, " x", _threads, True),
    Aim("peak memory, relative to 400 MB and 700 bytes a connection", 1.0, " x", _memory),
    Aim("50 packets, summary: time against tshark", 4, " x tshark", _small),
    Aim("time when the mix doubles", 2.1, " x", _growth("mix")),
    Aim("time when the flood of SYNs doubles", 2.1, " x", _growth("flood")),
)
