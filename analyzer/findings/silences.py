"""The silence, or the wait, that ended a flow: who acted, what the connection waited for, and how long, by each clock.

There are four ways in which a silence may end a connection, and a function for each: ``before_fin``, ``before_reset``,
``before_answered`` (a segment sent after it met a RST) and ``before_loss`` (nothing that was sent after it arrived), or
``before_lost_fin`` where that was a FIN.
Which known timers fit is asked in ``fitting_timers.py``.

Lengths count from different moments, by the clock of a timer (CLOCKS of the catalogue): from the last segment, the
last data, the handshake. A timer that acts is compared with the exact length. Of one that is silent nothing but a lower
bound is known, so there the silence itself stands for all clocks that cannot have begun later.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.dialogue import may_need_no_answer
from analyzer.findings.facts import (
    LONG_NS,
    by_third_party,
    ended_silence,
    first_unanswered,
    met_by_reset,
    opening_not_captured,
)
from analyzer.findings.rule import Bools
from analyzer.tcp import timer_catalogue
from analyzer.tcp.dialogue import Pending
from analyzer.tcp.timer_catalogue import EARLY_NS, LATE_NS
from analyzer.tracker.outcome import Ledger, one_of
from analyzer.tracker.vocabularies import CLIENT, SIDES, Handshake

Longs = NDArray[np.int64]
WAITS = tuple(timer_catalogue.WAITS)
HANDSHAKE, UNUSED, ANSWER, MID_ANSWER, IDLE, UNACKNOWLEDGED, HALF_CLOSED, CLOSED = range(len(WAITS))
ENDS: Mapping[str, str] = {  # how a silence ended
    "fin": "somebody sent the first FIN",
    "rst": "somebody sent a RST that answers nothing",
    "rst-to-next": "the first segment after it met the RST of a host that has no such connection",
    "nothing": "what was sent after it was never answered",
}
BY_FIN, BY_RST, BY_RST_TO_NEXT, BY_NOTHING = range(len(ENDS))
RESETS = tuple(timer_catalogue.RESETS)
OWN_RESET, UNREAD, BY_THIRD_PARTY, NO_FIN = range(len(RESETS))
NOT_KNOWN = -1
MINUTE_NS = 60 * 10**9
WAITED_FOR = {Pending.ANSWER: ANSWER, Pending.REQUEST_IN_FLIGHT: ANSWER, Pending.MID_ANSWER: MID_ANSWER}
ASKED = (Pending.ANSWER, Pending.REQUEST_IN_FLIGHT)
SURVIVED = {"packet": "idle", "data": "data_idle"}  # by clock, the column of the longest that was survived
SHOWN = ("missing_time", "unseen_time")  # when the first and the last was shown of what the capture lacks
SILENT_CLOCKS = ("packet", "packet-client", "data", "data-client")  # none of them began later than the silence


class Silences(NamedTuple):
    """What ended each of some flows, shape (flows,); times and lengths in ns, NOT_KNOWN where they are not known."""

    ended: Bools  # whether a silence of a second or more did
    side: Longs  # who sent the FIN or RST, or gave up
    by_client: Bools  # whether that is the client
    waits: Longs  # places in WAITS
    ends: int  # place in ENDS
    length: Longs  # how long nothing at all had been sent
    lengths: Mapping[str, Longs]  # by the clocks of the catalogue that are known
    survived: Mapping[str, Longs]  # the longest wait by each clock that the same connection had survived before
    when: Longs  # it ended
    frame: Longs  # that ended it
    round_trip: Longs
    port: Longs  # the server's
    reset: Longs  # places in RESETS, where a RST ended it

    def where(self, some: Bools) -> "Silences":
        """These of some flows only."""
        return self._replace(ended=self.ended & some)


def before_reset(ledger: Ledger) -> Silences:
    """The silence that a RST ended which answers nothing."""
    side = ledger.rst_side
    when, waits = ledger.of_side("rst_time", side), _waits(ledger, ledger.rst_side, "rst_time")
    unacked = (ledger.of_side("rst_unacked", side) > 0) & (waits < HALF_CLOSED)
    frame, foreign = ledger.of_side("rst_frame", side), _of_side(by_third_party(ledger), side)
    unread = (ledger.of_side("rst_unread", side) > 0) | (waits == ANSWER) & (side != ledger.client)
    found = _silences(
        ledger,
        side,
        BY_RST,
        np.where(unacked, UNACKNOWLEDGED, waits),
        ledger.of_side("rst_idle", side),
        _clocks(ledger, side, when),
        when,
        frame,
    )
    return found._replace(reset=np.select([foreign, unread], [BY_THIRD_PARTY, UNREAD], OWN_RESET))


def before_fin(ledger: Ledger) -> Silences:
    """The silence that the first FIN ended."""
    side = ledger.first_fin_side
    when = ledger.of_side("fin_time", side)
    first = ledger.flow("close_side").astype(np.int64) - 1 == side
    length, frame = np.where(first, ledger.flow("close_idle"), 0), ledger.of_side("fin_frame", side)
    waits = _waits(ledger, side, "fin_time")
    return _silences(ledger, side, BY_FIN, waits, length, _clocks(ledger, side, when), when, frame)


def before_answered(ledger: Ledger) -> Silences:
    """The silence that a segment ended which met a RST: its receiver had forgotten the connection meanwhile, or a
    device between the two had."""
    side, (frames, times) = ledger.rst_side, met_by_reset(ledger)
    length = _of_side(ended_silence(ledger, frames[:, ::-1])[:, ::-1], side)
    found = _forgotten(ledger, side, BY_RST_TO_NEXT, _of_side(times, side), length, _of_side(frames, side))
    foreign, closed = _of_side(by_third_party(ledger), side), ledger.of_side("fin_count", side) > 0
    return found._replace(reset=np.select([foreign, closed], [BY_THIRD_PARTY, OWN_RESET], NO_FIN))


def before_loss(ledger: Ledger) -> Silences:
    """The silence after which nothing that an endpoint sent was answered any more, whoever sent more in vain."""
    tries = np.maximum(ledger.own("repeat_run"), ledger.own("probe_run"))
    side = np.where(tries.any(axis=1), np.argmax(tries, axis=1), NOT_KNOWN)
    lengths = lost_after(ledger)
    length = np.where(side == 1, lengths[:, 1], lengths[:, 0])
    frame = ledger.of_side("data_frame", side)
    when = np.where(
        ledger.of_side("repeat_run", side) > 0,
        ledger.of_side("data_time", side),
        ledger.of_side("probe_first_time", side),
    )
    return _forgotten(ledger, side, BY_NOTHING, when, length, frame)


def survived(ledger: Ledger, idle: Longs) -> Longs:
    """The longest silence of a second or more that the flow had survived before one of length ``idle``; 0 where there
    was none, or that was none. What forgets connections in silence does so between the two."""
    longest = ledger.own("survived_idle").max(axis=1)[:, None]
    return np.asarray(np.where((idle > 0) & (longest >= LONG_NS) & (longest < idle), longest, 0), np.int64)


def before_lost_fin(ledger: Ledger) -> Silences:
    """The silence after which nothing was acknowledged any more of what ended with a FIN, the later one of two."""
    fins = ledger.own("fin_time") * (ledger.own("fin_count") > 1)
    side = np.where(fins.any(axis=1), np.argmax(fins, axis=1), NOT_KNOWN)
    frames, times = first_unanswered(ledger)
    length, when = _of_side(ended_silence(ledger, frames), side), _of_side(times, side) - 1  # before it passed
    return _forgotten(ledger, side, BY_NOTHING, when, length, _of_side(frames, side))


def whole_minutes(found: Silences) -> Bools:
    """Whether a silence lasted a whole number of minutes, within the tolerance of a timer that acts."""
    early, late = found.length + EARLY_NS, found.length - LATE_NS - found.round_trip
    return np.asarray(found.ended & (early // MINUTE_NS > (late - 1) // MINUTE_NS) & (early >= MINUTE_NS))


def lost_after(ledger: Ledger) -> Longs:
    """How long nothing had been sent before what an endpoint repeated in vain, or before its first probe that was not
    answered, shape (flows, 2); 0 where that is no silence of a second or more, or not its longest."""
    repeated = ledger.own("repeat_run") >= ledger.own("probe_run")
    frame, heard = ledger.own("idle_longest_frame"), ledger.peer("last_frame")
    first = (frame <= ledger.own("data_frame")) & (frame > heard) & (ledger.own("idle_longest") >= LONG_NS)
    probed = np.maximum(ledger.own("probe_first_time") - ledger.peer("last_time"), 0)
    return np.asarray(
        np.where(repeated, np.where(first, ledger.own("idle_longest"), 0), np.where(probed >= LONG_NS, probed, 0)),
        np.int64,
    )


def _forgotten(ledger: Ledger, side: Longs, ends: int, when: Longs, length: Longs, frame: Longs) -> Silences:
    """A silence that was ended by a segment at the time ``when`` of the other side, or of ``side`` itself where nothing
    came back: what had forgotten the connection by then said nothing when it did so."""
    clocks = {
        **{clock: np.where(length > 0, length, NOT_KNOWN) for clock in SILENT_CLOCKS},
        **_closing_clocks(ledger, when),
    }
    fins = _fins(ledger, when)
    waits = np.select([fins == 2, fins == 1], [CLOSED, HALF_CLOSED], IDLE)
    return _silences(ledger, side, ends, waits, length, clocks, when, frame)


def of_flow_columns(column: Callable[[str], NDArray[Any]], ends: int) -> Silences:
    """The silences with which flows were ended, as far as their columns in ``flows`` tell: ``column`` gives one by its
    name. How long the handshake was over is known only where no data came after it, no greeting either."""
    by_client = column("closed_by") == CLIENT
    data, packet, turns = map(column, ("since_data_s", "idle_before_close_s", "turns"))
    cut = column("handshake") == Handshake.NOT_CAPTURED
    data = np.where((turns == 0) & cut, NOT_KNOWN, data)  # the first segment captured began nothing
    waits = waits_of_flow_columns(column)
    nothing = np.zeros(len(data), np.int64)
    fin_frame = np.where(by_client, column("client_fin_frame"), column("server_fin_frame"))
    return Silences(
        ended=np.ones(len(data), np.bool_),
        side=nothing,
        by_client=by_client,
        waits=waits,
        ends=ends,
        length=packet,
        lengths=_without_data_missed(
            {"data": data, "packet": packet, "connect": np.where(turns == 0, data, NOT_KNOWN)}
        ),
        survived={},
        when=np.where(by_client, column("client_fin_epoch"), column("server_fin_epoch")),
        frame=fin_frame.astype(np.int64),
        round_trip=nothing,
        port=column("server_port").astype(np.int64),
        reset=np.where((waits == ANSWER) & ~by_client, UNREAD, OWN_RESET),
    )


def waits_of_flow_columns(column: Callable[[str], NDArray[Any]]) -> Longs:
    """What flows waited for when they were ended, as far as their columns in ``flows`` tell: places in WAITS."""
    turns, cut = column("turns"), column("handshake") == Handshake.NOT_CAPTURED
    unused = ~cut & ((turns == 0) | ((turns == 1) & (column("last_data_by") == SIDES.by_code.index("server"))))
    return _waits_for(unused, column("pending"))


def _silences(
    ledger: Ledger,
    side: Longs,
    ends: int,
    waits: Longs,
    length: Longs,
    clocks: dict[str, Longs],
    when: Longs,
    frame: Longs,
) -> Silences:
    survived = {clock: ledger.own(f"survived_{name}").max(axis=1) for clock, name in SURVIVED.items()}
    server = 1 - ledger.client
    port = ledger.flow("port").astype(np.int64)
    return Silences(
        ended=(side >= 0)
        & (length >= LONG_NS)
        & (length <= when - ledger.flow("first_time"))  # something came before
        & ~shows_unseen(ledger, when)[:, 0],
        side=side,
        by_client=side == ledger.client,
        waits=np.asarray(waits, np.int64),
        ends=ends,
        length=length,
        lengths=_without_data_missed(clocks | {"packet": length}),
        survived=survived,
        when=when,
        frame=frame,
        round_trip=np.maximum(ledger.own("tap_rtt"), 0).sum(axis=1),
        port=port[np.arange(ledger.flows), server],
        reset=np.zeros(ledger.flows, np.int64),
    )


def shows_unseen(ledger: Ledger, when: Longs) -> Bools:
    """Where the segment at the time ``when`` acknowledges what is not in the capture, shape (flows, 1): nobody knows
    when that came, so no silence is known to lie before it."""
    shown = [(ledger.own(name) == when.reshape(-1, 1)) & (ledger.own(name) > 0) for name in SHOWN]
    return np.asarray((shown[0] | shown[1]).any(axis=1, keepdims=True))


def _without_data_missed(clocks: Mapping[str, Longs]) -> Mapping[str, Longs]:
    """Lengths by each clock, none where data came after the last segment that was captured: with the FIN itself, or
    missing from the capture. Then nobody knows when they came."""
    data, packet = clocks.get("data"), clocks["packet"]
    if data is None:
        return clocks
    missed = (data != NOT_KNOWN) & (data < packet)
    return {clock: np.where(missed, NOT_KNOWN, length) for clock, length in clocks.items()}


def _waits(ledger: Ledger, side: Longs, acted: str) -> Longs:
    """What the connection waited for when ``side`` acted, at the time in the column ``acted``. It is unused until the
    client has sent something: a greeting of the server is no use; and idle where the client's last data may need no
    answer. What passed before the capture is not known."""
    when = ledger.of_side(acted, side)
    fins = _fins(ledger, when) - (ledger.of_side("fin_time", side) == when)
    opened, cut = (ledger.own("established_time") > 0).any(axis=1), opening_not_captured(ledger)
    asked, _ = _by_role(ledger, ledger.own("turns") > 0)
    pending = ledger.own("pending").max(axis=1)
    client_asks, _ = _by_role(ledger, ~may_need_no_answer(ledger))
    pending = np.where(one_of(pending, ASKED) & ~client_asks, Pending.NOTHING, pending)
    open_now = _waits_for(~asked & ~cut, pending)
    return np.select([fins >= 2, fins == 1, ~opened], [CLOSED, HALF_CLOSED, HANDSHAKE], open_now)


def _waits_for(unused: Bools, pending: NDArray[Any]) -> Longs:
    """What an open connection waited for when somebody ended its dialogue, by what was pending then."""
    cases = [unused, *(pending == code for code in WAITED_FOR)]
    return np.select(cases, [UNUSED, *WAITED_FOR.values()], IDLE)


def _by_role(ledger: Ledger, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The client's and the server's of some values of endpoints."""
    first = ledger.client == 0
    return np.where(first, values[:, 0], values[:, 1]), np.where(first, values[:, 1], values[:, 0])


