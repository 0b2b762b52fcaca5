"""Two captures of the same connections: matching, clocks, and what only one of them has."""

from __future__ import annotations

import dataclasses
import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analyzer.cli import main
from analyzer.errors import UsageError
from analyzer.results.taps.clock import _pieces
from analyzer.results.taps.compared import TapsComparison, compared_taps
from analyzer.results.taps.crossing import Fate, Kind
from analyzer.results.taps.resets import reset_signs
from analyzer.segments.table import ACK, RST, SEGMENT
from tests.captures import CASES_FOLDER
from tests.lab import pcapfile
from tests.lab.both import moved, tap
from tests.lab.conduct import RECORDINGS

LAST_ACK = "last-ack-lost-for-ever"
RESETS = "middlebox-resets-both"
NAT = Path(__file__).parent / "nat"
IP, TCP = 14, 34  # where these headers begin in the recordings
Change = Callable[[bytearray], None]


def plain(name: str, place: str, folder: Path, change: Change | None = None) -> Path:
    """A recording, unpacked and changed."""
    path = folder / f"{name}.{place}.pcap"
    path.write_bytes(gzip.decompress((RECORDINGS / f"{name}.{place}.pcap.gz").read_bytes()))
    link, packets = pcapfile.read(path)
    changed = []
    for packet in packets:
        data = bytearray(packet.data)
        if change is not None:
            change(data)
        changed.append(dataclasses.replace(packet, data=bytes(data)))
    pcapfile.write(path, link, changed)
    return path


def compared(one: Path, other: Path) -> TapsComparison:
    return compared_taps(tap("A", one), tap("B", other))


def from_a(data: bytearray) -> bool:
    return data[IP + 14] == 1  # 10.n.1.2


def translated(data: bytearray) -> None:
    """As behind a NAT: A's address and port are others."""
    address, port = (IP + 12, TCP) if from_a(data) else (IP + 16, TCP + 2)
    data[address : address + 4] = bytes((192, 0, 2, 9))
    data[port : port + 2] = ((int.from_bytes(data[port : port + 2], "big") + 7) & 0xFFFF).to_bytes(2, "big")


def renumbered(data: bytearray) -> None:
    """As behind a firewall that writes other numbers for A."""
    place = TCP + 4 if from_a(data) else TCP + 8
    if from_a(data) or data[TCP + 13] & 16:
        (number,) = struct.unpack_from(">I", data, place)
        struct.pack_into(">I", data, place, (number + 123_456_789) & 0xFFFFFFFF)


def without_timestamps(data: bytearray) -> None:
    """The timestamp option becomes NOPs."""
    end = TCP + (data[TCP + 12] >> 4) * 4
    place = data.find(b"\x08\x0a", TCP + 20, end)
    if place > 0:
        data[place : place + 10] = b"\x01" * 10


@pytest.mark.parametrize("change", [None, translated])
def test_flows_are_matched_by_their_numbers(change: Change | None, tmp_path: Path) -> None:
    result = compared(plain(LAST_ACK, "a", tmp_path), plain(LAST_ACK, "b", tmp_path, change))
    assert [(pair.by, pair.moved) for pair in result.pairs] == [("numbers", change is not None)] * 2
    assert result.alone == []
    assert {result.near(result.client_sender(pair)) for pair in result.pairs} == {"A"}


def test_all_connections_through_a_real_nat_are_matched() -> None:
    """Recorded before and behind Linux's masquerade to other ports (nftables)."""
    result = compared(NAT / "nat.a.pcap.gz", NAT / "nat.b.pcap.gz")
    assert [(pair.by, pair.moved) for pair in result.pairs] == [("numbers", True)] * 5
    ports = [(result.a.flows["port"][pair.row_a], result.b.flows["port"][pair.row_b]) for pair in result.pairs]
    assert all(set(one) != set(other) for one, other in ports)
    assert result.alone == result.missing == []


