"""Addresses as text, compiled: a.b.c.d, and RFC 5952 for IPv6 as ``inet_ntop`` writes it, embedded IPv4 in dots."""

import numpy as np

from analyzer.kernels import helper, kernel, record_at
from analyzer.segments.kernels.addresses import ADDRESS
from analyzer.text.kernels import put_small, store

LONGEST = 45  # bytes
DOT, COLON, DIGIT, LETTER = np.int64(ord(".")), np.int64(ord(":")), np.int64(ord("0")), np.int64(ord("a") - 10)
MAPPED = np.int64(0xFFFF)  # the sixth group of ::ffff:a.b.c.d
SIXTEEN_BITS = np.int64(0xFFFF)

address_at = record_at(ADDRESS)


@helper
def group_of(address, k):
    """One of the eight groups of an IPv6 address."""
    word = np.int64(address["high"]) if k < 4 else np.int64(address["low"])
    return word >> 16 * (3 - (k & 3)) & SIXTEEN_BITS


@helper
def put_four(at, low):
    """Write an IPv4 address."""
    for k in range(4):
        at = put_small(at, low >> 8 * (3 - k) & 0xFF)
        store(at, DOT)
        at += 1
    return at - 1


@helper
def put_hex(at, group):
    """Write a group without leading zeros."""
    size = 1 + (group > 0xF) + (group > 0xFF) + (group > 0xFFF)
    word = np.int64(0)
    for k in range(size):
        digit = group >> 4 * k & 0xF
        word = word << 8 | digit + (DIGIT if digit < 10 else LETTER)
    store(at, word)
    return at + size


@helper
def longest_run(address):
    """Where the first of the longest runs of zero groups begins, times 16, and its length, at least 2; or 0."""
    best = run = np.int64(0)
    for k in range(8):
        run = run + 1 if group_of(address, k) == 0 else np.int64(0)
        if run > 1 and run > best & 15:
            best = (k + 1 - run) << 4 | run
    return best


@helper
def put_six(at, address):
    """Write an IPv6 address."""
    best = longest_run(address)
    begin, length = best >> 4, best & 15
    embedded = begin == 0 and (length == 6 or (length == 5 and group_of(address, 5) == MAPPED))
    k = np.int64(0)
    while k < 8:
        if length and k == begin:
            store(at, COLON | COLON << 8)
            at += 2
            k += length
        elif embedded and k == 6:
            return put_four(at, np.int64(address["low"]))
        else:
            at = put_hex(at, group_of(address, k))
            k += 1
            if k < 8 and not (length and k == begin):
                store(at, COLON)
                at += 1
    return at


@kernel(int, int, int, int, np.int64)
def write_addresses(rows, first, stop, out, starts):
    """Write rows ``first`` to ``stop`` of the array of ADDRESS at ``rows`` behind one another at address ``out``.

    ``out`` has LONGEST bytes for each and a few more behind; ``starts[k]`` becomes where text ``first + k`` starts.
    """
    at = out
    for row in range(first, stop):
        address = address_at(rows, row)
        starts[row - first] = at - out
        at = put_four(at, np.int64(address["low"])) if address["version"] == 4 else put_six(at, address)
    starts[stop - first] = at - out
