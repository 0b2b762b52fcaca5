"""The receiver of a RST did not accept it, and the connection continued.

## What it sees

A RST whose sequence number is not the one its receiver expects: outside the window it is dropped silently, inside the
window it causes a challenge ACK (RFC 5961 3.2). Or a RST that answers a SYN with a wrong acknowledgment number. And
the receiver continued: later than anything in flight at that time, it sent new data or acknowledged something new. A
retransmission or another SYN does not count.

## Why it matters

Somebody tried to end this connection and failed. It may be an attempt to inject a RST, a RST that was overtaken by
data, or a host whose RSTs carry a number that receivers do not accept.

## When it is harmless

A late RST of an older connection on the same addresses and ports.

## What to do next

Check whether the alleged sender continued too. If it did, the RST was not its own.
"""

from analyzer.findings.facts import phrase
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD310"
NAME = "reset-ignored"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("rst_ignored",)
EXAMPLE = "reset-ignored.pcap"
NEAR_MISS = "abort-with-data-lost.pcapng"
MESSAGE = (
    "The {peer} did not accept {count:RST} of the {blamed} (the first in frame {rst}) and continued the connection: "
    "its frame {last} carries new data or a new acknowledgment.{disowned}"
)
ADVICE = (
    "Suspect whoever really sent the RST: compare its TTL and IP id with those of {blamed_ip}'s other segments. "
    "Next: tshark -r CAPTURE -Y 'tcp.stream == {stream}' -T fields -e frame.number -e ip.src -e ip.ttl -e ip.id -e "
    "tcp.flags.str"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    rst, last = ledger.own("rst_ignored_frame"), ledger.own("went_on_frame")
    return Verdict(
        fires=(ledger.own("rst_ignored") > 0) & (last > 0),
        when=ledger.own("rst_ignored_time"),
        frames=[rst, last],
        values={
            "count": ledger.own("rst_ignored"),
            "rst": rst,
            "last": last,
            "disowned": phrase(
                ledger.own("own_frame") > 0, " The alleged sender continued too: somebody else sent it."
            ),
        },
        absence=True,
    )
