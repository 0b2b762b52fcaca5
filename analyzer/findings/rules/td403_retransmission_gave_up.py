"""Data were retransmitted again and again, never acknowledged, and the endpoint gave up.

## What it sees

Data that the other side had not acknowledged were retransmitted at least three times (twice, if the retransmissions
are a minute or more apart, as late ones are), and no acknowledgment of them came. Then the same endpoint sent RST, or
was silent for much longer than until the next retransmission was due. Most kernels drop such a connection without a
RST. If an ICMP error quoted a segment of it, the message says who sent that and what it says.

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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import not_captured, phrase, resetter
from analyzer.findings.fitting_timers import consistent_with
from analyzer.findings.icmp import SUSPECTS, TEXTS, Reason, and_again, reason_of, text_of
from analyzer.findings.rule import Bools, Choice, Verdict
from analyzer.findings.silences import before_loss, lost_after, survived
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger, one_of
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
    "{last}){apart}{idle:silence}{survived:survived}{timers}; they were never acknowledged{end}{rst:shown}."
    "{space}{teller:address}{icmp_said}{icmp:shown}{about_it}{icmp_again}{last_icmp:shown}{stop}"
)
ADVICE = "Suspect {suspect}. Next, on {place:address}, check {aim}{met:address}: {look}{target:address}{then}"
IDLE = (
    "a device between the two first that dropped the idle connection silently (a firewall, NAT or load balancer): "
    "keep-alives sent more often than that silence keep it open"
)
BACK_OFF = ", 120 s apart, the longest back-off that Linux has: it takes at least ten retransmissions to get there"
PATH = "the path between the two, or the other host, before either application"
SUSPECT = (PATH, IDLE, *(f"{suspect} first" for suspect, _, _ in SUSPECTS.values()))
RTO_MAX_NS = 120 * SECOND


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    run = ledger.own("repeat_run")
    reset = resetter(ledger, RstCause.GAVE_UP) & (run >= ledger.own("probe_run"))
    hidden = not_captured(ledger)[:, ::-1]
    ended = ledger.in_vain & (reset | ledger.gave_up)
    first, idle = ledger.own("repeat_first_time"), lost_after(ledger)
    said = _said_by_icmp(ledger, idle > 0)
    return Verdict(
        fires=ended & ~hidden,
        when=first,
        frames=[ledger.own("repeat_last_frame"), ledger.own("rst_frame") * reset, said["icmp"], said["last_icmp"]],
        values={
            "count": run,
            "span": ledger.own("repeat_last_time") - first,
            "when": first,
            "last": ledger.own("repeat_last_frame"),
            "end": phrase(reset, "; then it sent RST", "; then it sent nothing more"),
            "rst": ledger.own("rst_frame") * reset,
            "apart": phrase(_longest_back_off(run, ledger.own("repeat_last_time") - first), BACK_OFF),
            "idle": idle,
            "survived": survived(ledger, idle),
            "timers": consistent_with(ledger, before_loss, ended & ~hidden, settings),
            **said,
        },
        absence=True,
        not_judged=[("only one direction was captured: acknowledgments cannot be seen", ended & hidden)],
    )


def _said_by_icmp(ledger: Ledger, idle: Bools) -> dict[str, Any]:
    """What ICMP errors say of the endpoint's segments, if of its SYN they say nothing; and the advice that follows."""
    kind = np.where(ledger.own("icmp_syns") > 0, 0, ledger.own("icmp_kind"))
    told, reason, address = kind > 0, reason_of(kind), ledger.flow("address").astype(np.int64)
    icmp, last = (ledger.own(f"icmp_{name}") * told for name in ("frame", "last_frame"))
    last, teller = last * (last != icmp), np.where(told, ledger.own("icmp_from"), -1)
    here = one_of(reason, (Reason.LOOP, Reason.SIZE))  # what is looked for from the side that sent
    target = np.where(told, address[:, ::-1], address)
    return {
        "space": phrase(told, " "),
        "teller": teller,
        "icmp_said": Choice(text_of(kind), ("", *(f" reported {text}" for text in TEXTS[1:]))),
        "icmp": icmp,
        "about_it": phrase(told, " about a segment of it"),
        "icmp_again": and_again(last > 0, ledger.own("icmp_mixed") > 0),
        "last_icmp": last,
        "stop": phrase(told, "."),
        "suspect": Choice(np.where(told, reason + 1, idle).astype(np.uint8), SUSPECT),
        "place": np.where(told, np.where(here, address, teller), address[:, ::-1]),
        "aim": Choice(reason, ("whether the data arrive", *(aim for _, aim, _ in SUSPECTS.values()))),
        "look": Choice(reason, ("tcpdump -ni any 'tcp and host ", *(look for _, _, look in SUSPECTS.values()))),
        "met": np.where(reason == Reason.REFUSED, target, -1),
        "target": np.where(reason == Reason.REFUSED, -1, target),
        "then": phrase(told, "", "'"),
    }


def _longest_back_off(run: NDArray[np.int64], span: NDArray[np.int64]) -> Bools:
    """Whether retransmissions came at the interval with which the back-off of Linux ends (TCP_RTO_MAX). It begins with
    0.2 s or more and doubles: ten intervals from there do not reach it."""
    interval = span // np.maximum(run - 1, 1)
    return np.asarray((run > 1) & (abs(interval - RTO_MAX_NS) <= SECOND))
