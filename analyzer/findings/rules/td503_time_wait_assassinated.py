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

from analyzer.findings.facts import JUST_ARRIVED_NS, fin_acked, phrase
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.rst import Reception

CODE = "TD503"
NAME = "time-wait-assassinated"
SEVERITY = "warning"
INFO_WHEN = "where the RST answers an acknowledgment from TIME_WAIT, and its sender had closed in order"
SUPERSEDES = ("TD304", "TD305")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "time-wait-assassinated.pcap"
NEAR_MISS = "last-ack-lost.pcapng"
MESSAGE = (
    "The {blamed} had been in TIME_WAIT for {held:duration} when a RST of the {peer_role} (frame {rst}, at "
    "{when:into}) came with exactly the expected sequence number{answers}: this can end TIME_WAIT early."
)
ADVICE = "Suspect {suspect}. Next, on {blamed_ip}, check whether such a RST is accepted: sysctl net.ipv4.tcp_rfc1337"
SENDER = "whoever sent the RST: the other endpoint, or a device in its name"
CLOSED = (
    "nobody: an old segment of the other side was acknowledged by TIME_WAIT, and that side, which had closed, answered "
    "with RST"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    met = (ledger.peer("rst_peer_state") == State.TIME_WAIT) & (ledger.peer("rst_verdict") == Reception.ACCEPTED)
    trip = np.maximum(ledger.own("tap_rtt"), 0) + np.maximum(ledger.peer("tap_rtt"), 0)
    behind = ledger.peer("rst_time") - ledger.peer("rst_answers_time")
    closed = fin_acked(ledger)[:, ::-1] & (ledger.peer("rst_reply") > 0) & (behind <= trip + JUST_ARRIVED_NS)
    return Verdict(
        fires=met & (ledger.own("time_wait_time") > 0),
        when=ledger.peer("rst_time"),
        frames=[ledger.own("fin_frame"), ledger.peer("fin_frame"), ledger.peer("rst_frame")],
        values={
            "held": ledger.peer("rst_time") - ledger.own("time_wait_time"),
            "rst": ledger.peer("rst_frame"),
            "when": ledger.peer("rst_time"),
            "answers": phrase(closed, ", in answer to an acknowledgment from TIME_WAIT"),
            "suspect": phrase(closed, CLOSED, SENDER),
        },
        unsure=np.ones((ledger.flows, 2), np.bool_),
        info=closed,
    )
