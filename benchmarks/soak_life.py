"""One life of the watch that the soak has under test: its processes, its memory, and what it leaves behind."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.hosts import Host

ROOT = Path(__file__).parents[1]
FILTER = "tcp or icmp or icmp6"
APART = {"start_new_session": True}  # a terminal that goes away hangs up on a whole session: SIGHUP rotates
END_WITHIN = 60.0  # seconds from the request to end to the end, of a busy machine


@dataclass
class Life:
    """What is known of one life."""

    name: str
    engine: str
    folder: Path
    status: int | None = None
    said: str = ""
    ended_after: float = 0.0
    lasted: float = 0.0
    beside_lost: int = -1
    summary: dict[str, Any] = field(default_factory=dict)
    memory: list[tuple[float, float]] = field(default_factory=list)  # seconds, MB of the watch and its children
    broken_lines: int = 0
    problems: list[str] = field(default_factory=list)
    judged: dict[str, int] = field(default_factory=dict)  # differences that a stated rule explains

    def check(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


def children(pid: int) -> list[int]:
    """The processes that ``pid`` started, and theirs."""
    try:
        lists = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    own = [int(word) for words in lists for word in words]
    return own + [below for child in own for below in children(child)]


def resident(pid: int) -> float:
    """MB."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    except (OSError, IndexError):
        return 0.0


class Running:
    """A watch that runs, a reader of its lines, and tcpdump beside it."""

    def __init__(self, host: Host, life: Life, out: Path) -> None:
        self.life, self.out = life, out
        self.lines, self.beside = life.folder / "lines.jsonl", life.folder / "beside.pcap"
        life.folder.mkdir(parents=True)
        options = ("-n", "-Z", "root", "-s", "256", "-B", "65536", "--immediate-mode")
        dump = ("tcpdump", *options, "-i", "eth0", "-w", str(self.beside), FILTER)
        self.tcpdump = host.start(*dump, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self.tcpdump.stderr is not None
        self.tcpdump.stderr.readline()
        live = (sys.executable, "-m", "analyzer.cli", "live", "--json", "-i", "eth0", "--engine", life.engine)
        where = ("--out", str(out), "--write", str(out / "packets.pcapng"), "--metrics", "9464")
        self._errors = (life.folder / "stderr.txt").open("wb")
        self.watch = host.start(*live, *where, cwd=ROOT, stdout=subprocess.PIPE, stderr=self._errors, **APART)
        with self.lines.open("wb") as target:
            self.reader = host.start("cat", stdin=self.watch.stdout, stdout=target)
        assert self.watch.stdout is not None
        self.watch.stdout.close()
        self.begun = time.monotonic()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        while b"watching" not in (life.folder / "stderr.txt").read_bytes():
            if self.watch.poll() is not None or time.monotonic() - self.begun > 120:
                raise RuntimeError(f"the watch did not begin: {(life.folder / 'stderr.txt').read_text()}")
            time.sleep(0.1)

    def _sample(self) -> None:
        while self.watch.poll() is None:
            pids = (self.watch.pid, *children(self.watch.pid))
            self.life.memory.append((time.monotonic() - self.begun, sum(map(resident, pids))))
            time.sleep(1)

    def engines(self) -> list[int]:
        """The engine's processes."""
        return children(self.watch.pid)

    def end(self, number: int | None) -> None:
        """Send the signal, if one is given; wait for the end, and keep everything."""
        life, asked = self.life, time.monotonic()
        if number is not None:
            self.watch.send_signal(number)
        try:
            life.status = self.watch.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            life.problems.append(f"it did not end within {END_WITHIN:.0f} s")
            self.watch.kill()
            self.watch.wait()
        life.ended_after, life.lasted = time.monotonic() - asked, time.monotonic() - self.begun
        self.reader.send_signal(signal.SIGCONT)
        self.reader.wait(30)
        self.tcpdump.send_signal(signal.SIGINT)
        assert self.tcpdump.stderr is not None
        last = self.tcpdump.stderr.read().decode()
        self.tcpdump.wait()
        counts = [line.split()[0] for line in last.splitlines() if "dropped by" in line]
        life.beside_lost = sum(map(int, counts)) if counts else -1
        self._errors.close()
        self._keep()

    def _keep(self) -> None:
        life = self.life
        said = (life.folder / "stderr.txt").read_text().splitlines()
        life.said = "\n".join(line for line in said if not line.startswith("watching"))
        for line in self.lines.read_bytes().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                life.broken_lines += 1
                continue
            if event["event"] == "summary":
                life.summary = event
        for path in self.out.iterdir():
            shutil.move(path, life.folder / path.name)
