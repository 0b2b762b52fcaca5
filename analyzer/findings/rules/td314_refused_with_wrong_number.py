"""Every SYN got a RST that its sender must ignore, so that connect times out.

## What it sees

SYNs that were answered by RST and by nothing else, and none of these RSTs acknowledges the number after the SYN's, as
a refusal must (RFC 9293 3.10.7.3). The client must ignore them and retransmits the SYN until it gives up.

## Why it matters

The application gets "timed out" after minutes instead of "refused" at once. Nothing listens at the port, and the
stack that reports this does so with a wrong number.

## When it is harmless

When nobody waits for the answer, as in a scan.

## What to do next

Find out which stack, or which device in front of it, answers on that address: a small embedded one, or a firewall's
reject rule. Its RST must acknowledge the SYN's number plus one.
"""

from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger

CODE = "TD314"
NAME = "refused-with-wrong-number"
SEVERITY = "warning"
SUPERSEDES = ("TD308", "TD310", "TD502")
THRESHOLDS = ()
NEEDS = ("rst_ignored",)
EXAMPLE = "refused-with-wrong-number.pcap"
NEAR_MISS = "connection-refused.pcap"
MESSAGE = (
    "The {blamed} answered {syns:SYN} of {peer_at} with {count:RST} (SYN in frame {syn}, RST in frame {rst}). No RST "
    "acknowledges the SYN's number plus one, so {peer_at} must ignore them."
)
ADVICE = (
    "Suspect the TCP stack of {blamed_ip} first, or a device that answers for it: its refusal carries a wrong number. "
    "Nothing listens on that port, or no more connections fit into its queue. Next, to see whether anything listens, "
    "on {blamed_ip}: ss -tlnp {ss}"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    ignored, packets = ledger.own("rst_ignored"), ledger.own("packets")
    asks = ledger.peer("state") == State.SYN_SENT
    only = (ignored > 0) & (ignored == ledger.own("rst_count")) & (ignored == packets)
    return Verdict(
        fires=asks & only & (ignored + 1 >= ledger.peer("syn_count")),
        when=ledger.own("rst_ignored_time"),
        frames=[ledger.peer("syn_frame"), ledger.own("rst_ignored_frame")],
        values={
            "syns": ledger.peer("syn_count"),
            "count": ignored,
            "syn": ledger.peer("syn_frame"),
            "rst": ledger.own("rst_ignored_frame"),
        },
    )
