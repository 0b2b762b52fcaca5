"""A FIN had to be repeated and was then acknowledged.

## What it sees

The same FIN passed the tap again (copies made by the capture do not count) before its acknowledgment passed, or longer
after that than the way there and back takes. A FIN that comes again at once only to acknowledge more is no repeat.

## Why it matters

The FIN or its acknowledgment was lost, or came very late. One is nothing; many point to a lossy path, or to a host
that is too busy to answer.

## When it is harmless

When it is rare. It is what repeats are for: the close went on in order, and it counts as one FIN.

## What to do next

See whether data on the same path are repeated, too: `tcp.analysis.retransmission` in Wireshark.
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
    "The {blamed} repeated its FIN (frame {first}) {count:times}, the last time in frame {last}, {span:duration} after "
    "the first; it was acknowledged in frame {ack}{anew}{again:shown}."
)
ADVICE = (
    "Suspect loss between the two if there are many of these; one alone means nothing. Next: tshark -r CAPTURE -Y "
    "'tcp.analysis.retransmission && tcp.stream == {stream}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    again = ledger.own("fin_reacked_frame")
    return Verdict(
        fires=(ledger.own("fin_repeats") > 0) & fin_acked(ledger),
        when=ledger.own("fin_last_time"),
        frames=[ledger.own("fin_frame"), ledger.own("fin_last_frame"), ledger.own("fin_acked_frame"), again],
        values={
            "count": ledger.own("fin_count") - 1,
            "first": ledger.own("fin_frame"),
            "last": ledger.own("fin_last_frame"),
            "span": ledger.own("fin_last_time") - ledger.own("fin_time"),
            "ack": ledger.own("fin_acked_frame"),
            "anew": phrase(again > 0, " and again after a repeat"),
            "again": again,
        },
    )
