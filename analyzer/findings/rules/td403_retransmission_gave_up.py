"""Data were retransmitted again and again, never acknowledged, and the endpoint gave up.

## What it sees

Data that the other side had not acknowledged were retransmitted at least three times (twice, if the retransmissions
are a minute or more apart, as late ones are), and no acknowledgment of them came. Then the same endpoint sent RST, or
was silent for much longer than until the next retransmission was due. Most kernels drop such a connection without a
RST.

## Why it matters

The data did not arrive, or nothing came back. The application gets ETIMEDOUT after a long time (Linux: 15
retransmissions, at least a quarter of an hour, unless TCP_USER_TIMEOUT is shorter); the other side may never learn of
it.

## When it is harmless

When the other host was switched off on purpose.

## What to do next

Suspect the path or the peer's host: a device that dropped its state, a host that is gone, an address that moved. If
only large segments are lost, suspect the path's MTU.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import not_captured, phrase, resetter
from analyzer.findings.fitting_timers import consistent_with
from analyzer.findings.rule import Bools, Verdict
from analyzer.findings.silences import before_loss, lost_after
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause
from analyzer.units import SECOND

CODE = "TD403"
NAME = "retransmission-gave-up"
SEVERITY = "error"
SUPERSEDES = ("TD101", "TD107", "TD201", "TD301", "TD302")
THRESHOLDS = ()
NEEDS = ("repeat_run",)
LIVE_WAIT = 5 * SECOND  # the last repeat may still be answered
EXAMPLE = "retransmission-gave-up.pcap"
NEAR_MISS = "data-lost-but-fin-not.pcap"
MESSAGE = (
    "The {blamed} retransmitted data {count:times} (first at {when:into}, last {span:duration} later in frame "
    "{last}){apart}{idle:silence}{timers}; they were never acknowledged{end}{rst:shown}."
)
ADVICE = (
    "Suspect {suspect}. Next: capture at {peer_ip} too and check whether the data arrive: tcpdump -ni any 'tcp and "
    "host {blamed_ip}'"
)
IDLE = (
    "a device between the two first that dropped the idle connection silently (a firewall, NAT or load balancer): "
    "keep-alives sent more often than that silence keep it open"
)
BACK_OFF = ", 120 s apart, the longest back-off that Linux has: it takes at least ten retransmissions to get there"
PATH = "the path between the two, or the other host, before either application"
RTO_MAX_NS = 120 * SECOND


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    run = ledger.own("repeat_run")
    reset = resetter(ledger, RstCause.GAVE_UP) & (run >= ledger.own("probe_run"))
    hidden = not_captured(ledger)[:, ::-1]
    ended = ledger.in_vain & (reset | ledger.gave_up)
    first = ledger.own("repeat_first_time")
    idle = lost_after(ledger)
    return Verdict(
        fires=ended & ~hidden,
        when=first,
        frames=[ledger.own("repeat_last_frame"), ledger.own("rst_frame") * reset],
        values={
            "count": run,
            "span": ledger.own("repeat_last_time") - first,
            "when": first,
            "last": ledger.own("repeat_last_frame"),
            "end": phrase(reset, "; then it sent RST", "; then it sent nothing more"),
            "rst": ledger.own("rst_frame") * reset,
            "apart": phrase(_longest_back_off(run, ledger.own("repeat_last_time") - first), BACK_OFF),
            "idle": idle,
            "timers": consistent_with(ledger, before_loss, ended & ~hidden, settings),
            "suspect": phrase(idle > 0, IDLE, PATH),
        },
        absence=True,
        not_judged=[("only one direction was captured: acknowledgments cannot be seen", ended & hidden)],
    )


def _longest_back_off(run: NDArray[np.int64], span: NDArray[np.int64]) -> Bools:
    """Whether retransmissions came at the interval with which the back-off of Linux ends (TCP_RTO_MAX). It begins with
    0.2 s or more and doubles: ten intervals from there do not reach it."""
    interval = span // np.maximum(run - 1, 1)
    return np.asarray((run > 1) & (abs(interval - RTO_MAX_NS) <= SECOND))
