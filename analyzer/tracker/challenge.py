"""Challenge ACKs: a RST inside the window draws an ACK that says which number is awaited (RFC 5961 3.2).

Whose RSTs go on with the same wrong number, and draw one challenge after the other, is in a loop with its peer.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK
from analyzer.tracker.codes import KIND_ACK

MANY_CHALLENGES = 3  # so often a RST and an ACK that changes nothing answer each other, and it is a loop


@helper
def await_challenge(u, s, p):
    """The next segment of ``p`` may challenge the RST ``s``. One with another number begins the count anew, unless many
    with the same were challenged before."""
    same = u["challenges"] > 0 and u["challenged_seq"] == s["seq"] and u["challenge_ack"] == p["ack_sent"]
    if not same and u["challenges"] >= MANY_CHALLENGES:
        return
    if not same:
        u["challenges"] = 0
        u["challenged_seq"], u["challenge_ack"] = s["seq"], p["ack_sent"]
        u["challenged_frame"], u["challenged_time"] = s["frame"], s["time"]
    u["challenge_due"] = s["frame"]


@helper
def challenged(u, s, kind):
    """The segment ``s`` follows a RST inside the window of its sender: a bare ACK that moves nothing is a challenge."""
    if kind == KIND_ACK and np.int64(s["flags"]) & ACK and s["ack"] == u["challenge_ack"]:
        u["challenges"] = u["challenges"] + 1
        u["challenged_last"] = u["challenge_due"]
        u["challenge_last_frame"], u["challenge_last_time"] = s["frame"], s["time"]
    u["challenge_due"] = 0
