"""A FIN was retransmitted and never acknowledged: the endpoint is stuck in FIN_WAIT_1, CLOSING or LAST_ACK.

## What it sees

The endpoint sent its FIN several times, and no acknowledgment of it passed the capture point. Or one did pass, and
the endpoint still retransmitted the FIN three times or more without any other answer, so that the acknowledgment
cannot have arrived. Where what it had sent before the FIN was not acknowledged either, the path or the other host had
failed before: then the message names the first such frame, and the silence that this ended.

## Why it matters

The other host, or the path to it, was gone. The endpoint keeps the connection until its retries are used up (on Linux
by default about 100 s for a closed socket) and then drops it without a RST: the other side, if it is alive, never
learns of it.

## When it is harmless

When the peer was switched off or moved on purpose.

## What to do next

Suspect the path before the applications: a firewall or load balancer that dropped its state, a link that went down, a
crashed host, an interface that filters the last segments. Capture at the other end at the same time: did the FIN
arrive there, and did an acknowledgment leave?
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import (
    CAUGHT_UP_NS,
    ended_silence,
    fin_acked,
    first_unanswered,
    not_captured,
    phrase,
    phrases,
    state_is,
)
from analyzer.findings.fitting_timers import fits_of, fitting_words, kept_open_by
from analyzer.findings.rule import Bools, Choice, Verdict
from analyzer.findings.silences import before_lost_fin
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import NEVER_TAKEN, Ledger
from analyzer.tracker.signs import Sign
from analyzer.units import SECOND

CODE = "TD201"
NAME = "fin-never-acknowledged"
SEVERITY = "error"
SUPERSEDES = ("TD202", "TD203")
THRESHOLDS = ()
NEEDS = (Sign.FIN_REPEATED,)
LIVE_WAIT = 5 * SECOND  # a FIN is repeated after 0.2, 0.6, 1.4 and 3 s (RFC 6298): until then it may be a single loss
EXAMPLE = "fin-never-acknowledged.pcapng"
NEAR_MISS = "fin-retransmitted.pcapng"
FEW = 3  # so many FINs may still be a matter of a moment
MOMENT_NS = 1_000_000_000
IDLE_NS = 10 * SECOND  # no known device forgets a connection sooner, half-closed ones included
MESSAGE = (
    "The {blamed} sent its FIN {count:times} in {span:duration} (frames {first} to {last}, the first at "
    "{when:into}){idle:silence}{timers}{passed}{lost:nor_from}{lead:ahead}{lost_after:silence}{lost_timers}"
    "{probes:unanswered}{heard:none_after}{uncovered:neither}{going_on:its_last}. It remains in {state:state}."
)
ADVICE = (
    "Suspect {suspect}{limit:every}. Next, capture at {peer_ip} too and check whether {what} arrives: tcpdump -ni any "
    "'tcp and host {blamed_ip} and port {port}'"
)
PASSED = (
    " and continued after one acknowledgment of it had passed, without another answer",
    ", and no acknowledgment of it was captured",
)
NETWORK = (
    "the network between the two, or the other host, before either application: a device that dropped its state, or a "
    "host that is gone"
)
ONE_WAY = "a device that drops what goes in this direction, before either application; the other host still sent"
FORGOTTEN = (
    "a device between the two first (a firewall, NAT or load balancer) that had dropped the connection during the "
    "silence: close sooner, or send keep-alives more often"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    count, last, acked = (ledger.own(f"fin_{name}") for name in ("count", "last_time", "acked_frame"))
    stuck = _stuck(ledger)
    hidden = not_captured(ledger)[:, ::-1]
    idle, told = ended_silence(ledger, first_unanswered(ledger)[0]), _lost_first(ledger)
    fits = fits_of(ledger, before_lost_fin, stuck & ~hidden & (idle > 0), settings)
    timers, before, going_on = fits.said(fitting_words), told["lost"] > 0, told["going_on"] > 0
    alone = ~before & (told["uncovered"] == 0)
    return Verdict(
        fires=stuck & ~hidden,
        when=ledger.own("fin_time"),
        frames=[
            *(told[name] for name in ("lost", "uncovered", "heard", "going_on")),
            *(ledger.own("fin_frame"), ledger.own("fin_acked_frame"), ledger.own("fin_last_frame")),
        ],
        values={
            "count": count,
            "span": last - ledger.own("fin_time"),
            "first": ledger.own("fin_frame"),
            "last": ledger.own("fin_last_frame"),
            "when": ledger.own("fin_time"),
            "passed": phrase(acked > 0, *PASSED),
            "idle": idle * alone,
            "timers": _where(timers, alone),
            **told,
            "lost_after": idle * before,
            "lost_timers": _where(timers, before),
            "limit": kept_open_by(fits, idle) * ((idle >= IDLE_NS) & ~going_on),
            "suspect": phrases([going_on, idle >= IDLE_NS], [ONE_WAY, FORGOTTEN], NETWORK),
            "what": phrase(alone, "the FIN", "anything"),
            "state": ledger.own("state"),
        },
        rests_on=[ledger.own("state_basis")],
        absence=True,
        unsure=acked > 0,
        doubt=(count <= FEW) & (ledger.watched_until(last) - last < MOMENT_NS),
        not_judged=[("only one direction was captured: acknowledgments of the FIN cannot be seen", stuck & hidden)],
    )


def _stuck(ledger: Ledger) -> Bools:
    """Endpoints that repeated their FIN and wait for its acknowledgment, which did not pass, or not arrive."""
    waits = state_is(ledger, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK) & ~fin_acked(ledger)
    known = ledger.knows(Known.FIN)  # else its number lies in what the peer has acknowledged before
    in_vain = (ledger.own("fin_after_ack") >= NEVER_TAKEN) & (ledger.own("fin_reacked_frame") == 0)
    return np.asarray(waits & known & (ledger.own("fin_count") > 1) & ((ledger.own("fin_acked_frame") == 0) | in_vain))


def _lost_first(ledger: Ledger) -> dict[str, NDArray[np.int64]]:
    """What was not acknowledged before the FIN, and what was heard of the other side since."""
    frame, since = first_unanswered(ledger)
    lost, alone = since < ledger.own("fin_time"), ledger.own("fin_acked_frame") == 0
    heard, when = ledger.peer("last_frame"), ledger.peer("last_time")
    silent = when < since  # else a SACK, which is not read, may cover some of it
    probed = (ledger.own("probe_run") > 0) & (ledger.own("probe_last_time") < since) & silent & alone
    return {
        "lost": frame * (lost & silent),
        "lead": (ledger.own("fin_time") - since) * (lost & silent),
        "probes": ledger.own("probe_run") * probed,
        "heard": heard * ((lost | probed) & silent),
        "uncovered": frame * (lost & ~silent),
        "going_on": heard * ((when - since > CAUGHT_UP_NS) & alone),
    }


def _where(words: Choice, where: Bools) -> Choice:
    """Words about flows, of some endpoints only."""
    return Choice(np.where(where, words.codes[:, None], 0), words.words)
