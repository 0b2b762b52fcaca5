"""What is found in each capture of captures/, as text to be read and reviewed: ``captures/NAME.findings.txt``.

python -m tests.golden             what has changed since the files were written, as a diff
python -m tests.golden --write     the same, and write it; review the diff, then commit it
"""

from __future__ import annotations

import argparse
import difflib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

import analyzer
from tests.captures import OWN

WIDTH = 110


def golden_file(capture: Path) -> Path:
    """Where what is found in a capture stands."""
    return capture.with_name(f"{capture.name.partition('.')[0]}.findings.txt")


def rendered(capture: Path) -> str:
    """What is found in a capture now."""
    rows = analyzer.analyze(capture).findings.itertuples()
    return "\n".join(map(finding, rows)) or "nothing\n"


def finding(row: Any) -> str:
    """One finding: what, how sure, whom it blames, when, by which frames; and what it says."""
    stream = "crowd" if pd.isna(row.stream) else f"stream {row.stream}"
    facts = [
        row.code,
        row.severity,
        row.confidence,
        stream,
        blamed(row),
        seconds(row.time_epoch),
        "frames " + row.frames,
    ]
    said = textwrap.wrap(row.message, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join([", ".join(facts), *said, ""])


def blamed(row: Any) -> str:
    """The endpoint that it is about."""
    if pd.isna(row.endpoint):
        return "nobody"
    port = getattr(row, f"{row.endpoint}_port")
    return f"{row.endpoint} {getattr(row, f'{row.endpoint}_ip')}" + ("" if pd.isna(port) else f" port {port}")


def seconds(time: pd.Timestamp) -> str:
    """A moment as Wireshark's frame.time_epoch."""
    whole, rest = divmod(time.value, 10**9)
    return f"{whole}.{rest:09d}"


def written(capture: Path) -> str | None:
    """What was found when the file was written, None where there is none."""
    path = golden_file(capture)
    return path.read_text("utf8") if path.exists() else None


def changes(capture: Path) -> Iterator[str]:
    """How what is found differs from the file, line by line."""
    before, now = written(capture) or "", rendered(capture)
    name = golden_file(capture).name
    yield from difflib.unified_diff(before.splitlines(), now.splitlines(), name, f"{name} now", lineterm="", n=1)


def main() -> int:
    """Show what has changed, and write it if that is asked for; returns how many files are not as they were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the files that have changed")
    parser.add_argument("names", nargs="*", help="captures by name, without their endings; else all")
    wanted = parser.parse_args()
    changed = 0
    for capture in OWN:
        if wanted.names and capture.stem not in wanted.names:
            continue
        lines = list(changes(capture))
        changed += bool(lines)
        print(*lines, sep="\n", end="\n" if lines else "")
        if lines and wanted.write:
            golden_file(capture).write_text(rendered(capture), "utf8")
    print(f"{changed} of {len(OWN)} differ", file=sys.stderr)
    return 0 if wanted.write else min(changed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
