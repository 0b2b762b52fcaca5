"""What the screen asks for, compared with what the commands say."""

from pathlib import Path

import numpy as np
import pytest

from analyzer.browse.browsed import BrowsedCapture, LadderForm
from analyzer.browse.filter_box import read_box
from analyzer.browse.moment_counts import MomentCounts
from analyzer.browse.reading import Reading
from analyzer.engine.pipeline import analyze
from analyzer.moments import GivenTime
from analyzer.results.flow_selection import rows_of
from analyzer.results.netstat import STATES, sockets_at
from analyzer.settings import Settings
from analyzer.views.ladder import ladder_lines

CAPTURES = Path(__file__).parents[2] / "captures"
READ = Settings(keep_further=())


def browsed(*names: str) -> BrowsedCapture:
    reading = Reading([str(CAPTURES / name) for name in names], READ)
    reading._work()
    assert isinstance(reading.outcome, BrowsedCapture), reading.outcome
    assert reading.share == 1.0 and reading.packets == reading.outcome.analysed.summary.packets
    return reading.outcome


@pytest.mark.parametrize(
    "names",
    [
        ["next-hop-mtu-not-heard.pcap"],  # ICMP errors quote segments
        ["goes-on-from-another-port.pcap"],  # a finding about two connections
        ["frames-slightly-out-of-order.pcap"],
        ["slow-close.pcap", "prompt-close.pcap"],
    ],
)
def test_ladders_are_those_of_the_timeline(names: list[str]) -> None:
    paths = [str(CAPTURES / name) for name in names]
    whole, read = analyze(paths, Settings(keep_segments=True)).result(), browsed(*names)
    for stream in whole.flows["stream"].tolist():
        expected = [line.plain for line in ladder_lines(whole, stream, 100)]
        shown = read.open(stream, LadderForm(100)).lines
        assert [line.plain for line in shown][-len(expected) :] == expected
        found = whole.findings[whole.findings["stream"] == stream]
        assert all(any(code in line.plain for line in shown) for code in found["code"])


def test_lines_of_segments_know_their_moment() -> None:
    shown = browsed("close-wait-leak.pcap").open(0, LadderForm(100))
    moments = [line.at for line in shown.lines if line.at is not None]
    assert moments == sorted(moments)
    assert shown.moment in moments


def test_the_box_chooses_and_sorts() -> None:
    read = browsed("reconnect-loop-leaks.pcapng")
    everything = read.choose(read_box("", READ))
    assert everything.streams.tolist() == sorted(everything.streams.tolist())
    some = read.choose(read_box("TD101 --sort -client_port", READ))
    assert 0 < len(some.streams) < len(everything.streams)
    ports = rows_of(some.analysed.tables, some.streams)["client_port"].tolist()
    assert ports == sorted(ports, reverse=True)
    assert {table.rule.code for table in some.analysed.listing.tables} >= {"TD101"}


def test_counts_are_those_of_the_sockets() -> None:
    read = browsed("reconnect-loop-leaks.pcapng").analysed
    first, last = read.summary.first_ns or 0, read.summary.last_ns or 0
    moments = MomentCounts(read)
    for at in np.random.default_rng(7).integers(first, last, 50).tolist():
        stream = int(at % read.overview.flows)
        sockets = sockets_at(read, GivenTime(at, "1970"))
        states = np.bincount(sockets.rows["state"], minlength=len(STATES))
        shown = moments.at(stream, at, 10)
        assert list(shown.rows[2].counts) == states.tolist()
        ending = rows_of(read.tables, np.array([stream]))[0]
        own = (sockets.rows["local_ip"] == ending["server_ip"]) & (sockets.rows["local_port"] == ending["server_port"])
        states = np.bincount(sockets.rows["state"][own], minlength=len(STATES))
        assert list(shown.rows[0].counts) == states.tolist()


def test_the_most_in_each_part_is_what_any_moment_of_it_has() -> None:
    read = browsed("reconnect-loop-leaks.pcapng").analysed
    first, last = read.summary.first_ns or 0, read.summary.last_ns or 0
    moments, parts = MomentCounts(read), 7
    expected = np.zeros((parts, len(STATES)), np.int64)
    times = {int(at) for state in range(len(STATES)) for at in moments._census.steps((0, 1), state)[0]}
    begins = [first + part * (last - first) // parts for part in range(parts)]
    for at in sorted({*times, *begins}):
        if first <= at <= last:
            shown = moments.at(0, at, parts)
            both = np.array(shown.rows[0].counts) + np.array(shown.rows[1].counts)
            part = max(place for place, begin in enumerate(begins) if begin <= at)
            expected[part] = np.maximum(expected[part], both)
    assert shown.most.tolist() == expected.tolist()


def test_a_capture_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    reading = Reading([str(tmp_path / "missing.pcap")], READ)
    reading.start()
    reading._thread.join()
    assert isinstance(reading.outcome, Exception) and "missing.pcap" in str(reading.outcome)
