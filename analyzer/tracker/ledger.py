"""What is known of each endpoint: the ledger, two rows a flow (side 0 and side 1), written by the tracker's kernels.

Most connections are ordinary; a capture may hold millions, many of them no more than a SYN. So the row of every
endpoint (``ENDPOINT_CORE``) is small. What comes with ESTABLISHED and after it is in a second row (``CLOSING_FACTS``).
What is noted only for a repeat, a loss, a RST or the like is in a third row (``UNUSUAL``), which few endpoints have.
Every flow has a row (``FLOW_CORE``), and a second one (``OLDER``) if its addresses and ports were in use before. Code
that reads the ledger once a flow is finished sees all of an endpoint or flow as one row (``ENDPOINT``, ``CONNECTION``):
what was not noted is 0.

Row ``2 * flow + side``; the peer's row is ``row ^ 1``. Times are nanoseconds by the inner clock (``times``), 0 where
the thing has not happened; frames are Wireshark's, 0 likewise; sequence numbers are raw and modulo 2^32. Sizes of time
are nanoseconds too. The meaning of every column stands here and nowhere else.
"""

from enum import IntFlag
from typing import NamedTuple

import numpy as np

from analyzer.tracker.zeek import columns as zeek_columns


class Known(IntFlag):
    """Which facts of an endpoint hold (bits of the column ``known``)."""

    ISN = 1 << 0  # its SYN or SYN-ACK was captured
    NXT = 1 << 1  # snd_nxt means something
    ACK = 1 << 2  # ack_sent means something
    FIN = 1 << 3  # fin_end means something
    FIN_ACKED = 1 << 4  # its FIN is taken to be acknowledged
    PEER_FIN = 1 << 5  # proven to have received the peer's FIN
    PEER_FIN_ASSUMED = 1 << 6  # taken to have received it, not yet proven
    FIN_INFERRED = 1 << 7  # its FIN was not captured; acknowledgments prove or suggest it
    RST = 1 << 8  # it sent a RST that stands
    MIXED = 1 << 9  # the flow holds more than one connection: what comes from here on is not judged
    MID_STREAM = 1 << 10  # its first captured segment was no SYN
    ID_MOVES = 1 << 11  # its IP identification changes from packet to packet
    SENT_DATA = 1 << 12  # it sent payload (keep-alive probes do not count)
    RST_ACCEPTED = 1 << 13  # taken to have accepted the peer's RST
    CROSSED_SYN = 1 << 14  # it sent a SYN, and a SYN-ACK after it: the SYNs crossed
    TIMESTAMPS = 1 << 15  # it uses the timestamp option


class Answered(IntFlag):
    """What a RST answered: the kind of the peer's segment (column ``rst_answers``); 0 for nothing."""

    ACK = 1
    DATA = 2
    FIN = 4
    SYN = 8
    SYN_ACK = 16
    KEEP_ALIVE = 32


class ThirdParty(IntFlag):
    """How it is known that a RST is not its alleged sender's (column ``foreign``)."""

    WENT_ON = 1  # the sender went on in the same numbers
    OTHER_PATH = 2  # its TTL shows another number of hops than the sender's other segments
    OFF_COUNT = 4  # its IP identification is far from those that the sender had counted up until just before


class Column(NamedTuple):
    """One column of the ledger: its name, numpy type and meaning."""

    name: str
    dtype: str
    meaning: str


# The columns that every endpoint has, a cache line (64 bytes) after the other: those that segments of its peer look at
# too, those that each segment of its own changes, those with which the next segments are compared, and the others.
SHARED = [
    Column("unusual", "<i4", "its row of UNUSUAL, 0 none"),
    Column("closing_row", "<i4", "its row of CLOSING_FACTS, 0 none"),
    Column("isn", "<u4", "initial sequence number"),
    Column("snd_nxt", "<u4", "the sequence number after the highest it is known to have sent"),
    Column("ack_sent", "<u4", "the highest acknowledgment it sent"),
    Column("packets", "<u4", "segments it sent, each captured duplicate counted once"),
    Column("run_frame", "<u4", "frame of that segment, 0 none"),
    Column("proof_event", "<i4", "a log row that its next segment turns from assumed to proven, 0 none"),
    Column("known", "<u2", "bits of Known"),
    Column("state", "u1", "the state now (State)"),
    Column("state_basis", "u1", "how the state was learnt (Basis)"),
    Column("window_scale", "i1", "0 not known, 1 none, else its shift + 2 (windows it advertises are shifted by it)"),
    Column("run_kind", "u1", "kind of the first carrying segment that the peer has not acknowledged since"),
    Column("syn_ack", "u1", "1 where its first SYN was a SYN-ACK"),
    Column("fast_open", "u1", "1 where its SYN carried data"),
    Column("idle_since", "<i8", "when all it had sent was acknowledged, with its peer's window open, 0 not"),
    Column("fresh_time", "<i8", "when the newest sequence number first passed, 0 once it was repeated"),
    Column("tap_rtt", "<i8", "shortest time from the tap to it and back, 0 not known"),
]

