"""A terminal that is only half there."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
pytest.importorskip("textual", reason="needs textual (the extra live)")


def read_until(master: int, wanted: bytes) -> bytes:
    """What was drawn until ``wanted`` was."""
    text, end = b"", time.monotonic() + 60
    while wanted not in text and time.monotonic() < end and select.select([master], [], [], 60)[0]:
        text += os.read(master, 65_536)
    return text


def test_lines_are_printed_where_the_screen_would_not_be_seen(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)
    master, slave = pty.openpty()
    with (tmp_path / "errors").open("wb") as errors:
        command = [sys.executable, "-m", "analyzer", "live", "-r", str(fifo), "--duration", "0.1"]
        process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=errors)
    try:
        text = read_until(master, b"no findings")
        assert b"no findings" in text and b"\x1b[" not in text
        assert process.wait(60) == 0
        assert (tmp_path / "errors").read_text().startswith("watching ")
    finally:
        process.kill()
        process.wait()
        os.close(writer)
        os.close(slave)
        os.close(master)
