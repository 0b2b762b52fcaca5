"""Stream numbers of the cases that are easily got wrong, and what tshark says of them.

Each case is a story and the streams it must give. Where tshark is installed the same story is written as a
capture and tshark is asked, so that the expectation itself is under test.
"""

import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.flows.table import FlowTable

from .stories import Step, batch, joined, packets

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

OPENING: list[Step] = [("A", "S", 100, 0), ("B", "SA", 500, 101), ("A", "A", 101, 501)]
CLOSING: list[Step] = [("A", "FA", 101, 501), ("B", "FA", 501, 102), ("A", "A", 102, 502)]
RESET: list[Step] = [("B", "RA", 501, 101)]

CASES: dict[str, tuple[list[Step], list[int]]] = {
    "a connection opened and closed is one stream": (OPENING + CLOSING, [0] * 6),
    "a repeated SYN is the same attempt": ([("A", "S", 100, 0)] * 3 + OPENING[1:], [0] * 5),
    "a SYN with another ISN after the close is a new stream": (
        [*OPENING, *CLOSING, ("A", "S", 9000, 0), ("B", "SA", 7000, 9001)],
        [0] * 6 + [1] * 2,
    ),
    "so it is without any close before": ([*OPENING, ("A", "S", 9000, 0)], [0] * 3 + [1]),
    "a SYN with the old ISN after FINs continues the old stream": (OPENING + CLOSING + OPENING, [0] * 9),
    "a SYN with the old ISN after a RST continues the old stream": (OPENING + RESET + OPENING, [0] * 7),
    "a refused SYN tried again with another ISN is a new stream": (
        [("A", "S", 100, 0), ("B", "RA", 0, 101), ("A", "S", 200, 0), ("B", "RA", 0, 201)],
        [0, 0, 1, 1],
    ),
    "segments of the old connection after the new SYN count to the new one": (
        [*OPENING, ("A", "S", 9000, 0), *CLOSING, ("B", "SA", 7000, 9001)],
        [0] * 3 + [1] * 5,
    ),
    "the other side may reuse the pair": (
        [*OPENING, *CLOSING, ("B", "S", 9000, 0), ("A", "SA", 7000, 9001), ("B", "A", 9001, 7001)],
        [0] * 6 + [1] * 3,
    ),
    "a SYN-ACK with another ISN starts nothing": ([*OPENING, ("B", "SA", 7000, 101)], [0] * 4),
    "but its ISN is the sender's from then on": (
        [*OPENING, ("B", "SA", 7000, 101), ("B", "S", 7000, 0), ("B", "S", 500, 0)],
        [0] * 5 + [1],
    ),
    "a simultaneous open is one stream": (
        [("A", "S", 100, 0), ("B", "S", 500, 0), ("A", "SA", 100, 501), ("B", "SA", 500, 101)],
        [0] * 4,
    ),
    "SYN-ACK before SYN is one stream": ([("B", "SA", 500, 101), ("A", "S", 100, 0)], [0] * 2),
    "after a SYN-ACK the acknowledged ISN is known": (
        [("B", "SA", 500, 101), ("A", "S", 99, 0)],
        [0, 1],
    ),
    "begun mid-stream, the first number less one stands for the ISN": (
        [("A", "A", 101, 501), ("A", "S", 100, 0), ("B", "S", 500, 0), ("B", "S", 501, 0)],
        [0, 0, 0, 1],
    ),
    "begun mid-stream, a SYN is a new stream": (
        [("A", "PA", 4000, 8000), ("B", "A", 8000, 4100), ("A", "S", 100, 0), ("B", "SA", 500, 101)],
        [0, 0, 1, 1],
    ),
    "the peer's ISN stays unknown without an acknowledgment": (
        [("A", "R", 101, 0), ("B", "S", 500, 0), ("B", "S", 600, 0)],
        [0, 0, 1],
    ),
    "numbers wrap": ([("A", "A", 0, 0), ("A", "S", 2**32 - 1, 0), ("B", "S", 2**32 - 1, 0)], [0] * 3),
    "a header quoted in an ICMP error has a stream": (
        [("A", "QS", 100, 0), ("A", "S", 100, 0), ("B", "SA", 500, 101)],
        [0] * 3,
    ),
    "a quoted header teaches no ISN": ([("A", "QS", 100, 0), ("A", "S", 200, 0)], [0, 0]),
    "a quoted SYN with another ISN starts a stream": (
        [*OPENING, ("A", "QS", 9000, 0), ("A", "S", 9000, 0), ("A", "S", 9001, 0)],
        [0] * 3 + [1] * 2 + [2],
    ),
    "a header longer than its packet teaches no ISN": ([("A", "S>", 100, 0), ("A", "S", 200, 0)], [0, 0]),
    "one with an offset below five words does": ([("A", "S<", 100, 0), ("A", "S", 200, 0)], [0, 1]),
    "SYN with FIN or RST counts as SYN": ([*OPENING, ("A", "SF", 7, 0), ("A", "SR", 8, 0)], [0] * 3 + [1, 2]),
}


