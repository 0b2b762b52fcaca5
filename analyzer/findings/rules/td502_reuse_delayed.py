"""A new connection on used addresses and ports was delayed: the other side still had the old one.

## What it sees

A SYN on a tuple that was used before. Instead of a SYN-ACK came an acknowledgment that belongs to the old connection,
or nothing, because the receiver was still in TIME_WAIT, CLOSE_WAIT or another state of the old connection. The client
answered with a RST or retransmitted its SYN. The delay is that of the SYN-ACK after the first SYN. Where the client's
stack repeated its SYN only some time after that RST, the message says how much of the delay this was.

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
from analyzer.findings.reuse import held, met_old, old_states, source_port
from analyzer.findings.rule import Choice, Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign
from analyzer.units import SECOND

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
    "{reply}{stale_frame:shown}, the SYN was sent {count:times}, and {end} {delay:duration} {until}{end_frame:shown}"
    "{wait:of_this}{refused}{rst:shown}{stack}."
)
LEAK = "the application on ", " first: it keeps the old connection in CLOSE_WAIT, a leak"
REUSE = "the client "
BECAUSE = (
    " first: it reuses its ports too soon",
    " first: it binds its port, which is the server's too, so each connection has the same addresses and ports",
    " first: it binds its port, which is below 1024, and uses it again too soon",
    " first: it uses a port again too soon that is none of those that Linux takes by itself (32768 to 60999)",
    LEAK[1],
)
REFUSED = " RSTs of its sender, the first", " the RST of its sender"
STACK_NS = SECOND // 5  # no stack repeats a SYN sooner by its timer
ADVICE = (
    "Suspect {suspect}{where:address}{because}. Next, to see what is left of the old connection, on {blamed_ip}: ss "
    "-tanp {ss} 'dst {peer_at}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    old, kept = old_states(ledger), held(ledger)
    stale, leaks = ledger.own("stale_acks"), kept & (old == State.CLOSE_WAIT)
    address = ledger.flow("address").astype(np.int64)
    asked = ledger.peer("syn_time")
    answered = (ledger.own("syn_ack") > 0) & (ledger.own("syn_time") > asked)
    finished = np.where(answered, ledger.own("syn_time"), ledger.peer("last_time"))
    wait, count = ledger.peer("disowned_wait"), ledger.peer("syn_count")
    waited = (stale > 0) & (wait >= STACK_NS)
    end = np.where(answered, ledger.own("syn_frame"), ledger.peer("last_frame"))
    shown = (end, ledger.peer("disowned_frame") * waited)
    return Verdict(
        fires=met_old(ledger),
        when=ledger.peer("syn_time"),
        frames=[ledger.peer("syn_frame"), ledger.own("stale_ack_frame"), ledger.peer("syn_last_frame"), *shown],
        values={
            "syn": ledger.peer("syn_frame"),
            "when": ledger.peer("syn_time"),
            "old": Choice(np.where(kept, old, np.where(ledger.flow("old_seen")[:, None] > 0, len(OLD) - 1, 0)), OLD),
            "held": np.where(kept & (old == State.TIME_WAIT), ledger.flow("old_time_wait")[:, None], 0),
            "reply": phrases([stale > 1, stale > 0], [SEVERAL, ONE], "nothing answered it"),
            "stale_frame": ledger.own("stale_ack_frame"),
            "count": count,
            "suspect": phrase(leaks, LEAK[0], REUSE),
            "where": np.where(leaks, address, address[:, ::-1]),
            "because": Choice(np.where(leaks, len(BECAUSE) - 1, source_port(ledger)[:, None]), BECAUSE),
            "end": phrase(answered, "the SYN-ACK came", "no SYN-ACK came in the"),
            "delay": finished - asked,
            "until": phrase(answered, "after the first", "until the last segment of its sender"),
            "end_frame": shown[0],
            "wait": wait * waited,
            "refused": phrases([waited & (count > 2), waited], REFUSED, ""),
            "rst": shown[1],
            "stack": phrase(waited, " and its next SYN: the retransmission timer of its own stack"),
        },
        unsure=~kept,
    )