def test_behind_a_proxy_nothing_is_matched_and_that_is_said() -> None:
    with pytest.raises(UsageError, match="a proxy between the taps"):
        compared(NAT / "proxy.a.pcap.gz", NAT / "proxy.b.pcap.gz")


@pytest.mark.parametrize(("stamps", "by"), [(True, "timestamps"), (False, "relative")])
def test_flows_whose_numbers_are_rewritten_are_matched_if_only_one_fits(stamps: bool, by: str, tmp_path: Path) -> None:
    def change(data: bytearray) -> None:
        renumbered(data)
        translated(data)
        if not stamps:
            without_timestamps(data)

    one = plain(RESETS, "a", tmp_path, None if stamps else without_timestamps)
    result = compared(one, plain(RESETS, "b", tmp_path, change))
    assert [(pair.by, pair.moved) for pair in result.pairs] == [(by, True)]
    assert {(found.tap, found.kind) for found in result.missing} == {("A", Kind.RST), ("B", Kind.RST)}


def test_what_fits_several_equally_well_is_not_matched(tmp_path: Path) -> None:
    """Every packet of B is there once more, from another address."""
    path = plain(RESETS, "b", tmp_path)
    link, packets = pcapfile.read(path)
    doubled = []
    for packet in packets:
        for last in (8, 9):
            data = bytearray(packet.data)
            translated(data)
            place = IP + 15 if data[IP + 12] == 192 else IP + 19
            data[place] = last
            doubled.append(dataclasses.replace(packet, data=bytes(data)))
    pcapfile.write(path, link, doubled)
    with pytest.raises(UsageError, match="no connection of A"):
        compared(plain(RESETS, "a", tmp_path), path)


def test_last_acks_that_were_lost_are_named_with_their_frames(tmp_path: Path) -> None:
    result = compared(plain(LAST_ACK, "a", tmp_path), plain(LAST_ACK, "b", tmp_path))
    assert [(one.tap, one.kind, one.fate, one.frames) for one in result.missing] == [
        ("A", Kind.LAST_ACK, Fate.LOST, (11, 13, 15, 17, 19))
    ]
    assert [(way.tap, way.frame, way.count) for way in result.dead] == [("A", 11, 5)]
    assert [(host.tap, host.last) for host in result.differing] == [("A", "TIME_WAIT"), ("B", "LAST_ACK")]


def test_swapped_taps_say_the_same(tmp_path: Path) -> None:
    one, other = plain(LAST_ACK, "a", tmp_path), plain(LAST_ACK, "b", tmp_path)
    result = compared(other, one)
    assert [(found.tap, found.fate) for found in result.missing] == [("B", Fate.LOST)]
    assert {result.near(result.client_sender(pair)) for pair in result.pairs} == {"B"}


def test_data_that_a_capture_missed_are_not_called_lost(tmp_path: Path) -> None:
    """B's capture lacks the client's request, which its server acknowledges."""
    path = plain(LAST_ACK, "b", tmp_path)
    link, packets = pcapfile.read(path)
    pcapfile.write(path, link, packets[:3] + packets[4:])
    result = compared(plain(LAST_ACK, "a", tmp_path), path)
    data = [one for one in result.missing if one.kind is Kind.DATA]
    assert [(one.tap, one.fate, one.frames) for one in data] == [("A", Fate.MISSED, (4,))]


@pytest.mark.parametrize(
    ("ttl", "after", "confidence"), [(64, RST, "low"), (61, RST, "medium"), (64, ACK, "medium"), (61, ACK, "high")]
)
def test_a_rst_from_between_is_as_sure_as_its_ttl_and_what_follows(ttl: int, after: int, confidence: str) -> None:
    rows = np.zeros(3, SEGMENT)
    rows["frame"], rows["ttl"], rows["flags"] = (1, 2, 3), (64, ttl, 64), (ACK, RST, after)
    assert reset_signs(rows, 0, (2,)).confidence == confidence


