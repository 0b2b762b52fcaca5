"""Columns of numbers as the values of Parquet's data pages, compiled: a block of rows at a time, column after column.

A row has many columns and is read from memory once: while BLOCK of them are near, each column picks out its values,
drops those that are null, notes in a bit each which rows have one, and encodes what has come together as soon as that
is a whole block. Encodings and layouts are those of https://parquet.apache.org/docs/file-format/data-pages/encodings/:
whole numbers as differences in no more bits than a block's need, places in a dictionary in as many bits as the
dictionary needs, a block of equal ones as a run.

Memory is written in whole words of eight bytes, the excess being overwritten by what follows: who calls gives each
column room for ROOM bytes a block, its beginnings and ends apart, and reads nothing behind ``end``.
"""

from enum import IntEnum

import numpy as np

from analyzer.compiled import kernel, part, record_at
from analyzer.lines.kernels import UNKNOWN, load, store

BLOCK = np.int64(128)  # values; a number that DELTA_BINARY_PACKED prescribes multiples of
SMALL = np.int64(32)  # values of which a block has some with a bit width of their own
ROOM = 1088  # bytes that a block of values may take: 128 words, what stands before them, and the excess


class Form(IntEnum):
    """How values are encoded."""

    NUMBERS = 0  # whole numbers: DELTA_BINARY_PACKED
    PLACES = 1  # places in a dictionary: RLE_DICTIONARY, without the byte that says how many bits
    SECONDS = 2  # nanoseconds, as seconds: PLAIN, of type DOUBLE
    FLAGS = 3  # 0 and 1: PLAIN, of type BOOLEAN
    TEXTS = 4  # texts that hardly repeat: PLAIN; nothing is done with them here


COLUMN = np.dtype(
    [
        ("form", "<i8"),
        # Where the numbers stand: one each ``stride`` bytes from ``at`` on, in ``size`` bytes, negative if signed.
        ("at", "<i8"),
        ("stride", "<i8"),
        ("size", "<i8"),
        ("none", "<i8"),  # the number that stands for null
        ("lookup", "<i8"),  # address of what each number stands for, in eight bytes each; 0 for itself
        ("known", "<i8"),  # how many numbers stand for something; others are null
        ("width", "<i8"),  # bits of a place
        ("levels", "<i8"),  # address of which rows have a value: definition levels, as RLE
        ("levels_end", "<i8"),  # up to where they have been written
        ("values", "<i8"),  # address of the encoded values
        ("end", "<i8"),  # up to where they have been written
        ("waiting", "<i8"),  # address of the values that are not encoded yet: room for two blocks
        ("count", "<i8"),  # how many wait
        ("present", "<i8"),  # rows that have a value
        ("first", "<i8"),  # the first value; further ones are encoded by how they differ from the one before
        ("last", "<i8"),  # the one encoded last
        ("low", "<i8"),
        ("high", "<i8"),
    ]
)
column_at = record_at(COLUMN)
byte_at = record_at(np.dtype([("_", "u1")]))
short_at = record_at(np.dtype([("_", "<u2")]))
half_at = record_at(np.dtype([("_", "<u4")]))
signed_at = record_at(np.dtype([("_", "<i4")]))
double_at = record_at(np.dtype([("_", "<f8")]))

NUMBERS, PLACES, SECONDS, FLAGS, TEXTS = (np.int64(form) for form in Form)
NOTHING = np.int64(UNKNOWN)
ALL = np.int64(-1)
ONE = np.int64(1)
RUN = np.int64(0x0280)  # head of a run of BLOCK equal values: twice their number, as a varint
PACKED = np.int64(2 * 16 + 1)  # head of a block of BLOCK packed values: twice the number of groups of eight, plus one


@part
def number_at(at, size):
    """A number of ``size`` bytes."""
    if size == 8:
        return load(at)
    if size == 1:
        return np.int64(byte_at(at, 0)["_"])
    if size == 2:
        return np.int64(short_at(at, 0)["_"])
    if size == 4:
        return np.int64(half_at(at, 0)["_"])
    return np.int64(signed_at(at, 0)["_"])


@part
def put_varint(at, value):
    """Write a number without sign, seven bits a byte, the lowest first; returns the place behind it."""
    while value & ~127:
        byte_at(at, 0)["_"] = value & 127 | 128
        value = value >> 7 & ((ONE << 57) - 1)
        at += 1
    byte_at(at, 0)["_"] = value
    return at + 1


@part
def bits_of(value):
    """How many bits a number without sign needs."""
    count = np.int64(0)
    if value < 0:
        return np.int64(64)
    if value >> 32:
        count, value = 32, value >> 32
    if value >> 16:
        count, value = count + 16, value >> 16
    if value >> 8:
        count, value = count + 8, value >> 8
    while value:
        count, value = count + 1, value >> 1
    return count


@part
def pack(at, values, count, width):
    """Write numbers of ``width`` bits without gaps, the first lowest; returns the place behind the last byte used."""
    word, filled = np.int64(0), np.int64(0)
    for place in range(count):
        value = load(values + 8 * place)
        word |= value << filled
        filled += width
        if filled >= 64:
            store(at, word)
            at += 8
            filled -= 64
            word = np.int64(0)
            if filled:
                word = value >> (width - filled) & ((ONE << filled) - 1)
    store(at, word)
    return at + (filled + 7 >> 3)


