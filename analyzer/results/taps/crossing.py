"""What one tap has and the other does not."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from analyzer.results.taps.clock import ClockOffset
from analyzer.results.taps.order import A_FIRST, B_FIRST, NOT_KNOWN
from analyzer.results.taps.segments import NOWHERE, CommonSegments, position
from analyzer.results.taps.tap import Longs, Rows, Tap, mixed
from analyzer.segments.table import ACK, FIN, RST, SYN

MISSED = 2  # beside A_FIRST, B_FIRST and NOT_KNOWN
DEAD_FROM = 3  # segments in a row, to the last, that did not cross: the way drops all
Flags = NDArray[np.bool_]


class Kind(Enum):
    """What a segment is, in the order in which it is told."""

    RST = "RST"
    FIN = "FIN"
    SYN = "SYN"
    SYN_ACK = "SYN-ACK"
    LAST_ACK = "last ACK"
    DATA = "data"
    ACK = "ACK"


class Fate(Enum):
    """What one tap's having it says."""

    LOST = "lost between"  # it passed the first tap, never the second
    INSERTED = "from between"  # it passed the second tap, never the first
    UNCLEAR = "at one tap only"  # which tap is first is not known
    MISSED = "missed by the other"  # its receiver acknowledged it, and no other copy passed both: a capture missed it


@dataclass(frozen=True)
class Missing:
    """Segments of one sender that only ``tap`` has, alike in ``kind`` and ``fate``, and what is to be known of them.
    ``sender`` is by A's flow table; ``frames`` and ``times`` (by A's clock) are in order. ``ended`` where the other
    capture's last segment came before; ``repeated`` where another copy of each is at both."""

    sender: int
    tap: str
    kind: Kind
    fate: Fate
    frames: tuple[int, ...]
    times: tuple[int, ...]
    ended: bool
    repeated: bool


@dataclass(frozen=True)
class DeadWay:
    """From ``frame`` of ``tap`` on nothing that ``sender`` sent passed both taps: ``count`` segments, while ``others``
    of its peer's did."""

    sender: int
    tap: str
    frame: int
    time: int
    count: int
    others: int


def missing_segments(
    a: Tap, b: Tap, common: CommonSegments, clock: ClockOffset, first: Longs
) -> tuple[list[Missing], list[DeadWay]]:
    """All that only one tap has, while the other captured; and the ways that drop everything."""
    found: list[Missing] = []
    dead: list[DeadWay] = []
    b_span = clock.by_a(np.array(b.span))
    spans = {"A": a.span, "B": (int(b_span[0]), int(b_span[1]))}
    for name, other, rows, at, others_rows in (
        ("A", "B", common.a, common.at_b, common.b),
        ("B", "A", common.b, common.at_a, common.a),
    ):
        times = rows["time"] if name == "A" else clock.by_a(rows["time"])
        gone = (at == NOWHERE) & (times >= spans[other][0])
        if not gone.any():
            continue
        places = np.flatnonzero(gone)
        gone[places] = ~_covered(rows[places], others_rows)
        seen = _Seen(name, rows, times, gone, spans[other][1], first)
        found += seen.missing()
        dead += seen.dead(common, clock)
    return sorted(found, key=lambda one: (one.times[0], one.tap)), dead


