"""Data were repeated again and again, never acknowledged, and the endpoint gave up.

## What it sees

The same data at least three times with growing intervals and no acknowledgment, then a RST of the same endpoint, or
silence for much longer than the next repeat would have taken. Most kernels drop such a connection without a RST.

## Why it matters

The data did not arrive, or nothing came back. The application gets ETIMEDOUT after a long time (Linux: 15 repeats,
a quarter of an hour at least, unless TCP_USER_TIMEOUT says less); the other side may never learn of it.

## When it is harmless

When the other host was switched off on purpose.

## What to do next

Suspect the path or the peer's host: a device that dropped its state, a host that is gone, an address that moved. If
only large segments are lost, suspect the path's MTU.
"""

from analyzer.findings.facts import phrase, resetter, unseen
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import NEVER_TAKEN, Ledger, RstCause

CODE = "TD403"
NAME = "retransmission-gave-up"
SEVERITY = "error"
SUPERSEDES = ("TD201", "TD301", "TD302")
THRESHOLDS = ()
NEEDS = ("repeat_run",)
EXAMPLE = "retransmission-gave-up.pcap"
NEAR_MISS = "data-lost-but-fin-not.pcap"
MESSAGE = (
    "The {blamed} repeated data {count:times} in {span:duration} (the first repeat at {when:into}, the last in "
    "frame {last}) without an acknowledgment{end}{rst:shown}. The {peer_role} was last heard {silent:before_end} "
    "before the capture's end."
)
ADVICE = (
    "Suspect the path to {peer_ip}, or that host, before either application. Next: capture there too and see "
    "whether the data arrive: tcpdump -ni any 'tcp and host {blamed_ip}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    run = ledger.own("repeat_run")
    reset = resetter(ledger, RstCause.GAVE_UP) & (run >= ledger.own("probe_run"))
    hidden = unseen(ledger)[:, ::-1]
    ended = (run >= NEVER_TAKEN) & (reset | ledger.gave_up)
    first = ledger.own("repeat_first_time")
    return Verdict(
        fires=ended & ~hidden,
        when=first,
        frames=[ledger.own("repeat_last_frame"), ledger.own("rst_frame") * reset],
        values={
            "count": run,
            "span": ledger.own("repeat_last_time") - first,
            "when": first,
            "last": ledger.own("repeat_last_frame"),
            "end": phrase(reset, ", then sent a RST", ", then nothing more"),
            "rst": ledger.own("rst_frame") * reset,
            "silent": ledger.peer("last_time"),
        },
        absence=True,
        blind=[("only one direction was captured: acknowledgments cannot be seen", ended & hidden)],
    )
