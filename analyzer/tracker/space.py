"""Sequence space: arithmetic modulo 2^32 (RFC 9293 3.4). Every comparison of sequence numbers is made here."""

import numpy as np

from analyzer.compiled import part

MODULUS = 1 << 32
HALF = 1 << 31


@part
def ahead(a, b):
    """How far ``a`` is ahead of ``b`` in sequence space: -2^31 .. 2^31 - 1."""
    return ((np.int64(a) - np.int64(b) + HALF) & 0xFFFFFFFF) - HALF


@part
def plus(a, count):
    """The sequence number ``count`` after ``a``."""
    return (np.int64(a) + np.int64(count)) & 0xFFFFFFFF
