"""What the commands of daily work cost beside ``analyze``: ``python benchmarks/daily.py CAPTURE [--runs 3]``.

Whole processes, in turn, several times; printed as a table of Markdown: CPU seconds (user and system) as the median of
the runs, the largest peak memory, and both relative to ``teardown analyze`` of the same file in the same rounds. Each
should stay within 1.5 times. The connection that is asked for is one in the middle of the capture.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import Cost, run, warm

TEARDOWN = (sys.executable, "-m", "analyzer")
AIM, PATIENCE = 1.5, 600.0
COLUMNS = "stream,client_ip,client_port"


def middle(capture: str) -> dict[str, int | str]:
    """Number, address and port of the connection in the middle."""
    command = [*TEARDOWN, "analyze", capture, "--json"]
    count = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["flows"]
    named = ["--stream", str(count // 2), "--jsonl", "--columns", COLUMNS]
    done = subprocess.run([*TEARDOWN, "flows", capture, *named], capture_output=True, check=True)
    found: dict[str, int | str] = json.loads(done.stdout)
    return found


def commands(capture: str) -> dict[str, list[str]]:
    """What is measured, ``analyze`` first; the outputs go to /dev/null."""
    one = middle(capture)
    host, port, stream = (str(one[name]) for name in ("client_ip", "client_port", "stream"))
    options = {
        "analyze": ["analyze"],
        "timeline --stream": ["timeline", "--stream", stream],
        "timeline --host --port": ["timeline", "--host", host, "--port", port],
        "timeline --where": ["timeline", "--where", f"stream == {stream}"],
        "flows --limit 50": ["flows", "--limit", "50"],
        "flows": ["flows"],
        "flows --csv": ["flows", "--csv"],
        "flows --jsonl": ["flows", "--jsonl"],
        "analyze --json": ["analyze", "--json"],
        "analyze --json --host": ["analyze", "--json", "--host", host],
        "analyze --json --where": ["analyze", "--json", "--where", "duration_s > 1"],
    }
    return {title: [*TEARDOWN, words[0], capture, *words[1:]] for title, words in options.items()}


def table(measured: dict[str, list[Cost]]) -> str:
    """The figures as Markdown."""
    figures = {
        title: (statistics.median(cost.cpu for cost in costs), max(cost.peak for cost in costs))
        for title, costs in measured.items()
    }
    seconds, memory = next(iter(figures.values()))
    lines = [
        "| `teardown` | CPU seconds | of `analyze` | peak memory, MB | of `analyze` |",
        "|---|---:|---:|---:|---:|",
    ]
    for title, (cpu, peak) in figures.items():
        far = " (!)" if max(cpu / seconds, peak / memory) > AIM else ""
        lines.append(
            f"| `{title}` | {cpu:.2f} | {cpu / seconds:.2f} x | {peak / 1e6:.0f} | {peak / memory:.2f} x{far} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path, help="for instance mix-4m.pcap of captures.py")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: %(default)s)")
    given = parser.parse_args()
    chosen = commands(str(given.capture))
    measured: dict[str, list[Cost]] = {title: [] for title in chosen}
    for _ in range(given.runs):
        for title, command in chosen.items():
            warm(given.capture)
            measured[title].append(run(command, PATIENCE))
    print(table(measured))


if __name__ == "__main__":
    main()
