"""The columns of every table: name, kind, meaning, where from. Docs and file formats are made from these.

The names and meanings are the public interface: scripts depend on them. A column may be added at the end of a
table; none is renamed, moved or removed. ``columns`` says what a kind is. The columns of ``flows``, and most of
``timeline``, are declared beside the records they are kept in: ``tracker/flow_record.py``.
"""

from analyzer.columns import TableColumn, Vocabulary
from analyzer.findings.silences import ENDS
from analyzer.tcp.reuse import OUTCOMES, RULES
from analyzer.tcp.timer_catalogue import CLOCKS, WAITS
from analyzer.tracker.flow_record import ENTRY_COLUMNS, FLOW_COLUMNS, STATES, WHO
from analyzer.tracker.vocabularies import SIDES
from analyzer.vocabulary import (
    CONFIDENCE_MEANINGS,
    CONFIDENCES,
    FURTHER,
    SEVERITIES,
    SEVERITY_MEANINGS,
    TABLE_NAMES,
)

TIMELINE = [
    *WHO,
    TableColumn("endpoint", "word", "The endpoint that the row is about.", SIDES),
    TableColumn("endpoint_ip", "address", "Its address."),
    TableColumn("endpoint_port", "count", "Its port."),
    *ENTRY_COLUMNS,
    TableColumn("note", "word", "The same in words, with the RFC section."),
]

FINDINGS = [
    TableColumn("code", "word", "Which finding; `teardown explain CODE` has its page."),
    TableColumn("severity", "word", "How much it matters.", Vocabulary(SEVERITIES, SEVERITY_MEANINGS)),
    TableColumn("stream", "number", "The connection; empty for a finding about many."),
    TableColumn("client_ip", "address", "Address of the client; empty where it differs or does not apply."),
    TableColumn("client_port", "number", "Port of the client, likewise."),
    TableColumn("server_ip", "address", "Address of the server, likewise."),
    TableColumn("server_port", "number", "Port of the server, likewise."),
    TableColumn("endpoint", "word", "The endpoint that it blames; empty if none.", SIDES),
    TableColumn("time_epoch", "time", "When it happened."),
    TableColumn("frames", "text", "The frames that prove it, joined by `;`."),
    TableColumn("confidence", "word", "How sure it is.", Vocabulary(CONFIDENCES, CONFIDENCE_MEANINGS)),
    TableColumn("message", "text", "What was seen, with endpoint, times and frames."),
    TableColumn("advice", "text", "Whom to suspect first, and the next command to run."),
    TableColumn("file", "file", "With several captures: the file, as named, that contains the deciding frame."),
    TableColumn("file_frame", "number", "That frame's number in that file."),
]

ANNOUNCED = [  # what live tells while it watches
    TableColumn("announced_epoch", "time", "When it was announced, by the clock of the capture."),
    TableColumn("event", "word", "finding, or over: what was announced no longer lasts."),
    TableColumn("more", "count", "For how many others like it, of the same server, this row stands, too."),
    *FINDINGS,
]

SEGMENTS = [
    TableColumn("frame", "count", "Wireshark's `frame.number`."),
    TableColumn("stream", "count", "Wireshark's `tcp.stream`."),
    TableColumn("src_ip", "address", "Sender's address.", field="src"),
    TableColumn("src_port", "count", "Sender's port."),
    TableColumn("dst_ip", "address", "Receiver's address.", field="dst"),
    TableColumn("dst_port", "count", "Receiver's port."),
    TableColumn("seq", "count", "Sequence number, raw as on the wire."),
    TableColumn("ack", "count", "Acknowledgment number, raw; meaningless without the ACK flag."),
    TableColumn("flags", "count", "Sum of FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE 256."),
    TableColumn("payload_len", "count", "Bytes of payload by the IP length, no matter how many were captured."),
    TableColumn("time_epoch", "time", "When the frame passed the capture point.", field="time"),
    TableColumn("window", "count", "Window, raw: not yet scaled."),
    TableColumn("window_scale", "count", "Shift count of a SYN's window scale option, -1 where there is none."),
    TableColumn("ip_id", "count", "IPv4 identification; valid with HAS_IP_ID in `marks`."),
    TableColumn("ttl", "count", "IPv4 TTL or IPv6 hop limit."),
    TableColumn("ts_val", "count", "Timestamp option, the sender's clock; valid with HAS_TIMESTAMP in `marks`."),
    TableColumn("ts_ecr", "count", "Timestamp option, the echo of the peer's clock; valid likewise."),
    TableColumn("first_byte", "count", "First byte of payload; valid with HAS_FIRST_BYTE in `marks`."),
    TableColumn("marks", "count", "What decoding found: sum of the bits in [segments.md](segments.md)."),
    TableColumn("interface", "count", "Interface of the capture, from 0; 255 for all higher ones."),
]

SOCKET_STATES = [word for word in STATES.meanings if word not in ("UNKNOWN", "CLOSED", "LISTEN")]

CENSUS = [
    TableColumn(
        "time_epoch", "time", "When the counts became these; they hold until the next row about the same sockets."
    ),
    TableColumn("role", "word", "Whose sockets: of a server, or of a client of it.", SIDES),
    TableColumn("ip", "address", "Its address."),
    TableColumn("port", "number", "The server's port; empty for a client, whose sockets have many."),
    TableColumn("peer_ip", "address", "For a client, the server's address."),
    TableColumn("peer_port", "number", "For a client, the server's port."),
    TableColumn("sockets", "count", "All its sockets: the sum of the counts that follow."),
    *(TableColumn(state.lower(), "count", f"Those in {state}.") for state in SOCKET_STATES),
    TableColumn("unknown", "count", "Those last heard of before a gap in the capture, or that nobody can tell."),
]

