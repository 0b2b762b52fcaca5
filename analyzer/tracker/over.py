"""When a flow is over: ended so long ago that what still comes of it is counted, not judged.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.tcp.codes import CLOSED, TIME_WAIT
from analyzer.tracker.context import end_at, flow_at, older_at, place_at, tuple_at, unusual
from analyzer.tracker.time_wait import due

NOT_OVER = np.int64(np.iinfo(np.int64).max)


@helper
def over(context, slot):
    """Whether the flow in ``slot`` is over, whether or not its slot is free already."""
    return context["clock"] > over_after(context, slot)


@helper
def over_after(context, slot):
    """After which moment the flow in ``slot`` is over, timers included, if no more of it comes; NOT_OVER where it has
    not ended."""
    e, p = end_at(context, 2 * slot), end_at(context, 2 * slot + 1)
    state, peer_state = np.int64(e["state"]), np.int64(p["state"])
    if (state != CLOSED and state != TIME_WAIT) or (peer_state != CLOSED and peer_state != TIME_WAIT):
        return NOT_OVER
    reset_ended = unusual(context, e)["rst_count"] + unusual(context, p)["rst_count"] > 0
    heard = np.int64(flow_at(context, slot)["end_time"]) + (
        context["retention_reset"] if reset_ended else context["retention"]
    )
    return max(heard, due(context, e), due(context, p))


@helper
def still_kept(context, f):
    """Whether the older flow on the same tuple, noted when ``f`` began, is still in the slot where it was then."""
    previous = np.int64(tuple_at(context, f["row"])["previous"])
    slot = np.int64(place_at(context, previous)["slot"]) - 1 if previous >= 0 else np.int64(-1)
    return slot >= 0 and slot == np.int64(older_at(context, f)["old_end"]) >> 1 and not over(context, slot)
