"""The words in which it is told how a flow ended: vocabularies of flows.csv, each with its meaning."""

from enum import IntEnum

from analyzer.columns import Vocabulary, words_of
from analyzer.tcp.dialogue import PENDING_WORDS, Pending


class Handshake(IntEnum):
    """What the capture shows of the opening."""

    NOT_CAPTURED = 0
    COMPLETE = 1
    SIMULTANEOUS = 2
    UNANSWERED = 3
    REFUSED = 4
    PARTIAL = 5


class Teardown(IntEnum):
    """How a flow ended."""

    OPEN = 0
    GRACEFUL = 1
    SIMULTANEOUS = 2
    HALF_CLOSED = 3
    RESET = 4
    ABORTED = 5
    TIMED_OUT = 6
    NEVER_ESTABLISHED = 7


class RstCause(IntEnum):
    """Why the RST that ended a flow was sent, as far as packets tell; RST_CAUSE_WORDS has the meanings."""

    NONE = 0
    CONNECTION_REFUSED = 1
    HALF_OPEN = 2
    LATE_FIN = 3
    DATA_AFTER_CLOSE = 4
    CROSSED_CLOSE = 5
    TIME_WAIT_GONE = 6
    NO_CONNECTION = 7
    AFTER_OWN_FIN = 8
    UNREAD_DATA = 9
    ABORT_DATA_LOST = 10
    ABORT = 11
    GAVE_UP = 12
    THIRD_PARTY = 13
    NOT_TAKEN = 14


class ConnState(IntEnum):
    """Zeek's ``conn_state``; CONN_STATES has the meanings."""

    S0 = 0
    S1 = 1
    SF = 2
    REJ = 3
    S2 = 4
    S3 = 5
    RSTO = 6
    RSTR = 7
    RSTOS0 = 8
    RSTRH = 9
    SH = 10
    SHR = 11
    OTH = 12


# Zeek's ``history``: upper case for the originator, lower case for the responder.
LETTERS = {
    "S": "SYN without ACK; again with another number",
    "H": "SYN-ACK; again with another number",
    "A": "a segment with nothing but its acknowledgment",
    "D": "payload",
    "F": "FIN; again with another number",
    "R": "RST; again with another number",
    "G": "acknowledged, but not captured: the 1st, 10th, 100th time ...",
    "T": "payload, but nothing new: the 1st, 10th, 100th time ...",
    "W": "a window of 0: the 1st, 10th, 100th time ...",
    "I": "FIN and RST in one segment",
    "Q": "SYN and FIN, or SYN and RST, in one segment",
    "^": "Zeek has swapped the sides",
}
RST_CAUSE_WORDS = {
    RstCause.CONNECTION_REFUSED: "a SYN was refused",
    RstCause.HALF_OPEN: "the client abandoned its connection attempt after the SYN-ACK",
    RstCause.LATE_FIN: "it answers a late FIN: its sender no longer had the connection",
    RstCause.DATA_AFTER_CLOSE: "it answers data from an endpoint in CLOSE_WAIT: its sender had closed both directions",
    RstCause.CROSSED_CLOSE: "it answers data that crossed its sender's FIN",
    RstCause.TIME_WAIT_GONE: "it answers a segment that TIME_WAIT should have answered: TIME_WAIT had already ended",
    RstCause.NO_CONNECTION: "its sender had no such connection",
    RstCause.AFTER_OWN_FIN: "its sender had closed and then reset",
    RstCause.UNREAD_DATA: "data had arrived that its sender had not acknowledged",
    RstCause.ABORT_DATA_LOST: "its sender aborted with its own data unacknowledged",
    RstCause.ABORT: "its sender aborted, nothing outstanding",
    RstCause.GAVE_UP: "its sender had retransmitted or probed without an answer",
    RstCause.THIRD_PARTY: "somebody else sent it: its alleged sender continued, or the number of hops differs",
    RstCause.NOT_TAKEN: "it answers the handshake's last acknowledgment: the server never accepted the connection",
}

NOBODY, CLIENT, SERVER, BOTH = range(4)  # codes of the column closed_by

SIDES = Vocabulary(
    ("client", "server", ""),
    {"client": "the side that sent the SYN, or was taken for it", "server": "the other side"},
)
PENDING = Vocabulary(
    ("", *words_of(Pending)[1:]), {words_of(Pending)[code]: meaning for code, meaning in PENDING_WORDS.items()}
)
CLOSERS = Vocabulary(
    ("", "client", "server", "both"),
    {
        "client": "the client's FIN or RST came first",
        "server": "the server's FIN or RST came first",
        "both": "both sent their FIN before either had received the other's",
    },
)
HANDSHAKES = Vocabulary(
    tuple(words_of(Handshake)),
    {
        "complete": "SYN, SYN-ACK and ACK were captured",
        "simultaneous": "both sides sent a SYN",
        "unanswered": "no segment answered the SYN; an ICMP error does not count: TD308 names its sender",
        "refused": "SYN answered by a RST",
        "partial": "some of its segments are missing, or it never completed",
        "not-captured": "the capture starts after it; the client is a guess",
    },
)
TEARDOWNS = Vocabulary(
    tuple(words_of(Teardown)),
    {
        "graceful": "both FINs were sent and acknowledged, one after the other",
        "simultaneous": "both FINs were sent and acknowledged, and crossed each other",
        "half-closed": "a FIN was sent, but the capture ended before both FINs were sent and acknowledged",
        "reset": "a RST ended it after at least one FIN",
        "aborted": "a RST ended it, and no FIN had been sent",
        "timed-out": "an endpoint gave up after unanswered retransmissions",
        "open": "no sign of an end when the capture ended",
        "never-established": "refused, unanswered, or given up during the handshake",
    },
)
RST_CAUSES = Vocabulary(
    ("", *words_of(RstCause)[1:]),
    {words_of(RstCause)[cause]: meaning for cause, meaning in RST_CAUSE_WORDS.items()},
)
CONN_STATES = Vocabulary(
    tuple(state.name for state in ConnState),
    {
        "S0": "a SYN, and no answer",
        "S1": "open at the end",
        "SF": "opened, and closed by a FIN of each side",
        "REJ": "refused",
        "S2": "open, and only the originator sent its FIN",
        "S3": "open, and only the responder sent its FIN",
        "RSTO": "open, and the originator sent a RST",
        "RSTR": "open, and the responder sent a RST",
        "RSTOS0": "the originator sent a SYN and a RST, the responder no SYN-ACK",
        "RSTRH": "the responder sent a SYN-ACK and a RST, the originator no SYN",
        "SH": "the originator sent a SYN and a FIN, the responder no SYN-ACK",
        "SHR": "the responder sent a SYN-ACK and a FIN, the originator no SYN",
        "OTH": "none of these: the opening was not captured",
    },
)
OBSERVABILITY = Vocabulary(
    ("complete", "starts-mid-stream", "one-direction-only", "frames-missing", "mixed"),
    {
        "complete": "from the first SYN on, both directions, nothing missing",
        "starts-mid-stream": "the opening was not captured",
        "one-direction-only": "only one side's segments were captured",
        "frames-missing": "the flow proves that segments were sent which are not in the capture",
        "mixed": "packets of several connections on the same addresses and ports, or of one that was recorded twice: "
        "a value may belong to any of them",
    },
)
