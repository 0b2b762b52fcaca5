"""Filling lines, compiled: digits, times, words; one row after the other, one piece after the other.

Everything is written in whole words of eight bytes, the excess being overwritten by what follows; so a line needs
SLACK bytes of room beyond its own. Who calls sees to it that each piece's column reaches as far as the rows do, and
that words have SLACK bytes behind them; the kernels see to it that a code is a word's number, that a row of a
parent is one of its rows, and that there is room.

To add a kind of piece: a number in :class:`PieceKind`, a helper here that writes it and returns where it ended, an arm
in ``put``, and in ``template`` a function that makes the piece and says how long it may become.
"""

from enum import IntEnum

import numpy as np

from analyzer.kernels import const, helper, kernel, record_at
from analyzer.units import UNKNOWN

NANO = np.int64(10**9)
E8 = np.int64(10**8)
POSITIVE = np.int64((1 << 63) - 1)  # a mask that changes nothing, but tells the compiler that a number is not negative


class PieceKind(IntEnum):
    """What a piece writes."""

    LITERAL = 0  # the same text in each line
    NUMBER = 1  # a whole number; nothing for UNKNOWN
    SECONDS = 2  # nanoseconds as seconds with nine decimals; nothing for UNKNOWN
    CODE = 3  # the word of that number; nothing for a number that has none
    LETTERS = 4  # letters of five bits each, twelve in a number and the first highest; 0 is none


PIECE = np.dtype(
    [
        ("kind", "<i8"),
        # The column: eight bytes at ``at + row * stride``, of which ``>> shift & mask`` is the number.
        ("at", "<i8"),
        ("stride", "<i8"),
        ("shift", "<i8"),
        ("mask", "<i8"),
        ("sign", "<i8"),  # its highest bit, where it is signed and shorter than eight bytes, else 0
        ("none", "<i8"),  # this value stands for UNKNOWN too
        ("zero", "<i8"),  # of SECONDS: this value is written as 0
        # The column that says which row of a parent is meant, likewise; ``parent`` is 0 where the row itself is.
        ("parent", "<i8"),
        ("parent_stride", "<i8"),
        ("parent_shift", "<i8"),
        ("parent_mask", "<i8"),
        ("parent_rows", "<i8"),
        # A code of two columns is ``first * scale + second``, one of three that times ``third_scale``, plus the third;
        # ``second`` and ``third`` are 0 where there is none. They are without sign.
        ("second", "<i8"),
        ("second_shift", "<i8"),
        ("second_mask", "<i8"),
        ("second_scale", "<i8"),
        ("third", "<i8"),
        ("third_shift", "<i8"),
        ("third_mask", "<i8"),
        ("third_scale", "<i8"),
        ("words", "<i8"),  # address of their bytes; of a literal, of its own
        ("starts", "<i8"),  # address of where each starts
        ("count", "<i8"),  # how many there are; of a literal, its bytes
        ("tail", "<i8"),  # text behind it, up to eight bytes, the first the lowest
        ("tail_size", "<i8"),
        # The whole seconds written last, which neighbours often share: in nanoseconds, and their text with its point.
        ("second_last", "<i8"),
        ("text", "<i8"),
        ("text_more", "<i8"),
        ("text_size", "<i8"),
    ]
)
ZERO_SECONDS = (0, int.from_bytes(b"0.", "little"), 0, 2)  # the last four columns at first
WORD = np.dtype([("_", "<i8")])  # not an aligned dtype, so that it may stand anywhere

piece_at = record_at(PIECE)
word_at = record_at(WORD)

LITERAL, NUMBER, SECONDS, CODE, LETTERS = (np.int64(kind) for kind in PieceKind)
NOTHING = np.int64(UNKNOWN)
LETTER_BITS, LETTERS_A_NUMBER, LETTER_MASK = np.int64(5), np.int64(12), np.int64(31)
ZERO_DIGITS = np.int64(0x3030303030303030)
MINUS, POINT, DIGIT = np.int64(ord("-")), np.int64(ord(".")), np.int64(ord("0"))


@helper
def load(at):
    """The eight bytes at an address."""
    return np.int64(word_at(at, 0)["_"])


