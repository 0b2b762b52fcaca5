"""A tap: tcpdump on one interface of one host, certain to be listening when it starts and to have everything
when it stops.

tcpdump hands a packet on at once (immediate mode), writes it at once (``-U``) and stamps it in nanoseconds.
It says "listening" only after its socket is bound, so packets sent after that line are in the file. On
stopping, what it counted must equal what it wrote and nothing may have been dropped; else the recording is
worthless and says so.
"""

from __future__ import annotations

import re
import select
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

from .hosts import Host, LabError, hurry

PATIENCE = 5.0  # seconds for tcpdump to begin or to end


class Tap:
    """tcpdump in ``host`` on ``interface``, writing a pcap file with nanoseconds to ``path``; begins at once.

    snaplen: bytes kept of each packet; filter: a pcap filter; buffer: the kernel's buffer in KiB.
    bulk: let packets pass in blocks and not one by one, for recordings of a hundred thousand packets a second.
    """

    def __init__(
        self,
        host: Host,
        interface: str,
        path: str | Path,
        *,
        snaplen: int = 262144,
        filter: str = "tcp",
        buffer: int = 4096,
        bulk: bool = False,
    ) -> None:
        self.path = Path(path)
        self.captured = self.dropped = -1
        self._quiet = 1.5 if bulk else 0.05  # a block is handed on after a second at the latest
        self.process = host.start(
            *("tcpdump", "-n", "-p", "-Z", "root", "--time-stamp-precision=nano"),
            *(() if bulk else ("-U", "--immediate-mode")),
            *("-B", str(buffer), "-s", str(snaplen), "-i", interface, "-w", str(path), filter),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        hurry(who=self.process.pid)
        self._said = b""
        self._wait_for(b"listening on")

    def _wait_for(self, words: bytes) -> None:
        """Read what tcpdump says until it has said ``words``."""
        assert self.process.stderr is not None
        give_up = time.monotonic() + PATIENCE
        while words not in self._said:
            ready, _, _ = select.select([self.process.stderr], [], [], max(0.0, give_up - time.monotonic()))
            piece = self.process.stderr.read1(4096) if ready else b""  # type: ignore[attr-defined]
            if not piece:
                raise LabError(f"tcpdump did not begin: {self._said.decode(errors='replace').strip()}")
            self._said += piece

    def settle(self) -> None:
        """Wait until the file does not grow any more: everything that passed is in it."""
        size = -1
        while size != (size := self.path.stat().st_size):
            time.sleep(self._quiet)

    def stop(self) -> None:
        """End tcpdump and check that it lost nothing; a second call does nothing."""
        if self.process.poll() is not None:
            return
        self.settle()
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=PATIENCE)
        self._said += said
        self._check(self._said.decode(errors="replace"))

    def _check(self, said: str) -> None:
        counts = {what: int(n) for n, what in re.findall(r"(\d+) packets? (captured|received|dropped by kernel)", said)}
        self.captured, self.dropped = counts.get("captured", -1), counts.get("dropped by kernel", -1)
        if self.dropped or self.captured != counts.get("received", -1):
            raise LabError(f"tcpdump lost packets: {said.strip()}")

    def __enter__(self) -> Tap:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
