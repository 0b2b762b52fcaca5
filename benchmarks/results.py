"""Reading results: medians, ratios and marginal costs out of single runs."""

from __future__ import annotations

from math import log2
from statistics import median
from typing import Any, NamedTuple


class Summary(NamedTuple):
    """Medians of one program on one capture; ``ratio`` is to the base program in the same round."""

    runs: int
    wall: float
    cpu: float
    peak: int
    ratio: float | None


class Results:
    """What suite.py keeps, for looking things up."""

    def __init__(self, raw: dict[str, Any], base: str = "tcpdump") -> None:
        self.raw, self.base = raw, base
        self.captures: dict[str, dict[str, int]] = raw["captures"]
        self._walls: dict[tuple[str, str, str], dict[int, dict[str, Any]]] = {}
        for row in raw["runs"]:
            self._walls.setdefault((row["part"], row["capture"], row["program"]), {})[row["round"]] = row

    def summary(self, part: str, capture: str, program: str) -> Summary | None:
        """None when it was not run there."""
        runs = self._walls.get((part, capture, program))
        if not runs:
            return None
        base = self._walls.get((part, capture, self.base), {})
        ratios = [row["wall"] / base[turn]["wall"] for turn, row in runs.items() if turn in base]
        rows = runs.values()
        return Summary(
            len(rows),
            median(row["wall"] for row in rows),
            median(row["cpu"] for row in rows),
            max(row["peak"] for row in rows),
            median(ratios) if ratios else None,
        )

    def wall(self, capture: str, program: str, part: str = "sizes") -> float | None:
        """Median seconds."""
        found = self.summary(part, capture, program)
        return found and found.wall

    def of(self, part: str) -> tuple[list[str], list[str]]:
        """Captures and programs of a part, in the order in which they were run."""
        rows = [row for row in self.raw["runs"] if row["part"] == part]
        return [*dict.fromkeys(row["capture"] for row in rows)], [*dict.fromkeys(row["program"] for row in rows)]

    def packets(self, capture: str) -> int:
        return self.captures[capture]["packets"]

    def marginal(self, program: str, short: str, long: str) -> float | None:
        """Seconds that each packet more costs, from a short to a long capture."""
        walls = self.wall(short, program), self.wall(long, program)
        if walls[0] is None or walls[1] is None:
            return None
        return (walls[1] - walls[0]) / (self.packets(long) - self.packets(short))

    def marginal_ratio(self, program: str, short: str, long: str) -> float | None:
        """The marginal cost, as a multiple of the base program's."""
        own, base = self.marginal(program, short, long), self.marginal(self.base, short, long)
        return own / base if own is not None and base else None

    def doubling(self, program: str, short: str, long: str) -> float | None:
        """By how much the time grows when the capture doubles; 2 is linear."""
        walls = self.wall(short, program), self.wall(long, program)
        if not walls[0] or not walls[1]:
            return None
        steps = log2(self.packets(long) / self.packets(short))
        return float((walls[1] / walls[0]) ** (1 / steps))
