"""Flows of which nothing more is expected leave the buffer: without surprises by the fast path, else for the tracker.

Fence: only numpy and this project's constants inside the kernels; the typed wrapper is ``flow_buffer``.
"""

import numpy as np

from analyzer.flows.row import FLOW
from analyzer.kernels import const, helper, inlined, kernel, prefetch
from analyzer.tracker.context import CONTEXT, end_at
from analyzer.tracker.fast_path.buffered import (
    A_BUNDLE,
    BUFFER,
    CHAIN,
    CONCLUDED,
    GROUP_BYTES,
    MOST,
    PLACE_BYTES,
    ask,
    dissolve,
    go_on,
    group_at,
    oldest,
    place_of,
    segment_of,
)
from analyzer.tracker.fast_path.dialogue import begun, heard, note_dialogue
from analyzer.tracker.fast_path.reused import TOOK_OVER, hand_over
from analyzer.tracker.fast_path.whole_flow import (
    conclude_closed,
    conclude_single_syn,
    followed,
    is_closed,
    opened,
    sent_by,
)
from analyzer.tracker.flow_record import ENDING, ENTRY
from analyzer.tracker.ordinary import OLDER_FLOW, SINGLE_SYN, WHOLE_FLOW
from analyzer.tracker.timeline import put_in_order
from analyzer.tracker.zeek.without_surprises import NO_OTHERS, OPENED, add_letter, tell_closed

STRIDE = 8  # groups: so far ahead of their turn their segments are asked for
TUPLE_BYTES = np.int64(FLOW.itemsize)
ROWS = 16  # of the timeline of a flow on the fast path, at most: one a state, and one of the end


@kernel(BUFFER, CONTEXT, int, int, const(np.int64), int, ENDING, TOOK_OVER, ENTRY, np.uint32)
def release(buffers, contexts, start, stop, before, ended, endings, reused, entries, lengths):
    """Let the groups in the rows ``start`` to ``stop`` go that were last heard of before ``before[ended_by]``, those in
    chains with the newest. Returns where it stopped: at ``stop``, or for want of room.

    Flows without surprises are concluded in ``endings``, those that took over from another from its back on, with more
    of them in ``reused``; their timelines, where they are wanted, in ``entries`` and how long these are in ``lengths``.
    The others are gathered. ``contexts`` has the ledger's rows of one flow, and ROWS for its timeline; its clock is the
    time of the capture, which may have ``ended`` then: others may do the same with other rows meanwhile.
    """
    buffer, context = buffers[0], contexts[0]
    for number in range(start, stop):
        prefetch_rows(buffer, context, np.int64(number), stop, before)
        group = group_at(buffer, number)
        if not silent(group, before) or group["newer"] > 0:
            continue
        free = len(endings) - buffer["concluded"] - buffer["taken_over"]
        if free < CHAIN or buffer["gathered_at_most"] - buffer["gathered"] < CHAIN * MOST:
            return number
        if context["timeline"] > 0 and len(entries) - buffer["entries"] < CHAIN * ROWS:
            return number
        first = oldest(buffer, np.int64(number))
        if first != number and not all_silent(buffer, first, before):
            continue
        if conclude_chain(buffer, context, first, ended, endings, reused, entries, lengths):
            forget(buffer, first, ended)
        else:
            go_on(buffer, np.int64(number), not ended)
    return stop


@inlined
def silent(group, before):
    """Whether segments wait of a flow of which nothing was heard since."""
    return group["count"] > 0 and np.int64(group["last"]) < before[np.int64(group["ended_by"])]


@helper
def all_silent(buffer, number, before):
    """Whether all groups of the chain are silent of which this one is the oldest."""
    while number > 0 and silent(group_at(buffer, number), before):
        number = np.int64(group_at(buffer, number)["newer"])
    return number == 0


