"""The FINs crossed: each side closed before it knew that the other had closed.

## What it sees

Neither FIN acknowledges the other, nor had its sender done so before. A FIN without the ACK flag acknowledges
nothing; for it, the earlier acknowledgments of its sender count.

## Why it matters

Both sides end in TIME_WAIT, and neither was in CLOSE_WAIT or LAST_ACK. This explains counts of states that do not add
up.

## When it is harmless

Always. RFC 9293 provides for it (figure 13). Both applications decided to close within the one-way delay of the path,
for example when a protocol's last message makes both sides close.

## What to do next

Nothing.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.rule import Choice, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD205"
NAME = "simultaneous-close"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = (Sign.FINS_CROSSED,)
EXAMPLE = "simultaneous-close.pcapng"
NEAR_MISS = "graceful-server-first.pcapng"
MESSAGE = (
    "The FINs of {client} (frame {client_fin}) and {server} (frame {server_fin}) crossed, {apart:duration} apart at "
    "the capture point: neither side had acknowledged the other's FIN when it sent its own.{passed}"
)
ADVICE = "Legal; suspect nobody. Next, to see it: tshark -r CAPTURE -Y 'tcp.stream == {stream}'"


PASSED = (
    "",
    " The client went through CLOSING.",
    " The server went through CLOSING.",
    " Both sides went through CLOSING.",
    " The client went through CLOSING to TIME_WAIT.",
    " The server went through CLOSING to TIME_WAIT.",
    " Both sides went through CLOSING to TIME_WAIT.",
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    fin, frame = ledger.own("fin_time"), ledger.own("fin_frame")
    every = np.arange(ledger.flows)
    return Verdict(
        fires=ledger.crossed_fins & (ledger.own("overtaken") == 0).all(axis=1),
        when=fin.max(axis=1),
        frames=[frame[:, 0], frame[:, 1]],
        values={
            "client_fin": frame[every, ledger.client],
            "server_fin": frame[every, 1 - ledger.client],
            "passed": Choice(_passed(ledger), PASSED),
            "apart": np.abs(fin[:, 0] - fin[:, 1]),
        },
    )


def _passed(ledger: Ledger) -> NDArray[np.int64]:
    """Which of PASSED is true of each flow."""
    every = np.arange(ledger.flows)
    closing = ledger.own("through_closing") > 0
    client, server = closing[every, ledger.client], closing[every, 1 - ledger.client]
    waited = (closing <= (ledger.own("time_wait_time") > 0)).all(axis=1) & closing.any(axis=1)
    return np.asarray(client + 2 * server + 3 * waited, np.int64)
