"""Playing a scenario: laboratory, relay, three taps, the kernels' account; and keeping what came of it.

Kept are three captures (``NAME.a.pcap.gz``, ``.m.``, ``.b.``) and ``NAME.json``, the truth. The kernel's events are
of the whole machine and told apart by address, so scenarios that are recorded at once have different addresses.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from . import pcapfile, tracefs
from .hosts import hurry
from .network import Lab
from .scenario import Scenario
from .sockdiag import Poller, Sample
from .tracefs import Tracer
from .truth import Truth, sampled, traced

RECORDINGS = Path(__file__).parent / "recordings"
PLACES = {"a": "a", "m": "middle", "b": "b"}
AT_ONCE = 5
PATIENCE = 150  # seconds; the longest scene waits for TIME_WAIT to end
FIN_TIMEOUT = 50  # seconds; any length but TIME_WAIT's


def reset_reasons() -> dict[int, str]:
    """The kernel's reasons for a RST by number, from the event's own description."""
    text = (tracefs.ROOT / "events" / "tcp" / "tcp_send_reset" / "format").read_text()
    return {int(number): name for number, name in re.findall(r"\{ (\d+), \"(\w+)\" \}", text)}


def play(scenario: Scenario, folder: Path, number: int = 1, *, looks_only: bool = False) -> Truth:
    """Play a scenario in a laboratory of its own and keep its captures and its truth in ``folder``; with
    ``looks_only`` as on a kernel without tracepoints.
    """
    assert scenario.play is not None
    hurry()
    socket.setdefaulttimeout(20)
    samples: dict[str, list[Sample]] = {}
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        lab = stack.enter_context(Lab(number))
        lab.relay(scenario.delay)
        for host in (lab.a, lab.b):
            host.sysctl(tcp_fin_timeout=FIN_TIMEOUT)
        taps = {
            name: lab.tap(place, Path(scratch, f"{name}.pcap"), snaplen=scenario.snaplen, filter=scenario.filter)
            for name, place in PLACES.items()
        }
        with contextlib.ExitStack() as account:
            tracer = account.enter_context(Tracer()) if not (looks_only or tracefs.unavailable()) else None
            pollers = [account.enter_context(Poller(host, 0.01)) for host in (lab.a, lab.b)]
            scenario.play(lab)
            time.sleep(3 * scenario.delay)
            for tap in taps.values():
                tap.stop()
            hurry(False)
        samples = {poller.host.label: poller.samples for poller in pollers}
        hosts = {address: host.label for host in (lab.a, lab.b) for address in addresses(host.run("ip", "-o", "addr"))}
        truth = traced(tracer.events, hosts, reset_reasons(), samples) if tracer else sampled(samples)
        for name, tap in taps.items():
            kept = gzip.compress(tap.path.read_bytes(), 9, mtime=0)
            Path(folder, f"{scenario.name}.{name}.pcap.gz").write_bytes(kept)
    write_truth(truth, scenario, folder)
    return truth


def last_segment(lab: Lab, sock: socket.socket) -> tuple[int, int]:
    """What a box in the middle knows of the connection of ``sock``: the next sequence number it will send, and the
    acknowledgment of the last segment it sent.
    """
    tap = next(tap for tap in lab.taps if tap.path.name == "m.pcap")
    tap.settle()
    link, packets = pcapfile.read(tap.path)
    (source, port), (_, target) = sock.getsockname()[:2], sock.getpeername()[:2]
    sent = [pcapfile.segment(link, packet) for packet in packets]
    last = [one for one in sent if (one.source, one.source_port, one.port) == (source, port, target)][-1]
    return last.seq + last.payload, last.ack


def addresses(listing: str) -> list[str]:
    """The addresses in what ``ip -o addr`` prints, but the loopback's."""
    return [address for address in re.findall(r"inet6? ([0-9a-f.:]+)/", listing) if address not in ("127.0.0.1", "::1")]


def write_truth(truth: Truth, scenario: Scenario, folder: Path) -> None:
    """Keep the account, a line for each endpoint."""
    data = truth.as_json()
    for end in data["endpoints"]:
        end["entered"] = [list(entry.values()) for entry in end["entered"]]
    ends = data.pop("endpoints")
    data |= {"kernel": f"{platform.system()} {platform.release().split('-')[0]}", "delay_s": scenario.delay}
    head = json.dumps(data)[:-1]
    body = ",\n".join(json.dumps(end) for end in ends)
    Path(folder, f"{scenario.name}.json").write_text(f'{head}, "endpoints": [\n{body}\n]}}\n')


def read_truth(name: str, folder: Path = RECORDINGS) -> Truth:
    """The account kept of a scenario."""
    return Truth.of_json(json.loads((folder / f"{name}.json").read_text()))


def record_all(names: list[str], folder: Path = RECORDINGS, *, looks_only: bool = False) -> dict[str, str]:
    """Record several scenarios at once, each by a process of its own; name -> what went wrong."""
    numbers: SimpleQueue[int] = SimpleQueue()
    for number in range(11, 11 + AT_ONCE):
        numbers.put(number)

    def one(name: str) -> str:
        number = numbers.get()
        try:
            command = (sys.executable, "-m", "tests.lab", "play", name, "--to", str(folder), "--number", str(number))
            command += ("--looks-only",) * looks_only
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
            print(f"{name}: {done.stdout.strip() or done.stderr.strip().splitlines()[-1]}", flush=True)
            return "" if done.returncode == 0 else done.stderr
        except subprocess.TimeoutExpired as hung:
            return f"it hung: {hung}"
        finally:
            numbers.put(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {name: words for name, words in zip(names, pool.map(one, names), strict=True) if words}
