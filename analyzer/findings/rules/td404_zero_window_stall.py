"""A receiver's window stayed closed until one side gave up: the receiving application did not read.

## What it sees

An endpoint advertised a window of 0 and never opened it again; the other side probed it or retransmitted data, and in
the end one of the two reset the connection.

## Why it matters

The network and the sending program were fine: the receiving program had stopped reading. Data that waited at the
sender are lost.

## When it is harmless

When the receiver was told to stop and the sender is meant to give up soon.

## What to do next

Check the application behind the closed window: blocked on a lock, a full disk, a slow consumer of its own. On its
host `ss -tnm` shows a full receive queue (Recv-Q).
"""

import numpy as np

from analyzer.findings.facts import acceptance_unknown, on_side, phrase
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause
from analyzer.units import SECOND

CODE = "TD404"
NAME = "zero-window-stall"
SEVERITY = "warning"
SUPERSEDES = ("TD301", "TD302", "TD303", "TD304", "TD402", "TD403")
THRESHOLDS = ()
NEEDS = ("zero_window_since",)
LIVE_WAIT = 5 * SECOND  # the RST may still be disowned
EXAMPLE = "zero-window-stall.pcap"
NEAR_MISS = "keepalive-gave-up.pcap"
STALL_NS = 1_000_000_000  # a window that opens again within a second is everyday flow control
MESSAGE = (
    "The {blamed} closed its window (frame {frame}, at {since:into}) and kept it closed for {stall:duration}, until "
    "{who} reset the connection (frame {rst}). The {peer_role} sent {tries:probe} in that time."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it stopped reading. Next, on {blamed_ip}, while it stalls, check "
    "Recv-Q: ss -tnmp {ss}"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    since = ledger.own("zero_window_since")
    every = np.arange(ledger.flows)
    rst = ledger.own("rst_time")[every, np.maximum(ledger.rst_side, 0)][:, None]
    reset = on_side(ledger.rst_cause != RstCause.NONE, ledger.rst_side)
    stall, tries = rst - since, ledger.peer("probes") + ledger.peer("repeats")
    return Verdict(
        fires=(since > 0) & (ledger.rst_side >= 0)[:, None] & (stall > STALL_NS) & (tries > 0),
        when=np.broadcast_to(rst, since.shape),
        frames=[
            ledger.own("zero_window_frame"),
            ledger.own("rst_frame") * reset,
            ledger.peer("rst_frame") * reset[:, ::-1],
        ],
        values={
            "frame": ledger.own("zero_window_frame"),
            "since": since,
            "stall": stall,
            "who": phrase(reset, "it", "the other side"),
            "rst": np.where(reset, ledger.own("rst_frame"), ledger.peer("rst_frame")),
            "tries": tries,
        },
        unsure=acceptance_unknown(ledger) | acceptance_unknown(ledger, "peer"),
        absence=True,
    )
