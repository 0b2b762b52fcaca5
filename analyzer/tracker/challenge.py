"""Challenge ACKs: a RST inside the window draws an ACK that says which number is awaited (RFC 5961 3.2).

Whose RSTs go on with the same wrong number, and draw one challenge after the other, is in a loop with its peer. Some
stacks answer with the RST's own number instead of the one that they await: an echo. Then the next RST has the number
that was acknowledged last, but whoever answers one after the other in that way accepts none.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, FIN, SYN
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.codes import KIND_ACK
from analyzer.tracker.segment import length_of

JITTER_NS = 1_000_000  # besides four times as long as ever, a path may take so much longer
MANY_CHALLENGES = 3  # so often a RST and an ACK that changes nothing answer each other, and it is a loop


@helper
def await_challenge(u, s, p):
    """The next segment of ``p`` may challenge the RST ``s``. One with another number begins the count anew, unless many
    with the same were challenged before."""
    same = repeats_challenged(u, s) and p["ack_sent"] in (u["challenge_ack"], u["challenged_seq"])
    if not same and u["challenges"] >= MANY_CHALLENGES:
        return
    if not same:
        u["challenges"], u["challenge_echoes"] = 0, 0
        u["challenged_seq"], u["challenge_ack"] = s["seq"], p["ack_sent"]
        u["challenged_frame"], u["challenged_time"] = s["frame"], s["time"]
    u["challenge_due"] = s["frame"]


@helper
def repeats_challenged(u, s):
    """Whether the RST ``s`` has the number of one that was challenged before."""
    return u["challenges"] > 0 and u["challenged_seq"] == s["seq"]


@helper
def is_echo(u, s):
    """Whether the segment ``s``, which follows a RST, is a bare ACK with the number of that RST."""
    bare = length_of(s) == 0 and np.int64(s["flags"]) & (ACK | FIN | SYN) == ACK
    return u["challenge_due"] > 0 and bare and s["ack"] == u["challenged_seq"]


@helper
def ends_as_loop(context, u, s, e):
    """Whether with the segment ``s`` of ``e`` many RSTs with one number were echoed, for longer than ACKs that were
    under way when the first passed may take: their receiver accepts none."""
    many = u["challenge_echoes"] >= MANY_CHALLENGES - 1 and u["challenge_echoes"] == u["challenges"]
    if not many or not is_echo(u, s):
        return False
    under_way = 4 * np.int64(e["tap_rtt"]) + JITTER_NS if e["tap_rtt"] > 0 else np.int64(context["repeat"])
    return np.int64(s["time"]) - np.int64(u["challenged_time"]) > under_way


@helper
def in_loop(u, s):
    """Whether the RST ``s`` is one more of those that are echoed."""
    return u["challenge_echoes"] >= MANY_CHALLENGES and repeats_challenged(u, s)


@helper
def unmiss(u):
    """Echoes acknowledge what nobody sent: the bytes up to the number of the RST are not missing."""
    beyond = seq_diff(u["challenged_seq"], u["challenge_ack"])
    if u["missing_time"] >= u["challenged_time"] and u["missing_bytes"] == beyond:
        u["missing_bytes"], u["missing_frame"], u["missing_time"], u["unseen_time"] = 0, 0, 0, 0


@helper
def challenged(u, s, kind):
    """The segment ``s`` follows a RST inside the window of its sender: a bare ACK that moves nothing is a challenge,
    and so is an echo."""
    echo = is_echo(u, s)
    if echo or (kind == KIND_ACK and np.int64(s["flags"]) & ACK and s["ack"] == u["challenge_ack"]):
        u["challenges"] = u["challenges"] + 1
        u["challenge_echoes"] = u["challenge_echoes"] + (1 if echo else 0)
        u["challenged_last"] = u["challenge_due"]
        u["challenge_last_frame"], u["challenge_last_time"] = s["frame"], s["time"]
    u["challenge_due"] = 0
