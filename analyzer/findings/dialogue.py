"""What rules ask of the dialogue: who sent data last, who closed then, and what was pending (``tcp.dialogue``)."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import phrase
from analyzer.findings.rule import Bools, Choice
from analyzer.tcp.dialogue import ALERT_BYTES_USUAL, Pending, looks_like_alert
from analyzer.tcp.sequence import difference
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger, one_of
from analyzer.units import SECOND, counted

ALERTS_APART = " What looks like a TLS alert is not counted among them."
SYN_AGAIN_NS = 9 * SECOND // 10  # no stack repeats a SYN sooner (RFC 6298: after a second)
TLS_CONTROL_BYTES = 100  # so long are HTTP/2's frames that need no answer, encrypted; requests are longer
HTTP2_CONTROL_BYTES = (9, 13, 17)  # in clear: SETTINGS acknowledged, WINDOW_UPDATE, PING (RFC 9113 6)
WEBSOCKET_CLOSE, WEBSOCKET_PONG = 0x88, 0x8A  # first bytes of control frames, PING between the two
WEBSOCKET_CONTROL_BYTES = 131  # header 2, mask 4, payload up to 125 (RFC 6455 5.5)
FAREWELL_BYTES = 100  # SMTP's answer to QUIT has about 30, SSH's last message 68
EARLY_NS, LATE_NS = SECOND // 100, SECOND // 10  # by so much a time-out may miss its whole second


def pending_at_own_end(ledger: Ledger, *kinds: Pending) -> Bools:
    """Endpoints that ended the dialogue by their FIN or RST, where that was pending."""
    return one_of(ledger.own("pending"), kinds)


def pending_at_end(ledger: Ledger, *kinds: Pending) -> Bools:
    """Where that was pending at the end of the dialogue, whoever ended it, shape (flows, 1)."""
    return np.asarray(pending_at_own_end(ledger, *kinds).any(axis=1, keepdims=True))


def spoke_last(ledger: Ledger) -> Bools:
    """Endpoints that sent the last data before the end of the dialogue, captured or not."""
    unseen = spoke_unseen(ledger)
    return np.asarray((ledger.own("spoke_last") > 0) & ~unseen[:, ::-1] | unseen)


def spoke_unseen(ledger: Ledger) -> Bools:
    """Endpoints that sent data which are not in the capture, and of which the acknowledgment passed after the last data
    that were captured and before the end of the dialogue, or with it."""
    shown = np.maximum(ledger.own("unseen_time"), ledger.own("missing_time"))  # the last, and the first
    spoken, end = (ledger.own(name).max(axis=1, keepdims=True) for name in ("spoken_time", "ended_dialogue"))
    lost = (ledger.own("missing_bytes") > 0) & ~ledger.knows(Known.FIN_INFERRED)  # else a FIN was the last
    return np.asarray(lost & (shown > 0) & (shown >= spoken) & ((shown <= end) | (end == 0)))


def never_used(ledger: Ledger) -> Bools:
    """Where neither side had sent any data before the end of the dialogue, shape (flows, 1)."""
    silent = (ledger.own("turns") == 0) & (ledger.own("missing_bytes") == 0) & (ledger.own("missing_jumps") == 0)
    return np.asarray(silent.all(axis=1, keepdims=True))


class LateOpening(NamedTuple):
    """How long after the first SYN the SYN-ACK came, and its frame, shape (flows, 2); 0 of other connections."""

    after: NDArray[np.int64]
    frame: NDArray[np.int64]

    def words(self) -> dict[str, NDArray[np.int64] | Choice]:
        """The values of a template that says so."""
        return {"late": self.after, "syn_ack": self.frame, "late_stop": phrase(self.after > 0, ".")}


def late_opening(ledger: Ledger) -> LateOpening:
    """Connections that opened late, because a SYN had not been answered, and that the client never used."""
    answer = (ledger.own("syn_ack") > 0) & (ledger.peer("syn_count") > 1) & (ledger.peer("syn_ack") == 0)
    after = ledger.own("syn_time") - ledger.peer("syn_time")
    late = answer & ~ledger.knows(Known.SENT_DATA)[:, ::-1] & (after >= SYN_AGAIN_NS)
    both = np.ones(2, np.int64)
    return LateOpening(
        *((value * late).max(axis=1, keepdims=True) * both for value in (after, ledger.own("syn_frame")))
    )


def spoke_tls(ledger: Ledger) -> Bools:
    """Where both sides sent what begins like TLS records, shape (flows, 1)."""
    return np.asarray((ledger.own("tls") > 0).all(axis=1, keepdims=True))


def may_need_no_answer(ledger: Ledger) -> Bools:
    """Endpoints whose last data before the end of the dialogue may be no more than a control frame of HTTP/2 or
    WebSocket, by their length: with TLS nothing else is known of them. A first byte that was not captured is 0."""
    size, first = ledger.own("spoken_bytes"), ledger.own("last_payload_byte")
    http2 = (first == 0) & one_of(size, HTTP2_CONTROL_BYTES)
    websocket = (first >= WEBSOCKET_CLOSE) & (first <= WEBSOCKET_PONG) & (size <= WEBSOCKET_CONTROL_BYTES)
    plain = (http2 | websocket) & (ledger.own("last_payload") == size)
    control = np.where(spoke_tls(ledger), size <= TLS_CONTROL_BYTES, plain)
    return np.asarray(control & (size > 0))


def alerts_apart(ledger: Ledger) -> Choice:
    """Words for flows in which a side sent what looks like a TLS alert behind the last data of the dialogue."""
    end = np.asarray(ledger.own("ended_dialogue").max(axis=1, keepdims=True))
    last = np.asarray(ledger.own("spoken_frame").max(axis=1, keepdims=True))
    alerted = (ledger.own("data_frame") > last) & (ledger.own("data_time") <= end)
    return phrase(spoke_tls(ledger)[:, 0] & alerted.any(axis=1), ALERTS_APART)


def waited(ledger: Ledger) -> NDArray[Any]:
    """From an endpoint's last data to the end of the dialogue by itself, ns."""
    return np.asarray(ledger.own("ended_dialogue") - ledger.own("spoken_time"), np.int64)