@helper
def prefetch_rows(buffer, context, number, stop, before):
    """Have brought near what is needed of the groups whose turn comes soon: first the group before each in its chain,
    then their segments and their rows of the flow table."""
    if number + 2 * STRIDE < stop:
        prefetch(buffer["groups"] + np.int64(group_at(buffer, number + 2 * STRIDE)["older"]) * GROUP_BYTES)
    if number + STRIDE >= stop or not silent(group_at(buffer, number + STRIDE), before):
        return
    number += STRIDE
    while number > 0:
        group = group_at(buffer, number)
        prefetch(context["tuples"] + np.int64(group["row"]) * TUPLE_BYTES)
        prefetch(buffer["places"] + np.int64(group["row"]) * PLACE_BYTES)
        for k in range((np.int64(group["count"]) + A_BUNDLE - 1) // A_BUNDLE):
            ask(buffer, np.int64(group["bundles"][k]))
        number = np.int64(group["older"])


@helper
def conclude_chain(buffer, context, number, ended, endings, reused, entries, lengths):
    """Conclude the flows of a chain, of which ``number`` is the oldest, if none of them has a surprise; returns whether
    they did."""
    place, place_reused, written = (
        np.int64(buffer["concluded"]),
        np.int64(buffer["taken_over"]),
        np.int64(buffer["entries"]),
    )
    took_over = np.int64(0)
    while number > 0:
        group, own = group_at(buffer, number), place if took_over == 0 else len(endings) - 1 - place_reused
        place, place_reused = place + (1 - took_over), place_reused + took_over
        if not conclude_group(buffer, context, group, ended, endings[own], reused[place_reused]):
            return False
        if context["timeline"] > 0:
            written += put_in_order(context, entries, written, lengths, own)
        number = np.int64(group["newer"])
        took_over = np.int64(reused[place_reused]["old_seen"]) if number > 0 else np.int64(0)
    buffer["concluded"], buffer["taken_over"], buffer["entries"] = place, place_reused, written
    return True


@helper
def conclude_group(buffer, context, group, ended, ending, newer_reused):
    """Conclude the flow of a group, if it has no surprise; returns whether it has none. If a newer flow takes over its
    addresses and ports, what it is doing then is noted in ``newer_reused``."""
    row, count, newer = np.int64(group["row"]), np.int64(group["count"]), np.int64(group["newer"])
    if count == 1:
        alone = newer == 0 and group["older"] == 0
        asked = np.int64(context["asked"]) & SINGLE_SYN
        return (
            ended and alone and asked == 0 and conclude_single_syn(context, row, segment_of(buffer, group, 0), ending)
        )
    if count < 3 or np.int64(context["asked"]) & WHOLE_FLOW:
        return False
    if newer > 0 and np.int64(context["asked"]) & ~np.int64(context["few_columns_enough"]) & OLDER_FLOW:
        return False
    if not opened(
        context, row, segment_of(buffer, group, 0), segment_of(buffer, group, 1), segment_of(buffer, group, 2)
    ):
        return False
    before, replies = np.int64(segment_of(buffer, group, 1)["time"]), np.int64(1)
    dialogue = begun(np.int64(segment_of(buffer, group, 2)["time"]))
    letters, seen = OPENED, NO_OTHERS
    for k in range(2, count):
        s = segment_of(buffer, group, k)
        i = sent_by(s)
        if not followed(context, end_at(context, i), end_at(context, i ^ 1), i, s, before):
            return False
        peers_ack = np.int64(end_at(context, i ^ 1)["ack_sent"])
        dialogue = heard(context, dialogue, i, s, np.int64(s["ack"]), peers_ack)
        before, replies = np.int64(s["time"]), replies + i
        letters, seen = add_letter(letters, seen, np.int64(s["flags"]), np.int64(s["payload_len"]), i)
    if not is_closed(context, segment_of(buffer, group, count - 1), count, replies):
        return False
    note_dialogue(context, dialogue)
    tell_closed(context, letters)
    if newer > 0 and not hand_over(buffer, context, group, group_at(buffer, newer), newer_reused):
        return False
    return conclude_closed(context, ended, ending)


@helper
def forget(buffer, number, ended):
    """The flows of a chain are told, of which ``number`` is the oldest: their memory is free, unless the capture has
    ended anyway."""
    while number > 0:
        group = group_at(buffer, number)
        newer = np.int64(group["newer"])
        place_of(buffer, np.int64(group["row"]))["group"] = CONCLUDED
        if not ended:
            dissolve(buffer, number)
        number = newer
