"""The server never accepted the connection: its accept queue is full, or it defers accepting.

## What it sees

A SYN-ACK was retransmitted at least twice although the handshake's last acknowledgment had passed more than a round
trip before: the kernel drops that acknowledgment and everything that follows. Or that acknowledgment was itself
answered by a RST, which a kernel can be configured to send when the queue is full (Linux tcp_abort_on_overflow).

## Why it matters

The client believes that the connection is open and sends data; nobody reads them. What looks like packet loss is an
application that does not call accept.

## When it is harmless

A listener with TCP_DEFER_ACCEPT drops the bare acknowledgment on purpose and waits for data: then the connection
opens with the first data.

## What to do next

On the server compare Recv-Q with Send-Q of the listening socket: Recv-Q is how many connections wait to be accepted,
Send-Q how many may. Then find out why the application does not accept: all its workers are busy or blocked, or the
backlog is too short.
"""

import numpy as np

from analyzer.findings.facts import phrase, resetter, state_is
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.acknowledgment import MIN_SYN_ACK_REPEATS
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD313"
NAME = "accept-queue-full"
SEVERITY = "error"
SUPERSEDES = ("TD305", "TD403", "TD301", "TD302", "TD306", "TD304")
THRESHOLDS = ()
NEEDS = ("syn_ack_after_ack", "rst_count")
EXAMPLE = "accept-queue-full.pcap"
NEAR_MISS = "last-handshake-ack-lost.pcap"
MESSAGE = (
    "The {blamed} never accepted the connection: {what}, {count:times} (SYN-ACK in frame {syn_ack}, then frames "
    "{first} to {last}). {why}"
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it {does}. Next, on {blamed_ip}, see whether Recv-Q has reached "
    "Send-Q: ss -ltn 'sport = :{port}'; nstat -az TcpExtListenOverflows TcpExtListenDrops"
)
NO_ROOM = "Its kernel had no room in the accept queue, or defers accepting."
GONE = "Its listening socket had been closed, or its accept queue was full (tcp_abort_on_overflow)."
AGAIN = "it retransmitted its SYN-ACK although it had been acknowledged"
RESET = "it answered the handshake's last acknowledgment with RST"


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    refused = resetter(ledger, RstCause.NOT_TAKEN)
    first = np.where(refused, ledger.own("rst_answers_frame"), ledger.own("syn_ack_after_ack_frame"))
    last = np.where(refused, ledger.own("rst_frame"), ledger.own("syn_ack_after_ack_last"))
    dropped = (ledger.own("syn_ack_after_ack") >= MIN_SYN_ACK_REPEATS) & state_is(ledger, State.SYN_RECEIVED)
    return Verdict(
        fires=refused | dropped,
        when=np.where(refused, ledger.own("rst_time"), ledger.own("syn_last_time")),
        frames=[ledger.own("syn_frame"), first, last],
        values={
            "what": phrase(refused, RESET, AGAIN),
            "why": phrase(refused, GONE, NO_ROOM),
            "does": phrase(refused, "was just restarted, or does not accept", "does not accept"),
            "count": np.where(refused, 1, ledger.own("syn_ack_after_ack")),
            "syn_ack": ledger.own("syn_frame"),
            "first": first,
            "last": last,
        },
        absence=True,
    )
