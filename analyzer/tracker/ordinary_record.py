"""What flows.csv says of a flow that is finished: a row of ENDING.

Of every flow what was noted; and of an ordinary one how it ended and who closed first, too. Of the others the
rules conclude that (``outcome``; the tests hold the two together).

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import const, helper, kernel
from analyzer.tcp.dialogue import Pending
from analyzer.tcp.sequence import fin_sent_first, seq_add, seq_diff
from analyzer.tracker.context import CONTEXT, closing_facts, end_at, flow_at, tuple_at
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.gaps import silent_since, watched
from analyzer.tracker.vocabularies import CLIENT, NOBODY, SERVER, Handshake, RstCause, Teardown
from analyzer.tracker.zeek.outcome import conn_state
from analyzer.units import UNKNOWN

NO_CAUSE, BY_NOBODY = np.int64(RstCause.NONE), np.int64(2)
GRACEFUL, NEVER_ESTABLISHED = np.int64(Teardown.GRACEFUL), np.int64(Teardown.NEVER_ESTABLISHED)
NOT_KNOWN, PENDING_UNKNOWN = np.int64(UNKNOWN), np.int64(Pending.UNKNOWN)
COMPLETE, UNANSWERED, PARTIAL = (
    np.int64(Handshake.COMPLETE),
    np.int64(Handshake.UNANSWERED),
    np.int64(Handshake.PARTIAL),
)


@kernel(CONTEXT, const(np.int64), int, ENDING)
def note_down(contexts, slots, end_time, endings):
    """Fill in what was noted of the flows in ``slots``, which are finished, in the rows of ``endings``; nothing is
    concluded from it."""
    context = contexts[0]
    for place in range(len(slots)):
        noted(context, np.int64(slots[place]), end_time, endings[place])


@helper
def end_flow(context, slot, end_time, row):
    """Fill in ``row`` (ENDING) for an ordinary flow that is finished."""
    noted(context, slot, end_time, row)
    f = flow_at(context, slot)
    row["findings"], row["observability"], row["idle_open"] = 0, 0, 0
    row["rst_by"], row["rst_cause"] = BY_NOBODY, NO_CAUSE
    closed_first(
        f, closing_facts(context, end_at(context, 2 * slot)), closing_facts(context, end_at(context, 2 * slot + 1)), row
    )


@helper
def noted(context, slot, end_time, row):
    """Fill in what was noted of a flow, be it ordinary or not."""
    f = flow_at(context, slot)
    tuple_ = tuple_at(context, f["row"])
    client = np.int64(f["client"])
    row["stream"] = tuple_["stream"]
    row["client_ip"], row["server_ip"] = tuple_["address"][client], tuple_["address"][1 - client]
    row["client_port"], row["server_port"] = tuple_["port"][client], tuple_["port"][1 - client]
    row["client_known"] = f["client_basis"] > 0
    row["first_frame"], row["last_frame"] = f["first_frame"], end_at(context, 2 * slot + f["end_side"])["last_frame"]
    row["first_epoch"], row["last_epoch"] = f["first_time"], f["end_time"]
    row["duration_s"] = max(np.int64(0), np.int64(f["end_time"]) - np.int64(f["first_time"]))
    c, s = end_at(context, 2 * slot + client), end_at(context, 2 * slot + 1 - client)
    row["server_rtt"] = s["tap_rtt"]
    sent_by(c, s, row)
    row["conn_state"] = conn_state(context, slot)
    row["history_0"], row["history_1"], row["history_2"] = f["history_0"], f["history_1"], f["history_2"]
    until = watched(context, 2 * slot + client, end_time), watched(context, 2 * slot + 1 - client, end_time)
    ends_of(closing_facts(context, c), closing_facts(context, s), until, row)
    fins_of(closing_facts(context, c), closing_facts(context, s), row)
    dialogue(context, closing_facts(context, c), closing_facts(context, s), row)


@helper
def closed_first(f, own, peers, row):
    """Who closed first: by the acknowledgments on the FINs, else by time; and how it ended."""
    if own["fin_count"] == 0:
        row["teardown"], row["closed_by"] = NEVER_ESTABLISHED, NOBODY
        row["handshake"] = PARTIAL if row["client_packets"] > 0 and row["server_packets"] > 0 else UNANSWERED
        row["idle_before_close_s"] = NOT_KNOWN
        return
    row["handshake"], row["teardown"] = COMPLETE, GRACEFUL
    behind, peer_behind = seq_diff(own["fin_ack"], peers["fin_end"]) < 0, seq_diff(peers["fin_ack"], own["fin_end"]) < 0
    first = fin_sent_first(behind, peer_behind, np.int64(own["fin_time"]), np.int64(peers["fin_time"]))
    side = np.int64(0) if first else np.int64(1)
    row["closed_by"] = CLIENT if side == np.int64(f["client"]) else SERVER
    row["idle_before_close_s"] = f["close_idle"]


@helper
def sent_by(c, s, row):
    """What the two endpoints sent, and their states."""
    row["client_packets"], row["server_packets"] = c["packets"], s["packets"]
    row["client_bytes"], row["server_bytes"] = c["bytes"], s["bytes"]
    row["client_state"], row["server_state"] = c["state"], s["state"]


@helper
def ends_of(c, s, until, row):
    """The columns of how the two endpoints closed; ``until`` when each is known."""
    row["client_fin_epoch"] = c["fin_time"] if c["fin_count"] > 0 else NOT_KNOWN
    row["server_fin_epoch"] = s["fin_time"] if s["fin_count"] > 0 else NOT_KNOWN
    row["client_fin_acked_epoch"], row["server_fin_acked_epoch"] = (
        known(c["fin_acked_time"]),
        known(s["fin_acked_time"]),
    )
    row["client_fin_acked_frame"] = c["fin_acked_frame"] if c["fin_acked_time"] != 0 else 0
    row["server_fin_acked_frame"] = s["fin_acked_frame"] if s["fin_acked_time"] != 0 else 0
    row["client_close_wait_s"] = stay(c["close_wait_time"], c["close_wait_end"], until[0])
    row["server_close_wait_s"] = stay(s["close_wait_time"], s["close_wait_end"], until[1])
    row["client_fin_wait_2_s"] = stay(c["fin_wait_2_time"], c["fin_wait_2_end"], until[0])
    row["server_fin_wait_2_s"] = stay(s["fin_wait_2_time"], s["fin_wait_2_end"], until[1])


@helper
def fins_of(c, s, row):
    """The FINs of both, as they passed."""
    fins, server_fins = np.int64(c["fin_count"]), np.int64(s["fin_count"])
    row["client_fins"], row["server_fins"] = fins, server_fins
    row["client_fin_frame"] = c["fin_frame"] if fins > 0 else 0
    row["server_fin_frame"] = s["fin_frame"] if server_fins > 0 else 0
    row["client_fin_seq"] = seq_add(c["fin_end"], -1) if fins > 0 else NOT_KNOWN
    row["server_fin_seq"] = seq_add(s["fin_end"], -1) if server_fins > 0 else NOT_KNOWN


@helper
def dialogue(context, c, s, row):
    """The columns of the dialogue, from what is noted of client and server."""
    end = max(np.int64(c["ended_dialogue"]), np.int64(s["ended_dialogue"]))
    turns, pending = np.int64(c["turns"]) + np.int64(s["turns"]), max(np.int64(c["pending"]), np.int64(s["pending"]))
    row["pending"], row["turns"] = pending, turns
    row["last_data_by"] = 0 if c["spoke_last"] > 0 else 1 if s["spoke_last"] > 0 else BY_NOBODY
    said = max(np.int64(c["spoken_time"]), np.int64(s["spoken_time"]))
    told = end > 0 and (turns > 0 or pending != PENDING_UNKNOWN)
    row["since_data_s"] = max(np.int64(0), end - silent_since(context, said, end)) if told else NOT_KNOWN
    row["client_waited_s"], row["server_waited_s"] = known(c["waited"]), known(s["waited"])


@helper
def known(time):
    """0 stands for "has not happened" in the ledger, and for "not known" in a table stands UNKNOWN."""
    return np.int64(time) if time != 0 else NOT_KNOWN


@helper
def stay(entered, left, end_time):
    """How long an endpoint was in a state, until ``end_time`` where it still is."""
    if entered == 0:
        return NOT_KNOWN
    until = end_time if left == 0 else np.int64(left)
    return max(np.int64(0), until - np.int64(entered))
