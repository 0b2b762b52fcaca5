"""The summary, as it is printed where there is no terminal."""

import io

import pytest

from analyzer.reports.findings import Listing
from analyzer.reports.overview import Overview
from analyzer.reports.result import Result, Summary
from analyzer.reports.terminal import summary_lines
from analyzer.reports.text import show
from tests.reports.listings import listing
from tests.reports.sample import crowd_of_findings, sample_result

EXPECTED = r"""
ring\x1b[31m.pcapng
123.5 kB, 40 packets, 38 TCP segments, 4 connections, Ethernet
2023-11-14 22:13:20.123456 to 22:14:23.423496 UTC (63.3 s)
not analysed: 2 packets, not IP (ARP, LLDP, ...)

How connections ended, and who closed first
ending             flows  client  server  both  nobody
graceful               1       1       -     -       -
reset                  1       -       1     -       -
aborted                1       -       1     -       -
never-established      1       -       -     -       1

Who closed first, by server
server             flows  client  server  both  nobody  by RST
10.1.0.3:8080          3       1       1     -       1       1
[2001:db8::1]:443      1       -       1     -       -       1

Findings: 1 error, 1 info
error    TD102 late-fin-answered-by-rst: 1 connection
         client 10.1.0.2:40112 in CLOSE_WAIT for 61.2 s; its "late" FIN (7) met
         a RST [high confidence]
         -> Look at the client first: close the connection on every path.
         Next, on 10.1.0.2: ss -tnp state close-wait '( dport = :8080 )'
         tcp.stream == 7
info     TD307 connection-refused: 1 connection
         SYN answered by RST [high confidence]
         tcp.stream == 9

Next
teardown timeline 'ring\x1b[31m.pcapng' --stream 7
teardown explain TD102

Could not be judged
TD101 close-wait-leak: 1 connection, the capture starts after the FIN

Notices
ring.pcapng ends in the middle of packet 41 (byte 123450)
"""


def told(summary: Summary, overview: Overview, listing: Listing) -> str:
    file = io.StringIO()
    show(summary_lines(summary, overview, listing), file)
    return file.getvalue()


def printed(result: Result) -> str:
    return told(result.summary, result.overview, result.listing)


def test_the_whole_summary() -> None:
    assert printed(sample_result()) == EXPECTED.removeprefix("\n")


def test_a_crowd_gives_one_entry_with_one_example() -> None:
    result = sample_result()
    result.listing = listing(crowd_of_findings(300))
    text = printed(result)
    assert "error    TD101 close-wait-leak: 300 connections\n         e.g. client" in text
    assert "tcp.stream in {0, 1, 2, 3," in text
    assert "of 300)" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_surest_example_is_shown() -> None:
    result = sample_result()
    changed = zip(crowd_of_findings(3), ("low", "high", "medium"), "abc", strict=True)
    result.listing = listing([row | {"confidence": level, "message": text} for row, level, text in changed])
    assert "e.g. b [high confidence]" in printed(result)


def test_a_capture_without_tcp_says_so() -> None:
    text = told(Summary(files=["a.pcap"], packets=3), Overview(), listing([]))
    assert "0 connections" in text
    assert "There is no TCP connection in it." in text
    assert "Who closed first" not in text


def test_many_servers_and_files_are_counted_not_listed() -> None:
    result = sample_result()
    result.summary.files = [f"ring{n}.pcap" for n in range(12)]
    text = printed(result)
    assert "ring4.pcap\n... and 7 more files\n" in text


def crowd(**more: object) -> dict[str, object]:
    return {"code": "TD106", "severity": "error", "confidence": "high", **more}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([crowd(stream=7)], "tcp.stream == 7"),
        ([crowd(stream=n) for n in (9, 1, 5, 5)], "tcp.stream in {1, 5, 9}"),
        ([crowd(server_ip="2001:db8::1", server_port=443)], "ipv6.addr == 2001:db8::1 && tcp.port == 443"),
        ([crowd(frames="3;4")], "frame.number in {3, 4}"),
        ([crowd()], "tcp"),
    ],
)
def test_a_crowd_is_shown_by_its_streams_else_by_its_address_else_by_its_frames(
    entries: list[dict[str, object]], said: str
) -> None:
    result = sample_result()
    result.listing = listing(entries)
    assert f"         {said}\n" in printed(result)


def test_the_gravest_findings_come_first_then_the_most_frequent() -> None:
    two = [{**entry, "code": "TD103", "severity": "warning"} for entry in crowd_of_findings(2)]
    few = [{**entry, "code": "TD105", "severity": "warning"} for entry in crowd_of_findings(1)]
    info = [{**entry, "code": "TD307", "severity": "info"} for entry in crowd_of_findings(5)]
    result = sample_result()
    result.listing = listing([*info, *few, *two])
    text = printed(result)
    assert "Findings: 3 warnings, 5 info" in text
    assert text.index("TD103") < text.index("TD105") < text.index("TD307")
    assert "teardown explain TD103" in text
