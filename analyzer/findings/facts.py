"""What several rules ask of the ledger, said once. Shapes as in the ledger: (flows, 2) for endpoints."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import crossed
from analyzer.findings.rule import Bools, Choice
from analyzer.tcp.sequence import difference
from analyzer.tcp.states import State
from analyzer.tracker.ledger import Answered, Known
from analyzer.tracker.outcome import Ledger, one_of
from analyzer.tracker.rst import Reception
from analyzer.tracker.vocabularies import Handshake, RstCause

LONG_NS = 1_000_000_000  # a shorter silence is none: nobody's idle timer is that short
CAUGHT_UP_NS = 1_000_000_000  # what was under way when the capture went on is acknowledged by then
NO_GAP = np.iinfo(np.int64).min
JUST_ARRIVED_NS = 1_000_000  # what has just arrived in the kernel no application has looked at


def on_side(fires: Bools, side: NDArray[Any]) -> Bools:
    """A mask of flows as a mask of endpoints: True at ``side``."""
    endpoints = np.empty((len(fires), 2), np.bool_, order="F")
    endpoints[:, 0], endpoints[:, 1] = fires & (side == 0), fires & (side == 1)
    return endpoints


def resetter(ledger: Ledger, *causes: RstCause) -> Bools:
    """The endpoints whose RST ended the flow for one of ``causes``."""
    return on_side(one_of(ledger.rst_cause, causes), ledger.rst_side)


def reset_victim(ledger: Ledger, *causes: RstCause) -> Bools:
    """The endpoints that received the RST that ended the flow for one of ``causes``."""
    return np.asarray(resetter(ledger, *causes)[:, ::-1])


def acceptance_unknown(ledger: Ledger, whose: str = "own") -> Bools:
    """Where it is not known whether the receiver had to accept the RST of the endpoint (or of its ``peer``)."""
    verdict = ledger.own("rst_verdict") if whose == "own" else ledger.peer("rst_verdict")
    return np.asarray(verdict == Reception.BLIND)


def is_client(ledger: Ledger) -> Bools:
    """Which of the two endpoints of each flow is the client, shape (flows, 2)."""
    return np.stack([ledger.client == 0, ledger.client == 1]).T


def state_is(ledger: Ledger, *states: State) -> Bools:
    return one_of(ledger.own("state"), states)


def gaps(ledger: Ledger) -> Bools:
    """Flows of which segments or a whole direction are known to be missing, or may be: shape (flows,)."""
    missing = (ledger.own("missing_bytes") > 0) | (ledger.own("missing_jumps") > 0)
    return np.asarray(missing.any(axis=1) | ledger.one_sided | ledger.interrupted)


def not_captured(ledger: Ledger) -> Bools:
    """Endpoints of which nothing was captured though the peer shows that they exist."""
    return np.asarray((ledger.own("packets") == 0) & ledger.one_sided[:, None])


def opening_not_captured(ledger: Ledger) -> Bools:
    """Flows whose opening was not captured, shape (flows,)."""
    return np.asarray(ledger.handshake == Handshake.NOT_CAPTURED)


def known_until(ledger: Ledger, heard: NDArray[np.int64]) -> NDArray[np.int64]:
    """When endpoints last ``heard`` of then are out of sight, shape (flows, 2): at the first gap in the capture after
    that or at its end, or when a newer connection took their addresses and ports."""
    taken, until = ledger.flow("replaced_time")[:, None], ledger.watched_until(heard)
    return np.asarray(np.where(taken > 0, np.minimum(taken, until), until), np.int64)


def close_wait_known_until(ledger: Ledger) -> NDArray[np.int64]:
    """The same of endpoints in CLOSE_WAIT. Whoever still answers after a gap, in the same numbers, was so within it."""
    return known_until(ledger, np.maximum(ledger.own("close_wait_time"), ledger.own("last_time")))


def idle_in_close_wait(ledger: Ledger) -> NDArray[np.int64]:
    """For endpoints in CLOSE_WAIT: ns from their acknowledgment of the peer's FIN, or their last data after it, till
    they are over."""
    since = np.maximum(ledger.peer("fin_acked_time"), np.where(after_peer_fin(ledger), ledger.own("data_time"), 0))
    return np.asarray(np.maximum(close_wait_known_until(ledger) - since, 0), np.int64)


def unwatched(ledger: Ledger, begin: NDArray[np.int64], end: NDArray[np.int64]) -> Bools:
    """Where a gap in the capture lies between two moments: what did not happen between them cannot be said."""
    return crossed(ledger.gaps, *np.broadcast_arrays(begin, end))


def passed_in_gap(ledger: Ledger, shown: NDArray[np.int64]) -> Bools:
    """Endpoints of which something that a segment shows at the time ``shown`` may have passed in a gap in the capture:
    since the connection began, or just before its first segment, where that was no opening."""
    first = ledger.flow("first_time")[:, None]
    behind = (
        opening_not_captured(ledger)[:, None]
        & (first >= ledger.gaps[:1, 1].max(initial=NO_GAP))
        & (len(ledger.gaps) > 0)
    )
    return np.asarray(unwatched(ledger, first, shown) | (behind & (shown - first < CAUGHT_UP_NS)))


def until_words(ledger: Ledger, until: NDArray[np.int64], words: Sequence[str]) -> Choice:
    """``words`` for endpoints that are out of sight at ``until``: by a newer connection, at a gap, at the end."""
    taken, gap = ledger.flow("replaced_time")[:, None] == until, np.isin(until, ledger.gaps[:, 0])
    return phrases([taken, gap & ~taken], words[:2], words[2])


def after_peer_fin(ledger: Ledger) -> Bools:
    """Endpoints that sent new data although they had received the peer's FIN."""
    return np.asarray(ledger.own("half_close_bytes") > 0)


