"""The records of finished flows, and the columns of ``flows`` and ``timeline`` that are kept in them.

A row of ENDING says how a flow ended, a row of ENTRY one thing that happened to an endpoint: numbers, which become
words when the tables are written. A time, or a length of time in nanoseconds, that is not known is UNKNOWN; a frame
that is not known is 0.

To add a column of ``flows``: declare it here, at the end. One that follows from other columns is ``made`` by a function
and has no field; any other is a field of ENDING and is filled in by ``ordinary_record.noted``.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyzer.columns import TableColumn, Vocabulary, record_of
from analyzer.tcp.evidence import BASIS_WORDS
from analyzer.tcp.states import EVENT_WORDS, STATE_WORDS, State
from analyzer.tracker.vocabularies import (
    CLOSERS,
    CONN_STATES,
    HANDSHAKES,
    OBSERVABILITY,
    PENDING,
    RST_CAUSES,
    SIDES,
    TEARDOWNS,
)

if TYPE_CHECKING:
    from analyzer.capture.frame_files import FrameFiles

STATES = Vocabulary(tuple(state.name for state in State), {state.name: words for state, words in STATE_WORDS.items()})
EVENTS = Vocabulary(tuple(word for word, _ in EVENT_WORDS.values()), dict(EVENT_WORDS.values()))
BASES = Vocabulary(
    tuple(BASIS_WORDS.values()),
    {
        "sent": "the endpoint itself sent the segment that makes the transition",
        "proven": "a later segment of the endpoint proves that it had received what makes the transition",
        "assumed": "seen at the capture point and assumed delivered, or the likeliest case; nothing contradicts it",
        "timer": "a timer of the host ended the state; `note` says whether a later packet shows that, or the profile",
        "capture-end": "no transition: the state of the endpoint at the end of the capture, or at a gap in it",
    },
)

WHO = (
    TableColumn("stream", "count", "Number of the connection; equals Wireshark's `tcp.stream`.", dtype="<i8"),
    TableColumn("client_ip", "address", "Address of the side that opened the connection.", dtype="<i4"),
    TableColumn("client_port", "count", "Its TCP port.", dtype="<u2"),
    TableColumn("server_ip", "address", "Address of the other side.", dtype="<i4"),
    TableColumn("server_port", "count", "Its TCP port.", dtype="<u2"),
)


def first_file(endings: NDArray[np.void], files: "FrameFiles") -> NDArray[np.int64] | None:
    """Of several captures, the one that each flow's first frame is in."""
    return files.locate(endings["first_frame"])[0] if files.several else None


def first_file_frame(endings: NDArray[np.void], files: "FrameFiles") -> NDArray[np.int64] | None:
    """The number that each flow's first frame has in that file."""
    return files.locate(endings["first_frame"])[1] if files.several else None


