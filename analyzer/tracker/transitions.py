"""The TCP state machine, as one table. Read this first.

A row is an arrow: in this state, at this event, go to that state; with the section of RFC 9293 that says so and
the words a person would use. Rows whose next state equals the state say "legal, nothing changes", so that silence
and surprise differ: an event for which a state has no row is *unexpected*. It is recorded, moves nothing, and a
rule may judge it; it is never an error of the program.

Events are named from the endpoint's own side: SENT_FIN moves the endpoint that sent it. What an endpoint
*received* no capture can show directly; how it is proven or assumed is the business of the other files here.

The table compiles to ``ARROWS[state, event]`` (row number, or NO_ARROW) and ``NEXT[row]``; the kernels record row
numbers, and reports quote the section and the words of the row. The diagram in the docs is drawn from the same rows.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class State(IntEnum):
    """The states of RFC 9293, and UNKNOWN for what the capture did not show."""

    UNKNOWN = 0
    CLOSED = 1
    LISTEN = 2
    SYN_SENT = 3
    SYN_RECEIVED = 4
    ESTABLISHED = 5
    FIN_WAIT_1 = 6
    FIN_WAIT_2 = 7
    CLOSING = 8
    TIME_WAIT = 9
    CLOSE_WAIT = 10
    LAST_ACK = 11


class Event(IntEnum):
    """What happens to an endpoint. The first group can move it, the second is only recorded."""

    SENT_SYN = 0
    SENT_SYN_ACK = 1
    RCVD_SYN_ACK = 2
    RCVD_ACK_OF_SYN = 3
    SENT_MID_STREAM = 4
    SENT_FIN = 5
    RCVD_FIN = 6
    RCVD_ACK_OF_FIN = 7
    SENT_RST = 8
    RCVD_RST = 9
    TIMER = 10
    REPLACED = 11
    LOST_SIGHT = 12

    SYN_AGAIN = 13
    SYN_ACK_AGAIN = 14
    FIN_AGAIN = 15
    ACK_OF_FIN_AGAIN = 16
    RST_AGAIN = 17
    RST_IGNORED = 18
    DATA_AFTER_FIN = 19
    DATA_AFTER_PEER_FIN = 20
    STALE_ACK = 21
    CAPTURE_END = 22


# The vocabulary of the column `event` in timeline.csv, with its meaning; indexed by Event.
EVENT_WORDS: dict[Event, tuple[str, str]] = {
    Event.SENT_SYN: ("syn", "it sent a SYN"),
    Event.SENT_SYN_ACK: ("syn-ack", "it sent a SYN-ACK"),
    Event.RCVD_SYN_ACK: ("ack", "it acknowledged the peer's SYN-ACK: the handshake is complete for it"),
    Event.RCVD_ACK_OF_SYN: (
        "ack",
        "the acknowledgment of its SYN reached it: the handshake is complete for it",
    ),
    Event.SENT_MID_STREAM: ("mid-stream", "its first captured segment belongs to a connection already open"),
    Event.SENT_FIN: ("fin", "it sent its FIN"),
    Event.RCVD_FIN: ("peer-fin", "it received the peer's FIN, with everything before it"),
    Event.RCVD_ACK_OF_FIN: ("fin-acked", "the acknowledgment of its FIN reached it"),
    Event.SENT_RST: ("rst", "it sent a RST"),
    Event.RCVD_RST: ("peer-rst", "it received a RST it had to accept"),
    Event.TIMER: ("timer", "a timer ended the state; no packet shows it"),
    Event.REPLACED: ("replaced", "a new connection on the same addresses and ports took its place"),
    Event.LOST_SIGHT: ("lost-sight", "what decides its next state was not captured"),
    Event.SYN_AGAIN: ("syn-retransmitted", "it repeated its SYN"),
    Event.SYN_ACK_AGAIN: ("syn-ack-retransmitted", "it repeated its SYN-ACK"),
    Event.FIN_AGAIN: ("fin-retransmitted", "it repeated its FIN"),
    Event.ACK_OF_FIN_AGAIN: ("fin-acked-again", "its repeated FIN was acknowledged again"),
    Event.RST_AGAIN: ("rst-repeated", "it sent a further RST"),
    Event.RST_IGNORED: ("rst-ignored", "a RST came that it did not have to accept, or that never reached it"),
    Event.DATA_AFTER_FIN: ("data-after-fin", "it sent new data beyond its own FIN"),
    Event.DATA_AFTER_PEER_FIN: ("data-after-peer-fin", "it went on sending data after the peer's FIN"),
    Event.STALE_ACK: ("stale-ack", "it answered a SYN with the acknowledgment of an older connection"),
    Event.CAPTURE_END: ("capture-end", "the capture ended with the endpoint in this state"),
}


class Arrow(NamedTuple):
    """One row of the table: ``section`` is of RFC 9293 unless it names another source."""

    state: State
    event: Event
    next: State
    section: str
    words: str


S, E = State, Event

_MOVES = [
    Arrow(S.CLOSED, E.SENT_SYN, S.SYN_SENT, "3.10.1", "it asked for a connection"),
    Arrow(S.LISTEN, E.SENT_SYN_ACK, S.SYN_RECEIVED, "3.10.7.2", "it answered a SYN"),
    Arrow(S.SYN_SENT, E.SENT_SYN_ACK, S.SYN_RECEIVED, "3.10.7.3", "the SYNs crossed: simultaneous open"),
    Arrow(S.SYN_SENT, E.RCVD_SYN_ACK, S.ESTABLISHED, "3.10.7.3", "its SYN was answered and acknowledged"),
    Arrow(S.SYN_RECEIVED, E.RCVD_ACK_OF_SYN, S.ESTABLISHED, "3.10.7.4", "the handshake's last ACK reached it"),
    Arrow(S.UNKNOWN, E.SENT_MID_STREAM, S.ESTABLISHED, "-", "the capture began with the connection already open"),
    Arrow(S.ESTABLISHED, E.SENT_FIN, S.FIN_WAIT_1, "3.10.4", "it closed, knowing of no FIN of the peer"),
    Arrow(
        S.SYN_RECEIVED,
        E.SENT_FIN,
        S.FIN_WAIT_1,
        "3.10.4",
        "it closed before the handshake's last ACK reached it",
    ),
    Arrow(
        S.UNKNOWN,
        E.SENT_FIN,
        S.FIN_WAIT_1,
        "-",
        "it closed; whether the peer had closed before was not captured",
    ),
    Arrow(S.CLOSE_WAIT, E.SENT_FIN, S.LAST_ACK, "3.10.4", "it closed too"),
    Arrow(S.ESTABLISHED, E.RCVD_FIN, S.CLOSE_WAIT, "3.10.7.4", "the peer closed; its own close is awaited"),
    Arrow(S.SYN_RECEIVED, E.RCVD_FIN, S.CLOSE_WAIT, "3.10.7.4", "the peer closed at once"),
    Arrow(S.UNKNOWN, E.RCVD_FIN, S.CLOSE_WAIT, "-", "it acknowledged the peer's FIN"),
    Arrow(
        S.FIN_WAIT_1,
        E.RCVD_ACK_OF_FIN,
        S.FIN_WAIT_2,
        "3.10.7.4",
        "its FIN was acknowledged; the peer's is awaited",
    ),
    Arrow(S.FIN_WAIT_1, E.RCVD_FIN, S.CLOSING, "3.10.7.4", "the FINs crossed"),
    Arrow(S.FIN_WAIT_2, E.RCVD_FIN, S.TIME_WAIT, "3.10.7.4", "the peer closed too"),
    Arrow(
        S.CLOSING,
        E.RCVD_ACK_OF_FIN,
        S.TIME_WAIT,
        "3.10.7.4",
        "its FIN was acknowledged after the FINs had crossed",
    ),
    Arrow(S.LAST_ACK, E.RCVD_ACK_OF_FIN, S.CLOSED, "3.10.7.4", "its FIN was acknowledged: all is over for it"),
    Arrow(S.TIME_WAIT, E.TIMER, S.CLOSED, "3.10.8", "TIME_WAIT ended"),
    Arrow(S.FIN_WAIT_2, E.TIMER, S.CLOSED, "Linux tcp_fin_timeout", "it had given up waiting for the peer's FIN"),
    Arrow(S.TIME_WAIT, E.REPLACED, S.CLOSED, "3.10.7.4", "a new SYN was accepted in TIME_WAIT"),
    Arrow(S.FIN_WAIT_1, E.LOST_SIGHT, S.UNKNOWN, "-", "what would tell its next state was not captured"),
    Arrow(S.FIN_WAIT_2, E.LOST_SIGHT, S.UNKNOWN, "-", "what would tell its next state was not captured"),
]
_GONE = [
    Arrow(state, E.REPLACED, S.CLOSED, "-", "a new connection on its addresses and ports shows that it was gone")
    for state in State
    if state not in (S.CLOSED, S.TIME_WAIT)
]
_RESETS = [
    Arrow(state, E.SENT_RST, S.CLOSED, "3.5.2", "it reset the connection")
    for state in State
    if state not in (S.CLOSED, S.SYN_SENT)
] + [
    Arrow(S.SYN_SENT, E.SENT_RST, S.CLOSED, "3.5.2", "it abandoned the connection it had asked for"),
    *(
        Arrow(state, E.RCVD_RST, S.CLOSED, "3.5.3", "the peer reset the connection")
        for state in State
        if state not in (S.CLOSED, S.LISTEN)
    ),
]
_STAYS = [
    *(Arrow(s, E.SYN_AGAIN, s, "3.8.1", "its SYN had not been answered") for s in (S.SYN_SENT, S.SYN_RECEIVED)),
    Arrow(S.SYN_RECEIVED, E.SYN_ACK_AGAIN, S.SYN_RECEIVED, "3.8.1", "its SYN-ACK had not been acknowledged"),
    *(
        Arrow(s, E.FIN_AGAIN, s, "3.8.1", "its FIN had not been acknowledged")
        for s in (S.FIN_WAIT_1, S.CLOSING, S.LAST_ACK)
    ),
    *(
        Arrow(s, E.ACK_OF_FIN_AGAIN, s, "3.10.7.4", "the peer acknowledged the repeated FIN")
        for s in (S.FIN_WAIT_2, S.TIME_WAIT, S.CLOSED)
    ),
    Arrow(S.CLOSE_WAIT, E.DATA_AFTER_PEER_FIN, S.CLOSE_WAIT, "3.6.1", "a half-closed connection may still send"),
    *(Arrow(s, E.RST_AGAIN, s, "3.5.2", "each late segment draws its own RST") for s in (S.CLOSED, S.SYN_SENT)),
    Arrow(S.CLOSED, E.SENT_RST, S.CLOSED, "3.5.2", "it knew no such connection"),
    *(Arrow(s, E.RST_IGNORED, s, "RFC 5961 3.2", "a RST outside RCV.NXT changes nothing") for s in State),
    Arrow(S.UNKNOWN, E.STALE_ACK, S.UNKNOWN, "3.10.7.4", "an older connection on this tuple still answers"),
    *(Arrow(s, E.CAPTURE_END, s, "-", "the capture ended") for s in State),
]

TABLE: tuple[Arrow, ...] = (*_MOVES, *_GONE, *_RESETS, *_STAYS)
NO_ARROW = 255


def _compile() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """``ARROWS`` uint8[state, event] -> row number or NO_ARROW, and ``NEXT`` uint8[row] -> next state."""
    arrows = np.full((len(State), len(Event)), NO_ARROW, np.uint8)
    for number, arrow in enumerate(TABLE):
        if arrows[arrow.state, arrow.event] != NO_ARROW:
            raise AssertionError(f"two arrows for {arrow.state.name} at {arrow.event.name}")
        arrows[arrow.state, arrow.event] = number
    return arrows, np.array([arrow.next for arrow in TABLE], np.uint8)


ARROWS, NEXT = _compile()
