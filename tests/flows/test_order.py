"""Several interfaces in one capture: against an obvious twin, cut anywhere, and as dumpcap writes them."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import analyzer
from analyzer.flows import order
from analyzer.flows.order import MOST_WAITING, PATIENCE_NS, Order
from analyzer.segments.table import SEGMENT
from tests.capture.build import block, clock, interface, section

CAPTURES = Path(__file__).parents[2] / "captures"
MASK = 0xFFFFFFFF
moments = st.integers(0, 12).map(lambda tick: tick * PATIENCE_NS // 3)
captures = st.lists(st.tuples(st.integers(0, 2), moments), max_size=40)


def segments(packets: list[tuple[int, int]]) -> NDArray[np.void]:
    rows = np.zeros(len(packets), SEGMENT)
    rows["frame"] = np.arange(len(packets)) + 1
    rows["interface"] = [which for which, _ in packets]
    rows["time"] = [time for _, time in packets]
    return rows


def given_on(rows: NDArray[np.void], cuts: list[int]) -> list[int]:
    """The frames as Order gives them on."""
    stage = Order()
    parts = [stage.take(part) for part in np.split(rows, sorted(cuts))]
    return [int(frame) for frame in np.concatenate([*parts, stage.rest()])["frame"]]


def twin(packets: list[tuple[int, int]], most: int) -> list[int]:
    """One packet after the other; whatever is due goes on before the next comes."""
    newest: dict[int, int] = {}
    waiting: list[tuple[int, int]] = []
    reached, out = 0, []
    for frame, (which, time) in enumerate(packets, 1):
        last = newest.get(which, time)
        newest[which] = last if last - PATIENCE_NS < time < last else time
        reached = max(reached, newest[which])
        waiting.append((newest[which], frame))
        due = [pair for pair in waiting if pair[0] + PATIENCE_NS <= reached or frame - pair[1] >= most]
        out += [frame for _, frame in sorted(due)]
        waiting = [pair for pair in waiting if pair not in due]
    return out + [frame for _, frame in sorted(waiting)]


@given(captures, st.lists(st.integers(0, 40)), st.sampled_from([3, 10, MOST_WAITING]))
def test_order_is_the_twin_s_however_the_capture_is_cut(
    packets: list[tuple[int, int]], cuts: list[int], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "MOST_WAITING", most)
        assert given_on(segments(packets), cuts) == twin(packets, most)


def unsteady(steps: list[int]) -> list[int]:
    """Times by a clock that runs backward again and again, but never so far that it counts for another."""
    newest, times = 100 * PATIENCE_NS, []
    for step in steps:
        times.append(newest + step * PATIENCE_NS // 3)
        newest = max(newest, times[-1])
    return times


@given(st.lists(st.integers(-2, 9), min_size=3, max_size=40), st.lists(st.integers(0, 40)))
def test_segments_of_one_interface_stay_in_order_while_its_clock_does(steps: list[int], cuts: list[int]) -> None:
    packets = [(0, time) for time in unsteady(steps)]
    assert given_on(segments(packets), cuts) == list(range(1, len(packets) + 1))


@given(captures, st.lists(st.integers(0, 40)))
def test_no_segment_is_lost_or_given_twice(packets: list[tuple[int, int]], cuts: list[int]) -> None:
    assert sorted(given_on(segments(packets), cuts)) == list(range(1, len(packets) + 1))


def records(capture: Path) -> list[tuple[int, int, bytes]]:
    """Nanoseconds, length on the wire and bytes of each packet of a little-endian pcap with nanoseconds."""
    data, at, found = capture.read_bytes(), 24, []
    while at < len(data):
        second, fraction, size, length = np.frombuffer(data[at : at + 16], "<u4").tolist()
        found.append((second * 10**9 + fraction, length, data[at + 16 : at + 16 + size]))
        at += 16 + size
    return found


@pytest.mark.parametrize("name", ["abortive-close", "graceful-client-first", "killed-process"])
def test_packets_seen_on_two_interfaces_block_by_block(name: str, tmp_path: Path) -> None:
    """As dumpcap writes them: all of the one, then all of the other, 20 us later."""
    source = CAPTURES / f"{name}.pcap"
    packets = records(source)
    blocks = [section(), interface(options=clock(9, name="eth0")), interface(options=clock(9, name="eth1"))]
    for which in (0, 1):
        for time, length, data in packets:
            ticks = time + which * 20_000
            blocks.append(block(6, struct.pack("<IIIII", which, ticks >> 32, ticks & MASK, len(data), length) + data))
    capture = tmp_path / "two.pcapng"
    capture.write_bytes(b"".join(blocks))
    once, twice = analyzer.analyze(source), analyzer.analyze(capture, keep_segments=True)
    told = ["teardown", "client_state", "server_state", "client_packets", "server_packets", "rst_cause"]
    assert twice.flows[told].equals(once.flows[told])
    assert sorted(twice.findings["code"]) == sorted([*once.findings["code"], *["TD904"] * len(once.flows)])
    assert twice.segments is not None
    assert twice.segments["frame"].is_monotonic_increasing
