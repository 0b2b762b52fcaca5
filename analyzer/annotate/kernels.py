"""The compiled loops that copy packets with comments added.

``comment_blocks`` copies the blocks of a pcapng section as they are, byte for byte, and gives the packets that have
comments further options. ``comment_packets`` writes packets of other formats as enhanced packet blocks. Both count
frames as the reader does (``capture.kernels``). They stop where the next block has no room or is not wholly there.
"""

import numpy as np

from analyzer.capture.kernels import (
    CUSTOM_BLOCK,
    CUSTOM_NOT_COPIED,
    ENHANCED_PACKET,
    EVENT_BLOCK,
    EVENT_BLOCK_2,
    EVENT_BLOCK_2_LARGE,
    INTERFACE_BLOCK,
    JOURNAL_BLOCK,
    OLD_PACKET,
    SECTION_BLOCK,
    SIMPLE_PACKET,
    number,
)
from analyzer.capture.packets import PACKET
from analyzer.kernels import const, helper, kernel

# Why a copy stopped.
MORE = 0  # the next block is not wholly in the buffer, or no row is left
NO_ROOM = 1  # the next block does not fit into what is left of the output
SECTION = 2  # a section begins, for the caller
DAMAGED = 3  # nothing behind can be found

COPY = np.dtype(
    [
        ("at", "<i8"),  # where the next block begins; for packets, which row is next
        ("end", "<i8"),
        ("frame", "<i8"),  # frame numbers used so far
        ("entry", "<i8"),  # comments passed so far
        ("described", "<i8"),  # interfaces in this section
        ("snap", "<i8"),  # snapshot length of the first
        ("most", "<i8"),  # largest block believed
        ("written", "<i8"),
        ("packets", "<i8"),  # packets written so far
        ("untold", "<i8"),  # comments of simple packet blocks, which can have none
        ("comments", "<i8"),  # comments written so far
        ("stop", "<i8"),
        ("big", "u1"),
    ]
)


@helper
def put_number(out, at, value, size, big):
    """Write a number of ``size`` bytes."""
    for place in range(size):
        shift = 8 * (size - 1 - place) if big else 8 * place
        out[at + place] = value >> shift & 0xFF


@helper
def is_kept(keep, frame):
    """Whether a frame is to be copied; an empty ``keep`` keeps all."""
    return len(keep) == 0 or (frame < len(keep) and keep[frame] != 0)


@helper
def last_entry(frames, entry, frame):
    """The place behind the comments of ``frame``, whose first is at ``entry`` or later."""
    while entry < len(frames) and frames[entry] <= frame:
        entry += 1
    return entry


@helper
def options_size(which, starts, first, last):
    """Bytes of these comments as options."""
    size = np.int64(0)
    for entry in range(first, last):
        length = starts[which[entry] + 1] - starts[which[entry]]
        size += 4 + (length + 3 & ~3)
    return size


@helper
def put_options(out, at, which, text, starts, first, last, big):
    """Write these comments and the end of options; return where that ends."""
    for entry in range(first, last):
        begin, length = starts[which[entry]], starts[which[entry] + 1] - starts[which[entry]]
        put_number(out, at, 1, 2, big)
        put_number(out, at + 2, length, 2, big)
        at += 4
        for place in range(length):
            out[at + place] = text[begin + place]
        for place in range(length, length + 3 & ~3):
            out[at + place] = 0
        at += length + 3 & ~3
    put_number(out, at, 0, 4, big)
    return at + 4


@helper
def end_of_options(data, at, end, big):
    """Where the last option of a block ends, whose options begin at ``at``; its end of options does not count."""
    while end - at >= 4:
        first, second = np.int64(data[at]), np.int64(data[at + 1])
        code = first << 8 | second if big else second << 8 | first
        first, second = np.int64(data[at + 2]), np.int64(data[at + 3])
        length = first << 8 | second if big else second << 8 | first
        if code == 0 or at + 4 + (length + 3 & ~3) > end:
            break
        at += 4 + (length + 3 & ~3)
    return at


