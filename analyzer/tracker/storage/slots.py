"""Slots: all that is known of a flow is copied from its slot, and the slot is free for another.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import const, helper, kernel
from analyzer.tracker.context import CONTEXT, FINISHED, end_at, flow_at, place_at
from analyzer.tracker.ledger import CLOSING_FACTS, ENDPOINT_CORE, FLOW_CORE, OLDER, UNUSUAL
from analyzer.tracker.storage.event_log import block_at, first_block, free_bounds, log_at
from analyzer.tracker.storage.layout import ROWS_A_BLOCK
from analyzer.tracker.storage.pools import (
    BLOCKS,
    CLOSINGS,
    FARS,
    OLDERS,
    SLOTS,
    UNUSUALS,
    copy_words,
    give_back,
    give_back_chain,
    in_use,
)

FLOW_CORE_BYTES = np.int64(FLOW_CORE.itemsize)
ENDPOINT_CORE_BYTES, CLOSING_BYTES, UNUSUAL_BYTES = (
    np.int64(row.itemsize) for row in (ENDPOINT_CORE, CLOSING_FACTS, UNUSUAL)
)
OLDER_BYTES = np.int64(OLDER.itemsize)


@kernel(CONTEXT, const(np.int64), np.int32, np.int32)
def copy_ledger_rows(contexts, slots, ends, flows):
    """Copy all that is known of ``slots`` to ``ends`` and ``flows`` (int32), an endpoint's columns and a flow's behind
    one another, as ENDPOINT and CONNECTION have them."""
    context = contexts[0]
    end_word, flow_word = np.int64(0), np.int64(0)
    for place in range(len(slots)):
        slot = np.int64(slots[place])
        for i in (2 * slot, 2 * slot + 1):
            unusual = np.int64(end_at(context, i)["unusual"])
            after = np.int64(end_at(context, i)["closing_row"])
            end_word = copy_words(ends, end_word, context["ends"] + i * ENDPOINT_CORE_BYTES, ENDPOINT_CORE_BYTES)
            end_word = copy_words(ends, end_word, context["closing_rows"] + after * CLOSING_BYTES, CLOSING_BYTES)
            end_word = copy_words(ends, end_word, context["unusual"] + unusual * UNUSUAL_BYTES, UNUSUAL_BYTES)
        older = np.int64(flow_at(context, slot)["older"])
        flow_word = copy_words(flows, flow_word, context["flows"] + slot * FLOW_CORE_BYTES, FLOW_CORE_BYTES)
        flow_word = copy_words(flows, flow_word, context["older"] + older * OLDER_BYTES, OLDER_BYTES)


@kernel(CONTEXT, const(np.int64))
def put_away(contexts, slots):
    """Forget the flows in ``slots``: their rows are free for others."""
    context = contexts[0]
    for place in range(len(slots)):
        forget_flow(context, np.int64(slots[place]))


@helper
def forget_flow(context, slot):
    """The flow's rows are free for others."""
    f = flow_at(context, slot)
    place_at(context, f["row"])["slot"] = FINISHED
    for i in (2 * slot, 2 * slot + 1):
        if end_at(context, i)["closing_row"] > 0:
            give_back(context, CLOSINGS, np.int64(end_at(context, i)["closing_row"]))
        if end_at(context, i)["unusual"] > 0:
            give_back(context, UNUSUALS, np.int64(end_at(context, i)["unusual"]))
    if f["older"] > 0:
        give_back(context, OLDERS, np.int64(f["older"]))
    if in_use(context, FARS) > 1:
        forget_bounds(context, f)
    blocks = (np.int64(f["log_rows"]) + ROWS_A_BLOCK - 1) // ROWS_A_BLOCK
    give_back_chain(context, BLOCKS, first_block(context, f), f["last_block"], blocks)
    f["first_frame"] = 0
    give_back(context, SLOTS, slot)


@helper
def forget_bounds(context, f):
    """Give back what bounds in the flow's rows of the log have taken."""
    block, left = first_block(context, f), np.int64(f["log_rows"])
    while left > 0:
        for place in range(min(left, np.int64(ROWS_A_BLOCK))):
            free_bounds(context, log_at(context, block * ROWS_A_BLOCK + place))
        left -= ROWS_A_BLOCK
        block = np.int64(block_at(context, block)["next_block"])
