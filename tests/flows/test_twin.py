"""The kernels against their slow twin, however the traffic is cut into batches, compiled and not."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analyzer.flows.table import FlowTable
from analyzer.segments.table import BAD_OFFSET, CUT_HEADER, PART, QUOTED, SEGMENT, SHORT_QUOTE

from .naive import Numbering

FEW_NUMBERS = st.sampled_from([0, 1, 2, 100, 101, 2**31, 2**32 - 1])
SEGMENTS = st.tuples(
    st.integers(0, 2),  # src
    st.integers(0, 2),  # dst
    st.sampled_from([20, 80, 800, 50000]),  # src_port
    st.sampled_from([20, 80, 50000]),  # dst_port
    FEW_NUMBERS,  # seq
    FEW_NUMBERS,  # ack
    st.sampled_from([0x00, 0x02, 0x12, 0x10, 0x11, 0x04, 0x14, 0x03, 0xC2, 0x102]),  # flags
    st.sampled_from(
        [0, 0, CUT_HEADER, QUOTED, QUOTED | SHORT_QUOTE, PART, BAD_OFFSET, BAD_OFFSET | CUT_HEADER]
    ),  # marks
)
FIELDS = ("src", "dst", "src_port", "dst_port", "seq", "ack", "flags", "marks")


def as_batch(rows: list[tuple[int, ...]]) -> NDArray[np.void]:
    """Tuples of FIELDS as segments."""
    batch = np.zeros(len(rows), SEGMENT)
    for segment, row in zip(batch, rows, strict=True):
        for name, value in zip(FIELDS, row, strict=True):
            segment[name] = value
    batch["frame"] = np.arange(1, len(rows) + 1)
    batch["time"] = batch["frame"] * 1_000
    batch["sender"] = -1
    return batch


def compare(batch: NDArray[np.void], cuts: list[int]) -> None:
    """Assert that the table, fed in pieces, ends with what the twin has."""
    twin, table = Numbering(), FlowTable()
    twin.take(batch)
    for piece in np.split(batch, sorted(cuts)):
        table.assign(piece)
    assert batch["sender"].tolist() == twin.senders
    assert len(table) == len(table.rows) == len(twin.flows)
    for row, flow in zip(table.rows, twin.flows, strict=True):
        ends = tuple((int(row["address"][side]), int(row["port"][side])) for side in (0, 1))
        known = {side: int(row["isn"][side]) for side in (0, 1) if row["isn_known"] >> side & 1}
        assert (row["stream"], ends, row["previous"]) == (flow.stream, flow.ends, flow.previous)
        assert row["guess"] == flow.guess
        assert (known, bool(row["quoted_only"])) == (flow.isn, flow.quoted_only)


@settings(max_examples=150, deadline=None)
@given(st.lists(SEGMENTS, max_size=80), st.lists(st.integers(0, 80), max_size=5))
def test_any_traffic_cut_anywhere(rows: list[tuple[int, ...]], cuts: list[int]) -> None:
    compare(as_batch(rows), [min(cut, len(rows)) for cut in cuts])


def crowd(length: int, seed: int) -> NDArray[np.void]:
    """Traffic of thousands of pairs, so that rows and hash grow while it runs."""
    dice = np.random.default_rng(seed)
    batch = np.zeros(length, SEGMENT)
    batch["src"], batch["dst"] = dice.integers(0, 40, length), dice.integers(0, 40, length)
    batch["src_port"], batch["dst_port"] = dice.integers(0, 3, length), dice.integers(0, 3, length)
    batch["seq"], batch["ack"] = dice.integers(0, 4, length), dice.integers(0, 4, length)
    batch["flags"] = dice.choice([0x02, 0x12, 0x10, 0x11], length)
    batch["marks"] = dice.choice([0, 0, 0, 0, QUOTED, QUOTED | SHORT_QUOTE], length)
    batch["frame"] = np.arange(1, length + 1)
    batch["time"] = batch["frame"] * 1_000
    return batch


def test_a_crowd_that_makes_the_table_grow() -> None:
    batch = crowd(20_000, seed=5)
    compare(batch, [1, 2, 3, 1_000, 1_024, 9_999])


def test_uncompiled() -> None:
    """The same functions as ordinary Python, with every warning (numpy's overflows among them) an error."""
    program = "from tests.flows.test_twin import compare, crowd; compare(crowd(4_000, seed=6), [1_500])"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        check=True,
    )
