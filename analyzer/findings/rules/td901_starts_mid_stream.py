"""The connection's opening was not captured.

## What it sees

The first captured segment of the connection is not a SYN, and no SYN-ACK follows.

## Why it matters

The client was guessed from the ports. Window scaling is unknown, and so is what happened before: an earlier FIN may
have passed unseen, so the connection may have ended differently.

## When it is harmless

For connections that were open when the capture began; that includes every long-lived one.

## What to do next

Start the capture before the connection. A capture filter that drops SYNs (for example one on a port of only one side)
has the same effect on every connection.
"""

from analyzer.findings.facts import opening_not_captured
from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD901"
NAME = "starts-mid-stream"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = (Sign.NO_OPENING,)
ABOUT = "capture"
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, with the end of the connection
EXAMPLE = "starts-mid-stream.pcap"
NEAR_MISS = "graceful-server-first.pcapng"
MESSAGE = (
    "The opening of this connection was not captured: frame {first} is its first. That {client} is the client is a "
    "guess from the ports."
)
ADVICE = (
    "Suspect the capture, not the connection: it began too late or filters SYNs out. Next, to see whether it has SYNs "
    "at all: tshark -r CAPTURE -Y 'tcp.flags.syn == 1' | head"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    first = ledger.flow("first_frame")
    only_resets = (ledger.own("packets") == ledger.own("rst_count")).all(axis=1)  # a RST alone proves no connection
    return Verdict(
        fires=opening_not_captured(ledger) & ~ledger.never_open & ~only_resets,
        when=ledger.flow("first_time"),
        frames=[first],
        values={"first": first},
        certain=True,
    )
