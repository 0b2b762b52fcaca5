"""What the tracker's kernels hand on to each other (CONTEXT), and how they find the rows that it points to.

How an endpoint is moved, or something is noted of it, stands in ``moves``.

Fence: only numpy and this project's enums inside; what the pipeline calls is ``track.Tracker``.
"""

import numpy as np

from analyzer.flows.row import FLOW
from analyzer.kernels import helper, record_at
from analyzer.tracker.ledger import CLOSING_FACTS, ENDPOINT_CORE, FLOW_CORE, OLDER, UNUSUAL
from analyzer.tracker.storage.pools import CLOSINGS, UNUSUALS, take

# Names as numbers. numpy's, not Python's: numba compiles a function anew for each Python constant it is called with.
NO_FRAME = np.int64(0)


CONTEXT = np.dtype(
    [
        # where the tracker's rows lie in memory
        ("ends", "<i8"),  # ENDPOINT_CORE, two rows a slot
        ("flows", "<i8"),  # FLOW_CORE, one row a slot
        ("closing_rows", "<i8"),  # CLOSING_FACTS
        ("unusual", "<i8"),  # UNUSUAL
        ("older", "<i8"),  # OLDER
        ("blocks", "<i8"),  # BLOCK
        ("log", "<i8"),  # LOG
        ("far", "<i8"),  # FAR
        ("pools", "<i8"),  # POOL, the state of the pools of these
        ("tuples", "<i8"),  # FLOW, the flow table's own rows
        ("places", "<i8"),  # PLACE, one row a row of the flow table
        ("late", "<i8"),  # segments of flows that were finished before
        ("timeline", "<i8"),  # ENTRY, for that of a flow on the fast path; 0 where none is wanted
        ("clock", "<i8"),  # highest frame time so far, that of this segment included
        # lengths of time, nanoseconds
        ("time_wait_length", "<i8"),
        ("fin_wait_2_length", "<i8"),
        ("slack", "<i8"),
        ("repeat", "<i8"),
        ("duplicate_blind", "<i8"),
        ("duplicate_by_id", "<i8"),
        ("reordering", "<i8"),
        ("retention", "<i8"),
        ("retention_reset", "<i8"),
        ("slow_close", "<i8"),
        ("gave_up_waiting", "<i8"),
        ("clock_back", "<i8"),
        # what is asked of flows: bits of Sign (see ``ordinary.kind_of_flow``)
        ("asked", "<i8"),
        ("few_columns_enough", "<i8"),
        ("gaps", "<i8"),  # GAP: when nobody captured
        ("gap_count", "<i8"),
        ("rst_ends_time_wait", "<i8"),  # 1, or 0 where the profile's hosts drop a RST in TIME_WAIT
    ]
)
# Where the tracker keeps a flow: NOT_YET, its slot + 1, or FINISHED. The ledger's rows are slots, used again.
PLACE = np.dtype([("slot", "<i4")])
NOT_YET, FINISHED = 0, -1
_place = record_at(PLACE)
_end, _flow, _tuple = record_at(ENDPOINT_CORE), record_at(FLOW_CORE), record_at(FLOW)
_closing_facts, _unusual, _older = record_at(CLOSING_FACTS), record_at(UNUSUAL), record_at(OLDER)


@helper
def end_at(context, i):
    """The ledger's row of endpoint ``i``."""
    return _end(context["ends"], np.int64(i))


@helper
def closing_facts(context, e):
    """What is noted of endpoint ``e`` once it is established or closes, to be read only: zeros before that."""
    return _closing_facts(context["closing_rows"], np.int64(e["closing_row"]))


@helper
def mark_closing_facts(context, e):
    """The same, to be written."""
    if e["closing_row"] == 0:
        e["closing_row"] = take(context, CLOSINGS)
    return _closing_facts(context["closing_rows"], np.int64(e["closing_row"]))


@helper
def unusual(context, e):
    """What is noted of endpoint ``e`` beyond the ordinary, to be read only: zeros where that is nothing."""
    return _unusual(context["unusual"], np.int64(e["unusual"]))


@helper
def mark_unusual(context, e):
    """The same, to be written."""
    if e["unusual"] == 0:
        e["unusual"] = take(context, UNUSUALS)
    return _unusual(context["unusual"], np.int64(e["unusual"]))


@helper
def flow_at(context, flow):
    """The ledger's row of a flow."""
    return _flow(context["flows"], np.int64(flow))


@helper
def older_at(context, f):
    """What was noted of the older flow on the same tuple when flow ``f`` began; zeros where none was kept."""
    return _older(context["older"], np.int64(f["older"]))


@helper
def tuple_at(context, flow):
    """The flow table's row of a flow."""
    return _tuple(context["tuples"], np.int64(flow))


@helper
def place_at(context, row):
    """Where the flow with that row of the flow table is kept."""
    return _place(context["places"], np.int64(row))


@helper
def last_syn(context, e):
    """When endpoint ``e`` last sent a SYN or SYN-ACK."""
    again = np.int64(unusual(context, e)["syn_last_time"])
    return again if again > 0 else np.int64(e["syn_time"])


@helper
def last_fin(context, e):
    """When the FIN of endpoint ``e`` last passed."""
    again = np.int64(unusual(context, e)["fin_last_time"])
    return again if again > 0 else np.int64(closing_facts(context, e)["fin_time"])


@helper
def knows(e, bits):
    """Whether all of ``bits`` are known of the endpoint."""
    return (np.int64(e["known"]) & bits) == bits


@helper
def learn(e, bits):
    e["known"] = np.int64(e["known"]) | bits


@helper
def forget(e, bits):
    e["known"] = np.int64(e["known"]) & (0xFFFF ^ bits)
