"""The capture lost segments that the connection proves were sent.

## What it sees

An endpoint acknowledged bytes that appear nowhere in the capture: they were sent and received, and the capture has them
not. A single number at the end may be a FIN, one at the beginning a keep-alive's: neither counts. Steps that no window
allows are other numbers, and are not counted either, so the figure is the least it can be.

## Why it matters

Other segments may be missing, too, a FIN or a RST among them. Findings that rest on something not having been sent
become less sure.

## When it is harmless

When what is missing lies in the middle of a transfer: how the connection ended is still certain. What may have passed
between two files in a gap of the capture (TD907) is not told here.

## What to do next

Look at what the capturing program said at its end ("packets dropped by kernel"); give it a larger buffer (`tcpdump
-B`), a shorter snap length (`-s 128`), a narrower filter, or a faster disk.
"""

import numpy as np

from analyzer.findings.facts import passed_in_gap
from analyzer.findings.rule import AT_THE_END, Choice, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD903"
NAME = "frames-missing"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("missing_bytes",)
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, with the end of the connection
EXAMPLE = "frames-missing.pcapng"
NEAR_MISS = "frames-slightly-out-of-order.pcap"
MESSAGE = (
    "At least {missing:byte} that the {blamed} sent are not in the capture: the {peer_role} acknowledged them (frame "
    "{frame}).{hidden}"
)
HIDDEN = ' They may be in packets of this capture that were not understood (see "not analysed").'
ADVICE = (
    "Suspect the capture, not the network. Next: capture again with a larger buffer and a short snap length, and "
    "read the count of dropped packets at its end: tcpdump -B 65536 -s 128 -w again.pcap"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    frame = ledger.own("missing_frame")
    in_gap = passed_in_gap(ledger, ledger.own("missing_time"))
    return Verdict(
        fires=(ledger.own("missing_bytes") > 0)
        & (ledger.own("packets") > 0)
        & (ledger.own("lengths_unsure") == 0)
        & ~in_gap,
        when=ledger.own("missing_time"),
        frames=[frame],
        values={
            "missing": ledger.own("missing_bytes"),
            "frame": frame,
            "hidden": Choice(np.zeros((ledger.flows, 2), np.uint8), ("", HIDDEN)),
        },
        certain=True,
        unless_hidden=True,
    )