@dataclass
class _Seen:
    """The segments of one tap and which of them the other lacks."""

    name: str
    rows: Rows
    times: Longs
    gone: Flags
    other_ended: int
    first: Longs

    def missing(self) -> list[Missing]:
        """Those that the other lacks, by sender and kind."""
        places = np.flatnonzero(self.gone)
        rows = self.rows[places]
        kinds = _kinds(rows, self.rows)
        fates = self.first[rows["sender"]] * (1 if self.name == "A" else -1)
        crossed = self.rows[~self.gone]
        repeated = np.isin(_content(rows), _content(crossed))
        missed = self._acknowledged(places) & ~repeated
        groups: dict[tuple[int, int, int, bool, bool], list[int]] = {}
        ended = self.times[places] > self.other_ended
        fates = np.where(missed, MISSED, fates)
        keys = zip(*(x.tolist() for x in (rows["sender"], kinds, fates, ended, repeated)), strict=True)
        for place, key in zip(places.tolist(), keys, strict=True):
            groups.setdefault(key, []).append(place)
        return [self._group(key, of) for key, of in groups.items()]

    def _group(self, key: tuple[int, int, int, bool, bool], places: list[int]) -> Missing:
        sender, kind, fate, ended, repeated = key
        frames, times = self.rows["frame"][places].tolist(), self.times[places].tolist()
        fates = {A_FIRST: Fate.LOST, B_FIRST: Fate.INSERTED, NOT_KNOWN: Fate.UNCLEAR, MISSED: Fate.MISSED}
        return Missing(
            sender, self.name, list(Kind)[kind], fates[fate], tuple(frames), tuple(times), bool(ended), bool(repeated)
        )

    def _acknowledged(self, places: Longs) -> Flags:
        """Which of these segments take up sequence numbers that their receiver acknowledged, and had not before: a
        keep-alive probe, whose byte is an old one, is not among them."""
        rows = self.rows[places]
        senders, first = np.unique(self.rows["sender"], return_index=True)
        base = np.zeros(int(senders.max(initial=0)) + 2, np.uint32)
        base[senders] = self.rows["seq"][first]
        acking = np.flatnonzero(self.rows["flags"] & ACK)
        of = self.rows["sender"][acking] ^ 1
        reached = (self.rows["ack"][acking] - base[of]).astype(np.uint32).view(np.int32).astype(np.int64)
        takes = rows["payload_len"] + (rows["flags"] & (SYN | FIN) > 0)
        ends = (rows["seq"] + takes - base[rows["sender"]]).astype(np.uint32).view(np.int32)
        order = np.lexsort((acking, of))
        keys = of[order].astype(np.int64) << 32 | acking[order]
        reach = np.maximum.accumulate((of[order].astype(np.int64) << 33) + reached[order])  # of each group by itself
        reach = np.append(reach, -1 << 62)  # the place before the first
        group = rows["sender"].astype(np.int64)
        before, last = np.searchsorted(keys, group << 32 | places) - 1, np.searchsorted(keys, group + 1 << 32) - 1
        wanted = (group << 33) + ends
        new = (reach[before] < wanted) & (wanted <= reach[last])
        return np.asarray((rows["flags"] & RST == 0) & (takes > 0) & new)

    def dead(self, common: CommonSegments, clock: ClockOffset) -> list[DeadWay]:
        """Senders nothing of whose crosses any more, though their peers' segments do."""
        mine = np.where(self.first == (A_FIRST if self.name == "A" else B_FIRST))[0]
        senders, counts = np.unique(self.rows["sender"][self.gone], return_counts=True)
        candidates = senders[counts >= DEAD_FROM]  # each is looked for in all segments
        found = []
        for sender in candidates[np.isin(candidates, mine)].tolist():
            own = np.flatnonzero(self.rows["sender"] == sender)
            crossed = own[~self.gone[own]]
            since = own[own > crossed[-1]] if len(crossed) else own
            acknowledged = self._acknowledged(since).any()
            if len(since) < DEAD_FROM or acknowledged:
                continue
            peer = (common.a["sender"] == sender ^ 1) & (common.at_b != NOWHERE)
            others = int((common.a["time"][peer] > self.times[since[0]]).sum())
            if others:
                at = int(since[0])
                frame, time = int(self.rows["frame"][at]), int(self.times[at])
                found.append(DeadWay(sender, self.name, frame, time, len(since), others))
        return found


def _content(rows: Rows) -> NDArray[np.uint64]:
    return mixed(rows["sender"], position(rows), rows["flags"] & (SYN | FIN | RST), rows["payload_len"] > 0)


def _covered(rows: Rows, others: Rows) -> Flags:
    """Data without flags whose bytes the other tap has, cut otherwise: as offloading does on a host."""
    data = np.flatnonzero((rows["payload_len"] > 0) & (rows["flags"] & (SYN | FIN | RST) == 0))
    made = np.zeros(len(rows), np.bool_)
    if not len(data) or not len(others):
        return made
    begins, ends = _intervals(others)
    sender = rows["sender"][data].astype(np.int64) << 32
    begin, end = sender | rows["seq"][data], sender | rows["seq"][data] + rows["payload_len"][data].astype(np.int64)
    place = np.searchsorted(begins, begin, "right") - 1
    inside = (place >= 0) & (ends[np.maximum(place, 0)] >= end)
    made[data] = inside & ~_one_to_one(rows, others, data)
    return made


def _one_to_one(rows: Rows, others: Rows, data: Longs) -> Flags:
    """Whether the other tap has a segment of the same begin and length: then it is not cut otherwise, but a repeat."""
    key = mixed(rows["sender"], rows["seq"], rows["payload_len"])[data]
    return np.isin(key, mixed(others["sender"], others["seq"], others["payload_len"]))


def _intervals(rows: Rows) -> tuple[Longs, Longs]:
    """The bytes that a tap has of each sender, as intervals in ascending order."""
    rows = rows[rows["payload_len"] > 0]
    begin = rows["sender"].astype(np.int64) << 32 | rows["seq"]
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], (begin + rows["payload_len"])[order]
    if not len(begin):
        return np.zeros(1, np.int64), np.full(1, -1, np.int64)
    reach = np.maximum.accumulate(end)
    new = np.ones(len(begin), np.bool_)
    new[1:] = begin[1:] > reach[:-1]
    starts = np.flatnonzero(new)
    return begin[starts], np.append(reach[starts[1:] - 1], reach[-1])


def _kinds(rows: Rows, whole: Rows) -> Longs:
    """The place in ``Kind`` of each row; ``whole`` are all segments of the tap."""
    order = list(Kind)
    flags = rows["flags"]
    fins = whole[whole["flags"] & FIN > 0]
    ended = fins["sender"].astype(np.int64) << 32 | (position(fins) + np.uint32(1))
    acks = np.isin((rows["sender"].astype(np.int64) ^ 1) << 32 | rows["ack"], ended) & (flags & ACK > 0)
    conditions = [
        flags & RST > 0,
        flags & FIN > 0,
        flags & (SYN | ACK) == SYN | ACK,
        flags & SYN > 0,
        acks & (rows["payload_len"] == 0),
    ]
    conditions.append(rows["payload_len"] > 0)
    named = [Kind.RST, Kind.FIN, Kind.SYN_ACK, Kind.SYN, Kind.LAST_ACK, Kind.DATA]
    chosen = np.select(conditions, [order.index(kind) for kind in named], order.index(Kind.ACK))
    return np.asarray(chosen, np.int64)