FLOW_COLUMNS = (
    *WHO,
    TableColumn("first_frame", "number", "First frame of the flow; equals Wireshark's `frame.number`.", dtype="<u4"),
    TableColumn("last_frame", "number", "Last frame of the flow.", dtype="<u4"),
    TableColumn("first_epoch", "time", "Time of the first frame.", dtype="<i8"),
    TableColumn("last_epoch", "time", "Time of the last frame.", dtype="<i8"),
    TableColumn("duration_s", "seconds", "From the first frame to the last.", dtype="<i8"),
    TableColumn(
        "client_packets", "count", "TCP segments the client sent, copies of one packet counted once.", dtype="<u4"
    ),
    TableColumn("server_packets", "count", "TCP segments the server sent.", dtype="<u4"),
    TableColumn("client_bytes", "count", "Bytes of payload the client sent, repeats included.", dtype="<i8"),
    TableColumn("server_bytes", "count", "Bytes of payload the server sent.", dtype="<i8"),
    TableColumn("handshake", "word", "What the capture shows of the opening.", HANDSHAKES, dtype="u1"),
    TableColumn("closed_by", "word", "Who closed first; empty while nobody has.", CLOSERS, dtype="u1"),
    TableColumn("teardown", "word", "How it ended.", TEARDOWNS, dtype="u1"),
    TableColumn(
        "client_state",
        "word",
        "The client's last known state: at the end of the capture, or where a gap in it begins. A timer "
        "that ran out before has ended the state.",
        STATES,
        dtype="u1",
    ),
    TableColumn("server_state", "word", "The server's state at that time.", STATES, dtype="u1"),
    TableColumn("client_fin_epoch", "time", "When the client first sent its FIN.", dtype="<i8"),
    TableColumn("server_fin_epoch", "time", "When the server first sent its FIN.", dtype="<i8"),
    TableColumn(
        "client_fin_acked_epoch", "time", "When the acknowledgment of the client's FIN was captured.", dtype="<i8"
    ),
    TableColumn(
        "server_fin_acked_epoch", "time", "When the acknowledgment of the server's FIN was captured.", dtype="<i8"
    ),
    TableColumn("rst_by", "word", "Who sent the RST that took effect; empty if there was none.", SIDES, dtype="u1"),
    TableColumn(
        "rst_cause", "word", "Its cause according to the packets; empty if there was none.", RST_CAUSES, dtype="u1"
    ),
    TableColumn(
        "client_close_wait_s",
        "seconds",
        "Time the client was in CLOSE_WAIT, gaps not counted; empty if it never was.",
        dtype="<i8",
    ),
    TableColumn("server_close_wait_s", "seconds", "Time the server was in CLOSE_WAIT.", dtype="<i8"),
    TableColumn("client_fin_wait_2_s", "seconds", "Time the client was in FIN_WAIT_2.", dtype="<i8"),
    TableColumn("server_fin_wait_2_s", "seconds", "Time the server was in FIN_WAIT_2.", dtype="<i8"),
    TableColumn(
        "idle_before_close_s",
        "seconds",
        "How long neither side had sent anything when the first FIN or RST came; gaps in the capture do not count.",
        dtype="<i8",
    ),
    TableColumn("observability", "word", "What the capture shows of the flow.", OBSERVABILITY, dtype="u1"),
    TableColumn("findings", "text", "Codes of the findings about it, joined by `;`.", dtype="<u4"),
    TableColumn(
        "client_known",
        "flag",
        "Whether a SYN or SYN-ACK shows who the client is; if false, it was guessed from the ports.",
        dtype="u1",
    ),
    TableColumn(
        "first_file",
        "file",
        "With several captures: the file, as named, that contains the first frame.",
        made=first_file,
    ),
    TableColumn("first_file_frame", "number", "The first frame's number in that file.", made=first_file_frame),
    TableColumn(
        "client_fin_seq",
        "sequence",
        "Sequence number of the client's FIN itself, raw as on the wire; empty if none was captured.",
        dtype="<i8",
    ),
    TableColumn("server_fin_seq", "sequence", "Sequence number of the server's FIN.", dtype="<i8"),
    TableColumn("client_fin_frame", "number", "The frame with the client's first FIN.", dtype="<u4"),
    TableColumn("server_fin_frame", "number", "The frame with the server's first FIN.", dtype="<u4"),
    TableColumn(
        "client_fin_acked_frame",
        "number",
        "The first frame that acknowledges the client's FIN; empty if none was captured.",
        dtype="<u4",
    ),
    TableColumn("server_fin_acked_frame", "number", "The first frame that acknowledges the server's FIN.", dtype="<u4"),
    TableColumn(
        "client_fins",
        "count",
        "How often the client's FIN passed, copies of one packet counted once. Each time is a row of `timeline`.",
        dtype="<u4",
    ),
    TableColumn("server_fins", "count", "How often the server's FIN passed.", dtype="<u4"),
    TableColumn(
        "pending",
        "word",
        "What was pending at the first FIN, or the first RST that its receiver had to accept, from whose data were the "
        "last (a TLS alert is none) and whether they were acknowledged; empty if neither came.",
        PENDING,
        dtype="u1",
    ),
    TableColumn("last_data_by", "word", "Who sent the last data before that, or so far.", SIDES, dtype="u1"),
    TableColumn(
        "since_data_s",
        "seconds",
        "From these data to that FIN or RST, gaps in the capture not counted; if nobody sent data, from the first "
        "segment after the SYNs.",
        dtype="<i8",
    ),
    TableColumn(
        "turns",
        "count",
        "How often the side that sends data changed before that: request, answer, request are 3.",
        dtype="<u4",
    ),
    TableColumn(
        "client_waited_s",
        "seconds",
        "Longest time from the client's data to the server's next, or to that FIN or RST; empty if it never waited.",
        dtype="<i8",
    ),
    TableColumn("server_waited_s", "seconds", "The same of the server's data, until the client's next.", dtype="<i8"),
    TableColumn(
        "conn_state",
        "word",
        "Zeek's `conn_state`, by Zeek's originator and responder ([zeek.md](zeek.md)).",
        CONN_STATES,
        dtype="u1",
    ),
    TableColumn(
        "history",
        "letters",
        "Zeek's `history`, its first 36 letters: upper case what the originator sent, lower case the responder. "
        "Zeek may take the server for the originator if the SYN was not captured ([zeek.md](zeek.md)).",
        dtype="<i8",
        field="history_0",
        more=("history_1", "history_2"),
    ),
)

ENDING = np.dtype(
    record_of(
        FLOW_COLUMNS,
        ("server_rtt", "<i8"),  # shortest time from the tap to the server and back, 0 not known; no column
        ("idle_open", "u1"),  # 1 where it is open, unprobed and all data are acknowledged: ``ledger_record``; no column
    )
)

ENTRY_COLUMNS = (
    TableColumn("event", "word", "What happened, seen from the endpoint.", EVENTS, dtype="u1"),
    TableColumn("from_state", "word", "Its state before.", STATES, dtype="u1"),
    TableColumn("state", "word", "Its state after; equals `from_state` where nothing changed.", STATES, dtype="u1"),
    TableColumn("time_epoch", "time", "Best estimate of the time.", dtype="<i8", field="time"),
    TableColumn("earliest_epoch", "time", "Earliest possible time.", dtype="<i8", field="earliest"),
    TableColumn("latest_epoch", "time", "Latest possible time.", dtype="<i8", field="latest"),
    TableColumn("frame", "number", "The frame that shows it; empty for a timer and the capture's end.", dtype="<u4"),
    TableColumn("basis", "word", "How it is known.", BASES, dtype="u1"),
)

ENTRY = np.dtype(
    record_of(
        ENTRY_COLUMNS,
        ("end", "<u4"),  # 2 * place of its flow's ENDING + 0 for the client, 1 for the server
        ("arrow", "u1"),  # row of the transition table, NO_ARROW where it has none; with ``note`` the column `note`
        ("note", "u1"),
    )
)