OWN = [
    Column("last_time", "<i8", "its last segment"),
    Column("bytes", "<i8", "payload bytes it sent, repeats included, captured duplicates not"),
    Column("content_time", "<i8", "when it last sent payload, SYN or FIN, repeats included"),
    Column("busy_since", "<i8", "since when it has had something to send without pause, 0 none"),
    Column("lower_ack_time", "<i8", "its last segment before it acknowledged the peer's FIN"),
    Column("data_time", "<i8", "last new payload"),
    Column("last_frame", "<u4", "frame of its last segment"),
    Column("last_payload", "<u4", "payload bytes of its last segment with payload"),
    Column("ip_id", "<u2", "IP identification of its last segment"),
    Column("ttl_low", "u1", "lowest TTL of its segments, RSTs apart"),
    Column("ttl_high", "u1", "highest TTL of its segments, RSTs apart"),
    Column("last_kind", "u1", "kind of its last segment (Answered bits)"),
    Column("last_payload_byte", "u1", "first byte of its last segment with payload, 0 not known"),
    Column("prints", "u1", "place of the next fingerprint in the ring"),
    Column("mark_state", "u1", "the state before the first assumed entry that may still be taken back"),
]

RECENT = [
    *(Column(f"print_{n}", "<i8", "fingerprint of a recent segment") for n in range(4)),
    *(Column(f"print_time_{n}", "<u4", "when it passed, in ticks of 1024 ns modulo 2^32") for n in range(4)),
    Column("ts_last", "<u4", "its last timestamp value"),
    Column("window", "<u4", "bytes it last advertised, scaled"),
    Column("last_seq_end", "<u4", "the sequence number after its last segment"),
    Column("last_ack", "<u4", "the acknowledgment its last segment carried"),
]

RARELY_READ = [
    Column("run_time", "<i8", "when the first carrying segment passed that the peer has not acknowledged since"),
    Column("run_end", "<u4", "the sequence number after that segment"),
    Column("data_frame", "<u4", "frame of its last new payload"),
    Column("run_ack", "<u4", "the acknowledgment carried by that segment"),
    Column("first_frame", "<u4", "frame of its first segment"),
    Column("mark_event", "<i4", "the log row of that assumed entry, 0 none"),
    Column("last_event", "<i4", "its newest row in the log, 0 none"),
    Column("mark_time", "<i8", "when that assumed entry was assumed"),
    Column("state_time", "<i8", "best time of entering the state"),
    Column("syn_time", "<i8", "its first SYN or SYN-ACK"),
    Column("syn_frame", "<u4", "frame of it"),
    Column("syn_count", "<u4", "how often it sent a SYN or SYN-ACK"),
]

ZEEK = [Column(*column) for column in zeek_columns.OF_ENDPOINT]  # one more cache line

