"""Speed and memory of whole processes, side by side: ``python benchmarks/suite.py FOLDER [--runs 5] [--only ...]``.

FOLDER holds the captures that captures.py makes. Parts, in this order:

    sizes      every program on every capture, as long as it takes less than two minutes there
    cpus       teardown with one CPU and with two
    libraries  Python libraries, on the first 10,000 and 100,000 packets of the mix
    start      a capture of 50 packets

Every single run is kept in results.json; docs/benchmarks.md (between its marks) and docs/benchmarks.svg are made from
there, also by ``--report`` alone. Parts and captures that are not measured again keep the runs they had. With
``--results FILE`` another file is used and the tables are printed, which is how to try something.
"""

from __future__ import annotations

import argparse
import compileall
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import machine, programs
from benchmarks.measure import Bench
from benchmarks.records import head

PACKAGE = Path(__file__).resolve().parent.parent / "analyzer"
RESULTS = Path(__file__).with_name("results.json")
PARTS = ("sizes", "cpus", "libraries", "start")
TWO_CPUS_ON = "mix-16m.pcap", "mix-4m.pcap", "mix-1m.pcap"  # the first there is
MILLION = 10**6


def captures_in(folder: Path, kinds: list[str], longest: float) -> dict[Path, int]:
    """The captures there, the shorter ones of a kind first; how many packets each has."""
    known = json.loads((folder / "captures.json").read_text())
    chosen = [(name.split("-")[0], facts["packets"], name) for name, facts in known.items()]
    chosen = [entry for entry in chosen if entry[0] in kinds and entry[1] <= longest * MILLION]
    order = sorted(chosen, key=lambda entry: (kinds.index(entry[0]), entry[1]))
    return {folder / name: packets for _, packets, name in order if (folder / name).exists()}


def measure(bench: Bench, folder: Path, captures: dict[Path, int], options: argparse.Namespace) -> None:
    """Run the parts asked for."""
    runs = options.runs
    if "sizes" in options.only:
        for path, packets in captures.items():
            bench.rounds("sizes", path, packets, _named(programs.SIDE_BY_SIDE, options.programs), runs)
    if "cpus" in options.only:
        there = [folder / name for name in TWO_CPUS_ON if folder / name in captures]
        for path in there[:1]:
            bench.rounds("cpus", path, captures[path], programs.CPUS, runs)
    with tempfile.TemporaryDirectory() as scratch:
        for packets in (10_000, 100_000) if "libraries" in options.only else ():
            path = Path(scratch, f"slice-{packets // 1000}k.pcap")
            head(folder / "mix-1m.pcap", path, packets)
            bench.rounds("libraries", path, packets, (*programs.SMALL, *programs.PYTHON), runs)
        if "start" in options.only:
            few = Path(scratch, "first-50.pcap")
            head(folder / "mix-1m.pcap", few, 50)
            bench.rounds("start", few, 50, programs.SMALL, 2 * runs)


def _named(chosen: tuple[programs.Program, ...], prefixes: list[str]) -> list[programs.Program]:
    return [one for one in chosen if any(one.name.startswith(prefix) for prefix in prefixes)]


def merged(old: dict[str, Any], bench: Bench, facts: dict[str, Any]) -> dict[str, Any]:
    """The results with what was measured now in place of what there was of the same part and capture."""
    again = {(row["part"], row["capture"]) for row in (*bench.rows, *bench.left_out)}

    def kept(name: str) -> list[dict[str, Any]]:
        return [row for row in old.get(name, []) if (row["part"], row["capture"]) not in again]

    return {**facts, "left_out": kept("left_out") + bench.left_out, "runs": kept("runs") + bench.rows}


def written(results: dict[str, Any]) -> str:
    """The results as JSON, one line a run."""
    parts = []
    for name, value in results.items():
        rows = isinstance(value, list)
        text = "[\n" + ",\n".join(map(json.dumps, value)) + "\n]" if rows else json.dumps(value, indent=1)
        parts.append(f"{json.dumps(name)}: {text}")
    return "{" + ",\n".join(parts) + "}\n"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("folder", type=Path, help="where captures.py put the captures")
    made.add_argument("--runs", type=int, default=5, help="rounds; the median counts (default: %(default)s)")
    made.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts (default: all)")
    made.add_argument("--kinds", nargs="+", default=["mix", "bulk", "short", "flood"], help="these captures")
    made.add_argument("--longest", type=float, default=float("inf"), metavar="MILLIONS", help="no longer captures")
    made.add_argument("--programs", nargs="+", default=[""], metavar="PREFIX", help="in sizes, only these programs")
    made.add_argument("--patience", type=float, default=120, metavar="SECONDS", help="what takes longer is left out")
    made.add_argument("--python", default=sys.executable, help="the Python that has dpkt, scapy, pyshark, nfstream")
    made.add_argument("--results", type=Path, default=RESULTS, help="all runs (default: %(default)s)")
    made.add_argument("--report", action="store_true", help="measure nothing, only write the tables again")
    return made


def main() -> None:
    options = parser().parse_args()
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    if not options.report:
        facts = machine.facts(options.folder, options.python)
        bench = Bench(options.patience, options.python)
        captures = captures_in(options.folder, options.kinds, options.longest)
        compileall.compile_dir(PACKAGE, quiet=1)  # as an installation has it, also where Python is told to keep nothing
        try:
            measure(bench, options.folder, captures, options)
        finally:  # what was measured until an interruption counts
            results = merged(results, bench, facts)
            options.results.write_text(written(results))
    from benchmarks import report  # only now: a process that is measured begins with all that this one holds

    if options.results == RESULTS:
        report.write(results)
    else:
        print(report.tables(results))


if __name__ == "__main__":
    main()
