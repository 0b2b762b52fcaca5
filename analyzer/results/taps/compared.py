"""Two taps held against each other: the result."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analyzer.errors import UsageError
from analyzer.results.taps.clock import ClockOffset, clock_of
from analyzer.results.taps.crossing import DeadWay, Fate, Kind, Missing, missing_segments
from analyzer.results.taps.matching import Pair, matched
from analyzer.results.taps.order import A_FIRST, SAME_PLACE_NS, PathOrder
from analyzer.results.taps.segments import NOWHERE, CommonSegments, rest_matched
from analyzer.results.taps.states import HostStates, states_of
from analyzer.results.taps.tap import Longs, Tap

AFTER, BEFORE, AMID, SEVERAL, RENUMBERED = "after", "before", "amid", "several", "renumbered"


class Alone(NamedTuple):
    """A flow that only one tap has. ``why``: the other began ``after`` it was over, had ended ``before`` it began,
    captured ``amid`` it, ``several`` flows of the other fit equally well, or it has one between the same ends at the
    same time whose numbers are all others (``renumbered``)."""

    tap: str
    row: int
    stream: int
    segments: int
    why: str


@dataclass
class TapsComparison:
    """What two taps tell together. ``pairs`` are those that are asked for, ``all_pairs`` all; ``returns_ns`` is the
    shortest time from one tap to the other and back, None where it is not known."""

    a: Tap
    b: Tap
    all_pairs: list[Pair]
    pairs: list[Pair]
    common: CommonSegments
    order: PathOrder
    clock: ClockOffset
    missing: list[Missing]
    dead: list[DeadWay]
    alone: list[Alone]
    returns_ns: int | None

    @cached_property
    def pair_of(self) -> dict[int, Pair]:
        """By the row of A's flow table."""
        return {pair.row_a: pair for pair in self.pairs}

    @cached_property
    def states(self) -> dict[int, tuple[HostStates, HostStates]]:
        """Those of both ends, by the row of A's flow table."""
        return {p.row_a: states_of(self.a, self.b, p, self.order.first, self.clock) for p in self.pairs}

    def client_sender(self, pair: Pair) -> int:
        """2 * row + side of the client, by A's flow table."""
        side = 0 if self.a.role(2 * pair.row_a) == "client" else 1
        return 2 * pair.row_a + side

    def near(self, sender: int) -> str:
        """The tap that is nearer to a sender; empty where that is not known."""
        return {0: "", 1: "A", -1: "B"}[int(self.order.first[sender])]

    @cached_property
    def differing(self) -> list[HostStates]:
        """Where one tap alone would have told other states: only connections of which a tap misses something."""
        rows = sorted({one.sender >> 1 for one in self.missing})
        made = [states_of(self.a, self.b, self.pair_of[row], self.order.first, self.clock) for row in rows]
        return [host for hosts in made for host in hosts if host.otherwise is not None]

    @property
    def lost(self) -> list[Missing]:
        """What decides a state and was lost, or came in between: what ``--fail-on lost`` goes by."""
        kinds = (Kind.RST, Kind.FIN, Kind.LAST_ACK)
        return [one for one in self.missing if one.kind in kinds and one.fate is not Fate.MISSED and not one.ended]


def compared_taps(a: Tap, b: Tap) -> TapsComparison:
    """Compare them. Raises UsageError where they have nothing in common, or are the same capture."""
    matches = matched(a, b)
    if not matches.pairs:
        raise UsageError(
            f"no connection of A ({_names(a)}) is in B ({_names(b)}): no sequence numbers in common. "
            "Either a proxy between the taps ends each connection and opens another, or this is other traffic"
        )
    common = CommonSegments(a, b, matches.pairs)
    order = PathOrder(a, common)
    clock = clock_of(common, order.first)
    if len(common.left()[0]):
        rest_matched(common, clock.ahead(common.a["time"]), _typical(common, clock, len(order.first)))
        clock = clock_of(common, order.first)
    _refuse_same(a, b, common)
    asked = [pair for pair in matches.pairs if int(a.flows["stream"][pair.row_a]) in a.place]
    missing, dead = missing_segments(a, b, common, clock, order.first)
    rows = {pair.row_a for pair in asked}
    return TapsComparison(
        a,
        b,
        matches.pairs,
        asked,
        common,
        order,
        clock,
        [one for one in missing if one.sender >> 1 in rows],
        [one for one in dead if one.sender >> 1 in rows],
        _alone(a, b, matches.pairs, matches.several, clock),
        _returns(common, clock, order.first),
    )


