"""A SYN was repeated and never answered.

## What it sees

The same SYN (same number, so one attempt) more than once, and not a single segment from the other side.

## Why it matters

The application waits: about two minutes on Linux by default before it gives up with ETIMEDOUT.

## When it is harmless

Scans, and hosts that are down on purpose.

## What to do next

Nothing came back, not even a RST: a firewall drops in silence, the host is down, the route back is missing, or the
server's queue of waiting connections is full. A SYN can also be ignored by a host that still has an old connection
on the same addresses and ports (TD502).
"""

from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Handshake, Ledger

CODE = "TD308"
NAME = "connection-attempt-unanswered"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("syn_count",)
EXAMPLE = "connection-attempt-unanswered.pcap"
NEAR_MISS = "syn-lost-once.pcap"
MESSAGE = (
    "The {blamed} never answered: the {peer} sent its SYN {count:times} in {span:duration} (frames {first} to "
    "{last}), and no segment of {blamed_at} in answer was captured."
)
ADVICE = (
    "Suspect a firewall that drops in silence, or the host {blamed_ip} being down, first. Next, on {blamed_ip}: "
    "tcpdump -ni any 'tcp[tcpflags] & tcp-syn != 0 and host {peer_ip}' to see whether the SYN arrives, and nstat "
    "-az TcpExtListenDrops TcpExtListenOverflows"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    waited = (ledger.handshake == Handshake.UNANSWERED)[:, None]
    asked = (ledger.peer("syn_count") > 1) & (ledger.own("packets") == ledger.own("strays"))
    return Verdict(
        fires=waited & asked,
        when=ledger.peer("syn_time"),
        frames=[ledger.peer("syn_frame"), ledger.peer("syn_last_frame")],
        values={
            "count": ledger.peer("syn_count"),
            "span": ledger.peer("syn_last_time") - ledger.peer("syn_time"),
            "first": ledger.peer("syn_frame"),
            "last": ledger.peer("syn_last_frame"),
        },
        both_directions=True,
    )
