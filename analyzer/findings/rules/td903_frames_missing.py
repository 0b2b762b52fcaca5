"""The capture lost segments that the connection proves were sent.

## What it sees

An endpoint acknowledged bytes that appear nowhere in the capture: they were sent and received, but not captured. A
single number at the end may be a FIN, one at the beginning a keep-alive's: neither counts. Steps larger than any
window are something else and do not count either, so the figure is a minimum. If nothing but a RST acknowledges the
bytes, the confidence is medium: some devices write any number into their RSTs.

## Why it matters

Other segments may be missing too, including a FIN or a RST. Findings that depend on something not having been sent
get a lower confidence.

## When it is harmless

When the missing bytes are in the middle of a transfer: how the connection ended is still certain. Bytes that may have
passed in a gap between two files (TD907) are not reported here.

## What to do next

Check what the capturing program reported at its end ("packets dropped by kernel"). Use a larger buffer
(`tcpdump -B`), a shorter snap length (`-s 128`), a narrower filter, or a faster disk.
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
ABOUT = "capture"
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, with the end of the connection
EXAMPLE = "frames-missing.pcapng"
NEAR_MISS = "frames-slightly-out-of-order.pcap"
MESSAGE = (
    "At least {missing:byte} that the {blamed} sent are not in the capture: the {peer_role} acknowledged them (frame "
    "{frame}).{hidden}"
)
HIDDEN = ' They may be in packets of this capture that were not understood (see "not analysed").'
ADVICE = (
    "Suspect the capture, not the network. Next, capture again with a larger buffer and a short snap length, and read "
    "the number of dropped packets at its end: tcpdump -ni any -B 65536 -s 128 -w again.pcap 'tcp and host {blamed_ip}'"
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
        unsure=(frame > 0) & (frame == ledger.peer("rst_frame")),
        unless_hidden=True,
    )
