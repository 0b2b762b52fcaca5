"""Whole processes side by side on one capture: ``python benchmarks/compare.py CAPTURE [RUNS]``.

Every command is run once to warm the page cache and the compiled code, then all of them in turn RUNS times; the
median counts, and the ratio to tcpdump's filter of the same run. Programs that are not installed are left out. The
output is the table of docs/benchmarks.md.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILTER = "tcp[tcpflags]&(tcp-syn|tcp-fin|tcp-rst)!=0"
FIELDS = ("frame.number", "tcp.stream", "tcp.seq_raw", "tcp.flags", "tcp.completeness")


def commands(capture: str, folder: str) -> dict[str, list[str]]:
    """What is compared, by the name it has in the table."""
    ours = [str(Path(sys.executable).with_name("teardown")), "analyze", capture, "--quiet"]
    fields = [word for field in FIELDS for word in ("-e", field)]
    return {
        "tcpdump, filter SYN/FIN/RST": ["tcpdump", "-r", capture, "-w", "/dev/null", FILTER],
        "teardown, states and findings": ours,
        "teardown, with all CSV": [*ours, "--out", f"{folder}/csv"],
        "teardown, with all Parquet": [*ours, "--out", f"{folder}/parquet", "--format", "parquet"],
        "capinfos": ["capinfos", capture],
        "tcptrace": ["tcptrace", "-n", "-l", capture],
        "tshark, fields with stream and completeness": ["tshark", "-n", "-r", capture, "-T", "fields", *fields],
    }


def seconds(command: list[str]) -> tuple[float, int]:
    """Wall time of one run, and its peak memory in bytes."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024


def measure(capture: str, runs: int) -> list[tuple[str, float, float, int]]:
    """Name, median seconds, median ratio to the first command, and peak memory, for every command there is."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = {name: words for name, words in commands(capture, folder).items() if shutil.which(words[0])}
        for words in chosen.values():
            seconds(words)
        rounds = [{name: seconds(words) for name, words in chosen.items()} for _ in range(runs)]
    base = next(iter(chosen))
    return [
        (
            name,
            statistics.median(run[name][0] for run in rounds),
            statistics.median(run[name][0] / run[base][0] for run in rounds),
            max(run[name][1] for run in rounds),
        )
        for name in chosen
    ]


def count(capture: str) -> int:
    """Packets in the capture. Imported only now: a child's peak memory counts what its parent had when it forked."""
    from analyzer.readers import open_captures

    with open_captures([capture]) as stream:
        return sum(len(batch.rows) for batch in stream)


def main() -> None:
    capture, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    results = measure(capture, runs)
    packets = count(capture)
    print(f"{packets:,} packets, {Path(capture).stat().st_size / 1e6:,.0f} MB; median of {runs} runs; ", end="")
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    print("| program | seconds | million packets/s | times tcpdump's filter | peak memory, MB |")
    print("|---|---|---|---|---|")
    for name, median, ratio, memory in results:
        print(f"| {name} | {median:.2f} | {packets / median / 1e6:.2f} | {ratio:.1f} | {memory / 1e6:.0f} |")


if __name__ == "__main__":
    main()
