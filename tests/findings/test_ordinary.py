"""Leaving ordinary flows out changes no finding: every capture is judged both ways."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from analyzer.capture import open_captures
from analyzer.errors import UnusableRule
from analyzer.findings import RuleEngine, engine, rules
from analyzer.findings.loading import asked
from analyzer.findings.needs import Needs
from analyzer.findings.rule import CannotJudge
from analyzer.flows.table import FlowTable
from analyzer.results.finding_list import FindingList
from analyzer.segments import AddressBook, Decoder
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.text import Words
from analyzer.tracker.ordinary import ORDINARY, OTHER, REUSED
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import SIGNS_OF_WHOLE_FLOW, Sign
from analyzer.tracker.storage.transpose import OF_REUSED, LedgerColumns, TransposedLedger
from analyzer.tracker.track import Tracker
from analyzer.units import SECOND
from tests.findings.books import START, Book, csv_lines, ledger
from tests.lab import pcapfile
from tests.tracker.whole import Whole, whole

ROOT = Path(__file__).parents[2]
CAPTURES = sorted(path for path in (ROOT / "captures").iterdir() if path.suffix in (".pcap", ".pcapng"))
RECORDINGS = sorted((ROOT / "tests" / "lab" / "recordings").glob("*.a.pcap.gz"))


def ledger_of(path: Path) -> tuple[Whole, AddressBook]:
    """What the tracker makes of a capture."""
    decoder, flows, tracker = Decoder(), FlowTable(), Tracker(Settings(), asked=asked())
    with open_captures([path]) as capture:
        for packets in capture:
            batch = decoder.decode(packets)
            flows.assign(batch)
            tracker.feed(batch, flows.rows)
    return whole(tracker, flows.rows, decoder.last_ns), decoder.book


def all_said(ledger: Ledger, book: AddressBook | Book, last: bool = True) -> tuple[bytes, list[CannotJudge], list[str]]:
    applied = RuleEngine()
    numbers = applied.judge(ledger, Settings(), last=last)
    listing = FindingList(applied, Words.of(book.texts()), Settings(), ledger.end_time)
    lines = csv_lines(listing)
    return lines, applied.cannot_judge, [applied.combinations[number] for number in numbers]


def test_same_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither leaving flows out nor leaving rules out by what they need changes a finding."""
    everything = Needs(Sign.SEGMENT, Sign.SEGMENT, ())
    wanting = {
        code: rule if rule.of_capture or rule.of_all_flows else rule._replace(needs=everything)
        for code, rule in rules().items()
    }
    ordinary = reused = 0
    for path in [*CAPTURES, *RECORDINGS]:
        made, book = ledger_of(path)
        shorter = all_said(made.ledger, book)
        ordinary += int((made.kinds == ORDINARY).sum())
        reused += int((made.kinds == REUSED).sum())
        with monkeypatch.context() as patch:
            patch.setattr(engine, "rules", lambda: wanting)
            assert all_said(made.ledger, book) == shorter
    assert ordinary > 100
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
    made, book = ledger_of(path)
    lines, cannot_judge, codes = all_said(made.ledger, book)
    assert made.kinds.tolist() == [OTHER]
    assert (lines, codes) == (b"", [""])
    assert [(entry.code, entry.flows) for entry in cannot_judge] == [("all", 1)]


def of_reused(ledger: Ledger) -> TransposedLedger:
    """The same flows, of which only what is declared of such flows is known."""
    ends = np.stack([ledger.own(name).T for name in OF_REUSED.ends])
    flows = np.stack([ledger.flow(name) for name in OF_REUSED.flows])
    return TransposedLedger(LedgerColumns(OF_REUSED, ends, flows, ledger.signs), ledger._table, ledger.end_time)


def reused() -> Ledger:
    """Flows on tuples that were in use: whole ones, whose older ones were in TIME_WAIT at either end, and lone SYNs.
    They show nothing else that is asked for."""
    old = {"old_seen": 1, "old_time_wait": 5}
    lone = {"server": {"packets": 0, "syn_count": 0, "known": 0}, "client": {"packets": 1, "established_time": 0}}
    made = ledger(
        old | {"old_state_0": State.TIME_WAIT},
        old | {"old_state_1": State.TIME_WAIT, "old_ts_ahead": 1, "client": {"syn_time": START, "syn_frame": 3}},
        old | {"old_state_0": State.CLOSED, "old_state_1": State.CLOSED},
        old | {"old_state_0": State.TIME_WAIT} | lone,
    )
    made.signs[:] = int(SIGNS_OF_WHOLE_FLOW | Sign.OLDER_FLOW)
    return made


def test_what_is_read_of_flows_on_tuples_in_use_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    said = all_said(reused(), Book(), last=False)
    assert all_said(of_reused(reused()), Book(), last=False) == said
    assert said[2] == ["TD501", "TD501", "", ""]
    curious = rules()["TD501"]._replace(judge=lambda ledger, settings: rules()["TD202"].judge(ledger, settings))
    monkeypatch.setattr(engine, "rules", lambda: {"TD501": curious})
    with pytest.raises(UnusableRule):
        all_said(of_reused(reused()), Book(), last=False)
