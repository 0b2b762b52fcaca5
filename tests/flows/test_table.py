"""The table itself: rows, reuse, growth, limits, and the hash under attack."""

import numpy as np
import pytest

from analyzer.errors import TeardownError
from analyzer.flows import kernels
from analyzer.flows import table as table_module
from analyzer.flows.table import COLUMNS, FLOW, FlowTable
from analyzer.segments.table import SEGMENT

from .stories import batch

OPENING = [("A", "S", 100, 0), ("B", "SA", 500, 101)]


def test_no_segments_no_flows() -> None:
    table = FlowTable()
    table.assign(np.zeros(0, SEGMENT))
    assert len(table) == len(table.rows) == 0


def test_a_row_says_who() -> None:
    table = FlowTable()
    rows = batch(OPENING, host=3)
    table.assign(rows)
    (row,) = table.rows
    assert (row["stream"], row["previous"], row["quoted_only"]) == (0, -1, 0)
    assert (row["address"].tolist(), row["port"].tolist()) == ([6, 7], [50000, 80])
    assert rows["sender"].tolist() == [0, 1]


def test_reuse_names_the_flow_before() -> None:
    table = FlowTable()
    table.assign(batch(OPENING, host=0))
    table.assign(batch(OPENING, host=1))
    table.assign(batch([("A", "S", 900, 0), ("B", "SA", 700, 901), ("B", "S", 800, 0)], host=0))
    assert table.rows["previous"].tolist() == [-1, -1, 0, 2]
    assert table.rows["address"][3].tolist() == [1, 0]  # side 0 is whoever speaks first in this flow


def test_quoted_headers_alone_are_no_flow_to_report() -> None:
    table = FlowTable()
    table.assign(batch([("B", "QA", 5, 5)]))
    assert table.rows["quoted_only"].tolist() == [1]
    table.assign(batch([("A", "A", 5, 5)]))
    row = table.rows[0]
    assert row["quoted_only"] == 0
    assert row["address"].tolist() == [1, 0]  # sides stay as they were given out


def test_every_field_has_a_meaning() -> None:
    assert [column[0] for column in COLUMNS] == list(FLOW.names or ())
    assert all(COLUMNS.values())


def test_both_ends_are_one_word_of_addresses_and_one_of_ports() -> None:
    segment, flow = np.zeros(1, SEGMENT), np.zeros(1, FLOW)
    segment["src"], segment["dst"], segment["src_port"], segment["dst_port"] = 1, 2, 3, 4
    flow["address"], flow["port"] = (1, 2), (3, 4)
    for row, names in ((segment, ("src", "src_port")), (flow, ("address", "port"))):
        ends = row.view(kernels.both_ends(row.dtype, *names))
        assert (int(ends["addresses"][0]), int(ends["ports"][0])) == (2 << 32 | 1, 4 << 16 | 3)


def test_both_directions_have_one_hash_and_two_sides() -> None:
    """Also where a host speaks with itself, from one port to another or to the very same."""
    ends = [(1, 2, 50000, 80), (2, 1, 50000, 80), (7, 7, 50000, 80), (7, 7, 80, 80), (1, 2, 80, 50001)]
    rows = np.zeros(2 * len(ends), SEGMENT)
    for place, (src, dst, src_port, dst_port) in enumerate(ends):
        for back, row in enumerate(rows[2 * place : 2 * place + 2]):
            row["src"], row["dst"] = (dst, src) if back else (src, dst)
            row["src_port"], row["dst_port"] = (dst_port, src_port) if back else (src_port, dst_port)
    table = FlowTable()
    table.assign(rows)
    assert rows["sender"].tolist() == [0, 1, 2, 3, 4, 5, 6, 6, 8, 9]


def test_too_many_flows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "LIMIT", 1024)
    flood = np.zeros(1025, SEGMENT)
    flood["src_port"] = np.arange(1025)
    flood["dst"] = 1
    with pytest.raises(TeardownError, match="split it by time"):
        FlowTable().assign(flood)


def longest_run(entries: np.ndarray) -> int:
    """The longest stretch of taken slots: no look-up takes more steps."""
    taken = np.concatenate([entries["state"], entries["state"]]) != 0
    free = np.flatnonzero(~taken)
    return int(np.diff(free).max()) - 1


@pytest.mark.parametrize("step", [1, 16, 256, 4096])
def test_a_flood_in_arithmetic_steps_leaves_probes_short(step: int) -> None:
    """Sixty thousand SYNs whose addresses and ports run in even steps, as floods and scans do."""
    flood = np.zeros(60_000, SEGMENT)
    count = np.arange(len(flood)) * step
    flood["src"], flood["dst"], flood["dst_port"], flood["flags"] = count >> 16, 1 << 20, 443, 2
    flood["src_port"] = count & 0xFFFF
    table = FlowTable()
    table.assign(flood)
    assert len(table) == len(flood)
    assert longest_run(table._entries.rows) < 200


def test_the_mix_depends_on_its_secrets() -> None:
    slots = {int(kernels.mix(FlowTable()._secrets, 1 << 32 | 2, 3)) for _ in range(20)}
    assert len(slots) > 15


@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
def test_flows_stay_where_they_are_while_the_table_grows(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Growing moves the hash piece by piece; every flow is found again afterwards, in either direction."""
    monkeypatch.setattr(table_module, "PIECE", piece)
    many = np.zeros(50_000, SEGMENT)
    many["src"], many["src_port"] = np.arange(len(many)) % 5003, np.arange(len(many)) // 5003
    many["dst"], many["dst_port"], many["flags"] = 2500, 443, 2
    table = FlowTable()
    table.assign(many)
    assert many["sender"].tolist() == list(range(0, 2 * len(many), 2))
    answers = many.copy()
    for name, other in (("src", "dst"), ("src_port", "dst_port")):
        answers[name], answers[other] = many[other], many[name]
    answers["flags"], answers["ack"] = 0x12, 1
    table.assign(answers)
    assert answers["sender"].tolist() == list(range(1, 2 * len(many), 2))
    assert (table.rows["isn_known"] & 3 == 3).all()


def test_quotations_are_counted() -> None:
    table = FlowTable()
    table.assign(batch([("A", "S", 5, 0), ("A", "QA", 5, 5), ("B", "QSA", 5, 5), ("A", "A", 6, 6)], first_frame=1))
    assert (len(table), table.quotations) == (1, 2)


def test_quotations_of_eight_bytes_are_looked_up_and_start_nothing() -> None:
    table = FlowTable()
    rows = batch(
        [("A", "qS", 5, 0), ("A", "S", 5, 0), ("A", "qS", 9, 0), ("B", "q", 7, 0), ("A", "S", 9, 0), ("A", "q", 5, 0)]
    )
    table.assign(rows)
    assert rows["sender"].tolist() == [-1, 0, 0, 1, 2, 2]
    assert (len(table), table.quotations) == (2, 4)
    assert table.rows["isn_known"].tolist() == [1, 1]
