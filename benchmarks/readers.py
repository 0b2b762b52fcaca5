"""How fast captures are read: ``python benchmarks/capture.py [PACKETS]``.

Builds pcap and pcapng files of small packets, then reads them: the compiled walk alone over bytes in memory, the
files in batches, packed files, and two files that overlap. The best of a few runs counts, by processor time.
"""

import gzip
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zstandard

from analyzer.capture import open_captures
from analyzer.capture.packets import PACKET
from analyzer.capture.parser import Record, Walker
from analyzer.capture.pcap import pcap
from analyzer.capture.pcapng import BlockWalker

CAPTURED = 76
ROWS = 131_072
RUNS = 4


def pcap_bytes(count: int, first: int = 0, step: int = 1) -> bytes:
    """A pcap file of ``count`` packets, ``step`` times 10 microseconds apart."""
    head = np.array([0xA1B2C3D4, 0x00040002, 0, 0, 262_144, 1], "<u4").tobytes()
    fields = [("seconds", "<u4"), ("fraction", "<u4"), ("captured", "<u4"), ("length", "<u4")]
    records = np.zeros(count, [*fields, ("data", "u1", CAPTURED)])
    moments = first + step * np.arange(count)
    records["seconds"], records["fraction"] = 1_700_000_000 + moments // 100_000, moments % 100_000 * 10
    records["captured"], records["length"] = CAPTURED, CAPTURED + 20
    return head + records.tobytes()


def pcapng_bytes(count: int) -> bytes:
    """A pcapng file of ``count`` packets with times in nanoseconds."""
    section = np.array([0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0xFFFFFFFF, 0xFFFFFFFF, 28], "<u4").tobytes()
    interface = np.array([1, 28, 1, 0, 0x00010009, 9, 28], "<u4").tobytes()
    fields = [(name, "<u4") for name in ("kind", "size", "interface", "high", "low", "captured", "length")]
    blocks = np.zeros(count, [*fields, ("data", "u1", CAPTURED), ("again", "<u4")])
    ticks = (1_700_000_000 * 10**9 + np.arange(count) * 1000).astype("u8")
    blocks["kind"], blocks["size"], blocks["again"] = 6, 32 + CAPTURED, 32 + CAPTURED
    blocks["high"], blocks["low"] = ticks >> np.uint64(32), ticks & np.uint64(0xFFFFFFFF)
    blocks["captured"], blocks["length"] = CAPTURED, CAPTURED + 20
    return section + interface + blocks.tobytes()


def walk(data: bytes, walker: Callable[[], Walker], begin: int) -> int:
    """Walk over all of ``data``; return how many packets it has."""
    view, rows, found, at = np.frombuffer(data, np.uint8), np.zeros(ROWS, PACKET), walker(), begin
    count = filled = 0
    while count == 0 or filled:
        at, filled = found.walk(view, at, len(data), 0, rows)
        count += filled
    return count


def read(*paths: Path) -> int:
    with open_captures(paths) as stream:
        return sum(len(batch.rows) for batch in stream)


def report(what: str, work: Callable[[], int]) -> None:
    best = float("inf")
    for _ in range(RUNS):
        begun = time.process_time()
        count = work()
        best = min(best, time.process_time() - begun)
    print(f"{what:45} {count / best / 1e6:8.1f} million packets/s")


def report_files(folder: Path, what: str, *files: bytes) -> None:
    paths = [folder / f"file{at}" for at in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    report(what, lambda: read(*paths))


def pcap_walker(data: bytes) -> Walker:
    found = pcap("benchmark", Record(), data[:4096], False)
    assert found is not None
    return found


def main(count: int) -> None:
    plain, blocks = pcap_bytes(count), pcapng_bytes(count)
    report("pcap: record walk alone", lambda: walk(plain, lambda: pcap_walker(plain), 24))
    report("pcapng: block walk alone", lambda: walk(blocks, lambda: BlockWalker("benchmark", Record()), 0))
    with tempfile.TemporaryDirectory() as folder:
        report_files(Path(folder), "pcap: file in batches", plain)
        report_files(Path(folder), "pcapng: file in batches", blocks)
        report_files(Path(folder), "pcap packed with zstd", zstandard.compress(plain, 1))
        report_files(Path(folder), "pcap packed with gzip", gzip.compress(plain, 1))
        halves = [pcap_bytes(count // 2, at, 2) for at in range(2)]
        report_files(Path(folder), "two overlapping pcap files, merged", *halves)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000)
