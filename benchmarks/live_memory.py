"""Memory of a watch over millions of connections: they come, end, and have to leave again.

    python benchmarks/live_memory.py [MILLIONS] [FOLDER]
    python benchmarks/live_memory.py --flood [MILLIONS]

A stream made up here hands whole connections of ten segments to the watch, a thousand a second by its own clock and
as fast as they are taken by ours; every block of five hundred comes from an address of its own. With FOLDER their
tables are written there, too. Printed every half million connections: how many were finished and kept, and the
resident memory of the process. With ``--flood`` they are SYNs that nobody answers.
"""

import resource
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from analyzer.capture.packets import PACKET, Packets
from analyzer.live.retirement import Limits
from analyzer.live.totals import WatchTotals
from analyzer.live.viewers import Storing
from analyzer.live.warm_up import warm_up
from analyzer.live.watch import Watch
from analyzer.settings import Settings
from benchmarks.flood import syns
from benchmarks.live_rate import CONVERSATIONS, FRAME, STORY, frames

BLOCKS = 10  # in a batch
A_SECOND = 1000  # connections, by the stream's clock
REPORT = 500_000
SYNS = syns(5000, "10.1.2.2")


class Endless:
    """A source of connections; the interface is that of LiveStream."""

    behind, delay, losses_known = True, 0.0, True
    engine, trouble, lost, bytes_read = "", "", 0, 0
    interfaces = notices = ()

    def __init__(self, connections: int) -> None:
        self.ended, self.packets = False, 0
        self.link_types: Counter[int] = Counter()
        self._left, self._made = connections, 0
        self._block = frames(STORY).transpose(1, 0, 2).reshape(-1, FRAME)
        self._client = (self._block[:, 34].astype(int) << 8 | self._block[:, 35]) != 80
        self.watch: Watch | None = None
        self._next = REPORT

    def poll(self, seconds: float) -> Packets:
        """The next batch."""
        data = np.concatenate([self._one(self._made // CONVERSATIONS + place) for place in range(BLOCKS)])
        rows = np.zeros(len(data), PACKET)
        start = 1_700_000_000 * 10**9 + self._made * 10**9 // A_SECOND
        rows["time"] = start + np.arange(len(data)) * (10**9 // A_SECOND // len(STORY))
        rows["frame"] = np.arange(self.packets + 1, self.packets + len(data) + 1)
        rows["offset"], rows["captured"], rows["length"] = np.arange(len(data)) * FRAME, FRAME, FRAME
        rows["link"] = 1
        self.packets += len(data)
        self._made += BLOCKS * CONVERSATIONS
        self.ended = self._made >= self._left
        self._report()
        return Packets(data.reshape(-1), rows)

    def _one(self, turn: int) -> np.ndarray:
        block = self._block.copy()
        for mask, at in ((self._client, 27), (~self._client, 31)):
            block[mask, at], block[mask, at + 1], block[mask, at + 2] = turn >> 16 & 255, turn >> 8 & 255, turn & 255
        return block

    def _report(self) -> None:
        if self._made < self._next or self.watch is None:
            return
        self._next += REPORT
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        kept, totals = self.watch.analysis.held, self.watch.totals
        spent = time.process_time()
        print(
            f"{self._made:>12,} connections  {kept:>9,} kept  {totals.flows:>12,} finished  "
            f"{totals.crowded_out:>9,} beyond --max-flows  {resident / 1e6:>7,.0f} MB  {spent:>7,.0f} s CPU",
            flush=True,
        )

    def ask_losses(self) -> None: ...

    def stop(self) -> None:
        self.ended = True

    def close(self) -> None: ...


class Flood(Endless):
    """SYNs that nobody answers, each from an address of its own, ten thousand a second."""

    def poll(self, seconds: float) -> Packets:
        """The next batch."""
        data, size = SYNS.copy(), SYNS.shape[1]
        for place in range(3):
            data[:, 27 + place] = self._made + np.arange(len(data)) >> 8 * (2 - place) & 255
        rows = np.zeros(len(data), PACKET)
        rows["time"] = 1_700_000_000 * 10**9 + (self._made + np.arange(len(data))) * 100_000
        rows["frame"] = np.arange(self.packets + 1, self.packets + len(data) + 1)
        rows["offset"], rows["captured"], rows["length"] = np.arange(len(data)) * size, size, size
        rows["link"] = 1
        self.packets += len(data)
        self._made += len(data)
        self.ended = self._made >= self._left
        self._report()
        return Packets(data.reshape(-1), rows)


def main(millions: float, folder: str | None, flood: bool) -> None:
    warm_up()
    stream = (Flood if flood else Endless)(round(millions * 1e6))
    viewers = [Storing(Path(folder), "csv", print)] if folder else []
    watch = Watch(stream, Settings(), Limits(), viewers, WatchTotals("benchmark"))  # type: ignore[arg-type]
    stream.watch = watch
    watch.run()
    for viewer in viewers:
        viewer.close(watch)


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if word != "--flood"]
    main(float(given[0]) if given else 10, given[1] if given[1:] else None, "--flood" in sys.argv)
