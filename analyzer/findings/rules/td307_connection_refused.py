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
If the TTLs show that SYN-ACKs of the same host took a different number of hops than the RST, the message says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import phrase
from analyzer.findings.rule import Choice, Hosts, Verdict
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
ADVICE = "Suspect {suspect}. Next, on {blamed_ip}: ss -tlnp {ss}"
TTLS = " The TTL of the RST is {}, that of this host's SYN-ACKs is {}: another device probably refused in its name."
NOBODY_LISTENS = "that nothing listens on that port, or else a firewall that rejects"
IN_ITS_NAME = "a firewall between the two that refuses in the host's name, or else that nothing listens on that port"


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
        },
    )


def hindsight(address: NDArray[Any], values: Mapping[str, NDArray[Any]], hosts: Hosts) -> Mapping[str, Choice]:
    """Whether the RST came over another number of hops than the SYN-ACKs of the same host, in other connections."""
    keys, place = np.unique(address.astype(np.int64) * 256 + values["ttl"], return_inverse=True)
    known = hosts(np.unique(keys // 256).tolist())
    told = [_told(key % 256, known.get(key // 256, ())) for key in keys.tolist()]
    words = ("", *sorted({*told} - {""}))
    number = {sentence: code for code, sentence in enumerate(words)}
    codes = np.array([number[sentence] for sentence in told], np.uint16)[place]
    return {
        "ttls": Choice(codes, words),
        "suspect": Choice((codes > 0).astype(np.uint8), (NOBODY_LISTENS, IN_ITS_NAME)),
    }


def _told(ttl: int, others: Sequence[int]) -> str:
    """What the TTL of a RST beside those of SYN-ACKs says, nothing where it may be the same path."""
    if not ttl or not others or not all(other_path(ttl, other) for other in others):
        return ""
    return TTLS.format(ttl, " or ".join(map(str, others)))
