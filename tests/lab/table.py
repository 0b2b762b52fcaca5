"""The score as a table: a column for each place of the tap, figures over all scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .score import EXACT, HIGH, PERMITTED, TAPS, WRONG, Reset, Timed, Verdict

HEADS = {"a": "on host A", "m": "in the middle", "b": "on host B"}


def table(verdicts: list[Verdict], resets: list[Reset]) -> str:
    """Markdown."""
    lines = ["| | " + " | ".join(HEADS[tap] for tap in TAPS) + " |", "|---|" + "---:|" * len(TAPS)]
    for words, figure in FIGURES.items():
        cells = (figure([v for v in verdicts if v.tap == tap]) for tap in TAPS)
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    for words, measure in RESET_FIGURES.items():
        cells = (measure([r for r in resets if r.tap == tap]) for tap in TAPS)
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _count(outcome: str) -> Callable[[list[Verdict]], str]:
    return lambda verdicts: str(sum(verdict.outcome == outcome for verdict in verdicts))


def _states(verdicts: list[Verdict]) -> str:
    return str(sum(len(verdict.kernel) for verdict in verdicts))


def _missing(verdicts: list[Verdict]) -> str:
    """States only one of the two has, of endpoints judged wrong."""
    wrong = [verdict for verdict in verdicts if verdict.outcome == WRONG]
    missing = sum(len(verdict.kernel) - len(verdict.common) for verdict in wrong)
    return f"{missing} / {sum(len(verdict.wrong_rows) for verdict in wrong)}"


def _sure(verdicts: list[Verdict]) -> str:
    rows = sum(row.basis in HIGH for verdict in verdicts for row in verdict.rows)
    return f"{rows} / {sum(len(verdict.sure_and_wrong) for verdict in verdicts)}"


def _assumed(verdicts: list[Verdict]) -> str:
    rows = sum(row.basis not in HIGH for verdict in verdicts for row in verdict.rows)
    wrong = sum(row.basis not in HIGH for verdict in verdicts for row in verdict.wrong_rows)
    return f"{rows} / {wrong}"


def _unknown(verdicts: list[Verdict]) -> str:
    rows = [verdict for verdict in verdicts if any(row.state == "UNKNOWN" for row in verdict.rows)]
    return f"{len(rows)} / {sum(verdict.outcome == WRONG for verdict in rows)}"


def _timed(verdicts: Iterable[Verdict]) -> list[Timed]:
    return [timed for verdict in verdicts for timed in verdict.timed]


def errors(verdicts: Iterable[Verdict], at_host: bool) -> list[int]:
    """The errors of the best times in nanoseconds, sorted; of endpoints on the tap's own host or of the others."""
    return sorted(t.error for t in _timed(verdicts) if t.error is not None and t.at_host == at_host)


def quantile(values: list[int], part: float) -> int | None:
    """The value below which ``part`` of the sorted values lie."""
    return values[min(len(values) - 1, int(part * len(values)))] if values else None


def _error(part: float, at_host: bool) -> Callable[[list[Verdict]], str]:
    def figure(verdicts: list[Verdict]) -> str:
        value = quantile(errors(verdicts, at_host), part)
        return "" if value is None else f"{value / 1000:.0f} µs" if value < 1_000_000 else f"{value / 1e6:.1f} ms"

    return figure


def inside(verdicts: list[Verdict]) -> float:
    """How much of the kernel's times lies inside the bounds."""
    timed = _timed(verdicts)
    return sum(one.inside for one in timed) / len(timed) if timed else 1.0


def _right(resets: list[Reset]) -> str:
    right = [sum(reset.outcome == outcome for reset in resets) for outcome in (EXACT, PERMITTED, WRONG)]
    return " / ".join(map(str, right))


FIGURES: dict[str, Callable[[list[Verdict]], str]] = {
    "endpoints": lambda verdicts: str(len(verdicts)),
    "whole sequence of states exactly the kernel's": _count(EXACT),
    "as far as packets permit": _count(PERMITTED),
    "wrong": _count(WRONG),
    "states entered by the kernels": _states,
    "states missing / extra": _missing,
    "states given with high confidence / of these wrong": _sure,
    "states given with low confidence / of these wrong": _assumed,
    "endpoints with a state UNKNOWN / of these unjustified": _unknown,
    "error of the best time, endpoint on the tap's host, median": _error(0.5, True),
    "error of the best time, endpoint on the tap's host, 99th percentile": _error(0.99, True),
    "error of the best time, endpoint elsewhere, median": _error(0.5, False),
    "error of the best time, endpoint elsewhere, 99th percentile": _error(0.99, False),
    "kernel's time inside earliest .. latest": lambda verdicts: f"{100 * inside(verdicts):.1f} %",
}
RESET_FIGURES: dict[str, Callable[[list[Reset]], str]] = {
    "cause of a RST: right / as far as packets permit / wrong": _right
}
