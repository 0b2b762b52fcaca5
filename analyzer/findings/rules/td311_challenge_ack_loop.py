"""RSTs and challenge acknowledgments answer each other again and again.

## What it sees

An endpoint sent RSTs with one and the same sequence number, which lies inside its peer's window but is not the number
that the peer awaits. The peer answered each by an ACK that carries no data and acknowledges nothing new: a challenge
ACK (RFC 5961 3.2), which says the number it awaits. The next RST came behind it, with the same wrong number; three
times at least. Or the peer answered each by an ACK with the RST's own number, and accepted none of them all the same.
Nothing is said if the RSTs need not be their alleged sender's: it went on in its own numbers after the
last of them, or a RST in its name came from elsewhere (TD309).

## Why it matters

A RST with the number awaited would end the connection at once. So the two go on until something else ends it: the one
thinks that it has closed, the other that it is still connected. Kernels limit how many challenge ACKs they send.

## When it is harmless

Where it is a test of just this.

## What to do next

Suspect the TCP stack that sends the RSTs: small stacks take the number from their own state instead of from the
acknowledgment of the segment that they answer (RFC 9293 3.5.2). Where the ACKs have the RST's own number, suspect the
stack that sends these: what it says it awaits, it should accept. A device between that rewrites sequence numbers does
so in one direction only.
"""

import numpy as np

from analyzer.findings.facts import phrase
from analyzer.findings.rule import AT_THE_END, Bools, Verdict
from analyzer.settings import Settings
from analyzer.tcp.sequence import difference
from analyzer.tracker.challenge import MANY_CHALLENGES
from analyzer.tracker.outcome import Ledger, one_of
from analyzer.tracker.rst import Reception

CODE = "TD311"
NAME = "challenge-ack-loop"
SEVERITY = "warning"
SUPERSEDES = ("TD310",)
THRESHOLDS = ()
NEEDS = ("challenges",)
LIVE_WAIT = AT_THE_END  # it counts
EXAMPLE = "challenge-ack-loop.pcap"
NEAR_MISS = "reset-ignored.pcap"
MESSAGE = (
    "{count:RST} of the {blamed} (the first in frame {first} at {when:into}, the last in frame {rst}) lie inside the "
    "window of the {peer}, {ahead:byte} beyond the number that it {awaits} (raw {expected}). It answered each by an "
    "ACK {with} (the last in frame {last}, {span:duration} after the first RST)."
)
PLAIN = "that changes nothing: a challenge ACK, RFC 5961"
ECHO = "with the RST's own number, and accepted none: a challenge ACK (RFC 5961) has the number that is awaited"
ADVICE = (
    "Suspect the TCP stack of {suspect:address} first, then a device that rewrites sequence numbers: {why}. Next, to "
    "compare the numbers: tshark -r CAPTURE -Y 'tcp.stream == {stream}' -T fields -e frame.number -e {ip}.src -e "
    "{hop_limit} -e tcp.flags.str -e tcp.seq_raw -e tcp.ack_raw"
)
WRONG_RST = "the RST should carry the number that the challenge ACK acknowledges"
WRONG_ACK = "it acknowledges the very number of the RST, and does not take the next one with that number"


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    count, since = ledger.own("challenges"), ledger.own("challenged_time")
    first, rst, last = (ledger.own(f"challenge{which}") for which in ("d_frame", "d_last", "_last_frame"))
    echoes, address = ledger.own("challenge_echoes"), ledger.flow("address").astype(np.int64)
    echo = (echoes == count) & ~one_of(ledger.own("rst_verdict"), (Reception.ACCEPTED, Reception.BLIND))
    return Verdict(
        fires=(count >= MANY_CHALLENGES) & ((echoes == 0) | echo) & (ledger.own("third_party") == 0) & ~went_on(ledger),
        when=since,
        frames=[first, rst, last],
        values={
            "count": count,
            "first": first,
            "rst": rst,
            "when": since,
            "ahead": difference(ledger.own("challenged_seq"), ledger.own("challenge_ack")),
            "expected": ledger.own("challenge_ack"),
            "awaits": phrase(echo, "had acknowledged before", "awaits"),
            "with": phrase(echo, ECHO, PLAIN),
            "suspect": np.where(echo, address[:, ::-1], address),
            "why": phrase(echo, WRONG_ACK, WRONG_RST),
            "last": last,
            "span": ledger.own("challenge_last_time") - since,
        },
    )


def went_on(ledger: Ledger) -> Bools:
    """Endpoints that sent new data or a FIN after the last of these RSTs was challenged, or acknowledged new data."""
    since = ledger.own("challenge_last_time")
    heard_all = difference(ledger.own("ack_sent"), ledger.peer("snd_nxt")) >= 0
    spoke = (ledger.own("data_time") > since) | (ledger.own("fin_time") > since)
    return np.asarray(spoke | ((ledger.peer("data_time") > since) & heard_all))
