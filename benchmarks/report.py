"""docs/benchmarks.md and its figure, made from the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.aims import AIMS
from benchmarks.plot import Line, figure
from benchmarks.programs import TITLES
from benchmarks.results import Results, Summary

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, FIGURE = DOCS / "benchmarks.md", DOCS / "benchmarks.svg"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
NONE = "-"


def write(results: dict[str, Any]) -> None:
    """Bring the page and the figure up to date."""
    PAGE.write_text(page(PAGE.read_text(), results))
    FIGURE.write_text(plot(results))


def page(text: str, results: dict[str, Any]) -> str:
    """The page with what is between the marks made new."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{tables(results)}\n{END}{rest.split(END)[1]}"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    heads = [*heads]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def tables(raw: dict[str, Any]) -> str:
    """Everything measured, as Markdown."""
    results = Results(raw)
    sections = {
        "": _where(raw),
        "Targets": table(("target", "limit", "measured", "met"), (aim.row(results) for aim in AIMS)),
        "Side by side": _side_by_side(results, "sizes", _showcase(results)),
        "Cost of an additional packet": _marginal(results),
        "All captures: seconds": _matrix(results, lambda found: _seconds(found.wall)),
        "All captures: peak memory in MB": _matrix(results, lambda found: f"{found.peak / 1e6:,.0f}"),
        "Memory of an additional connection": _memory(results),
        "Growth when the capture doubles": _growth(results),
        "One CPU and two": _parts(results, "cpus"),
        "Python libraries": _parts(results, "libraries"),
        "Start-up": _parts(results, "start"),
        "Not run": _left_out(raw),
        "The captures": _captures(results),
    }
    return "\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections.items() if text)


def _where(raw: dict[str, Any]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in raw["machine"].items())
    versions = ", ".join(f"{name} {value}" for name, value in raw["versions"].items())
    return f"Machine: {machine}.\nVersions: {versions}.\n"


def _seconds(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f}"


def _showcase(results: Results) -> str:
    """The capture on which everything could be run."""
    names = results.of("sizes")[0]
    return next((name for name in ("mix-4m.pcap", "mix-1m.pcap") if name in names), "")


def _side_by_side(results: Results, part: str, capture: str) -> str:
    """One capture, all programs, all figures."""
    heads = ("program", "runs", "seconds", "CPU seconds", "million packets/s", "times tcpdump", "peak memory, MB")
    packets = results.captures.get(capture, {}).get("packets", 0)
    rows = []
    for program in results.of(part)[1]:
        if found := results.summary(part, capture, program):
            rate = f"{packets / found.wall / 1e6:.2f}" if packets else NONE
            rows.append([TITLES.get(program, program), *_figures(found, rate)])
    return f"`{capture}`:\n\n{table(heads, rows)}" if rows else ""


def _figures(found: Summary, rate: str) -> list[str]:
    ratio = NONE if found.ratio is None else f"{found.ratio:.1f}"
    return [f"{found.runs}", _seconds(found.wall), _seconds(found.cpu), rate, ratio, f"{found.peak / 1e6:,.0f}"]


def _parts(results: Results, part: str) -> str:
    """A part without the columns that say nothing there."""
    sections = []
    for capture in results.of(part)[0]:
        rows = []
        for program in results.of(part)[1]:
            if found := results.summary(part, capture, program):
                figures = _figures(found, "")
                rows.append([TITLES.get(program, program), *figures[:3], *figures[4:]])
        heads = ("program", "runs", "seconds", "CPU seconds", "times tcpdump", "peak memory, MB")
        sections.append(f"`{capture}`:\n\n{table(heads, rows)}")
    return "\n".join(sections)


def _pairs(results: Results, least: int = 0) -> list[tuple[str, str]]:
    """Captures of one kind, each with the next longer one."""
    names = [name for name in results.of("sizes")[0] if results.packets(name) >= least]
    names.sort(key=lambda name: (name.split("-")[0], results.packets(name)))
    return [(short, long) for short, long in pairwise(names) if short.split("-")[0] == long.split("-")[0]]


def _label(short: str, long: str) -> str:
    kind, first = short.removesuffix(".pcap").split("-")
    return f"{kind} {first} → {long.removesuffix('.pcap').split('-')[1]}"


def _by_pair(results: Results, pairs: list[tuple[str, str]], cell: Callable[[str, str, str], str | None]) -> str:
    rows = []
    for program in results.of("sizes")[1]:
        cells = [cell(program, *pair) for pair in pairs]
        if any(cells):
            rows.append([TITLES.get(program, program), *(text or NONE for text in cells)])
    return table(("program", *(_label(*pair) for pair in pairs)), rows) if rows else ""


def _marginal(results: Results) -> str:
    """Nanoseconds a packet and the ratio to tcpdump, without what starting costs."""

    def cell(program: str, short: str, long: str) -> str | None:
        cost, ratio = results.marginal(program, short, long), results.marginal_ratio(program, short, long)
        times = "" if ratio is None else f" ({ratio:.2f} x)"
        return None if cost is None else f"{cost * 1e9:.0f} ns{times}"

    return _by_pair(results, _pairs(results, 4 * 10**6), cell)


def _memory(results: Results) -> str:
    """Bytes of peak memory, for pairs of captures with enough connections to tell."""

    def cell(program: str, short: str, long: str) -> str | None:
        less, more = (results.summary("sizes", capture, program) for capture in (short, long))
        count = results.captures[long]["connections"] - results.captures[short]["connections"]
        return f"{(more.peak - less.peak) / count:,.0f} B" if less and more and count > 10**5 else None

    return _by_pair(results, _pairs(results), cell)


def _growth(results: Results) -> str:
    def cell(program: str, short: str, long: str) -> str | None:
        found = results.doubling(program, short, long)
        return None if found is None else f"{found:.2f} x"

    return _by_pair(results, _pairs(results), cell)


def _matrix(results: Results, cell: Callable[[Summary], str]) -> str:
    captures, programs = results.of("sizes")
    rows = []
    for program in programs:
        found = [results.summary("sizes", capture, program) for capture in captures]
        rows.append([TITLES.get(program, program), *(cell(one) if one else NONE for one in found)])
    return table(("program", *(capture.removesuffix(".pcap") for capture in captures)), rows) if rows else ""


def _left_out(raw: dict[str, Any]) -> str:
    """Programs, captures and reasons, but for options that do not exist."""
    rows = [row for row in raw["left_out"] if "option" not in row["reason"]]
    return (
        table(
            ("program", "capture", "why"),
            ([TITLES.get(row["program"], row["program"]), row["capture"], row["reason"]] for row in rows),
        )
        if rows
        else ""
    )


def _captures(results: Results) -> str:
    rows = [
        [name, *(f"{facts[key]:,}" for key in ("packets", "bytes", "connections", "repeated"))]
        for name, facts in results.captures.items()
    ]
    return table(("capture", "packets", "bytes", "connections", "on a tuple used before"), rows)


def plot(raw: dict[str, Any], kind: str = "mix") -> str:
    """Seconds over packets, one line a program."""
    results, lines = Results(raw), []
    captures, programs = results.of("sizes")
    for program in programs:
        points = [
            (results.packets(capture), wall)
            for capture in captures
            if capture.startswith(f"{kind}-") and (wall := results.wall(capture, program))
        ]
        if points:
            lines.append(Line(TITLES.get(program, program), sorted(points), program.startswith("teardown")))
    return figure(lines, "packets", "seconds, whole process")
