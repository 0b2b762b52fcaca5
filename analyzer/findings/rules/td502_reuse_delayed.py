"""A new connection on used addresses and ports was delayed: the other side still had the old one.

## What it sees

A SYN on a tuple that was used before. Instead of a SYN-ACK came an acknowledgment that belongs to the old connection,
or nothing, because the receiver was still in TIME_WAIT, CLOSE_WAIT or another state of the old connection. The client
answered with a RST or retransmitted its SYN.

## Why it matters

The connection takes a second or more, or fails, for no reason that either application can see. The client's kernel
had dropped the old connection long before; the server had not, often because it leaks sockets in CLOSE_WAIT (TD101).

## When it is harmless

When it is rare.

## What to do next

If the old state was CLOSE_WAIT, fix the leak on the blamed endpoint. If it was TIME_WAIT, clients reuse their ports
too soon: keep connections open and pool them. A firewall on the path with its own timeouts can drop such a SYN too.
"""

import numpy as np

from analyzer.findings.facts import phrase, phrases
from analyzer.findings.reuse import held, met_old, old_states
from analyzer.findings.rule import Choice, Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD502"
NAME = "reuse-delayed"
SEVERITY = "warning"
SUPERSEDES = ("TD308", "TD310", "TD501")
THRESHOLDS = ()
NEEDS = (Sign.SYN_REPEATED, "stale_acks")
EXAMPLE = "reuse-delayed.pcap"
NEAR_MISS = "tuple-reused-in-time-wait.pcapng"
OLD = (
    "in an older connection that was not captured",
    *(f"in {state.name} of an older connection on the same addresses and ports" for state in list(State)[1:]),
    "still in an older connection on the same addresses and ports",  # one that this capture has, in whatever state
)
ONE, SEVERAL = "an old acknowledgment came back", "old acknowledgments came back"
MESSAGE = (
    "The SYN of the {peer} (frame {syn}, at {when:into}) found the {blamed} {old}{held:entered}: "
    "{reply}{stale_frame:shown}, the SYN was sent {count:times}, and {end} {delay:duration}."
)
LEAK = "the application on ", " first: it keeps the old connection in CLOSE_WAIT, a leak"
REUSE = "the client ", " first: it reuses its ports too soon"
ADVICE = (
    "Suspect {suspect}{where:address}{because}. Next, to see what is left of the old connection, on {blamed_ip}: ss "
    "-tanp {ss} 'dst {peer_at}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    old, kept = old_states(ledger), held(ledger)
    stale, leaks = ledger.own("stale_acks"), kept & (old == State.CLOSE_WAIT)
    address = ledger.flow("address").astype(np.int64)
    opened = ledger.peer("established_time") > 0
    finished = np.where(opened, ledger.peer("established_time"), ledger.peer("last_time"))
    return Verdict(
        fires=met_old(ledger),
        when=ledger.peer("syn_time"),
        frames=[ledger.peer("syn_frame"), ledger.own("stale_ack_frame"), ledger.peer("syn_last_frame")],
        values={
            "syn": ledger.peer("syn_frame"),
            "when": ledger.peer("syn_time"),
            "old": Choice(np.where(kept, old, np.where(ledger.flow("old_seen")[:, None] > 0, len(OLD) - 1, 0)), OLD),
            "held": np.where(kept & (old == State.TIME_WAIT), ledger.flow("old_time_wait")[:, None], 0),
            "reply": phrases([stale > 1, stale > 0], [SEVERAL, ONE], "nothing answered it"),
            "stale_frame": ledger.own("stale_ack_frame"),
            "count": ledger.peer("syn_count"),
            "suspect": phrase(leaks, LEAK[0], REUSE[0]),
            "where": np.where(leaks, address, address[:, ::-1]),
            "because": phrase(leaks, LEAK[1], REUSE[1]),
            "end": phrase(opened, "the connection was open after", "it was not open after"),
            "delay": finished - ledger.peer("syn_time"),
        },
        unsure=~kept,
    )
