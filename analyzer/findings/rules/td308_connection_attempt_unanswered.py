"""A SYN was never answered, or only by an ICMP error.

## What it sees

The same SYN (same sequence number, so one attempt) was sent more than once, and there is no segment from the other
side. Or a SYN, sent once or more, was answered only by an ICMP error that quotes it: destination unreachable, time
exceeded and the like, from a router, a firewall or the host itself. Then the message gives the error and its sender.
An error whose numbers do not fit the SYN is ignored.

## Why it matters

Without an answer the application waits: on Linux by default about two minutes until ETIMEDOUT.

On Linux an ICMP error ends the wait at once: connect fails with EHOSTUNREACH (no route to host), ENETUNREACH, or for
port unreachable with ECONNREFUSED, although there was no RST. Other systems treat it as a hint, retransmit the SYN,
and time out.

## When it is harmless

Scans, and hosts that are down on purpose.

## What to do next

If nothing came back, not even a RST: a firewall drops silently, the host is down, the return route is missing, or the
server's queue of waiting connections is full. A host may also ignore a SYN while it still has an old connection on
the same addresses and ports (TD502). A capture filtered for TCP does not show ICMP errors: then look for them first
(tcpdump -ni any icmp or icmp6).

If an ICMP error came, its type and sender show the cause. Host or address unreachable: the last router got no answer
from the host on its own link. Net unreachable, no route: that router has no route. Prohibited, and also port
unreachable (a host where nothing listens answers with RST): a firewall with a reject rule. Time exceeded: a routing
loop. Fragmentation needed, packet too big: a tunnel with a smaller MTU than the hosts use.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import phrase
from analyzer.findings.hosts import Hosts
from analyzer.findings.icmp import SUSPECTS, TEXTS, Reason, and_again, reason_of, text_of
from analyzer.findings.rule import Choice, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger, one_of
from analyzer.tracker.signs import Sign
from analyzer.tracker.vocabularies import Handshake
from analyzer.units import SECOND

CODE = "TD308"
NAME = "connection-attempt-unanswered"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = (Sign.SYN_REPEATED, "icmp_syns")
LIVE_WAIT = 7 * SECOND  # a SYN is repeated after 1, 3 and 7 s
EXAMPLE = "connection-attempt-unanswered.pcap"
NEAR_MISS = "syn-lost-once.pcap"
MESSAGE = (
    "The {blamed} {did}: the {peer} sent its SYN {count:times}{span:within} (frame{s} {first:numbered}{last:to}), and "
    "no answering segment of {blamed_at} was "
    "captured{only_icmp}{teller:address}{icmp_said}{mtu:next_hop}{icmp:shown}{delay:after}{of_syn}{icmp_again}"
    "{last_icmp:shown}."
)
ADVICE = "Suspect {suspect} first. Next, on {place:address}, check {aim}{met:address}: {look}{target:address}{then}"
SILENT = "a firewall that drops silently, or a host that is down,"
LISTEN = "tcpdump -ni any 'tcp and host "
DROPS = "'; nstat -az TcpExtListenDrops TcpExtListenOverflows"
FULL = "the full accept queue of that service (TD313 in this capture)"
PARTS = ("suspect", "aim", "look", "then")
ORDERED = [
    (SILENT, "whether the SYN arrives and is dropped", LISTEN, DROPS),
    *((suspect, aim, look, "") for suspect, aim, look in SUSPECTS.values()),
]


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    waited = (ledger.handshake == Handshake.UNANSWERED)[:, None] & (
        ledger.own("packets") == ledger.own("unrelated_segments")
    )
    told, again = ledger.peer("icmp_syns") > 0, ledger.peer("syn_count") > 1
    kind, address = np.where(told, ledger.peer("icmp_kind"), 0), ledger.flow("address").astype(np.int64)
    teller, icmp, last_icmp = (
        np.where(told, ledger.peer(f"icmp_{name}"), none)
        for name, none in (("from", -1), ("frame", 0), ("last_frame", 0))
    )
    more, mixed = told & (last_icmp != icmp), ledger.peer("icmp_mixed") > 0
    reason = reason_of(kind)
    asker = one_of(reason, (Reason.LOOP, Reason.SIZE))  # what is looked for from the side that asked
    return Verdict(
        fires=waited & (again | told),
        when=ledger.peer("syn_time"),
        frames=[ledger.peer("syn_frame"), ledger.peer("syn_last_frame"), icmp, last_icmp],
        values={
            "did": phrase(teller == address, "answered by ICMP only", "never answered"),
            "count": ledger.peer("syn_count"),
            "span": ledger.peer("syn_last_time") - ledger.peer("syn_time"),
            "port": ledger.flow("port"),
            "reason": reason,
            "s": phrase(again, "s"),
            "first": ledger.peer("syn_frame"),
            "last": np.where(again, ledger.peer("syn_last_frame"), 0),
            "only_icmp": phrase(told, ", only ICMP: "),
            "teller": teller,
            "icmp_said": Choice(text_of(kind), ("", *(f" reported {text}" for text in TEXTS[1:]))),
            "mtu": np.where(told, ledger.peer("icmp_mtu"), 0),
            "icmp": icmp,
            "delay": np.where(told, ledger.peer("icmp_delay"), 0),
            "of_syn": phrase(told & (ledger.peer("icmp_delay") > 0), " a SYN"),
            "icmp_again": and_again(more, mixed),
            "last_icmp": np.where(more, last_icmp, 0),
            "place": np.where(told, np.where(asker, address[:, ::-1], teller), address),
            **_looked_for(reason, np.where(told, address, address[:, ::-1])),
            **{name: Choice(reason, words) for name, words in zip(PARTS, zip(*ORDERED, strict=True), strict=True)},
        },
        both_directions=~told,
    )


def _looked_for(reason: NDArray[Any], target: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The address that the command is about: before it where rules are read, else behind it."""
    refused = reason == Reason.REFUSED
    return {"met": np.where(refused, target, -1), "target": np.where(refused, -1, target)}


def hindsight(address: NDArray[Any], values: Mapping[str, NDArray[Any]], hosts: Hosts) -> Mapping[str, Choice]:
    """Whether the same service had no room in its accept queue: then it drops SYNs, too."""
    full = hosts.full_queues(address, values["port"]) & (values["reason"] == Reason.NONE)
    suspects = tuple(suspect for suspect, *_ in ORDERED)
    return {"suspect": Choice(np.where(full, len(suspects), values["reason"]).astype(np.uint8), (*suspects, FULL))}
