"""The dialogue of a connection: who sends data, who waits for an answer, and what was pending when it was closed.

All that is known of it are lengths and acknowledgments. A **turn** begins when the side that sends payload changes: a
request, its answer and the next request are three turns. Data count where they pass for the first time; repeats and
keep-alive probes do not. Neither does a TLS alert where the payload was captured: a close_notify is a farewell, and
whoever sends one asks for nothing and answers nothing.

The dialogue ends with the first FIN, or the first RST that its receiver had to accept, whoever sent that. What is
pending then follows from whose data were the last, from whether they had been acknowledged, and from who closes:

    last data     closed by   acknowledged   pending
    client's      client      yes            answer: the client closes, and has no answer to what it sent last
    client's      client      no             request-in-flight: what it sent last may not have arrived
    client's      server      either         request-in-flight: the server closes, and did not answer
    server's      client      no             mid-answer: a part of the answer was still on its way
    server's      client      yes            mid-answer if the client closes by a FIN and the server, which does not
                                             know of it yet, sends more new data within a second; else nothing
    server's      server      no, by RST     mid-answer: the answer was cut off
    server's      server      else           nothing: it sent what it had to send, and closed

Packets do not tell whether an answer was due. After a last message that needs none, such as an upload, the place in the
dialogue is the same. A server that speaks first (a greeting) begins with a turn of its own; if the client closes after
it without a word, nothing is pending.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from analyzer.kernels import helper
from analyzer.units import SECOND

TLS_ALERT = 21  # first byte of a TLS record that carries an alert (RFC 8446 5.1)
TLS_HANDSHAKE = 22
TLS_DATA = 23  # TLS 1.3 sends everything under the type of application data (RFC 8446 5.2)
ALERT_BYTES = 325  # header 5, IV 16, and alert 2, MAC 48, padding up to 256 in blocks of 16 (RFC 5246 6.2.3.2)
ALERT_BYTES_USUAL = 64  # 7 in clear, 31 with AES-GCM, 53 with CBC and SHA-1
ALERT_BYTES_1_3 = 24  # header 5, alert 2, its real type 1, tag 16
AT_ONCE_NS = np.int64(SECOND)  # who sends more data so soon is in the middle of them


class Pending(IntEnum):
    """What was pending when the dialogue ended; PENDING_WORDS has the meanings."""

    NOT_CLOSED = 0
    NOTHING = 1
    ANSWER = 2
    REQUEST_IN_FLIGHT = 3
    MID_ANSWER = 4
    UNKNOWN = 5


PENDING_WORDS = {
    Pending.NOTHING: "the server had sent the last data, and the client had acknowledged them, or the server closed "
    "with a FIN behind them; or nobody had sent data",
    Pending.ANSWER: "the client closed; the last data were its own, acknowledged and not answered; whether they needed "
    "an answer, packets do not show",
    Pending.REQUEST_IN_FLIGHT: "the last data were the client's; they were not all acknowledged, or the server closed "
    "without answering them",
    Pending.MID_ANSWER: "the server's last data were not all acknowledged when the client closed or either side reset, "
    "or the server, not knowing of the client's FIN yet, sent more within a second of them",
    Pending.UNKNOWN: "segments are missing from the capture, or neither the opening nor any data were captured",
}
NOTHING, ANSWER, REQUEST_IN_FLIGHT, MID_ANSWER = (np.int64(code) for code in list(Pending)[1:5])


def begins_record(first_byte: Any) -> Any:
    """Whether a payload with that first byte may begin a TLS record of the handshake or of data: of two sides of which
    both send such, it is taken that they speak TLS. For numbers and for arrays."""
    return (first_byte | 1) == TLS_DATA


def looks_like_alert(first_byte: Any, size: Any) -> Any:
    """Whether a payload of ``size`` bytes looks like a TLS alert, as the close_notify that is sent before a close."""
    disguised = (first_byte == TLS_DATA) & (size == ALERT_BYTES_1_3)
    return disguised | ((first_byte == TLS_ALERT) & (size <= ALERT_BYTES))


is_record: Any = helper(begins_record)
"""The same for kernels."""
is_alert: Any = helper(looks_like_alert)
"""The same for kernels."""


@helper
def pending_at_close(spoken_by_client, closed_by_client, by_rst, acknowledged):
    """What is pending (Pending) when somebody closes, by FIN or ``by_rst``, and somebody has sent data."""
    if spoken_by_client:
        return ANSWER if closed_by_client and acknowledged else REQUEST_IN_FLIGHT
    return MID_ANSWER if not acknowledged and (closed_by_client or by_rst) else NOTHING
