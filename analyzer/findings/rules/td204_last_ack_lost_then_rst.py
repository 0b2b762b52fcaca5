"""The last acknowledgment was lost, and the retransmitted FIN was answered by RST: TIME_WAIT was cut short.

## What it sees

The endpoint that closed second retransmitted its FIN, because the acknowledgment had not reached it. The peer should
have been in TIME_WAIT and acknowledged it again; instead it answered with the RST of a host that has no such
connection.

## Why it matters

The application that closed second may get ECONNRESET for a connection that had ended normally. And if TIME_WAIT does
not last, old segments can disturb a new connection on the same addresses and ports.

## When it is harmless

When both applications are done with the connection and ignore the error.

## What to do next

On the blamed host look for the cause of the short TIME_WAIT: a full table (`TCPTimeWaitOverflow` in `nstat`, the
limit `tcp_max_tw_buckets`), or a firewall or load balancer that answers for the host. `tcp_fin_timeout` has no effect
on TIME_WAIT.
"""

from analyzer.findings.facts import acceptance_unknown, resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.ledger import Answered
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD204"
NAME = "last-ack-lost-then-rst"
SEVERITY = "warning"
SUPERSEDES = ("TD201", "TD202", "TD203", "TD304", "TD305")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "last-ack-lost-then-reset.pcap"
NEAR_MISS = "last-ack-lost.pcapng"
MESSAGE = (
    "The acknowledgment (frame {ack}) that the {blamed} sent for the {peer_role}'s FIN (frame {fin}) was lost or "
    "late. The FIN was retransmitted (frame {again}) and answered with RST (frame {rst}, at {when:into}) instead of "
    "an acknowledgment by TIME_WAIT, which had lasted at most {held:duration}."
)
ADVICE = (
    "Suspect the host {blamed_ip} first, or a device that answers for it: it did not keep TIME_WAIT. Next, to see "
    "whether it keeps too few, on {blamed_ip}: nstat -az TcpExtTCPTimeWaitOverflow; sysctl net.ipv4.tcp_max_tw_buckets"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    repeated = (ledger.peer("fin_count") > 1) & (ledger.own("rst_answers") & Answered.FIN > 0)
    return Verdict(
        fires=resetter(ledger, RstCause.TIME_WAIT_GONE) & repeated,
        when=ledger.own("rst_time"),
        frames=[
            ledger.peer("fin_frame"),
            ledger.peer("fin_acked_frame"),
            ledger.peer("fin_last_frame"),
            ledger.own("rst_frame"),
        ],
        values={
            "ack": ledger.peer("fin_acked_frame"),
            "fin": ledger.peer("fin_frame"),
            "again": ledger.peer("fin_last_frame"),
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "held": ledger.own("rst_time") - ledger.own("time_wait_time"),
        },
        unsure=acceptance_unknown(ledger),
    )
