"""An hour of mixed traffic with faults thrown in: does `teardown live` stay whole, true and flat?

    sudo python benchmarks/soak.py [--minutes 60 | --quick] [--short] [--engine dumpcap,tcpdump] [--folder DIR]

Network namespaces of its own, which are removed at the end, whatever the end is. Traffic as soak_traffic.py makes it,
with some loss and delay by netem (where the kernel has none: loss by nftables); `tcpdump -w` keeps all packets beside
the watch. The watch lives several times, each time with another fault, and is begun anew as systemd would; in runs of
20 minutes and more each fault comes twice, with the engines changed round. After each life everything it wrote is
compared (soak_compare.py states the rules), its status and last words are checked, and its memory. ``--quick`` takes
about two minutes, ``--short`` half a minute. Exit status 0 only if all holds. The report is text, and JSON in the
folder.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.soak_compare import compare
from benchmarks.soak_life import Life, Running
from tests.lab.hosts import LabError
from tests.lab.network import Lab, missing

TRAFFIC = str(Path(__file__).with_name("soak_traffic.py"))
SETTLED, GROWTH, SPARE, MOST = 90.0, 0.10, 15.0, 1500.0  # s; share and MB that memory may grow after it; MB at most
SOON = 8.0  # seconds from SIGTERM to the end: five as documented, and a busy machine
DISK_MB, DISK_MB_A_MINUTE = 64, 12
TWICE = 1200.0  # s
LOSE = "add rule inet soak lose meta l4proto tcp numgen random mod 200 == 0 drop"
Fault = Callable[["Soak", Running, float], None]


def rotate(soak: "Soak", running: Running, seconds: float) -> None:
    """logrotate's order, twice: move, then SIGHUP. A reader that stops for a while in between."""
    for turn in range(2):
        time.sleep(seconds / 4)
        for path in list(soak.out.iterdir()):
            if path.name in ("packets.pcapng", "flows.csv", "timeline.csv", "findings.csv", "announced.csv"):
                path.rename(path.with_name(f"{path.name}.{turn}"))
        running.watch.send_signal(signal.SIGHUP)
    running.reader.send_signal(signal.SIGSTOP)
    time.sleep(seconds / 4)
    running.reader.send_signal(signal.SIGCONT)
    time.sleep(seconds / 4)
    running.end(signal.SIGTERM)


def kill_engine(soak: "Soak", running: Running, seconds: float) -> None:
    """kill -9 of the engine."""
    time.sleep(seconds)
    for pid in running.engines():
        os.kill(pid, signal.SIGKILL)
    running.end(None)


def fill_disk(soak: "Soak", running: Running, seconds: float) -> None:
    """No space for a third of the time, then space again."""
    time.sleep(seconds / 3)
    filler = soak.out.parent / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], stderr=subprocess.DEVNULL, check=False)
    time.sleep(seconds / 3)
    filler.unlink()
    time.sleep(seconds / 3)
    running.end(signal.SIGTERM)


def flap(soak: "Soak", running: Running, seconds: float) -> None:
    """The interface goes down, and up again two seconds later. A watch that goes on is ended."""
    time.sleep(seconds * 2 / 3)
    soak.lab.b.run("ip", "link", "set", "eth0", "down")
    time.sleep(2)
    soak.connect()
    time.sleep(seconds / 3)
    running.end(signal.SIGTERM if running.watch.poll() is None else None)


def stop_reader(soak: "Soak", running: Running, seconds: float) -> None:
    """SIGTERM while the reader does not read."""
    time.sleep(seconds / 2)
    running.reader.send_signal(signal.SIGSTOP)
    time.sleep(seconds / 2)
    running.end(signal.SIGTERM)


def flood(soak: "Soak", running: Running, seconds: float) -> None:
    """A burst of SYNs of hosts that are not there, then SIGTERM under the load of another."""
    time.sleep(seconds / 2)
    for end in (False, True):
        burst = soak.lab.a.start(sys.executable, TRAFFIC, "flood", soak.lab.b.address, "20000")
        if not end:
            burst.wait()
            time.sleep(seconds / 2)
    running.end(signal.SIGTERM)
    burst.wait()


# fault, statuses allowed, whether all packets can be saved, whether none may be lost, share of the time
LIVES: dict[str, tuple[Fault, set[int], bool, bool, float]] = {
    "rotate": (rotate, {0}, True, True, 0.4),
    "kill-engine": (kill_engine, {2}, True, True, 0.1),
    "fill-disk": (fill_disk, {2}, False, True, 0.15),
    "flap": (flap, {0, 2}, True, False, 0.1),
    "stop-reader": (stop_reader, {0, 2}, True, True, 0.1),
    "flood": (flood, {0}, True, False, 0.15),
}


