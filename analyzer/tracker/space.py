"""Sequence space: arithmetic modulo 2^32 (RFC 9293 3.4). Every comparison of sequence numbers is made here, and what a
segment takes of it is told here."""

import numpy as np

from analyzer.kernels import part
from analyzer.segments.table import ACK, PADDED

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


@part
def ack_of(s, known):
    """The acknowledgment that segment ``s`` carries; ``known``, the highest of its sender, where it has no ACK flag."""
    return np.int64(s["ack"]) if np.int64(s["flags"]) & ACK else np.int64(known)


@part
def length_of(s):
    """Bytes of payload of a segment, those that look like padding apart."""
    return np.int64(0) if np.int64(s["marks"]) & PADDED else np.int64(s["payload_len"])
