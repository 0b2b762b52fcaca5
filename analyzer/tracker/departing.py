"""Groups of which nothing more is expected: those that went by the book are told, the others go on to the tracker.

Fence: only numpy and this project's constants inside the kernels; the typed wrapper is ``grouping``.
"""

import numpy as np

from analyzer.compiled import const, inlined, kernel, part
from analyzer.tracker.by_the_book import SLOT, closed, followed, later_of, lone_syn, opened, sent_by
from analyzer.tracker.desk import DESK, end_at, flow_at
from analyzer.tracker.ending import ENDING, ENTRY
from analyzer.tracker.groups import A_BUNDLE, MOST, ROOM, TOLD, ask, dissolve, gather, group_at, place_of, segment_of
from analyzer.tracker.telling import tell_flow

STRIDE = 8  # groups: so far ahead of their turn their segments are asked for
ROWS = 32  # that the timeline of a flow has at most which goes by the book: two or three a state


@kernel(ROOM, DESK, int, int, const(np.int64), int, ENDING, ENTRY, ENTRY, np.uint32)
def depart(rooms, desks, start, stop, before, ended, endings, rows, entries, lengths):
    """Let the groups in the rows ``start`` to ``stop`` go that were last heard of before ``before[closing]``. Returns
    where it stopped: at ``stop``, or for want of room.

    Flows that went by the book are told in ``endings``, their timelines in ``entries`` and how long these are in
    ``lengths``, if there are ``rows`` (ROWS of them) to make them with; the others are gathered. ``desks`` has the
    ledger's rows of one flow; its clock is the time of the capture, which may have ``ended`` then: others may do the
    same with other rows meanwhile.
    """
    room, desk = rooms[0], desks[0]
    for number in range(start, stop):
        if number + STRIDE < stop and silent(group_at(room, number + STRIDE), before):
            come_nearer(room, group_at(room, number + STRIDE))
        group, place = group_at(room, number), np.int64(room["told"])
        if not silent(group, before):
            continue
        if room["gathered_at_most"] - room["gathered"] < MOST or place == len(endings):
            return number
        if len(rows) > 0 and len(entries) - room["entries"] < ROWS:
            return number
        row = np.int64(group["row"])
        if told(room, desk, group, row, ended, endings[place]):
            if len(rows) > 0:
                room["entries"] += tell_flow(desk, SLOT, rows, entries, np.int64(room["entries"]), lengths, place)
            room["told"] = place + 1
            place_of(room, row)["group"] = TOLD
        else:
            gather(room, np.int64(number))
        if not ended:
            dissolve(room, np.int64(number))
    return stop


@inlined
def silent(group, before):
    """Whether segments wait of a flow of which nothing was heard since."""
    return group["count"] > 0 and np.int64(group["last"]) < before[np.int64(group["closing"])]


@part
def come_nearer(room, group):
    """Have the segments of a group brought near."""
    for k in range((np.int64(group["count"]) + A_BUNDLE - 1) // A_BUNDLE):
        ask(room, np.int64(group["bundles"][k]))


@part
def told(room, desk, group, row, ended, ending):
    """Tell the flow in ``row`` of the flow table, if it went by the book; returns whether it did."""
    count = np.int64(group["count"])
    if count == 1:
        return ended and lone_syn(desk, row, segment_of(room, group, 0), ending)
    if count < 3:
        return False
    if not opened(desk, row, segment_of(room, group, 0), segment_of(room, group, 1), segment_of(room, group, 2)):
        return False
    f = flow_at(desk, SLOT)
    for k in range(2, count):
        s = segment_of(room, group, k)
        i = sent_by(s)
        e, p = end_at(desk, i), end_at(desk, i ^ 1)
        if not followed(desk, f, e, p, later_of(desk, i), later_of(desk, i ^ 1), i, s):
            return False
    return closed(desk, ended, ending)
