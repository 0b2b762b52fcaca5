"""A new connection reused addresses and ports whose old connection was still in TIME_WAIT.

## What it sees

A SYN on a tuple that was used before, within the old connection's TIME_WAIT, and a handshake that succeeded.

## Why it matters

This works because the new SYN could be told from segments of the old connection: by a newer timestamp, or by a higher
sequence number (RFC 9293 3.10.7.4, RFC 6191). If neither holds, the SYN gets an old acknowledgment or no answer, and
the connection is delayed (TD502). It also shows that the client reuses its ports very soon.

## When it is harmless

Nearly always. Kernels do it on purpose.

## What to do next

Nothing, unless connections are delayed. Fewer connections (keep-alive, pooling) use fewer ports. `tcp_tw_reuse` lets
a Linux client reuse a tuple that is in its own TIME_WAIT; it has no effect on a server. Removing TIME_WAIT by other
settings breaks clients behind address translation.
"""

from analyzer.findings.reuse import asker, of_asker, old_states, rule_of_time_wait
from analyzer.findings.rule import Choice, Verdict
from analyzer.settings import Settings
from analyzer.tcp.reuse import ReuseRule
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign
from analyzer.tracker.vocabularies import Handshake

CODE = "TD501"
NAME = "tuple-reused-in-time-wait"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = (Sign.OLDER_FLOW,)
HELD_NS = 1_000_000_000  # a host that uses a port again sooner than Linux allows had kept no TIME_WAIT (tcp_tw_reuse)
EXAMPLE = "tuple-reused-in-time-wait.pcapng"
NEAR_MISS = "tuple-reused-after-time-wait.pcap"
MESSAGE = (
    "The SYN of {client} (frame {syn}, at {when:into}) reused the addresses and ports of an old connection that had "
    "entered TIME_WAIT at the {role} {held:duration} before; it was accepted (frame {answer}) {rule}."
)
ADVICE = (
    "Legal; suspect nobody. The port was used again {held:duration} after its TIME_WAIT had begun: keep connections "
    "open and pool them to need fewer ports. tcp_fin_timeout does not shorten TIME_WAIT. Next, to count them, on "
    "{blamed_ip}: ss -Htan state time-wait {ss} | wc -l"
)
BY_RULE = {
    ReuseRule.OWN_TIME_WAIT: "by the client's own choice: the TIME_WAIT, if there was one, was its own",
    ReuseRule.NEWER_TIMESTAMP: "because its timestamp is newer than the old connection's",
    ReuseRule.HIGHER_SEQUENCE: "because its sequence number is higher than the old connection's",
    ReuseRule.NONE: "although neither timestamp nor sequence number is newer",
}
WORDS = tuple(BY_RULE.get(rule, "") for rule in ReuseRule)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    reused = (ledger.flow("old_seen") > 0) & (ledger.handshake == Handshake.COMPLETE)
    asks = asker(ledger)
    when, syn = ledger.of_side("syn_time", asks), ledger.of_side("syn_frame", asks)
    answer = ledger.of_side("syn_frame", 1 - asks)
    return Verdict(
        fires=(old_states(ledger) == State.TIME_WAIT) & reused[:, None],
        when=when,
        frames=[syn, answer],
        values={
            "syn": syn,
            "when": when,
            "answer": answer,
            "held": ledger.flow("old_time_wait"),
            "rule": Choice(rule_of_time_wait(ledger), WORDS),
        },
        unsure=of_asker(ledger) & (ledger.flow("old_time_wait") < HELD_NS)[:, None],
    )
