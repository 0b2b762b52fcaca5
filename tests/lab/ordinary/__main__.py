"""Record an ordinary day in namespaces, and say what the program finds in it."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from pathlib import Path

import analyzer
from tests.lab import Lab, forge, missing, pcapfile

from . import __doc__ as about
from .lengthened import connection, lengthened
from .servers import ANSWERS, GREETS, HTTP, HTTPS, SINK, prepare

NAMES = ("day", "late")
SHORT = 26  # packets of a connection in the sample
ADDRESSES = 16  # of clients: TIME_WAIT holds a port for a minute
SHARE_OF_LATE, SHARE_OF_SCANS = 0.05, 0.02
TIME_WAITS = 131_072  # a laboratory's hosts have room for few, and reset what would come after
SNAPLEN = 96
BUFFER = 131_072  # kB, for tcpdump


def record(folder: Path, closes: int, seed: int) -> None:
    """Two recordings in ``folder``: the day, and idle connections whose silence is lengthened."""
    late, scans = round(closes * SHARE_OF_LATE), round(closes * SHARE_OF_SCANS)
    for name, count, kind in (("day", closes - late - scans, "all"), ("late", late, "idle")):
        with Lab() as lab:
            begin(lab, folder)
            if kind == "idle":
                lab.a.sysctl(tcp_timestamps=0)  # they would tell that the silence was lengthened
            with lab.tap("a", folder / f"{name}.pcap", snaplen=SNAPLEN, buffer=BUFFER, bulk=True):
                tell(folder / f"{name}.json", live(lab, count, seed, kind, scans if kind == "all" else 0))
    raw = folder / "late.pcap"
    link, packets = pcapfile.read(raw)
    pcapfile.write(raw, link, lengthened(link, packets, seed), SNAPLEN)


def begin(lab: Lab, folder: Path) -> None:
    """Start the servers and give the clients their addresses."""
    for host in (lab.a, lab.b):
        host.sysctl(tcp_max_tw_buckets=TIME_WAITS)
    configuration = prepare(lab.b.address, folder)
    for number in range(3, 3 + ADDRESSES):
        lab.a.run("ip", "address", "add", f"10.{lab.number}.1.{number}/24", "dev", "eth0")
        lab.m.run("ip", "neigh", "replace", f"10.{lab.number}.1.{number}", "lladdr", "02:00:00:00:01:02", "dev", "to-a")
    lab.b.start("nginx", "-c", str(configuration))
    lab.b.start(sys.executable, "-m", "tests.lab.ordinary.servers", lab.b.address)
    for port in (HTTP, HTTPS, ANSWERS, SINK, GREETS):
        wait_for(lab, port)


def wait_for(lab: Lab, port: int) -> None:
    """Until somebody listens."""
    for _ in range(100):
        try:
            lab.a.connect((lab.b.address, port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nobody listens on port {port}")


def live(lab: Lab, closes: int, seed: int, kind: str, scans: int) -> dict[str, int]:
    """Let the clients do what they do; a scanner, whose SYNs no socket stands behind, beside them."""
    addresses = [f"10.{lab.number}.1.{number}" for number in range(3, 3 + ADDRESSES)]
    module = ("-m", "tests.lab.ordinary.clients")
    command = (sys.executable, *module, lab.b.address, str(closes), str(seed), kind, *addresses)
    clients = lab.a.start(*command, stdout=-1)
    for number in range(scans):
        syn = forge.segment(
            (lab.a.address, 20_000 + number % 12_000), (lab.b.address, HTTP), seq=1000 + number, flags=2, window=1024
        )
        forge.send(lab.a, syn)
        time.sleep(0.002)
    said, _ = clients.communicate()
    if clients.returncode:
        raise RuntimeError(f"the clients failed: {clients.returncode}")
    time.sleep(1.0)  # what is half closed is closed by then
    return {**json.loads(said), **({"scanned": scans} if scans else {})}


def sample(folder: Path) -> None:
    """Short connections of both recordings, compressed, beside this file: a test analyses them."""
    for name in NAMES:
        link, packets = pcapfile.read(folder / f"{name}.pcap")
        count = Counter(connection(link, packet) for packet in packets)
        few, short = [packet for packet in packets if count[connection(link, packet)] <= SHORT], folder / "short.pcap"
        pcapfile.write(short, link, few, SNAPLEN)
        packed = gzip.compress(short.read_bytes(), 9, mtime=0)
        Path(__file__).with_name(f"{name}.pcap.gz").write_bytes(packed)


def tell(path: Path, counts: dict[str, int]) -> None:
    path.write_text(json.dumps(counts, indent=2, sort_keys=True) + "\n")


def report(folder: Path) -> int:
    """Say what is found, by severity and code; returns how many findings are at warning or above."""
    bad = 0
    for name in NAMES:
        found = analyzer.analyze(folder / f"{name}.pcap")
        grave = found.findings[found.findings["severity"] != "info"]
        bad += len(grave)
        print(f"{name}: {len(found.flows)} connections, {len(grave)} findings at warning or above")
        print(found.flows.groupby(["teardown", "closed_by"], observed=True, dropna=False).size().to_string())
        print(found.findings.groupby(["severity", "code"], observed=True).size().to_string())
        for code, some in grave.groupby("code", observed=True):
            print(f"{code}, {len(some)} times, for instance stream {some.iloc[0]['stream']}: {some.iloc[0]['message']}")
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the recordings are put")
    parser.add_argument("--closes", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", action="store_true", help="put the short connections beside this program, too")
    parser.add_argument("--only", action="store_true", help="analyse what was recorded there")
    wanted = parser.parse_args()
    if not wanted.only:
        if reason := missing("nginx", "openssl"):
            parser.error(reason)
        wanted.folder.mkdir(parents=True, exist_ok=True)
        record(wanted.folder, wanted.closes, wanted.seed)
    if wanted.sample:
        sample(wanted.folder)
    return min(report(wanted.folder), 1)


if __name__ == "__main__":
    sys.exit(main())
