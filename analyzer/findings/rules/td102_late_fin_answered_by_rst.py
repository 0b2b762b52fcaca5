"""A FIN came so late that the peer no longer had the connection and answered with RST.

## What it sees

The peer closed first and its FIN was acknowledged. The endpoint stayed in CLOSE_WAIT and sent its own FIN only later.
The peer answered it with a RST whose sequence number is that FIN's acknowledgment number, as a host does that has no
such connection. So the peer had left FIN_WAIT_2 in between, at a time that no packet shows.

## Why it matters

This is a leak that ended by accident: a garbage collector, a pool's cleaner or the end of the process closed what the
program had forgotten. Until then each such socket holds a descriptor and a port. The RST itself does no more harm.

## When it is harmless

If it is rare and no data follow the FIN. A FIN within the threshold of a slow close that is still answered by RST is
not late: the peer did not keep FIN_WAIT_2 at all. That is TD304.

## What to do next

Close the connection on every path of the blamed application, as soon as it reads the end of the stream. Do not raise
kernel timeouts on either side. On Linux `tcp_fin_timeout` limits FIN_WAIT_2 only after the application has called
`close()`; while it holds the socket there is no limit, so do not expect the peer to drop the connection after 60 s.
"""

from analyzer.findings.facts import acceptance_unknown, reset_victim
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD102"
NAME = "late-fin-answered-by-rst"
SEVERITY = "error"
SUPERSEDES = ("TD101", "TD105", "TD107", "TD304", "TD305", "TD405")
THRESHOLDS = ("slow_close_ns",)
NEEDS = ("rst_count",)
EXAMPLE = "late-fin-answered-by-rst.pcapng"
NEAR_MISS = "late-fin-still-welcome.pcap"
MESSAGE = (
    "The {blamed} acknowledged the {peer_role}'s FIN ({peer_fin:frame}) in frame {ack}, stayed in CLOSE_WAIT for "
    "{held:duration} and only then sent its own FIN (frame {fin}, at {late:into}). The {peer_role} no longer had the "
    "connection and answered with RST (frame {rst}): its FIN_WAIT_2 had ended, without a packet, between {began:into} "
    "and {when:into}."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it closes its sockets too late, perhaps only at garbage collection. "
    "Close the connection on every path as soon as the end of the stream is read; do not work around it by raising "
    "timeouts. Next, to find the process, on {blamed_ip}, while a socket is in CLOSE_WAIT: ss -tnp state close-wait "
    "{ss}"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    held = ledger.own("fin_time") - ledger.peer("fin_acked_time")
    return Verdict(
        fires=reset_victim(ledger, RstCause.LATE_FIN) & (held > settings.slow_close_ns),
        when=ledger.peer("rst_time"),
        frames=[
            ledger.peer("fin_frame"),
            ledger.peer("fin_acked_frame"),
            ledger.own("fin_frame"),
            ledger.peer("rst_frame"),
        ],
        values={
            "peer_fin": ledger.peer("fin_frame"),
            "ack": ledger.peer("fin_acked_frame"),
            "fin": ledger.own("fin_frame"),
            "late": ledger.own("fin_time"),
            "rst": ledger.peer("rst_frame"),
            "when": ledger.peer("rst_time"),
            "began": ledger.peer("fin_acked_time"),
            "held": held,
        },
        rests_on=[ledger.own("close_wait_basis")],
        unsure=acceptance_unknown(ledger, "peer"),
    )
