"""A RST came that its receiver did not accept, and the connection went on.

## What it sees

A RST whose number is not the one its receiver awaits: outside the window it is dropped in silence, inside it draws a
challenge acknowledgment (RFC 5961 3.2); or one that acknowledges another number than that of the SYN it answers. And
the receiver went on: later than anything that was under way, it sent new data or acknowledged something new. A repeat
or another SYN is no going on.

## Why it matters

Somebody wanted to end this connection and did not manage to. It may be an attempt to inject a RST, a RST that was
overtaken by data, or a host whose RSTs carry a number that receivers do not accept.

## When it is harmless

A late RST of an older connection on the same addresses and ports.

## What to do next

Look whether the alleged sender goes on, too. If it does, the RST was not its own.
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
    "The {peer} did not accept {count:RST} of the {blamed} (the first in frame {rst}) and went on: frame {last} shows "
    "something new of it.{disowned}"
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
            "disowned": phrase(ledger.own("own_frame") > 0, " The alleged sender went on, too: somebody else sent it."),
        },
        absence=True,
    )
