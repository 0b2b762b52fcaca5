"""The summary, as it is printed where there is no terminal."""

import io
import re
import shlex
from pathlib import Path

import pytest

from analyzer.commands.options import captures_of
from analyzer.findings import rules
from analyzer.results.finding_list import FindingList
from analyzer.results.overview import Overview
from analyzer.results.result import ResultTables
from analyzer.results.source_summary import Summary
from analyzer.settings import Settings
from analyzer.views.console import show
from analyzer.views.finding_lines import found_lines
from analyzer.views.next_commands import command
from analyzer.views.summary import summary_lines
from tests.results.listings import listing
from tests.results.sample import crowd_of_findings, sample_result

EXPECTED = r"""
ring\x1b[31m.pcapng
123.5 kB, 40 packets, 38 TCP segments, 4 connections, Ethernet
2023-11-14 22:13:20.123456 to 22:14:23.423496 UTC (63.3 s)
not analysed: 2 packets, not IP (ARP, LLDP, ...)

Findings: 1 error, 1 info
error    TD102 late-fin-answered-by-rst: 1 connection
         client 10.1.0.2:40112 in CLOSE_WAIT for 61.2 s; its "late" FIN (7) met
         a RST [high confidence]
         -> Look at the client first: close the connection on every path.
         Next, on 10.1.0.2: ss -tnp state close-wait '( dport = :8080 )'
         tcp.stream == 7
info     TD307 connection-refused: 1 connection
         all findings with this code: teardown analyze $'ring\x1b[31m.pcapng' --code TD307

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

Could not be judged
TD101 close-wait-leak: 1 connection, the capture starts after the FIN

Notices
ring.pcapng ends in the middle of packet 41 (byte 123450)

Next
teardown timeline $'ring\x1b[31m.pcapng' --stream 7
teardown explain TD102
"""


def told(summary: Summary, overview: Overview, listing: FindingList) -> str:
    file = io.StringIO()
    show(summary_lines(summary, overview, listing), file)
    return file.getvalue()


def printed(result: ResultTables) -> str:
    return told(result.summary, result.overview, result.listing)


def test_the_whole_summary() -> None:
    assert printed(sample_result()) == EXPECTED.removeprefix("\n")


def test_a_crowd_gives_one_entry_with_one_example() -> None:
    result = sample_result()
    result.listing = listing(crowd_of_findings(300))
    text = printed(result)
    blamed = "         blamed: client 10.1.0.2 (300)\n"
    assert f"error    TD101 close-wait-leak: 300 connections\n{blamed}         e.g. client" in text
    assert "tcp.stream in {0, 1, 2, 3," in text
    assert "of 300)" in text
    assert "         all 300: teardown analyze $'ring\\x1b[31m.pcapng' --code TD101\n" in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("CLOSE_WAIT") == 1


def test_the_surest_example_is_shown() -> None:
    result = sample_result()
    changed = zip(crowd_of_findings(3), ("low", "high", "medium"), "abc", strict=True)
    result.listing = listing([row | {"confidence": level, "message": text} for row, level, text in changed])
    assert "e.g. b [high confidence]" in printed(result)


def test_a_capture_without_tcp_says_so() -> None:
    text = told(Summary(files=["a.pcap"], packets=3), Overview(), listing([]))
    assert "0 connections" in text
    assert "The capture contains no TCP connection." in text
    assert "Who closed first" not in text


def test_many_servers_and_files_are_counted_not_listed() -> None:
    result = sample_result()
    result.summary.files = [f"ring{n}.pcap" for n in range(12)]
    text = printed(result)
    assert "ring4.pcap\n... and 7 more files\n" in text


def blame(role: str, ip: str, port: int, times: int) -> list[dict[str, object]]:
    """So many findings that blame an endpoint, each about a connection of its own."""
    other = "server" if role == "client" else "client"
    ends = {f"{role}_ip": ip, f"{role}_port": port, f"{other}_ip": "10.1.0.3", f"{other}_port": 9}
    return [crowd_of_findings(1)[0] | ends | {"endpoint": role, "stream": port + k} for k in range(times)]


def test_those_who_are_blamed_most_are_named_with_their_counts() -> None:
    result = sample_result()
    clients = [blame("client", "10.1.0.2", 50_000 + k, 1)[0] for k in range(5)]
    servers = [
        *blame("server", "2001:db8::1", 443, 7),
        *blame("server", "10.1.0.3", 80, 3),
        *blame("server", "10.1.0.2", 0, 1),
        *blame("server", "10.1.0.2", 65_535, 2),
    ]
    result.listing = listing([*clients, *servers, crowd_of_findings(1)[0] | {"endpoint": ""}])
    named = "server [2001:db8::1]:443 (7), client 10.1.0.2 (5), server 10.1.0.3:80 (3), 2 more"
    assert f"blamed: {named}" in " ".join(printed(result).split())