# Only of endpoints that were established or whose connection closes: not of a SYN that nobody answers.
CLOSING_COLUMNS = [
    Column("fin_end", "<u4", "the sequence number after its FIN; in a free row, the next free one"),
    Column("fin_count", "<u4", "how often its FIN passed"),
    Column("fin_time", "<i8", "its first FIN"),
    Column("fin_frame", "<u4", "frame of it"),
    Column("fin_ack", "<u4", "acknowledgment carried by its first FIN"),
    Column("fin_acked_time", "<i8", "first acknowledgment of its FIN passing the tap"),
    Column("fin_acked_frame", "<u4", "frame of it"),
    Column("fin_acks", "<u4", "acknowledgments of its FIN that passed, one for each FIN at most"),
    Column("established_time", "<i8", "entering ESTABLISHED"),
    Column("close_wait_time", "<i8", "entering CLOSE_WAIT"),
    Column("close_wait_end", "<i8", "leaving it"),
    Column("fin_wait_2_time", "<i8", "entering FIN_WAIT_2"),
    Column("fin_wait_2_end", "<i8", "leaving it"),
    Column("time_wait_time", "<i8", "entering TIME_WAIT"),
    Column("deadline", "<i8", "when TIME_WAIT's timer ends, 0 none"),
    Column("peer_fin_event", "<i4", "the log row at which it received the peer's FIN, 0 none"),
    Column("idle_longest", "<i8", "longest silence of the flow that this endpoint's segment ended"),
    Column("idle_longest_frame", "<u4", "that segment"),
    Column("ack_passed", "<i8", "when the acknowledgment of its FIN passed that is taken to have arrived"),
    Column("tap_rtt_last", "<i8", "the time from the tap to it and back when that was measured last, 0 not known"),
    Column("through_closing", "u1", "1 where it went through CLOSING"),
    Column("overtaken", "u1", "1 where a later segment of it that acknowledges the peer's FIN passed before its FIN"),
    Column(
        "ids_counted", "u1", "its last segments of which each had the next IP identification, no more than 255 of them"
    ),
    Column("close_wait_basis", "u1", "how its CLOSE_WAIT was learnt (Basis)"),
    # Its part in the dialogue (``tcp.dialogue``), which ends with the first FIN or RST that counts. A silence is
    # survived once the other side has sent something (no RST) after the segment that broke it. Those that are shorter
    # than 0.1 s are not noted.
    Column("spoke_last", "u1", "1 where it sent the last data before that end, or so far"),
    Column("pending", "u1", "what was pending when it ended the dialogue (Pending), 0 where it did not"),
    Column("tls", "u1", "1 where a segment of it begins like a TLS record of the handshake or of data"),
    Column("turns", "<u4", "turns of it: how often it sent data after its peer had, or as the first"),
    Column(
        "spoken_time",
        "<i8",
        "its last data before that end; while nobody has sent any (no turns), the first segment after the SYNs",
    ),
    Column("spoken_frame", "<u4", "frame of it, with any data"),
    Column("spoken_end", "<u4", "the sequence number after these data"),
    Column("spoken_bytes", "<u4", "data it sent in its last turn"),
    Column("spoken_pause", "<i8", "longest time between two data of it with none of its peer between"),
    Column("spoken_acked_frame", "<u4", "the first frame that acknowledges all of these, 0 none"),
    Column("waited", "<i8", "longest time from its data to the next of its peer, or to that end; 0 none"),
    Column("ended_dialogue", "<i8", "when its FIN or RST ended the dialogue, 0 where it did not"),
    Column("survived_idle", "<i8", "longest silence of the flow that its segment broke and that was survived"),
    Column("survived_data_idle", "<i8", "longest time without data of either side that its data broke, survived"),
    Column("broken_idle", "<i8", "such a silence, not known to be survived yet"),
    Column("broken_data_idle", "<i8", "such a time without data, not known to be survived yet"),
    Column("size_answered", "<u4", "frame of the last bare acknowledgment seen again after size_first passed, 0 none"),
    Column("size_acked", "<u4", "no segment of more payload than this has been acknowledged"),
    Column("size_first", "<u4", "payload of the first larger one that is not acknowledged, 0 none"),
    Column("size_first_end", "<u4", "the sequence number after it"),
    Column("size_next_end", "<u4", "the sequence number after the first that is larger still, if size_most is more"),
    Column("size_most", "<u4", "the largest payload since size_first"),
]

