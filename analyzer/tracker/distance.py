"""How far a host is from the tap: what it takes from the tap there and back, as the handshake and later answers show.

Once that is known, what the host did before is placed better: half of it is the way there.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import HAS_IP_ID
from analyzer.tcp.bounds import answer_time, earliest_decision, sent_after, shorter_rtt
from analyzer.tcp.codes import CLOSED, REPLACED, SENT, SENT_SYN_ACK, TIME_WAIT
from analyzer.tracker.context import closing_facts, end_at, flow_at, older_at
from analyzer.tracker.moves import record_exit
from analyzer.tracker.over import still_kept
from analyzer.tracker.storage.event_log import bound, earliest_of, latest_of, log_at, row_before, state_before

COUNTED = 64  # a larger step of IP identifications is no count of packets
FURTHEST = np.int64(86_400 * 10**9)  # a clock was set, if an answer seems to have taken a day: no host is so far away


@helper
def measure(context, i, sample):
    """Keep the shortest time from the tap to endpoint ``i`` and back; place its first entries better by it."""
    e = end_at(context, i)
    if sample <= 0 or sample > FURTHEST:
        return
    first = e["tap_rtt"] == 0
    e["tap_rtt"] = shorter_rtt(np.int64(e["tap_rtt"]), sample)
    if first:
        row, opening = np.int64(e["last_event"]), np.int64(0)
        while row > 0:
            entry = log_at(context, row)
            earliest, latest = earliest_of(context, entry), latest_of(context, entry)
            before = row_before(context, row)
            if to_be_placed(context, entry):
                floor = cause_of(context, i, entry, before)
                passed = np.int64(entry["time"])
                entry["time"], earliest = sent_after(floor, passed, sample, context["slack"], earliest)
                bound(context, entry, earliest, latest)
            row, opening = before, row
        if flow_at(context, i >> 1)["older"] > 0 and opening > 0:
            replaced_by(context, i, log_at(context, opening))


@helper
def replaced_by(context, i, first):
    """The older connection of endpoint ``i`` on this tuple was gone when this one began, by its ``first`` entry, which
    has been placed better; but not before the older connection's own last."""
    f = flow_at(context, i >> 1)
    if not still_kept(context, f):
        was = np.int64(older_at(context, f)["old_state_0"] if i & 1 == 0 else older_at(context, f)["old_state_1"])
        if was != CLOSED and was != TIME_WAIT:  # it was replaced when this one's SYN passed, and is told
            place(context, first, latest_of(context, first) - context["slack"])
        return
    old = end_at(context, np.int64(older_at(context, f)["old_end"]) ^ (i & 1))
    row = np.int64(old["last_event"])
    entry = log_at(context, row)
    began = np.int64(first["time"])
    if row == 0 or entry["event"] != REPLACED or np.int64(entry["time"]) <= began:
        return
    before = row_before(context, row)
    place(context, entry, max(began, np.int64(log_at(context, before)["time"]) if before > 0 else began))
    record_exit(context, old, state_before(entry), np.int64(entry["time"]))
    if np.int64(entry["time"]) > began:
        place(context, first, np.int64(entry["time"]))


@helper
def place(context, entry, time):
    """Give an entry another best time, within the same bounds."""
    earliest, latest = earliest_of(context, entry), latest_of(context, entry)
    entry["time"] = time
    bound(context, entry, earliest, latest)


@helper
def to_be_placed(context, entry):
    """Whether an entry is what its endpoint sent, dated by its passing the tap for want of anything better."""
    return entry["basis"] == SENT and latest_of(context, entry) - context["slack"] == np.int64(entry["time"])


@helper
def cause_of(context, i, entry, before):
    """The moment before which an entry of endpoint ``i`` did not happen: what it answers passed the tap then, or what
    the row ``before`` it says was received. 0 none."""
    floor = np.int64(0)
    if before > 0 and not to_be_placed(context, log_at(context, before)):
        floor = np.int64(log_at(context, before)["time"])
    if entry["event"] == SENT_SYN_ACK:
        floor = max(floor, np.int64(end_at(context, i ^ 1)["syn_time"]))
    return floor


@helper
def sent_before(s, e):
    """Whether endpoint ``e`` sent ``s`` before its last segment that passed, by the IP identifications it counts."""
    back = (np.int64(e["ip_id"]) - np.int64(s["ip_id"])) & 0xFFFF
    counted = np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0 and e["ip_id"] > 0
    return bool(counted) and 0 < back <= COUNTED


@helper
def decided_since(context, e, s, busy):
    """The earliest moment at which the endpoint may have decided to send ``s``, which passes the tap now.

    That nothing of it was lost before the tap is sure where its IP identifications say that nothing is missing since
    its last segment, or the tap is on the host and they do not say that something is.
    """
    tap_rtt, now = np.int64(e["tap_rtt"]), np.int64(s["time"])
    step = (np.int64(s["ip_id"]) - np.int64(e["ip_id"])) & 0xFFFF
    counted = np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0 and step == 1
    unseen = np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0 and e["ip_id"] > 0 and 1 < step <= COUNTED
    near = tap_rtt > 0 and tap_rtt <= context["slack"] and not unseen
    return earliest_decision(
        now, np.int64(e["last_time"]), busy, tap_rtt, np.int64(context["slack"]), bool(near) or bool(counted)
    )


@helper
def longest_round_trip(context, e):
    """The same as :func:`round_trip` on a path whose delay may have grown: by the last time measured, too."""
    return max(
        round_trip(context, e), answer_time(np.int64(closing_facts(context, e)["tap_rtt_last"]), context["slack"])
    )


@helper
def round_trip(context, e):
    """How long after passing the tap something surely has reached the endpoint, and its answer come back."""
    return answer_time(np.int64(e["tap_rtt"]), np.int64(context["slack"]))
