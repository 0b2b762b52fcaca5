"""How long `teardown live` takes from a packet to the line that says what it means.

    sudo python benchmarks/live_delay.py [CONNECTIONS] [ENGINE ...]

Two namespaces, a veth pair between them. One end sends whole connections that a RST of the client ends (finding TD301),
eight a second, and notes the time just before each RST leaves; the reader notes when the finding's JSON line arrives.
Both clocks are this host's. Every connection has a server of its own, so that no line stands for several. Printed for
each engine, without other traffic and beside 20,000 packets/s of ordinary connections: lines that came, median and
99th percentile in milliseconds.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.live_rate import ABORTED, frames  # noqa: E402
from tests.lab.hosts import Host  # noqa: E402

PAUSE, LOAD = 0.125, 20_000
CLIENT, SERVERS = 99, 98  # 10.99.0.1; 10.98.0.2, 10.98.1.2 and so on: addresses that the load does not have


def probe(count: int) -> None:
    """Send the connections; print each server's address and the time of its RST."""
    made = frames(ABORTED)[:count]
    for place, connection in enumerate(made):
        for (side, *_), frame in zip(ABORTED, connection, strict=True):
            client, server = (26, 30) if side == 0 else (30, 26)
            frame[client + 1], frame[server + 1], frame[server + 2] = CLIENT, SERVERS, place % 256
            frame[server + 3] = 2 + place // 256
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as device:
        device.bind(("source", 0x0800))
        for place, connection in enumerate(made):
            for frame in connection[:-1]:
                device.send(frame.tobytes())
            print(f"10.{SERVERS}.{place % 256}.{2 + place // 256}", time.time(), flush=True)
            device.send(connection[-1].tobytes())
            time.sleep(PAUSE)


def measure(sink: Host, source: Host, engine: str, load: int, count: int) -> list[float]:
    """The delays in seconds of the lines that came."""
    live = (sys.executable, "-m", "analyzer.cli", "live", "--engine", engine, "-i", "sink", "--json")
    with tempfile.TemporaryFile() as errors:
        watch = sink.start(*live, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
        while b"watching" not in os.pread(errors.fileno(), 10_000, 0):
            if watch.poll() is not None:
                raise SystemExit(os.pread(errors.fileno(), 10_000, 0).decode())
            time.sleep(0.1)
        seconds = count * PAUSE + 6
        sends = (sys.executable, str(ROOT / "benchmarks/live_rate.py"), "send", str(load), str(seconds))
        busy = source.start(*sends, stdout=subprocess.DEVNULL) if load else None
        time.sleep(1)
        sender = source.start(sys.executable, __file__, "probe", str(count), stdout=subprocess.PIPE, text=True)
        stop = subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -INT {watch.pid}"])
        assert watch.stdout is not None
        came = [(time.time(), json.loads(line)) for line in watch.stdout]
        sent = dict(line.split() for line in sender.communicate()[0].splitlines())
        for process in filter(None, (busy, stop, watch)):
            process.wait()
    found = [(at, event["server_ip"]) for at, event in came if event["event"] == "finding" and event["code"] == "TD301"]
    return [at - float(sent[server]) for at, server in found if server in sent]


def main(count: int, engines: list[str]) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    sink, source = (Host(name, f"td-{os.getpid()}-delay-{name}") for name in ("sink", "source"))
    try:
        sink.run("ip", "link", "add", "sink", "type", "veth", "peer", "name", "source", "netns", source.name)
        for place, device in ((sink, "sink"), (source, "source")):
            place.run("ip", "link", "set", device, "up")
        print(f"{'engine':<10}{'load':>8}{'lines':>13}{'median ms':>10}{'p99 ms':>10}")
        for engine in engines:
            for load in (0, LOAD):
                delays = measure(sink, source, engine, load, count)
                middle, late = np.percentile(delays, (50, 99)) * 1000 if delays else (np.nan, np.nan)
                print(f"{engine:<10}{load:>8,}{len(delays):>6} of {count:<4}{middle:>9.0f}{late:>10.0f}", flush=True)
    finally:
        sink.remove()
        source.remove()


if __name__ == "__main__":
    if sys.argv[1:2] == ["probe"]:
        probe(int(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 200, sys.argv[2:] or ["dumpcap", "tcpdump"])
