"""The compiled parsers: from bytes to rows of PACKET.

Both parse a buffer that may end in the middle of a record. They stop before the first record that is not wholly
there and say why they stopped; what state they need between two calls stands in a one-row structured array (a
"state"), so that a caller can go on in a refilled buffer, however the bytes were cut into chunks. Neither ever looks
beyond ``state["end"]``, whatever the lengths in the capture claim.

``parse_records`` parses formats made of records with one fixed header: classic pcap in all its variants, and snoop.
``parse_blocks`` parses the blocks of one pcapng section; the rare ones (section, interface, statistics) and the
damaged ones it leaves to its caller.
"""

import numpy as np

from analyzer.capture.packets import PACKET
from analyzer.capture.parser_state import BLOCKS, INTERFACES, RECORDS
from analyzer.kernels import const, helper, inlined, kernel
from analyzer.times import BEYOND_SECOND, FIRST_SECOND
from analyzer.units import SECOND, UNKNOWN

# Why a parser stopped.
FULL = 0  # no row left
MORE = 1  # the next record is not wholly in the buffer
BAD_LENGTH = 2  # the next record's length cannot be: nothing behind it can be found
LENGTHS_DIFFER = 3  # pcapng: the block's two lengths disagree: the same
SECTION = 4  # pcapng: a section header block, for the caller
INTERFACE = 5  # pcapng: an interface description block, for the caller
STATISTICS = 6  # pcapng: an interface statistics block, for the caller
TOO_SMALL = 7  # pcapng: a packet block that cannot hold the packet it announces; the next block can be found
NO_INTERFACE = 8  # pcapng: a packet block of an interface that was not described; the next block can be found
NEGATIVE = 9  # pcapng: the first packet whose count of ticks is read as a negative number, for the caller
BEYOND = 10  # pcapng: the first packet whose date cannot be told, or any where the clock is to be moved, likewise

# What is odd about a packet's time, or it is NEGATIVE or BEYOND.
FITS = 0  # nothing
UNTIMED = 11  # it is in a simple packet block, which has none
NO_CLOCK = 12  # its interface counts in units that no clock has

FAR = 1 << 61  # seconds: a time and an offset up to this can be added in 64 bits; what is beyond is beyond all times

MICROSECONDS, NANOSECONDS, FILE_HEADER = 0xA1B2C3D4, 0xA1B23C4D, 24  # how a classic pcap file begins, and its length
SECTION_BLOCK, INTERFACE_BLOCK, STATISTICS_BLOCK = 0x0A0D0D0A, 1, 5
OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 2, 3, 6
NAMES_BLOCK, SECRETS_BLOCK = 4, 0xA
CUSTOM_BLOCK, CUSTOM_NOT_COPIED, JOURNAL_BLOCK = 0xBAD, 0x40000BAD, 9
EVENT_BLOCK, EVENT_BLOCK_2, EVENT_BLOCK_2_LARGE = 0x204, 0x216, 0x221


@inlined
def number(data, at, big):
    """The unsigned 32-bit number at ``at``, as int64."""
    at &= 0xFFFFFFFFFFFF  # so the compiler knows that it is not negative, and makes one load of the four
    first, second = np.int64(data[at]), np.int64(data[at + 1])
    third, fourth = np.int64(data[at + 2]), np.int64(data[at + 3])
    if big:
        return first << 24 | second << 16 | third << 8 | fourth
    return first | second << 8 | third << 16 | fourth << 24


@kernel(const(np.uint8), RECORDS, PACKET)
def parse_records(data, states, rows):
    """Fill ``rows`` from the records in ``data``; return how many. ``states[0]`` says how, where and why it stopped."""
    state = states[0]
    if state["swap"] or state["record"] >= 0:
        return records(data, state, rows, state["big"] != 0, False)
    return records(data, state, rows, True, True) if state["big"] else records(data, state, rows, False, True)


@inlined
def records(data, state, rows, big, plain):
    """See :func:`parse_records`. Written out for each order of bytes of ``plain`` records, in which lengths are what
    they say: so a number is one load, and the next record is found by little more than that."""
    at, end, frame = np.int64(state["at"]), np.int64(state["end"]), np.int64(state["frame"])
    header, most, swap = np.int64(state["header"]), np.int64(state["most"]), state["swap"] != 0
    seconds_at, fraction_at, tick = np.int64(state["seconds"]), np.int64(state["fraction"]), np.int64(state["tick"])
    captured_at, length_at = np.int64(state["captured"]), np.int64(state["length"])
    record_at, link, interface = np.int64(state["record"]), state["link"], state["interface"]
    filled, stop = 0, FULL
    while filled < rows.shape[0]:
        if end - at < header:
            stop = MORE
            break
        captured = number(data, at + captured_at, big)
        length = number(data, at + length_at, big)
        size = header + captured
        if not plain:
            if swap and captured > length:
                captured, length = length, captured
            size = header + captured if record_at < 0 else number(data, at + record_at, big)
        if captured | length == 0 and plain and number(data, at, big) in (MICROSECONDS, NANOSECONDS):
            if end - at < FILE_HEADER:
                stop = MORE
                break
            if number(data, at + 20, big) & 0xFFFF == link:
                state["joined"] += 1  # another capture begins here: files put one behind the other
                at += FILE_HEADER
                continue
            stop = BAD_LENGTH
            break
        if captured > most or size < header + captured or size > header + most:
            stop = BAD_LENGTH
            break
        if end - at < size:
            stop = MORE
            break
        frame += 1
        fraction = number(data, at + fraction_at, big) * tick
        if fraction >= SECOND:
            state["odd"] += 1
            if state["odd"] == 1:
                state["first_odd"] = frame
        row = rows[filled]
        row["time"] = number(data, at + seconds_at, big) * SECOND + fraction
        row["frame"] = frame
        row["offset"] = at + header
        row["captured"] = captured
        row["length"] = length
        row["link"] = link
        row["interface"] = interface
        filled += 1
        at += size
    state["at"], state["frame"], state["stop"] = at, frame, stop
    return filled


