"""The small tables: against counting one by one, and on captures of a size that those of this project do not have."""

import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analyzer
from analyzer.results.overview import CLOSERS, Overview
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.vocabularies import CLOSERS as CLOSED_BY
from analyzer.tracker.vocabularies import TEARDOWNS
from analyzer.views.summary import summary_lines
from tests.capture.build import pcap


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
    assert result.overview.endings == {"never-established": [0, 0, 0, hosts]}
    ((_, port, counts),), total = result.overview.servers()
    assert (total, port, counts) == (1, 80, (hosts, 0, 0, 0, hosts, 0))
    lines = summary_lines(result.summary, result.overview, result.listing)
    assert any("11.0.0.1:80" in line.plain for line in lines)


flows = st.tuples(*(st.integers(0, most) for most in (3, 2, 3, 7)), *(st.integers(0, 2) for _ in range(3)))


@given(st.lists(st.lists(flows, max_size=12), max_size=6), st.integers(0, 4))
def test_slices_add_up_to_what_counting_one_by_one_gives(slices: list[list[tuple[int, ...]]], most: int) -> None:
    """A flow is server address, port, who closed and how it ended, as codes; when it began, and packets each way."""
    made, by_server, by_ending = Overview(), Counter[tuple[int, int]](), Counter[tuple[str, str]]()
    cells, resets = Counter[tuple[int, int, str]](), Counter[tuple[int, int]]()
    for some in slices:
        endings = np.zeros(len(some), ENDING)
        for place, (address, port, closer, teardown, began, *packets) in enumerate(some):
            endings[place]["first_epoch"] = began
            endings[place]["client_packets"], endings[place]["server_packets"] = packets
            endings[place]["server_ip"], endings[place]["server_port"] = address, port
            endings[place]["closed_by"], endings[place]["teardown"] = closer, teardown
            word = CLOSED_BY.by_code[closer] or "nobody"
            by_server[address, port] += 1
            cells[address, port, word] += 1
            by_ending[TEARDOWNS.by_code[teardown], word] += 1
            endings[place]["rst_cause"] = (closer + teardown) % 3
            resets[address, port] += (closer + teardown) % 3 > 0
        made.add(endings)
    every = [flow for some in slices for flow in some]
    assert made.flows == len(every)
    assert made.both_ways == any(flow[5] and flow[6] for flow in every)
    assert not every or made.began == min(flow[4] for flow in every)
    order = sorted(by_server, key=lambda key: (-by_server[key], key))
    rows, total = made.servers(most)
    assert total == len(order)
    assert rows == [(*k, (by_server[k], *(cells[*k, word] for word in CLOSERS), resets[k])) for k in order[:most]]
    told = {word: dict(zip(CLOSERS, counts, strict=True)) for word, counts in made.endings.items()}
    assert {(word, who): count for word, row in told.items() for who, count in row.items() if count} == by_ending
    assert list(told) == [word for word in TEARDOWNS.meanings if word in told]


def test_very_many_servers_are_counted_exactly() -> None:
    """A flood of SYNs to every address and port, and one server that is busier."""
    made, many = Overview(), 300_000
    for start in range(0, many, 50_000):
        endings = np.zeros(50_001, ENDING)
        endings["server_ip"][:-1], endings["server_port"][:-1] = np.arange(start, start + 50_000), 80
        endings["server_port"][-1] = 443
        made.add(endings)
    rows, total = made.servers(1)
    assert (rows, total) == ([(0, 443, (6, 0, 0, 0, 6, 0))], many + 1)
