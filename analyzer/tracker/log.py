"""The timeline as the kernels write it: a log of each flow, a row for each thing that happens to an endpoint."""

from enum import IntEnum

import numpy as np


class Basis(IntEnum):
    """How a state was learnt; the words of the column `basis` in timeline.csv."""

    SENT = 0  # the endpoint itself sent the segment that makes the transition
    PROVEN = 1  # a later segment of it proves that it had received what makes the transition
    ASSUMED = (
        2  # it crossed the tap, and nothing contradicts that it arrived; TIME_WAIT is never better known than this
    )
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
    NOT_OF_THE_SYN = 12
    OTHER_PATH = 13


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
    Note.NOT_OF_THE_SYN: "its acknowledgment is not that of the SYN",
    Note.OTHER_PATH: "its TTL shows another distance than the sender's other packets: somebody else sent it",
}

# The rows in memory, without gaps: only ``journal`` reads and writes what is packed and what bounds them.
LOG = np.dtype(
    [
        ("time", "<i8"),  # best time
        ("frame", "<u4"),  # 0 where no packet shows it
        ("early", "<u4"),  # how long before the best time the earliest is
        ("late", "<u4"),  # how long after it the latest is
        ("event", "u1"),  # Event; with the state before it says which arrow of the transition table it is
        ("states", "u1"),  # the state before << 4 | the state it leaves the endpoint in
        ("basis", "u1"),
        ("note", "u1"),  # Note | OTHER_SIDE | VOID
    ]
)
UNBOUNDED, ELSEWHERE = np.int64((1 << 32) - 1), np.int64((1 << 32) - 2)  # ``early``: no bound; both in a row of FAR
OTHER_SIDE = 1 << 4  # it is an entry of side 1
VOID = 1 << 5  # a later segment took it back

# A flow takes rows of the log by blocks, chained in the order in which it took them; block 0 belongs to nobody.
ROWS_A_BLOCK = 2
BLOCK = np.dtype([("next_block", "<i4"), ("block_before", "<i4")])
FAR = np.dtype([("next_far", "<i4"), ("_", "<i4"), ("earliest", "<i8"), ("latest", "<i8")])  # bounds far from the time