def whole_seconds(length: NDArray[np.int64]) -> Bools:
    """Whether a length of time is a whole number of seconds, as time-outs are set: a program is a little late."""
    return np.asarray((length >= SECOND - EARLY_NS) & ((length + EARLY_NS) % SECOND <= EARLY_NS + LATE_NS))


def never_answered(ledger: Ledger) -> Choice:
    """Words for endpoints that never sent data, with how many bytes of the peer they acknowledged; or that left the
    client's last data unanswered when the client closed."""
    opened = ledger.knows(Known.ISN).all(axis=1, keepdims=True) & (ledger.own("missing_bytes") == 0)
    silent = opened & ~ledger.knows(Known.SENT_DATA) & (ledger.own("missing_jumps") == 0)
    theirs = np.maximum(difference(ledger.own("ack_sent"), ledger.peer("isn")) - 2, 0)  # less SYN and FIN
    count = np.where(silent, theirs, np.where(pending_at_own_end(ledger, Pending.ANSWER)[:, ::-1], -2, -1))
    counts, codes = np.unique(count, return_inverse=True)
    return Choice(codes.reshape(count.shape), tuple(_silence_words(int(number)) for number in counts))


def _silence_words(count: int) -> str:
    if count < 0:
        return " The client's last data before its FIN had not been answered." if count == -2 else ""
    if count == 0:
        return " It had never sent any data, and neither had the other side."
    return f" It had never sent any data; {counted(count, 'byte')} of the other side were never answered."


def sent_tls_alert(ledger: Ledger) -> Bools:
    """Endpoints whose last payload looks like a TLS alert, as the close_notify that is sent before a close. One that is
    padded to more than the usual size is only taken for an alert where both sides speak TLS."""
    size = ledger.own("last_payload")
    alert = looks_like_alert(ledger.own("last_payload_byte"), size)
    return np.asarray(alert & ((size <= ALERT_BYTES_USUAL) | spoke_tls(ledger)))
