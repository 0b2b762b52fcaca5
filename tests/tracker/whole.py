"""All that a tracker knows of its flows at the capture's end, ordinary ones included: what the kernels that close the
books make of them, and what the slow twins make of the same rows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.tcp.states import ARROWS
from analyzer.tracker import finish
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.ledger import CONNECTION, ENDPOINT
from analyzer.tracker.ordinary import ORDINARY, OTHER, REUSED
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.storage.layout import ELSEWHERE, LOG, OTHER_SIDE, ROWS_A_BLOCK, UNBOUNDED, VOID
from analyzer.tracker.storage.pools import Pools
from analyzer.tracker.storage.transpose import ChosenColumns, LedgerColumns, columns_of
from analyzer.tracker.track import Tracker

SAID = ("time", "frame", "event", "basis")
MORE = [
    *((name, "u1") for name in ("from_state", "state", "note", "void", "arrow")),
    *((name, "<i8") for name in ("earliest", "latest", "end")),
]
RAW = np.dtype([*((name, LOG[name]) for name in SAID), *MORE])
ALL = ChosenColumns(ENDPOINT.names or (), CONNECTION.names or ())


class Whole(NamedTuple):
    """Flows whose books are closed, in the order of the flow table."""

    ledger: Ledger
    kinds: NDArray[np.uint8]  # the kernel's
    endings: NDArray[np.void]  # of the flows of kinds ORDINARY and REUSED, by the kernel
    noted: NDArray[np.void]  # of all flows, by the kernel: what was noted of them
    entries: NDArray[np.void]  # by the kernel
    lengths: NDArray[np.uint32]
    facts: LedgerColumns  # the ledger's, column by column
    log: NDArray[np.void]  # RAW: what stands in the log, ``end`` being 2 * place of the flow + side


def whole(tracker: Tracker, table: NDArray[np.void], end: int) -> Whole:
    """Close all books as at ``end`` and look at everything; ``table`` is the flow table. The tracker is of no more
    use after that."""
    slots = np.ascontiguousarray(tracker.held, np.int64)
    tracker._lay_out()
    counts, left, endings = np.zeros(4, np.int64), np.empty(len(slots), np.int64), np.zeros(len(slots), ENDING)
    room, done = tracker._blank(slots), 0
    while done < len(slots):
        done = finish.finish_flows(tracker._context, slots, done, np.int64(end), 0, counts, left, endings, *room)
        if done < len(slots):
            tracker._grow()
    ordinary, reused, other, _ = counts.tolist()
    assert ordinary + reused + other == len(slots)
    kinds = np.full(len(slots), ORDINARY, np.uint8)
    kinds[np.isin(slots, left[len(slots) - reused :])] = REUSED
    kinds[np.isin(slots, left[:other])] = OTHER
    told: NDArray[np.void] = np.zeros(len(slots), ENDING)
    told[kinds == ORDINARY] = endings[:ordinary]
    told[kinds == REUSED] = endings[len(slots) - reused :][::-1]
    entries, lengths = tracker.timelines(slots)
    check_ordinary(kinds == ORDINARY, (entries, lengths), (room[1][: counts[finish.ENTRY_COUNT]], room[2][:ordinary]))
    books = tracker._ledger_rows(slots)
    ledger = Ledger(books.ends, books.flows, table[books.flows["row"]], end, books.signs)
    facts = columns_of(tracker._context, slots, ALL, books.signs)
    endings, noted = told[kinds <= REUSED], tracker._noted(slots, end)
    return Whole(ledger, kinds, endings, noted, entries, lengths, facts, log_of(tracker, slots))


Told = tuple[NDArray[np.void], NDArray[np.uint32]]


def check_ordinary(ordinary: NDArray[np.bool_], every: Told, told: Told) -> None:
    """The timelines ``told`` of ordinary flows as their books are closed are those that they have among all."""
    entries = every[0][ordinary[every[0]["end"] >> 1]]
    place = np.cumsum(ordinary) - 1
    entries["end"] = 2 * place[entries["end"] >> 1] | entries["end"] & 1
    assert np.array_equal(entries, told[0])
    assert np.array_equal(every[1][ordinary], told[1])


def log_of(tracker: Tracker, slots: NDArray[np.int64]) -> NDArray[np.void]:
    """The rows of the log of ``slots``, block by block."""
    pools = tracker._pools
    rows: list[np.void] = []
    ends: list[int] = []
    for place, slot in enumerate(slots.tolist()):
        block = int(pools.blocks.rows["next_block"][pools.flows.rows["last_block"][slot]])
        for number in range(int(pools.flows.rows["log_rows"][slot])):
            if number and number % ROWS_A_BLOCK == 0:
                block = int(pools.blocks.rows["next_block"][block])
            rows.append(pools.log.rows[block * ROWS_A_BLOCK + number % ROWS_A_BLOCK])
            ends.append(2 * place + int(rows[-1]["note"] & OTHER_SIDE > 0))
    log: NDArray[np.void] = np.zeros(len(rows), RAW)
    for name in SAID:
        log[name] = [row[name] for row in rows]
    states, notes = (np.array([row[name] for row in rows], np.uint8) for name in ("states", "note"))
    log["from_state"], log["state"] = states >> 4, states & 15
    log["note"], log["void"] = notes & 15, notes & VOID > 0
    log["earliest"], log["latest"] = np.array([bounds(row, pools) for row in rows], np.int64).reshape(-1, 2).T
    log["end"], log["arrow"] = ends, ARROWS[log["from_state"], log["event"]]
    return log


def bounds(row: np.void, pools: Pools) -> tuple[int, int]:
    """The earliest and the latest time of a row of the log; an earliest of 0 is none."""
    time, early, late = int(row["time"]), int(row["early"]), int(row["late"])
    if early == ELSEWHERE:
        far = pools.far.rows[late]
        return int(far["earliest"]), int(far["latest"])
    return 0 if early == UNBOUNDED else time - early, time + late