def streams(table: FlowTable, rows: NDArray[np.void]) -> list[int]:
    """Number ``rows``; the stream of each."""
    table.assign(rows)
    numbers: list[int] = table.rows["stream"][rows["sender"] >> 1].tolist()
    return numbers


def tshark_streams(path: Path) -> list[int]:
    """What tshark says of a capture, a number a frame (two passes, as Wireshark works)."""
    command = ["tshark", "-n", "-2", "-r", str(path), "-T", "fields", "-e", "tcp.stream"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(line) for line in answer.stdout.split()]


def written(rows: NDArray[np.void], path: Path) -> Path:
    """The rows as a capture file."""
    from scapy.utils import wrpcap

    wrpcap(str(path), packets(rows))
    return path


@pytest.mark.parametrize("case", CASES)
def test_the_streams_of(case: str) -> None:
    steps, expected = CASES[case]
    assert streams(FlowTable(), batch(steps)) == expected


@needs_tshark
def test_tshark_says_the_same(tmp_path: Path) -> None:
    rows = joined([batch(steps, host=host) for host, (steps, _) in enumerate(CASES.values())])
    answers = iter(tshark_streams(written(rows, tmp_path / "cases.pcap")))
    base, wrong = 0, {}
    for case, (_, expected) in CASES.items():
        theirs = [next(answers) - base for _ in expected]
        base += max(expected) + 1
        if theirs != expected:
            wrong[case] = theirs
    assert wrong == {}


def random_traffic(seed: int, length: int) -> NDArray[np.void]:
    """Few pairs, few numbers and odd flags, so that everything meets everything."""
    dice = random.Random(seed)
    kinds = ["", "S", "S", "S", "SA", "SA", "A", "A", "PA", "FA", "F", "R", "RA", "SF", "SR", "SRA"]
    kinds += ["QS", "QSA", "QA", "S<", "A>", "SA>"]
    numbers = [0, 1, 2, 100, 101, 2**32 - 1]
    ports = [{"A": 50000, "B": 80}, {"A": 7, "B": 7}, {"A": 80, "B": 81}]
    parts = []
    for _ in range(length):
        step = dice.choice("AB"), dice.choice(kinds), dice.choice(numbers), dice.choice(numbers)
        parts.append(batch([step], host=dice.randrange(12), ports=dice.choice(ports)))
    return joined(parts)


@needs_tshark
def test_random_traffic_is_numbered_as_by_tshark(tmp_path: Path) -> None:
    rows = random_traffic(seed=2024, length=1500)
    ours = streams(FlowTable(), rows)
    assert len(set(ours)) > 200
    assert ours == tshark_streams(written(rows, tmp_path / "random.pcap"))


@needs_tshark
def test_a_connection_of_an_endpoint_with_itself(tmp_path: Path) -> None:
    """Both ends are the same address and port (a "land" packet): one end cannot be told from the other."""
    rows = batch([("A", "S", 100, 0), ("A", "SA", 100, 101), ("A", "S", 100, 0), ("A", "S", 101, 0)])
    rows["dst"], rows["dst_port"] = rows["src"], rows["src_port"]
    assert streams(FlowTable(), rows) == tshark_streams(written(rows, tmp_path / "land.pcap"))
    assert (rows["sender"] % 2 == 0).all()


@needs_tshark
def test_a_quotation_has_a_stream_from_its_window_on(tmp_path: Path) -> None:
    """Of eight bytes, which are all that RFC 792 asks for, tshark makes none."""
    from scapy.layers.inet import ICMP, IP, TCP
    from scapy.packet import Raw
    from scapy.utils import wrpcap

    quoted = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=50000, dport=80, flags="S"))
    made = [IP(src="192.0.2.1", dst="10.0.0.1") / ICMP(type=3) / Raw(quoted[: 20 + kept]) for kept in (8, 12, 15)]
    path = tmp_path / "quotations.pcap"
    wrpcap(str(path), made)
    assert tshark_streams(path) == []
    wrpcap(str(path), [IP(src="192.0.2.1", dst="10.0.0.1") / ICMP(type=3) / Raw(quoted[:36])])
    assert tshark_streams(path) == [0]
