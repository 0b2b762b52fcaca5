"""A reset ended a silence that is as long as a known timer, or as a timer is usually set.

## What it sees

After a silence of at least the threshold one side sent RST without a FIN. Either the RST answers nothing, and the
length fits known timers, or is a whole number of minutes; or it answers the first segment after the silence as a host
does that has no such connection, and the silence was as long as devices are known to remember. The timers that fit are
named, the likeliest first. Several resets of one host after silences of the same length are counted.

## Why it matters

The application learns of the reset when it uses the connection again: a request fails, often the first of the morning.
A timer ends every connection that is idle for so long, so it happens again.

## When it is harmless

When the program opens a new connection and repeats what it was doing, and nobody sees an error. Idle connections that
are closed in order (FIN) are ordinary life: a keep-alive time-out.

## What to do next

Find out whose timer it is. A value proves little alone, since most timers can be set; one that many connections show is
a timer, not a person. Capture at both ends: a RST that both ends receive was sent by a device between them. Drop idle
connections sooner, on the side that opens them. Keep-alives help against devices that count from the last segment, not
against programs that count from the last data. Where a request was waiting, the connection was not idle.
`teardown explain timers 350` lists the timers known for a value, and `--timers` adds your own.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows
from analyzer.findings.dialogue import may_need_no_answer, spoke_last
from analyzer.findings.facts import aborted, is_client, lost_connection, on_side, opening_not_captured, phrase, phrases
from analyzer.findings.fitting_timers import TimerSet, apart_words, fitting_words, timers_that_fit
from analyzer.findings.hosts import Hosts
from analyzer.findings.recurring import best_windows, window_words
from analyzer.findings.recurring_closes import FEWEST, SHOWN, Recurring, recurring_closes
from analyzer.findings.rule import Bools, Choice, Crowd, Members, Verdict
from analyzer.findings.silences import (
    ANSWER,
    HALF_CLOSED,
    IDLE,
    MID_ANSWER,
    MINUTE_NS,
    UNUSED,
    Silences,
    before_answered,
    before_reset,
    whole_minutes,
)
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD401"
NAME = "closed-by-idle-timer"
SEVERITY = "warning"
INFO_WHEN = "where idle connections are closed in order (FIN), as keep-alive time-outs do"
SUPERSEDES = ("TD301", "TD305")
THRESHOLDS = ("idle_timer_ns",)
NEEDS = ("rst_count",)
EXAMPLE = "closed-by-idle-timer.pcap"
NEAR_MISS = "idle-closed-in-order.pcap"
MESSAGE = (
    "The {blamed} sent RST (frame {rst}, at {when:into}) without a FIN{answered:ending} after {idle:duration} of "
    "silence (threshold {idle_timer:duration}){timers}{minutes}{few:few}{dialogue}{repeats}."
)
ADVICE = (
    "Suspect {whose}. {cure}{limit:duration}{effect}{apart} Next, capture at {blamed_ip} too and check whether the RST "
    "leaves it or arrives there: tcpdump -ni any '{tcp_rst} and host {peer_ip}'"
)
MESSAGE_OF_MANY = (
    "Of {among:connection} to {server} that the {who} {how}, {count} ended {length} after {since}{timers}{none}."
)
ADVICE_OF_MANY = (
    "{advice}{apart} Next, to list them: tshark -r CAPTURE -Y '{flag} && tcp.{side} == {port}' -T fields -e tcp.stream "
    "-e frame.number -e frame.time_relative -e tcp.time_delta"
)
MINUTES = ", within a second of a whole number of minutes, as idle timers are often set"
WAITS = (UNUSED, ANSWER, MID_ANSWER, IDLE, HALF_CLOSED)
PLACES = (
    "",  # the client's last data may need no answer: it is told how few they were
    "; the client had sent no data",
    "; the client's last data were unanswered",
    "; the client had not acknowledged all of the server's data",
    "; the server had sent the last data",
    "; one side had sent its FIN",
)
OF_ENDS = (
    "an idle timer first, of a device between the two that resets both ends, or of the program on the host that sent "
    "the RST"
)
FORGOT = (
    "an idle timer first, of a device between the two that had forgotten the connection (a load balancer, NAT or "
    "firewall)"
)
OF_CLOSING = "a time-out for connections that one side has closed first, of a device between the two"
OF_REQUESTS = "a time-out for requests first, of a worker on the server or of a proxy towards its upstream"
CURES = (  # each with what follows the length of the timer
    (
        "One side had sent its FIN: the program on the other side should close, too, within ",
        "; keep-alives do not help.",
    ),
    ("Keep-alives sent more often than every ", " keep the connection open."),
    (
        "The connection was not idle, a request was waiting: look in the server's log for a time-out of ",
        " of a worker or an upstream.",
    ),
    (
        "TCP keep-alives do not restart this timer of ",
        ": drop idle connections sooner on the client, or raise it on the server.",
    ),
)
NO_TIMER = (
    "Have the client drop idle connections before ",
    " of silence: that helps against either. TCP keep-alives sent more often help against a device only.",
)

SINCE = ("the handshake, without any data", "the last data", "the client's last data, which it had not answered")
ORDINARY = (
    "This is a timer, not a person, and ordinary life. Have the side that sends requests drop idle connections sooner "
    "than that, so that no request meets the close."
)
BY_ITS_CLIENT = (
    "This is a timer, not a person, and ordinary life: the side that sends requests drops its idle connections itself, "
    "so no request meets the close."
)
UNUSED_ALL = (
    "The client never used these connections. Ask why the program on the client opens connections that it does not "
    "use: a pool that opens more than it needs, or a program that hangs before its first data."
)
UNANSWERED = (
    "Suspect a time-out for requests in the program on the server first: it stopped working on them. Find out there "
    "what takes so long, or raise that time-out."
)
RESETTING = (
    "Suspect an idle timer first, of a device between the two that resets both ends, or of the program that sent the "
    "RST. "
)
KEPT_OPEN = "Keep-alives sent more often than that keep connections open."
NOT_KEPT_OPEN = (
    "TCP keep-alives do not restart this timer: drop idle connections sooner on the client, or raise it on the server."
)
TOLD_BY = ("TD103", "TD406")  # what was pending says more than how long nothing was
SOONER = (
    "Have the client drop idle connections sooner than that: it helps against either. TCP keep-alives sent more often "
    "help against a device only."
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    reset, answered = ledger.once(before_reset), ledger.once(before_answered)
    alone = ledger.once(aborted).any(axis=1) & _long(reset, settings) & ~(reset.by_client & (reset.waits == ANSWER))
    forgot = lost_connection(ledger).any(axis=1) & _long(answered, settings)
    fits = timers_that_fit(reset.where(alone), settings).joined(timers_that_fit(answered.where(forgot), settings))
    acts, likely = fits.where(lambda some: some.acting), fits.where(lambda some: some.likely > 0)
    minutes = alone & ~acts & whole_minutes(reset)
    forgot = forgot & likely
    talked = (ledger.own("turns") > 0).any(axis=1) | ~opening_not_captured(ledger)
    length = np.where(forgot, answered.length, reset.length)
    fires = (alone & acts) | minutes | forgot
    device = fits.where(lambda some: some.restarted_by_packets) & ~minutes
    waiting = alone & ~forgot & ~device & (reset.waits == ANSWER)
    closing = (alone & (reset.waits == HALF_CLOSED)) | (forgot & (answered.waits == HALF_CLOSED))
    few = np.where(alone & talked & (reset.waits == IDLE), _few_bytes(ledger), 0)
    cures = [closing, device, waiting, acts | forgot]
    return Verdict(
        fires=on_side(fires, ledger.rst_side),
        when=ledger.own("rst_time"),
        frames=[ledger.own("rst_answers_frame") * forgot[:, None], ledger.own("rst_frame")],
        values={
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "answered": ledger.own("rst_answers_frame") * forgot[:, None],
            "idle": length,
            "limit": np.where(minutes, (length + MINUTE_NS // 2) // MINUTE_NS * MINUTE_NS, fits.soonest()),
            "timers": fits.keeping(acts | forgot).said(fitting_words),
            "minutes": phrase(minutes, MINUTES),
            "few": few,
            "dialogue": phrases([few > 0, *(alone & talked & (reset.waits == wait) for wait in WAITS)], PLACES, ""),
            "repeats": phrase(fires, "", ""),
            "whose": phrases([closing, waiting, forgot], [OF_CLOSING, OF_REQUESTS, FORGOT], OF_ENDS),
            "cure": phrases(cures, [begin for begin, _ in CURES], NO_TIMER[0]),
            "effect": phrases(cures, [end for _, end in CURES], NO_TIMER[1]),
            "apart": fits.said(apart_words),
        },
        unsure=np.ones((ledger.flows, 2), np.bool_),  # most timers can be set: a value proves none
        absence=True,
        doubt=opening_not_captured(ledger) & forgot,
    )


def _few_bytes(ledger: Ledger) -> NDArray[np.int64]:
    """How many bytes the client sent last where they may need no answer, else 0; shape (flows,)."""
    few = may_need_no_answer(ledger) & spoke_last(ledger) & is_client(ledger)
    return np.asarray((ledger.own("spoken_bytes") * few).max(axis=1), np.int64)


def _long(found: Silences, settings: Settings) -> Bools:
    return np.asarray(found.ended & (found.length >= settings.idle_timer_ns))


def hindsight(
    address: NDArray[np.int64], values: Mapping[str, NDArray[np.int64]], hosts: Hosts
) -> Mapping[str, Choice]:
    """How many resets of the host came after as long a silence."""
    alike = np.column_stack([address, values["answered"] > 0, values["dialogue"], values["timers"]])
    _, cause = np.unique(alike, axis=0, return_inverse=True)  # who acted, how, in which state, and what may have
    windows = best_windows(cause.reshape(-1), values["idle"])
    words = [
        f"; {window.size} connections of this host were reset after {window_words(window)}" if window.size > 1 else ""
        for window in windows.found
    ]
    return {"repeats": Choice(windows.codes, tuple(words))}


def judge_many(flows: AllFlows, settings: Settings) -> Crowd:
    closes = recurring_closes(flows, settings)
    fits = timers_that_fit(closes.by_fin.where(~closes.by_rst), settings)
    fits = fits.joined(timers_that_fit(closes.by_reset.where(closes.by_rst), settings))
    alone = closes.by_rst & (fits.where(lambda some: some.acting) | whole_minutes(closes.by_reset))
    said = np.array([fitting_words(some) for some in fits.sets], object)[fits.codes]
    return _crowd(closes, np.flatnonzero(~alone), {
        "timers": said,
        "none": np.where(said == "", "; no known timer fits", "").astype(object),
        "apart": np.array([apart_words(some) for some in fits.sets], object)[fits.codes],
        "kept": np.array([_kept_open(some) for some in fits.sets], object)[fits.codes],
    })  # fmt: skip


def _kept_open(some: TimerSet) -> str:
    """What keeps connections open that such a timer resets."""
    return SOONER if not some.likely else KEPT_OPEN if some.restarted_by_packets else NOT_KEPT_OPEN


def _crowd(closes: Recurring, told: NDArray[np.intp], words: Mapping[str, NDArray[np.object_]]) -> Crowd:
    """What is said of the values in ``told``; single findings tell the others."""
    by_rst, by_client = closes.by_rst[told], closes.by_fin.by_client[told]
    unanswered = ~by_client & closes.asked_before[told]
    unused = closes.by_fin.waits[told] == UNUSED
    windows, proof = [closes.windows[place] for place in told], [closes.proof[place] for place in told]
    return Crowd(
        address=closes.address[told],
        port=closes.port[told],
        server=np.ones(len(told), np.bool_),
        when=np.array([some.when[FEWEST - 1] for some in proof], np.int64),
        frames=[some.frame[:SHOWN].tolist() for some in proof],
        decides=[int(some.frame[FEWEST - 1]) for some in proof],
        confidence=np.where(closes.whole[told], 0, 1),
        info=~by_rst & ~unanswered,
        values={
            "count": np.array([window.size for window in windows], np.int64),
            "among": closes.among[told],
            "who": np.where(by_client, "client", "server").astype(object),
            "how": np.where(by_rst, "reset", "closed").astype(object),
            "length": np.array([window_words(window) for window in windows], object),
            "since": np.array(SINCE, object)[np.where(closes.no_data[told], 0, np.where(unanswered, 2, 1))],
            "advice": np.where(
                by_rst & ~unanswered,
                RESETTING + words["kept"][told],
                np.select([unanswered, unused, by_client], [UNANSWERED, UNUSED_ALL, BY_ITS_CLIENT], ORDINARY).astype(
                    object
                ),
            ),
            "flag": np.where(by_rst, "tcp.flags.reset == 1", "tcp.flags.fin == 1").astype(object),
            "side": np.where(by_client, "dstport", "srcport").astype(object),
            **{name: texts[told] for name, texts in words.items() if name != "kept"},
        },
        members=Members([some.stream for some in proof], TOLD_BY, [("TD301",) if rst else () for rst in by_rst]),
    )
