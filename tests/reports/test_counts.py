"""The small tables on captures of a size that the captures in this project do not have."""

import struct
from pathlib import Path

import pytest

import analyzer
from analyzer.reports.counts import endings, servers
from analyzer.reports.terminal import summary_lines
from tests.readers.build import pcap


def syn(number: int) -> tuple[int, int, bytes]:
    """A connection attempt by the host of that number, in the second of that number."""
    tcp = struct.pack(">HHIIHHHH", 40_000, 80, number, 0, 0x5002, 1000, 0, 0)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, 0x0A000000 + number, 0x0B000001)
    return number, 0, ip + tcp


@pytest.mark.parametrize("hosts", [1, 126, 127, 128, 300, 40_000])
def test_any_number_of_addresses_and_no_reset(hosts: int, tmp_path: Path) -> None:
    capture = tmp_path / "flood.pcap"
    capture.write_bytes(pcap(map(syn, range(hosts)), link=101))
    result = analyzer.analyze(capture)
    assert servers(result.flows).to_dict("list") == {
        name: [hosts if name in ("flows", "nobody") else 0]
        for name in ("flows", "client", "server", "both", "nobody", "by RST")
    }
    assert endings(result.flows)["flows"].to_dict() == {"never-established": hosts}
    assert any("11.0.0.1:80" in line.plain for line in summary_lines(result))
