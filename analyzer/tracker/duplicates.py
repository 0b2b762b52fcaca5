"""The same packet captured twice: on the ``any`` interface, at a mirror port, by two taps. It counts once."""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import FIN, HAS_IP_ID, SYN
from analyzer.tracker.codes import ID_MOVES
from analyzer.tracker.context import (
    knows,
    learn,
    unusual,
)
from analyzer.tracker.segment import length_of

MASK_32, MASK_63 = (1 << 32) - 1, (1 << 63) - 1
TICK = 10  # bits of a time in ns that the ledger does not keep: 1024 ns; 2^32 ticks are 73 minutes
MIX_1, MIX_2, MIX_3, MIX_4 = 0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9, 0x14D049BB133111EB, 0x2545F4914F6CDD1D  # odd


@helper
def fingerprint(s):
    """63 bits that differ where two segments of one sender differ in any number (TTL apart: a router lowers it).

    int() keeps the products exact where this runs uncompiled; compiled, the mask hides the wrap.
    """
    numbers = int(s["seq"]) << 32 | int(s["ack"])
    shape = int(length_of(s)) << 32 | int(s["window"]) << 16 | int(s["flags"])
    stamps = int(s["ts_val"]) << 32 | int(s["ts_ecr"])
    rest = int(s["ip_id"]) << 8 | int(s["first_byte"])
    mixed = (numbers * MIX_1 + shape * MIX_2 & MASK_63) ^ (stamps * MIX_3 + rest * MIX_4 & MASK_63) >> 29
    return (mixed ^ stamps * MIX_2 + rest * MIX_1) & MASK_63


@helper
def same_packet(context, s, e, p):
    """Whether the capture holds this very packet a second time (`any` interface, mirror port, two taps).

    Everything must agree. With an IP identification that moves from packet to packet a longer delay is believed, though
    of what carries something no longer than any host waits before it repeats that; without one only the blink of an
    eye, and for a pure acknowledgment or a RST, which a host may well repeat for each segment it answers, only where
    the flow has shown a duplicate that carries something. No host repeats its SYN so soon.
    """
    print_, tick = fingerprint(s), np.int64(s["time"]) >> TICK & MASK_32
    passed = np.int64(-1)
    if e["print_0"] == print_:
        passed = np.int64(e["print_time_0"])
    elif e["print_1"] == print_:
        passed = np.int64(e["print_time_1"])
    elif e["print_2"] == print_:
        passed = np.int64(e["print_time_2"])
    elif e["print_3"] == print_:
        passed = np.int64(e["print_time_3"])
    if passed < 0 or e["packets"] == 0:
        remember(s, e, print_, tick)
        return False
    age = (tick - passed & MASK_32) << TICK
    carries = length_of(s) > 0 or np.int64(s["flags"]) & (SYN | FIN)
    by_id = np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0 and knows(e, ID_MOVES)
    if (by_id or np.int64(s["flags"]) & SYN) and age < (context["repeat"] if carries else context["duplicate_by_id"]):
        return True
    known = unusual(context, e)["duplicates"] > 0 or unusual(context, p)["duplicates"] > 0
    if age <= context["duplicate_blind"] and (carries or known):
        return True
    remember(s, e, print_, tick)
    return False


@helper
def remember(s, e, print_, tick):
    """Keep the fingerprint, and whether the sender's IP identification moves."""
    place = np.int64(e["prints"]) & 3
    if place == 0:
        e["print_0"], e["print_time_0"] = print_, tick
    elif place == 1:
        e["print_1"], e["print_time_1"] = print_, tick
    elif place == 2:
        e["print_2"], e["print_time_2"] = print_, tick
    else:
        e["print_3"], e["print_time_3"] = print_, tick
    e["prints"] = place + 1
    if e["packets"] > 0 and s["ip_id"] != e["ip_id"] and e["ip_id"] > 0 and s["ip_id"] > 0:
        learn(e, ID_MOVES)
