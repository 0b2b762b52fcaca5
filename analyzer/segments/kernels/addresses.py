"""Addresses to row numbers: a hash table with open addressing, keyed against whoever wrote the capture.

The hash is Thorup's multiply-shift over the address's four 32-bit words: the sum of word * key, modulo 2^63, of
which the top bits are the slot. For keys drawn at random any two addresses collide with the probability that
chance gives, whatever addresses a hostile capture chooses. Keys decide only where an address is looked for: rows are
numbered in order of first appearance.

Three arrays make the book. ``rows`` holds the addresses by number; ``slots`` holds them again by hash, so that a
look-up touches one place in memory; ``state`` is the keys, how many rows are in use, and the shift.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.kernels import helper, inlined, kernel, prefetch
from analyzer.segments.kernels.cursor import Bytes, Record, be32
from analyzer.segments.table import IPV6

ADDRESS = np.dtype(
    [
        ("high", "<i8"),  # the first eight bytes of an IPv6 address, 0 of an IPv4 one
        ("low", "<i8"),  # the last eight, or the four of IPv4
        ("version", "<i4"),  # 4 or 6: ::a.b.c.d and a.b.c.d are two addresses; 0 where a slot is free
        ("row", "<i4"),
    ]
)

SLOT_SIZE = np.int64(ADDRESS.itemsize)

Rows = NDArray[np.void]
State = NDArray[np.int64]

MODULUS_BITS = 63
MODULUS, WORD = (1 << MODULUS_BITS) - 1, (1 << 32) - 1
ZERO, FOUR = np.int64(0), np.int64(4)
KEYS = 5
"""One for each word and one that is added; they are the first items of the state."""
NAMED = 3
"""Addresses that one packet can bring: two ends, and the sender of an ICMP error that quotes them."""
USED, SHIFT = KEYS, KEYS + 1
"""Where in the state the number of rows in use stands, and by how much a hash is shifted to give a slot."""


@helper
def slot_of(high: int, low: int, state: State) -> int:
    """Where the search for an address begins."""
    return hashed(high, low, state) >> state[SHIFT]


@inlined
def hashed(high: int, low: int, state: State) -> int:
    """The keyed hash of two numbers, of MODULUS_BITS bits. int() keeps it exact where it runs uncompiled; compiled, the
    mask hides the wrap."""
    total = int(low & WORD) * int(state[0]) + int(state[4])
    if high | (low >> 32):
        total += int(low >> 32 & WORD) * int(state[1])
        total += int(high & WORD) * int(state[2]) + int(high >> 32 & WORD) * int(state[3])
    return total & MODULUS


@helper
def intern(high: int, low: int, version: int, rows: Rows, slots: Rows, state: State) -> int:
    """The row of an address, a new one if it was never seen; one must be free."""
    mask = len(slots) - 1
    slot = slot_of(high, low, state)
    entry = slots[slot]
    while entry["version"]:
        if entry["low"] == low and entry["high"] == high and entry["version"] == version:
            return entry["row"]
        slot = (slot + 1) & mask
        entry = slots[slot]
    return enter(high, low, version, rows, entry, state)


@inlined
def intern_ipv4(low: int, rows: Rows, slots: Rows, state: State) -> int:
    """The row of an IPv4 address: one look, and :func:`intern` where it is not in its own slot."""
    entry = slots[hashed(ZERO, low, state) >> state[SHIFT]]
    if (entry["low"] ^ low) | (entry["version"] ^ FOUR) == 0:  # of IPv4, ``high`` is 0 anyway
        return entry["row"]
    return intern(ZERO, low, 4, rows, slots, state)


@inlined
def prefetch_ipv4(low: int, state: State, slots_at: int) -> None:
    """Have the slot brought near where the search for an IPv4 address begins."""
    prefetch(slots_at + (hashed(ZERO, low, state) >> state[SHIFT]) * SLOT_SIZE)


@helper
def enter(high: int, low: int, version: int, rows: Rows, entry: Record, state: State) -> int:
    """Give an address the next row, and note it in the free slot ``entry``."""
    number = state[USED]
    entry["high"], entry["low"], entry["version"], entry["row"] = high, low, version, number
    row = rows[number]
    row["high"], row["low"], row["version"], row["row"] = high, low, version, number
    state[USED] = number + 1
    return number


@helper
def fill_addresses(data: Bytes, cursor: Record, segment: Record, rows: Rows, slots: Rows, state: State) -> None:
    """Fill in the segment's two addresses from the IP header that the cursor has passed, and who sent the ICMP error
    that quotes it."""
    segment["src"] = address_row(data, cursor, cursor["source"], rows, slots, state)
    segment["dst"] = address_row(data, cursor, cursor["target"], rows, slots, state)
    if cursor["icmp_error"]:
        segment["ts_ecr"] = address_row(data, cursor, cursor["icmp_sender"], rows, slots, state)


@helper
def address_row(data: Bytes, cursor: Record, at: int, rows: Rows, slots: Rows, state: State) -> int:
    """The row of the address at ``at``, of the version of the cursor's IP header."""
    high, low, version = np.int64(0), be32(data, at), 4
    if cursor["marks"] & IPV6:
        high, version = (low << 32) | be32(data, at + 4), 6
        low = (be32(data, at + 8) << 32) | be32(data, at + 12)
    return intern(high, low, version, rows, slots, state)


@kernel(ADDRESS, ADDRESS, np.int64)
def fill_slots(rows: Rows, slots: Rows, state: State) -> None:
    """Enter all rows in use into empty ``slots``."""
    mask = len(slots) - 1
    for number in range(state[USED]):
        row = rows[number]
        slot = slot_of(row["high"], row["low"], state)
        while slots[slot]["version"]:
            slot = (slot + 1) & mask
        row["row"] = number
        slots[slot] = row
