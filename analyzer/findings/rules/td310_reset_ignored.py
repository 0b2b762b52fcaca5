"""A RST did not end the connection for its receiver, which continued it.

## What it sees

A RST whose sequence number is not the one its receiver expects: outside the window it is dropped silently, inside the
window it causes a challenge ACK (RFC 5961 3.2). Or a RST that answers a SYN with a wrong acknowledgment number. Or one
whose number fits what its sender had sent, but that was lost behind the capture point, or data before it were. And the
receiver continued: later than anything in flight at that time, it sent new data or acknowledged something new. A
retransmission or another SYN does not count.

## Why it matters

Somebody tried to end this connection and failed. It may be an attempt to inject a RST, a RST that was overtaken by
data or lost, or a host whose RSTs carry a number that receivers do not accept.

## When it is harmless

A late RST of an older connection on the same addresses and ports.

## What to do next

Check whether the alleged sender continued too. If it did, the RST was not its own.
"""

from analyzer.findings.facts import phrase, phrases
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.rst import Reception

CODE = "TD310"
NAME = "reset-ignored"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("rst_ignored",)
EXAMPLE = "reset-ignored.pcap"
NEAR_MISS = "abort-with-data-lost.pcapng"
MESSAGE = (
    "{count:RST} of the {blamed} (the first in frame {rst}) did not end the connection for the {peer}, which "
    "continued it: its frame {last} carries new data or a new acknowledgment.{disowned}"
)
STRANGER = "whoever really sent the RST"
LOST = "loss on the path: the RST has the number that its sender had reached, so it or data before it did not arrive"
UNSURE = "loss on the path first, then whoever really sent the RST"
ADVICE = (
    "Suspect {suspect}. Next, compare sequence number, {hops_left_and_id} of the RST with those of the segments before "
    "it: tshark -r CAPTURE -Y 'tcp.stream == {stream}' -T fields -e frame.number -e {ip}.src -e {hop_limit}{ip_id} "
    "-e tcp.flags.str -e tcp.seq -e tcp.ack"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    rst, last = ledger.own("rst_ignored_frame"), ledger.own("went_on_frame")
    disowned, lost = ledger.own("own_frame") > 0, ledger.own("rst_verdict") == Reception.DISREGARDED
    return Verdict(
        fires=(ledger.own("rst_ignored") > 0) & (last > 0),
        when=ledger.own("rst_ignored_time"),
        frames=[rst, last],
        values={
            "count": ledger.own("rst_ignored"),
            "rst": rst,
            "last": last,
            "suspect": phrases([disowned, lost], [STRANGER, LOST], UNSURE),
            "disowned": phrase(disowned, " The alleged sender continued too: somebody else sent it."),
        },
        absence=True,
    )
