"""Real traffic, watched while it passes: what was announced, what was written, and what the packets say afterwards."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.lab.hosts import Host
from tests.lab.network import Lab, missing

ROOT = Path(__file__).parents[2]
ABORT = b"\1\0\0\0\0\0\0\0"  # SO_LINGER: on, zero seconds
needs_lab = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


class Watching:
    """``teardown live --json`` inside a host of the laboratory."""

    def __init__(self, host: Host, *options: str, wait: bool = True) -> None:
        self.events: list[dict[str, Any]] = []
        command = (sys.executable, "-m", "analyzer.cli", "live", "--json", "-i", "eth0", *options)
        self.process = host.start(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        begun = self.process.stderr.readline().decode() if wait else "watching eth0"
        assert begun.startswith("watching eth0"), begun
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def found(self, code: str, event: str) -> list[dict[str, Any]]:
        return [entry for entry in list(self.events) if entry["event"] == event and entry.get("code", code) == code]

    def until(self, code: str, count: int = 1, event: str = "finding") -> list[dict[str, Any]]:
        """Wait until ``count`` of ``code`` were announced."""
        while told_of(found := self.found(code, event)) < count:
            assert self._reader.is_alive(), f"it ended before {count} {code}: {self.events}"
            time.sleep(0.02)
        return found

    def end(self, number: int | None = signal.SIGINT) -> tuple[int, str]:
        """Ask it to end (unless it does by itself); exit status and what it complained about."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(30)
        self._reader.join()
        assert self.process.stderr is not None
        return status, self.process.stderr.read().decode()


def told_of(events: list[dict[str, Any]]) -> int:
    """Of how many connections some events tell."""
    return sum(1 + event.get("more", 0) for event in events)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(41) as made:
        yield made


def pair(lab: Lab, port: int) -> tuple[socket.socket, socket.socket]:
    return lab.connect(port)


