"""Bad input gives one clear line, and all results up to the point where it went bad."""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from analyzer.cli import guarded

CAPTURES = Path(__file__).parents[1] / "captures"
GOOD = (CAPTURES / "graceful-client-first.pcap").read_bytes()  # little-endian classic pcap, 11 packets
PCAPNG = (CAPTURES / "graceful-server-first.pcapng").read_bytes()
Run = Callable[[bytes], tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def analyze(content: bytes) -> tuple[int, str, str]:
        path = tmp_path / "capture"
        path.write_bytes(content)
        status = guarded(["analyze", str(path)])
        return status, *capfd.readouterr()

    return analyze


@pytest.mark.parametrize(
    "content",
    [b"", b"Hello,\nthis is no capture.\n" * 100, b"\0" * 4096, GOOD[:10], gzip.compress(b"no capture either")],
    ids=["empty", "text", "zeros", "header cut short", "text in gzip"],
)
def test_what_is_no_capture_is_one_line_and_status_2(run: Run, content: bytes) -> None:
    status, out, err = run(content)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("teardown: ")
    assert "capture" in err.split(": ", 1)[1]


def test_a_missing_file_and_a_folder_are_one_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.pcap", "no such file"), (tmp_path, "irectory")):
        assert guarded(["analyze", str(path)]) == 2
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert reason in err


OBEYING = (*("setpriv", "--bounding-set=-dac_override,-dac_read_search"), "--inh-caps=-dac_override,-dac_read_search")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["flows", "locked.pcap"], "cannot read locked.pcap: permission denied; ask its owner"),
        (["compare", "closed", "open.pcap"], "cannot read closed: permission denied; ask its owner"),
        (
            ["analyze", "open.pcap", "--out", "full"],
            "cannot write full/flows.csv: Permission denied; name another folder",
        ),
        (["flows", "open.pcap", "locked.pcap", "--skip-bad"], "skipped: cannot read locked.pcap: permission"),
    ],
)
def test_what_may_not_be_read_or_written_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    for name in ("locked.pcap", "open.pcap"):
        (tmp_path / name).write_bytes(GOOD)
    for name in ("closed", "full"):
        (tmp_path / name).mkdir()
    for name, mode in (("locked.pcap", 0), ("closed", 0), ("full", 0o555)):
        (tmp_path / name).chmod(mode)
    root = os.geteuid() == 0
    if root and not shutil.which(OBEYING[0]):
        pytest.skip("root may do everything")
    command = [*(OBEYING if root else ()), sys.executable, "-m", "analyzer", *words]
    there = os.environ | {"PYTHONPATH": str(CAPTURES.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=there, capture_output=True, text=True, check=False)
    assert done.stderr.startswith(f"teardown: {said}") and done.stderr.count("\n") == 1
    assert done.returncode == (0 if "--skip-bad" in words else 2)


def length_of_4_gb(capture: bytes) -> bytes:
    """The sixth record claims to be almost 4 GB long."""
    at = 24
    for _ in range(5):
        at += 16 + int.from_bytes(capture[at + 8 : at + 12], "little")
    return capture[: at + 8] + b"\xff\xff\xff\xff" + capture[at + 12 :]


def block_lengths_disagree(capture: bytes) -> bytes:
    """The last block's second length differs from its first."""
    return capture[:-4] + (int.from_bytes(capture[-4:], "little") + 4).to_bytes(4, "little")


@pytest.mark.parametrize(
    "content",
    [GOOD[:-20], length_of_4_gb(GOOD), block_lengths_disagree(PCAPNG), gzip.compress(GOOD)[:-12]],
    ids=["cut in a packet", "a length of 4 GB", "block lengths disagree", "gzip cut short"],
)
def test_damage_on_the_way_is_a_notice_behind_all_results_before_it(run: Run, content: bytes) -> None:
    status, out, err = run(content)
    assert (status, err) == (0, "")
    assert "1 connection" in out
    assert "\nNotices\n" in out


def test_a_capture_without_tcp_says_so(run: Run) -> None:
    status, out, err = run(GOOD[:24])
    assert (status, err) == (0, "")
    assert "The capture contains no TCP connection." in out


def test_headers_cut_by_the_snap_length_are_no_lack_of_tcp(run: Run) -> None:
    cut, at = GOOD[:24], 24
    while at < len(GOOD):
        size = int.from_bytes(GOOD[at + 8 : at + 12], "little")
        cut += GOOD[at : at + 8] + (40).to_bytes(4, "little") + GOOD[at + 12 : at + 56]
        at += 16 + size
    status, out, err = run(cut)
    assert (status, err) == (0, "")
    assert "No TCP header is complete: the snap length cut 11 packets. Capture with -s 128 or more." in out
