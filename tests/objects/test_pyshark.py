"""Captures of pyshark: the file they read, the frames that their filter lets pass, and those that have no bytes."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import analyzer
from analyzer.errors import UnreadableCapture, UsageError
from tests.objects.tables import CAPTURES, LATE_FIN, LEAK, tables

pytestmark = [
    pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark, which is not installed"),
    pytest.mark.filterwarnings("ignore"),  # pyshark leaves its event loop to whoever started it
]


@pytest.fixture(autouse=True)
def event_loop() -> Iterator[None]:
    """pyshark takes the thread's event loop, which others of the tests have closed and taken away."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def capture() -> Iterator[Any]:
    """What makes captures of files, and closes them."""
    import pyshark

    made: list[Any] = []

    def make(path: Path, **more: Any) -> Any:
        made.append(pyshark.FileCapture(str(path), **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("name", [LATE_FIN.name, LEAK.name, "graceful-over-ipv6.pcap", "frames-cut-short.pcap"])
def test_a_capture_of_a_file_is_the_file(name: str, capture: Any) -> None:
    path = CAPTURES / name
    result = analyzer.analyze(capture(path))
    assert tables(result) == tables(analyzer.analyze(path))
    assert result.summary.files == [str(path)]


def test_a_filter_leaves_the_numbers_of_the_frames(capture: Any, tmp_path: Path) -> None:
    written = tmp_path / "written.pcap"
    given = capture(LEAK, display_filter="tcp.stream == 1", use_json=True, include_raw=True, output_file=str(written))
    result = analyzer.analyze(given, keep_segments=True)
    whole = analyzer.analyze(LEAK, keep_segments=True)
    expected = whole.segments[whole.segments["stream"] == 1]  # type: ignore[index]
    assert result.segments is not None
    assert result.segments["frame"].tolist() == expected["frame"].tolist()
    assert result.flows["first_frame"].tolist() == whole.flows["first_frame"].tolist()[1:]
    assert [packet.original for packet in result.packets(0)] == [packet.original for packet in whole.packets(1)]
    assert not written.exists()  # nobody asked for it to be written here


def test_parameters_of_the_capture_hold(capture: Any) -> None:
    assert analyzer.analyze(capture(LEAK, custom_parameters=["-c", "7"])).summary.packets == 7


def test_a_filter_that_tshark_does_not_know_is_said(capture: Any) -> None:
    with pytest.raises(UnreadableCapture, match="tshark could not filter it: tshark: tcp"):
        analyzer.analyze(capture(LEAK, display_filter="tcp.bogus"))


def test_packets_with_bytes_are_read(capture: Any) -> None:
    packets = list(capture(LATE_FIN, use_json=True, include_raw=True))
    expected = tables(analyzer.analyze(LATE_FIN), LATE_FIN)
    assert tables(analyzer.analyze(packets)) == expected
    assert tables(analyzer.analyze(iter(packets))) == expected
    with pytest.raises(UsageError, match="item 12 is int, but the first is a pyshark packet"):
        analyzer.analyze([*packets, 5])


def test_packets_without_bytes_are_told_what_to_do(capture: Any) -> None:
    with pytest.raises(UsageError, match="packet 1 has no bytes: its pyshark capture keeps no bytes"):
        analyzer.analyze(iter(capture(LATE_FIN)))


@pytest.mark.parametrize("kind", ["LiveCapture", "InMemCapture"])
def test_a_capture_without_a_file_is_told_what_to_do(kind: str) -> None:
    import pyshark

    made = getattr(pyshark, kind)()
    with pytest.raises(UsageError, match=f"pyshark's {kind} keeps no bytes of its packets: write them into a file"):
        analyzer.analyze(made)
    made.close()
    with_bytes = getattr(pyshark, kind)(use_json=True, include_raw=True)
    with pytest.raises(UsageError, match=f"pyshark's {kind} has not loaded any packets"):
        analyzer.analyze(with_bytes)
    with_bytes.close()
