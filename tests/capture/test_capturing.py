"""Live sources: what cannot begin says why in one line; several sources are put into the order of time."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analyzer.capture import open_captures
from analyzer.capture.live import engines, error_messages
from analyzer.capture.live.capture_process import CaptureProcess
from analyzer.capture.live.request import ENGINES, Request
from analyzer.capture.live.stream import LiveStream, TimeOrder
from analyzer.capture.packets import PACKET, Packets
from analyzer.errors import UnreadableCapture
from tests.lab.hosts import is_root

CAPTURES = Path(__file__).parents[2] / "captures"
INSTALLED = [name for name in ("dumpcap", "tcpdump", "scapy") if name == "scapy" or shutil.which(name)]
may_capture = pytest.mark.skipif(not is_root(), reason="capturing needs root")


def refused(request: Request) -> str:
    with pytest.raises(UnreadableCapture) as caught:
        LiveStream.begin(request).close()
    text = str(caught.value)
    assert "\n" not in text
    return text


@may_capture
@pytest.mark.parametrize("engine", INSTALLED)
def test_no_such_interface(engine: str) -> None:
    assert refused(Request(("no0such",), engine)).startswith("there is no interface no0such; there are: lo, ")


@may_capture
@pytest.mark.parametrize("engine", INSTALLED)
def test_a_bad_filter(engine: str) -> None:
    assert refused(Request(("lo",), engine, "tcp and zork")).startswith("bad capture filter 'tcp and zork': ")


def test_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "tcpdump is not installed" in refused(Request(("lo",), "tcpdump"))
    assert engines.chosen() == "scapy"
    monkeypatch.setitem(sys.modules, "scapy", None)
    assert refused(Request(("lo",))).startswith("no capture engine: install dumpcap")


@pytest.mark.parametrize(
    ("engine", "lines"),
    [
        ("dumpcap", ["Capturing on 'lo'", 'dumpcap: You do not have permission to capture on device "lo".']),
        ("tcpdump", ["tcpdump: lo: You don't have permission to perform this capture on that device"]),
        ("scapy", ["PermissionError: [Errno 1] Operation not permitted"]),
    ],
)
def test_no_privilege_says_how_to_get_it(engine: str, lines: list[str]) -> None:
    text = error_messages.cannot_begin(engine, ("lo",), "tcp", lines)
    assert text.startswith("no privilege to capture on lo: run with sudo, or ")
    assert ("setcap" in text) == (engine != "scapy")


def test_an_engine_that_says_something_else_is_quoted() -> None:
    text = error_messages.cannot_begin("tcpdump", ("lo",), "tcp", ["tcpdump: listening on lo", "it \x1b[2J broke"])
    assert text == "tcpdump could not capture on lo: it \ufffd[2J broke"
    assert error_messages.ended_early("tcpdump", ("lo",), -9, []).startswith("tcpdump was killed by signal 9; ")
    assert error_messages.ended_early("dumpcap", ("gone0",), 1, []).startswith("interface gone0 is gone; ")


def test_every_engine_has_a_call() -> None:
    assert set(engines.MAKERS) == set(ENGINES) - {"auto"}
    call = engines.MAKERS["scapy"]
    assert call(Request(("lo",)))[0].command[0] == sys.executable


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        (b"tcpdump: 13 packets captured, 30 packets received by filter, 7 packets dropped by kernel\n", 7),
        (b"15 packets captured\n30 packets received by filter\n5 packets dropped by kernel\n", 5),
        (b"1 packet captured\n1 packet dropped by kernel\n2 packets dropped by interface\n", 3),
        (b"Packets received/dropped on interface 'Loopback: lo': 15/4 (pcap:4/dumpcap:0/flushed:0/ps_ifdrop:0)\n", 4),
    ],
)
def test_losses_are_read_from_what_engines_say(said: bytes, lost: int) -> None:
    script = f"import sys; sys.stderr.buffer.write({said!r})"
    child = CaptureProcess(engines.Call("tcpdump", (sys.executable, "-c", script), ("lo",)), "tcp")
    assert child.output.read() == b""
    child.trouble()
    assert child.lost == lost
    child.close()
    child.output.close()


def test_a_pipe_is_read_as_it_comes() -> None:
    path = CAPTURES / "close-wait-leak.pcap"
    with LiveStream.begin(Request(pipe=str(path))) as stream:
        count = 0
        while not stream.ended:
            batch = stream.poll(0.2)
            count += 0 if batch is None else len(batch.rows)
    with open_captures([path]) as capture:
        assert count == sum(len(batch.rows) for batch in capture)
    assert stream.trouble == ""


def test_a_pipe_with_something_else_is_one_line() -> None:
    with LiveStream.begin(Request(pipe=str(CAPTURES / "README.md"))) as stream:
        while not stream.ended:
            assert stream.poll(0.2) is None
    assert "is a text file, not a packet capture" in stream.trouble


def batch(*times: int) -> Packets:
    rows = np.zeros(len(times), PACKET)
    rows["time"], rows["captured"] = times, 1
    rows["offset"] = np.arange(len(times))
    return Packets(np.array([time % 251 for time in times], np.uint8), rows)


def bytes_of(packets: Packets) -> list[int]:
    return packets.data[packets.rows["offset"]].tolist()


def test_sources_are_put_in_order() -> None:
    order = TimeOrder(hold=0.0)
    order.add(1, batch(10, 30, 50))
    order.add(2, batch(20, 40, 70))
    first = order.due(running=2)
    assert first is not None
    assert first.rows["time"].tolist() == [10, 20, 30, 40, 50, 70] == bytes_of(first)
    order = TimeOrder(hold=1e-8)
    order.add(1, batch(10, 30, 50))
    order.add(2, batch(20, 40, 55))
    order._since -= 2e-8
    parts = [order.due(2), order.due(0)]
    assert [time for part in parts if part for time in bytes_of(part)] == [10, 20, 30, 40, 50, 55]
    assert order.due(0) is None


def test_the_sniffing_child_ends_when_nobody_reads() -> None:
    command = [sys.executable, "-m", "analyzer.capture.live.sniffer", "scapy", "tcp", "256", "no0such"]
    done = subprocess.run(command, capture_output=True, cwd=CAPTURES.parent, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.count(b"\n") <= 2
