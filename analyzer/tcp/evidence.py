"""How surely a transition is known, and what else is to be said of it: the words of the timeline."""

from enum import IntEnum


class Basis(IntEnum):
    """How a state was learnt; the words of the column `basis` in timeline.csv."""

    SENT = 0  # the endpoint itself sent the segment that makes the transition
    PROVEN = 1  # a later segment of it proves that it had received what makes the transition
    ASSUMED = 2  # seen at the tap and assumed delivered, or the likeliest reading; TIME_WAIT is never better known
    TIMER = 3  # a timer ended the state; the note says whether a packet shows that it was over, or the profile does
    CAPTURE_END = 4  # not a transition: where the capture left the endpoint


BASIS_WORDS = {
    Basis.SENT: "sent",
    Basis.PROVEN: "proven",
    Basis.ASSUMED: "assumed",
    Basis.TIMER: "timer",
    Basis.CAPTURE_END: "capture-end",
}


class Note(IntEnum):
    """What else is to be said of a log row; the words follow in NOTE_WORDS."""

    NONE = 0
    UNEXPECTED = 1
    FIN_NOT_CAPTURED = 2
    PEER_NOT_CAPTURED = 3
    OUTSIDE_WINDOW = 4
    WENT_ON = 5
    NOT_ITS_OWN = 6
    HAD_EXPIRED = 7
    IN_NO_TIME = 8
    OLD_CONNECTION = 9
    ANSWERS_SYN = 10
    CLOSED_BEFORE = 11
    NOT_OF_THE_SYN = 12
    OTHER_PATH = 13
    OFF_COUNT = 14


NOTE_WORDS = {
    Note.NONE: "",
    Note.UNEXPECTED: "not expected in this state",
    Note.FIN_NOT_CAPTURED: "the FIN itself was not captured; the acknowledgments show it",
    Note.PEER_NOT_CAPTURED: "the peer's segment was not captured; this one proves it",
    Note.OUTSIDE_WINDOW: "its sequence number is not the next one expected (RFC 5961 3.2)",
    Note.WENT_ON: "its receiver continued the connection",
    Note.NOT_ITS_OWN: "its alleged sender continued the connection: somebody else sent it",
    Note.HAD_EXPIRED: "the RST shows that it no longer had the connection",
    Note.IN_NO_TIME: "FIN and acknowledgment came in one segment",
    Note.OLD_CONNECTION: "the answer belongs to an older connection on the same addresses and ports",
    Note.ANSWERS_SYN: "the SYN was refused",
    Note.CLOSED_BEFORE: "the capture does not show whether the peer had closed before",
    Note.NOT_OF_THE_SYN: "it does not acknowledge the SYN",
    Note.OTHER_PATH: "its TTL shows a different number of hops than the sender's other packets: somebody else sent it",
    Note.OFF_COUNT: "its IP identification is off the count of its sender's other packets: somebody else sent it",
}
