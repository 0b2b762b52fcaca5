"""Whose RSTs are that the tap nearer to their sender lacks: what the other tap shows of it.

That capture may have missed a frame, so that it lacks them proves nothing by itself.
"""

from typing import NamedTuple

import numpy as np

from analyzer.results.taps.tap import Rows
from analyzer.segments.table import RST


class ResetSigns(NamedTuple):
    """The TTLs of the RSTs, those of the sender's other segments at the same tap, and how many segments without RST of
    that sender came after the first one there: a TCP that resets a connection sends nothing else of it afterwards."""

    ttls: tuple[int, ...]
    usual: tuple[int, ...]
    later: int

    @property
    def other_ttl(self) -> bool:
        """Whether no other segment of the sender has a TTL of these."""
        return bool(self.usual) and 0 not in self.ttls and not set(self.ttls) & set(self.usual)

    @property
    def confidence(self) -> str:
        """How sure it is that a device between sent them."""
        return ("low", "medium", "high")[self.other_ttl + (self.later > 0)]


def reset_signs(rows: Rows, sender: int, frames: tuple[int, ...]) -> ResetSigns:
    """Of RSTs in these ``frames``; ``rows`` are the segments of the tap that has them, in order."""
    own = rows[rows["sender"] == sender]
    resets = own[np.isin(own["frame"], frames)]
    others = own[own["flags"] & RST == 0]
    later = int((others["frame"] > frames[0]).sum())
    ttls, usual = (tuple(np.unique(some["ttl"]).tolist()) for some in (resets, others))
    return ResetSigns(ttls, usual, later)