@helper
def store(at, word):
    """Write eight bytes at an address."""
    word_at(at, 0)["_"] = word


@helper
def digits(value):
    """The eight digits of a number below 10^8 as text, the first the lowest byte: halved, halved again, and again.

    Each quotient is a product with the inverse, exact for numbers as small as these.
    """
    high = value * 109951163 >> 40  # value // 10000
    word = high | (value - high * 10000) << 32
    high = (word * 10486 >> 20) & 0x7F0000007F  # // 100 of both
    word = high | (word - high * 100) << 16
    high = (word * 103 >> 10) & 0x000F000F000F000F  # // 10 of all four
    return (high | (word - high * 10) << 8) + ZERO_DIGITS


@helper
def put_small(at, value):
    """Write a number of at most eight digits."""
    size = 1 + (value > 9) + (value > 99) + (value > 999) + (value > 9999)
    size += np.int64(value > 99999) + (value > 999999) + (value > 9999999)
    store(at, digits(value) >> 8 * (8 - size))
    return at + size


@helper
def put_number(at, value):
    """Write a whole number, not UNKNOWN; up to 20 bytes."""
    if value < 0:
        store(at, MINUS)
        at += 1
        value = -value
    value &= POSITIVE
    if value < E8:
        return put_small(at, value)
    high = value // E8
    if high < E8:
        at = put_small(at, high)
    else:
        top = high // E8
        at = put_small(at, top)
        store(at, digits(high - top * E8))
        at += 8
    store(at, digits(value - high * E8))
    return at + 8


@helper
def put_seconds(at, piece, value):
    """Write nanoseconds, not UNKNOWN, as seconds with nine decimals; up to 21 bytes."""
    if value < 0:
        store(at, MINUS)
        at += 1
        value = -value
    rest = value - np.int64(piece["second_last"])
    if rest < 0 or rest >= NANO:
        rest = put_whole(at, piece, value & POSITIVE)
    store(at, np.int64(piece["text"]))
    store(at + 8, np.int64(piece["text_more"]))
    at += np.int64(piece["text_size"])
    first = rest * 1441151881 >> 57  # rest // E8
    store(at, first + DIGIT)
    store(at + 1, digits(rest - first * E8))
    return at + 9


@helper
def put_whole(at, piece, value):
    """Write the whole seconds and the point, and keep their text in the piece; returns the nanoseconds beyond."""
    whole = value // NANO
    end = put_number(at, whole)
    store(end, POINT)
    piece["text"], piece["text_more"], piece["text_size"] = load(at), load(at + 8), end + 1 - at
    piece["second_last"] = whole * NANO
    return value - whole * NANO


@helper
def copy(at, source, size):
    """Write ``size`` bytes from an address."""
    first, second = load(source), load(source + 8)
    store(at, first)
    store(at + 8, second)
    done = 16
    while done < size:
        first, second, third, fourth = (
            load(source + done),
            load(source + done + 8),
            load(source + done + 16),
            load(source + done + 24),
        )
        store(at + done, first)
        store(at + done + 8, second)
        store(at + done + 16, third)
        store(at + done + 24, fourth)
        done += 32
    return at + size


@helper
def put_code(at, piece, value, row):
    """Write the word of a code."""
    if piece["second"]:
        word = load(np.int64(piece["second"]) + row * np.int64(piece["stride"]))
        second = word >> np.int64(piece["second_shift"]) & np.int64(piece["second_mask"])
        value = value * np.int64(piece["second_scale"]) + second
        if piece["third"]:
            word = load(np.int64(piece["third"]) + row * np.int64(piece["stride"]))
            third = word >> np.int64(piece["third_shift"]) & np.int64(piece["third_mask"])
            value = value * np.int64(piece["third_scale"]) + third
    if value < 0 or value >= np.int64(piece["count"]):
        return at
    starts = np.int64(piece["starts"]) + 8 * value
    start = load(starts)
    return copy(at, np.int64(piece["words"]) + start, load(starts + 8) - start)


