"""RSTs that their alleged sender did not send, and who goes on after a RST.

Who really sent a RST, no capture shows; but three clues tell that it was not the host it names. The sender goes on in
the same numbers, with something that a host without the connection cannot send (`mark_forged`). Or the RST has come
over another number of hops than the sender's other segments (`came_over_other_path`). Or its IP identification is off
a count that the sender kept until just before (`is_off_count`). Such a RST moves its receiver, which cannot tell, but
not its alleged sender.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, FIN, HAS_IP_ID, SYN
from analyzer.tcp.codes import (
    CAME_ANOTHER_WAY,
    CLOSED,
    NOT_ITS_OWN,
    OFF_THE_COUNT,
    RST_IGNORED,
    SENT_RST,
    SYN_RECEIVED,
    TIME_WAIT,
)
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker import hops
from analyzer.tracker.codes import ACKED, ID_MOVES, NXT, RST_STANDS
from analyzer.tracker.context import closing_facts, end_at, forget, knows, mark_closing_facts, mark_unusual, unusual
from analyzer.tracker.distance import COUNTED, longest_round_trip
from analyzer.tracker.ledger import ThirdParty
from analyzer.tracker.moves import note
from analyzer.tracker.segment import length_of
from analyzer.tracker.storage.event_log import is_void, log_at, make_void, row_before, state_before, state_in
from analyzer.tracker.time_wait import resume
from analyzer.units import SECOND

WENT_ON, OTHER_PATH = np.int64(ThirdParty.WENT_ON), np.int64(ThirdParty.OTHER_PATH)
OFF_COUNT = np.int64(ThirdParty.OFF_COUNT)
COUNTS = 3  # so many steps of one: it counts its segments
FAR_OFF = 1024  # a smaller step may be segments that were lost before the tap
SOON = np.int64(SECOND // 50)  # a counter that other connections share may go far in a longer time
FITTING = (1, 4, 5)  # a RST that its receiver had to accept, as far as is known (rst.Reception)
other_path = helper(hops.other_path)
ENOUGH = 1  # so many other segments must show how far the sender is


@helper
def third_party_clues(context, s, e):
    """What tells of RST ``s``, when it passes, that its sender ``e`` did not send it (bits of ThirdParty)."""
    clues = OTHER_PATH if came_over_other_path(context, s, e) else np.int64(0)
    return clues | (OFF_COUNT if is_off_count(context, s, e) else np.int64(0))


@helper
def count_id(s, e, after):
    """Count the segments of ``e`` in a row of which each has the next IP identification; ``s`` is its newest."""
    step = (np.int64(s["ip_id"]) - np.int64(e["ip_id"])) & 0xFFFF
    next_ = step == 1 and s["ip_id"] > 0 and e["ip_id"] > 0
    after["ids_counted"] = min(np.int64(after["ids_counted"]) + 1, 255) if next_ else 0


@helper
def is_off_count(context, s, e):
    """Whether the IP identification of RST ``s`` is far from those that its sender ``e`` had counted up, one a segment,
    until just before. Without an ACK flag it may answer for a connection that the host has forgotten: such a RST is not
    of the socket, and kernels number it otherwise."""
    if e["closing_row"] == 0 or np.int64(closing_facts(context, e)["ids_counted"]) < COUNTS:
        return False
    if np.int64(s["flags"]) & ACK == 0 or np.int64(s["marks"]) & HAS_IP_ID == 0 or s["ip_id"] == 0:
        return False
    step = (np.int64(s["ip_id"]) - np.int64(e["ip_id"])) & 0xFFFF
    return FAR_OFF < step < 0x10000 - FAR_OFF and np.int64(s["time"]) - np.int64(e["last_time"]) <= SOON


@helper
def came_over_other_path(context, s, e):
    """Whether RST ``s`` has come over another number of hops than all other segments of its sender ``e``."""
    others = np.int64(e["packets"]) - (np.int64(unusual(context, e)["rst_count"]) - 1)  # ``s`` is not in the first yet
    if others < ENOUGH or e["ttl_low"] == 0 or s["ttl"] == 0:
        return False
    low, high, own = np.int64(e["ttl_low"]), np.int64(e["ttl_high"]), np.int64(s["ttl"])
    return not low <= own <= high and other_path(own, low) and other_path(own, high)


@helper
def has_id_of_peer(s, e, p):
    """Whether RST ``s`` of ``e`` has the IP identification of the last segment of ``p``, which is not the next of its
    sender: as if a device had turned that segment round. An identification that never changes tells nothing."""
    same = (
        knows(p, ID_MOVES)
        and np.int64(s["marks"]) & HAS_IP_ID
        and s["ip_id"] > 0
        and p["packets"] > 0
        and s["ip_id"] == p["ip_id"]
    )
    step = (np.int64(s["ip_id"]) - np.int64(e["ip_id"])) & 0xFFFF
    return same and not 0 < step <= COUNTED


@helper
def enter_third_party(u, how, ttl, frame, time):
    """Enter a RST that somebody else sent in the ledger: the one that counts, else the first."""
    if u["third_party_frame"] == 0 or u["third_party_frame"] == frame or u["rst_frame"] == frame:
        u["third_party"] = np.int64(u["third_party"]) | how
        u["third_party_ttl"], u["third_party_frame"], u["third_party_time"] = ttl, frame, time


@helper
def note_third_party(context, s, i, clues):
    """The RST ``s`` in the name of endpoint ``i`` is somebody else's: the endpoint stays where it is."""
    e = end_at(context, i)
    u, frame = mark_unusual(context, e), np.int64(s["frame"])
    enter_third_party(u, clues, np.int64(s["ttl"]), frame, np.int64(s["time"]))
    if np.int64(u["third_party_frame"]) == frame:
        u["counted_frame"] = e["last_frame"] if clues & OFF_COUNT else 0
    note(context, i, RST_IGNORED, s["time"], frame, CAME_ANOTHER_WAY if clues & OTHER_PATH else OFF_THE_COUNT)


