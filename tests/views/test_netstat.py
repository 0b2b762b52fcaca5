"""teardown netstat as people see it: a table for each host, the counts, what is uncertain; and as CSV."""

import csv
import io
from pathlib import Path

import pytest

from analyzer.cli import guarded

CAPTURES = Path(__file__).parents[2] / "captures"
MANY = str(CAPTURES / "time-wait-beside-close-wait.pcap")
LEAK = str(CAPTURES / "close-wait-leak.pcap")


def printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert guarded(["netstat", *arguments]) == 0
    return capfd.readouterr().out


def test_each_host_has_its_table_and_counts(capfd: pytest.CaptureFixture[str]) -> None:
    out = printed(capfd, LEAK, "--at", "3")
    assert out.splitlines() == [
        "2026-11-20 17:57:34.356622279 UTC, 3 s after the first packet",
        "",
        "10.1.1.2",
        "Proto  Local Address   Foreign Address  State         stream",
        "tcp    10.1.1.2:44296  10.1.2.2:8080    FIN_WAIT_2         0",
        "1 socket: 1 FIN_WAIT_2",
        "",
        "10.1.2.2",
        "Proto  Local Address  Foreign Address  State         stream",
        "tcp    10.1.2.2:8080  10.1.1.2:44296   CLOSE_WAIT         0",
        "1 socket: 1 CLOSE_WAIT",
        "",
        "LISTEN, Recv-Q and Send-Q are left out: packets do not show them.",
        f"teardown timeline {LEAK} --stream N",
    ]


def test_what_is_uncertain_is_marked_and_said(capfd: pytest.CaptureFixture[str]) -> None:
    out = printed(capfd, MANY, "--at", "2")
    marked = [line for line in out.splitlines() if " ~" in line and line.startswith("tcp")]
    assert [line.split() for line in marked] == [["tcp", "10.1.1.2:34670", "10.1.2.2:8080", "FIN_WAIT_2", "~", "10"]]
    assert "tcp    10.1.1.2:34686  10.1.2.2:8080    TIME_WAIT     60.0 s left      11" in out
    assert "12 sockets: 4 FIN_WAIT_2, 8 TIME_WAIT; 1 uncertain (~)" in out
    assert "~ uncertain: " in out and "TIME_WAIT is taken to last 60 s: profile linux." in out
    assert "1 more socket may have been there" in out
    rows = list(csv.DictReader(io.StringIO(printed(capfd, MANY, "--at", "2", "--csv"))))
    assert len(rows) == 16
    unsure = [(row["state"], row["also_possible"]) for row in rows if row["also_possible"]]
    assert unsure == [("FIN_WAIT_2", "FIN_WAIT_1")]
    assert [row["state"] for row in rows[:12]] == ["FIN_WAIT_2"] * 4 + ["TIME_WAIT"] * 8


def test_a_limit_says_what_it_leaves_out(capfd: pytest.CaptureFixture[str]) -> None:
    out = printed(capfd, MANY, "--at", "2", "--limit", "1")
    assert "1 of 12 sockets; --limit 0 lists all" in out and "1 of 2 hosts" in out
    assert "12 sockets: 4 FIN_WAIT_2, 8 TIME_WAIT" in out and "\n10.1.2.2\n" not in out


def test_counts_over_time(capfd: pytest.CaptureFixture[str]) -> None:
    out = printed(capfd, LEAK, "--every", "5")
    assert [line.split() for line in out.splitlines()[:6]] == [
        ["10.1.1.2"],
        ["time", "(UTC)", "FIN_WAIT_2", "TIME_WAIT", "sockets"],
        ["17:57:35", "1", "0", "1"],
        ["17:57:40", "1", "0", "1"],
        ["17:57:43.608323", "1", "1", "2"],
        [],
    ]
    out = printed(capfd, LEAK, "--every", "5s", "--by", "service", "--csv")
    head, *rows = csv.reader(io.StringIO(out))
    assert head[:7] == ["time_epoch", "role", "ip", "port", "peer_ip", "peer_port", "sockets"]
    assert [row[1:7] for row in rows[:2]] == [
        ["server", "10.1.2.2", "8080", "", "", "1"],
        ["client", "", "", "10.1.2.2", "8080", "1"],
    ]


def test_nothing_there_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert "No connection has a socket at that moment." in printed(capfd, LEAK, "--at", "3", "--port", "1")
    assert "No connection to count." in printed(capfd, LEAK, "--every", "3", "--port", "1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say when"),
        (("--at", "1", "--every", "1"), "say when"),
        (("--at", "1", "--by", "service"), "--by goes with --every"),
        (("--every", "0"), "above 0"),
        (("--every", "1e-9"), "longer step"),
        (("--at", "soon"), "is no time"),
        (("--at", "-1"), "before the capture, which is from 2026-11-20 17:57:31"),
        (("--at", "12:00"), "after the capture"),
    ],
)
def test_bad_times_are_one_line(capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str) -> None:
    assert guarded(["netstat", LEAK, *arguments]) == 2
    error = capfd.readouterr().err
    assert said in error and error.count("\n") == 1
