"""The last acknowledgment was lost: the second FIN was retransmitted, and TIME_WAIT acknowledged it again.

## What it sees

The endpoint that closed second retransmitted its FIN although an acknowledgment of it had passed the capture point
earlier than a round trip before, both by the shortest round-trip time and by the last one measured. So the
acknowledgment was lost, or came later than the endpoint's timer; packets do not show which. The peer, in TIME_WAIT,
acknowledged the retransmission.

## Why it matters

TIME_WAIT exists for this case. The retransmission also restarts the time of TIME_WAIT, and shows that segments are
lost on that path.

## When it is harmless

Always, if it is rare: both sides closed normally.

## What to do next

Nothing for a single one. If it is frequent, look for a device that removes its state at the last FIN and drops what
follows. Do not shorten TIME_WAIT because of it: without TIME_WAIT the retransmitted FIN would have been answered by
RST (TD204).
"""

from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD203"
NAME = "last-ack-lost"
SEVERITY = "info"
SUPERSEDES = ("TD202",)
THRESHOLDS = ()
NEEDS = ("fin_after_ack",)
LIVE_WAIT = AT_THE_END  # repeats are still counted
EXAMPLE = "last-ack-lost.pcapng"
NEAR_MISS = "last-ack-lost-then-reset.pcap"
MESSAGE = (
    "The acknowledgment (frame {ack}) of the FIN of the {blamed} (frame {fin}) was lost or late: the FIN was "
    "retransmitted {after:duration} after it (frame {again}), and the {peer_role}, in TIME_WAIT, acknowledged it "
    "again (frame {reack})."
)
ADVICE = (
    "TIME_WAIT did its job; suspect nobody, and do not try to shorten it. Next, to see how often: tshark -r CAPTURE -Y "
    "'tcp.flags.fin == 1 && tcp.analysis.retransmission'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    reacked = ledger.own("fin_reacked_frame")
    return Verdict(
        fires=(ledger.own("fin_after_ack") > 0) & (reacked > 0) & (ledger.peer("time_wait_time") > 0),
        when=ledger.own("fin_last_time"),
        frames=[ledger.own("fin_frame"), ledger.own("fin_acked_frame"), ledger.own("fin_after_ack_frame"), reacked],
        values={
            "ack": ledger.own("fin_acked_frame"),
            "fin": ledger.own("fin_frame"),
            "after": ledger.own("fin_after_ack_time") - ledger.own("fin_acked_time"),
            "again": ledger.own("fin_after_ack_frame"),
            "reack": reacked,
        },
    )
