"""ICMP errors: what a router or a host says of a segment that it dropped.

Such an error is an answer, though not the peer's: who sent it, and what it says, is noted at the endpoint whose segment
it quotes. It moves nothing. Hosts differ in what they make of it (RFC 1122 4.2.3.9, RFC 5461), and anybody can forge
one: so it is believed only where its numbers fit what the endpoint has sent (RFC 5927 4.1).

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import HAS_IP_ID, IPV6, TOO_LARGE_4, TOO_LARGE_6
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.codes import ISN, NXT
from analyzer.tracker.context import end_at, knows, last_syn, mark_unusual, unusual

IN_FLIGHT = 1 << 30  # bytes on their way at most: no window is larger (RFC 7323)
SOURCE_QUENCH, REDIRECT = np.int64(4), np.int64(5)  # of ICMP for IPv4; those of ICMPv6 beyond 4 are no errors


@helper
def take_icmp_error(context, s, i):
    """Note the ICMP error that quotes segment ``s`` of endpoint ``i``."""
    e, kind = end_at(context, i), kind_of(s)
    if kind == 0 or not sent(e, np.int64(s["seq"])) or again(context, s, unusual(context, e)):
        return
    u = mark_unusual(context, e)
    about_syn = knows(e, ISN) and s["seq"] == e["isn"]
    u["icmp_mixed"] = differs(u, s, kind) or u["icmp_mixed"] > 0
    if u["icmp_count"] == 0 or (about_syn and u["icmp_syns"] == 0):
        u["icmp_mtu"] = mtu_of(s)
        u["icmp_time"], u["icmp_frame"], u["icmp_kind"], u["icmp_from"] = s["time"], s["frame"], kind, s["ts_ecr"]
        u["icmp_delay"] = np.int64(s["time"]) - (last_syn(context, e) if about_syn else np.int64(e["last_time"]))
    u["icmp_count"] = u["icmp_count"] + 1
    u["icmp_syns"] = u["icmp_syns"] + (1 if about_syn else 0)
    u["icmp_last_time"], u["icmp_last_frame"], u["icmp_id"] = s["time"], s["frame"], s["ip_id"]


@helper
def kind_of(s):
    """Version of IP, type and code of the error that quotes ``s``; 0 where it says nothing of this packet, or not that
    it was dropped: a redirect passes it on, and a source quench only asks to go slowly."""
    said = np.int64(s["ts_val"])
    if said == 0:
        return np.int64(0)
    if np.int64(s["marks"]) & IPV6:
        return 6 << 16 | said
    return np.int64(0) if said >> 8 == SOURCE_QUENCH or said >> 8 == REDIRECT else 4 << 16 | said


@helper
def mtu_of(s):
    """The MTU of the next link that the error which quotes ``s`` names, 0 none."""
    said = np.int64(s["ts_val"])
    too_large = said & 0xFF00 == TOO_LARGE_6 if np.int64(s["marks"]) & IPV6 else said == TOO_LARGE_4
    return np.int64(s["window"]) if too_large else np.int64(0)


@helper
def sent(e, seq):
    """Whether endpoint ``e`` may lately have sent a segment with that sequence number."""
    behind = seq_diff(e["snd_nxt"], seq)
    if not knows(e, NXT) or behind < 0 or behind > IN_FLIGHT:
        return False
    return not knows(e, ISN) or seq_diff(seq, e["isn"]) >= 0 or e["bytes"] > IN_FLIGHT


@helper
def again(context, s, u):
    """Whether this is the last error once more: captured twice, as a packet is dropped only once."""
    if u["icmp_count"] == 0:
        return False
    age = np.int64(s["time"]) - np.int64(u["icmp_last_time"])
    if np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0:
        return s["ip_id"] == u["icmp_id"] and age <= context["duplicate_by_id"]
    return age <= context["duplicate_blind"]


@helper
def differs(u, s, kind):
    """Whether this error says something else than the first, or another sender says it."""
    if u["icmp_count"] == 0:
        return False
    return kind != u["icmp_kind"] or s["ts_ecr"] != u["icmp_from"] or mtu_of(s) != u["icmp_mtu"]
