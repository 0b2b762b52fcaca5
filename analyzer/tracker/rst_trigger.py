"""What a RST answers: the segment of the other side whose number makes it a reply (RFC 9293 3.5.2), which its sender
had not acknowledged before."""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK
from analyzer.tcp.codes import SYN_SENT
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.codes import ACKED, ISN
from analyzer.tracker.context import knows, unusual
from analyzer.tracker.distance import longest_round_trip
from analyzer.tracker.ledger import Answered
from analyzer.tracker.other_connection import acceptable_in_syn_sent

CARRIES = np.int64(Answered.SYN | Answered.SYN_ACK | Answered.DATA | Answered.FIN)
LATE_NS = 1_000_000_000  # a kernel answers at once; more than a round trip and this later a RST answers nothing


@helper
def trigger(context, s, e, p, u):
    """Name the segment of ``p`` that the RST answers: its number is that of a reply (RFC 9293 3.5.2), it comes within
    a round trip, and its sender had not acknowledged that segment before."""
    now, flags, seq = np.int64(s["time"]), np.int64(s["flags"]), np.int64(s["seq"])
    prompt = now - np.int64(p["last_time"]) <= 2 * longest_round_trip(context, e) + LATE_NS
    u["rst_answers"] = u["rst_reply"] = u["rst_answers_frame"] = 0
    if np.int64(p["state"]) == SYN_SENT and not knows(e, ISN) and acceptable_in_syn_sent(s, p):
        answer(u, p["last_kind"], p["last_frame"], p["last_ack"], p["last_time"])  # however late: it names the SYN
        u["rst_reply"] = 1
        return
    if p["packets"] == 0 or not prompt:
        return
    last, awaited = np.int64(p["last_kind"]), unanswered(context, e, p)
    if not flags & ACK:
        if (
            np.int64(p["run_kind"]) & CARRIES
            and np.int64(p["run_ack"]) == seq
            and not repeated_since(context, e, p, now)
        ):
            answer(u, p["run_kind"], p["run_frame"], p["run_ack"], p["run_time"])
        elif np.int64(p["last_ack"]) == seq and awaited:
            answer(u, last, p["last_frame"], p["last_ack"], p["last_time"])
        else:
            return
        u["rst_reply"] = 1
    elif np.int64(s["ack"]) == np.int64(p["last_seq_end"]) and awaited and (last & CARRIES or not knows(p, ACKED)):
        answer(u, last, p["last_frame"], p["last_ack"], p["last_time"])
        u["rst_reply"] = not knows(p, ACKED)  # to a segment without ACK the reply acknowledges it (RFC 9293 3.10.7.1)


@helper
def repeated_since(context, e, p, now):
    """Whether the first segment of ``p`` that ``e`` has not acknowledged is too old to be answered only ``now``, and
    its last, with the same acknowledgment, is not."""
    old = now - np.int64(p["run_time"]) > 2 * longest_round_trip(context, e) + context["repeat"]
    return old and np.int64(p["last_kind"]) & CARRIES != 0 and p["last_ack"] == p["run_ack"]


@helper
def unanswered(context, e, p):
    """Whether endpoint ``e`` had not answered the last segment of ``p``: not acknowledged what it carries, and, where
    it carries nothing, sent nothing since."""
    if np.int64(p["last_kind"]) & CARRIES:
        return not knows(e, ACKED) or seq_diff(p["last_seq_end"], e["ack_sent"]) > 0
    return np.int64(e["last_time"]) <= np.int64(p["last_time"]) or unusual(context, e)["rst_count"] > 1


@helper
def answer(u, kind, frame, ack, time):
    u["rst_answers"], u["rst_answers_frame"], u["rst_answers_ack"], u["rst_answers_time"] = kind, frame, ack, time
