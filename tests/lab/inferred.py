"""What the program says of a capture, in the shape of the truth: for each connection and endpoint, its states."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from analyzer.flows.table import FlowTable
from analyzer.readers import open_captures
from analyzer.segments import Decoder
from analyzer.settings import Settings
from analyzer.tracker.log import Basis
from analyzer.tracker.outcome import Ledger, RstCause, words_of
from analyzer.tracker.track import Books, Tracker
from analyzer.tracker.transitions import State

from .sockdiag import Address, Pair

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
    books = tracker.finish(span[1])
    ledger = Ledger(books.ends, books.flows, table.rows[books.flows["row"]], span[1])
    return _flows(books, ledger, decoder.book.texts()), span


def _flows(books: Books, ledger: Ledger, texts: list[str]) -> list[Flow]:
    rows: list[list[Row]] = [[] for _ in books.ends]
    for entry in books.log[books.log["void"] == 0]:
        if entry["state"] != entry["from_state"]:
            rows[entry["end"]].append(_row(entry))
    found = []
    for number in np.flatnonzero(ledger.reported):
        address, port = ledger.flow("address")[number], ledger.flow("port")[number]
        ends: list[Address] = [(str(texts[address[side]]), int(port[side])) for side in (0, 1)]
        first, second = rows[2 * number], rows[2 * number + 1]
        both = {(ends[0], ends[1]): first, (ends[1], ends[0]): second}
        cause = CAUSES[ledger.rst_cause[number]] if ledger.rst_cause[number] else ""
        resets = int(ledger.own("rst_count")[number].sum())
        found.append(Flow(int(books.flows[number]["first_time"]), both, cause, resets))
    return found


def _row(entry: np.void) -> Row:
    state, basis = State(entry["state"]).name, Basis(entry["basis"]).name.lower()
    return Row(state, *(int(entry[name]) for name in ("time", "earliest", "latest")), basis, int(entry["frame"]))