@helper
def put_letters(at, piece, value, row):
    """Write the letters of one, two or three numbers; up to 36 bytes."""
    at = put_twelve(at, piece, value)
    if value >> LETTER_BITS * (LETTERS_A_NUMBER - 1) == 0 or not piece["second"]:
        return at
    at = put_twelve(at, piece, load(np.int64(piece["second"]) + row * np.int64(piece["stride"])))
    if piece["third"]:
        at = put_twelve(at, piece, load(np.int64(piece["third"]) + row * np.int64(piece["stride"])))
    return at


@helper
def put_twelve(at, piece, value):
    """Write the letters of one number; each is a word of its own."""
    words, count = np.int64(piece["words"]), np.int64(piece["count"])
    shift = LETTER_BITS * (LETTERS_A_NUMBER - 1)
    while shift >= 0:
        letter = value >> shift & LETTER_MASK
        if 0 < letter <= count:
            store(at, load(words + letter - 1))
            at += 1
        shift -= LETTER_BITS
    return at


@helper
def value_of(piece, row):
    """What the piece's column says in a row."""
    word = load(np.int64(piece["at"]) + row * np.int64(piece["stride"]))
    sign = np.int64(piece["sign"])
    return ((word >> np.int64(piece["shift"]) & np.int64(piece["mask"])) ^ sign) - sign


@helper
def parent_of(piece, row):
    """The parent's row that a row belongs to, -1 where there is none."""
    word = load(np.int64(piece["parent"]) + row * np.int64(piece["parent_stride"]))
    place = word >> np.int64(piece["parent_shift"]) & np.int64(piece["parent_mask"])
    return place if 0 <= place < np.int64(piece["parent_rows"]) else np.int64(-1)


@helper
def put(at, piece, row):
    """Write one piece without its tail; returns where it ended."""
    kind = np.int64(piece["kind"])
    if kind == LITERAL:
        return copy(at, np.int64(piece["words"]), np.int64(piece["count"]))
    if piece["parent"]:
        row = parent_of(piece, row)
        if row < 0:
            return at
    value = value_of(piece, row)
    if kind == CODE:
        return put_code(at, piece, value, row)
    if kind == LETTERS:
        return put_letters(at, piece, value, row)
    if value == NOTHING or value == np.int64(piece["none"]):
        return at
    if kind == SECONDS:
        return put_seconds(at, piece, value - np.int64(piece["zero"]))
    return put_number(at, value)


@kernel(int, const(np.int64), int, int, int, int, np.int64, int)
def fill(pieces, ends, first, stop, out, room, starts, widest):
    """Write the lines of rows ``first`` to ``stop`` behind one another at address ``out``, which has ``room`` bytes.

    ``pieces`` is the address of the pieces; those of a row's first line end before number ``ends[0]``, those of its
    second before ``ends[1]``, and so on. ``starts[0]`` says where in ``out`` the first line is to start; each further
    place gets where a line ended and the next one starts. No row is longer than ``widest``, excess included.
    Returns how many rows were written: fewer than asked for where the room did not suffice.
    """
    at, last = out + starts[0], out + room - widest
    line = np.int64(1)
    for row in range(first, stop):
        if at > last:
            return row - first
        k = np.int64(0)
        for end in ends:
            while k < end:
                piece = piece_at(pieces, k)
                at = put(at, piece, row)
                store(at, np.int64(piece["tail"]))
                at += np.int64(piece["tail_size"])
                k += 1
            starts[line] = at - out
            line += 1
    return stop - first


@kernel(np.int32, np.int32, np.int32)
def number_anew(codes, places, kept):
    """Number the distinct codes from 0 in order of appearance, in place; returns how many there are.

    ``places``, all 0 before and after, has a place for each code that there may be; ``kept[k]`` gets the code that has
    become k. Codes beyond ``places`` are no codes and become -1.
    """
    count = 0
    for index in range(len(codes)):
        code = np.int64(codes[index])
        if code < 0 or code >= len(places):
            codes[index] = -1
            continue
        if places[code] == 0:
            kept[count] = code
            count += 1
            places[code] = count
        codes[index] = places[code] - 1
    for index in range(count):
        places[kept[index]] = 0
    return count
