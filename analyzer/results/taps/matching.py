"""Which flow of A is which flow of B: by the segments that they have in common, not by their addresses.

Sequence and acknowledgment number together are 64 bits: flows that share some are the same connection, whatever a NAT
made of addresses and ports. Where a device writes other sequence numbers, timestamps and lengths tell it; where there
are no timestamps, relative numbers, lengths and first bytes do, if no other flow has the same. Whatever fits several
flows equally well is not matched.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.results.taps.tap import Longs, Rows, Tap, ack_of, mixed, timestamp_of
from analyzer.segments.table import ACK, FIN, HAS_TIMESTAMP, RST, SYN

MOST_ALIKE = 4  # flows of one capture with the same segment; more say nothing of which it is
FEWEST = {"numbers": 1, "timestamps": 3, "relative": 4}  # segments in common
FEWEST_ELSEWHERE = 2  # of other addresses; one number of 32 bits is not enough
BOTH_ISN = 3


class Pair(NamedTuple):
    """A flow of both: rows of the two flow tables, and whether side 0 of A is side 1 of B. ``by`` says what matched:
    "numbers", "timestamps" or "relative"; ``moved`` whether addresses or ports differ."""

    row_a: int
    row_b: int
    swapped: bool
    by: str
    moved: bool
    common: int  # different segments in common
    shift: tuple[int, int]  # what is to be added to sequence numbers of A's side 0 and side 1, for those of B


@dataclass
class Matches:
    """``several`` are rows of A's flow table that fit several flows of B equally well, or of which another does."""

    pairs: list[Pair]
    several: set[int]


def matched(a: Tap, b: Tap) -> Matches:
    """All pairs."""
    pairs: list[Pair] = []
    several: set[int] = set()
    for by in FEWEST:
        rest_a = _left(a, {pair.row_a for pair in pairs})
        rest_b = _left(b, {pair.row_b for pair in pairs})
        if not len(rest_a) or not len(rest_b):
            break
        more, unclear = _round(by, a, b, rest_a, rest_b)
        pairs += more
        several |= unclear
    found = {pair.row_a for pair in pairs}
    return Matches(sorted(pairs), several - found)


def _left(tap: Tap, taken: set[int]) -> Rows:
    if not taken:
        return tap.segments
    flags = np.zeros(len(tap.flows), np.bool_)
    flags[list(taken)] = True
    rows: Rows = tap.segments[~flags[tap.segments["sender"] >> 1]]
    return rows


def _keys(by: str, tap: Tap, rows: Rows) -> tuple[Longs, NDArray[np.uint64]]:
    """Sender and key of the different segments of each flow that tell anything."""
    if by == "timestamps":
        rows = rows[(rows["marks"] & HAS_TIMESTAMP > 0) & (rows["ts_ecr"] > 0)]
        keys = mixed(rows["ts_val"], rows["ts_ecr"], rows["payload_len"])
    elif by == "relative":
        rows = rows[(tap.flows["isn_known"][rows["sender"] >> 1] & BOTH_ISN == BOTH_ISN) & (rows["flags"] & RST == 0)]
        isn, row, side = tap.flows["isn"], rows["sender"] >> 1, rows["sender"] & 1
        number = (rows["seq"] - isn[row, side]).astype(np.uint32)
        acked = np.where(rows["flags"] & ACK > 0, rows["ack"] - isn[row, 1 - side], 0).astype(np.uint32)
        keys = mixed(number, acked, rows["payload_len"], rows["first_byte"], rows["flags"] & (SYN | FIN))
    else:
        opening = rows["flags"] & SYN > 0
        keys = mixed(
            rows["seq"], ack_of(rows), rows["flags"] & (SYN | FIN | RST), np.where(opening, timestamp_of(rows), 0)
        )
    order = np.lexsort((rows["sender"], keys))
    keys, senders = keys[order], rows["sender"][order].astype(np.int64)
    new = np.ones(len(keys), np.bool_)
    new[1:] = (np.diff(keys) != 0) | (np.diff(senders) != 0)
    return senders[new], keys[new]