class Soak:
    """The namespaces, the traffic, and the lives one after the other."""

    def __init__(self, lab: Lab, folder: Path, disk: Path) -> None:
        self.lab, self.folder, self.disk, self.out = lab, folder, disk, disk / "out"
        self.lives: list[Life] = []

    def traffic(self, rate: float) -> None:
        a, b = self.lab.a, self.lab.b
        try:
            for host, device in ((self.lab.m, "to-a"), (a, "eth0")):
                host.run("tc", "qdisc", "add", "dev", device, "root", "netem", "delay", "2ms", "1ms", "loss", "0.5%")
        except LabError:
            print("this kernel has no netem: nftables loses packets, and there is no delay", flush=True)
            hook = "{ type filter hook forward priority 0; policy accept; }"
            words = ("add table inet soak", f"add chain inet soak lose {hook}", LOSE)
            self.lab.m.run("nft", "; ".join(words))
        server = b.start(sys.executable, TRAFFIC, "server", b.address, b.address6, stdout=subprocess.PIPE)
        assert server.stdout is not None
        server.stdout.readline()
        a.start(sys.executable, TRAFFIC, "client", b.address, b.address6, str(rate), a.address)

    def connect(self) -> None:
        """Bring the interface up again, with what the kernel forgot of it when it went down."""
        number = self.lab.number
        self.lab.b.run("ip", "link", "set", "eth0", "up")
        self.lab.b.run("ip", "address", "replace", f"fd00:{number}:2::2/64", "dev", "eth0", "nodad")
        for family, gateway in (("-4", f"10.{number}.2.1"), ("-6", f"fd00:{number}:2::1")):
            self.lab.b.run("ip", family, "neigh", "replace", gateway, "lladdr", "02:00:00:00:02:01", "dev", "eth0")
            self.lab.b.run("ip", family, "route", "replace", "default", "via", gateway)

    def live(self, name: str, engine: str, seconds: float) -> Life:
        """One life from its begin to its verdict."""
        fault, statuses, whole, lossless, _ = LIVES[name]
        life = Life(name, engine, self.folder / f"{len(self.lives)}-{name}-{engine}")
        self.lives.append(life)
        self.out.mkdir(exist_ok=True)
        fault(self, Running(self.lab.b, life, self.out), seconds)
        life.check(life.status in statuses, f"exit status {life.status}")
        life.check(life.broken_lines == 0 or name == "stop-reader", f"{life.broken_lines} lines are no JSON")
        life.check("Traceback" not in life.said, "a traceback")
        life.check(name == "fill-disk" or len(life.said.splitlines()) == (life.status != 0), f"it said: {life.said}")
        lost = life.summary.get("lost", 0)
        life.check(not lossless or lost == 0, f"it lost {lost} packets")
        if name != "kill-engine":
            life.check(life.ended_after <= SOON, f"it took {life.ended_after:.1f} s to end")
        compare(life, whole, lossless)
        flat(life)
        return life


def flat(life: Life) -> None:
    """Memory has a limit, and after the first connections' TIME_WAIT it grows no more."""
    size = np.array(life.memory)
    most = float(size[:, 1].max())
    life.judged["MB at most"] = round(most)
    life.check(most <= MOST, f"{most:.0f} MB of memory")
    settled = size[size[:, 0] > SETTLED, 1]
    if len(settled) >= 60 and life.name != "flood":
        fifth = len(settled) // 5
        early, late = float(np.median(settled[:fifth])), float(np.median(settled[-fifth:]))
        life.judged["MB settled"], life.judged["MB at the end"] = round(early), round(late)
        life.check(late - early <= GROWTH * early + SPARE, f"memory grew from {early:.0f} to {late:.0f} MB")


def tell(life: Life) -> None:
    verdict = "holds" if not life.problems else f"{len(life.problems)} PROBLEMS"
    facts = [f"status {life.status}", f"{life.summary.get('packets', 0):,} packets"]
    facts += [f"{life.summary.get('flows', 0):,} connections", f"ended after {life.ended_after:.1f} s"]
    print(f"{life.name} ({life.engine}, {life.lasted:.0f} s): {verdict}; {', '.join(facts)}")
    for what, number in life.judged.items():
        print(f"    {what}: {number:,}")
    if life.said:
        print(f"    said: {life.said}")
    for problem in life.problems:
        print(f"    PROBLEM: {problem}")
    sys.stdout.flush()


def soak(folder: Path, seconds: float, engines: list[str], names: list[str], rate: float) -> int:
    disk = folder / "disk"
    disk.mkdir(parents=True)
    size = f"size={DISK_MB + round(seconds / 60 * DISK_MB_A_MINUTE)}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "soak", str(disk)], check=True)
    try:
        with Lab(61) as lab:
            run = Soak(lab, folder, disk)
            run.traffic(rate)
            rounds = 2 if seconds >= TWICE else 1
            seconds /= rounds * sum(LIVES[name][-1] for name in names)
            for turn, name in enumerate(names * rounds):
                engine = engines[(turn + turn // len(names)) % len(engines)]
                life = run.live(name, engine, seconds * LIVES[name][-1])
                tell(life)
                (folder / "report.json").write_text(json.dumps([asdict(life) for life in run.lives], default=str))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
    bad = sum(bool(life.problems) for life in run.lives)
    print(f"{len(run.lives)} lives, {bad} with problems")
    return 1 if bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    parser.add_argument("--short", action="store_true", help="half a minute: rotation, a killed engine, a full disk")
    parser.add_argument("--engine", default="dumpcap,tcpdump", help="engines, which take turns")
    parser.add_argument("--lives", default=",".join(LIVES), help="faults, in their order")
    parser.add_argument("--rate", type=float, default=30.0, help="connections a second")
    parser.add_argument("--folder", type=Path, help="where everything is kept; removed at the end without it")
    given = parser.parse_args()
    if why := missing("tc"):
        print(why, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    names = ["rotate", "kill-engine", "fill-disk"] if given.short else given.lives.split(",")
    seconds = 15.0 if given.short else 70.0 if given.quick else given.minutes * 60
    engines = [engine for engine in given.engine.split(",") if shutil.which(engine)]
    folder = given.folder or Path(tempfile.mkdtemp(prefix="teardown-soak-"))
    try:
        return soak(folder, seconds, engines, names, given.rate)
    finally:
        if not given.folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