@helper
def exact_time(high, low, interface):
    """The time of a packet in nanoseconds, for any resolution and offset; and FITS, or what is odd about it.

    A fraction of a nanosecond is dropped. What stands in the file is a count without sign; but where that makes a date
    which cannot be told and its highest bit is set, it is NEGATIVE: times before 1970 are written like that. What
    cannot be told either way is BEYOND.
    """
    ticks = np.uint64(high) << np.uint64(32) | np.uint64(low)
    whole, fraction = parts_of(ticks, interface)
    if whole <= np.uint64(FAR):
        seconds = np.int64(whole) + np.int64(interface["offset"])
        if FIRST_SECOND <= seconds < BEYOND_SECOND:
            return seconds * SECOND + fraction + np.int64(interface["more_ns"]), FITS
    if high >= 0x80000000:
        whole, fraction = parts_of(~ticks + np.uint64(1), interface)
        seconds = np.int64(interface["offset"]) - np.int64(min(whole, np.uint64(FAR))) - (fraction > 0)
        if FIRST_SECOND <= seconds < BEYOND_SECOND:
            rest = SECOND - fraction if fraction > 0 else np.int64(0)
            return seconds * SECOND + rest + np.int64(interface["more_ns"]), NEGATIVE
    return np.int64(0), BEYOND


