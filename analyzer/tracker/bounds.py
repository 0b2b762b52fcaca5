"""When something reached an endpoint, or was decided by it: what the times at the tap allow.

What passes the tap reaches its host after half the time there and back, and not later than its sender would repeat it;
what a host sent it decided to send before. How far a host is stands in the ledger (``reach``, the shortest time ever
measured, and ``reach_last``, the last).
"""

import numpy as np

from analyzer.kernels import part
from analyzer.segments.table import HAS_IP_ID
from analyzer.tracker.context import ACKED, MID_STREAM, SENT_DATA, UNKNOWN, knows, later, unusual

COUNTED = 64  # a larger step of IP identifications is no count of packets


@part
def open_since(context, e, p):
    """Whether it is sure that endpoint ``e`` sent no FIN that was not captured.

    The last it is known to have sent was captured, and so was its SYN, or else data of it of which ``p`` acknowledged
    all and no more (after a FIN it would have acknowledged one number more).
    """
    if unusual(context, e)["unseen_time"] > 0:
        return False
    if not knows(e, MID_STREAM) and np.int64(e["state"]) != UNKNOWN:
        return True
    return knows(e, SENT_DATA) and knows(p, ACKED) and p["ack_sent"] == e["snd_nxt"]


@part
def half(reach):
    """The one-way time from the tap to a host, given the time there and back (unknown: 0)."""
    return reach // 2 if reach > 0 else 0


@part
def until(context, e, now):
    """The latest moment at which something that passes the tap at ``now`` may reach the endpoint without anything
    showing the delay: by then its sender, or the endpoint itself, would have repeated what it answers."""
    reach = np.int64(e["reach"])
    return now + reach + context["repeat"]


@part
def since(context, e, s, busy):
    """The earliest moment at which the endpoint may have decided to send ``s``, which passes the tap now.

    Not before ``busy``, since when it has had something else to send. On its way ``s`` may have taken twice as long
    as the shortest time measured; and it may be a repeat of one lost before the tap, unless the sender's IP
    identification says that nothing is missing since its last segment, or the tap is on the host and that says nothing.
    """
    reach, now = np.int64(e["reach"]), np.int64(s["time"])
    step = (np.int64(s["ip_id"]) - np.int64(e["ip_id"])) & 0xFFFF
    counted = np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0 and step == 1
    unseen = np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0 and e["ip_id"] > 0 and 1 < step <= COUNTED
    near = reach > 0 and reach <= context["slack"] and not unseen
    earliest = busy - 2 * reach - context["slack"]
    if e["last_time"] > 0 and not near and not counted:
        earliest = min(earliest, np.int64(e["last_time"]) - reach - context["slack"])
    return min(earliest, now)


@part
def sent_before(s, e):
    """Whether endpoint ``e`` sent ``s`` before its last segment that passed, by the IP identifications it counts."""
    back = (np.int64(e["ip_id"]) - np.int64(s["ip_id"])) & 0xFFFF
    counted = np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0 and e["ip_id"] > 0
    return bool(counted) and 0 < back <= COUNTED


@part
def patience(context, e):
    """The same as :func:`margin` on a path whose delay may have grown: by the last time measured, too."""
    return max(margin(context, e), np.int64(later(context, e)["reach_last"]) + context["slack"])


@part
def margin(context, e):
    """How long after passing the tap something surely has reached the endpoint, and its answer come back."""
    reach = np.int64(e["reach"])
    return (reach if reach > 0 else 0) + context["slack"]


@part
def busy_time(now, idle_since, busy_since, margin):
    """Since when an endpoint has had something to send without pause, if it sends something ``now``.

    All it had sent may have been acknowledged in between: if it sends again as soon as that can have reached it, the
    acknowledgment, or the window that opened with it, is what it had waited for.
    """
    paused = (idle_since > 0) & (now - idle_since > margin)
    return now if (busy_since == 0) | paused else busy_since
