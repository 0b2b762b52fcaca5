"""A FIN came so late that the peer no longer knew the connection, and answered RST.

## What it sees

The peer closed first and its FIN was acknowledged. The endpoint stayed in CLOSE_WAIT and sent its own FIN only
later; the peer answered it with a RST whose number is the one that FIN acknowledged: a host does that when it knows
no such connection. So the peer had left FIN_WAIT_2 in between, at a moment no packet shows.

## Why it matters

It is a leak that ended by accident: a garbage collector, a pool's cleaner or the end of the process closed what the
program had forgotten. Until then each such socket holds a descriptor and a port. The RST itself does no harm any
more.

## When it is harmless

If it is rare and no data follow the FIN. A FIN that comes within the threshold of a slow close and still meets a
RST is not late: no timer ended the peer's FIN_WAIT_2, it kept none. That is TD304.

## What to do next

Close the connection on every path of the blamed application, at the moment the end of the stream is read. Do not
raise time-outs in the kernel of either side. On Linux `tcp_fin_timeout` ends only a FIN_WAIT_2 whose application
has called `close()`; one that is still held has no time limit, so do not expect the peer to forget after 60 s.
"""

from analyzer.findings.facts import blind_reset, reset_victim
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.endings import RstCause
from analyzer.tracker.outcome import Ledger

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
    "{held:duration} and sent its own FIN only then (frame {fin}, at {late:into}). The {peer_role} no longer knew "
    "the connection and answered RST (frame {rst}): its FIN_WAIT_2 had ended, unseen, between {began:into} and "
    "{when:into}."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it closes its sockets too late, perhaps only when they are "
    "garbage collected. Close the connection on every path as soon as its end is read; do not work around it by "
    "raising time-outs. Next, on {blamed_ip}, while it waits: ss -tnp state close-wait {ss}"
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
        unsure=blind_reset(ledger, "peer"),
    )
