"""Connections whose addresses and ports a newer one takes over, on the fast path together with that.

The tracker notes for the newer connection what the older one is doing then, and a SYN or SYN-ACK of an endpoint that is
still in TIME_WAIT ends that. Where neither has a surprise nothing else passes between the two (``step.begin``,
``syn.replace_old``); what remains of it stands here.

Fence: only numpy and this project's constants inside ``hand_over``.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.kernels import helper
from analyzer.segments.table import HAS_TIMESTAMP
from analyzer.tcp.bounds import replaced, sent_at
from analyzer.tcp.codes import REPLACED, SENT, TIME_WAIT
from analyzer.tracker.context import end_at, flow_at, tuple_at
from analyzer.tracker.fast_path.buffered import segment_of
from analyzer.tracker.fast_path.whole_flow import CLIENT, SERVER, SLOT, end_time_wait, enter, sent_by
from analyzer.tracker.ledger import Known
from analyzer.tracker.older_flow import note_older, same_side
from analyzer.tracker.over import over_after
from analyzer.tracker.signs import SIGNS_OF_WHOLE_FLOW, Sign
from analyzer.tracker.storage.transpose import OF_REUSED, LedgerColumns

TOOK_OVER = np.dtype(
    [
        ("row", "<i4"),  # the flow's row of the flow table
        ("answer_frame", "<u4"),  # its SYN-ACK
        ("answer_time", "<i8"),
        ("old_seen", "u1"),  # 0 where the flow before was over, or there was none; these as in ``ledger.OLDER``
        ("old_state_0", "u1"),
        ("old_state_1", "u1"),
        ("old_time_wait", "<i8"),
        ("old_seq_ahead", "<i8"),
        ("old_ts_ahead", "<i8"),
        ("old_ts", "<u4"),
    ]
)
CLOSED_NORMALLY = Known.ISN | Known.NXT | Known.ACK | Known.FIN | Known.FIN_ACKED | Known.PEER_FIN


@helper
def hand_over(buffer, context, group, newer, reused):
    """The flow in SLOT, whose segments are those of ``group``, loses its addresses and ports to the one of the group
    ``newer``; what it was doing then is noted in ``reused`` (TOOK_OVER). Returns whether that begins as expected."""
    reused["old_seen"] = 0
    if newer["count"] < 3:
        return False
    syn, answer, ack = segment_of(buffer, newer, 0), segment_of(buffer, newer, 1), segment_of(buffer, newer, 2)
    reused["row"], reused["answer_frame"], reused["answer_time"] = newer["row"], answer["frame"], answer["time"]
    now, then = np.int64(syn["time"]), np.int64(answer["time"])
    if now > over_after(context, SLOT):
        return True
    for side in (CLIENT, SERVER):
        end_time_wait(context, end_at(context, side), side, now)
    first = same_side(tuple_at(context, flow_at(context, SLOT)["row"]), tuple_at(context, newer["row"]))
    note_older(context, reused, first, syn, end_at(context, first), last_timestamp(buffer, group, first))
    began = sent_at(now, tap_rtt_known(context, then, np.int64(ack["time"])))
    e = end_at(context, first)
    if np.int64(e["state"]) == TIME_WAIT and began < np.int64(e["state_time"]):
        return False  # the newer begins with the end of that TIME_WAIT, later than its own segments tell
    replace(context, first, began, now, np.int64(syn["frame"]))
    if then <= over_after(context, SLOT):
        replace(context, first ^ 1, sent_at(then, then - now), then, np.int64(answer["frame"]))
    return True


@helper
def tap_rtt_known(context, then, acked):
    """How far the newer flow's client is, as it shows while the flow in SLOT is still kept: the time from its SYN-ACK,
    which passed ``then``, to the acknowledgment of that; 0 where the flow in SLOT is over before that is known."""
    kept = np.int64(flow_at(context, SLOT)["end_time"]) + context["retention"]
    return acked - then if acked <= kept else np.int64(0)


@helper
def last_timestamp(buffer, group, side):
    """The timestamp of the last segment of that side which has one, 0 none."""
    for k in range(np.int64(group["count"]) - 1, -1, -1):
        s = segment_of(buffer, group, k)
        if sent_by(s) == side and np.int64(s["marks"]) & HAS_TIMESTAMP:
            return np.int64(s["ts_val"])
    return np.int64(0)


@helper
def replace(context, i, began, now, frame):
    """A new connection of endpoint ``i`` takes the place of this one, if its TIME_WAIT still lasts; at ``began``, when
    it enters its first state."""
    e = end_at(context, i)
    if np.int64(e["state"]) == TIME_WAIT:
        enter(context, e, i, TIME_WAIT, REPLACED, SENT, replaced(began, now), frame)


def facts_of(reused: NDArray[np.void], endings: NDArray[np.void]) -> LedgerColumns:
    """What the rules may ask of flows that took over from older ones (TOOK_OVER) on the fast path, as concluded in
    ``endings`` (ENDING). Side 0 is the client."""
    count = len(reused)
    ends, flows = np.zeros((len(OF_REUSED.ends), 2, count), np.int64), np.empty((len(OF_REUSED.flows), count), np.int64)
    facts = LedgerColumns(OF_REUSED, ends, flows, np.full(count, int(SIGNS_OF_WHOLE_FLOW | Sign.OLDER_FLOW), np.int64))
    facts.end("packets")[:] = endings["client_packets"], endings["server_packets"]
    facts.end("known")[:], facts.end("syn_count")[:] = CLOSED_NORMALLY, 1
    facts.end("syn_ack")[1] = 1
    facts.end("syn_time")[:] = endings["first_epoch"], reused["answer_time"]
    facts.end("syn_frame")[:] = endings["first_frame"], reused["answer_frame"]
    facts.end("established_time")[:] = reused["answer_time"]
    facts.end("last_time")[:] = endings["last_epoch"]
    facts.flow("row")[:], facts.flow("client")[:] = reused["row"], 0
    facts.flow("first_frame")[:], facts.flow("first_time")[:] = endings["first_frame"], endings["first_epoch"]
    for name in OF_REUSED.flows:
        if name.startswith("old_"):
            facts.flow(name)[:] = reused[name]
    return facts
