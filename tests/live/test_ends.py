"""How a watch ends: everything captured until then is analysed or counted, whatever asks it to end, and soon."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.lab.network import Lab, missing
from tests.live.test_traffic import ROOT, Watching, abort, analysed, pair, same_tables

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
SYNS = """
import socket, struct, sys
count = int(sys.argv[1])
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
head = bytes.fromhex("ffffffffffff020000000001" "0800" "450000280000000040060000" "0a010105" "0a010263")
for place in range(count):
    tcp = struct.pack(">HHIIHHHH", 1024 + place % 60000, place // 60000 + 1, place, 0, 0x5002, 64240, 0, 0)
    raw.send(head + tcp)
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(43) as made:
        yield made


@pytest.mark.parametrize("engine", ["dumpcap", "tcpdump"])
def test_what_waits_when_it_is_interrupted_is_analysed_or_counted(lab: Lab, engine: str) -> None:
    sent = 150_000
    watching = Watching(lab.a, "--engine", engine)
    lab.a.run(sys.executable, "-c", SYNS, str(sent))
    assert watching.end(signal.SIGINT)[0] == 0
    summary = watching.events[-1]
    assert summary["segments"] + summary["lost"] >= sent


def test_the_last_packet_before_the_end_is_analysed(lab: Lab) -> None:
    watching = Watching(lab.b, "--engine", "tcpdump")  # which hands on after a second
    abort(pair(lab, 8080)[0])
    assert watching.end(signal.SIGINT) == (0, "")
    assert watching.events[-1]["findings"] == {"TD301": 1}


def test_terminated_while_nobody_reads_it_ends_in_time_with_whole_files(lab: Lab, tmp_path: Path) -> None:
    out, saved = tmp_path / "out", tmp_path / "p.pcapng"
    command = (
        sys.executable,
        "-m",
        "analyzer",
        "live",
        "--json",
        "-i",
        "eth0",
        "--out",
        str(out),
        "--write",
        str(saved),
    )
    process = lab.b.start(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"watching" in process.stderr.readline()
    for port in range(9000, 9100):
        abort(pair(lab, port)[0])
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 2
    assert b"nobody reads the output" in process.stderr.read()
    analysed(saved, tmp_path / "again")
    same_tables(out, tmp_path / "again")


def test_terminated_together_with_its_engine(lab: Lab) -> None:
    """As systemd does, with every process of a service."""
    watching = Watching(lab.b)
    abort(pair(lab, 8080)[0])
    watching.until("TD301")
    children = subprocess.run(["pgrep", "-P", str(watching.process.pid)], capture_output=True, text=True, check=False)
    for pid in map(int, children.stdout.split()):
        os.kill(pid, signal.SIGTERM)
    assert watching.end(signal.SIGTERM) == (0, "")


def test_moved_and_then_told_to_begin_anew(lab: Lab, tmp_path: Path) -> None:
    """The order of logrotate."""
    out, saved = tmp_path / "out", tmp_path / "p.pcapng"
    watching = Watching(lab.b, "--out", str(out), "--write", str(saved))
    abort(pair(lab, 8080)[0])
    watching.until("TD301")
    for path in [*out.iterdir(), saved]:
        path.rename(path.with_name(f"{path.name}.1"))
    watching.process.send_signal(signal.SIGHUP)
    while not saved.exists():
        time.sleep(0.05)
    abort(pair(lab, 8081)[0])
    watching.until("TD301", 2)
    assert watching.end() == (0, "")
    assert [len(pd.read_csv(out / name)) for name in ("announced.csv.1", "announced.csv")] == [1, 1]
    analysed(saved, tmp_path / "again")
    assert len(pd.read_csv(tmp_path / "again" / "flows.csv")) == 1


def test_lines_for_the_journal_have_its_priorities(lab: Lab) -> None:
    reader, writer = os.pipe()
    there = os.fstat(writer)
    command = (sys.executable, "-m", "analyzer", "live", "-i", "eth0", "--count", "1")
    environment = {**os.environ, "JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}
    process = lab.b.start(*command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    assert process.stderr is not None
    process.stderr.readline()
    abort(pair(lab, 8080)[0])
    with os.fdopen(reader) as lines:
        heard = lines.read().splitlines()
    assert process.wait(30) == 0
    assert heard
    assert {line[:3] for line in heard} <= {"<3>", "<4>", "<5>", "<6>"}
