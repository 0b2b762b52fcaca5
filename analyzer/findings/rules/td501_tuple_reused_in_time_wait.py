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

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import phrases
from analyzer.findings.rule import Bools, Choice, Verdict
from analyzer.settings import Settings
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
    "open and pool them to need fewer ports. tcp_fin_timeout does not shorten TIME_WAIT. Next, on {blamed_ip}: "
    "ss -tan state time-wait {ss} | wc -l"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    old = np.stack([ledger.flow("old_state_0"), ledger.flow("old_state_1")]).T
    reused = (ledger.flow("old_seen") > 0) & (ledger.handshake == Handshake.COMPLETE)
    asked = (ledger.own("syn_count") > 0) & (ledger.own("syn_ack") == 0)
    asker = (asked[:, 1] & ~asked[:, 0]).astype(np.int64)
    when, syn = ledger.of_side("syn_time", asker), ledger.of_side("syn_frame", asker)
    answer = ledger.of_side("syn_frame", 1 - asker)
    return Verdict(
        fires=(old == State.TIME_WAIT) & reused[:, None],
        when=when,
        frames=[syn, answer],
        values={
            "syn": syn,
            "when": when,
            "answer": answer,
            "held": ledger.flow("old_time_wait"),
            "rule": _rule(ledger, asker),
        },
        unsure=_by_itself(asker) & (ledger.flow("old_time_wait") < HELD_NS)[:, None],
    )


def _by_itself(asker: NDArray[np.int64]) -> Bools:
    """Where the TIME_WAIT was that of who asks again, shape (flows, 2)."""
    return np.stack([asker == 0, asker == 1]).T


def _rule(ledger: Ledger, asker: NDArray[np.int64]) -> Choice:
    """By which rule the SYN was let in, for each endpoint that had the TIME_WAIT."""
    own = _by_itself(asker)
    newer, higher = ledger.flow("old_ts_ahead")[:, None] > 0, ledger.flow("old_seq_ahead")[:, None] > 0
    words = [
        "by the client's own choice: the TIME_WAIT, if there was one, was its own",
        "because its timestamp is newer than the old connection's",
        "because its sequence number is higher than the old connection's",
    ]
    return phrases([own, newer, higher], words, "although neither timestamp nor sequence number is newer")