@helper
def frames_of(data, at, kind, size, state):
    """How many frame numbers a block takes; -1 for a packet that the reader leaves out."""
    big = state["big"] != 0
    if kind in (CUSTOM_BLOCK, CUSTOM_NOT_COPIED, JOURNAL_BLOCK, EVENT_BLOCK, EVENT_BLOCK_2, EVENT_BLOCK_2_LARGE):
        return 1
    if kind not in (ENHANCED_PACKET, SIMPLE_PACKET, OLD_PACKET):
        return 0
    fixed = 12 if kind == SIMPLE_PACKET else 28
    if size < fixed + 4:
        return -1
    interface = np.int64(0)
    if kind == ENHANCED_PACKET:
        interface = number(data, at + 8, big)
    elif kind == OLD_PACKET:
        pair = number(data, at + 8, big)
        interface = pair >> 16 if big else pair & 0xFFFF
    if interface >= state["described"]:
        return -1
    if kind == SIMPLE_PACKET:
        captured = number(data, at + 8, big)
        if 0 < state["snap"] < captured:
            captured = state["snap"]
    else:
        captured = number(data, at + 20, big)
    return -1 if captured > size - fixed - 4 else 1


@kernel(
    const(np.uint8), COPY, const(np.uint8), const(np.int64), const(np.int32), const(np.uint8), const(np.int64), np.uint8
)
def comment_blocks(data, states, keep, frames, which, text, starts, out):
    """Copy the blocks in ``data`` from ``states[0]["at"]`` on to ``out``."""
    state = states[0]
    big = state["big"] != 0
    at, end, written = np.int64(state["at"]), np.int64(state["end"]), np.int64(0)
    stop = MORE
    while end - at >= 12:
        kind, size = number(data, at, big), number(data, at + 4, big) + 3 & ~3
        if kind == SECTION_BLOCK:
            stop = SECTION
            break
        if size < 12 or size > state["most"] or (kind == INTERFACE_BLOCK and size < 20):
            stop = DAMAGED
            break
        if end - at < size:
            break
        if number(data, at + size - 4, big) + 3 & ~3 != size:
            stop = DAMAGED
            break
        taken = frames_of(data, at, kind, size, state)
        packet = kind in (ENHANCED_PACKET, SIMPLE_PACKET, OLD_PACKET)
        frame, first = np.int64(state["frame"]) + max(taken, 0), np.int64(state["entry"])
        last = last_entry(frames, first, frame) if taken > 0 else first
        copied = not packet or (taken > 0 and is_kept(keep, frame)) or (taken < 0 and len(keep) == 0)
        more = options_size(which, starts, first, last) if packet and copied else np.int64(0)
        if copied and written + size + more + 4 > len(out):
            stop = NO_ROOM
            break
        if kind == INTERFACE_BLOCK:
            if state["described"] == 0:
                state["snap"] = number(data, at + 12, big)
            state["described"] += 1
        if copied and (more == 0 or kind == SIMPLE_PACKET):
            for place in range(size):
                out[written + place] = data[at + place]
            written += size
            state["untold"] += last - first if packet else 0
        elif copied:
            captured = number(data, at + 20, big)
            behind = end_of_options(data, at + 28 + (captured + 3 & ~3), at + size - 4, big)
            behind = min(behind, at + size - 4)
            for place in range(behind - at):
                out[written + place] = data[at + place]
            ends = put_options(out, written + behind - at, which, text, starts, first, last, big)
            put_number(out, written + 4, ends + 4 - written, 4, big)
            put_number(out, ends, ends + 4 - written, 4, big)
            written = ends + 4
            state["comments"] += last - first
        state["packets"] += 1 if copied and packet else 0
        state["frame"], state["entry"] = frame, last
        at += size
    state["at"], state["written"], state["stop"] = at, written, stop
    return written