def _names(tap: Tap) -> str:
    return ", ".join(tap.analysed.summary.files)


def _refuse_same(a: Tap, b: Tap, common: CommonSegments) -> None:
    at_a = np.flatnonzero(common.at_b != NOWHERE)
    same = len(at_a) == len(a.segments) == len(b.segments)
    if same and bool((common.a["time"][at_a] == common.b["time"][common.at_b[at_a]]).all()):
        raise UsageError(
            f"A ({_names(a)}) and B ({_names(b)}) have the same segments at the same times: this is one capture, "
            "not two"
        )


def _typical(common: CommonSegments, clock: ClockOffset, senders: int) -> Longs:
    """What a sender's segments usually take from tap to tap beyond the clocks' offset: for each segment of A."""
    at_a = np.flatnonzero(common.at_b != NOWHERE)
    took = common.b["time"][common.at_b[at_a]] - common.a["time"][at_a] - clock.ahead(common.a["time"][at_a])
    sender = common.a["sender"][at_a].astype(np.int64)
    count = np.bincount(sender, minlength=senders)
    mean = np.bincount(sender, took, minlength=senders) / np.maximum(count, 1)
    usual: Longs = np.round(mean[common.a["sender"]]).astype(np.int64)
    return usual


def _returns(common: CommonSegments, clock: ClockOffset, first: Longs) -> int | None:
    """The shortest way there and the shortest back, where both were seen."""
    at_a = np.flatnonzero(common.at_b != NOWHERE)
    took = common.b["time"][common.at_b[at_a]] - common.a["time"][at_a] - clock.ahead(common.a["time"][at_a])
    order = first[common.a["sender"][at_a]]
    there, back = took[order == A_FIRST], -took[order == -A_FIRST]
    shortest = int(there.min() + back.min()) if len(there) and len(back) else 0
    return shortest if shortest > SAME_PLACE_NS else None


def _alone(a: Tap, b: Tap, pairs: list[Pair], several: set[int], clock: ClockOffset) -> list[Alone]:
    found: list[Alone] = []
    b_span = clock.by_a(np.array(b.span))
    filtered = a.analysed.tables.chosen is not None
    for tap, other, taken in (
        (a, (int(b_span[0]), int(b_span[1])), {pair.row_a for pair in pairs}),
        (b, a.span, {pair.row_b for pair in pairs}),
    ):
        if tap is b and filtered:
            continue  # filters go by A
        rows = tap.segments["sender"] >> 1
        begins, ends, counts = _extent(tap, rows, clock)
        for row in np.flatnonzero(counts).tolist():
            stream = int(tap.flows["stream"][row])
            if row in taken or stream not in tap.place:
                continue
            why = AFTER if ends[row] < other[0] else BEFORE if begins[row] > other[1] else AMID
            why = SEVERAL if tap is a and row in several else why
            found.append(Alone(tap.name, row, stream, int(counts[row]), why))
    return _renumbered(a, b, found)


def _renumbered(a: Tap, b: Tap, alone: list[Alone]) -> list[Alone]:
    """Say of which flows the other tap has one between the same ends."""

    def ends(one: Alone) -> frozenset[tuple[str, int]]:
        tap = a if one.tap == "A" else b
        return frozenset((tap.end_of(2 * one.row), tap.end_of(2 * one.row + 1)))

    amid = [one for one in alone if one.why == AMID]
    by_tap = [{ends(one) for one in amid if one.tap == name} for name in "AB"]
    if not all(by_tap):
        return alone
    both = by_tap[0] & by_tap[1]
    return [one._replace(why=RENUMBERED) if one.why == AMID and ends(one) in both else one for one in alone]


def _extent(tap: Tap, rows: Longs, clock: ClockOffset) -> tuple[Longs, Longs, Longs]:
    """The first and the last time of each flow by A's clock, and how many segments it has."""
    count = len(tap.flows)
    begins, ends = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
    times = tap.segments["time"] if tap.name == "A" else clock.by_a(tap.segments["time"])
    np.minimum.at(begins, rows, times)
    np.maximum.at(ends, rows, times)
    return begins, ends, np.bincount(rows, minlength=count)
