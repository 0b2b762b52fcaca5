"""A FIN was retransmitted and never acknowledged: the endpoint is stuck in FIN_WAIT_1, CLOSING or LAST_ACK.

## What it sees

The endpoint sent its FIN several times, and no acknowledgment of it passed the capture point. Or one did pass, and
the endpoint still retransmitted the FIN three times or more without any other answer, so that the acknowledgment
cannot have arrived.

## Why it matters

The other host, or the path to it, was gone. The endpoint keeps the connection until its retries are used up (on Linux
by default about 100 s for a closed socket) and then drops it without a RST: the other side, if it is alive, never
learns of it.

## When it is harmless

When the peer was switched off or moved on purpose.

## What to do next

Suspect the path before the applications: a firewall or load balancer that dropped its state, a link that went down, a
crashed host, an interface that filters the last segments. Capture at the other end at the same time: did the FIN
arrive there, and did an acknowledgment leave?
"""

from analyzer.findings.facts import ended_silence, fin_acked, not_captured, phrase, state_is
from analyzer.findings.fitting_timers import fits_of, fitting_words, kept_open_by
from analyzer.findings.rule import Verdict
from analyzer.findings.silences import before_lost_fin
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import NEVER_TAKEN, Ledger
from analyzer.tracker.signs import Sign
from analyzer.units import SECOND

CODE = "TD201"
NAME = "fin-never-acknowledged"
SEVERITY = "error"
SUPERSEDES = ("TD202", "TD203")
THRESHOLDS = ()
NEEDS = (Sign.FIN_REPEATED,)
LIVE_WAIT = 5 * SECOND  # a FIN is repeated after 0.2, 0.6, 1.4 and 3 s (RFC 6298): until then it may be a single loss
EXAMPLE = "fin-never-acknowledged.pcapng"
NEAR_MISS = "fin-retransmitted.pcapng"
FEW = 3  # so many FINs may still be a matter of a moment
MOMENT_NS = 1_000_000_000
IDLE_NS = 10 * SECOND  # no known device forgets a connection sooner, half-closed ones included
MESSAGE = (
    "The {blamed} sent its FIN {count:times} in {span:duration} (frames {first} to {last}, the first at "
    "{when:into}){idle:silence}{timers}{passed}. It remains in {state:state}."
)
ADVICE = (
    "Suspect {suspect}{limit:every}. Next, capture at {peer_ip} too and check whether the FIN arrives: tcpdump -ni "
    "any 'tcp and host {blamed_ip} and port {port}'"
)
NETWORK = (
    "the network between the two, or the other host, before either application: a device that dropped its state, or a "
    "host that is gone"
)
FORGOTTEN = (
    "a device between the two first (a firewall, NAT or load balancer) that had dropped the connection during the "
    "silence: close sooner, or send keep-alives more often"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    count, last = ledger.own("fin_count"), ledger.own("fin_last_time")
    acked = ledger.own("fin_acked_frame")
    waits = state_is(ledger, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK) & ~fin_acked(ledger)
    known = ledger.knows(Known.FIN)  # else its number lies in what the peer has acknowledged before
    in_vain = (ledger.own("fin_after_ack") >= NEVER_TAKEN) & (ledger.own("fin_reacked_frame") == 0)
    stuck = waits & known & (count > 1) & ((acked == 0) | in_vain)
    hidden = not_captured(ledger)[:, ::-1]
    idle = ended_silence(ledger, ledger.own("fin_frame"))
    fits = fits_of(ledger, before_lost_fin, stuck & ~hidden & (idle > 0), settings)
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
            "passed": phrase(
                acked > 0,
                " and continued after one acknowledgment of it had passed, without another answer",
                ", and no acknowledgment of it was captured",
            ),
            "idle": idle,
            "timers": fits.said(fitting_words),
            "limit": kept_open_by(fits, idle) * (idle >= IDLE_NS),
            "suspect": phrase(idle >= IDLE_NS, FORGOTTEN, NETWORK),
            "state": ledger.own("state"),
        },
        rests_on=[ledger.own("state_basis")],
        absence=True,
        unsure=acked > 0,
        doubt=(count <= FEW) & (ledger.watched_until(last) - last < MOMENT_NS),
        not_judged=[("only one direction was captured: acknowledgments of the FIN cannot be seen", stuck & hidden)],
    )
