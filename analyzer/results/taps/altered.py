"""What a device between changed in the segments that passed both taps."""

from typing import NamedTuple

import numpy as np

from analyzer.results.taps.matching import Pair
from analyzer.results.taps.segments import NOWHERE, CommonSegments
from analyzer.segments.table import CUT_HEADER, HAS_TIMESTAMP, SYN


class Altered(NamedTuple):
    """Connections with other addresses, or other sequence numbers; SYNs with another window scale; segments of which
    only one tap has the timestamp option, or with another timestamp. ``hops`` are how often each segment's TTL was
    counted down, ascending."""

    moved: int
    renumbered: int
    window_scales: int
    timestamps: int
    hops: tuple[int, ...]


def altered(common: CommonSegments, pairs: list[Pair]) -> Altered:
    """All of it."""
    at_a = np.flatnonzero(common.at_b != NOWHERE)
    one, other = common.a[at_a], common.b[common.at_b[at_a]]
    whole = (one["marks"] | other["marks"]) & CUT_HEADER == 0
    stamped = (one["marks"] & HAS_TIMESTAMP, other["marks"] & HAS_TIMESTAMP)
    stamps = whole & ((stamped[0] != stamped[1]) | ((stamped[0] > 0) & (one["ts_val"] != other["ts_val"])))
    scales = whole & (one["flags"] & SYN > 0) & (one["window_scale"] != other["window_scale"])
    counts = np.bincount(np.abs(one["ttl"].astype(np.int64) - other["ttl"]))
    usual = np.flatnonzero((counts > 0) & (counts * 20 >= counts.sum()))
    return Altered(
        sum(pair.moved for pair in pairs),
        sum(pair.by != "numbers" for pair in pairs),
        int(scales.sum()),
        int(stamps.sum()),
        tuple(usual.tolist()),
    )
