"""A FIN was retransmitted and then acknowledged.

## What it sees

The same FIN passed the capture point again (copies made by the capture do not count) before its acknowledgment
passed, or after that by more than the round-trip time. A FIN that is sent again at once only to acknowledge more is
not a retransmission.

## Why it matters

The FIN or its acknowledgment was lost, or came very late. One is nothing; many point to a lossy path, or to a host
that is too busy to answer.

## When it is harmless

When it is rare. Retransmissions exist for this: the close completed normally, and the FIN counts once.

## What to do next

Check whether data on the same path are retransmitted too: `tcp.analysis.retransmission` in Wireshark.
"""

from analyzer.findings.facts import fin_acked, phrase
from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD202"
NAME = "fin-retransmitted"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("fin_repeats",)
LIVE_WAIT = AT_THE_END  # repeats are still counted
EXAMPLE = "fin-retransmitted.pcapng"
NEAR_MISS = "data-lost-but-fin-not.pcap"
MESSAGE = (
    "The {blamed} retransmitted its FIN (frame {first}) {count:times}, the last time in frame {last}, {span:duration} "
    "after the first. The FIN was acknowledged in frame {ack}{anew}{again:shown}."
)
ADVICE = (
    "{suspect} Next, to see all that was repeated: tshark -r CAPTURE -Y 'tcp.analysis.retransmission && tcp.stream == "
    "{stream}'"
)
ONE_LOST = "One segment was lost or late; suspect nobody."
LOSS = "Suspect loss between the two, or a peer that was out of reach for a moment."


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    again = ledger.own("fin_reacked_frame")
    return Verdict(
        fires=(ledger.own("fin_repeats") > 0) & fin_acked(ledger),
        when=ledger.own("fin_last_time"),
        frames=[ledger.own("fin_frame"), ledger.own("fin_last_frame"), ledger.own("fin_acked_frame"), again],
        values={
            "count": ledger.own("fin_count") - 1,
            "suspect": phrase(ledger.own("fin_count") > 2, LOSS, ONE_LOST),
            "first": ledger.own("fin_frame"),
            "last": ledger.own("fin_last_frame"),
            "span": ledger.own("fin_last_time") - ledger.own("fin_time"),
            "ack": ledger.own("fin_acked_frame"),
            "anew": phrase(again > 0, " and again after a retransmission"),
            "again": again,
        },
    )
