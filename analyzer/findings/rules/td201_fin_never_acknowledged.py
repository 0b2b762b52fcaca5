"""A FIN was repeated and never acknowledged: the endpoint is stuck in FIN_WAIT_1, CLOSING or LAST_ACK.

## What it sees

The endpoint sent its FIN several times, with growing intervals, and no acknowledgment of it arrived: none passed
the tap, or those that did were followed by yet another repeat.

## Why it matters

The other host, or the way to it, was gone. The endpoint keeps the connection until its retries are used up (on
Linux about 100 s for a closed socket by default) and then drops it without a RST: the other side, if it lives, is
never told.

## When it is harmless

When the peer was switched off or moved on purpose.

## What to do next

Suspect the path before the applications: a firewall or load balancer that dropped its state, a link that went down,
a host that crashed, an interface that filters the last segments. Capture at the other end at the same time: did the
FIN arrive there, and did an acknowledgment leave?
"""

from analyzer.findings.facts import fin_acked, phrase, state_is, unseen
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.transitions import State

CODE = "TD201"
NAME = "fin-never-acknowledged"
SEVERITY = "error"
SUPERSEDES = ("TD202", "TD203")
THRESHOLDS = ()
NEEDS = ("fin_count",)
EXAMPLE = "fin-never-acknowledged.pcapng"
NEAR_MISS = "fin-retransmitted.pcapng"
FEW = 3  # so many FINs may still be a matter of a moment
MOMENT_NS = 1_000_000_000
MESSAGE = (
    "The {blamed} sent its FIN {count:times} in {span:duration} (frames {first} to {last}, the first at "
    "{when:into}) and no acknowledgment reached it{passed}: it is stuck in {state:state}. The {peer_role} was last "
    "heard {silent:before_end} before the capture's end."
)
ADVICE = (
    "Suspect the network between the two, or the host {peer_ip}, before either application: a device that dropped "
    "its state, or a host that is gone. Next: capture at {peer_ip} too and see whether the FIN arrives: tcpdump "
    "-ni any 'tcp[tcpflags] & (tcp-fin|tcp-rst) != 0 and host {blamed_ip}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    count, last = ledger.own("fin_count"), ledger.own("fin_last_time")
    stuck = state_is(ledger, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK) & (count > 1) & ~fin_acked(ledger)
    hidden = unseen(ledger)[:, ::-1]
    return Verdict(
        fires=stuck & ~hidden,
        when=ledger.own("fin_time"),
        frames=[ledger.own("fin_frame"), ledger.own("fin_acked_frame"), ledger.own("fin_last_frame")],
        values={
            "count": count,
            "span": last - ledger.own("fin_time"),
            "first": ledger.own("fin_frame"),
            "last": ledger.own("fin_last_frame"),
            "when": ledger.own("fin_time"),
            "passed": phrase(ledger.own("fin_acked_frame") > 0, " (what passed the tap was lost behind it)"),
            "state": ledger.own("state"),
            "silent": ledger.peer("last_time"),
        },
        rests_on=[ledger.own("state_basis")],
        absence=True,
        doubt=(count <= FEW) & (ledger.watched_until(last) - last < MOMENT_NS),
        blind=[("only one direction was captured: acknowledgments of the FIN cannot be seen", stuck & hidden)],
    )
