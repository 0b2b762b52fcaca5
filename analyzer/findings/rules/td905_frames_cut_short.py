"""The snap length cut TCP headers that were needed.

## What it sees

Segments of which only the first part of the TCP header was captured: the window or the options are missing.

## Why it matters

Sequence numbers and flags are there, so states are certain. Window scaling and timestamps are not: it may stay open
whether a RST was inside the window, and which rule accepted a reused tuple.

## When it is harmless

For questions about who closed when.

## What to do next

Capture with at least `-s 128`: it holds every TCP header with its options and costs little.
"""

import numpy as np

from analyzer.findings.facts import earliest
from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD905"
NAME = "frames-cut-short"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("cut_headers",)
ABOUT = "capture"
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, with the end of the connection
EXAMPLE = "frames-cut-short.pcap"
NEAR_MISS = "graceful-client-first.pcap"
MESSAGE = (
    "The snap length cut the TCP header of {count:segment} of this connection, the first of them frame {frame}: "
    "windows or options are missing."
)
ADVICE = (
    "Suspect the capture's snap length. Next, capture again with whole headers: tcpdump -ni any -s 128 -w again.pcap "
    "'tcp and host {blamed_ip}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    frame = earliest(ledger, "cut_frame")
    return Verdict(
        fires=np.asarray((ledger.own("cut_headers") > 0).any(axis=1)),
        when=earliest(ledger, "cut_time"),
        frames=[frame],
        values={"count": ledger.own("cut_headers").sum(axis=1), "frame": frame},
        certain=True,
    )