# Only of endpoints to which something out of the ordinary happened: all zero of the others.
UNUSUAL_FACTS = [
    Column("next_free", "<i4", "in a free row, the next free one"),
    Column("syn_last_time", "<i8", "its last SYN or SYN-ACK"),
    Column("syn_last_frame", "<u4", "frame of it"),
    Column("fin_last_time", "<i8", "its last FIN"),
    Column("fin_last_frame", "<u4", "frame of it"),
    Column("fin_repeats", "<i4", "of these, repeats for want of an acknowledgment"),
    Column("fin_after_ack", "<i4", "FINs it sent although an acknowledgment had passed"),
    Column("fin_after_ack_frame", "<u4", "frame of the first of these"),
    Column("fin_after_ack_time", "<i8", "time of it"),
    Column("fin_reacked_frame", "<u4", "frame that acknowledged the FIN again after that"),
    Column("repeats", "<i4", "segments with payload it repeated"),
    Column("repeat_run", "<i4", "repeats since the peer last acknowledged something new"),
    Column("repeat_first_time", "<i8", "the first of these"),
    Column("repeat_last_time", "<i8", "the last of these"),
    Column("repeat_last_frame", "<u4", "frame of the last of these"),
    Column("repeat_size", "<i4", "payload of those of these that the peer awaits next; 0 none, -1 of several sizes"),
    Column("probes", "<i4", "keep-alive probes it sent"),
    Column("probe_run", "<i4", "probes since the peer last sent anything"),
    Column("probe_last_frame", "<u4", "frame of the last of these"),
    Column("probe_first_time", "<i8", "the first of these"),
    Column("probe_last_time", "<i8", "the last of these"),
    Column("zero_window_since", "<i8", "since when its window has been closed, 0 open"),
    Column("zero_window_frame", "<u4", "frame that closed it last"),
    Column("window_probes", "<i4", "how often it asked at the closed window of its peer since that was closed last"),
    Column("window_probe_first", "<i8", "the first time"),
    Column("window_probe_last", "<i8", "the last time"),
    Column("window_probe_frame", "<u4", "frame of that"),
    Column("half_close_bytes", "<i8", "new bytes it sent after it had received the peer's FIN"),
    Column("half_close_frame", "<u4", "frame of the first of these"),
    Column("half_close_acked", "<i8", "of these, acknowledged by the peer"),
    Column("half_close_seq", "<u4", "sequence number of the first of these"),
    Column("half_close_last_frame", "<u4", "frame of the last of these"),
    Column("half_close_ack_frame", "<u4", "frame of the last acknowledgment of these"),
    Column("beyond_fin_bytes", "<i8", "new bytes it sent beyond its own FIN"),
    Column("hole_bytes", "<i8", "bytes it must have sent that have not (yet) passed"),
    Column("hole_from", "<u4", "the first sequence number of the first hole"),
    Column("hole_end", "<u4", "the sequence number after the last hole"),
    Column("unseen_time", "<i8", "since when the last bytes it is known to have sent have not passed, 0 they have"),
    Column("stale_acks", "<i4", "acknowledgments of an older connection it answered a SYN with"),
    Column("stale_ack_frame", "<u4", "frame of the first of these"),
    Column("disowned_frame", "<u4", "its first RST that refuses such an acknowledgment of its SYN, 0 none"),
    Column("disowned_time", "<i8", "the last of these since its SYN passed, 0 none"),
    Column("disowned_wait", "<i8", "time from these to its next SYN, summed"),
    Column("unrelated_segments", "<i4", "segments of it, of no connection: its peer awaits the answer to a SYN"),
    Column("syn_ack_after_ack", "<i4", "SYN-ACKs it sent although an acknowledgment had passed"),
    Column("syn_ack_after_ack_frame", "<u4", "frame of the first of these"),
    Column("syn_ack_after_ack_last", "<u4", "frame of the last of these"),
    Column("missing_jumps", "<i4", "steps of its numbers of which it is not known how much is missing"),
    Column("far_segments", "<i4", "segments of it far from its numbers, as those of another connection are"),
    Column("far_next", "<u4", "the sequence number after the last of these"),
    Column("pad_bytes", "<u4", "bytes of its newest segment that are taken for padding, 0 none"),
    Column("pad_end", "<u4", "the sequence number after that segment without them"),
    Column("pad_time", "<i8", "time of that segment"),
    Column("pad_frame", "<u4", "frame of it"),
]

# What ICMP errors say of an endpoint's segments. "The first" is the first about its SYN, else the first of all.
ICMP_FACTS = [
    Column("icmp_count", "<i4", "ICMP errors that say that it was dropped, each captured duplicate counted once"),
    Column("icmp_syns", "<i4", "of these, about its SYN or SYN-ACK"),
    Column("icmp_time", "<i8", "the first of these"),
    Column("icmp_frame", "<u4", "frame of it"),
    Column("icmp_kind", "<u4", "what it says: version of IP * 65536 + type * 256 + code"),
    Column("icmp_from", "<i4", "who sent it: a row of the AddressBook"),
    Column("icmp_mtu", "<u2", "the next-hop MTU that it names, 0 none"),
    Column("icmp_id", "<u2", "IP identification of the packet that the last of these quotes"),
    Column("icmp_mixed", "u1", "1 where another sender, or the same, said something else"),
    Column(
        "icmp_delay", "<i8", "from its last SYN before that to the first, or its last segment where it is about another"
    ),
    Column("icmp_last_time", "<i8", "the last of these"),
    Column("icmp_last_frame", "<u4", "frame of it"),
]

