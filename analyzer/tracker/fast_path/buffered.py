"""Segments that wait for the others of their connection, and go on together.

Fence: only numpy and this project's constants inside the kernels; the typed wrapper is ``flow_buffer``.
"""

import numpy as np

from analyzer.flows.row import FLOW
from analyzer.kernels import const, helper, inlined, kernel, prefetch, record_at
from analyzer.memory import LINE
from analyzer.segments.table import FIN, QUOTED, RST, SEGMENT, UNTRACKED

MOST = 32  # segments of a flow that wait: who sends more is followed at once
CHAIN = 4  # flows with the same addresses and ports, one after the other, that wait for each other
A_BUNDLE = 4  # segments that are given memory together
GROUP = np.dtype(
    [
        ("last", "<i8"),  # time of its last segment
        ("row", "<i4"),  # its row of the flow table; in a free row the next free one
        ("count", "u1"),  # segments that wait; 0 in a free row
        ("ended_by", "u1"),  # bits of CLOSES and RESETS
        ("_", "<u2"),
        ("older", "<i4"),  # the group of an older flow with the same addresses and ports that waits, 0 none
        ("newer", "<i4"),  # and of a newer one
        ("bundles", "<i4", (MOST // A_BUNDLE,)),  # where the segments are, by bundles
    ]
)
# What the tracker reads of a segment, in 40 bytes: it reads neither addresses nor ports.
STORED = np.dtype(
    [
        ("time", "<i8"),
        ("frame", "<u4"),
        ("seq", "<u4"),
        ("ack", "<u4"),
        ("ts_val", "<u4"),
        ("ts_ecr", "<u4"),
        ("payload_len", "<u2"),
        ("window", "<u2"),
        ("ip_id", "<u2"),
        ("flags", "<u2"),  # and, from bit 12 on, window_scale + 1
        ("marks", "<u2"),  # and in the highest bit the side
        ("ttl", "u1"),
        ("first_byte", "u1"),
    ]
)
# Where a flow's segments wait: its row of GROUP. Or none has come yet, or they are not to wait, or the flow is told, or
# none has come yet and they are not to wait.
PLACE = np.dtype([("group", "<i4")])
NEW, APART, CONCLUDED, AWAITED = np.int64(0), np.int64(-1), np.int64(-2), np.int64(-3)
CLOSES, RESETS = np.int64(1), np.int64(2)
SCALE_BIT, SIDE_BIT = 12, 15  # the mark in the place of the side is SHORT_QUOTE, and such a segment does not wait
SEGMENT_BYTES = np.int64(SEGMENT.itemsize)
GROUP_BYTES, PLACE_BYTES = np.int64(GROUP.itemsize), np.int64(PLACE.itemsize)
BUNDLE_BYTES = np.int64(A_BUNDLE * STORED.itemsize)
SOONER = 4  # bundles: so far ahead of their turn they are asked for

BUFFER = np.dtype(
    [
        # where the rows lie in memory; the first of GROUP and the first bundle belong to nobody
        ("places", "<i8"),  # PLACE, one row a row of the flow table
        ("groups", "<i8"),  # GROUP
        ("stored", "<i8"),  # STORED, by bundles
        ("free", "<i8"),  # bundles that are free again
        ("whole", "<i8"),  # SEGMENT, what goes on together
        # how many there are
        ("groups_taken", "<i8"),  # ever: in use or free again
        ("groups_in_all", "<i8"),
        ("free_group", "<i8"),  # the first that is free, 0 none
        ("bundles_taken", "<i8"),
        ("bundles_in_all", "<i8"),
        ("bundles_free", "<i8"),
        ("gathered", "<i8"),  # segments in ``whole``
        ("gathered_at_most", "<i8"),
        ("left", "<i8"),  # segments that are left in the batch, up to that place
        ("concluded", "<i8"),  # flows that took the fast path and were not handed on yet
        ("taken_over", "<i8"),  # likewise, and they took over from another flow
        ("entries", "<i8"),  # rows of their timelines
        ("late", "<i8"),  # segments of flows that had been told before
        # times, nanoseconds
        ("clock", "<i8"),  # highest frame time so far
        ("quiet", "<i8"),  # see ``may_wait``
        ("lag", "<i8"),
    ]
)
_place, _group, _stored, _segment = record_at(PLACE), record_at(GROUP), record_at(STORED), record_at(SEGMENT)
_bundle = record_at(np.dtype([("number", "<i4")]))


@kernel(BUFFER, SEGMENT, int, const(FLOW), np.int64)
def sort_out(buffers, batch, start, flows, clocks):
    """Take from ``batch``, from ``start`` on, the segments that may wait. Returns where it stopped: the end, or for
    want of room.

    The others move up in ``batch``, to the place ``left``, with the clock at each in ``clocks``; what waited of their
    flows is gathered.
    """
    buffer, sure = buffers[0], np.int64(0)
    for index in range(start, len(batch)):
        if sure == 0:
            sure = surely(buffer)
            if sure == 0:
                return index
        sure -= 1
        segment = batch[np.uint64(index)]
        if np.int64(segment["marks"]) & UNTRACKED:
            if goes_on(buffer, segment):
                leave(buffer, batch, index, segment, clocks)
            continue
        buffer["clock"] = max(np.int64(buffer["clock"]), np.int64(segment["time"]))
        row = np.int64(segment["sender"]) >> 1
        number = np.int64(place_of(buffer, row)["group"])
        if number in (NEW, AWAITED):
            number = begin(buffer, flows, row, segment)
        if number > 0:
            group = group_at(buffer, number)
            if may_wait(buffer, group, segment):
                store(buffer, group, segment)
                continue
            go_on(buffer, number, True)
        if number == CONCLUDED:
            buffer["late"] = buffer["late"] + 1
            continue
        leave(buffer, batch, index, segment, clocks)
    return len(batch)


@inlined
def leave(buffer, batch, index, segment, clocks):
    """Leave the segment in the batch: it goes on at once."""
    left = np.int64(buffer["left"])
    if left != index:
        batch[left] = segment
    clocks[left] = buffer["clock"]
    buffer["left"] = left + 1


@helper
def goes_on(buffer, segment):
    """Whether the tracker is to hear of a segment that was not sent: it quotes one of a flow of which some have come,
    in an ICMP error. Those that wait go on before it."""
    if not np.int64(segment["marks"]) & QUOTED or segment["sender"] < 0:
        return False
    number = np.int64(place_of(buffer, np.int64(segment["sender"]) >> 1)["group"])
    if number > 0:
        go_on(buffer, number, True)
    return number > 0 or number in (APART, AWAITED)


@helper
def surely(buffer):
    """How many segments can surely be dealt with: each may begin a group and a bundle, and have a chain go on."""
    bundles = buffer["bundles_in_all"] - buffer["bundles_taken"]
    whole = (buffer["gathered_at_most"] - buffer["gathered"]) // (CHAIN * MOST)
    return max(np.int64(0), min(np.int64(buffer["groups_in_all"]) - np.int64(buffer["groups_taken"]), bundles, whole))


@inlined
def place_of(buffer, row):
    """Where the segments of the flow with that row of the flow table wait."""
    return _place(buffer["places"], row)


@inlined
def group_at(buffer, number):
    """The row of GROUP with that number."""
    return _group(buffer["groups"], np.int64(number))


@inlined
def segment_of(buffer, group, k):
    """Segment ``k`` of a group."""
    return _stored(buffer["stored"], np.int64(group["bundles"][k >> 2]) * A_BUNDLE + (k & (A_BUNDLE - 1)))


@helper
def begin(buffer, flows, row, segment):
    """The first segment of the flow in ``row`` of the flow table: a group for it. Where an older flow with the same
    addresses and ports waits, the two are chained, since the tracker looks at what that one is doing now; where it was
    followed already, or the chain is long or the segment late, the flow is followed at once too. So are both where
    nothing of the older one has come yet (segments of several interfaces come in another order than flows are
    numbered), lest that is gathered and overtakes the newer."""
    previous, at_once = np.int64(flows[row]["previous"]), place_of(buffer, row)["group"] == AWAITED
    older = np.int64(place_of(buffer, previous)["group"]) if previous >= 0 else CONCLUDED
    if older == NEW:
        place_of(buffer, previous)["group"] = AWAITED
    if older > 0 and (at_once or not may_follow(buffer, older, segment)):
        go_on(buffer, older, True)
        older = APART
    if at_once or (older <= 0 and older != CONCLUDED):
        place_of(buffer, row)["group"] = APART
        return APART
    number = np.int64(buffer["free_group"])
    if number == 0:
        number = np.int64(buffer["groups_taken"])
        buffer["groups_taken"] = number + 1
    else:
        buffer["free_group"] = group_at(buffer, number)["row"]
    place_of(buffer, row)["group"] = number
    group = group_at(buffer, number)
    group["row"], group["count"], group["ended_by"] = row, 0, 0
    group["older"], group["newer"] = max(older, np.int64(0)), 0
    if older > 0:
        group_at(buffer, older)["newer"] = number
    return number


@helper
def may_follow(buffer, older, segment):
    """Whether a flow may wait behind the group ``older``: that is the newest of its chain and not the last."""
    length, number = np.int64(1), np.int64(group_at(buffer, older)["older"])
    while number > 0:
        length, number = length + 1, np.int64(group_at(buffer, number)["older"])
    on_time = np.int64(segment["time"]) == np.int64(buffer["clock"])
    return on_time and length < CHAIN and group_at(buffer, older)["newer"] == 0


@helper
def oldest(buffer, number):
    """The oldest group of the chain to which a group belongs."""
    while group_at(buffer, number)["older"] > 0:
        number = np.int64(group_at(buffer, number)["older"])
    return number


@helper
def go_on(buffer, number, forget):
    """Gather all groups of the chain to which a group belongs, the oldest flow first; and ``forget`` them."""
    number = oldest(buffer, number)
    while number > 0:
        newer = np.int64(group_at(buffer, number)["newer"])
        gather(buffer, number)
        if forget:
            dissolve(buffer, number)
        number = newer


@inlined
def may_wait(buffer, group, segment):
    """Whether what the tracker will make of the segment does not depend on when it gets it: the flow was heard of
    lately, so it cannot have been over for long, and the segment's time is not behind the clock: not at all in a chain,
    as the clock tells whether the older flow is over. And it has to fit."""
    count, clock = np.int64(group["count"]), np.int64(buffer["clock"])
    lately = count == 0 or clock - np.int64(group["last"]) <= buffer["quiet"]
    fits = np.int64(segment["payload_len"]) >> 16 == 0 and np.int64(segment["frame"]) >> 32 == 0
    lag = buffer["lag"] if group["older"] == 0 else np.int64(0)
    fits = fits and group["newer"] == 0 and count < MOST
    return lately and fits and clock - np.int64(segment["time"]) <= lag


@inlined
def store(buffer, group, segment):
    """Have a segment wait with the others of its group."""
    count, flags = np.int64(group["count"]), np.int64(segment["flags"])
    if count & (A_BUNDLE - 1) == 0:
        group["bundles"][count >> 2] = take_bundle(buffer)
    kept = segment_of(buffer, group, count)
    kept["time"], kept["frame"] = segment["time"], segment["frame"]
    kept["seq"], kept["ack"] = segment["seq"], segment["ack"]
    kept["ts_val"], kept["ts_ecr"] = segment["ts_val"], segment["ts_ecr"]
    kept["payload_len"], kept["window"], kept["ip_id"] = segment["payload_len"], segment["window"], segment["ip_id"]
    kept["flags"] = flags | (np.int64(segment["window_scale"]) + 1) << SCALE_BIT
    kept["marks"] = np.int64(segment["marks"]) | (np.int64(segment["sender"]) & 1) << SIDE_BIT
    kept["ttl"], kept["first_byte"] = segment["ttl"], segment["first_byte"]
    group["last"] = segment["time"]
    group["count"] = count + 1
    if flags & (FIN | RST):
        group["ended_by"] = np.int64(group["ended_by"]) | (RESETS if flags & RST else CLOSES)


@helper
def take_bundle(buffer):
    """A bundle that nobody uses; there is one."""
    left = np.int64(buffer["bundles_free"]) - 1
    if left < 0:
        bundle = np.int64(buffer["bundles_taken"])
        buffer["bundles_taken"] = bundle + 1
        ask(buffer, bundle + SOONER)
        return bundle
    buffer["bundles_free"] = left
    if left >= SOONER:
        ask(buffer, np.int64(_bundle(buffer["free"], left - SOONER)["number"]))
    return np.int64(_bundle(buffer["free"], left)["number"])


@helper
def ask(buffer, bundle):
    """Have a bundle brought near: it was last used a minute ago, or never."""
    for offset in range(0, BUNDLE_BYTES, LINE):
        prefetch(buffer["stored"] + bundle * BUNDLE_BYTES + offset)


@helper
def gather(buffer, number):
    """Put the segments of a group behind one another with what goes on; those of its flow that come later are apart."""
    group, out = group_at(buffer, number), np.int64(buffer["gathered"])
    row, count = np.int64(group["row"]), np.int64(group["count"])
    for k in range(count):
        kept, segment = segment_of(buffer, group, k), _segment(buffer["whole"], out + k)
        flags, marks = np.int64(kept["flags"]), np.int64(kept["marks"])
        segment["time"], segment["frame"] = kept["time"], kept["frame"]
        segment["seq"], segment["ack"] = kept["seq"], kept["ack"]
        segment["ts_val"], segment["ts_ecr"] = kept["ts_val"], kept["ts_ecr"]
        segment["payload_len"], segment["window"], segment["ip_id"] = kept["payload_len"], kept["window"], kept["ip_id"]
        segment["flags"] = flags & ((1 << SCALE_BIT) - 1)
        segment["window_scale"] = (flags >> SCALE_BIT) - 1
        segment["marks"] = marks & ((1 << SIDE_BIT) - 1)
        segment["sender"] = 2 * row + (marks >> SIDE_BIT)
        segment["ttl"], segment["first_byte"] = kept["ttl"], kept["first_byte"]
    buffer["gathered"] = out + count
    place_of(buffer, row)["group"] = APART


@helper
def dissolve(buffer, number):
    """Forget a group: its memory is free for others."""
    group, free = group_at(buffer, number), np.int64(buffer["bundles_free"])
    for k in range((np.int64(group["count"]) + A_BUNDLE - 1) // A_BUNDLE):
        _bundle(buffer["free"], free)["number"] = group["bundles"][k]
        free += 1
    buffer["bundles_free"] = free
    group["count"], group["row"] = 0, buffer["free_group"]
    buffer["free_group"] = number
