"""A watch on a screen whose terminal goes away, as when an ssh session breaks: it ends, with whole files."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.test_traffic import ROOT

pytest.importorskip("textual")
SOURCE = ROOT / "captures" / "late-fin-answered-by-rst.pcapng"


class OnScreen:
    """``teardown live`` on a terminal of its own, reading a pipe that stays open."""

    def __init__(self, folder: Path) -> None:
        self.out, self.pipe = folder / "out", folder / "pipe"
        os.mkfifo(self.pipe)
        self.terminal, theirs = pty.openpty()
        command = [sys.executable, "-m", "analyzer", "live", "-r", str(self.pipe), "--out", str(self.out)]
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        self.running = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
            cwd=ROOT,
        )  # fmt: skip
        os.close(theirs)
        self.feed = self.pipe.open("wb")
        with SOURCE.open("rb") as packets:
            shutil.copyfileobj(packets, self.feed)
        self.feed.flush()

    def drawn(self) -> None:
        """Wait for the screen, and for the packets to be read."""
        seen, deadline = b"", time.monotonic() + 60
        while b"TD102" not in seen:
            assert time.monotonic() < deadline, seen[-2000:]
            seen += os.read(self.terminal, 65536)

    def close(self) -> None:
        self.feed.close()
        if self.running.poll() is None:
            self.running.kill()
            self.running.wait()


@pytest.fixture
def on_screen(tmp_path: Path) -> Iterator[OnScreen]:
    if not shutil.which("setsid"):
        pytest.skip("needs setsid")
    made = OnScreen(tmp_path)
    yield made
    made.close()


def whole(on_screen: OnScreen) -> bool:
    flows = (on_screen.out / "flows.csv").read_text("utf8").splitlines()
    return len(flows) == 2 and "TD102" in (on_screen.out / "findings.csv").read_text("utf8")


def test_it_ends_when_its_terminal_goes_away(on_screen: OnScreen) -> None:
    on_screen.drawn()
    os.close(on_screen.terminal)  # the kernel sends SIGHUP
    assert on_screen.running.wait(30) == 0
    assert whole(on_screen)


def test_a_signal_ends_it_though_nobody_reads_the_terminal(on_screen: OnScreen) -> None:
    on_screen.drawn()
    on_screen.running.send_signal(signal.SIGTERM)
    assert on_screen.running.wait(30) == 0
    assert whole(on_screen)
    os.close(on_screen.terminal)
