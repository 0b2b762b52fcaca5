"""How long is long: what the tracker takes for simultaneous, for repeated, and for over."""

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import Gaps
from analyzer.settings import Settings
from analyzer.tcp.timers import timers_of
from analyzer.tracker.context import CONTEXT
from analyzer.tracker.signs import EVERYTHING, Asked, Sign
from analyzer.units import SECOND

SLACK_NS = 300_000  # scheduling and interrupt delays on a host: how late an answer may be beyond its way
DUPLICATE_BLIND_NS = 1_000_000  # no stack repeats a segment this fast (Linux: 2 ms for a loss probe, else 200 ms)
DUPLICATE_BY_ID_NS = 3_000_000_000  # with a moving IP identification: less than any host needs to come round
REPEAT_NS = 200_000_000  # no stack repeats for want of an answer before this (Linux TCP_RTO_MIN)
REORDERING_NS = 5_000_000  # how long after a RST its sender's earlier segments may still come by
RETENTION_NS = 60 * SECOND  # a flow that was over and silent this long is over: what still comes is counted, not judged
RETENTION_RESET_NS = 300 * SECOND  # the same after a RST, which its receiver may not have got


def show_gaps(context: NDArray[np.void], gaps: Gaps) -> NDArray[np.int64]:
    """Tell the kernels of the gaps in the capture that are known by now; returns what must stay where it is meanwhile.

    All that lie before the next segment are known: those who read the capture are ahead."""
    bounds = gaps.bounds
    context["gaps"], context["gap_count"] = bounds.ctypes.data, len(bounds)
    return bounds


def context_of(settings: Settings, asked: Asked = EVERYTHING) -> NDArray[np.void]:
    """What the kernels hand on (dtype CONTEXT, shape (1,)), with these limits and no rows yet; ``asked`` are the signs
    of flows that somebody has something to say of."""
    context: NDArray[np.void] = np.zeros(1, CONTEXT)
    timers = timers_of(settings)
    context["time_wait_length"], context["fin_wait_2_length"] = timers.time_wait.length, timers.fin_wait_2.length
    context["rst_ends_time_wait"] = timers.rst_ends_time_wait
    context["slack"], context["repeat"], context["reordering"] = SLACK_NS, REPEAT_NS, REORDERING_NS
    context["duplicate_blind"], context["duplicate_by_id"] = DUPLICATE_BLIND_NS, DUPLICATE_BY_ID_NS
    context["retention"], context["retention_reset"] = RETENTION_NS, RETENTION_RESET_NS
    context["slow_close"], context["clock_back"] = settings.slow_close_ns, settings.clock_back_ns
    context["gave_up_waiting"] = settings.gave_up_waiting_ns
    context["asked"], context["few_columns_enough"] = (
        int(asked.signs | Sign.OTHER_ENDING),
        int(asked.few_columns_enough),
    )
    return context
