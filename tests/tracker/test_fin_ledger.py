"""The FINs of every flow of the public captures, derived from what tshark prints of each segment.

``flows`` says of each side's FIN its number, the first frame with it, how often it passed, and which frame acknowledged
it first; ``timeline`` has a row for each time that it passed, and may have one before, where acknowledgments showed
that it had been sent. Here the same follows from flags, numbers and order
alone. Left out are flows that hold more than one connection (``observability`` is ``mixed``), as nothing is concluded
of those, and flows of which tshark prints no numbers.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pandas as pd
import pytest

from analyzer import analyze
from analyzer.errors import TeardownError
from tests.captures import own, public
from tests.oracle import FOLDER, Oracle

FIN, SYN, RST, ACK = 1, 2, 4, 16
REPEAT_NS = 20_000_000  # the same FIN sooner than this may be a copy of one packet
SIDES = ("client", "server")


class Row(NamedTuple):
    """A segment, as tshark prints it."""

    frame: int
    time: int
    end: tuple[str, int]
    seq: int
    ack: int
    flags: int
    length: int


def ahead(a: int, b: int) -> int:
    """How far the number ``a`` is ahead of ``b``."""
    return (a - b + 2**31) % 2**32 - 2**31


def streams(oracle: Oracle) -> dict[int, list[Row]]:
    """The segments of each stream, but for those whose header is not whole or is quoted in an ICMP error."""
    batch, stream = oracle.segments, oracle.column("stream")
    left_out = oracle.marked("rows_in_icmp") | oracle.marked("rows_cut") | oracle.marked("rows_multi_tcp")
    rows: dict[int, list[Row]] = defaultdict(list)
    for k in range(len(batch)):
        s = batch[k]
        end = oracle.addresses[s["src"]], int(s["src_port"])
        numbers = (int(s[name]) for name in ("seq", "ack", "flags", "payload_len"))
        if not left_out[k] and stream[k] >= 0:
            rows[int(stream[k])].append(Row(int(s["frame"]), int(s["time"]), end, *numbers))
    return rows


def fin_number(row: Row) -> int:
    """The number of the FIN, behind the payload of its segment."""
    return (row.seq + row.length) % 2**32


def expected(rows: list[Row], end: tuple[str, int]) -> dict[str, Any] | None:
    """The columns of one side's FIN; None where it sent FINs with several numbers, or more than tshark says: the frames
    of some captures were cut and their lengths changed."""
    fins = [row for row in rows if row.end == end and row.flags & (FIN | SYN | RST) == FIN]
    if not fins:
        return {"fin_seq": None, "fin_frame": None, "fins": 0}
    number = fin_number(fins[0])
    if any(fin_number(row) != number for row in fins):
        return None
    others = [row for row in rows if row.end != end and row.flags & (RST | ACK) == ACK]
    if any(ahead(row.ack, number) > 1 for row in others):
        return None
    acked = [row.frame for row in others if ahead(row.ack, number) == 1]
    told = {"fin_seq": number, "fin_frame": fins[0].frame, "fin_acked_frame": min(acked, default=None)}
    apart = all(b.time - a.time >= REPEAT_NS for a, b in pairwise(fins))
    return told | ({"fins": len(fins)} if apart else {})


def told(flow: Any, side: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """The same columns as the program has them."""
    values = {name: getattr(flow, f"{side}_{name}") for name in wanted}
    return {name: None if pd.isna(value) else int(value) for name, value in values.items()}


def compared(name: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Who, what is expected, what is told, for each side of each flow."""
    result = analyze(FOLDER / name)
    rows = streams(Oracle(name))
    for flow in result.flows.itertuples():
        if flow.observability == "mixed" or flow.stream not in rows:
            continue
        for side in SIDES:
            end = getattr(flow, f"{side}_ip"), getattr(flow, f"{side}_port")
            wanted = expected(rows[flow.stream], end)
            if wanted is not None:
                yield f"{flow.stream} {side}", wanted, told(flow, side, wanted)


@pytest.mark.parametrize("path", public())
def test_the_fins_are_those_that_tshark_prints(path: Any) -> None:
    try:
        pairs = list(compared(str(path.relative_to(FOLDER))))
    except TeardownError:
        return
    assert [pair for pair in pairs if pair[1] != pair[2]] == []


@pytest.mark.parametrize("path", [*own(), *public()])
def test_each_time_that_a_fin_passed_is_a_row_of_the_timeline(path: Any) -> None:
    try:
        result = analyze(path)
    except TeardownError:
        return
    for flow in result.flows.itertuples():
        rows = result.timeline[result.timeline.stream == flow.stream]
        for side in SIDES:
            fins = rows[(rows.endpoint == side) & rows.event.isin(("fin", "fin-retransmitted"))]
            first, passed = getattr(flow, f"{side}_fin_frame"), getattr(flow, f"{side}_fins")
            frames = sorted(frame for frame in set(fins.frame.dropna()) if passed and frame >= first)
            assert len(frames) == passed and frames[:1] == [first] * bool(passed), (flow.stream, side)
