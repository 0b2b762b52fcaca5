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


STATE_WORDS: dict[State, str] = {
    State.LISTEN: "waits for a SYN",
    State.SYN_SENT: "sent a SYN",
    State.SYN_RECEIVED: "sent a SYN that acknowledges the peer's",
    State.ESTABLISHED: "the handshake is complete",
    State.FIN_WAIT_1: "sent its FIN, which is not acknowledged yet",
    State.FIN_WAIT_2: "its FIN is acknowledged; waits for the peer's FIN",
    State.CLOSE_WAIT: "received the peer's FIN and has not sent its own",
    State.CLOSING: "the FINs crossed; its own is not acknowledged yet",
    State.LAST_ACK: "sent its FIN after the peer's; waits for the acknowledgment",
    State.TIME_WAIT: "both FINs are acknowledged; stays to answer a repeated FIN",
    State.CLOSED: "the connection does not exist, or no longer exists",
    State.UNKNOWN: "the capture does not show it",
}

# The vocabulary of the column `event` in timeline.csv, with its meaning; indexed by Event.
EVENT_WORDS: dict[Event, tuple[str, str]] = {
    Event.SENT_SYN: ("syn", "sent a SYN"),
    Event.SENT_SYN_ACK: ("syn-ack", "sent a SYN-ACK"),
    Event.RCVD_SYN_ACK: ("ack", "acknowledged the peer's SYN-ACK: the handshake is complete for it"),
    Event.RCVD_ACK_OF_SYN: (
        "ack",
        "received the acknowledgment of its SYN: the handshake is complete for it",
    ),
    Event.SENT_MID_STREAM: ("mid-stream", "its first captured segment belongs to a connection already open"),
    Event.SENT_FIN: ("fin", "sent its FIN"),
    Event.RCVD_FIN: ("peer-fin", "received the peer's FIN, with everything before it"),
    Event.RCVD_ACK_OF_FIN: ("fin-acked", "received the acknowledgment of its FIN"),
    Event.SENT_RST: ("rst", "sent a RST"),
    Event.RCVD_RST: ("peer-rst", "received a RST it had to accept"),
    Event.TIMER: ("timer", "a timer of the host ended the state, which sends no packet"),
    Event.REPLACED: ("replaced", "a new connection on the same addresses and ports took its place"),
    Event.LOST_SIGHT: ("lost-sight", "what decides its next state was not captured"),
    Event.SYN_AGAIN: ("syn-retransmitted", "sent its SYN again"),
    Event.SYN_ACK_AGAIN: ("syn-ack-retransmitted", "sent its SYN-ACK again"),
    Event.FIN_AGAIN: ("fin-retransmitted", "sent its FIN again"),
    Event.ACK_OF_FIN_AGAIN: ("fin-acked-again", "its repeated FIN was acknowledged again"),
    Event.RST_AGAIN: ("rst-repeated", "sent another RST"),
    Event.RST_IGNORED: ("rst-ignored", "a RST that it did not have to accept, or that never reached it"),
    Event.DATA_AFTER_FIN: ("data-after-fin", "sent new data beyond its own FIN"),
    Event.DATA_AFTER_PEER_FIN: ("data-after-peer-fin", "sent data after the peer's FIN"),
    Event.STALE_ACK: ("stale-ack", "answered a SYN with an old acknowledgment"),
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
    Arrow(S.CLOSED, E.SENT_SYN, S.SYN_SENT, "3.10.1", "sent a SYN to open a connection"),
    Arrow(S.LISTEN, E.SENT_SYN_ACK, S.SYN_RECEIVED, "3.10.7.2", "answered a SYN"),
    Arrow(S.SYN_SENT, E.SENT_SYN_ACK, S.SYN_RECEIVED, "3.10.7.3", "SYNs crossed: simultaneous open"),
    Arrow(S.SYN_SENT, E.RCVD_SYN_ACK, S.ESTABLISHED, "3.10.7.3", "SYN acknowledged; connection open"),
    Arrow(
        S.SYN_RECEIVED,
        E.RCVD_ACK_OF_SYN,
        S.ESTABLISHED,
        "3.10.7.4",
        "received the handshake's last ACK; connection open",
    ),
    Arrow(S.UNKNOWN, E.SENT_MID_STREAM, S.ESTABLISHED, "-", "connection already open when the capture began"),
    Arrow(S.ESTABLISHED, E.SENT_FIN, S.FIN_WAIT_1, "3.10.4", "closed first (no FIN received yet)"),
    Arrow(
        S.SYN_RECEIVED,
        E.SENT_FIN,
        S.FIN_WAIT_1,
        "3.10.4",
        "closed before it received the handshake's last ACK",
    ),
    Arrow(
        S.UNKNOWN,
        E.SENT_FIN,
        S.FIN_WAIT_1,
        "-",
        "closed; the capture does not show whether the peer had closed before",
    ),
    Arrow(S.CLOSE_WAIT, E.SENT_FIN, S.LAST_ACK, "3.10.4", "closed, after the peer"),
    Arrow(S.ESTABLISHED, E.RCVD_FIN, S.CLOSE_WAIT, "3.10.7.4", "peer closed; waiting for this side to close"),
    Arrow(
        S.SYN_RECEIVED,
        E.RCVD_FIN,
        S.CLOSE_WAIT,
        "3.10.7.4",
        "peer closed right after the handshake; waiting for this side to close",
    ),
    Arrow(S.UNKNOWN, E.RCVD_FIN, S.CLOSE_WAIT, "-", "acknowledged the peer's FIN; waiting for this side to close"),
    Arrow(
        S.FIN_WAIT_1,
        E.RCVD_ACK_OF_FIN,
        S.FIN_WAIT_2,
        "3.10.7.4",
        "FIN acknowledged; waiting for the peer's FIN",
    ),
    Arrow(S.FIN_WAIT_1, E.RCVD_FIN, S.CLOSING, "3.10.7.4", "FINs crossed; waiting for the ACK of its own FIN"),
    Arrow(S.FIN_WAIT_2, E.RCVD_FIN, S.TIME_WAIT, "3.10.7.4", "peer closed too; both sides are closed"),
    Arrow(
        S.CLOSING,
        E.RCVD_ACK_OF_FIN,
        S.TIME_WAIT,
        "3.10.7.4",
        "FIN acknowledged, after the FINs had crossed; both sides are closed",
    ),
    Arrow(S.LAST_ACK, E.RCVD_ACK_OF_FIN, S.CLOSED, "3.10.7.4", "FIN acknowledged; connection fully closed"),
    Arrow(S.TIME_WAIT, E.TIMER, S.CLOSED, "3.10.8", "TIME_WAIT ended by its timer"),
    Arrow(S.FIN_WAIT_2, E.TIMER, S.CLOSED, "-", "FIN_WAIT_2 ended without the peer's FIN"),
    Arrow(S.TIME_WAIT, E.REPLACED, S.CLOSED, "3.10.7.4", "a new SYN on the same addresses ended TIME_WAIT"),
    Arrow(S.FIN_WAIT_1, E.LOST_SIGHT, S.UNKNOWN, "-", "what decides its next state was not captured"),
    Arrow(S.FIN_WAIT_2, E.LOST_SIGHT, S.UNKNOWN, "-", "what decides its next state was not captured"),
]
_GONE = [
    Arrow(state, E.REPLACED, S.CLOSED, "-", "gone: a new connection uses the same addresses and ports")
    for state in State
    if state not in (S.CLOSED, S.TIME_WAIT)
]
_RESETS = [
    Arrow(state, E.SENT_RST, S.CLOSED, "3.5.2", "reset the connection")
    for state in State
    if state not in (S.CLOSED, S.SYN_SENT)
] + [
    Arrow(S.SYN_SENT, E.SENT_RST, S.CLOSED, "3.5.2", "cancelled its connection attempt"),
    *(
        Arrow(state, E.RCVD_RST, S.CLOSED, "3.5.3", "a RST in the peer's name ended the connection")
        for state in State
        if state not in (S.CLOSED, S.LISTEN)
    ),
]
_STAYS = [
    *(
        Arrow(s, E.SYN_AGAIN, s, "3.8.1", "SYN sent again: its sender had taken no answer")
        for s in (S.SYN_SENT, S.SYN_RECEIVED)
    ),
    Arrow(
        S.SYN_RECEIVED,
        E.SYN_ACK_AGAIN,
        S.SYN_RECEIVED,
        "3.8.1",
        "SYN-ACK sent again: its sender had taken no acknowledgment of it",
    ),
    *(
        Arrow(s, E.FIN_AGAIN, s, "3.8.1", "FIN sent again: its sender had taken no acknowledgment of it")
        for s in (S.FIN_WAIT_1, S.CLOSING, S.LAST_ACK)
    ),
    *(
        Arrow(s, E.ACK_OF_FIN_AGAIN, s, "3.10.7.4", "peer acknowledged the repeated FIN")
        for s in (S.FIN_WAIT_2, S.TIME_WAIT, S.CLOSED)
    ),
    Arrow(
        S.CLOSE_WAIT,
        E.DATA_AFTER_PEER_FIN,
        S.CLOSE_WAIT,
        "3.6.1",
        "sends data after the peer's FIN, which a half-close permits",
    ),
    Arrow(S.CLOSED, E.RST_AGAIN, S.CLOSED, "3.5.2", "sent another RST"),
    Arrow(S.SYN_SENT, E.RST_AGAIN, S.SYN_SENT, "3.10.7.3", "sent a RST: the answer does not fit its SYN"),
    Arrow(S.CLOSED, E.SENT_RST, S.CLOSED, "3.5.2", "sent a RST: it has no such connection"),
    *(Arrow(s, E.RST_IGNORED, s, "-", "RST without effect") for s in State),
    Arrow(
        S.UNKNOWN,
        E.STALE_ACK,
        S.UNKNOWN,
        "3.10.7.4",
        "answered a SYN with an old acknowledgment",
    ),
    *(Arrow(s, E.CAPTURE_END, s, "-", "the capture ends") for s in State),
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
