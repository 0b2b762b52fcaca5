"""Leaving ordinary flows out changes no finding: every capture is judged both ways."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.capture import open_captures
from analyzer.findings import RuleEngine, engine, rules
from analyzer.findings.ordinary import Kind, kinds
from analyzer.findings.rule import CannotJudge
from analyzer.flows.table import FlowTable
from analyzer.results.finding_list import FindingList
from analyzer.segments import AddressBook, Decoder
from analyzer.settings import SECOND, Settings
from analyzer.tcp.states import State
from analyzer.text import Words
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.storage.transpose import OF_REUSED, Columns, TransposedLedger
from analyzer.tracker.track import Tracker
from tests.findings.books import START, Book, csv_lines, ledger
from tests.lab import pcapfile
from tests.tracker.whole import whole

ROOT = Path(__file__).parents[2]
CAPTURES = sorted(path for path in (ROOT / "captures").iterdir() if path.suffix in (".pcap", ".pcapng"))
RECORDINGS = sorted((ROOT / "tests" / "lab" / "recordings").glob("*.a.pcap.gz"))


def ledger_of(path: Path) -> tuple[Ledger, AddressBook]:
    """What the tracker makes of a capture."""
    decoder, flows, tracker = Decoder(), FlowTable(), Tracker(Settings())
    with open_captures([path]) as capture:
        for packets in capture:
            batch = decoder.decode(packets)
            flows.assign(batch)
            tracker.feed(batch, flows.rows)
    return whole(tracker, flows.rows, decoder.last_ns).ledger, decoder.book


def everything(ledger: Ledger) -> NDArray[np.uint8]:
    return np.full(ledger.flows, Kind.TELLING, np.uint8)


def all_said(
    ledger: Ledger, book: AddressBook | Book, known: NDArray[np.uint8], last: bool = True
) -> tuple[bytes, list[CannotJudge], list[str]]:
    found = RuleEngine()
    numbers = found.judge(ledger, Settings(), known=known, last=last)
    listing = FindingList(found, Words.of(book.texts()), Settings(), ledger.end_time)
    lines = csv_lines(listing)
    return lines, found.cannot_judge, [found.combinations[number] for number in numbers]


def test_same_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither leaving flows out nor leaving rules out by what they need changes a finding."""
    needing = rules()
    wanting = {code: rule._replace(needs=("packets",)) for code, rule in needing.items()}
    left_out = reused = 0
    for path in [*CAPTURES, *RECORDINGS]:
        ledger, book = ledger_of(path)
        known = kinds(ledger, Settings())
        shorter = all_said(ledger, book, known)
        left_out += int((known == Kind.ORDINARY).sum())
        reused += int((known == Kind.REUSED).sum())
        with monkeypatch.context() as patch:
            patch.setattr(engine, "rules", lambda: wanting)
            assert all_said(ledger, book, everything(ledger)) == shorter
    assert left_out > 100
    assert reused > 0


def again(packets: list[pcapfile.Packet], later: int) -> list[pcapfile.Packet]:
    """The packets and, ``later`` nanoseconds after each, the same ones once more."""
    return packets + [dataclasses.replace(packet, time=packet.time + later) for packet in packets]


@pytest.mark.parametrize("later", [0, 5 * SECOND], ids=["the same file twice", "played again"])
def test_an_ordinary_connection_that_is_there_twice_is_told(tmp_path: Path, later: int) -> None:
    """Nothing is concluded of it, and that is said."""
    path = tmp_path / "twice.pcap"
    link, packets = pcapfile.read(ROOT / "captures" / "graceful-client-first.pcap")
    pcapfile.write(path, link, again(packets, later))
    ledger, book = ledger_of(path)
    known = kinds(ledger, Settings())
    lines, cannot_judge, codes = all_said(ledger, book, known)
    assert known.tolist() == [Kind.TELLING]
    assert (lines, codes) == (b"", [""])
    assert [(entry.code, entry.flows) for entry in cannot_judge] == [("all", 1)]


def of_reused(ledger: Ledger) -> TransposedLedger:
    """The same flows, of which only what is declared of such flows is known."""
    ends = np.stack([ledger.own(name).T for name in OF_REUSED.ends])
    flows = np.stack([ledger.flow(name) for name in OF_REUSED.flows])
    return TransposedLedger(Columns(OF_REUSED, ends, flows), ledger._table, ledger.end_time)


def reused() -> Ledger:
    """Flows on tuples that were in use: whole ones, whose older ones were in TIME_WAIT at either end, and lone SYNs."""
    old = {"old_seen": 1, "old_time_wait": 5}
    lone = {"server": {"packets": 0, "syn_count": 0, "known": 0}, "client": {"packets": 1, "established_time": 0}}
    return ledger(
        old | {"old_state_0": State.TIME_WAIT},
        old | {"old_state_1": State.TIME_WAIT, "old_ts_ahead": 1, "client": {"syn_time": START, "syn_frame": 3}},
        old | {"old_state_0": State.CLOSED, "old_state_1": State.CLOSED},
        old | {"old_state_0": State.TIME_WAIT} | lone,
    )


def test_what_is_read_of_flows_on_tuples_in_use_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    known = np.full(4, Kind.REUSED, np.uint8)
    said = all_said(reused(), Book(), known, last=False)
    assert all_said(of_reused(reused()), Book(), known, last=False) == said
    assert said[2] == ["TD501", "TD501", "", ""]
    curious = rules()["TD501"]._replace(judge=lambda ledger, settings: rules()["TD202"].judge(ledger, settings))
    monkeypatch.setattr(engine, "rules", lambda: {"TD501": curious})
    with pytest.raises(KeyError):
        all_said(of_reused(reused()), Book(), known, last=False)
