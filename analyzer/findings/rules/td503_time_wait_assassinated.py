"""An acceptable RST ended TIME_WAIT early (RFC 1337).

## What it sees

An endpoint was in TIME_WAIT when a RST with exactly the expected sequence number came.

## Why it matters

TIME_WAIT keeps old segments away from a new connection on the same addresses and ports, and answers a retransmitted
FIN. On Linux such a RST ends it unless `tcp_rfc1337` is set; the packets do not show whether it did.

## When it is harmless

When the tuple is not reused soon. A host that got the last acknowledgment twice may send such a RST on its own.

## What to do next

Find out who sent the RST and what it answers: often a host that had already dropped the connection answers a repeated
acknowledgment.
"""

import numpy as np

from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.rst import Reception

CODE = "TD503"
NAME = "time-wait-assassinated"
SEVERITY = "warning"
SUPERSEDES = ("TD304", "TD305")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "time-wait-assassinated.pcap"
NEAR_MISS = "last-ack-lost.pcapng"
MESSAGE = (
    "The {blamed} had been in TIME_WAIT for {held:duration} when a RST of the {peer_role} (frame {rst}, at "
    "{when:into}) came with exactly the expected sequence number: this can end TIME_WAIT early."
)
ADVICE = (
    "Suspect the sender of the RST: {peer_ip}, or a device in its name. Next, on {blamed_ip}, check whether such a "
    "RST is accepted: sysctl net.ipv4.tcp_rfc1337"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    met = (ledger.peer("rst_peer_state") == State.TIME_WAIT) & (ledger.peer("rst_verdict") == Reception.ACCEPTED)
    return Verdict(
        fires=met & (ledger.own("time_wait_time") > 0),
        when=ledger.peer("rst_time"),
        frames=[ledger.own("fin_frame"), ledger.peer("fin_frame"), ledger.peer("rst_frame")],
        values={
            "held": ledger.peer("rst_time") - ledger.own("time_wait_time"),
            "rst": ledger.peer("rst_frame"),
            "when": ledger.peer("rst_time"),
        },
        unsure=np.ones((ledger.flows, 2), np.bool_),
    )