RESETS = [
    Column("rst_time", "<i8", "its RST that counts: the first accepted, else the first"),
    Column("rst_frame", "<u4", "frame of it"),
    Column("rst_count", "<i4", "RSTs it sent"),
    Column("rst_ignored", "<i4", "of these, such as the peer did not have to accept, or plainly did not"),
    Column("rst_ignored_frame", "<u4", "frame of the first of these"),
    Column("rst_ignored_time", "<i8", "time of it"),
    Column("went_on_frame", "<u4", "where its peer showed something new after that, later than what was under way"),
    Column("challenges", "<i4", "its RSTs with one number that its peer answered by an ACK which says what it awaits"),
    Column("challenge_echoes", "<i4", "such answers with the number of the RST itself"),
    Column("challenged_seq", "<u4", "that number"),
    Column("challenge_ack", "<u4", "the acknowledgment of these answers"),
    Column("challenged_frame", "<u4", "frame of the first of these RSTs"),
    Column("challenged_time", "<i8", "time of it"),
    Column("challenged_last", "<u4", "frame of the last of these RSTs"),
    Column("challenge_last_frame", "<u4", "frame of the last of these answers"),
    Column("challenge_last_time", "<i8", "time of it"),
    Column("challenge_due", "<u4", "frame of its RST that the next segment of its peer may answer so, 0 none"),
    Column("rst_seq", "<u4", "its sequence number"),
    Column("rst_nxt", "<u4", "the sequence number after the highest its sender had sent then"),
    Column("rst_ack", "<u4", "its acknowledgment, 0 without the ACK flag"),
    Column("rst_answers_ack", "<u4", "the acknowledgment carried by the segment it answers"),
    Column("rst_answers_frame", "<u4", "frame of the segment it answers"),
    Column("rst_verdict", "u1", "how its receiver had to take it (Reception)"),
    Column("rst_answers", "u1", "kind of the segment it answers (Answered), 0 unprompted"),
    Column("rst_state", "u1", "its sender's state before it"),
    Column("rst_peer_state", "u1", "its receiver's state before it"),
    Column("rst_reply", "u1", "1 where its numbers are those of a reply (RFC 9293 3.5.2), not of an open socket"),
    Column("rst_ttl", "u1", "its TTL"),
    Column(
        "rst_copied_frame", "<u4", "the last frame of its peer before it, where both have the same IP identification"
    ),
    Column("rst_nth", "u1", "its number among the RSTs of its sender, 255 for any beyond"),
    Column("rst_reached", "<i8", "numbers of the peer that its acknowledgment covers and that no other had before"),
    Column("rst_answers_time", "<i8", "time of it"),
    Column("rst_unacked", "<i8", "bytes its sender had sent that were not acknowledged then"),
    Column("rst_unread", "<i8", "bytes of the peer that its sender had not acknowledged then"),
    Column("rst_half_close", "<i8", "new bytes that the peer had sent then after it knew of its FIN"),
    Column("rst_data_age", "<i8", "time since the peer's last new payload, -1 none"),
    Column("rst_wait", "<i8", "time since the first of the peer's data passed that it had not acknowledged, -1 none"),
    Column("rst_data_frame", "<u4", "frame of that payload"),
    Column("rst_idle", "<i8", "silence of the whole flow before it"),
    Column("refusals", "<i4", "RSTs by which it refused a SYN"),
    Column("refused_syn_frame", "<u4", "frame of the SYN that the first of these answers"),
    Column("refused_frame", "<u4", "frame of the first of these"),
    Column("refused_time", "<i8", "time of it"),
    Column("refused_after", "<i8", "time from that SYN to it"),
    Column(
        "third_party", "u1", "how it is known that somebody else sent a RST in its name (bits of ThirdParty), 0 none"
    ),
    Column("third_party_ttl", "u1", "the TTL of that RST: the one that counts, else the first"),
    Column("third_party_frame", "<u4", "frame of it"),
    Column("third_party_time", "<i8", "time of it"),
    Column("counted_frame", "<u4", "the sender's last frame before it, where its IP identification is off the count"),
    Column("own_frame", "<u4", "frame in which it went on after that"),
]