def test_a_clock_that_is_ahead_and_slow_is_measured(tmp_path: Path) -> None:
    name = "three-hundred-at-once"
    one = plain(name, "a", tmp_path)
    result = compared(one, moved(plain(name, "b", tmp_path), tmp_path / "moved.pcap"))
    (piece,) = result.clock.pieces
    at_begin = piece.ahead + piece.drift * (result.a.span[0] - piece.middle)
    assert abs(at_begin - 17_300_000_000) < 11e6  # half of the way there and back
    assert piece.low < 17_300_000_000 - 50e-6 * 2.6e9 < piece.high
    assert piece.drift_low < -50e-6 < piece.drift_high


@pytest.mark.parametrize("seed", range(3))
def test_the_true_line_is_within_the_bounds(seed: int) -> None:
    """Delays of any length, both ways; the interval holds the truth and narrows with more segments."""
    generator = np.random.default_rng(seed)
    count = 5_000
    times = np.sort(generator.integers(0, 600 * 10**9, count))
    order = generator.choice([1, -1], count)
    drift, offset = generator.uniform(-100e-6, 100e-6), 17.3e9
    delays = 2e6 + generator.exponential(3e6, count)
    ahead = np.round(offset + drift * times + order * delays).astype(np.int64)
    (piece,) = _pieces(times, ahead, order).pieces
    assert piece.low <= offset + drift * piece.middle <= piece.high
    assert piece.drift_low <= drift <= piece.drift_high
    assert piece.high - piece.low < 5e6
    assert piece.drift_high - piece.drift_low < 30e-6
    fewer = _pieces(times[::100], ahead[::100], order[::100]).pieces[0]
    assert fewer.high - fewer.low >= piece.high - piece.low
    assert fewer.drift_high - fewer.drift_low >= piece.drift_high - piece.drift_low


def test_a_clock_that_was_set_is_noticed() -> None:
    times = np.arange(0, 60 * 10**9, 10**7)
    order = np.where(np.arange(len(times)) % 2, 1, -1)
    ahead = 5_000_000 + order * 1_000_000 + np.where(times > 40 * 10**9, 3 * 10**9, 0)
    first, second = _pieces(times, ahead, order).pieces
    assert 0 < second.begin - 40 * 10**9 <= 2 * 10**7
    assert round(second.ahead - first.ahead, -6) == 3 * 10**9


def test_traffic_in_one_direction_gives_one_bound() -> None:
    times = np.arange(0, 10**9, 10**7)
    (piece,) = _pieces(times, np.full(len(times), 7_000_000), np.ones(len(times), np.int64)).pieces
    assert (piece.bounded, piece.low) == (False, -np.inf)
    assert piece.high < 8_000_000


def test_the_command_tells_it_in_all_forms_and_by_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(RECORDINGS / f"{LAST_ACK}.{place}.pcap.gz") for place in "ab"]

    def run(*arguments: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as left:
            main(["compare", "--taps", *arguments])
        return left.value.code, capsys.readouterr().out

    status, text = run(*paths, "--stream", "0", "--fail-on", "lost")
    assert status == 1
    assert text.startswith("1 of 1 connection of A is in B.")
    assert "5 last ACKs of the client" in text
    assert "lost between" in text
    assert run(*paths, "--csv")[1].count("\n") == 2
    assert '"there_and_back_s"' in run(*paths, "--json")[1]
    assert run(paths[0], paths[0])[0] == 2


def test_probes_of_a_byte_acknowledged_long_ago_hide_no_dead_direction() -> None:
    folder = CASES_FOLDER / "threads" / "one-way-lost"
    if not folder.exists():
        pytest.skip("its captures are not beside this checkout")
    result = compared(folder / "cap.pcap", folder / "server.pcap")
    assert [(way.tap, way.frame, way.count, way.others) for way in result.dead] == [("B", 5, 20, 9)]
