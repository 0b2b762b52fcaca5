"""The timeline as the kernels write it: an append-only log, a row for each thing that happens to an endpoint."""

from enum import IntEnum

import numpy as np


class Basis(IntEnum):
    """How a state was learnt; the words of the column `basis` in timeline.csv."""

    SENT = 0  # the endpoint itself sent the segment that makes the transition
    PROVEN = 1  # a later segment of it proves that it had received what makes the transition
    ASSUMED = 2  # it crossed the tap; nothing contradicts that it arrived
    TIMER = 3  # no packet can show it; the profile of timers in force is named
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


NOTE_WORDS = {
    Note.NONE: "",
    Note.UNEXPECTED: "not expected in this state",
    Note.FIN_NOT_CAPTURED: "the FIN itself was not captured; the acknowledgments point to it",
    Note.PEER_NOT_CAPTURED: "the peer's segment was not captured; this one proves it",
    Note.OUTSIDE_WINDOW: "its sequence number is not the one its receiver awaits",
    Note.WENT_ON: "the receiver went on as if it had never come",
    Note.NOT_ITS_OWN: "the alleged sender went on: somebody else sent it",
    Note.HAD_EXPIRED: "the RST shows that it no longer knew the connection",
    Note.IN_NO_TIME: "FIN and acknowledgment came in one segment",
    Note.OLD_CONNECTION: "the answer belongs to an older connection on the same addresses and ports",
    Note.ANSWERS_SYN: "the SYN was refused",
    Note.CLOSED_BEFORE: "whether the peer had closed before was not captured",
}

LOG = np.dtype(
    [
        ("end", "<i4"),  # row of the endpoint
        ("previous", "<i4"),  # the endpoint's log row before this one, 0 none
        ("event", "u1"),  # Event
        ("arrow", "u1"),  # row of the transition table, NO_ARROW where it has none
        ("from_state", "u1"),
        ("state", "u1"),
        ("basis", "u1"),
        ("note", "u1"),
        ("void", "u1"),  # 1: a later segment took it back
        ("_", "u1"),
        ("time", "<i8"),  # best time
        ("earliest", "<i8"),  # 0 where there is no bound
        ("latest", "<i8"),
        ("frame", "<i8"),  # 0 where no packet shows it
    ]
)
