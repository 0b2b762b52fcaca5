"""A SYN was answered by RST: nobody accepts connections there.

## What it sees

A SYN, and a RST that acknowledges it.

## Why it matters

The application gets ECONNREFUSED. Either nothing listens on that port, or something on the way rejects it.

## When it is harmless

Port scans, probes for a service that is optional, a browser that tries several addresses at once.

## What to do next

On the server: does anything listen on that address and port? If it does, a firewall with a reject rule answered
instead: compare the TTL of the RST with that of the server's other packets.
"""

from analyzer.findings.facts import resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger, RstCause

CODE = "TD307"
NAME = "connection-refused"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "connection-refused.pcap"
NEAR_MISS = "graceful-client-first.pcap"
MESSAGE = (
    "The {blamed} refused the connection that {peer_at} asked for: SYN (frame {syn}), RST (frame {rst}) after "
    "{after:duration}."
)
ADVICE = (
    "Suspect that nothing listens at {blamed_at}, else a firewall that rejects. Next, on {blamed_ip}: ss -tlnp {ss}"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    return Verdict(
        fires=resetter(ledger, RstCause.CONNECTION_REFUSED),
        when=ledger.own("rst_time"),
        frames=[ledger.peer("syn_frame"), ledger.own("rst_frame")],
        values={
            "syn": ledger.peer("syn_frame"),
            "rst": ledger.own("rst_frame"),
            "after": ledger.own("rst_time") - ledger.own("rst_answers_time"),
        },
    )
