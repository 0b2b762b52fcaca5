"""The same packet captured twice: on the ``any`` interface, at a mirror port, by two taps. It counts once."""

import numpy as np

from analyzer.compiled import part
from analyzer.segments.table import FIN, HAS_IP_ID, SYN
from analyzer.tracker.desk import knows, learn
from analyzer.tracker.ledger import Known

ID_MOVES = np.int64(Known.ID_MOVES)


@part
def stir(lane, word, odd):
    """Mix a word into a 32-bit lane; ``odd`` is below 2^31, so that nothing overflows."""
    lane = ((lane ^ word) & 0xFFFFFFFF) * odd
    return (lane ^ (lane >> 31)) & 0xFFFFFFFF


@part
def fingerprint(s):
    """62 bits that differ where two segments of one sender differ in any number (TTL apart: a router lowers it)."""
    numbers = np.int64(s["seq"]) ^ (np.int64(s["first_byte"]) << 24)
    shape = np.int64(s["flags"]) << 16 ^ np.int64(s["window"]) ^ (np.int64(s["payload_len"]) << 7)
    low, high = np.int64(0), np.int64(0)
    for word in (
        numbers,
        np.int64(s["ack"]),
        shape,
        np.int64(s["ip_id"]),
        np.int64(s["ts_val"]),
        np.int64(s["ts_ecr"]),
    ):
        low = stir(low, word, 0x45D9F3B)
        high = stir(high, word ^ low, 0x2C1B3C6D)
    return (high & 0x3FFFFFFF) << 32 | low


@part
def same_packet(desk, s, e, p):
    """Whether the capture holds this very packet a second time (`any` interface, mirror port, two taps).

    Everything must agree. With an IP identification that moves from packet to packet a longer delay is believed;
    without one only the blink of an eye, and for a pure acknowledgment or a RST, which a host may well repeat for
    each segment it answers, only where the flow has shown a duplicate that carries something.
    """
    print_, now = fingerprint(s), np.int64(s["time"])
    age = np.int64(-1)
    if e["print_0"] == print_:
        age = now - np.int64(e["print_time_0"])
    elif e["print_1"] == print_:
        age = now - np.int64(e["print_time_1"])
    elif e["print_2"] == print_:
        age = now - np.int64(e["print_time_2"])
    elif e["print_3"] == print_:
        age = now - np.int64(e["print_time_3"])
    if age < 0 or e["packets"] == 0:
        remember(s, e, print_, now)
        return False
    by_id = np.int64(s["marks"]) & HAS_IP_ID and s["ip_id"] > 0 and knows(e, ID_MOVES)
    if by_id and age <= desk["duplicate_by_id"]:
        return True
    carries = s["payload_len"] > 0 or np.int64(s["flags"]) & (SYN | FIN)
    known = e["duplicates"] > 0 or p["duplicates"] > 0
    if age <= desk["duplicate_blind"] and (carries or known):
        return True
    remember(s, e, print_, now)
    return False


@part
def remember(s, e, print_, now):
    """Keep the fingerprint, and whether the sender's IP identification moves."""
    place = np.int64(e["prints"]) & 3
    if place == 0:
        e["print_0"], e["print_time_0"] = print_, now
    elif place == 1:
        e["print_1"], e["print_time_1"] = print_, now
    elif place == 2:
        e["print_2"], e["print_time_2"] = print_, now
    else:
        e["print_3"], e["print_time_3"] = print_, now
    e["prints"] = place + 1
    if e["packets"] > 0 and s["ip_id"] != e["ip_id"] and e["ip_id"] > 0 and s["ip_id"] > 0:
        learn(e, ID_MOVES)
