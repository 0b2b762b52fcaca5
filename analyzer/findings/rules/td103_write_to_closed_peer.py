"""An endpoint sent data although it knew of the peer's FIN, and met a RST: the peer had closed both directions.

## What it sees

The endpoint acknowledged the peer's FIN and later sent data. The peer answered with a RST of the kind a host sends
for a socket it no longer has. A FIN alone does not say whether the peer only stopped sending (`shutdown`) or closed
altogether; this RST does.

## Why it matters

The data are lost, and the application learns it only at its next write or read (EPIPE, ECONNRESET). The typical
case is a pool of idle connections that hands out one the other side closed long ago.

## When it is harmless

When nothing depended on the data. A TLS close_notify, which is sent before a close and often meets a RST, is known
by its first byte and not reported here (it is TD304).

## What to do next

In the blamed application, check an idle connection before it is used again (a read that returns 0 bytes), keep idle
connections for a shorter time than the other side does, and repeat requests that may be repeated. If the margin is
only milliseconds the program was told too late: that is TD306, a race.
"""

from analyzer.findings.facts import after_peer_fin, blind_reset, farewell, in_one_round, reset_victim
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger, RstCause

CODE = "TD103"
NAME = "write-to-closed-peer"
SEVERITY = "warning"
SUPERSEDES = ("TD304", "TD305", "TD105", "TD107")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "write-to-closed-peer.pcapng"
NEAR_MISS = "half-close-in-use.pcapng"
MESSAGE = (
    "The {blamed} had acknowledged the {peer_role}'s FIN ({fin:frame}) and sent {sent:byte} {after:duration} later "
    "(frame {data}); the {peer_role} had closed both directions and answered RST (frame {rst}, at {when:into})."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it used a connection whose end it had been told, as a pool does "
    "that does not check idle connections. Keep them for a shorter time than the {peer_role} does, and check "
    "before use. Next: tshark -r CAPTURE -Y 'tcp.stream == {stream}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    knew = reset_victim(ledger, RstCause.DATA_AFTER_CLOSE) & after_peer_fin(ledger)
    return Verdict(
        fires=knew & ~in_one_round(ledger) & ~farewell(ledger),
        when=ledger.peer("rst_time"),
        frames=[
            ledger.peer("fin_frame"),
            ledger.peer("fin_acked_frame"),
            ledger.own("half_close_frame"),
            ledger.peer("rst_frame"),
        ],
        values={
            "fin": ledger.peer("fin_frame"),
            "sent": ledger.own("half_close_bytes"),
            "after": ledger.peer("rst_answers_time") - ledger.peer("fin_acked_time"),
            "data": ledger.peer("rst_answers_frame"),
            "rst": ledger.peer("rst_frame"),
            "when": ledger.peer("rst_time"),
        },
        rests_on=[ledger.own("close_wait_basis")],
        unsure=blind_reset(ledger, "peer"),
    )