def _of_side(values: NDArray[Any], side: Longs) -> NDArray[Any]:
    """Of values of endpoints those of ``side``."""
    return np.where(side > 0, values[:, 1], values[:, 0])


def _fins(ledger: Ledger, when: Longs) -> Longs:
    """How many FINs had passed by then."""
    sent = (ledger.own("fin_count") > 0) & (ledger.own("fin_time") <= when[:, None])
    return np.asarray(sent.sum(axis=1), np.int64)


def _clocks(ledger: Ledger, side: Longs, when: Longs) -> dict[str, Longs]:
    """Lengths by each clock up to ``when``, at which ``side`` acted. Data are those of the dialogue, which the first
    FIN or RST ended: later ones are another matter."""
    spoken, ended = ledger.own("spoken_time"), ledger.own("ended_dialogue").max(axis=1)
    client, server = _by_role(ledger, spoken)
    cut, talked = opening_not_captured(ledger), (ledger.own("turns") > 0).any(axis=1)
    known = (ended == when) & (spoken > 0).any(axis=1) & (talked | ~cut)  # the first segment captured began nothing
    opened = np.where(cut, 0, ledger.own("established_time").max(axis=1))
    heard = _by_role(ledger, ledger.own("last_time"))[0]
    return {
        "data": _since(spoken.max(axis=1), when, known),
        "data-client": _since(np.where(client > 0, client, opened), when, known & ((client > 0) | (opened > 0))),
        "packet-client": _since(heard, when, (side != ledger.client) & (heard < when)),
        "connect": _since(opened, when, opened > 0),
        "request": _since(client, when, known & (client > server)),
        **_closing_clocks(ledger, when),
    }