@kernel(
    const(np.uint8),
    const(PACKET),
    COPY,
    const(np.uint8),
    const(np.int64),
    const(np.int32),
    const(np.uint8),
    const(np.int64),
    int,
    np.uint8,
)
def comment_packets(data, rows, states, keep, frames, which, text, starts, tick, out):
    """Write rows of packets, from row ``states[0]["at"]`` on, as blocks whose times count ``tick`` nanoseconds."""
    state = states[0]
    index, written, stop = np.int64(state["at"]), np.int64(0), MORE
    before = np.int64(state["snap"])  # frames of the files before
    while index < len(rows):
        row = rows[index]
        frame, first = before + np.int64(row["frame"]), np.int64(state["entry"])
        last = last_entry(frames, first, frame)
        if is_kept(keep, frame):
            captured, begin = np.int64(row["captured"]), np.int64(row["offset"])
            more = options_size(which, starts, first, last) + 4 if last > first else np.int64(0)
            size = 32 + (captured + 3 & ~3) + more
            if written + size > len(out):
                stop = NO_ROOM
                break
            ticks = np.int64(row["time"]) // tick
            put_number(out, written, ENHANCED_PACKET, 4, False)
            put_number(out, written + 4, size, 4, False)
            put_number(out, written + 8, 0, 4, False)
            put_number(out, written + 12, ticks >> 32, 4, False)
            put_number(out, written + 16, ticks & 0xFFFFFFFF, 4, False)
            put_number(out, written + 20, captured, 4, False)
            put_number(out, written + 24, np.int64(row["length"]), 4, False)
            at = written + 28
            for place in range(captured):
                out[at + place] = data[begin + place]
            for place in range(captured, captured + 3 & ~3):
                out[at + place] = 0
            at += captured + 3 & ~3
            if last > first:
                at = put_options(out, at, which, text, starts, first, last, False)
            put_number(out, at, size, 4, False)
            written += size
            state["packets"] += 1
            state["comments"] += last - first
        state["frame"], state["entry"] = frame, last
        index += 1
    state["at"], state["written"], state["stop"] = index, written, stop
    return written


@kernel(
    const(np.int64),
    const(np.int32),
    const(np.uint32),
    const(np.int64),
    const(np.int64),
    np.int64,
    np.uint32,
    np.int64,
)
def by_stream(streams, flows, frames, times, starts, filled, own_frames, own_times):
    """Put some frames into the rows of their streams, from ``filled[stream]`` on. A time before that of the frame
    before, by a clock that went back, counts as that one."""
    for index in range(len(flows)):
        stream = streams[flows[index]]
        place, moment = filled[stream], times[index]
        if place > starts[stream] and own_times[place - 1] > moment:
            moment = own_times[place - 1]
        own_frames[place], own_times[place] = frames[index], moment
        filled[stream] = place + 1
    return 0


@helper
def first_from(values, begin, end, value):
    """The first place of ascending ``values`` from ``begin`` to ``end`` that has ``value`` or more."""
    while begin < end:
        middle = (begin + end) >> 1
        if values[middle] < value:
            begin = middle + 1
        else:
            end = middle
    return begin


@kernel(
    const(np.int64),
    const(np.uint32),
    const(np.int64),
    const(np.bool_),
    const(np.int64),
    const(np.uint32),
    const(np.int64),
    np.int64,
    np.bool_,
)
def place_states(times, ends, streams, timers, starts, own_frames, own_times, frame, after):
    """The frame at which each row is shown, instead of its own: the first of the connection at its time or later.

    What a frame brings about until the next one is shown at that frame. Rows of one endpoint stay in their order.
    """
    last_end, last_frame = np.int64(-1), np.int64(0)
    for index in range(len(times)):
        if frame[index] == 0 and not timers[index]:
            continue
        begin, end = starts[streams[index]], starts[streams[index] + 1]
        if begin == end:
            continue
        moment = times[index]
        if timers[index]:
            place = first_from(own_times, begin, end, moment)
            after[index] = place == end
            frame[index] = own_frames[min(place, end - 1)]
        else:
            own = first_from(own_frames, begin, end, frame[index])
            if own == end or own_frames[own] != frame[index]:
                continue
            early = own > begin and moment <= own_times[own - 1] and moment != own_times[own]
            late = own + 1 < end and moment > own_times[own + 1]
            if early or late:
                frame[index] = own_frames[min(first_from(own_times, begin, end, moment), end - 1)]
        if ends[index] == last_end and frame[index] < last_frame:
            frame[index] = last_frame
        last_end, last_frame = np.int64(ends[index]), frame[index]
    return 0
