"""The fast path gives what following every connection segment by segment gives: all tables, byte for byte.

What is compared is ``--no-fast-path``, in which nothing takes the fast path, on captures at hand and on captures of
made-up connections with repeats, losses, disorder, resets and tuples used again.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from analyzer.cli import cli
from analyzer.engine.pipeline import Analysed, analyze
from analyzer.errors import TeardownError
from analyzer.segments.table import HAS_TIMESTAMP, QUOTED
from analyzer.settings import Settings
from analyzer.views.summary import summary_lines
from analyzer.writers.tables import write_analysed
from tests.captures import OWN, RECORDINGS
from tests.lab import pcapfile
from tests.tracker.plausible import capture

SETTINGS = [Settings(), Settings(time_wait_ns=2_000_000_000, fin_timeout_ns=0), Settings(profile="bsd")]


def told(made: Analysed, folder: Path) -> list[bytes]:
    """Every table, and the summary."""
    lines = summary_lines(made.summary, made.overview, made.listing, 100)
    return [path.read_bytes() for path in write_analysed(made, folder)] + ["\n".join(x.plain for x in lines).encode()]


def both_ways(paths: list[Path], settings: Settings, folder: Path) -> Iterator[list[bytes]]:
    for fast in (True, False):
        chosen = Settings(**{**vars(settings), "fast_path": fast})
        try:
            yield told(analyze([str(path) for path in paths], chosen), folder / str(fast))
        except TeardownError as refused:
            yield [str(refused).encode()]


@pytest.mark.parametrize("path", [*OWN, *RECORDINGS], ids=lambda path: path.name)
def test_every_capture(path: Path, tmp_path: Path) -> None:
    fast, slow = both_ways([path], Settings(), tmp_path)
    assert fast == slow


@pytest.mark.parametrize("settings", SETTINGS, ids=["linux", "own timers", "bsd"])
def test_all_captures_as_one(settings: Settings, tmp_path: Path) -> None:
    fast, slow = both_ways(OWN, settings, tmp_path)
    assert fast == slow and len(fast[0]) > 10_000


def frames(rows: NDArray[np.void]) -> Iterator[pcapfile.Packet]:
    """The segments as Ethernet frames; what ICMP errors quote stays away."""
    for row in rows[rows["marks"] & QUOTED == 0]:
        stamps = int(row["ts_val"]).to_bytes(4, "big") + int(row["ts_ecr"]).to_bytes(4, "big")
        options = b"\x01\x01\x08\x0a" + stamps if row["marks"] & HAS_TIMESTAMP else b""
        if row["window_scale"] >= 0:
            options += bytes([3, 3, int(row["window_scale"]), 1])
        length, header = min(int(row["payload_len"]), 60_000), 5 + len(options) // 4
        ports = int(row["src_port"]).to_bytes(2, "big") + int(row["dst_port"]).to_bytes(2, "big")
        numbers = int(row["seq"]).to_bytes(4, "big") + int(row["ack"]).to_bytes(4, "big")
        flags, window = (header << 12 | int(row["flags"])).to_bytes(2, "big"), int(row["window"]).to_bytes(2, "big")
        segment = ports + numbers + flags + window + bytes(4) + options
        total, ident = (20 + len(segment) + length).to_bytes(2, "big"), int(row["ip_id"]).to_bytes(2, "big")
        ends = bytes([10, 0, 0, int(row["src"]) + 1, 10, 0, 0, int(row["dst"]) + 1])
        packet = b"\x45\x00" + total + ident + b"\x40\x00" + bytes([int(row["ttl"]), 6, 0, 0]) + ends + segment
        data = bytes(12) + b"\x08\x00" + packet
        yield pcapfile.Packet(int(row["time"]), data + bytes(min(length, 64)), len(data) + length)


@pytest.mark.parametrize("trouble", [0, 0.1, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_made_up_connections(trouble: float, seed: int, tmp_path: Path) -> None:
    path = tmp_path / "made-up.pcap"
    pcapfile.write(path, pcapfile.LINK_ETHERNET, list(frames(capture(800, 100 + seed, trouble))))
    fast, slow = both_ways([path], SETTINGS[seed], tmp_path)
    assert fast == slow and len(fast[0]) > 50_000


def test_the_option_is_for_those_who_know_it(tmp_path: Path) -> None:
    path, printed = str(OWN[0]), []
    for options in ([], ["--no-fast-path"]):
        made = CliRunner().invoke(cli, ["analyze", path, *options])
        printed.append(made.output)
    assert printed[0] == printed[1] and "closed first" in printed[0]
    assert "fast" not in CliRunner().invoke(cli, ["analyze", "--help"]).output