@part
def put_places(column, values, count):
    """Encode places: a run where they are equal, else in as many bits as the dictionary needs."""
    at, width = np.int64(column["end"]), np.int64(column["width"])
    first, differing = load(values), np.int64(0)
    for place in range(count):
        differing |= load(values + 8 * place) ^ first
    if differing == 0:
        at = put_varint(at, 2 * count)
        store(at, first)
        column["end"] = at + (width + 7 >> 3)
        return
    for place in range(count, -(-count // 8) * 8):
        store(values + 8 * place, 0)
    at = put_varint(at, -(-count // 8) * 2 + 1)
    column["end"] = pack(at, values, -(-count // 8) * 8, width)


@part
def put_numbers(column, values, count):
    """Encode whole numbers: the least difference, four bit widths, what each difference is beyond the least."""
    last, least = np.int64(column["last"]), np.int64(0)
    for place in range(count):
        value = load(values + 8 * place)
        difference = value - last
        store(values + 8 * place, difference)
        least = difference if place == 0 or difference < least else least
        last = value
    column["last"] = last
    widths = put_varint(np.int64(column["end"]), least << 1 ^ least >> 63)
    at, all_widths = widths + 4, np.int64(0)
    for begin in range(0, count, SMALL):
        width, end = np.int64(0), min(begin + SMALL, count)
        for place in range(begin, end):
            beyond = load(values + 8 * place) - least
            store(values + 8 * place, beyond)
            width |= beyond
        for place in range(end, begin + SMALL):
            store(values + 8 * place, 0)
        width = bits_of(width)
        all_widths |= width << begin // 4
        at = pack(at, values + 8 * begin, SMALL, width)
    for place in range(4):
        byte_at(widths, place)["_"] = all_widths >> 8 * place & 255
    column["end"] = at


@part
def put_seconds(column, values, count):
    """Write nanoseconds as seconds."""
    at = np.int64(column["end"])
    for place in range(count):
        double_at(at, place)["_"] = np.float64(load(values + 8 * place)) / 1e9
    column["end"] = at + 8 * count


@part
def encode(column, count):
    """Encode the first of the waiting values; the others move up."""
    values, form = np.int64(column["waiting"]), np.int64(column["form"])
    low, high = np.int64(column["low"]), np.int64(column["high"])
    for place in range(count):
        value = load(values + 8 * place)
        low, high = min(low, value), max(high, value)
    column["low"], column["high"] = low, high
    left = np.int64(column["count"]) - count
    if form == NUMBERS:
        put_numbers(column, values, count)
    elif form == PLACES:
        put_places(column, values, count)
    elif form == SECONDS:
        put_seconds(column, values, count)
    else:
        column["end"] = pack(np.int64(column["end"]), values, count, ONE)
    for place in range(left):
        store(values + 8 * place, load(values + 8 * (count + place)))
    column["count"] = left


@part
def put_levels(column, low, high, rows):
    """Write which rows of a block have a value, of which the first 64 are in the bits of ``low``."""
    at = np.int64(column["levels_end"])
    if rows == BLOCK and low == high and (low == 0 or low == ALL):
        store(at, RUN | (low & 1) << 16)
        column["levels_end"] = at + 3
        return
    groups = -(-rows // 8)
    store(at, groups * 2 + 1)
    store(at + 1, low)
    store(at + 9, high)
    column["levels_end"] = at + 1 + groups


@part
def present(column, begin, rows, values):
    """Pick out up to 64 values that are not null; returns in bits which rows have one, and how many."""
    at, stride, size = np.int64(column["at"]), np.int64(column["stride"]), np.int64(column["size"])
    none, lookup, known = np.int64(column["none"]), np.int64(column["lookup"]), np.int64(column["known"])
    at += begin * stride
    bits, count = np.int64(0), np.int64(0)
    for row in range(rows):
        value = number_at(at + row * stride, size)
        if lookup:
            value = load(lookup + 8 * value) if 0 <= value < known else none
        there = np.int64(value != none)
        store(values + 8 * count, value)
        count += there
        bits |= there << row
    return bits, count


@part
def take(column, begin, rows):
    """Take in the values of up to BLOCK rows; they wait to be encoded."""
    waiting, count = np.int64(column["waiting"]), np.int64(column["count"])
    low, more = present(column, begin, min(rows, 64), waiting + 8 * count)
    high, last = present(column, begin + 64, max(rows - 64, 0), waiting + 8 * (count + more))
    put_levels(column, low, high, rows)
    more += last
    if column["form"] == NUMBERS and column["present"] == 0 and more > 0:
        column["first"] = column["last"] = column["low"] = column["high"] = load(waiting)
        column["present"], more = 1, more - 1
        for place in range(more):
            store(waiting + 8 * place, load(waiting + 8 * (place + 1)))
    column["count"], column["present"] = count + more, np.int64(column["present"]) + more


@kernel(int, int, int)
def fill(columns, count, rows):
    """Encode ``rows`` rows of so many columns, the COLUMNs at address ``columns``."""
    for begin in range(0, rows, BLOCK):
        for k in range(count):
            column = column_at(columns, k)
            if column["form"] == TEXTS:
                continue
            take(column, begin, min(BLOCK, rows - begin))
            if column["count"] >= BLOCK:
                encode(column, BLOCK)
    for k in range(count):
        column = column_at(columns, k)
        if column["count"] > 0:
            encode(column, np.int64(column["count"]))
