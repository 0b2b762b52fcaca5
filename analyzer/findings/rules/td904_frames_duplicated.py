"""The same packets were captured more than once.

## What it sees

Frames that agree with one just before in every number of TCP and IP (except the TTL), within a time in which no host
retransmits.

## Why it matters

Other tools count them as retransmissions. Here each packet counts once, so a duplicated FIN is one FIN.

## When it is harmless

Always, once it is known.

## What to do next

Capture on one interface instead of `any`, or mirror only one direction of each port. `editcap -d` removes exact
copies.
"""

import numpy as np

from analyzer.findings.facts import earliest
from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD904"
NAME = "frames-duplicated"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("duplicates",)
ABOUT = "capture"
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, with the end of the connection
EXAMPLE = "frames-duplicated.pcapng"
NEAR_MISS = "last-ack-lost.pcapng"
MESSAGE = (
    "The capture contains at least {count:packet} of this connection more than once, one of them again in frame "
    "{frame}; each counts once."
)
ADVICE = (
    "Suspect the capture: the interface any, a bridge, or a mirror port that copies packets both as they enter and as "
    "they leave. Next, capture on one interface, or remove the copies: editcap -d CAPTURE once.pcapng"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    frame = earliest(ledger, "duplicate_frame")
    return Verdict(
        fires=np.asarray((ledger.own("duplicates") > 0).any(axis=1)),
        when=earliest(ledger, "duplicate_time"),
        frames=[frame],
        values={"count": ledger.own("duplicates").sum(axis=1), "frame": frame},
        certain=True,
    )
