"""A RST does not fit its alleged sender: something between the two sent it.

## What it sees

A RST of one of two kinds. Its alleged sender continued the connection in the same numbers, with new data, a new
acknowledgment or a retransmission that only a host with the connection sends. Or the RST took a different number of
hops than all other segments of that sender. Hosts start their TTLs at 32, 64, 128 or 255, so a host whose RSTs start
at 255 and whose data start at 64 is at the same distance by both. Such a RST closes its receiver, not the host in
whose name it was sent.

## Why it matters

Neither host wanted to end the connection. Firewalls, load balancers, intrusion prevention and censorship reset
connections in the name of others. The cause is not in the application.

## When it is harmless

The number of hops also changes when the route changes during a connection, and differs when a network card or a
container's host generates the RSTs. If only the hops differ, the confidence is not high.

## What to do next

The difference in hops is the number of routers by which the sender of the RST is nearer or farther. Capture at the
alleged sender at the same time: a RST that never left it was made on the path.
"""

import numpy as np

from analyzer.findings.facts import LONG_NS, phrases
from analyzer.findings.fitting_timers import consistent_with
from analyzer.findings.rule import Verdict
from analyzer.findings.silences import before_reset
from analyzer.settings import Settings
from analyzer.tracker.ledger import ThirdParty
from analyzer.tracker.outcome import Ledger

CODE = "TD309"
NAME = "reset-by-third-party"
SEVERITY = "warning"
SUPERSEDES = ("TD310",)
THRESHOLDS = ()
NEEDS = ("third_party",)
EXAMPLE = "reset-by-third-party.pcap"
NEAR_MISS = "abortive-close.pcap"
OTHER_HOPS = "it took a different number of hops"
WENT_ON = "its sender continued the connection as if it had sent none"
BOTH = f"{OTHER_HOPS}, and {WENT_ON}"
MESSAGE = (
    "The RST in frame {rst} (at {when:into}{idle:silence}{timers}) does not fit the {blamed}, its alleged sender: "
    "{why}{own:shown}. Its TTL "
    "is {ttl}; that of the sender's other segments is {low} to {high}."
)
ADVICE = (
    "Suspect a device between the two (firewall, load balancer, intrusion prevention) before either host. Next, "
    "capture at {blamed_ip} at the same time and check whether the RST leaves it: tcpdump -ni any -v 'tcp and src "
    "host {blamed_ip}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    how = ledger.own("third_party")
    effective = (ledger.own("rst_frame") == ledger.own("third_party_frame")) & (how > 0)
    idle = np.where(effective & (ledger.own("rst_idle") >= LONG_NS), ledger.own("rst_idle"), 0)
    went_on, hops = how & ThirdParty.WENT_ON > 0, how & ThirdParty.OTHER_PATH > 0
    return Verdict(
        fires=how > 0,
        when=ledger.own("third_party_time"),
        frames=[ledger.own("third_party_frame"), ledger.own("own_frame")],
        values={
            "rst": ledger.own("third_party_frame"),
            "when": ledger.own("third_party_time"),
            "ttl": ledger.own("third_party_ttl"),
            "low": ledger.own("ttl_low"),
            "high": ledger.own("ttl_high"),
            "why": phrases([went_on & hops, hops], [BOTH, OTHER_HOPS], WENT_ON),
            "own": ledger.own("own_frame"),
            "idle": idle,
            "timers": consistent_with(ledger, before_reset, idle > 0, settings),
        },
        unsure=~went_on,
    )
