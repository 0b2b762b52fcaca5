"""Standard input and pipes: what arrives is handed on without waiting for a full batch."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyzer.capture import open_captures, open_pipe
from tests.capture.build import EPOCH, clock, enhanced, interface, pcap, rows_of, section

ROOT = Path(__file__).parents[2]
COUNT = "from analyzer.capture import open_captures; print(sum(len(b.rows) for b in open_captures(['-'])))"


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_packets_flow_on_as_they_come(form: str, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    if form == "pcap":
        head, packet = pcap([]), pcap([(EPOCH, 0, b"x" * 60)])[24:]
    else:
        head, packet = section() + interface(options=clock(9)), enhanced(EPOCH * 10**9, b"x" * 60)
    pipe = os.open(path, os.O_RDWR)  # so that opening it to read does not wait for a writer
    try:
        os.write(pipe, head)
        with open_captures([path]) as stream:
            for turn in range(3):
                os.write(pipe, packet * (turn + 1) + packet[:10])
                begun = time.monotonic()
                assert len(rows_of(next(stream))) == turn + 1
                assert time.monotonic() - begun < 5
                os.write(pipe, packet[10:])
                assert len(rows_of(next(stream))) == 1
            assert (stream.packets, stream.bytes_total) == (9, None)
            assert stream.bytes_read == len(head) + 9 * len(packet)
    finally:
        os.close(pipe)


def test_output_of_another_program() -> None:
    """As a live capture is read: a child process that writes, and goes on writing."""
    write = "import sys, time; w = sys.stdout.buffer; w.write(bytes.fromhex(sys.argv[1])); w.flush(); time.sleep(9)"
    data = pcap([(EPOCH, 0, b"x" * 60)] * 3)
    child = subprocess.Popen([sys.executable, "-c", write, data.hex()], stdout=subprocess.PIPE, bufsize=0)
    assert isinstance(child.stdout, io.FileIO)
    try:
        with open_pipe(child.stdout, "interface eth0") as stream:
            assert sum(len(next(stream).rows) for _ in range(1)) == 3
    finally:
        child.kill()
        child.wait()


def count(data: bytes | None, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", COUNT], input=data, cwd=ROOT, capture_output=True, **options
    )


def test_standard_input_as_pipe_and_as_file(tmp_path: Path) -> None:
    data = pcap([(EPOCH + number, 0, b"x" * 900) for number in range(5000)])
    assert count(data).stdout == b"5000\n"
    path = tmp_path / "capture"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert count(None, stdin=file).stdout == b"5000\n"
    assert b"standard input is empty" in count(b"").stderr
