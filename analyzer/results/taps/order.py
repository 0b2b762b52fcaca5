"""Which tap a sender's segments pass first.

A router between the taps counts the TTL down. Where none does, the times tell: whatever the clocks show, the way there
and the way back together take time. What is found of an address holds for all its flows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.results.taps.segments import NOWHERE, CommonSegments
from analyzer.results.taps.tap import Longs, Tap

A_FIRST, B_FIRST, NOT_KNOWN = 1, -1, 0
SAME_PLACE_NS = 2_000  # less between the taps and back is less than times in microseconds can show


class PathOrder:
    """``first`` has A_FIRST, B_FIRST or NOT_KNOWN for each sender of A's flow table."""

    def __init__(self, a: Tap, common: CommonSegments) -> None:
        count = 2 * len(a.flows)
        at_a = np.flatnonzero(common.at_b != NOWHERE)
        at_b = common.at_b[at_a]
        sender = common.a["sender"][at_a].astype(np.int64)
        routed = _signs(sender, np.sign(common.a["ttl"][at_a].astype(np.int64) - common.b["ttl"][at_b]), count)
        self.by_ttl = bool(routed.any())
        said = np.where(routed != 0, routed, _by_times(sender, common.b["time"][at_b] - common.a["time"][at_a], count))
        said = np.where(said != 0, said, -_other_side(said))
        address = a.flows["address"].astype(np.int64).ravel()
        votes = np.bincount(address, said, minlength=int(address.max(initial=0)) + 1)
        total = votes[address] - votes[_other_side(address)]
        self.first = np.where(said != 0, said, np.sign(total)).astype(np.int64)
        self.contradicted = int((said * _other_side(said) > 0).sum()) // 2  # flows whose two ways run alike


def _other_side(values: NDArray[Any]) -> NDArray[Any]:
    """What the peer has."""
    return values.reshape(-1, 2)[:, ::-1].ravel()


def _signs(sender: Longs, signs: Longs, count: int) -> Longs:
    """What most segments of a sender say."""
    return np.sign(np.bincount(sender, signs, minlength=count)).astype(np.int64)


def _by_times(sender: Longs, ahead: Longs, count: int) -> Longs:
    """Of a sender whose segments seem to take longer than its peer's, A is first."""
    order = np.lexsort((ahead, sender))
    senders, begins, counts = np.unique(sender[order], return_index=True, return_counts=True)
    medians: NDArray[np.int64] = np.zeros(count, np.int64)
    known = np.zeros(count, np.bool_)
    medians[senders], known[senders] = ahead[order][begins + counts // 2], True
    difference = medians - _other_side(medians)
    difference[~(known & _other_side(known)) | (np.abs(difference) < SAME_PLACE_NS)] = 0
    signs: Longs = np.sign(difference)
    return signs
