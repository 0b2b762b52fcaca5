"""Data were retransmitted again and again, never acknowledged, and the endpoint gave up.

## What it sees

Data that the other side had not acknowledged were retransmitted at least three times (twice, if the retransmissions
are a minute or more apart, as late ones are), and no acknowledgment of them came. Then the same endpoint sent RST, or
was silent for much longer than until the next retransmission was due. Most kernels drop such a connection without a
RST.

## Why it matters

The data did not arrive, or nothing came back. The application gets ETIMEDOUT after a long time (Linux: 15
retransmissions, at least a quarter of an hour, unless TCP_USER_TIMEOUT is shorter); the other side may never learn of
it.

## When it is harmless

When the other host was switched off on purpose.

## What to do next

Suspect the path or the peer's host: a device that dropped its state, a host that is gone, an address that moved. If
only large segments are lost, suspect the path's MTU.
"""

from analyzer.findings.facts import ended_silence, not_captured, phrase, resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause
from analyzer.units import SECOND

CODE = "TD403"
NAME = "retransmission-gave-up"
SEVERITY = "error"
SUPERSEDES = ("TD201", "TD301", "TD302")
THRESHOLDS = ()
NEEDS = ("repeat_run",)
LIVE_WAIT = 5 * SECOND  # the last repeat may still be answered
EXAMPLE = "retransmission-gave-up.pcap"
NEAR_MISS = "data-lost-but-fin-not.pcap"
MESSAGE = (
    "The {blamed} retransmitted data {count:times} (first at {when:into}, last {span:duration} later in frame "
    "{last}){idle:silence}; they were never acknowledged{end}{rst:shown}."
)
ADVICE = (
    "Suspect {suspect}. Next: capture at {peer_ip} too and check whether the data arrive: tcpdump -ni any 'tcp and "
    "host {blamed_ip}'"
)
IDLE = (
    "a device between the two first that dropped the idle connection silently (a firewall, NAT or load balancer): "
    "keep-alives sent more often than that silence keep it open"
)
PATH = "the path between the two, or the other host, before either application"


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    run = ledger.own("repeat_run")
    reset = resetter(ledger, RstCause.GAVE_UP) & (run >= ledger.own("probe_run"))
    hidden = not_captured(ledger)[:, ::-1]
    ended = ledger.in_vain & (reset | ledger.gave_up)
    first = ledger.own("repeat_first_time")
    idle = ended_silence(ledger, ledger.own("data_frame"))
    return Verdict(
        fires=ended & ~hidden,
        when=first,
        frames=[ledger.own("repeat_last_frame"), ledger.own("rst_frame") * reset],
        values={
            "count": run,
            "span": ledger.own("repeat_last_time") - first,
            "when": first,
            "last": ledger.own("repeat_last_frame"),
            "end": phrase(reset, "; then it sent RST", "; then it sent nothing more"),
            "rst": ledger.own("rst_frame") * reset,
            "idle": idle,
            "suspect": phrase(idle > 0, IDLE, PATH),
        },
        absence=True,
        not_judged=[("only one direction was captured: acknowledgments cannot be seen", ended & hidden)],
    )