REUSE = [
    *WHO,
    TableColumn("old_stream", "count", "The connection that used the same addresses and ports before."),
    TableColumn("time_epoch", "time", "When the new connection's SYN passed."),
    TableColumn("frame", "count", "The frame of that SYN."),
    TableColumn("gap_s", "seconds", "From the last frame of the old connection to that SYN."),
    TableColumn(
        "old_client_state", "word", "State in the old connection, when the SYN passed, of who sent it.", STATES
    ),
    TableColumn("old_server_state", "word", "State in the old connection then of the other side.", STATES),
    TableColumn("time_wait_s", "seconds", "How long the TIME_WAIT of either had lasted then; of both: the server's."),
    TableColumn(
        "old_next_seq",
        "sequence",
        "Sequence number after the last that the client's address is known to have used in the old connection.",
    ),
    TableColumn("new_isn", "sequence", "The SYN's sequence number."),
    TableColumn("seq_ahead", "sequence", "How far that is ahead, modulo 2^32; negative if it is behind."),
    TableColumn("old_ts", "sequence", "The last timestamp of the client's address in the old connection."),
    TableColumn("new_ts", "sequence", "The SYN's timestamp, if both had one and the old connection was not over."),
    TableColumn("ts_ahead", "sequence", "How far that is ahead."),
    TableColumn("outcome", "word", "What became of the SYN.", OUTCOMES),
    TableColumn("rule", "word", "What lets such a SYN in, whether or not it was; empty if not known.", RULES),
    TableColumn("delay_s", "seconds", "From the SYN until the client was in ESTABLISHED; empty if it never was."),
    TableColumn("syns", "count", "How often the SYN passed."),
    TableColumn("challenge_acks", "count", "Acknowledgments of the old connection that answered the SYN."),
    TableColumn("challenge_frame", "number", "The frame of the first of them."),
    TableColumn("answer_frame", "number", "The frame of its SYN-ACK, or else of the RST that refused it."),
    TableColumn(
        "failed_before",
        "count",
        "How many connections on the same tuple right before it, one after the other, never opened.",
    ),
    TableColumn("failing_s", "seconds", "From the SYN of the first of these to this SYN; empty if there were none."),
    TableColumn("file", "file", "With several captures: the file, as named, that contains the SYN."),
    TableColumn("file_frame", "number", "That frame's number in that file."),
]

TIMERS = [
    *WHO,
    TableColumn("ended_by", "word", "Who sent the FIN or RST, or sent in vain.", SIDES),
    TableColumn("ending", "word", "How the silence ended.", Vocabulary(tuple(ENDS), ENDS)),
    TableColumn("waiting_for", "word", "What the connection waited for.", Vocabulary(tuple(WAITS), WAITS)),
    TableColumn("length_s", "seconds", "How long it waited, from what `clock` says."),
    TableColumn(
        "clock",
        "word",
        "From when `length_s` counts: as the likeliest timer does; where none fits, from the last data.",
        Vocabulary(tuple(CLOCKS), CLOCKS),
    ),
    TableColumn("silence_s", "seconds", "How long neither side had sent anything."),
    TableColumn("end_epoch", "time", "When it ended."),
    TableColumn("frame", "number", "The frame that ended it."),
    TableColumn(
        "recurs",
        "count",
        "How many connections of the server the same side ended so after as long a time: within a second or 1 %.",
    ),
    TableColumn(
        "timers",
        "text",
        "The known timers that fit, likeliest first, joined by `;`: the ids of `teardown explain timers`. Those of "
        "which neither end hears fit any longer time.",
    ),
    TableColumn("likeliest", "text", "System and name of the first of these."),
    TableColumn("likeliest_s", "seconds", "Its value."),
]

NETSTAT = [  # the sockets at a moment, as `teardown netstat` lists them
    TableColumn("time_epoch", "time", "The moment that was asked for."),
    TableColumn("local_ip", "address", "Address of the host that has the socket."),
    TableColumn("local_port", "count", "The socket's port."),
    TableColumn("foreign_ip", "address", "Address of the other end."),
    TableColumn("foreign_port", "count", "Port of the other end."),
    TableColumn("state", "word", "Its state, by the best estimate of each time.", STATES),
    TableColumn(
        "also_possible",
        "text",
        "The other states that the bounds of its timeline allow at that moment, joined by `;`; CLOSED: no socket.",
    ),
    TableColumn(
        "time_wait_left_s", "seconds", "In TIME_WAIT: how long until its timer ends it, by the profile in force."
    ),
    TableColumn("stream", "count", "Number of the connection; equals Wireshark's `tcp.stream`."),
    TableColumn("endpoint", "word", "Whether it is the connection's client or its server.", SIDES),
]

TABLES: dict[str, list[TableColumn]] = dict(
    zip(
        (*TABLE_NAMES, *FURTHER),
        (list(FLOW_COLUMNS), TIMELINE, FINDINGS, SEGMENTS, CENSUS, REUSE, TIMERS),
        strict=True,
    )
)