def _votes(a: tuple[Longs, NDArray[np.uint64]], b: tuple[Longs, NDArray[np.uint64]]) -> tuple[Longs, Longs, Longs]:
    """Senders of A and of B, and how many keys they share."""
    low, high = np.searchsorted(b[1], a[1], "left"), np.searchsorted(b[1], a[1], "right")
    alike = np.searchsorted(a[1], a[1], "right") - np.searchsorted(a[1], a[1], "left")
    counts = np.where((high - low <= MOST_ALIKE) & (alike <= MOST_ALIKE), high - low, 0)
    left = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    right = np.repeat(low, counts) + within
    pairs, votes = np.unique(a[0][left] << 32 | b[0][right], return_counts=True)
    return pairs >> 32, pairs & 0xFFFFFFFF, votes


def _round(by: str, a: Tap, b: Tap, rows_a: Rows, rows_b: Rows) -> tuple[list[Pair], set[int]]:
    senders_a, senders_b, votes = _votes(_keys(by, a, rows_a), _keys(by, b, rows_b))
    if not len(votes):
        return [], set()
    swapped = (senders_a ^ senders_b) & 1
    key = (senders_a >> 1) << 32 | (senders_b >> 1) << 1 | swapped
    keys, places = np.unique(key, return_inverse=True)
    total = np.bincount(places, votes).astype(np.int64)
    row_a, row_b, swapped = keys >> 32, keys >> 1 & 0x7FFFFFFF, keys & 1
    same = _same_ends(a, b, row_a, row_b, swapped)
    weight = 2 * total + same
    best_a, best_b = np.zeros(len(a.flows), np.int64), np.zeros(len(b.flows), np.int64)
    np.maximum.at(best_a, row_a, weight)
    np.maximum.at(best_b, row_b, weight)
    best = (weight == best_a[row_a]) & (weight == best_b[row_b])
    alone = (np.bincount(row_a[best], minlength=len(a.flows))[row_a] == 1) & (
        np.bincount(row_b[best], minlength=len(b.flows))[row_b] == 1
    )
    enough = total >= np.where(same, FEWEST[by], max(FEWEST[by], FEWEST_ELSEWHERE))
    pairs = []
    for place in np.flatnonzero(best & alone & enough).tolist():
        pair = Pair(
            int(row_a[place]), int(row_b[place]), bool(swapped[place]), by, not same[place], int(total[place]), (0, 0)
        )
        pairs.append(pair._replace(shift=_shift(a, b, pair)) if by != "numbers" else pair)
    return pairs, set(row_a[best & ~alone & enough].tolist())


def _same_ends(a: Tap, b: Tap, row_a: Longs, row_b: Longs, swapped: Longs) -> NDArray[np.bool_]:
    """Whether addresses and ports of two flows are the same."""
    known = {text: place for place, text in enumerate(a.texts)}
    number = np.array([known.get(text, -1) for text in b.texts] or [-1], np.int64)
    same = np.ones(len(row_a), np.bool_)
    for side in (0, 1):
        other = np.where(swapped > 0, 1 - side, side)
        same &= a.flows["address"][row_a, side] == number[b.flows["address"][row_b, other]]
        same &= a.flows["port"][row_a, side] == b.flows["port"][row_b, other]
    return same


def _shift(a: Tap, b: Tap, pair: Pair) -> tuple[int, int]:
    """By how much a device has moved the sequence numbers of each side: by their ISNs."""
    isn_a, isn_b = a.flows["isn"][pair.row_a], b.flows["isn"][pair.row_b]
    if pair.swapped:
        isn_b = isn_b[::-1]
    first, second = ((int(new) - int(old)) & 0xFFFFFFFF for old, new in zip(isn_a, isn_b, strict=True))
    return first, second
