"""Make the captures of the benchmarks: ``sudo python benchmarks/captures.py FOLDER [--millions 1 4] [--kinds mix]``.

Of each kind (see traffic.py) a million packets are recorded once, ``mix-1m.pcap``; the longer ones, ``mix-4m.pcap``,
are that one multiplied (see multiply.py). What is there already is kept. Root is needed for recording only. How many
connections each capture has stands in ``FOLDER/captures.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.multiply import Slice, multiply
from benchmarks.records import end_of
from benchmarks.traffic import record
from tests.lab import missing

KINDS = ("mix", "short", "bulk", "flood")
MILLION = 10**6


def recorded(folder: Path, kind: str) -> Slice:
    """The recording of a million packets, made now if need be."""
    path = folder / f"{kind}-1m.pcap"
    if not path.exists():
        if reason := missing("nginx", "wrk"):
            raise SystemExit(reason)
        part = path.with_suffix(".part")
        record(kind, part, MILLION)
        os.truncate(part, end_of(part, MILLION))
        part.rename(path)
    return Slice(path.read_bytes())


def make(folder: Path, kind: str, lengths: list[int]) -> dict[str, dict[str, int]]:
    """Captures of one kind, made now if need be; what is in each file."""
    source, made = recorded(folder, kind), {}
    connections, tuples = source.connections()
    for millions in sorted({1, *lengths}):
        path = folder / f"{kind}-{millions}m.pcap"
        if not path.exists():
            part = path.with_suffix(".part")
            multiply(source, part, millions * MILLION)
            part.rename(path)
        made[path.name] = {
            "packets": millions * MILLION,
            "bytes": path.stat().st_size,
            "connections": millions * connections,
            "repeated": millions * (connections - tuples),  # on a tuple that was used before
        }
        print(path.name, *(f"{value:,} {name}" for name, value in made[path.name].items()), sep="  ", flush=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the captures go")
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 4, 16], help="lengths, in millions of packets")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="default: all")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    listing = arguments.folder / "captures.json"
    known = json.loads(listing.read_text()) if listing.exists() else {}
    for kind in arguments.kinds:
        known |= make(arguments.folder, kind, arguments.millions)
    listing.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
