"""A RST does not fit its alleged sender: something between the two sent it.

## What it sees

A RST whose sender went on with the connection as if it had never sent one, or whose TTL is none that this sender's
other segments have. Each clue is listed.

## Why it matters

Neither of the two hosts wanted to end the connection. Firewalls, load balancers, intrusion prevention and
censorship reset connections in the name of others. Looking for the fault in the application leads nowhere.

## When it is harmless

Some systems send their RSTs with another TTL than their data, so a TTL alone is no proof. A change of route in the
middle of a connection changes TTLs, too.

## What to do next

The difference of the TTLs tells how many routers nearer or farther the sender of the RST stands. Capture at the
alleged sender at the same time: a RST that never left there was made on the way.
"""

from analyzer.findings.facts import phrases
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger, one_of
from analyzer.tracker.resets import Verdict as Reception

CODE = "TD309"
NAME = "reset-by-third-party"
SEVERITY = "warning"
SUPERSEDES = ("TD301", "TD302", "TD303", "TD304", "TD305", "TD306", "TD310")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "reset-by-third-party.pcap"
NEAR_MISS = "abortive-close.pcap"
OTHER_TTL = "its TTL is another"
WENT_ON = "the sender went on with the connection as if it had sent none"
BOTH = f"{OTHER_TTL}, and {WENT_ON}"
ENOUGH = 2  # so many other segments must show the sender's own TTL
MESSAGE = (
    "The RST in frame {rst} (at {when:into}) does not fit the {blamed}, its alleged sender: {why} (TTL {ttl}; that "
    "of the sender's other segments {low} to {high})."
)
ADVICE = (
    "Suspect a device between the two (firewall, load balancer, intrusion prevention) before either host. Next, "
    "capture at {blamed_ip} at the same time and see whether the RST leaves it: tcpdump -ni any -v 'tcp[tcpflags] "
    "& tcp-rst != 0 and src host {blamed_ip}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    ttl, low, high = ledger.own("rst_ttl"), ledger.own("ttl_low"), ledger.own("ttl_high")
    known = ledger.own("packets") - ledger.own("rst_count") >= ENOUGH
    strange = (ledger.own("rst_frame") > 0) & known & ((ttl < low) | (ttl > high))
    disowned = ledger.knows(Known.RST_DISOWNED)
    counted = one_of(ledger.own("rst_verdict"), (Reception.ACCEPTED, Reception.BLIND))  # the others are TD310
    return Verdict(
        fires=strange | (disowned & counted),
        when=ledger.own("rst_time"),
        frames=[ledger.own("rst_frame")],
        values={
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "ttl": ttl,
            "low": low,
            "high": high,
            "why": phrases([strange & disowned, strange], [BOTH, OTHER_TTL], WENT_ON),
        },
        unsure=~disowned,
    )
