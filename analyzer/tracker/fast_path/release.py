"""Groups of which nothing more is expected: those that went by the book are told, the others go on to the tracker.

Fence: only numpy and this project's constants inside the kernels; the typed wrapper is ``flow_buffer``.
"""

import numpy as np

from analyzer.flows.row import FLOW
from analyzer.kernels import const, inlined, kernel, part, prefetch
from analyzer.tracker.context import CONTEXT, end_at
from analyzer.tracker.ending import ENDING, ENTRY
from analyzer.tracker.fast_path.buffered import (
    A_BUNDLE,
    CHAIN,
    GROUP_BYTES,
    MOST,
    PLACE_BYTES,
    ROOM,
    TOLD,
    ask,
    dissolve,
    go_on,
    group_at,
    oldest,
    place_of,
    segment_of,
)
from analyzer.tracker.fast_path.reused import TOOK_OVER, hand_over
from analyzer.tracker.fast_path.whole_flow import closed, followed, lone_syn, opened, over_with, sent_by
from analyzer.tracker.ordinary import LONE_SYN, OLDER_FLOW, WHOLE_FLOW
from analyzer.tracker.timeline import put_in_order

STRIDE = 8  # groups: so far ahead of their turn their segments are asked for
TUPLE_BYTES = np.int64(FLOW.itemsize)
ROWS = 16  # that the timeline of a flow has at most which goes by the book: one a state, and one of the end


@kernel(ROOM, CONTEXT, int, int, const(np.int64), int, ENDING, TOOK_OVER, ENTRY, np.uint32)
def release(rooms, contexts, start, stop, before, ended, endings, took, entries, lengths):
    """Let the groups in the rows ``start`` to ``stop`` go that were last heard of before ``before[ended_by]``, those in
    chains with the newest. Returns where it stopped: at ``stop``, or for want of room.

    Flows that went by the book are told in ``endings``, those that took over from another from its back on, with more
    of them in ``took``; their timelines, where they are wanted, in ``entries`` and how long these are in ``lengths``.
    The others are gathered. ``contexts`` has the ledger's rows of one flow, and ROWS for its timeline; its clock is the
    time of the capture, which may have ``ended`` then: others may do the same with other rows meanwhile.
    """
    room, context = rooms[0], contexts[0]
    for number in range(start, stop):
        come_nearer(room, context, np.int64(number), stop, before)
        group = group_at(room, number)
        if not silent(group, before) or group["newer"] > 0:
            continue
        free = len(endings) - room["told"] - room["taken_over"]
        if free < CHAIN or room["gathered_at_most"] - room["gathered"] < CHAIN * MOST:
            return number
        if context["timeline"] > 0 and len(entries) - room["entries"] < CHAIN * ROWS:
            return number
        first = oldest(room, np.int64(number))
        if first != number and not all_silent(room, first, before):
            continue
        if chain_told(room, context, first, ended, endings, took, entries, lengths):
            forget(room, first, ended)
        else:
            go_on(room, np.int64(number), not ended)
    return stop


@inlined
def silent(group, before):
    """Whether segments wait of a flow of which nothing was heard since."""
    return group["count"] > 0 and np.int64(group["last"]) < before[np.int64(group["ended_by"])]


@part
def all_silent(room, number, before):
    """Whether all groups of the chain are silent of which this one is the oldest."""
    while number > 0 and silent(group_at(room, number), before):
        number = np.int64(group_at(room, number)["newer"])
    return number == 0


@part
def come_nearer(room, context, number, stop, before):
    """Have brought near what is needed of the groups whose turn comes soon: first the group before each in its chain,
    then their segments and their rows of the flow table."""
    if number + 2 * STRIDE < stop:
        prefetch(room["groups"] + np.int64(group_at(room, number + 2 * STRIDE)["older"]) * GROUP_BYTES)
    if number + STRIDE >= stop or not silent(group_at(room, number + STRIDE), before):
        return
    number += STRIDE
    while number > 0:
        group = group_at(room, number)
        prefetch(context["tuples"] + np.int64(group["row"]) * TUPLE_BYTES)
        prefetch(room["places"] + np.int64(group["row"]) * PLACE_BYTES)
        for k in range((np.int64(group["count"]) + A_BUNDLE - 1) // A_BUNDLE):
            ask(room, np.int64(group["bundles"][k]))
        number = np.int64(group["older"])


@part
def chain_told(room, context, number, ended, endings, took, entries, lengths):
    """Tell the flows of a chain, of which ``number`` is the oldest, if all of them went by the book; returns whether
    they did."""
    place, theirs, written = np.int64(room["told"]), np.int64(room["taken_over"]), np.int64(room["entries"])
    took_over = np.int64(0)
    while number > 0:
        group, own = group_at(room, number), place if took_over == 0 else len(endings) - 1 - theirs
        place, theirs = place + (1 - took_over), theirs + took_over
        if not told(room, context, group, ended, endings[own], took[theirs]):
            return False
        if context["timeline"] > 0:
            written += put_in_order(context, entries, written, lengths, own)
        number = np.int64(group["newer"])
        took_over = np.int64(took[theirs]["old_seen"]) if number > 0 else np.int64(0)
    room["told"], room["taken_over"], room["entries"] = place, theirs, written
    return True


@part
def told(room, context, group, ended, ending, newer_took):
    """Tell the flow of a group, if it went by the book, and what the one that ``newer_took`` over from it if one did;
    returns whether it did."""
    row, count, newer = np.int64(group["row"]), np.int64(group["count"]), np.int64(group["newer"])
    if count == 1:
        alone = newer == 0 and group["older"] == 0
        asked = np.int64(context["asked"]) & LONE_SYN
        return ended and alone and asked == 0 and lone_syn(context, row, segment_of(room, group, 0), ending)
    if count < 3 or np.int64(context["asked"]) & WHOLE_FLOW:
        return False
    if newer > 0 and np.int64(context["asked"]) & ~np.int64(context["brief"]) & OLDER_FLOW:
        return False
    if not opened(context, row, segment_of(room, group, 0), segment_of(room, group, 1), segment_of(room, group, 2)):
        return False
    before, replies = np.int64(segment_of(room, group, 1)["time"]), np.int64(1)
    for k in range(2, count):
        s = segment_of(room, group, k)
        i = sent_by(s)
        if not followed(context, end_at(context, i), end_at(context, i ^ 1), i, s, before):
            return False
        before, replies = np.int64(s["time"]), replies + i
    if not over_with(context, segment_of(room, group, count - 1), count, replies):
        return False
    if newer > 0 and not hand_over(room, context, group, group_at(room, newer), newer_took):
        return False
    return closed(context, ended, ending)


@part
def forget(room, number, ended):
    """The flows of a chain are told, of which ``number`` is the oldest: their memory is free, unless the capture has
    ended anyway."""
    while number > 0:
        group = group_at(room, number)
        newer = np.int64(group["newer"])
        place_of(room, np.int64(group["row"]))["group"] = TOLD
        if not ended:
            dissolve(room, number)
        number = newer
