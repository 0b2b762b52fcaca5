"""Leaving ordinary flows out changes no finding: every capture is judged both ways."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from analyzer.findings import judging
from analyzer.flows.table import FlowTable
from analyzer.readers import open_captures
from analyzer.segments import AddressBook, Decoder
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.track import Tracker

ROOT = Path(__file__).parents[2]
CAPTURES = sorted(path for path in (ROOT / "captures").iterdir() if path.suffix in (".pcap", ".pcapng"))
RECORDINGS = sorted((ROOT / "tests" / "lab" / "recordings").glob("*.a.pcap.gz"))


def ledger_of(path: Path) -> tuple[Ledger, AddressBook]:
    """What the tracker makes of a capture."""
    decoder, flows, tracker, end = Decoder(), FlowTable(), Tracker(Settings()), 0
    for packets in open_captures([path]):
        batch = decoder.decode(packets)
        flows.assign(batch)
        tracker.feed(batch, flows.rows)
        end = max(end, *packets.rows["time"].tolist(), 0)
    books = tracker.finish(end)
    return Ledger(books.ends, books.flows, flows.rows[books.flows["row"]], end), decoder.book


def none_ordinary(ledger: Ledger, settings: Settings) -> NDArray[np.bool_]:
    return np.zeros(ledger.flows, np.bool_)


def test_same_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    left_out = 0
    for path in [*CAPTURES, *RECORDINGS]:
        ledger, book = ledger_of(path)
        shorter = judging.judge(ledger, book, Settings())
        left_out += int(judging.ordinary(ledger, Settings()).sum())
        with monkeypatch.context() as patch:
            patch.setattr(judging, "ordinary", none_ordinary)
            whole = judging.judge(ledger, book, Settings())
        pd.testing.assert_frame_equal(shorter.findings, whole.findings)
        assert shorter.flow_rows.tolist() == whole.flow_rows.tolist()
        assert shorter.cannot_judge == whole.cannot_judge
    assert left_out > 100