def abort(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    client.close()


def last_packet(lab: Lab) -> None:
    """A refused connection just before the end, so that the packets end when the watch does."""
    with lab.a.new_socket() as refused, pytest.raises(ConnectionRefusedError):
        refused.connect((lab.b.address, 9))
    time.sleep(1.3)  # tcpdump hands on after a second where hardly anything passes


def analysed(capture: Path, folder: Path, *options: str) -> None:
    command = [sys.executable, "-m", "analyzer.cli", "analyze", str(capture), "--quiet", "--out", str(folder), *options]
    subprocess.run(command, cwd=ROOT, check=True)


def rows(path: Path, drop: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The rows of a table but for columns that name the end of the capture, in an order of their own."""
    frame = pd.read_csv(path, dtype=str).fillna("")
    frame = frame[frame.get("event", pd.Series([""] * len(frame))) != "capture-end"]
    return sorted(frame.drop(columns=list(drop), errors="ignore").itertuples(index=False, name=None))


def same_tables(one: Path, other: Path) -> None:
    """Ages that run until the end differ by the moment between the last packet and the end."""
    for name, drop in (
        ("flows", ("client_close_wait_s", "server_close_wait_s", "client_fin_wait_2_s", "server_fin_wait_2_s")),
        ("timeline", ()),
        ("findings", ("message", "advice")),  # the advice names the file
    ):
        assert rows(one / f"{name}.csv", drop) == rows(other / f"{name}.csv", drop), name


@needs_lab
@pytest.mark.parametrize("engine", ["dumpcap", "tcpdump", "scapy"])
def test_live_says_what_analyze_says_of_the_packets_saved_beside_it(lab: Lab, tmp_path: Path, engine: str) -> None:
    if engine != "scapy" and shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed")
    out, saved = tmp_path / "out", tmp_path / "saved.pcapng"
    options = ("--engine", engine, "--close-wait-leak", "1.5", "--out", str(out), "--write", str(saved))
    watching = Watching(lab.a, *options)
    leaks = [pair(lab, 8080) for _ in range(3)]
    for _, server in leaks:
        server.close()
    for _ in range(20):
        client, server = pair(lab, 8081)
        client.sendall(b"hello")
        assert server.recv(9) == b"hello"
        client.close()
        server.close()
    abort(pair(lab, 8082)[0])
    announced = watching.until("TD101", 3)
    assert {"python" in event.get("socket", "") for event in announced} == {True}
    assert all("kernel state CLOSE_WAIT" in event["socket"] for event in announced)
    watching.until("TD301")
    last_packet(lab)
    assert watching.end() == (0, "")
    summary = watching.events[-1]
    assert (summary["event"], summary["lost"], summary["flows"]) == ("summary", 0, 25)
    assert summary["findings"]["TD101"] == 3
    analysed(saved, tmp_path / "again", "--close-wait-leak", "1.5")
    same_tables(out, tmp_path / "again")
    final = pd.read_csv(out / "announced.csv")
    assert len(final) == len([event for event in watching.events if event["event"] in ("finding", "over")])


@needs_lab
def test_a_leak_that_is_closed_at_last_is_over(lab: Lab) -> None:
    watching = Watching(lab.b, "--close-wait-leak", "1")
    client, server = pair(lab, 8080)
    server.close()
    watching.until("TD101")
    client.close()
    watching.until("TD101", event="over")
    assert watching.end(signal.SIGTERM) == (0, "")


@needs_lab
def test_the_tables_survive_a_kill(lab: Lab, tmp_path: Path) -> None:
    watching = Watching(lab.b, "--close-wait-leak", "1", "--out", str(tmp_path), "--write", str(tmp_path / "p.pcapng"))
    _, server = pair(lab, 8080)
    server.close()
    watching.until("TD101")
    children = subprocess.run(["pgrep", "-P", str(watching.process.pid)], capture_output=True, text=True, check=False)
    for pid in (*map(int, children.stdout.split()), watching.process.pid):
        os.kill(pid, signal.SIGKILL)
    watching.end(None)
    assert pd.read_csv(tmp_path / "announced.csv")["code"].tolist() == ["TD101"]
    analysed(tmp_path / "p.pcapng", tmp_path / "again")
    assert len(pd.read_csv(tmp_path / "again" / "flows.csv")) == 1


@needs_lab
def test_hangup_rotates(lab: Lab, tmp_path: Path) -> None:
    watching = Watching(lab.b, "--out", str(tmp_path), "--write", str(tmp_path / "p.pcapng"))
    abort(pair(lab, 8080)[0])
    watching.until("TD301")
    watching.process.send_signal(signal.SIGHUP)
    abort(pair(lab, 8081)[0])
    watching.until("TD301", 2)
    assert watching.end() == (0, "")
    announced = sorted(tmp_path.glob("announced*.csv"))
    assert [len(pd.read_csv(path)) for path in announced] == [1, 1]
    assert len(list(tmp_path.glob("p*.pcapng"))) == 2


@needs_lab
def test_an_interface_that_goes_away_is_one_line_and_nothing_is_lost(lab: Lab, tmp_path: Path) -> None:
    watching = Watching(lab.b, "--out", str(tmp_path))
    abort(pair(lab, 8080)[0])
    watching.until("TD301")
    lab.b.run("ip", "link", "del", "eth0")
    status, said = watching.end(None)
    assert status == 2
    assert "interface eth0 is gone; the packets captured so far were analysed" in said
    assert watching.events[-1]["event"] == "summary"
    assert len(pd.read_csv(tmp_path / "flows.csv")) == 1


@needs_lab
def test_a_capture_child_that_dies_is_one_line(lab: Lab) -> None:
    watching = Watching(lab.b, "--engine", "tcpdump")
    child = subprocess.run(["pgrep", "-f", "tcpdump -n -U.*-i eth0"], capture_output=True, text=True, check=False)
    inside = lab.b.run("ip", "netns", "pids", lab.b.name).split()
    for pid in set(child.stdout.split()) & set(inside):
        os.kill(int(pid), signal.SIGKILL)
    status, said = watching.end(None)
    assert status == 2
    assert said.startswith("teardown: tcpdump was killed by signal 9")


@needs_lab
def test_duration_and_count_end_it(lab: Lab) -> None:
    watching = Watching(lab.b, "--count", "3")
    abort(pair(lab, 8080)[0])
    assert watching.end(None) == (0, "")
    assert watching.events[-1]["packets"] == 3
    assert Watching(lab.b, "--duration", "500ms").end(None) == (0, "")


@needs_lab
def test_two_interfaces_are_one_capture_in_the_order_of_time(lab: Lab, tmp_path: Path) -> None:
    saved = tmp_path / "p.pcapng"
    command = ("-i", "lo", "--write", str(saved))
    watching = Watching(lab.b, *command)
    for port in (8080, 8081):
        abort(pair(lab, port)[0])
        with lab.b.new_socket() as inside, pytest.raises(ConnectionRefusedError):
            inside.connect(("127.0.0.1", 9))
    watching.until("TD301", 2)
    assert watching.end() == (0, "")
    assert watching.events[-1]["flows"] == 4
    analysed(saved, tmp_path)
    assert "TD906" not in set(pd.read_csv(tmp_path / "findings.csv")["code"])


@needs_lab
def test_pyshark_on_request(lab: Lab) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark, which pyshark drives")
    watching = Watching(lab.b, "--engine", "pyshark", wait=False)
    while not watching.events and watching.process.poll() is None:
        abort(pair(lab, 8080)[0])
        time.sleep(1)
    watching.until("TD301")
    assert watching.end()[0] == 0


@needs_lab
def test_another_hosts_capture_through_a_pipe(lab: Lab) -> None:
    """As ``ssh host tcpdump -U -w - tcp | teardown live -r -``; the capture's end is the watch's end."""
    tcpdump = lab.b.start(
        *("tcpdump", "-n", "-U", "-Z", "root", "--immediate-mode", "-s", "256", "-i", "eth0", "-w", "-", "tcp"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert tcpdump.stdout is not None
    command = (sys.executable, "-m", "analyzer.cli", "live", "-r", "-")
    with subprocess.Popen(command, stdin=tcpdump.stdout, stdout=subprocess.PIPE, text=True, cwd=ROOT) as live:
        assert live.stdout is not None
        time.sleep(1)
        abort(pair(lab, 8080)[0])
        line = live.stdout.readline()
        tcpdump.send_signal(signal.SIGINT)
        rest = live.stdout.read()
    assert "info    TD301 abortive-close stream 0: " in line
    assert "1 connection" in rest
    assert live.returncode == 0
