"""The columns of every table: name, kind, meaning. Documentation and file formats are made from these lists.

The names and meanings are the public interface: scripts depend on them. A column may be added at the end of a
table; none is renamed, moved or removed. The kind decides how a column is kept and written:

    kind      in Python                    CSV                        Parquet
    count     int64                        digits                     int64
    number    Int64, NA where unknown      digits or empty            int64
    word      category (fixed vocabulary)  text or empty              dictionary of strings
    address   category                     text or empty              dictionary of strings
    file      category                     text, quoted if need be    dictionary of strings
    text      str                          text, quoted if need be    string
    time      datetime64[ns, UTC], NaT     seconds, nine decimals     timestamp[ns, UTC]
    seconds   float64, NaN where unknown   seconds, nine decimals     double
    flag      bool                         true or false              bool
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from analyzer.tcp.states import EVENT_WORDS
from analyzer.tracker.endings import RST_CAUSE_WORDS

ColumnKind = Literal["count", "number", "word", "address", "file", "text", "time", "seconds", "flag"]


class TableColumn(NamedTuple):
    """One column. ``words`` is the vocabulary of a ``word`` column: each word with its meaning."""

    name: str
    kind: ColumnKind
    meaning: str
    words: Mapping[str, str] = MappingProxyType({})


STATES = {
    "LISTEN": "waits for a SYN",
    "SYN_SENT": "sent a SYN",
    "SYN_RECEIVED": "sent a SYN that acknowledges the peer's",
    "ESTABLISHED": "the handshake is complete",
    "FIN_WAIT_1": "sent its FIN, which is not acknowledged yet",
    "FIN_WAIT_2": "its FIN is acknowledged; waits for the peer's FIN",
    "CLOSE_WAIT": "received the peer's FIN and has not sent its own",
    "CLOSING": "the FINs crossed; its own is not acknowledged yet",
    "LAST_ACK": "sent its FIN after the peer's; waits for the acknowledgment",
    "TIME_WAIT": "both FINs are acknowledged; stays to answer a repeated FIN",
    "CLOSED": "the connection does not exist (any more)",
    "UNKNOWN": "the capture does not show it",
}

ENDPOINTS = {"client": "the side that sent the SYN, or was taken for it", "server": "the other side"}
CLOSERS = {
    "client": "the client's FIN or RST came first",
    "server": "the server's FIN or RST came first",
    "both": "both sent their FIN before either had received the other's",
}

HANDSHAKES = {
    "complete": "SYN, SYN-ACK and ACK were captured",
    "simultaneous": "both sides sent a SYN",
    "unanswered": "no segment came back for the SYN; an ICMP error is none: TD308 names who sent it",
    "refused": "SYN answered by a RST",
    "partial": "some of its segments are missing, or it never completed",
    "not-captured": "the capture starts after it; who is the client was guessed",
}

TEARDOWNS = {
    "graceful": "both FINs were sent and acknowledged, one after the other",
    "simultaneous": "both FINs were sent and acknowledged, and crossed each other",
    "half-closed": "a FIN was sent; when the capture ended not both sides had sent theirs and had it acknowledged",
    "reset": "a RST ended it after at least one FIN",
    "aborted": "a RST ended it, and no FIN had been sent",
    "timed-out": "an endpoint gave up after repeating itself unanswered",
    "open": "no sign of an end when the capture ended",
    "never-established": "refused, unanswered, or given up during the handshake",
}

RST_CAUSES = {cause.name.lower().replace("_", "-"): words for cause, words in RST_CAUSE_WORDS.items()}

OBSERVABILITY = {
    "complete": "from the first SYN on, both directions, nothing missing",
    "starts-mid-stream": "the opening was not captured",
    "one-direction-only": "only one side's segments were captured",
    "frames-missing": "the flow proves that segments were sent which are not in the capture",
    "mixed": "more than one connection is in the flow, or one of them twice: what is told of it may be of either",
}

EVENTS = dict(EVENT_WORDS.values())

BASES = {
    "sent": "the endpoint itself sent the segment that makes the transition",
    "proven": "a later segment of the endpoint proves that it had received what makes the transition",
    "assumed": "seen at the capture point and assumed delivered, or the likeliest reading; nothing contradicts it",
    "timer": "a timer of the host ended the state; `note` says whether a later packet shows that, or the profile",
    "capture-end": "no transition: the state in which the capture, or a gap in it, left the endpoint",
}

SEVERITIES = {
    "error": "something is broken and somebody must act",
    "warning": "probably wrong, or wasteful",
    "info": "worth knowing, often legal",
}

CONFIDENCES = {
    "high": "every step it rests on was sent or is proven, and no segment is missing there",
    "medium": "a step it rests on is assumed, a timer's, or inferred",
    "low": "the capture's start, end or losses leave another reading",
}

WHO = [
    TableColumn("stream", "count", "Number of the connection; equals Wireshark's `tcp.stream`."),
    TableColumn("client_ip", "address", "Address of whoever opened the connection."),
    TableColumn("client_port", "count", "Its TCP port."),
    TableColumn("server_ip", "address", "Address of the side that was connected to."),
    TableColumn("server_port", "count", "Its TCP port."),
]

FLOWS = [
    *WHO,
    TableColumn("first_frame", "number", "First frame of the flow; equals Wireshark's `frame.number`."),
    TableColumn("last_frame", "number", "Last frame of the flow."),
    TableColumn("first_epoch", "time", "Time of the first frame."),
    TableColumn("last_epoch", "time", "Time of the last frame."),
    TableColumn("duration_s", "seconds", "From the first frame to the last."),
    TableColumn("client_packets", "count", "TCP segments the client sent, copies of one packet counted once."),
    TableColumn("server_packets", "count", "TCP segments the server sent."),
    TableColumn("client_bytes", "count", "Bytes of payload the client sent, repeats included."),
    TableColumn("server_bytes", "count", "Bytes of payload the server sent."),
    TableColumn("handshake", "word", "What the capture shows of the opening.", HANDSHAKES),
    TableColumn("closed_by", "word", "Who closed first; empty while nobody has.", CLOSERS),
    TableColumn("teardown", "word", "How it ended.", TEARDOWNS),
    TableColumn(
        "client_state",
        "word",
        "The client's state when the capture, or a gap, ended sight; timers included.",
        STATES,
    ),
    TableColumn("server_state", "word", "The server's state then.", STATES),
    TableColumn("client_fin_epoch", "time", "When the client first sent its FIN."),
    TableColumn("server_fin_epoch", "time", "When the server first sent its FIN."),
    TableColumn("client_fin_acked_epoch", "time", "When the acknowledgment of the client's FIN passed the tap."),
    TableColumn("server_fin_acked_epoch", "time", "When the acknowledgment of the server's FIN passed the tap."),
    TableColumn("rst_by", "word", "Who sent the RST that counted; empty where there was none.", ENDPOINTS),
    TableColumn("rst_cause", "word", "What the packets say of its cause; empty where there was none.", RST_CAUSES),
    TableColumn(
        "client_close_wait_s",
        "seconds",
        "Time the client was in CLOSE_WAIT, while watched; empty if it never was.",
    ),
    TableColumn("server_close_wait_s", "seconds", "Time the server was in CLOSE_WAIT."),
    TableColumn("client_fin_wait_2_s", "seconds", "Time the client was in FIN_WAIT_2."),
    TableColumn("server_fin_wait_2_s", "seconds", "Time the server was in FIN_WAIT_2."),
    TableColumn(
        "idle_before_close_s", "seconds", "Silence just before the first FIN or RST, as far as somebody listened."
    ),
    TableColumn("observability", "word", "What the capture shows of the flow.", OBSERVABILITY),
    TableColumn("findings", "text", "Codes of the findings about it, joined by `;`."),
    TableColumn(
        "client_known", "flag", "Whether a SYN or SYN-ACK shows who the client is; else the ports were judged."
    ),
    TableColumn("first_file", "file", "Of several captures, the one that the first frame is in, as it was named."),
    TableColumn("first_file_frame", "number", "The first frame's number in that file."),
]

TIMELINE = [
    *WHO,
    TableColumn("endpoint", "word", "Whose row this is.", ENDPOINTS),
    TableColumn("endpoint_ip", "address", "Its address."),
    TableColumn("endpoint_port", "count", "Its port."),
    TableColumn("event", "word", "What happened, seen from the endpoint.", EVENTS),
    TableColumn("from_state", "word", "Its state before.", STATES),
    TableColumn("state", "word", "Its state after; equals `from_state` where nothing changed.", STATES),
    TableColumn("time_epoch", "time", "Best estimate of when."),
    TableColumn("earliest_epoch", "time", "Not before this."),
    TableColumn("latest_epoch", "time", "Not after this."),
    TableColumn("frame", "number", "The frame that shows it; empty for a timer and the capture's end."),
    TableColumn("basis", "word", "How it is known.", BASES),
    TableColumn("note", "word", "The same in words, with the RFC section."),
]

FINDINGS = [
    TableColumn("code", "word", "Which finding; `teardown explain CODE` has its page."),
    TableColumn("severity", "word", "How much it matters.", SEVERITIES),
    TableColumn("stream", "number", "The connection; empty for a finding about many."),
    TableColumn("client_ip", "address", "Address of the client; empty where it differs or does not apply."),
    TableColumn("client_port", "number", "Port of the client, likewise."),
    TableColumn("server_ip", "address", "Address of the server, likewise."),
    TableColumn("server_port", "number", "Port of the server, likewise."),
    TableColumn("endpoint", "word", "Whom it blames; empty for nobody.", ENDPOINTS),
    TableColumn("time_epoch", "time", "When it happened."),
    TableColumn("frames", "text", "The frames that prove it, joined by `;`."),
    TableColumn("confidence", "word", "How sure it is.", CONFIDENCES),
    TableColumn("message", "text", "What was seen, with endpoint, times and frames."),
    TableColumn("advice", "text", "Whom to suspect first, and the next command to run."),
    TableColumn("file", "file", "Of several captures, the one that the frame which decides is in, as it was named."),
    TableColumn("file_frame", "number", "That frame's number in that file."),
]

SEGMENTS = [
    TableColumn("frame", "count", "Wireshark's `frame.number`."),
    TableColumn("stream", "count", "Wireshark's `tcp.stream`."),
    TableColumn("src_ip", "address", "Sender's address."),
    TableColumn("src_port", "count", "Sender's port."),
    TableColumn("dst_ip", "address", "Receiver's address."),
    TableColumn("dst_port", "count", "Receiver's port."),
    TableColumn("seq", "count", "Sequence number, raw as on the wire."),
    TableColumn("ack", "count", "Acknowledgment number, raw; meaningless without the ACK flag."),
    TableColumn("flags", "count", "Sum of FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE 256."),
    TableColumn("payload_len", "count", "Bytes of payload by the IP length, whatever was captured of them."),
    TableColumn("time_epoch", "time", "When the frame passed the tap."),
    TableColumn("window", "count", "Window, raw: not yet scaled."),
    TableColumn("window_scale", "count", "Shift count of a SYN's window scale option, -1 where there is none."),
    TableColumn("ip_id", "count", "IPv4 identification; valid with HAS_IP_ID in `marks`."),
    TableColumn("ttl", "count", "IPv4 TTL or IPv6 hop limit."),
    TableColumn("ts_val", "count", "Timestamp option, the sender's clock; valid with HAS_TIMESTAMP in `marks`."),
    TableColumn("ts_ecr", "count", "Timestamp option, the echo of the peer's clock; valid likewise."),
    TableColumn("first_byte", "count", "First byte of payload; valid with HAS_FIRST_BYTE in `marks`."),
    TableColumn("marks", "count", "What decoding found: sum of the bits in [segments.md](segments.md)."),
    TableColumn("interface", "count", "Interface of the capture, from 0; 255 for any beyond."),
]

TABLES: dict[str, list[TableColumn]] = {
    "flows": FLOWS,
    "timeline": TIMELINE,
    "findings": FINDINGS,
    "segments": SEGMENTS,
}
