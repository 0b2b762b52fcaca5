"""A later packet proves that an endpoint had left FIN_WAIT_2 by its timer.

## What it sees

The endpoint had sent its FIN, which was acknowledged, and waited for the peer's FIN. Later it answered a keep-alive
probe with the RST of a host that has no such connection; in FIN_WAIT_2 it would have acknowledged the probe.

## Why it matters

The endpoint has dropped the connection; the peer, still in CLOSE_WAIT, leaks its socket. Only the peer's own
keep-alive revealed it.

## When it is harmless

When the peer closes after this RST.

## What to do next

Check the peer: it should have closed when it received the FIN. On Linux `tcp_fin_timeout` ends FIN_WAIT_2 only after
the application has closed the socket; while a program holds the socket there is no limit.
"""

from analyzer.findings.facts import acceptance_unknown
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
    "The {blamed} had left FIN_WAIT_2 without a packet: its FIN (frame {fin}) was acknowledged at {acked:into} (frame "
    "{ack}), but at {when:into} it answered a keep-alive probe (frame {probe}) with the RST of a host that has no "
    "such connection (frame {rst})."
)
ADVICE = (
    "Suspect the application on {peer_ip} first: it did not close its socket after the {role}'s FIN. Next, to find the "
    "process, on {peer_ip}, while a socket is in CLOSE_WAIT: ss -tnp state close-wait 'dst {blamed_at}'"
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
        unsure=acceptance_unknown(ledger),
    )
