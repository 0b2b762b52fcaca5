"""What a RST acknowledges beyond all that passed: its sender had received it, and the capture lacks it.

While a connection is followed, the acknowledgment field of a RST decides nothing (``rst``): devices fill it in as they
like, and whoever made it up must not move the numbers by which later segments are judged. At the end only the RST that
counts is looked at: one that its receiver had to accept, from its alleged sender, with an acknowledgment that a window
allows and that no captured segment of the peer has reached.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.codes import FIN_KNOWN, NXT
from analyzer.tracker.context import end_at, knows, mark_unusual, unusual
from analyzer.tracker.other_connection import reach_of_window
from analyzer.tracker.rst import ACCEPTED


@helper
def count_missing(context, i):
    """Count what only the RST of endpoint ``i`` acknowledges as missing of its peer. A single number may be a byte or a
    FIN: nobody knows how much that is."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    if e["unusual"] == 0 or p["packets"] == 0 or not knows(p, NXT) or knows(p, FIN_KNOWN):
        return
    u = unusual(context, e)
    counts = np.int64(u["rst_verdict"]) == ACCEPTED and u["rst_reply"] == 0 and u["rst_ack"] > 0
    if not counts or (u["third_party"] > 0 and u["third_party_frame"] == u["rst_frame"]):
        return
    beyond = seq_diff(u["rst_ack"], p["snd_nxt"])
    if beyond <= 0 or beyond > reach_of_window(p, e):
        return
    lost = mark_unusual(context, p)
    lost["unseen_time"] = u["rst_time"]
    if beyond == 1:
        lost["missing_jumps"] = lost["missing_jumps"] + 1
        return
    if lost["missing_bytes"] == 0:
        lost["missing_from"] = p["snd_nxt"]
    if lost["missing_frame"] == 0:
        lost["missing_frame"], lost["missing_time"] = u["rst_frame"], u["rst_time"]
    lost["missing_bytes"], lost["missing_end"] = lost["missing_bytes"] + beyond, u["rst_ack"]
