"""TIME_WAIT's timer: what starts it, starts it again and ends it, and whether it has run out.

An endpoint in TIME_WAIT waits for twice the longest life of a segment, and from the start again each time the peer's
FIN comes once more (RFC 9293 3.10.7.4): then its acknowledgment was lost. No packet shows the end of the wait. So the
length is that of the profile in force, and the column ``deadline`` holds when the timer ends, 0 where none runs. The
end as a transition is ``moves.end_time_wait``.

Fence: only numpy and this project's enums inside.
"""

from typing import Any

import numpy as np

from analyzer.kernels import helper
from analyzer.tcp.codes import TIME_WAIT
from analyzer.tracker.context import closing_facts


def ran_out(deadline: Any, now: Any) -> Any:
    """Whether a timer that ends at ``deadline`` has run out ``now``; for numbers and for arrays."""
    return (deadline > 0) & (deadline <= now)


run_out: Any = helper(ran_out)


@helper
def start(context, after, time):
    """The endpoint enters TIME_WAIT; ``after`` is its row of CLOSING_FACTS."""
    after["time_wait_time"] = time
    resume(context, after)


@helper
def resume(context, after):
    """TIME_WAIT lasts as if it had never been left."""
    after["deadline"] = np.int64(after["time_wait_time"]) + context["time_wait_length"]


@helper
def start_again(context, after, fin_time):
    """The peer's FIN came once more, at ``fin_time``."""
    after["deadline"] = max(np.int64(after["deadline"]), fin_time + context["time_wait_length"])


@helper
def stop(after):
    """The endpoint leaves TIME_WAIT, or is not in it."""
    after["deadline"] = 0


@helper
def due(context, e):
    """When the timer of endpoint ``e`` ends, 0 where none runs."""
    return np.int64(closing_facts(context, e)["deadline"])


@helper
def timer_ended(context, e, now):
    """Whether TIME_WAIT's timer has run out for endpoint ``e``."""
    return e["state"] == TIME_WAIT and bool(run_out(due(context, e), now))


@helper
def waited(context, e, now):
    """How long endpoint ``e`` has been in TIME_WAIT, -1 where it is not."""
    if np.int64(e["state"]) != TIME_WAIT:
        return np.int64(-1)
    return now - np.int64(closing_facts(context, e)["time_wait_time"])
