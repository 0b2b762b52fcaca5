"""Times in which nobody captured, as the kernels ask for them: nothing that was not heard then is silence.

Fence: only numpy inside.
"""

import numpy as np

from analyzer.kernels import helper, record_at
from analyzer.tracker.context import end_at, flow_at

GAP = np.dtype([("begin", "<i8"), ("end", "<i8")])  # in the order of time
_gap = record_at(GAP)


@helper
def gap_after(context, time):
    """The place of the first gap that ends after ``time``."""
    low, high = np.int64(0), np.int64(context["gap_count"])
    while low < high:
        middle = (low + high) // 2
        if np.int64(_gap(context["gaps"], middle)["end"]) <= time:
            low = middle + 1
        else:
            high = middle
    return low


@helper
def watched_until(context, heard, end_time):
    """Until when it is known of what was last ``heard`` of then that nothing more came: to the first gap after that, or
    to the capture's end. What is reckoned to have happened in a gap follows from what was heard before it."""
    if context["gap_count"] == 0:
        return np.int64(end_time)
    place = gap_after(context, heard)
    if place == context["gap_count"]:
        return np.int64(end_time)
    return min(np.int64(end_time), np.int64(_gap(context["gaps"], place)["begin"]))


@helper
def silent_since(context, heard, now):
    """Since when somebody has listened and heard nothing: since it was last ``heard``, or since the last gap."""
    if context["gap_count"] == 0:
        return np.int64(heard)
    place = gap_after(context, now) - 1
    if place < 0:
        return np.int64(heard)
    return max(np.int64(heard), np.int64(_gap(context["gaps"], place)["end"]))


@helper
def watched(context, i, end_time):
    """Until when endpoint ``i`` is known: to the first gap in the capture since it was heard of, or to its end."""
    e = end_at(context, i)
    heard = np.int64(e["last_time"]) if e["packets"] > 0 else np.int64(flow_at(context, i >> 1)["end_time"])
    return watched_until(context, max(heard, np.int64(e["state_time"])), end_time)