CAPTURE = [
    Column("missing_bytes", "<i8", "bytes it sent, as the peer's acknowledgments prove, that were not captured"),
    Column("missing_frame", "<u4", "frame of the first acknowledgment that proves it"),
    Column("missing_time", "<i8", "time of it"),
    Column("missing_from", "<u4", "the first sequence number of these"),
    Column("missing_end", "<u4", "the number after the last of these"),
    Column("duplicates", "<i4", "frames that show a packet of it a second time"),
    Column("duplicate_frame", "<u4", "the first of these"),
    Column("duplicate_time", "<i8", "time of it"),
    Column("lengths_unsure", "u1", "1 where the length of a segment of it is not known: its frame is shorter than it"),
    Column("cut_headers", "<i4", "segments whose TCP header the snap length cut"),
    Column("cut_frame", "<u4", "the first of these"),
    Column("cut_time", "<i8", "time of it"),
    Column("clock_back", "<i8", "largest step back of the frame times at its segments, beyond what is asked about"),
    Column("clock_back_time", "<i8", "time of it"),
    Column("clock_back_frame", "<u4", "frame of that"),
]

FLOW_COLUMNS = [
    Column("row", "<i4", "its row of the flow table; in a free slot the next free one"),
    Column("older", "<i4", "its row of OLDER, 0 where no older flow on this tuple was still kept"),
    Column("last_block", "<i4", "its last block of rows of the log; the block after that is its first"),
    Column("log_rows", "<u4", "its rows of the log"),
    Column("first_frame", "<u4", "frame of its first segment; 0 in a free slot"),
    Column("end_side", "u1", "side that sent the last segment"),
    Column("close_side", "u1", "side that sent the first FIN or RST, plus 1; 0 while there was none"),
    Column("client", "u1", "which side is the client: 0 or 1"),
    Column("client_basis", "u1", "2: it sent the SYN, 1: the other side sent a SYN-ACK, 0: guessed from the ports"),
    # first_time and end_time stand apart: next to each other they are read as one, which has to wait for both where one
    # was written a moment ago (``whole_flow``).
    Column("first_time", "<i8", "first segment of the flow"),
    Column("last_time", "<i8", "last segment of the flow, probes apart"),
    Column("end_time", "<i8", "last segment of the flow"),
    Column("close_idle", "<i8", "silence of the flow (probes apart) before its first FIN or RST"),
    Column("replaced_time", "<i8", "when a newer flow on this tuple began that came about, 0 none"),
    *(Column(*column) for column in zeek_columns.OF_FLOW),
]

OLDER_COLUMNS = [
    Column("next_older", "<i4", "in a free row, the next free one"),
    Column("old_end", "<i4", "endpoint row of side 0's address in the older flow on this tuple"),
    Column("old_state_0", "u1", "state of side 0's address in that flow when this one began"),
    Column("old_state_1", "u1", "the same for side 1's address"),
    Column("old_seen", "u1", "1"),
    Column("old_time_wait", "<i8", "how long the older TIME_WAIT had lasted, -1 none"),
    Column("old_seq_ahead", "<i8", "the new ISN less the highest sequence number of the same address then"),
    Column("old_ts_ahead", "<i8", "the same for its timestamps, 0 where either had none"),
    Column("old_ts", "<u4", "the last timestamp of the same address then, 0 where either had none"),
]


def _row(columns: list[Column]) -> "np.dtype[np.void]":
    return np.dtype([(column.name, column.dtype) for column in columns], align=True)


def _joined(*parts: "np.dtype[np.void]") -> "np.dtype[np.void]":
    """One row that lies in memory as a row of each of ``parts`` after the other."""
    starts = np.cumsum([0, *(part.itemsize for part in parts)]).tolist()
    fields = [
        (name, kind[0], start + kind[1])
        for part, start in zip(parts, starts, strict=False)
        for name, kind in (part.fields or {}).items()
    ]
    names, formats, offsets = (list(column) for column in zip(*fields, strict=True))
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": starts[-1]})


ENDPOINT_CORE, CLOSING_FACTS = _row(SHARED + OWN + RECENT + RARELY_READ + ZEEK), _row(CLOSING_COLUMNS)
UNUSUAL = _row(UNUSUAL_FACTS + ICMP_FACTS + RESETS + CAPTURE)
FLOW_CORE, OLDER = _row(FLOW_COLUMNS), _row(OLDER_COLUMNS)
ENDPOINT, CONNECTION = _joined(ENDPOINT_CORE, CLOSING_FACTS, UNUSUAL), _joined(FLOW_CORE, OLDER)
