"""CLOSE_WAIT lasted long but ended normally: the application was slow to notice the end of the stream, or to close.

## What it sees

The endpoint acknowledged the peer's FIN and sent its own FIN later than the threshold, with no data in between (if it
still sent data, the time counts from the last of them). Both segments come from the same endpoint over the same path,
so the path's delay does not count. A FIN that is itself the first acknowledgment of the peer's FIN is never slow: a
kernel acknowledges within half a second.

## Why it matters

This is the application's reaction time. During it the socket holds a descriptor, and the peer stays in FIN_WAIT_2. If
it takes a little longer, the peer may have dropped the connection and answer the FIN with RST (TD102). A pool that
finds out only when it next uses or cleans its connections looks like this.

## When it is harmless

When the program had work to finish before it closed, or when such connections are few.

## What to do next

Find out what the blamed application did in that time: blocked in a call, busy with other connections, or not reading
the socket at all. Look for a value that repeats over many connections: then it is a timer of the application.
"""

import numpy as np

from analyzer.findings.facts import after_peer_fin, phrase, unwatched
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD105"
NAME = "slow-close"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ("slow_close_ns",)
NEEDS = (Sign.FIN_LATE,)
EXAMPLE = "slow-close.pcap"
NEAR_MISS = "prompt-close.pcap"
MESSAGE = (
    "The {blamed} acknowledged the {peer_role}'s FIN ({fin:frame}) in frame {ack} and sent its own FIN in frame "
    "{own_fin} at {when:into}, {reaction:duration} after {since} (threshold {slow_close:duration})."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it noticed the end of the stream late, or was busy. Next, to see "
    "what it does in that time, on {blamed_ip}: strace -f -tt -e trace=read,recvfrom,shutdown,close -p {pid}"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    spoke, acked = after_peer_fin(ledger), ledger.peer("fin_acked_time")
    reaction = ledger.own("fin_time") - np.where(spoke, np.maximum(acked, ledger.own("data_time")), acked)
    closed = (ledger.own("close_wait_time") > 0) & (ledger.own("fin_count") > 0) & (acked > 0)
    closed &= ~unwatched(ledger, acked, ledger.own("fin_time"))
    return Verdict(
        fires=closed & (ledger.peer("fin_count") > 0) & (reaction > settings.slow_close_ns),
        when=ledger.own("fin_time"),
        frames=[ledger.peer("fin_frame"), ledger.peer("fin_acked_frame"), ledger.own("fin_frame")],
        values={
            "reaction": reaction,
            "since": phrase(spoke, "the last data that it sent in CLOSE_WAIT", "that acknowledgment"),
            "fin": ledger.peer("fin_frame"),
            "ack": ledger.peer("fin_acked_frame"),
            "own_fin": ledger.own("fin_frame"),
            "when": ledger.own("fin_time"),
        },
        rests_on=[ledger.own("close_wait_basis")],
        absence=True,
    )
