"""The words in which it is told how a flow ended: vocabularies of flows.csv, each with its meaning."""

from enum import IntEnum


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


RST_CAUSE_WORDS = {
    RstCause.CONNECTION_REFUSED: "a SYN was refused",
    RstCause.HALF_OPEN: "who had asked for the connection abandoned it after the SYN-ACK",
    RstCause.LATE_FIN: "it answers a late FIN: its sender no longer knew the connection",
    RstCause.DATA_AFTER_CLOSE: "it answers data from an endpoint in CLOSE_WAIT: its sender had closed both directions",
    RstCause.CROSSED_CLOSE: "it answers data that crossed its sender's FIN on the way",
    RstCause.TIME_WAIT_GONE: "it answers a segment that TIME_WAIT should have answered: that was over already",
    RstCause.NO_CONNECTION: "its sender knew no such connection",
    RstCause.AFTER_OWN_FIN: "its sender had closed and then reset",
    RstCause.UNREAD_DATA: "data had arrived that its sender had not acknowledged",
    RstCause.ABORT_DATA_LOST: "its sender aborted with data of its own unacknowledged",
    RstCause.ABORT: "its sender aborted, nothing outstanding",
    RstCause.GAVE_UP: "its sender had repeated itself or probed without an answer",
    RstCause.THIRD_PARTY: "somebody else sent it: its alleged sender went on, or it came from another distance",
    RstCause.NOT_TAKEN: "it answers the handshake's last acknowledgment: its sender's kernel never took the connection",
}

NOBODY, CLIENT, SERVER, BOTH = range(4)
CLOSER_WORDS = ["", "client", "server", "both"]
OBSERVED_WORDS = ["complete", "starts-mid-stream", "one-direction-only", "frames-missing", "mixed"]


def words_of(vocabulary: type[IntEnum]) -> list[str]:
    """The words of an enumeration as the tables print them, by code: NEVER_ESTABLISHED is never-established."""
    return [member.name.lower().replace("_", "-") for member in vocabulary]
