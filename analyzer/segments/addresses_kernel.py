"""Addresses to row numbers: a hash table with open addressing, keyed against whoever wrote the capture.

The hash is Thorup's multiply-shift over the address's eight 16-bit words: the sum of word * key, modulo 2^44, of
which the top bits are the slot. For keys drawn at random any two addresses collide with the probability that
chance gives, whatever addresses a hostile capture chooses; and no product leaves 63 bits, so that it also runs
uncompiled. Keys decide only where an address is looked for: rows are numbered in order of first appearance.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.compiled import kernel
from analyzer.segments.cursor_kernel import Bytes, Record, be16, be32
from analyzer.segments.table import IPV6

ADDRESS = np.dtype(
    [
        ("high", "<i8"),  # the first eight bytes of an IPv6 address, 0 of an IPv4 one
        ("low", "<i8"),  # the last eight, or the four of IPv4
        ("version", "<i8"),  # 4 or 6: ::a.b.c.d and a.b.c.d are two addresses
    ]
)

MODULUS_BITS = 44
FREE = -1
KEYS = 9
"""One for each word and one that is added."""


@kernel
def slot_of(high: int, low: int, keys: NDArray[np.int64], slots: NDArray[np.int32]) -> int:
    """Where the search for an address begins; ``slots`` has a power of two of places."""
    total = keys[8] + (low & 0xFFFF) * keys[0] + ((low >> 16) & 0xFFFF) * keys[1]
    if high or low >> 32:
        total += ((low >> 32) & 0xFFFF) * keys[2] + ((low >> 48) & 0xFFFF) * keys[3]
        total += (high & 0xFFFF) * keys[4] + ((high >> 16) & 0xFFFF) * keys[5]
        total += ((high >> 32) & 0xFFFF) * keys[6] + ((high >> 48) & 0xFFFF) * keys[7]
    return ((total & ((1 << MODULUS_BITS) - 1)) * len(slots)) >> MODULUS_BITS


@kernel
def intern(
    high: int,
    low: int,
    version: int,
    rows: NDArray[np.void],
    slots: NDArray[np.int32],
    keys: NDArray[np.int64],
    used: NDArray[np.int64],
) -> int:
    """The row of an address, a new one if it was never seen; ``used[0]`` rows are taken, one must be free."""
    mask = len(slots) - 1
    slot = slot_of(high, low, keys, slots)
    while slots[slot] != FREE:
        row = rows[slots[slot]]
        if row["low"] == low and row["high"] == high and row["version"] == version:
            return slots[slot]
        slot = (slot + 1) & mask
    new = used[0]
    row = rows[new]
    row["high"], row["low"], row["version"] = high, low, version
    slots[slot] = new
    used[0] = new + 1
    return new


@kernel
def intern_at(
    data: Bytes,
    at: int,
    marks: int,
    rows: NDArray[np.void],
    slots: NDArray[np.int32],
    keys: NDArray[np.int64],
    used: NDArray[np.int64],
) -> int:
    """The row of the address that stands at ``at``, of the IP version that ``marks`` tell."""
    if marks & IPV6 == 0:
        return intern(0, be32(data, at), 4, rows, slots, keys, used)
    high = (be32(data, at) << 32) | be32(data, at + 4)
    low = (be32(data, at + 8) << 32) | be32(data, at + 12)
    return intern(high, low, 6, rows, slots, keys, used)


@kernel
def fill_slots(
    rows: NDArray[np.void], count: int, slots: NDArray[np.int32], keys: NDArray[np.int64]
) -> None:
    """Enter the first ``count`` rows into empty ``slots``."""
    mask = len(slots) - 1
    for number in range(count):
        row = rows[number]
        slot = slot_of(row["high"], row["low"], keys, slots)
        while slots[slot] != FREE:
            slot = (slot + 1) & mask
        slots[slot] = number
