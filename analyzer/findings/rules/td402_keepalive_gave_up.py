"""Keep-alive probes were not answered, and the endpoint gave up.

## What it sees

At least three probes in a row without any answer, then a RST of the same endpoint, or silence for longer than two
more probes would have taken. Probes of the other side are not an answer: if they keep arriving, one direction of the
path is lost. Window probes toward a closed window do not count (TD404).

## Why it matters

The other host was gone, or nothing reached it any more, and the connection was idle: without probes nobody would have
noticed. The application gets ETIMEDOUT.

## When it is harmless

When the other host was switched off on purpose.

## What to do next

Suspect the path or the peer's host. If many connections end after the same idle time, a device on the path dropped
them: probe more often than its idle timeout.
"""

import numpy as np

from analyzer.findings.facts import not_captured, phrase, resetter
from analyzer.findings.fitting_timers import consistent_with
from analyzer.findings.rule import Verdict
from analyzer.findings.silences import before_loss
from analyzer.settings import Settings
from analyzer.tracker.outcome import NEVER_TAKEN, Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD402"
NAME = "keepalive-gave-up"
SEVERITY = "error"
SUPERSEDES = ("TD301",)
THRESHOLDS = ()
NEEDS = ("probe_run",)
EXAMPLE = "keepalive-gave-up.pcap"
NEAR_MISS = "keepalive-answered.pcap"
MESSAGE = (
    "The {blamed} sent {count:keep-alive probe} in {span:duration}{silent:silence}{timers} (the first at "
    "{when:into}, the last in frame {last}) and got no answer{though}{end}{rst:shown}."
)
ADVICE = (
    "Suspect {suspect}. Next, on {peer_ip}, check whether the connection still exists there: ss -tno 'dst {blamed_at}'"
)
FORGOT = "the other host or the path to it first, then a device between that dropped the idle connection"
ONE_WAY = "the path to the other host first: it works in one direction only"


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    run, first = ledger.own("probe_run"), ledger.own("probe_first_time")
    reset = resetter(ledger, RstCause.GAVE_UP)
    last = ledger.own("probe_last_time")
    open_window = ledger.peer("zero_window_since") == 0
    probed = (run >= NEVER_TAKEN) & open_window & (run > ledger.own("repeat_run"))
    hidden = not_captured(ledger)[:, ::-1]
    fires = probed & (reset | ledger.probed_in_vain) & ~hidden
    though = ledger.peer("last_time") > first
    return Verdict(
        fires=fires,
        when=first,
        frames=[ledger.own("probe_last_frame"), ledger.own("rst_frame") * reset],
        values={
            "count": run,
            "span": last - first,
            "when": first,
            "last": ledger.own("probe_last_frame"),
            "end": phrase(reset, "; then it sent RST", "; then it sent nothing more"),
            "rst": ledger.own("rst_frame") * reset,
            "silent": np.maximum(first - ledger.peer("last_time"), 0),
            "timers": consistent_with(ledger, before_loss, fires & ~though, settings),
            "suspect": phrase(though, ONE_WAY, FORGOT),
            "though": phrase(though, ", although probes of the other side kept arriving"),
        },
        absence=True,
        not_judged=[("only one direction was captured: answers to probes cannot be seen", probed & hidden)],
    )
