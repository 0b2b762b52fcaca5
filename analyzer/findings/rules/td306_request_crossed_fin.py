"""Data crossed the peer's FIN on the way and met a RST: the race of two sides that use an idle connection.

## What it sees

An endpoint closed both directions. Within a round trip of its FIN's passing the tap the other side sent data, which
it could not, or hardly, have known to be too late. The data met a RST.

## Why it matters

This is how requests fail "at random" over connections that are kept alive: one side's idle timer closes in the
moment in which the other sends the next request. A load balancer turns it into a 502.

## When it is harmless

When the request is repeated by itself and nobody sees an error.

## What to do next

Make the side that sends requests give up idle connections first: its idle time must be shorter than the time after
which the other side closes (for a load balancer in front of a server: the server's keep-alive time longer than the
load balancer's idle time; Node.js closes after 5 s by default, AWS ALB after 60 s). Repeat requests that may be
repeated.
"""

import numpy as np

from analyzer.findings.facts import blind_reset, data_met_reset, farewell, in_one_round, phrase, since_peer_fin
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD306"
NAME = "request-crossed-fin"
SEVERITY = "error"
SUPERSEDES = ("TD304", "TD103", "TD105", "TD107")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "request-crossed-fin.pcapng"
NEAR_MISS = "write-to-closed-peer.pcapng"
MESSAGE = (
    "The {blamed} closed (FIN, frame {fin}, at {closed:into}) after {idle:duration} of silence; data of the "
    "{peer_role} (frame {data}, {size:byte}) crossed it, {margin:duration} {order}, and met a RST (frame {rst})."
)
ADVICE = (
    "Suspect the idle timer of {blamed_ip} first, if the silence before was long: let the {peer_role} drop idle "
    "connections sooner than {idle:duration}, or the {role} keep them longer. After a short silence ask why the "
    "{role} closed while the {peer_role} was still sending. Next, to see how often: tshark -r CAPTURE -Y "
    "'tcp.flags.reset == 1 && tcp.port == {port}' -T fields -e tcp.stream -e frame.time_relative"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    raced = data_met_reset(ledger) & in_one_round(ledger) & ~farewell(ledger)
    margin = since_peer_fin(ledger)[:, ::-1]
    ended_silence = ledger.peer("idle_longest_frame") == ledger.own("rst_answers_frame")
    return Verdict(
        fires=raced[:, ::-1],
        when=ledger.own("rst_time"),
        frames=[ledger.own("fin_frame"), ledger.own("rst_answers_frame"), ledger.own("rst_frame")],
        values={
            "fin": ledger.own("fin_frame"),
            "closed": ledger.own("fin_time"),
            "idle": np.where(ended_silence, ledger.peer("idle_longest"), ledger.flow("close_idle")[:, None]),
            "data": ledger.own("rst_answers_frame"),
            "size": ledger.peer("carried"),
            "margin": np.abs(margin),
            "order": phrase(margin < 0, "before it at the tap", "behind it at the tap"),
            "rst": ledger.own("rst_frame"),
        },
        unsure=blind_reset(ledger),
        absence=True,
    )
