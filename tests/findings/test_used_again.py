"""Addresses and ports that are used again: the advice fits how the client came by its port."""

from __future__ import annotations

from pathlib import Path

import pytest

import analyzer
from analyzer.results.result import ResultTables
from tests.findings.filed import OPENED, captured

CLOSED = f"{OPENED}\nA F. 101:102 ack 201\nB F. 201:202 ack 102\nA . 102:102 ack 202"
BY_SERVER = f"{OPENED}\nB F. 201:202 ack 101\nA F. 101:102 ack 202\nB . 202:202 ack 102"
AGAIN = """+2000 A S 5000000:5000001
B S. 7000000:7000001 ack 5000001
A . 5000001:5000001 ack 7000001"""
CURES = {
    40_000: ("pool them", "ss -Htan state time-wait '( dport = :80 )' | wc -l"),
    80: ("it is the server's port too", "on 10.0.0.1: ss -tanp '( sport = :80 )'"),
    700: ("it is below 1024", "on 10.0.0.1: ss -tanp '( sport = :700 )'"),
    5060: ("none of those that Linux takes by itself", "on 10.0.0.1: sysctl net.ipv4.ip_local_port_range"),
}


def told(text: str, port: int, folder: Path) -> ResultTables:
    path = folder / "told.pcap"
    path.write_bytes(captured(text, port))
    return analyzer.analyze(path)


@pytest.mark.parametrize("port", CURES)
def test_the_cure_fits_the_source_port(port: int, tmp_path: Path) -> None:
    (row,) = told(f"{CLOSED}\n{AGAIN}", port, tmp_path).findings.query("code == 'TD501'").to_dict("records")
    cure, command = CURES[port]
    assert cure in row["advice"]
    assert row["advice"].endswith(command)
    assert ("pool" in row["advice"]) == (port >= 32_768)


@pytest.mark.parametrize(("port", "because"), [(40_000, "too soon"), (80, "it binds its port"), (5060, "by itself")])
def test_who_is_suspected_of_a_delay_too(port: int, because: str, tmp_path: Path) -> None:
    asked = AGAIN.replace("5000000:5000001", "50:51").replace("5000001", "51")
    delayed = "+2000 A S 50:51\nB . 202:202 ack 102\nA R 102:102\n" + asked.replace("+2000", "+1000")
    (row,) = told(f"{BY_SERVER}\n{delayed}", port, tmp_path).findings.to_dict("records")
    assert row["code"] == "TD502"
    assert because in row["advice"]
