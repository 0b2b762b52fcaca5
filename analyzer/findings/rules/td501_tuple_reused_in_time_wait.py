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

Nothing, unless connections are delayed. A client that binds its port (SIP from 5060 to 5060) has the same addresses
and ports each time: let it connect without binding one. Elsewhere, fewer connections (keep-alive, pooling) use fewer
ports. `tcp_tw_reuse` lets a Linux client reuse a tuple that is in its own TIME_WAIT; it has no effect on a server.
Removing TIME_WAIT by other settings breaks clients behind address translation.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import phrase
from analyzer.findings.reuse import SourcePort, asker, of_asker, old_states, ports, rule_of_time_wait, source_port
from analyzer.findings.rule import Bools, Choice, Verdict
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
    "Legal; suspect nobody. The port was used again {held:duration} after its TIME_WAIT had begun: {cure}. "
    "tcp_fin_timeout does not shorten TIME_WAIT. Next, {aim}{where:address}: {look}{of_port:in_filter}{count}"
)
CURES = (
    "keep connections open and pool them to need fewer ports",
    "it is the server's port too, so the client binds it, and each connection to this server has the same addresses "
    "and ports. Have it connect without a bind() to a port, and its system takes a free one",
    "it is below 1024, so the client binds it, and there are few such ports. Have it connect without a bind() to a "
    "port, and its system takes a free one",
    "it is none of those that Linux takes by itself (32768 to 60999), so the client binds it, or takes ports from "
    "another range. Have it connect without a bind() to a port",
)
AIMS = (
    "to count them, on ",
    "to see which program binds it, on ",
    "to see which program binds it, on ",
    "to see from which range its system takes ports, on ",
)
LOOKS = (
    "ss -Htan state time-wait '( sport = :",
    "ss -tanp '( sport = :",
    "ss -tanp '( sport = :",
    "sysctl net.ipv4.ip_local_port_range",
)
TO_SERVER = "ss -Htan state time-wait '( dport = :"  # on the client
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
    by_port, (own_port, port) = source_port(ledger), ports(ledger)
    given, here = by_port == SourcePort.GIVEN, of_asker(ledger)
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
            "cure": Choice(by_port, CURES),
            "aim": Choice(by_port, AIMS),
            "where": _place(ledger, given),
            "look": Choice(np.where(here & given[:, None], len(LOOKS), by_port[:, None]), (*LOOKS, TO_SERVER)),
            "of_port": np.select([given, by_port != SourcePort.LOW], [port, own_port], 0),
            "count": phrase(given, " | wc -l"),
        },
        unsure=here & (ledger.flow("old_time_wait") < HELD_NS)[:, None],
    )


def _place(ledger: Ledger, given: Bools) -> NDArray[np.int64]:
    """Where to look: at the endpoint in TIME_WAIT where the system gave the port out, else at who asked for it."""
    address, flows = ledger.flow("address").astype(np.int64), np.arange(ledger.flows)
    return np.where(given[:, None], address, address[flows, asker(ledger)][:, None])
