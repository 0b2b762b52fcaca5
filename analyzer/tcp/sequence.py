"""Sequence numbers: arithmetic modulo 2^32 (RFC 9293 3.4). Every comparison of them is made here, for kernels, for
single numbers and for numpy's arrays."""

from typing import Any

import numpy as np

from analyzer.kernels import helper

MODULUS = 1 << 32
HALF = 1 << 31


def difference(a: Any, b: Any) -> Any:
    """How far the number ``a`` is ahead of ``b``: -2^31 .. 2^31 - 1, negative where it is behind."""
    return ((np.int64(a) - np.int64(b) + HALF) & (MODULUS - 1)) - HALF


seq_diff: Any = helper(difference)
"""The same for kernels."""


def sent_first(behind: Any, other_behind: Any, time: Any, other_time: Any) -> Any:
    """Whether one side's FIN was sent before the other's: only it acknowledges less than the other (``behind``), or, as
    neither or both do, it passed first. For numbers and for arrays."""
    return (behind > other_behind) | ((behind == other_behind) & (time <= other_time))


fin_sent_first: Any = helper(sent_first)
"""The same for kernels."""


@helper
def seq_add(a, count):
    """The sequence number ``count`` after ``a``."""
    return (np.int64(a) + np.int64(count)) & (MODULUS - 1)
