"""What the program says of a capture, in the shape of the truth: for each connection and endpoint, its states."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from analyzer.capture import open_captures
from analyzer.columns import words_of
from analyzer.flows.table import FlowTable
from analyzer.segments import Decoder
from analyzer.settings import Settings
from analyzer.tcp.evidence import Basis
from analyzer.tcp.states import State
from analyzer.times import outer
from analyzer.tracker.ledger_record import conclude
from analyzer.tracker.ordinary import OTHER
from analyzer.tracker.storage.transpose import TransposedLedger
from analyzer.tracker.track import Ended, Tracker
from analyzer.tracker.vocabularies import RstCause

from .sockdiag import Pair

CAUSES = words_of(RstCause)


@dataclasses.dataclass(frozen=True)
class Row:
    """A state entered, as the timeline has it; a bound of 0 is none."""

    state: str
    time: int
    earliest: int
    latest: int
    basis: str
    frame: int


@dataclasses.dataclass(frozen=True)
class Flow:
    """One connection as the program sees it."""

    first: int  # time of its first segment
    ends: dict[Pair, list[Row]]  # by (local, remote)
    cause: str  # rst_cause
    resets: int  # RSTs seen


def inferred(path: Path) -> tuple[list[Flow], tuple[int, int]]:
    """The connections of a capture, and the times of its first and last packet."""
    decoder, table, tracker = Decoder(), FlowTable(), Tracker(Settings())
    times: list[int] = []
    with open_captures([str(path)]) as capture:
        for packets in capture:
            batch = decoder.decode(packets)
            table.assign(batch)
            tracker.feed(batch, table.rows)
            times += [int(packets.rows["time"].min()), int(packets.rows["time"].max())] if len(packets.rows) else []
    span = (min(times, default=0), max(times, default=0))
    texts = decoder.book.texts()
    end = decoder.last_ns
    found = [pair for ended in tracker.finish(end) for pair in _flows(ended, table, end, texts)]
    return [flow for _, flow in sorted(found, key=lambda pair: pair[0])], span


def _flows(ended: Ended, table: FlowTable, end: int, texts: list[str]) -> Iterator[tuple[int, Flow]]:
    """The flows of one part, each with its stream; those that are ordinary have no RST."""
    rows: list[list[Row]] = [[] for _ in range(2 * len(ended.endings))]
    for entry in ended.entries:
        if entry["state"] != entry["from_state"]:
            rows[entry["end"]].append(_row(entry))
    resets = np.zeros(len(ended.endings), np.int64)
    if ended.kind == OTHER:
        ledger = TransposedLedger(ended.facts, table.rows[ended.facts.flow("row")], end)
        conclude(ended.endings, ledger)
        resets = ledger.own("rst_count").sum(axis=1)
    for place, (ending, count) in enumerate(zip(ended.endings, resets.tolist(), strict=True)):
        client, server = ((texts[ending[f"{role}_ip"]], int(ending[f"{role}_port"])) for role in ("client", "server"))
        both = {(client, server): rows[2 * place], (server, client): rows[2 * place + 1]}
        cause = CAUSES[ending["rst_cause"]] if ending["rst_cause"] else ""
        yield int(ending["stream"]), Flow(outer(int(ending["first_epoch"])), both, cause, count)


def _row(entry: np.void) -> Row:
    state, basis = State(entry["state"]).name, Basis(entry["basis"]).name.lower()
    times = (int(entry[name]) for name in ("time", "earliest", "latest"))
    return Row(state, *(outer(time) if time else 0 for time in times), basis, int(entry["frame"]))
