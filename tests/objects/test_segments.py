"""DataFrames of segments of anybody's making: what they must have, what may be missing, and what cannot be."""

import json
from typing import Any

import pandas as pd
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether

import analyzer
from analyzer.engine.segments_from_dataframe import REQUIRED
from analyzer.errors import UsageError
from analyzer.segments.table import DUPLICATE, QUOTED
from tests.objects.tables import LATE_FIN, LEAK, REJECTED, tables

START = 1_700_000_000


def by_hand() -> pd.DataFrame:
    """A connection that the server closes first and whose client never does, with the columns that are needed."""
    c, s = ("10.0.0.1", 40000), ("10.0.0.2", 80)
    said = [
        (0.0, c, s, 100, 0, 2, 0),
        (0.1, s, c, 500, 101, 18, 0),
        (0.2, c, s, 101, 501, 16, 0),
        (0.3, c, s, 101, 501, 24, 10),
        (0.4, s, c, 501, 111, 25, 20),
        (0.5, c, s, 111, 522, 16, 0),
        (30.0, c, s, 111, 522, 16, 0),
    ]
    return pd.DataFrame(
        {
            "time_epoch": [START + time for time, *_ in said],
            "src_ip": [a[0] for _, a, *_ in said],
            "src_port": [a[1] for _, a, *_ in said],
            "dst_ip": [b[0] for _, _, b, *_ in said],
            "dst_port": [b[1] for _, _, b, *_ in said],
            **{
                name: [row[3 + place] for row in said]
                for place, name in enumerate(("seq", "ack", "flags", "payload_len"))
            },
            "window": 64240,
        }
    )


def test_the_columns_that_are_needed_suffice() -> None:
    result = analyzer.analyze(by_hand())
    assert result.flows[["closed_by", "teardown", "client_state"]].iloc[0].tolist() == [
        "server",
        "half-closed",
        "CLOSE_WAIT",
    ]
    assert result.findings["code"].tolist() == ["TD101"]
    assert result.flows["first_frame"].tolist() == [1]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"has no column {name}; it needs"):
        analyzer.analyze(by_hand().drop(columns=name))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("seq", -1, "column seq of the DataFrame contains values other than whole numbers 0 to 4294967295"),
        ("seq", 1 << 32, "whole numbers 0 to 4294967295"),
        ("src_port", 65536, "whole numbers 0 to 65535"),
        ("flags", "SYN", "column flags of the DataFrame contains values other than whole numbers"),
        ("payload_len", 0.5, "whole numbers 0 to"),
        ("window", None, "whole numbers 0 to 65535"),
        ("src_ip", "nowhere", "column src_ip of the DataFrame holds 'nowhere', which is not an IP address"),
        ("dst_ip", None, "column dst_ip of the DataFrame has empty cells"),
        ("time_epoch", None, "column time_epoch of the DataFrame has empty cells"),
        ("time_epoch", 5e9, "a time outside the years 1824 to 2115"),
        ("time_epoch", 1e12, "row 1 of the DataFrame has no valid time"),
        ("time_epoch", "soon", "has no valid time"),
        ("time_epoch", "12:00 at night", "text that is not a time"),
    ],
)
def test_what_a_column_cannot_hold_is_said(column: str, value: Any, said: str) -> None:
    frame = by_hand().astype({column: object})
    frame.loc[0, column] = value
    with pytest.raises(UsageError, match=said):
        analyzer.analyze(frame)


def test_a_frame_number_counts_from_one() -> None:
    with pytest.raises(UsageError, match="column frame of the DataFrame"):
        analyzer.analyze(by_hand().assign(frame=0))


def test_no_segments_are_no_connections() -> None:
    assert len(analyzer.analyze(by_hand().iloc[:0]).flows) == 0


