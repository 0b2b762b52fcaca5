"""What the compiled parsers (``kernels``) remember between two calls: one row."""

import numpy as np

RECORDS = np.dtype(
    [
        ("at", "<i8"),  # where the next record begins; moved on by the parser
        ("end", "<i8"),  # where the bytes in the buffer end
        ("frame", "<i8"),  # frame numbers used so far; counted on
        ("stop", "<i8"),  # why the parser stopped
        ("odd", "<i8"),  # packets whose fraction of a second was one second or more; counted on
        ("first_odd", "<i8"),  # frame of the first of them
        ("header", "<i8"),  # size of a record's header, and in it the places of ...
        ("seconds", "<i8"),
        ("fraction", "<i8"),
        ("captured", "<i8"),
        ("length", "<i8"),
        ("record", "<i8"),  # ... the size of the whole record; -1: it is header + captured
        ("tick", "<i8"),  # nanoseconds in one unit of the fraction
        ("most", "<i8"),  # largest captured length believed
        ("big", "u1"),  # the numbers are big-endian
        ("swap", "u1"),  # a captured length above the length means that a writer confused the two
        ("joined", "<i8"),  # captures that begin behind the first, in the same file
        ("link", "<u2"),
        ("interface", "<u2"),
    ]
)

BLOCKS = np.dtype(
    [
        ("at", "<i8"),  # as above
        ("end", "<i8"),
        ("frame", "<i8"),
        ("stop", "<i8"),
        ("negative", "<i8"),  # packets whose count of ticks was read as a negative number
        ("beyond", "<i8"),  # packets whose date cannot be told
        ("move", "u1"),  # the clock is moved wherever a date cannot be told, and the parser stops for that
        ("noted", "u1"),  # the caller knows of the first packet that is negative (1), that is beyond (2)
        ("big", "u1"),
        ("most", "<i8"),  # largest block believed
        ("described", "<i8"),  # interfaces described in this section
        ("time", "<i8"),  # time of the last packet that had one; UNKNOWN before the first
        ("untimed", "<i8"),  # simple packet blocks: they have no time
        ("first_untimed", "<i8"),
        ("custom", "<i8"),  # blocks that are no packets but take a frame number in Wireshark, by kind
        ("journal", "<i8"),
        ("event", "<i8"),
        ("unknown", "<i8"),  # blocks of a type not known here, skipped
        ("first_unknown", "<i8"),  # type of the first of them
    ]
)

INTERFACES = np.dtype(
    [
        ("link", "<u2"),
        ("number", "<u2"),  # in the whole capture
        ("snap", "<u4"),  # 0: no limit
        ("packets", "<i8"),  # counted on by the parser
        ("tick", "<i8"),  # nanoseconds in one tick; 0: finer than that, or only the exact way will do
        ("most", "<i8"),  # ticks up to which tick * ticks + offset_ns can be told
        ("offset_ns", "<i8"),  # if_tsoffset in nanoseconds, where it fits, and what more is to be added
        ("more_ns", "<i8"),  # less than a second; 0 unless the clock is moved (see ``dates``)
        ("offset", "<i8"),  # if_tsoffset in seconds, as far as it can matter
        ("units", "<u8"),  # ticks in one second; 0 where its packets have no time
        ("shift", "<u8"),  # the power of two that this is, or 0
        ("scale", "<u8"),  # nanoseconds = rest of ticks * scale // divide, where it is a power of ten
        ("divide", "<u8"),
    ]
)
