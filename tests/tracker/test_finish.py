"""Closing the books: what the kernels say of flows, against the columns of all of them and the slow twin."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.capture import open_captures
from analyzer.engine.pipeline import Analysis
from analyzer.errors import TeardownError
from analyzer.findings.loading import asked
from analyzer.flows.table import FLOW
from analyzer.memory import GrowingRows
from analyzer.segments.table import ACK, SYN, UNTRACKED
from analyzer.settings import Settings
from analyzer.tracker.context import PLACE
from analyzer.tracker.finish import find_over
from analyzer.tracker.ledger import CONNECTION, ENDPOINT
from analyzer.tracker.ledger_record import conclude
from analyzer.tracker.ordinary import ORDINARY, OTHER, REUSED
from analyzer.tracker.signs import Sign
from analyzer.tracker.storage.pools import PIECE, SLOTS, Pools
from analyzer.tracker.storage.transpose import TransposedLedger
from analyzer.tracker.track import Tracker

from .naive_rows import flow_rows
from .naive_signs import signs_of
from .naive_timeline import entry_rows
from .stories import batch, told
from .test_twin import random_segments
from .whole import Whole, whole

ROOT = Path(__file__).parents[2]
CAPTURES = [path for path in sorted((ROOT / "captures").iterdir()) if ".pcap" in path.name]
RECORDINGS = sorted((ROOT / "tests/lab/recordings").glob("*.pcap*"))
USUAL = told("""
an ordinary connection
A S 0:1               |
B S. 0:1 ack 1        |
A . 1:1 ack 1         |
A P. 1:101 ack 1      |
B P. 1:201 ack 101    |
A . 101:101 ack 201   |
A F. 101:102 ack 201  |
B . 201:201 ack 102   |
B F. 201:202 ack 102  |
A . 102:102 ack 202   |
""")[0]


def analysed(path: Path, settings: Settings) -> Analysis:
    """A capture followed to its end, no books closed yet."""
    analysis = Analysis(settings)
    with open_captures([str(path)]) as capture:
        for packets in capture:
            analysis.track(analysis.decode(packets), len(capture.interfaces))
    analysis._decoder.finish()
    if analysis._order is not None:
        analysis._tell(analysis._order.rest())
    return analysis


def of_capture(path: Path) -> Whole:
    analysis = analysed(path, Settings())
    return whole(analysis._tracker, analysis._table.rows, analysis.last_ns)


def nearly_usual(count: int, seed: int) -> NDArray[np.void]:
    """``count`` ordinary connections with one or two things wrong with most: a segment left out, repeated, late, moved
    to another place, with other flags, numbers or length; or cut off."""
    dice, usual = np.random.default_rng(seed), batch(USUAL)
    usual["sender"] = usual["src"]
    flows, now = [], 0
    for flow in range(count):
        rows = usual.copy()
        for _ in range(int(dice.integers(0, 3))):
            rows = edited(rows, dice)
        rows["sender"] += 2 * flow
        rows["time"] = np.maximum.accumulate(rows["time"]) + now
        now += int(rows["time"][-1] - rows["time"][0]) + 10**6
        flows.append(rows)
    segments = np.concatenate(flows)
    segments["frame"] = np.arange(1, len(segments) + 1)
    return segments


def edited(rows: NDArray[np.void], dice: np.random.Generator) -> NDArray[np.void]:
    """One thing wrong."""
    place, other = (int(number) for number in dice.integers(0, len(rows), 2))
    edit = int(dice.integers(0, 8))
    if edit == 0:
        return np.delete(rows, place) if len(rows) > 1 else rows
    if edit == 1:
        return np.insert(rows, other, rows[place])
    if edit == 2:
        return rows[: place + 1]
    if edit == 3:
        rows[[place, other]] = rows[[other, place]]
    elif edit == 4:
        rows["time"][place:] += int(dice.choice([10**6, 10**8, 11 * 10**9, 70 * 10**9]))
    else:
        name, values = [("flags", [1, 2, 4, 16, 17, 18, 20]), ("seq", [1000, 1001, 5001]), ("ack", [0, 1102])][edit - 5]
        rows[name][place] = dice.choice(values)
    return rows


def tracked(segments: NDArray[np.void], seed: int) -> Whole:
    """Flows of which some are the next on an older one's tuple; either side may be the client."""
    flows = int(segments["sender"].max() >> 1) + 1
    dice = np.random.default_rng(seed)
    table = np.zeros(flows, FLOW)
    table["stream"], table["guess"] = np.arange(flows), dice.integers(0, 2, flows)
    table["port"] = dice.integers(0, 65536, (flows, 2))
    table["address"] = dice.integers(0, 9, (flows, 2))
    table["previous"] = np.where(dice.random(flows) < 0.3, np.arange(flows) - 1, -1)
    tracker = Tracker(Settings(), asked=asked())
    tracker.feed(segments, table)
    return whole(tracker, table, int(segments["time"].max()) + 10**9)


