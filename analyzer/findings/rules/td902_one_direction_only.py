"""Only one side's segments were captured.

## What it sees

Segments of one endpoint acknowledge more and more data that the other must have sent, or complete a handshake with
it, but no segment of the other passed the capture point. If the acknowledgment number never increases, the other side
may as well be silent.

## Why it matters

Half of the connection's history is missing. What the missing side received is visible, what it sent is not: this
capture does not show whether it leaks, resets or retransmits.

## When it is harmless

When it is intended, for example with a filter on the source address.

## What to do next

Capture where both directions pass: on the host itself, on both links of an asymmetric route, with both directions of
a mirror port, and with a filter on `host`, not on `src host`.
"""

import numpy as np

from analyzer.findings.facts import not_captured
from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD902"
NAME = "one-direction-only"
SEVERITY = "warning"
SUPERSEDES = ("TD903",)
THRESHOLDS = ()
NEEDS = (Sign.ONE_DIRECTION,)
ABOUT = "capture"
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, with the end of the connection
EXAMPLE = "one-direction-only.pcap"
NEAR_MISS = "connection-attempt-unanswered.pcap"
MESSAGE = (
    "Nothing that the {blamed} sent was captured, although the {peer_role} acknowledged it: see its {packets:segment}, "
    "frames {first} to {last}."
)
ADVICE = (
    "Suspect the capture: a filter on one source address, one leg of an asymmetric route, or half a mirror port. "
    "Next, where both directions pass: tcpdump -ni any -w both.pcap 'tcp and host {peer_ip}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    return Verdict(
        fires=not_captured(ledger) & (ledger.peer("packets") > 1),
        when=np.broadcast_to(ledger.flow("first_time")[:, None], (ledger.flows, 2)),
        frames=[ledger.peer("first_frame"), ledger.peer("last_frame")],
        values={
            "packets": ledger.peer("packets"),
            "first": ledger.peer("first_frame"),
            "last": ledger.peer("last_frame"),
        },
        certain=True,
        doubt=np.broadcast_to(ledger.interrupted[:, None], (ledger.flows, 2)),
    )
