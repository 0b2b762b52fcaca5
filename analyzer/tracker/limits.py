"""How long is long: what the tracker takes for simultaneous, for repeated, and for over."""

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import Gaps
from analyzer.settings import Settings
from analyzer.tracker.desk import DESK
from analyzer.tracker.timers import SECOND, timers_of

SLACK_NS = 300_000  # scheduling and interrupt delays on a host: how late an answer may be beyond its way
DUPLICATE_BLIND_NS = 1_000_000  # no stack repeats a segment this fast (Linux: 2 ms for a loss probe, else 200 ms)
DUPLICATE_BY_ID_NS = 3_000_000_000  # with a moving IP identification: less than any host needs to come round
REPEAT_NS = 200_000_000  # no stack repeats for want of an answer before this (Linux TCP_RTO_MIN)
REORDERING_NS = 5_000_000  # how long after a RST its sender's earlier segments may still come by
LINGER_NS = 60 * SECOND  # a flow that was over and silent this long is over: what still comes is counted, not judged
LINGER_RESET_NS = 300 * SECOND  # the same after a RST, which its receiver may not have got


def show_gaps(desk: NDArray[np.void], gaps: Gaps) -> NDArray[np.int64]:
    """Tell the kernels of the gaps in the capture that are known by now; returns what must stay where it is meanwhile.

    All that lie before the next segment are known: those who read the capture are ahead."""
    bounds = gaps.bounds
    desk["gaps"], desk["gap_count"] = bounds.ctypes.data, len(bounds)
    return bounds


def desk_of(settings: Settings) -> NDArray[np.void]:
    """What the tracker's kernels have in front of them (dtype DESK, shape (1,)), with these limits and no rows yet."""
    desk: NDArray[np.void] = np.zeros(1, DESK)
    timers = timers_of(settings)
    desk["time_wait_length"], desk["fin_wait_2_length"] = timers.time_wait.length, timers.fin_wait_2.length
    desk["rst_ends_time_wait"] = timers.rst_ends_time_wait
    desk["slack"], desk["repeat"], desk["reordering"] = SLACK_NS, REPEAT_NS, REORDERING_NS
    desk["duplicate_blind"], desk["duplicate_by_id"] = DUPLICATE_BLIND_NS, DUPLICATE_BY_ID_NS
    desk["linger"], desk["linger_reset"] = LINGER_NS, LINGER_RESET_NS
    desk["slow_close"], desk["clock_back"] = settings.slow_close_ns, settings.clock_back_ns
    return desk
