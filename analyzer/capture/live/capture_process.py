"""A capture program as a child process: begun, asked for its losses, ended, and understood when it complains."""

import io
import re
import signal
import subprocess
import threading
from collections import deque

from analyzer.capture.live import error_messages
from analyzer.capture.live.engines import Call

LINES_KEPT = 40
# tcpdump: "3 packets dropped by kernel"; dumpcap: "Packets received/dropped on interface 'eth0': 15/2 (...)"
TCPDUMP_LOST = re.compile(r"(\d+) packets? dropped by (?:kernel|interface)")
TCPDUMP_COUNTS = re.compile(r"\d+ packets? captured, ")  # an answer to SIGUSR1, all counts in one line
DUMPCAP_LOST = re.compile(r"Packets received/dropped on interface '.*': \d+/(\d+) ")
PATIENCE = 5.0  # seconds a child has for its last words


class CaptureProcess:
    """A running engine. ``output`` is what it writes; ``lost`` the packets it says it lost so far."""

    def __init__(self, call: Call, filter: str) -> None:
        self.call = call
        self.lost = 0
        self._filter = filter
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._counts: dict[str, int] = {}
        self._stopped = False
        # A session of its own: Ctrl-C on the terminal reaches us alone, and we end the child in order.
        self._process = subprocess.Popen(
            call.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert isinstance(self._process.stdout, io.FileIO)
        self.output = self._process.stdout
        self._reader = threading.Thread(target=self._listen, name=f"{call.engine} says", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _listen(self) -> None:
        assert self._process.stderr is not None
        rest = b""
        while piece := self._process.stderr.read(4096):
            *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
            rest = rest[-4096:]
            for line in lines:
                self._hear(line.decode(errors="replace"))
        self._hear(rest.decode(errors="replace"))

    def _hear(self, line: str) -> None:
        if found := DUMPCAP_LOST.search(line):
            self._counts[line.split("':")[0]] = int(found[1])
        elif found := TCPDUMP_LOST.search(line):
            if TCPDUMP_COUNTS.search(line):
                self._counts["kernel"] = sum(map(int, TCPDUMP_LOST.findall(line)))
            else:
                self._counts["kernel" if "kernel" in line else "interface"] = int(found[1])
        elif line.strip():
            self._lines.append(line)
        self.lost = max(self.lost, sum(self._counts.values()))

    def ask_losses(self) -> None:
        """Ask for the counts; they arrive in ``lost`` a moment later. Not every engine tells before its end."""
        if self.call.tells_losses and self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        """Ask it to end: it writes what it still holds, and its counts."""
        self._stopped = True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def trouble(self) -> str:
        """After its output has ended: why it ended though nobody asked it to; "" where all is well."""
        status = self._wait()
        if self._stopped:
            return ""
        return error_messages.ended_early(self.call.engine, self.call.interfaces, status, list(self._lines))

    def refusal(self) -> str:
        """After it ended without any output: why it could not begin."""
        self._wait()
        return error_messages.cannot_begin(self.call.engine, self.call.interfaces, self._filter, list(self._lines))

    def _wait(self) -> int:
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join(PATIENCE)
        return status

    def close(self) -> None:
        """Leave nothing running or open."""
        if self._process.poll() is None:
            self._process.kill()
        self._wait()
        if self._process.stderr is not None:
            self._process.stderr.close()