def test_the_given_frame_stays_as_it_is() -> None:
    frame = by_hand()
    before = frame.copy()
    analyzer.analyze(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_some_connections_of_a_capture_are_told_as_in_the_whole() -> None:
    """Numbers of streams apart, which count among what is given."""
    whole = analyzer.analyze(LEAK, keep_segments=True)
    segments: pd.DataFrame = whole.segments  # type: ignore[assignment]
    part = analyzer.analyze(segments[segments["stream"] == 1])
    assert part.flows["stream"].tolist() == [0]
    expected = whole.flows[whole.flows["stream"] == 1].drop(columns="stream").reset_index(drop=True)
    assert part.flows.drop(columns="stream").to_csv() == expected.to_csv()


def test_what_icmp_quotes_goes_with_its_connection() -> None:
    whole = analyzer.analyze(REJECTED, keep_segments=True)
    segments: pd.DataFrame = whole.segments  # type: ignore[assignment]
    assert len(json.loads(segments.attrs["teardown"])["quoted"]) > 0
    assert "ICMP" in " ".join(whole.findings["message"])
    for stream in whole.flows["stream"]:
        part = analyzer.analyze(segments[segments["stream"] == stream])
        expected = whole.findings.loc[whole.findings["stream"] == stream, "message"].tolist()
        assert part.findings["message"].tolist() == expected
    none = segments[segments["stream"] < 0]
    assert len(analyzer.analyze(none).flows) == 0


def test_without_the_rest_of_the_capture_the_segments_alone_are_told() -> None:
    segments: pd.DataFrame = analyzer.analyze(LATE_FIN, keep_segments=True).segments  # type: ignore[assignment]
    segments.attrs.clear()
    assert analyzer.analyze(segments).findings["code"].tolist() == ["TD102"]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", 5, '{"segments": 1, "quoted": [[1]]}'])
def test_foreign_attrs_are_said(text: Any) -> None:
    frame = by_hand()
    frame.attrs["teardown"] = text
    with pytest.raises(UsageError, match="remove it with frame"):
        analyzer.analyze(frame)


def test_another_table_is_no_table_of_segments() -> None:
    with pytest.raises(UsageError, match="has no column time_epoch"):
        analyzer.analyze(analyzer.analyze(LATE_FIN).flows)


def test_one_stream_alone_may_have_been_kept() -> None:
    whole = analyzer.analyze(REJECTED, keep_segments=True, keep_stream=0)
    again = analyzer.analyze(whole.segments)  # type: ignore[arg-type]
    assert tables(again)[0].splitlines()[1] == tables(whole)[0].splitlines()[1]


def udp(seconds: float) -> Any:
    packet = Ether() / IP(src="10.0.0.1", dst="10.0.0.9") / UDP()
    packet.time = START + seconds
    return packet


def tcp(seconds: float, client: int, flags: str, **more: Any) -> Any:
    ends = {"sport": client, "dport": 80} if flags == "S" else {"sport": 80, "dport": client}
    hosts = ("10.0.0.1", "10.0.0.2") if flags == "S" else ("10.0.0.2", "10.0.0.1")
    packet = Ether() / IP(src=hosts[0], dst=hosts[1]) / TCP(**ends, flags=flags, **more)
    packet.time = START + seconds
    return packet


def test_the_capture_ends_when_its_last_packet_passed_whatever_it_was() -> None:
    whole = analyzer.analyze([tcp(0, 1000, "S"), tcp(0.1, 1000, "SA", ack=1), udp(60)], keep_segments=True)
    again = analyzer.analyze(whole.segments)  # type: ignore[arg-type]
    assert tables(again) == tables(whole)
    assert again.summary.last_ns == (START + 60) * 10**9
    assert again.summary.not_understood == whole.summary.not_understood == {"UDP": 1}


def test_what_icmp_quotes_of_connections_left_out_is_left_out() -> None:
    """Else it would take the number of a stream."""
    syn = tcp(0, 1000, "S")
    error = Ether() / IP(src="10.0.0.3", dst="10.0.0.1") / ICMP(type=3, code=1) / bytes(syn[IP])
    error.time = START + 0.1
    others = [tcp(1, 2000, "S"), tcp(1.1, 2000, "RA", ack=1)]
    segments: pd.DataFrame = analyzer.analyze([syn, error, *others], keep_segments=True).segments  # type: ignore[assignment]
    assert segments["stream"].tolist() == [0, 1, 1]
    part = analyzer.analyze(segments[segments["stream"] == 1])
    assert part.flows["stream"].tolist() == [0]
    assert part.flows["teardown"].tolist() == ["never-established"]


def test_what_is_found_out_again_is_not_taken_over() -> None:
    frame = by_hand()
    marked = frame.assign(marks=DUPLICATE | QUOTED)
    again = analyzer.analyze(marked, keep_segments=True)
    assert tables(again) == tables(analyzer.analyze(frame))
    assert again.segments is not None
    assert again.segments["marks"].tolist() == [0] * len(frame)


def test_segments_of_several_interfaces_are_followed_in_the_order_of_their_times() -> None:
    """One interface saw the client, the other the server; each gave its packets in one block, as dumpcap does."""
    there = [(0.0, "S", 1, 0), (0.2, "A", 2, 2), (0.4, "A", 2, 3), (0.5, "FA", 2, 3)]
    back = [(0.1, "SA", 1, 2), (0.3, "FA", 2, 2), (0.6, "A", 3, 3)]
    packets = []
    for name, rows, (a, b) in (("eth1", back, (2, 1)), ("eth0", there, (1, 2))):
        for seconds, flags, seq, ack in rows:
            ports = {"sport": 1000 * a, "dport": 1000 * b}
            head = Ether() / IP(src=f"10.0.0.{a}", dst=f"10.0.0.{b}", id=len(packets))
            packets.append(head / TCP(**ports, flags=flags, seq=seq, ack=ack))
            packets[-1].time, packets[-1].sniffed_on = START + seconds, name
    whole = analyzer.analyze(packets, keep_segments=True)
    assert whole.flows["handshake"].tolist() == ["complete"]
    assert tables(analyzer.analyze(whole.segments)) == tables(whole)  # type: ignore[arg-type]
