"""A SYN was answered by RST: the port accepts no connections.

## What it sees

A RST that acknowledges a SYN which was still unanswered. Some systems try again after a refusal; each RST is paired
with the SYN it acknowledges, and the message names the first pair.

## Why it matters

The application gets ECONNREFUSED. Either nothing listens on that port, or a device on the path rejects the
connection.

## When it is harmless

Port scans, probes for an optional service, a browser that tries several addresses at once.

## What to do next

On the server: does anything listen on that address and port? If so, a firewall with a reject rule answered instead.
If SYN-ACKs of the same host took a different number of hops than the RST, or the RST came sooner than that host ever
answers, the message says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import phrase
from analyzer.findings.hosts import Hosts, RoundTrip
from analyzer.findings.rule import Choice, Verdict
from analyzer.findings.wording import threshold
from analyzer.settings import Settings
from analyzer.tracker.hops import other_path
from analyzer.tracker.outcome import Ledger

CODE = "TD307"
NAME = "connection-refused"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("refusals",)
EXAMPLE = "connection-refused.pcap"
NEAR_MISS = "graceful-client-first.pcap"
MESSAGE = (
    "The {blamed} refused {count:SYN} of {peer_at}: SYN (frame {syn}), RST (frame {rst}, {after:duration} "
    "{order}).{ttls}"
)
ADVICE = "Suspect {suspect}. Next, on {blamed_ip}, see whether {aim}{port}'"
TTLS = " The TTL of the RST is {}, that of this host's SYN-ACKs is {}: another device probably refused in its name."
TTLS_AND_SOON = (
    " The TTL of the RST is {}, that of this host's SYN-ACKs is {}, and its answers in other connections took {} at "
    "least: another device, nearer than the host, probably refused in its name."
)
SOON = (
    " The answers of this host in {} other connections took {} at least: another device, nearer than the host, "
    "probably refused in its name."
)
SOONER, SOONER_NS = 4, 10**6  # a refusal so many times as fast as any answer, and by so much, comes from nearer
ENOUGH = 3  # connections that show how far a host is, if no TTL says so, too: the first may have waited for ARP
NO_TRIP = RoundTrip(0, 0)
NOBODY_LISTENS = "that nothing listens on that port, or else a firewall that rejects"
IN_ITS_NAME = "a firewall between the two that refuses in the host's name, or else that nothing listens on that port"
LISTENS, ARRIVES = "anything listens: ss -tlnp 'sport = :", "the SYNs arrive at all: tcpdump -ni any 'tcp port "


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    return Verdict(
        fires=ledger.own("refusals") > 0,
        when=ledger.own("refused_time"),
        frames=[ledger.own("refused_syn_frame"), ledger.own("refused_frame")],
        values={
            "count": ledger.own("refusals"),
            "syn": ledger.own("refused_syn_frame"),
            "rst": ledger.own("refused_frame"),
            "after": ledger.own("refused_after"),
            "order": phrase(
                ledger.own("refused_frame") < ledger.own("refused_syn_frame"), "before it in the capture", "after it"
            ),
            "ttl": ledger.own("rst_ttl"),
            "ttls": Choice(np.zeros((ledger.flows, 2), np.uint16), ("",)),
            "suspect": Choice(np.zeros((ledger.flows, 2), np.uint8), (NOBODY_LISTENS,)),
            "aim": Choice(np.zeros((ledger.flows, 2), np.uint8), (LISTENS,)),
        },
    )


def hindsight(address: NDArray[Any], values: Mapping[str, NDArray[Any]], hosts: Hosts) -> Mapping[str, Choice]:
    """Whether the RST came over another number of hops than the SYN-ACKs of the same host in other connections, or
    sooner than that host can answer."""
    asked = np.unique(address.astype(np.int64))
    trips, ttls = hosts.round_trips(asked), hosts.answer_ttls(asked.tolist())
    least = np.array([trips[host].least if host in trips else 0 for host in asked.tolist()], np.int64)
    limit = np.minimum(least // SOONER, least - SOONER_NS)[np.searchsorted(asked, address)]
    soon = (values["after"] > 0) & (values["after"] < limit)
    keys, place = np.unique((address.astype(np.int64) * 256 + values["ttl"]) * 2 + soon, return_inverse=True)
    told = [
        _told(key // 2 % 256, ttls.get(key // 512, ()), trips.get(key // 512, NO_TRIP), key & 1)
        for key in keys.tolist()
    ]
    words = ("", *sorted({*told} - {""}))
    number = {sentence: code for code, sentence in enumerate(words)}
    codes = np.array([number[sentence] for sentence in told], np.uint16)[place]
    return {
        "ttls": Choice(codes, words),
        "suspect": Choice((codes > 0).astype(np.uint8), (NOBODY_LISTENS, IN_ITS_NAME)),
        "aim": Choice((codes > 0).astype(np.uint8), (LISTENS, ARRIVES)),
    }


def _told(ttl: int, others: Sequence[int], trip: RoundTrip, soon: int) -> str:
    """What the TTL of a RST beside those of SYN-ACKs says, and its time beside those of answers; nothing where it may
    be the same host."""
    least = threshold(trip.least, "duration")
    if not ttl or not others or not all(other_path(ttl, other) for other in others):
        return SOON.format(trip.connections, least) if soon and trip.connections >= ENOUGH else ""
    known = " or ".join(map(str, others))
    return TTLS_AND_SOON.format(ttl, known, least) if soon else TTLS.format(ttl, known)
