"""Nanoseconds as decimal seconds with exactly nine decimals, by integer arithmetic, a column at a time.

A double holds a date of today to about 240 ns; printing one would invent digits. Here the whole seconds and
the fraction are separate integers, and the text is their digits.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.times import UNKNOWN

NANO = 1_000_000_000


def decimal_text(nanoseconds: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    """A string array such as ``1700000000.000000001`` and ``-0.500000000``, null where UNKNOWN."""
    unknown = nanoseconds == UNKNOWN
    known = np.where(unknown, 0, nanoseconds)
    size = np.abs(known)
    whole = size // NANO
    text = pc.binary_join_element_wise(_integers(whole), _fractions(size - whole * NANO), "")
    if (known < 0).any():
        text = pc.binary_join_element_wise(pa.array(np.where(known < 0, "-", "")).cast(pa.string()), text, "")
    return pc.if_else(pa.array(unknown), pa.scalar(None, pa.string()), text) if unknown.any() else text


def decimal(nanoseconds: int) -> str:
    """The same for one number."""
    whole, fraction = divmod(abs(nanoseconds), NANO)
    return f"{'-' if nanoseconds < 0 else ''}{whole}.{fraction:09d}"


def _integers(whole: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    return pa.array(whole).cast(pa.string())


def _fractions(fraction: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    """``.ddddddddd`` for each: the digits of 1_000_000_000 + fraction, whose leading 1 becomes the point."""
    digits = pa.array((fraction + NANO).astype(np.int32)).cast(pa.string())
    width = 10
    data = np.frombuffer(digits.buffers()[2], np.uint8, width * len(fraction)).reshape(-1, width).copy()
    data[:, 0] = ord(".")
    offsets = np.arange(0, data.size + 1, width, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(fraction), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
