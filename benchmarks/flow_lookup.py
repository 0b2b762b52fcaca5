"""How fast segments find their flows: python benchmarks/flow_lookup.py

Segments of both directions of random flows, all flows known already ("again"), and as they appear ("first"). "runs"
is how many segments of one flow follow each other on average. 32768 segments fit the processor's cache, a million
do not.
"""

import time

import numpy as np
from numpy.typing import NDArray

from analyzer.flows.table import FlowTable
from analyzer.segments.table import ACK, SEGMENT


def traffic(length: int, flows: int, runs: int, seed: int) -> NDArray[np.void]:
    """Acknowledgments between 50,000 clients and one server."""
    dice = np.random.default_rng(seed)
    flow = dice.integers(0, flows, length)
    if runs > 1:
        flow = np.repeat(flow, dice.geometric(1 / runs, length))[:length]
    answer = dice.random(length) < 0.4
    client, port = flow % 50_000, 32_768 + flow // 50_000
    batch = np.zeros(length, SEGMENT)
    batch["src"], batch["dst"] = np.where(answer, 50_001, client), np.where(answer, client, 50_001)
    batch["src_port"], batch["dst_port"] = np.where(answer, 443, port), np.where(answer, port, 443)
    batch["seq"], batch["ack"] = dice.integers(0, 2**32, length), dice.integers(0, 2**32, length)
    batch["flags"] = ACK
    return batch


def speed(table: FlowTable, batch: NDArray[np.void], rounds: int) -> float:
    """Million segments a second, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        table.assign(batch)
        best = min(best, time.perf_counter() - start)
    return len(batch) / best / 1e6


def main() -> None:
    FlowTable().assign(traffic(20_000, 10_000, 1, seed=0))  # compiles
    print(f"{'flows':>9} {'segments':>9} {'runs':>4} {'first':>7} {'again':>7}  million segments/s")
    for flows in (10_000, 1_000_000):
        for length in (1 << 15, 1 << 20):
            for runs in (1, 4):
                table = FlowTable()
                first = speed(table, traffic(12 * flows, flows, 1, seed=1), rounds=1)
                again = speed(table, traffic(length, flows, runs, seed=2), rounds=max(5, (1 << 22) // length))
                print(f"{flows:9} {length:9} {runs:4} {first:7.1f} {again:7.1f}")


if __name__ == "__main__":
    main()