@helper
def came_another_way(context, s, e):
    """The first segment of ``e`` that is no RST shows it at another distance than the RST that came before did."""
    u = unusual(context, e)
    if u["rst_count"] == 0 or u["rst_count"] != e["packets"] or s["ttl"] == 0 or u["rst_ttl"] == 0:
        return
    if not other_path(np.int64(u["rst_ttl"]), np.int64(s["ttl"])):
        return
    u = mark_unusual(context, e)
    enter_third_party(u, OTHER_PATH, np.int64(u["rst_ttl"]), np.int64(u["rst_frame"]), np.int64(u["rst_time"]))
    row = np.int64(e["last_event"])
    while row > 0:
        if log_at(context, row)["event"] == SENT_RST:
            make_void(log_at(context, row))
        row = row_before(context, row)
    forget(e, RST_STANDS)


@helper
def is_new(s, e):
    """Whether segment ``s`` of ``e`` carries new data or a FIN, or acknowledges something new, in its own numbers."""
    carried = length_of(s) + (1 if np.int64(s["flags"]) & FIN else 0)
    new = not knows(e, NXT) or seq_diff(seq_add(s["seq"], carried), e["snd_nxt"]) > 0
    acked = np.int64(s["flags"]) & ACK != 0 and (not knows(e, ACKED) or seq_diff(s["ack"], e["ack_sent"]) > 0)
    return (new and carried > 0) or acked


@helper
def is_repeat(s):
    """Whether segment ``s`` carries something, be it new or not."""
    return length_of(s) > 0 or np.int64(s["flags"]) & FIN != 0


@helper
def under_way(context, e):
    """How long after a RST has passed the tap something that its receiver ``e`` sent before may still pass."""
    return max(2 * longest_round_trip(context, e), np.int64(context["repeat"]))


@helper
def goes_on_after_ignored(context, s, i):
    """Note the first segment by which endpoint ``i`` shows that it went on after a RST that it did not accept."""
    u = unusual(context, end_at(context, i ^ 1))
    if u["rst_ignored"] == 0 or u["went_on_frame"] > 0 or np.int64(s["flags"]) & (SYN | ACK) == SYN:
        return
    e = end_at(context, i)
    if is_new(s, e) and np.int64(s["time"]) - np.int64(u["rst_ignored_time"]) > under_way(context, e):
        mark_unusual(context, end_at(context, i ^ 1))["went_on_frame"] = s["frame"]


@helper
def note_sender_continued(context, s, e):
    """Note the first segment by which endpoint ``e`` shows that it went on after a RST that came from elsewhere."""
    u = unusual(context, e)
    if u["third_party_frame"] == 0 or u["own_frame"] > 0 or np.int64(s["flags"]) & SYN or not is_new(s, e):
        return
    if np.int64(s["time"]) - np.int64(u["third_party_time"]) > context["reordering"]:
        u = mark_unusual(context, e)
        u["own_frame"] = s["frame"]
        u["third_party"] = np.int64(u["third_party"]) | WENT_ON


@helper
def closed_by_reset(entry):
    """Whether a log row stands that closed its endpoint by its own RST."""
    closed = state_in(entry) == CLOSED and state_before(entry) != CLOSED
    return closed and entry["event"] == SENT_RST and not is_void(entry)


@helper
def mark_forged(context, s, i, now):
    """Endpoint ``i`` goes on after "its" RST: unless the network only changed the order, somebody else sent that."""
    e = end_at(context, i)
    u = mark_unusual(context, e)
    if np.int64(u["rst_state"]) < SYN_RECEIVED or np.int64(s["flags"]) & SYN:
        return  # what a host refuses it may be asked again
    end, age = seq_add(s["seq"], length_of(s)), now - np.int64(u["rst_time"])
    if age <= context["reordering"] and seq_diff(end, u["rst_seq"]) <= 0:
        return
    if not is_new(s, e) and not (is_repeat(s) and age > under_way(context, e)):
        return
    row = np.int64(e["last_event"])
    while row > 0 and not closed_by_reset(log_at(context, row)):
        row = row_before(context, row)
    if row == 0:
        return
    make_void(log_at(context, row))
    e["state"] = state_before(log_at(context, row))
    if np.int64(e["state"]) == TIME_WAIT:
        resume(context, mark_closing_facts(context, e))
    forget(e, RST_STANDS)
    u["own_frame"] = s["frame"]
    if np.int64(u["rst_verdict"]) in FITTING:  # whoever is told nothing by it needs no other sender for it
        enter_third_party(u, WENT_ON, np.int64(u["rst_ttl"]), np.int64(u["rst_frame"]), np.int64(u["rst_time"]))
    note(context, i, RST_IGNORED, now, s["frame"], NOT_ITS_OWN)