def test_all_that_are_over_are_found_wherever_it_is_looked_for_them() -> None:
    """Looking only where there may be some finds as many as looking everywhere."""
    segments = nearly_usual(9000, 7)
    segments["time"] = np.maximum.accumulate(segments["time"])  # what is older than the clock may be found later
    table = np.zeros(9000, FLOW)
    table["stream"], table["previous"] = np.arange(9000), -1
    tracker, retired, spared = Tracker(Settings()), 0, 0
    for some in np.split(segments, range(60_000, len(segments), 200)):
        tracker.feed(some, table)
        slots = tracker._pools.slots
        everywhere = np.zeros(-(-slots // PIECE), np.int64)
        spared += int((tracker._due >= tracker.clock).any())
        count = find_over(tracker._context, slots, everywhere, np.empty(slots, np.int64))
        assert sum(len(ended.endings) for ended in tracker.retire()) == count
        retired += count
    assert slots > PIECE
    assert retired > 6000
    assert spared > 20


def check(made: Whole) -> tuple[int, int]:
    """Compare everything; returns how many flows are ORDINARY, and how many REUSED."""
    ledger = made.ledger
    assert ledger.reported.all()
    check_columns(made)
    assert np.array_equal(signs_of(ledger, Settings().slow_close_ns), ledger.signs)
    assert np.array_equal(made.facts.signs, ledger.signs)
    shown = ledger.signs & int(asked().signs | Sign.OTHER_ENDING)
    expected = np.where(shown == 0, ORDINARY, np.where(shown & ~int(asked().few_columns_enough) == 0, REUSED, OTHER))
    assert np.array_equal(made.kinds, expected)
    endings = flow_rows(ledger)
    assert np.array_equal(endings[made.kinds <= REUSED], made.endings)
    conclude(made.noted, ledger)
    assert np.array_equal(endings, made.noted)
    assert np.array_equal(made.entries, entry_rows(ledger, made.log))
    assert np.array_equal(made.lengths, np.bincount(made.entries["end"] >> 1, minlength=ledger.flows))
    return int((made.kinds == ORDINARY).sum()), int((made.kinds == REUSED).sum())


def check_columns(made: Whole) -> None:
    """Facts turned into columns are those of the ledger's rows."""
    ledger = made.ledger
    spread = TransposedLedger(made.facts, ledger._table, ledger.end_time)
    for name in ENDPOINT.names or ():
        assert np.array_equal(spread.own(name), ledger.own(name)), name
    for name in CONNECTION.names or ():
        assert np.array_equal(spread.flow(name), ledger.flow(name)), name


def test_captures() -> None:
    counts = np.zeros(2, np.int64)
    for path in [*CAPTURES, *RECORDINGS]:
        try:
            made = of_capture(path)
        except TeardownError:
            continue
        counts += check(made)
    assert counts[0] > 130 and counts[1] > 0


def openers(segments: NDArray[np.void], guess: NDArray[np.uint8]) -> dict[int, tuple[int, int]]:
    """Who is the client of each row of the flow table, and how it is known: the first SYN's sender, else the receiver
    of the first SYN-ACK, else the guess."""
    known = {}
    for segment in segments[segments["marks"] & UNTRACKED == 0]:
        row, side = divmod(int(segment["sender"]), 2)
        handshake = int(segment["flags"]) & (SYN | ACK)
        _, basis = known.setdefault(row, (int(guess[row]), 0))
        if handshake == SYN and basis < 2:
            known[row] = side, 2
        elif handshake == SYN | ACK and basis < 1:
            known[row] = 1 - side, 1
    return known


def test_who_is_the_client() -> None:
    for path in [*CAPTURES, *RECORDINGS]:
        try:
            analysis = analysed(path, Settings(keep_segments=True))
        except TeardownError:
            continue
        if not analysis._kept:
            continue
        known = openers(np.concatenate(analysis._kept), analysis._table.rows["guess"])
        for flow in analysis._tracker.snapshot(analysis.last_ns).flows:
            assert (flow["client"], flow["client_basis"]) == known[int(flow["row"])], path.name


@pytest.mark.parametrize("length", [2, 8, 12])
def test_random_connections(length: int) -> None:
    check(tracked(random_segments(3000, length, seed=length), length))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_connections_that_are_nearly_ordinary(seed: int) -> None:
    ordinary, reused = check(tracked(nearly_usual(2000, seed), seed))
    assert ordinary > 200 and reused > 100


@pytest.mark.parametrize(
    ("segments", "kind"),
    [
        ("A S 0:1 |", ORDINARY),
        ("A S 0:1 |\nB S. 0:1 ack 1 |", ORDINARY),
        ("B S. 0:1 ack 1 |\nA S 0:1 |", ORDINARY),
        ("A S 0:1 |\nA S 0:1 |", OTHER),
        ("A S 0:1 |\nB S. 0:1 ack 1 |\nB S. 0:1 ack 1 |", OTHER),
        ("A S 0:1 |\nB S. 0:1 ack 1 |\nA . 1:1 ack 1 |", OTHER),
        ("A S 0:1 |\nB S 0:1 |", OTHER),
        ("A S 0:1 |\nB R. 0:0 ack 1 |", OTHER),
    ],
)
def test_requests_that_came_to_nothing(segments: str, kind: int) -> None:
    rows = batch(told(f"\na request\n{segments}\n")[0])
    rows["sender"] = rows["src"]
    made = tracked(rows, 1)
    check(made)
    assert made.kinds.tolist() == [kind]


def free_rows(pools: Pools, number: int) -> list[int]:
    """The rows of a pool that are free, in the order in which they will be taken."""
    rows, free, following = pools._pooled[number], [], int(pools.state["free"][number])
    while following >= 0 and len(free) <= len(rows):
        free.append(following)
        following = int(rows.rows[following : following + 1].view(np.int32)[0])
    return free


@pytest.mark.parametrize("seed", [1, 2])
def test_every_row_is_free_again_once(seed: int) -> None:
    """Also those of the log, which are given back a chain at a time, and of bounds far from their times."""
    tracker = Tracker(Settings())
    for segments in (nearly_usual(400, seed), random_segments(300, 9, seed)):
        table = np.zeros(int(segments["sender"].max() >> 1) + 1, FLOW)
        table["stream"], table["previous"] = np.arange(len(table)), np.arange(len(table)) - 1
        tracker.feed(segments, table)
        list(tracker.drop(tracker.held))
        assert not len(tracker.held)
        tracker._places = GrowingRows(PLACE, 1024)
        tracker._lay_out()
    pools = tracker._pools
    assert (pools.state["used"] > 1).all()
    for number, (used, given) in enumerate(pools.state[["used", "given"]].tolist()):
        nobody = 0 if number == SLOTS else 1
        assert given == used - nobody
        assert sorted(free_rows(pools, number)) == list(range(nobody, used))
