"""Captures read by a thread, while the screen shows how far it is."""

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analyzer.settings import Settings, without_filters

if TYPE_CHECKING:
    from analyzer.browse.browsed import BrowsedCapture
    from analyzer.capture.capture_stream import CaptureStream
    from analyzer.capture.tshark import TsharkStream

LEAST_TOLD = 0.02  # share that must be read before it is said how long the rest takes


class ReadingStopped(Exception):
    """Nobody waits for the reading any more."""


class Reading:
    """The captures at ``paths``, read with all their connections: filters choose among them afterwards."""

    def __init__(self, paths: Sequence[str], settings: Settings) -> None:
        self.paths = list(paths)
        self._settings = without_filters(settings)
        self._began = time.monotonic()
        self._done: tuple[int, int | None] = (0, None)
        self.packets = self.connections = 0
        self.said = ""  # what the reader has to say meanwhile
        self.outcome: BrowsedCapture | BaseException | None = None  # once it has ended
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="reading", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it; waits a moment for that."""
        self._stopped = True
        if self._thread.is_alive():
            self._thread.join(1.0)

    @property
    def share(self) -> float | None:
        """How much is read, 0 to 1; None where nobody knows how much there is."""
        done, total = self._done
        return min(done / total, 1.0) if total else None

    @property
    def took(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes, if it goes on like this."""
        share = self.share
        return self.took * (1 - share) / share if share is not None and share > LEAST_TOLD else None

    def _work(self) -> None:
        try:
            self.outcome = self._read()
        except BaseException as error:
            self.outcome = error

    def _read(self) -> "BrowsedCapture":
        from analyzer.browse.browsed import BrowsedCapture
        from analyzer.engine.pipeline import opened, run
        from analyzer.engine.segment_spool import SegmentSpool
        from analyzer.kernels import on_compiling

        on_compiling(self._say)
        spool = SegmentSpool()
        with opened(self.paths, self._settings) as capture:

            def progress(done: int, total: int | None) -> None:
                self._progress(capture, done, total)
                self.connections = spool.flows

            analysed = run(capture, self.paths, self._settings, progress, each=spool.take)
        return BrowsedCapture(analysed, spool)

    def _progress(self, capture: "CaptureStream | TsharkStream", done: int, total: int | None) -> None:
        if self._stopped:
            raise ReadingStopped
        self._done, self.packets, self.said = (done, total), capture.packets, ""

    def _say(self, line: str) -> None:
        self.said = line
