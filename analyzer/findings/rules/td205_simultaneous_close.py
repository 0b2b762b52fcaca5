"""The FINs crossed on the way: both sides closed at once and went through CLOSING.

## What it sees

Neither FIN acknowledges the other, so each side had closed before it knew of the peer's close.

## Why it matters

Both sides end in TIME_WAIT, and nobody was ever in CLOSE_WAIT or LAST_ACK: whoever counts states is surprised.

## When it is harmless

Always. RFC 9293 provides for it (figure 13). Both applications had decided to close within one way of each other,
as when a protocol's farewell makes both sides close.

## What to do next

Nothing.
"""

import numpy as np

from analyzer.findings.rule import Choice, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD205"
NAME = "simultaneous-close"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("closing",)
EXAMPLE = "simultaneous-close.pcapng"
NEAR_MISS = "graceful-server-first.pcapng"
MESSAGE = (
    "The FINs of {client} (frame {client_fin}) and {server} (frame {server_fin}) crossed, {apart:duration} apart "
    "at the tap: neither acknowledges the other. {passed} went through CLOSING to TIME_WAIT."
)
ADVICE = "Legal; suspect nobody. Next, to see it: tshark -r CAPTURE -Y 'tcp.stream == {stream}'"


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    fin, frame = ledger.own("fin_time"), ledger.own("fin_frame")
    every = np.arange(ledger.flows)
    closing = ledger.own("closing") > 0
    alone = 1 + (closing[:, 1] ^ ledger.client).astype(np.int64)
    return Verdict(
        fires=ledger.crossed_fins & closing.any(axis=1),
        when=fin.max(axis=1),
        frames=[frame[:, 0], frame[:, 1], ledger.own("fin_acked_frame")[:, 0], ledger.own("fin_acked_frame")[:, 1]],
        values={
            "client_fin": frame[every, ledger.client],
            "server_fin": frame[every, 1 - ledger.client],
            "passed": Choice(np.where(closing.all(axis=1), 0, alone), ("Both sides", "The client", "The server")),
            "apart": np.abs(fin[:, 0] - fin[:, 1]),
        },
    )