def aborted(ledger: Ledger) -> Bools:
    """Endpoints that ended an open connection by a RST that answers nothing."""
    open_before = (ledger.own("established_time") > 0) | opening_not_captured(ledger)[:, None]
    alone = ledger.own("rst_frame") == ledger.flow("first_frame")[:, None]  # nothing but the RST is known
    heard = ~ledger.knows(Known.SENT_DATA) | ledger.knows(Known.ACK)[:, ::-1]  # else nobody knows what is outstanding
    return np.asarray(resetter(ledger, RstCause.ABORT) & open_before & ~alone & heard)


def lost_connection(ledger: Ledger) -> Bools:
    """Endpoints that had an open connection and answered a segment with the RST of a host that has none."""
    first = (ledger.own("fin_count") == 0) & (ledger.own("rst_nth") == 1)
    unasked = ledger.own("rst_answers") == Answered.SYN_ACK  # an answer to nothing that it asked: backscatter
    return np.asarray(resetter(ledger, RstCause.NO_CONNECTION) & first & ~ledger.never_open[:, None] & ~unasked)


def ended_silence(ledger: Ledger, frame: NDArray[Any]) -> NDArray[np.int64]:
    """How long the silence of the flow was that the endpoint's segment in ``frame`` ended, ns; 0 where it ended none
    of a second or more, or not its longest."""
    long = (ledger.own("idle_longest_frame") == frame) & (ledger.own("idle_longest") >= LONG_NS)
    return np.asarray(np.where(long, ledger.own("idle_longest"), 0), np.int64)


def first_unanswered(ledger: Ledger) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The frame and time of what an endpoint sent before its FIN and from which on nothing was acknowledged; where that
    is the FIN itself, of the FIN."""
    fin, run = ledger.own("fin_time"), ledger.own("run_time")
    lost = difference(ledger.own("run_end"), ledger.peer("ack_sent")) > 0  # else it was a repeat of what had arrived
    before = lost & (ledger.own("run_frame") > 0) & (run < fin) & (ledger.own("fin_acked_frame") == 0)
    return np.where(before, ledger.own("run_frame"), ledger.own("fin_frame")), np.where(before, run, fin)


def by_third_party(ledger: Ledger) -> Bools:
    """Endpoints in whose name somebody else sent the RST that counts (TD309)."""
    same = ledger.own("third_party_frame") == ledger.own("rst_frame")
    return np.asarray((ledger.own("third_party") > 0) & same)


def met_by_reset(ledger: Ledger) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The frame and time of the segment that met the endpoint's RST: the one it answers. What somebody else sends in
    its name need not have the numbers of an answer; there it is the receiver's last segment, if that was the flow's
    last before the RST, by less than a second. 0 where there is none."""
    frame, when = ledger.own("rst_answers_frame"), ledger.own("rst_answers_time")
    idle, last = ledger.own("rst_idle"), ledger.peer("last_time")
    close = by_third_party(ledger) & (idle < LONG_NS) & (last == ledger.own("rst_time") - idle)
    behind = close & (frame == 0) & (ledger.peer("last_frame") < ledger.own("rst_frame"))
    return np.where(behind, ledger.peer("last_frame"), frame).astype(np.int64), np.where(behind, last, when)


def since_peer_fin(ledger: Ledger) -> NDArray[np.int64]:
    """From the peer's FIN passing the tap to the segment that its RST answers, ns; below 0 if the FIN came after."""
    return np.asarray(ledger.peer("rst_answers_time") - ledger.peer("fin_time"), np.int64)


def within_round_trip(ledger: Ledger) -> Bools:
    """Endpoints that could hardly know of the peer's FIN when they sent what met the RST."""
    tap_rtt = np.maximum(ledger.own("tap_rtt"), 0) + np.maximum(ledger.peer("tap_rtt"), 0)
    return np.asarray(since_peer_fin(ledger) <= tap_rtt + JUST_ARRIVED_NS)


def fin_acked(ledger: Ledger) -> Bools:
    """Endpoints whose FIN is taken to have been acknowledged."""
    return ledger.knows(Known.FIN_ACKED)


def phrase(condition: Bools, yes: str, no: str = "") -> Choice:
    """Words that depend on a condition, as a value for a template."""
    return Choice(condition.astype(np.uint8), (no, yes))


def phrases(conditions: Sequence[Bools], words: Sequence[str], otherwise: str) -> Choice:
    """The words of the first condition that holds, as a value for a template."""
    shape = np.broadcast_shapes(*(condition.shape for condition in conditions))
    codes = np.zeros(shape, np.uint8, order="F")  # as the columns of endpoints are
    for place, condition in reversed(list(enumerate(conditions, 1))):
        np.copyto(codes, np.uint8(place), where=condition)
    return Choice(codes, (otherwise, *words))


def earliest(ledger: Ledger, name: str) -> NDArray[np.int64]:
    """The lower of the two endpoints' frames or times, 0 where neither has one; shape (flows,)."""
    both = ledger.own(name)
    return np.asarray(np.where(both.all(axis=1), both.min(axis=1), both.max(axis=1)), np.int64)