def test_what_is_only_worth_knowing_is_a_line_however_often_it_was_seen() -> None:
    result = sample_result()
    entries = [entry | {"code": "TD901", "severity": "info"} for entry in crowd_of_findings(3095)]
    result.listing = listing(entries)
    text = printed(result)
    assert "info     TD901 starts-mid-stream: 3,095 connections\n         all findings with this code: teardown" in text
    assert "CLOSE_WAIT" not in text
    assert "tcp.stream" not in text
    wide = [line.plain for line in summary_lines(result.summary, result.overview, result.listing, 120)]
    assert "info     TD901 starts-mid-stream: 3,095 connections; The connection's opening was not captured." in wide


def every_code(times: int) -> list[dict[str, object]]:
    """Findings of every code, wordy ones."""
    words = {"message": "The server 10.1.0.3:8080 did what it should not have done, " * 6, "frames": "3"}
    words["advice"] = "Suspect the application on 10.1.0.3 first, and whoever runs it, and then the network. " * 3
    words["advice"] += "Next: tshark -r CAPTURE -Y 'tcp.stream == 0'"
    return [
        entry | words | {"code": rule.code, "severity": rule.severity, "stream": entry["stream"]}
        for rule in rules().values()
        for entry in crowd_of_findings(times)
    ]


@pytest.mark.parametrize("times", [1, 40])
def test_every_code_at_once_fits_on_two_screens(times: int) -> None:
    result = sample_result()
    result.listing = listing(every_code(times))
    lines = printed(result).splitlines()
    assert len(lines) <= 105
    codes = [line.split()[1] for line in lines if line.startswith(("error", "warning", "info"))]
    assert sorted(codes) == sorted(rules())
    assert sum("-> Suspect" in line for line in lines) >= 1  # of the gravest
    assert max(len(line) for line in lines if "teardown" not in line and "tshark" not in line) <= 80


def test_a_few_codes_beyond_the_room_still_name_whom_they_blame() -> None:
    result = sample_result()
    few = {"TD101", "TD102", "TD201", "TD302", "TD306", "TD402"}
    result.listing = listing([entry for entry in every_code(3) if entry["code"] in few])
    lines = printed(result).splitlines()
    assert sum(line.startswith("         e.g.") for line in lines) < len(few)
    assert lines.count("         blamed: client 10.1.0.2 (3)") == len(few)


def test_commands_keep_the_options_in_force_and_name_the_capture() -> None:
    result = sample_result()
    own = Settings(profile="windows", fin_timeout_ns=5 * 10**9, time_wait_ns=7, read_on_host=("time_wait_ns",))
    result.listing = listing(every_code(40), own)
    result.summary.files = ["a b.pcap"]
    text = printed(result)
    assert "teardown timeline 'a b.pcap' --stream 0 --profile windows --fin-timeout 5\n" in text
    assert re.search(r"teardown analyze 'a b.pcap' --code TD\d+ --profile windows --fin-timeout 5\n", text)
    result.summary.files = [f"ring_{n:05}.pcap" for n in range(400)]
    text = printed(result)
    assert "teardown timeline CAPTURE... --stream 0 --profile windows" in text


def test_many_captures_are_named_by_a_pattern_that_fits_no_others(tmp_path: Path) -> None:
    files = [tmp_path / f"ring [1] {n:03}.pcap" for n in range(130)]
    for file in files:
        file.touch()
    summary = Summary(files=[str(file) for file in files])
    name, pattern = shlex.split(command("flows", summary, Settings()))[1:]
    assert name == "flows" and captures_of(pattern) == summary.files
    (tmp_path / "ring [1] 200.pcap").touch()
    assert command("flows", summary, Settings()) == "teardown flows CAPTURE..."


def test_no_name_reaches_the_terminal_unescaped() -> None:
    result = sample_result()
    result.listing = listing(every_code(40))
    result.summary.files = ["evil\x1b]0;x\x07\r\n.pcap"]
    result.summary.link_types = ["Ethernet"]
    text = printed(result)
    assert "\\x1b" in text
    assert not set(text) & (set(map(chr, range(32))) - {"\n"})


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


def test_findings_of_one_code_that_are_less_grave_have_a_line_of_their_own() -> None:
    entries = crowd_of_findings(3)
    entries[0] |= {"code": "TD404", "severity": "info"}
    entries[1:] = [entry | {"code": "TD404", "severity": "warning"} for entry in entries[1:]]
    result = sample_result()
    result.listing = listing(entries)
    lines = printed(result).splitlines()
    assert "Findings: 2 warnings, 1 info" in lines
    assert "warning  TD404 zero-window-stall: 2 connections" in lines
    assert "info     TD404 zero-window-stall: 1 connection" in lines


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


def test_every_finding_of_a_code_that_only_some_parts_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.results.finding_list.AT_ONCE", 100)
    crowd = crowd_of_findings(300)
    last = dict(crowd[0]) | {"code": "TD402", "time_epoch": max(row["time_epoch"] for row in crowd)}
    found = listing([*crowd, last])
    assert sum(len(part.row) for part in found.parts()) == 301
    assert len(list(found_lines(found, {"TD402"}))) == 1
    assert len(list(found_lines(found, {str(crowd[0]["code"])}))) == 300
    assert list(found_lines(found, set())) == []