def _closing_clocks(ledger: Ledger, when: Longs) -> dict[str, Longs]:
    """Lengths by the clocks that a FIN starts."""
    fins = np.where(ledger.own("fin_count") > 0, ledger.own("fin_time"), 0)
    first, both = np.where((fins > 0).all(axis=1), fins.min(axis=1), fins.max(axis=1)), (fins > 0).all(axis=1)
    acked = ledger.own("fin_acked_time")
    of_first = np.where(fins[:, 0] == first, acked[:, 0], acked[:, 1])
    return {
        "fin": _since(first, when, (first > 0) & (first < when)),
        "fin-acked": _since(of_first, when, (of_first > 0) & (of_first < when)),
        "fins": _since(fins.max(axis=1), when, both & (fins.max(axis=1) < when)),
    }


def _since(begin: Longs, end: Longs, known: Bools) -> Longs:
    return np.asarray(np.where(known & (end >= begin), end - begin, NOT_KNOWN), np.int64)


def chosen(found: Silences, rows: NDArray[np.intp]) -> Silences:
    """The silences of some of the flows."""
    picked: dict[str, Any] = {}
    for name, value in found._asdict().items():
        if isinstance(value, Mapping):
            picked[name] = {clock: lengths[rows] for clock, lengths in value.items()}
        elif isinstance(value, np.ndarray):
            picked[name] = value[rows]
    return found._replace(**picked)
