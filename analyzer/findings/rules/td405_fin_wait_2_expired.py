"""An endpoint had left FIN_WAIT_2 by its timer, as a later packet proves.

## What it sees

The endpoint had sent its FIN, which was acknowledged, and waited for the peer's. Later it answered a keep-alive
probe with the RST of a host that knows no such connection: a host in FIN_WAIT_2 would have acknowledged it.

## Why it matters

The endpoint has forgotten the connection; the peer, still in CLOSE_WAIT, leaks. Only its own keep-alive told it.

## When it is harmless

When the peer closes upon this RST.

## What to do next

Look at the peer: it should have closed when it received the FIN. On Linux only a FIN_WAIT_2 whose application has
closed the socket is ended by `tcp_fin_timeout`; one that is held by a program has no limit.
"""

from analyzer.findings.facts import blind_reset
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.ledger import Answered
from analyzer.tracker.outcome import Ledger

CODE = "TD405"
NAME = "fin-wait-2-expired"
SEVERITY = "warning"
SUPERSEDES = ("TD304", "TD305")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "fin-wait-2-expired.pcap"
NEAR_MISS = "late-fin-still-welcome.pcap"
MESSAGE = (
    "The {blamed} had left FIN_WAIT_2 unseen: its FIN (frame {fin}) was acknowledged at {acked:into} (frame "
    "{ack}), and at {when:into} it answered a keep-alive probe (frame {probe}) with a RST (frame {rst}), not "
    "knowing the connection."
)
ADVICE = (
    "Suspect the application on {peer_ip} first: it was told of the FIN and did not close. Next, on {peer_ip}, "
    "while it waits: ss -tnp state close-wait"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    probed = ledger.own("rst_answers") & Answered.KEEP_ALIVE > 0
    return Verdict(
        fires=(ledger.own("rst_reply") == 1) & probed & (ledger.own("rst_state") == State.FIN_WAIT_2),
        when=ledger.own("rst_time"),
        frames=[
            ledger.own("fin_frame"),
            ledger.own("fin_acked_frame"),
            ledger.own("rst_answers_frame"),
            ledger.own("rst_frame"),
        ],
        values={
            "fin": ledger.own("fin_frame"),
            "ack": ledger.own("fin_acked_frame"),
            "acked": ledger.own("fin_acked_time"),
            "probe": ledger.own("rst_answers_frame"),
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
        },
        unsure=blind_reset(ledger),
    )
