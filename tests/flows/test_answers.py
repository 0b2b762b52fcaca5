"""Which TTLs the SYN-ACKs of a host had, whichever side of a flow it is and whichever port it answers on."""

import numpy as np
import pytest

from analyzer.flows.answers import answer_ttls
from analyzer.flows.table import FlowTable
from analyzer.segments.table import ACK, RST, SEGMENT, SYN


def segments(*told: tuple[int, int, int, int, int, int]) -> np.ndarray:
    """Each is sender, its port, receiver, its port, flags, TTL."""
    rows = np.zeros(len(told), SEGMENT)
    for row, (src, src_port, dst, dst_port, flags, ttl) in zip(rows, told, strict=True):
        row["src"], row["src_port"], row["dst"], row["dst_port"] = src, src_port, dst, dst_port
        row["flags"], row["ttl"], row["sender"] = flags, ttl, -1
    return rows


@pytest.mark.parametrize("size", [1, 100])
def test_the_ttls_of_each_host_that_is_asked_for(size: int) -> None:
    rows = segments(
        *((5, 4000, 7, 80, SYN, 64), (7, 80, 5, 4000, SYN | ACK, 53), (5, 4000, 7, 80, ACK, 64)),
        *((7, 443, 5, 4001, SYN | ACK, 57), (5, 4002, 7, 21, SYN, 64), (7, 21, 5, 4002, RST | ACK, 62)),
        *((8, 4000, 5, 22, SYN, 60), (5, 22, 8, 4000, SYN | ACK, 64)),
    )
    table = FlowTable()
    for start in range(0, len(rows), size):
        table.assign(rows[start : start + size])
    assert answer_ttls(table.rows, [5, 7, 8, 900]) == {5: (64,), 7: (53, 57)}
    assert answer_ttls(table.rows, [8]) == {}
    assert answer_ttls(table.rows[:0], [5]) == {}
