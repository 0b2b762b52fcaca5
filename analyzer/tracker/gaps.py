"""Times in which nobody captured, as the kernels ask for them: nothing that was not heard then is silence.

Fence: only numpy inside.
"""

import numpy as np

from analyzer.kernels import part, record_at

GAP = np.dtype([("begin", "<i8"), ("end", "<i8")])  # in the order of time
_gap = record_at(GAP)


@part
def gap_after(desk, time):
    """The place of the first gap that ends after ``time``."""
    low, high = np.int64(0), np.int64(desk["gap_count"])
    while low < high:
        middle = (low + high) // 2
        if np.int64(_gap(desk["gaps"], middle)["end"]) <= time:
            low = middle + 1
        else:
            high = middle
    return low


@part
def watched_until(desk, heard, end_time):
    """Until when it is known of what was last ``heard`` of then that nothing more came: to the first gap after that, or
    to the capture's end. What is reckoned to have happened in a gap follows from what was heard before it."""
    if desk["gap_count"] == 0:
        return np.int64(end_time)
    place = gap_after(desk, heard)
    if place == desk["gap_count"]:
        return np.int64(end_time)
    return min(np.int64(end_time), np.int64(_gap(desk["gaps"], place)["begin"]))


@part
def silent_since(desk, heard, now):
    """Since when somebody has listened and heard nothing: since it was last ``heard``, or since the last gap."""
    if desk["gap_count"] == 0:
        return np.int64(heard)
    place = gap_after(desk, now) - 1
    if place < 0:
        return np.int64(heard)
    return max(np.int64(heard), np.int64(_gap(desk["gaps"], place)["end"]))
