"""Which segment of A is which segment of B, within flows that are the same.

Numbers, flags and length are the same in both, and mostly the timestamp and the IP identification; so repeats are told
apart. Of several that are alike the first is the first, if both taps have as many. Where one has more, that is decided
by the time between the taps (:func:`rest_matched`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyzer.results.taps.matching import Pair
from analyzer.results.taps.tap import Longs, Rows, Tap, ack_of, mixed, packet_key, timestamp_of
from analyzer.segments.table import FIN, RST, SYN

NOWHERE = -1
CONTROL = SYN | FIN | RST


class CommonSegments:
    """The segments of the flows that both taps have. Those of B are as A would have them: senders by A's flow table,
    numbers as A has them. ``at_b`` has for each of A's its place among B's, or NOWHERE."""

    def __init__(self, a: Tap, b: Tap, pairs: Sequence[Pair]) -> None:
        own = np.zeros(len(a.flows), np.bool_)
        own[[pair.row_a for pair in pairs]] = True
        self.a: Rows = a.segments[own[a.segments["sender"] >> 1]]
        self.b: Rows = _as_a_has_them(a, b, pairs)
        self.at_b: Longs = np.full(len(self.a), NOWHERE, np.int64)
        self.at_a: Longs = np.full(len(self.b), NOWHERE, np.int64)
        for key in (packet_key, _with_timestamp, _alike):
            self._match(key(self.a), key(self.b))

    def pair(self, at_a: Longs, at_b: Longs) -> None:
        """Say that these are the same."""
        self.at_b[at_a], self.at_a[at_b] = at_b, at_a

    def left(self) -> tuple[Longs, Longs]:
        """The places of those that are not matched."""
        return np.flatnonzero(self.at_b == NOWHERE), np.flatnonzero(self.at_a == NOWHERE)

    def _match(self, keys_a: NDArray[np.uint64], keys_b: NDArray[np.uint64]) -> None:
        """Match those whose keys are as often in both."""
        left_a, left_b = self.left()
        order_a = left_a[np.argsort(keys_a[left_a], kind="stable")]
        order_b = left_b[np.argsort(keys_b[left_b], kind="stable")]
        sorted_a, sorted_b = keys_a[order_a], keys_b[order_b]
        for_a, for_b = _as_often(sorted_a, sorted_b), _as_often(sorted_b, sorted_a)
        self.pair(order_a[for_a], order_b[for_b])


def _as_often(keys: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.bool_]:
    mine = np.searchsorted(keys, keys, "right") - np.searchsorted(keys, keys, "left")
    theirs = np.searchsorted(others, keys, "right") - np.searchsorted(others, keys, "left")
    return np.asarray(mine == theirs)


def _as_a_has_them(a: Tap, b: Tap, pairs: Sequence[Pair]) -> Rows:
    sender = np.full(2 * len(b.flows), NOWHERE, np.int64)
    shift = np.zeros(2 * len(a.flows), np.uint32)
    for pair in pairs:
        for side in (0, 1):
            sender[2 * pair.row_b + (side ^ pair.swapped)] = 2 * pair.row_a + side
            shift[2 * pair.row_a + side] = pair.shift[side]
    rows: Rows = b.segments[sender[b.segments["sender"]] >= 0]
    rows["sender"] = sender[rows["sender"]]
    rows["seq"] -= shift[rows["sender"]]
    rows["ack"] = np.where(ack_of(rows) > 0, rows["ack"] - shift[rows["sender"] ^ 1], rows["ack"])
    return rows


def position(rows: Rows) -> NDArray[np.uint32]:
    """The number of a FIN itself; of any other segment its own. A FIN may be cut from its data on the way."""
    ends = rows["flags"] & FIN > 0
    return np.where(ends, rows["seq"] + rows["payload_len"], rows["seq"]).astype(np.uint32)


def _with_timestamp(rows: Rows) -> NDArray[np.uint64]:
    return mixed(_alike(rows), timestamp_of(rows))


def _alike(rows: Rows) -> NDArray[np.uint64]:
    flags = rows["flags"] & CONTROL
    length = np.where(flags & FIN > 0, 0, rows["payload_len"])
    return mixed(rows["sender"], position(rows), ack_of(rows), flags, length)


def rest_matched(common: CommonSegments, ahead: Longs, typical: Longs) -> None:
    """Match what is there more often at one tap: in order, each to that whose time between the taps is nearest to what
    is ``typical`` of its sender. ``ahead`` is how far B's clock is ahead at each segment of A."""
    left_a, left_b = common.left()
    keys_a, keys_b = _alike(common.a[left_a]), _alike(common.b[left_b])
    shared = np.intersect1d(keys_a, keys_b)
    some_a, some_b = np.isin(keys_a, shared), np.isin(keys_b, shared)
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for side, (places, keys) in enumerate(((left_a[some_a], keys_a[some_a]), (left_b[some_b], keys_b[some_b]))):
        for place, key in zip(places.tolist(), keys.tolist(), strict=True):
            groups.setdefault(key, ([], []))[side].append(place)
    for at_a, at_b in groups.values():
        meant = common.a["time"][at_a] + ahead[at_a] + typical[at_a]
        for place, partner in _nearest(meant, common.b["time"][at_b]):
            common.pair(np.array([at_a[place]]), np.array([at_b[partner]]))


def _nearest(meant: Longs, times: Longs) -> list[tuple[int, int]]:
    """Pairs in ascending distance, each used once."""
    distance = np.abs(meant[:, None] - times[None, :])
    found: list[tuple[int, int]] = []
    used_a: set[int] = set()
    used_b: set[int] = set()
    for flat in np.argsort(distance, axis=None, kind="stable").tolist():
        one, other = divmod(flat, len(times))
        if one not in used_a and other not in used_b:
            found.append((one, other))
            used_a.add(one)
            used_b.add(other)
    return found
