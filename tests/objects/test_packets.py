"""``result.packets(stream)``: the packets of one connection, as scapy has them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import TCP
from scapy.plist import PacketList
from scapy.utils import EDecimal, rdpcap

import analyzer
from analyzer.errors import UsageError
from tests.captures import own
from tests.objects.tables import CAPTURES, LATE_FIN, LEAK, REJECTED


def facts(packets: Any) -> list[tuple[Any, ...]]:
    """What a packet is: its time, its length on the wire, its class, its bytes."""
    assert all(isinstance(packet.time, Decimal) for packet in packets)  # a float would be equal to it, roughly
    return [(packet.time, packet.wirelen, type(packet), packet.original) for packet in packets]


@pytest.mark.parametrize("path", own())
def test_they_are_the_packets_that_scapy_reads_from_the_file(path: Path) -> None:
    result = analyzer.analyze(path, keep_segments=True)
    assert result.segments is not None
    every = rdpcap(str(path))
    for stream in result.flows["stream"].tolist()[:5]:
        found = result.packets(stream)
        frames = result.segments.loc[result.segments["stream"] == stream, "frame"]
        assert isinstance(found, PacketList)
        assert facts(found) == facts([every[frame - 1] for frame in frames])


@pytest.mark.parametrize("kind", ["bytes", "file", "packets", "several"])
def test_they_are_read_again_from_objects(kind: str) -> None:
    expected = facts(analyzer.analyze(LEAK).packets(1))
    if kind == "file":
        with LEAK.open("rb") as file:
            assert facts(analyzer.analyze(file).packets(1)) == expected
        return
    given: Any = LEAK.read_bytes() if kind == "bytes" else rdpcap(str(LEAK))
    if kind == "several":
        given = [CAPTURES / "late-fin-still-welcome.pcap", LEAK]
        both = analyzer.analyze(given)
        counts = [len(both.packets(stream)) for stream in both.flows["stream"]]
        assert sum(counts) == both.summary.segments
        return
    assert facts(analyzer.analyze(given).packets(1)) == expected


def test_what_an_icmp_error_quotes_is_not_of_the_connection() -> None:
    assert all(TCP in packet for packet in analyzer.analyze(REJECTED).packets(0))


def test_an_unknown_stream_is_said() -> None:
    result = analyzer.analyze(LATE_FIN)
    for stream in (1, -1):
        with pytest.raises(UsageError, match=f"there is no stream {stream} in it; there are 0 to 0"):
            result.packets(stream)
    with pytest.raises(UsageError, match="there is none"):
        analyzer.analyze(rdpcap(str(LEAK))[:0]).packets(0)


def test_where_there_are_no_packets_it_is_said() -> None:
    segments = analyzer.analyze(LATE_FIN, keep_segments=True).segments
    with pytest.raises(UsageError, match="a DataFrame of segments contains none"):
        analyzer.analyze(segments).packets(0)  # type: ignore[arg-type]


def test_bytes_that_scapy_has_no_class_for_are_raw() -> None:
    from scapy.packet import Raw

    from analyzer.engine.connection_packets import Captured, _dissected

    made = _dissected(Captured(-1_500_000_001, 9, 147, b"abc"))
    exact = _dissected(Captured(1_700_000_000_123_456_789, 9, 1, b"abc")).time
    assert (type(exact), str(exact)) == (EDecimal, "1700000000.123456789")
    assert (type(made), made.load, str(made.time), made.wirelen) == (Raw, b"abc", "-1.500000001", 9)
