"""A SYN was answered by RST: nobody accepts connections there.

## What it sees

A RST that acknowledges a SYN, which was still unanswered. Some systems ask again after a refusal; each RST is paired
with the SYN it acknowledges, and the first pair is named.

## Why it matters

The application gets ECONNREFUSED. Either nothing listens on that port, or something on the way rejects it.

## When it is harmless

Port scans, probes for a service that is optional, a browser that tries several addresses at once.

## What to do next

On the server: does anything listen on that address and port? If it does, a firewall with a reject rule answered
instead: compare the TTL of the RST with that of the server's other packets.
"""

from analyzer.findings.facts import phrase
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD307"
NAME = "connection-refused"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("refusals",)
EXAMPLE = "connection-refused.pcap"
NEAR_MISS = "graceful-client-first.pcap"
MESSAGE = (
    "The {blamed} refused {count:SYN} of {peer_at}: SYN (frame {syn}), RST (frame {rst}, {after:duration} {order})."
)
ADVICE = (
    "Suspect that nothing listens at {blamed_at}, else a firewall that rejects. Next, on {blamed_ip}: ss -tlnp {ss}"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    return Verdict(
        fires=ledger.own("refusals") > 0,
        when=ledger.own("refused_time"),
        frames=[ledger.own("refused_syn_frame"), ledger.own("refused_frame")],
        values={
            "count": ledger.own("refusals"),
            "syn": ledger.own("refused_syn_frame"),
            "rst": ledger.own("refused_frame"),
            "after": ledger.own("refused_after"),
            "order": phrase(
                ledger.own("refused_frame") < ledger.own("refused_syn_frame"), "before it in the capture", "after it"
            ),
        },
    )