@helper
def parts_of(ticks, interface):
    """Whole seconds (uint64) and the nanoseconds beyond (int64) of a count of ticks.

    With 2^n ticks a second the product rest * 10^9 does not fit into 64 bits when n > 34; there the rest is taken in
    two halves, which loses nothing: (h * 2^32 + l) * 10^9 >> n equals (h * 10^9 + (l * 10^9 >> 32)) >> (n - 32).
    """
    units, shift, second = interface["units"], interface["shift"], np.uint64(SECOND)
    whole = ticks // units
    rest = ticks % units
    if shift > np.uint64(32):
        upper = rest >> np.uint64(32)
        lower = rest & np.uint64(0xFFFFFFFF)
        return whole, np.int64(upper * second + (lower * second >> np.uint64(32)) >> shift - np.uint64(32))
    if shift > np.uint64(0):
        return whole, np.int64(rest * second >> shift)
    return whole, np.int64(rest * interface["scale"] // interface["divide"])


@helper
def timed(high, low, interface):
    """The time of a packet in nanoseconds, and FITS, or what is odd about it."""
    ticks = high << 32 | low
    tick = np.int64(interface["tick"])
    if tick > 0 and high < 0x80000000 and ticks <= np.int64(interface["most"]):
        return ticks * tick + np.int64(interface["offset_ns"]), FITS
    if interface["units"] == 0:
        return np.int64(0), NO_CLOCK
    return exact_time(high, low, interface)


@helper
def odd_time(state, how, frame):
    """Count a packet with something odd about its time; or what the parser has to stop for before, FULL for nothing."""
    if how == NEGATIVE:
        if not state["noted"] & 1:
            return NEGATIVE
        state["negative"] += 1
    elif how == BEYOND:
        if not state["noted"] & 2 or state["move"] or state["time"] == UNKNOWN:
            return BEYOND
        state["beyond"] += 1
    elif how == UNTIMED:
        state["untimed"] += 1
        if state["untimed"] == 1:
            state["first_untimed"] = frame
    return FULL


@helper
def count_other(state, kind):
    """Count a block that is no packet; return how many frame numbers Wireshark gives it."""
    if kind in (NAMES_BLOCK, SECRETS_BLOCK):
        return 0
    if kind in (CUSTOM_BLOCK, CUSTOM_NOT_COPIED):
        state["custom"] += 1
        return 1
    if kind == JOURNAL_BLOCK:
        state["journal"] += 1
        return 1
    if kind in (EVENT_BLOCK, EVENT_BLOCK_2, EVENT_BLOCK_2_LARGE):
        state["event"] += 1
        return 1
    state["unknown"] += 1
    if state["unknown"] == 1:
        state["first_unknown"] = kind
    return 0


@inlined
def packet_place(data, at, kind, size, big, state, interfaces):
    """Interface, captured length, length and place of the packet in a packet block; the interface is -1 where it
    was not described, the place -1 where the block is too small for the packet."""
    fixed = 12 if kind == SIMPLE_PACKET else 28
    if size < fixed + 4:
        return 0, 0, 0, -1
    which = np.int64(0)
    if kind == ENHANCED_PACKET:
        which = number(data, at + 8, big)
    elif kind == OLD_PACKET:
        pair = number(data, at + 8, big)
        which = pair >> 16 if big else pair & 0xFFFF
    if which >= np.int64(state["described"]):
        return -1, 0, 0, 0
    if kind == SIMPLE_PACKET:
        length = number(data, at + 8, big)
        snap = np.int64(interfaces[which]["snap"])
        captured = snap if 0 < snap < length else length
    else:
        captured, length = number(data, at + 20, big), number(data, at + 24, big)
    if captured > size - fixed - 4:
        return which, captured, length, -1
    return which, captured, length, at + fixed


@kernel(const(np.uint8), BLOCKS, INTERFACES, PACKET)
def parse_blocks(data, states, interfaces, rows):
    """Fill ``rows`` from the packet blocks in ``data``; return how many. ``states[0]`` says how, where and why it
    stopped. A block with a length that is no multiple of 4 is padded, as Wireshark reads it."""
    state = states[0]
    return blocks(data, state, interfaces, rows, True) if state["big"] else blocks(data, state, interfaces, rows, False)


@inlined
def blocks(data, state, interfaces, rows, big):
    """See :func:`parse_blocks`. Written out for each order of bytes, as above."""
    at, end, frame = np.int64(state["at"]), np.int64(state["end"]), np.int64(state["frame"])
    most, filled, stop = np.int64(state["most"]), 0, FULL
    while filled < rows.shape[0]:
        if end - at < 12:
            stop = MORE
            break
        kind = number(data, at, big)
        if kind == SECTION_BLOCK:
            stop = SECTION
            break
        size = number(data, at + 4, big) + 3 & ~3
        if size < 12 or size > most:
            stop = BAD_LENGTH
            break
        if end - at < size:
            stop = MORE
            break
        if number(data, at + size - 4, big) + 3 & ~3 != size:
            stop = LENGTHS_DIFFER
            break
        if kind in (INTERFACE_BLOCK, STATISTICS_BLOCK):
            stop = INTERFACE if kind == INTERFACE_BLOCK else STATISTICS
            break
        if kind not in (ENHANCED_PACKET, SIMPLE_PACKET, OLD_PACKET):
            frame += count_other(state, kind)
            at += size
            continue
        which, captured, length, place = packet_place(data, at, kind, size, big, state, interfaces)
        if place < 0 or which < 0:
            stop = TOO_SMALL if place < 0 else NO_INTERFACE
            break
        interface, time, how = interfaces[which], np.int64(0), np.int64(UNTIMED)
        if kind != SIMPLE_PACKET:
            time, how = timed(number(data, at + 12, big), number(data, at + 16, big), interface)
        if how != FITS:
            stop = odd_time(state, how, frame + 1)
            if stop != FULL:
                break
            if how != NEGATIVE:
                time = np.int64(state["time"])
        if time != UNKNOWN:
            state["time"] = time
        else:
            time = np.int64(0)
        frame += 1
        interface["packets"] += 1
        row = rows[filled]
        row["time"] = time
        row["frame"] = frame
        row["offset"] = place
        row["captured"] = captured
        row["length"] = length
        row["link"] = interface["link"]
        row["interface"] = interface["number"]
        filled += 1
        at += size
    state["at"], state["frame"], state["stop"] = at, frame, stop
    return filled


@helper
def put(out, at, value):
    """Write a 32-bit number, little-endian."""
    out[at] = value & 0xFF
    out[at + 1] = value >> 8 & 0xFF
    out[at + 2] = value >> 16 & 0xFF
    out[at + 3] = value >> 24 & 0xFF


@kernel(const(np.uint8), const(PACKET), np.uint8)
def write_blocks(data, rows, out):
    """Write each row as a block into ``out``, which is zeroed and large enough; returns the bytes written."""
    at = np.int64(0)
    for index in range(len(rows)):
        row = rows[index]
        captured, begin, time = np.int64(row["captured"]), np.int64(row["offset"]), np.int64(row["time"])
        size = (captured + 3 & ~3) + 32
        put(out, at, 6)
        put(out, at + 4, size)
        put(out, at + 8, np.int64(row["interface"]))
        put(out, at + 12, time >> 32)
        put(out, at + 16, time & 0xFFFFFFFF)
        put(out, at + 20, captured)
        put(out, at + 24, np.int64(row["length"]))
        for place in range(captured):
            out[at + 28 + place] = data[begin + place]
        put(out, at + size - 4, size)
        at += size
    return at
