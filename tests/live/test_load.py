"""nginx under wrk, with leaks planted by a client, watched while it happens; a burst of SYNs; a full disk."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from analyzer.capture.live.request import Request
from analyzer.capture.live.stream import LiveStream
from analyzer.capture.packets import PACKET, Packets
from analyzer.live.retirement import Limits
from analyzer.live.totals import WatchTotals
from analyzer.live.watch import Watch
from analyzer.segments.table import SYN
from analyzer.settings import Settings
from tests.lab.hosts import Host
from tests.lab.network import Lab, missing
from tests.live.test_metrics import by_state, served, ss
from tests.live.test_traffic import Watching, analysed, last_packet, same_tables, told_of

pytest.importorskip("prometheus_client", reason="needs prometheus-client (the extra live)")
WHY_NOT = missing("nginx", "wrk")
LEAKS = 7
NGINX = """
daemon off; master_process off; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {home};
  server {{ listen {address}:8080 backlog=4096; location / {{ return 200 "hello"; }} }} }}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A laboratory with nginx at B."""
    with Lab(43) as made:
        made.b.sysctl(tcp_max_tw_buckets=1 << 17)  # else some kernels keep 2048 of them
        (tmp_path / "nginx.conf").write_text(NGINX.format(home=tmp_path, address=made.b.address))
        made.b.start("nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), stderr=subprocess.DEVNULL)
        while "8080" not in made.b.run("ss", "-Htln"):
            time.sleep(0.05)
        yield made


def settled(host: Host, time_wait: int) -> str:
    """What is served once everything that passed was looked at; TIME_WAIT lasts long enough to wait for that."""
    for _ in range(20):
        time.sleep(1)
        metrics = served(host)
        if by_state(metrics, "server")["TIME_WAIT"] == time_wait:
            break
    return metrics


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")
def test_nginx_under_wrk_with_leaks(lab: Lab, tmp_path: Path) -> None:
    out, saved = tmp_path / "out", tmp_path / "saved.pcapng"
    options = ("--metrics", "9464", "--out", str(out), "--write", str(saved), "--close-wait-leak", "2")
    watching = Watching(lab.b, *options)
    leaked = []
    for _ in range(LEAKS):
        client = lab.a.connect((lab.b.address, 8080))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while client.recv(4096):
            pass
        leaked.append(client)
        lab.sockets.append(client)
    url = f"http://{lab.b.address}:8080/"
    lab.a.run("wrk", "-t1", "-c8", "-d2", "-H", "Connection: close", url)
    assert told_of(watching.until("TD101", LEAKS)) == LEAKS
    at_a, at_b = ss(lab.a), ss(lab.b)
    metrics = settled(lab.b, at_b["TIME_WAIT"])
    assert by_state(metrics, "client")["CLOSE_WAIT"] == at_a["CLOSE_WAIT"] == LEAKS
    assert by_state(metrics, "server")["FIN_WAIT_2"] == at_b["FIN_WAIT_2"] == LEAKS
    assert at_b["TIME_WAIT"] > 500
    assert by_state(metrics, "server")["TIME_WAIT"] == at_b["TIME_WAIT"]
    last_packet(lab)
    assert watching.end() == (0, "")
    assert watching.events[-1]["lost"] == 0
    analysed(saved, tmp_path / "again", "--close-wait-leak", "2")
    same_tables(out, tmp_path / "again")
    for client in leaked:
        client.close()


def child_of(watching: Watching) -> int:
    """The process that captures."""
    found = subprocess.run(["pgrep", "-P", str(watching.process.pid)], capture_output=True, text=True, check=True)
    (pid,) = found.stdout.split()
    return int(pid)


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")
@pytest.mark.parametrize("engine", ["tcpdump", "scapy"])
def test_drops_are_counted_and_make_verdicts_less_sure(lab: Lab, engine: str) -> None:
    """The engine is stopped while far more passes than it has room for."""
    watching = Watching(lab.b, "--engine", engine, "--buffer", "1", "--close-wait-leak", "3")
    client = lab.a.connect((lab.b.address, 8080))
    lab.sockets.append(client)
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    while client.recv(4096):
        pass
    time.sleep(1.5)
    child = child_of(watching)
    os.kill(child, signal.SIGSTOP)
    lab.a.run("wrk", "-t1", "-c8", "-d1", f"http://{lab.b.address}:8080/")
    os.kill(child, signal.SIGCONT)
    leak = watching.until("TD101")[0]
    assert (leak["stream"], leak["confidence"]) == (0, "medium")
    assert watching.end() == (0, "")
    summary = watching.events[-1]
    assert summary["lost"] > 100
    assert any("packets were lost: findings" in notice for notice in summary["notices"])


class Burst:
    """A source that brings a million SYNs from a million addresses, and then nothing."""

    behind, delay, losses_known = False, 0.0, True

    engine, trouble, lost, bytes_read = "eth0", "", 0, 0

    def __init__(self, count: int, at_once: int = 50_000) -> None:
        path = Path(__file__).parents[2] / "captures" / "close-wait-leak.pcap"
        with LiveStream.begin(Request(pipe=str(path))) as stream:
            whole = stream.poll(5)
        assert whole is not None
        row = whole.rows[0]
        self._frame = whole.data[row["offset"] :][: row["captured"]].copy()
        assert self._frame[47] == SYN
        self.ended, self.packets, self._left, self._at_once = False, 0, count, at_once
        self.notices = self.interfaces = ()
        self.link_types: dict[int, int] = {}

    def poll(self, seconds: float) -> Packets | None:
        if not self._left:
            self.ended = True
            return None
        count, size = min(self._left, self._at_once), len(self._frame)
        data = np.tile(self._frame, (count, 1))
        number = np.arange(self.packets, self.packets + count)
        for place in range(4):
            data[:, 26 + place] = number >> 8 * (3 - place) & 255
        rows = np.zeros(count, PACKET)
        rows["time"] = time.time_ns() + np.arange(count)
        rows["frame"], rows["link"] = number + 1, 1
        rows["offset"], rows["captured"], rows["length"] = np.arange(count) * size, size, size
        self._left, self.packets = self._left - count, self.packets + count
        return Packets(data.reshape(-1), rows)

    def ask_losses(self) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


def test_a_burst_of_syns_is_survived_in_bounded_memory() -> None:
    watch = Watch(Burst(300_000), Settings(), Limits(max_flows=5_000), (), WatchTotals("burst"))  # type: ignore[arg-type]
    held = []
    track = watch._track
    watch._track = lambda batch: (track(batch), held.append(watch.analysis.held))[0]  # type: ignore[method-assign]
    watch.run()
    assert watch.totals.packets == watch.totals.flows == 300_000
    assert max(held) <= 5_000 * 1.25 + 50_000
    assert watch.totals.crowded_out >= 290_000


def test_a_full_disk_is_survived_or_told(tmp_path: Path) -> None:
    """/dev/full refuses every byte: the packets are not kept, the watch goes on and ends well."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which this system does not have")
    capture = Path(__file__).parents[2] / "captures" / "close-wait-leak.pcap"
    command = [sys.executable, "-m", "analyzer.cli", "live", "--json", "-r", str(capture), "--out", str(tmp_path)]
    (tmp_path / "p.pcapng").symlink_to("/dev/full")
    (tmp_path / "flows.csv").symlink_to("/dev/full")
    done = subprocess.run(
        [*command, "--write", str(tmp_path / "p.pcapng")], capture_output=True, cwd=capture.parents[1], check=False
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["event"] for event in events} == {"notice", "finding", "summary"}
    assert (tmp_path / "findings.csv").read_text().count("TD101") == 1
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].startswith(f"teardown: cannot write {tmp_path}/flows.csv: No space")
