"""A RST does not fit its alleged sender: something between the two sent it.

## What it sees

A RST of one of three kinds. Its alleged sender continued the connection in the same numbers, with new data, a new
acknowledgment or a retransmission that only a host with the connection sends. Or the RST took a different number of
hops than all other segments of that sender. Hosts start their TTLs at 32, 64, 128 or 255, so a host whose RSTs start
at 255 and whose data start at 64 is at the same distance by both. Or a RST with ACK has an IP identification more than
1024 away from that of the sender's last segment, 20 ms before it at most, up to which at least four segments in a row
had had one after the other. (Kernels number a RST without ACK otherwise where it answers for a connection that
they have forgotten.) If the RST also has the IP identification of its receiver's last segment, and those of the
receiver change, a device turned that segment round. Such a RST closes its receiver, not the host in whose name it was
sent. What IPv4 calls TTL is the hop limit of IPv6, which has no IP identification: there only the other clues count.

## Why it matters

Neither host wanted to end the connection. Firewalls, load balancers, intrusion prevention and censorship reset
connections in the name of others. The cause is not in the application.

## When it is harmless

The number of hops also changes when the route changes during a connection, and differs when a network card or a
container's host generates the RSTs. Such a RST, or that of a load balancer, may be numbered by another count, too. If
only the hops differ, or only the number is off, the confidence is not high. If only the hops differ, it is low if
SYN-ACKs of that host in other connections came over as many hops as the RST. If all RSTs in its name did, in three
connections or more, the message says so: a firewall does that, and so does a host whose RSTs are sent by something in
front of it.

## What to do next

The difference in hops is the number of routers by which the sender of the RST is nearer or farther. Capture at the
alleged sender at the same time: a RST that never left it was made on the path. Where it met the first segment after a
silence, the message says how long that was: a device that drops idle connections had forgotten this one by then.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import LONG_NS, by_third_party, ended_silence, met_by_reset, phrase
from analyzer.findings.fitting_timers import fitting_words, timers_that_fit
from analyzer.findings.hosts import Hosts
from analyzer.findings.rule import DOUBT, Bools, Choice, Verdict
from analyzer.findings.silences import before_answered, before_reset
from analyzer.settings import Settings
from analyzer.tracker.hops import other_path
from analyzer.tracker.ledger import ThirdParty
from analyzer.tracker.outcome import Ledger
from analyzer.units import counted

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
OFF_COUNT = "its IP id is far from the next of its sender's"
CLUES = {ThirdParty.OTHER_PATH: OTHER_HOPS, ThirdParty.OFF_COUNT: OFF_COUNT, ThirdParty.WENT_ON: WENT_ON}
WHY = tuple(", and ".join(words for clue, words in CLUES.items() if how & clue) for how in range(8))
COUNTED = "; the IP ids of the sender's segments had gone up by one each, to its last before the RST"
MESSAGE = (
    "The RST in frame {rst} (at {when:into}{idle:silence}{met:broken}{timers}) does not fit the {blamed}, its alleged "
    "sender: {why}{own:shown}. Its {hops_left} is {ttl}; that of the sender's other segments, RSTs apart, is {low}"
    "{up_to}{turned}{copied:shown}{off}{counted:shown}{habit}."
)
COPIED = "; it has the IP id of the receiver's last segment before it"
OTHERS = "; that of RSTs in this host's name, in {0}, is {1}"
HABIT = "; all RSTs in this host's name, in {}, came over as many hops: one device sends them, or the host itself does"
ANSWERS = "; that of SYN-ACKs of this host in other connections, which came over as many hops, is {}"
UP_TO = ("", *(f" to {ttl}" for ttl in range(1, 256)))
ENOUGH = 3  # connections in which all RSTs are alike: no coincidence
ADVICE = (
    "Suspect a device between the two (firewall, load balancer, intrusion prevention) before either host. Next, "
    "capture at {blamed_ip} at the same time and check whether the RST leaves it: tcpdump -ni any -v 'tcp and src "
    "host {blamed_ip}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    how = ledger.own("third_party")
    low, high = ledger.own("ttl_low"), ledger.own("ttl_high")
    effective = by_third_party(ledger)
    copied = np.where(effective, ledger.own("rst_copied_frame"), 0)
    before, idle = _silence_met(ledger, effective), ledger.own("rst_idle")
    alone = effective & (idle >= LONG_NS)  # the RST itself ended the silence
    met = np.where(alone | (before == 0), 0, met_by_reset(ledger)[0])
    went_on, hops = how & ThirdParty.WENT_ON > 0, how & ThirdParty.OTHER_PATH > 0
    off, counted = how & ThirdParty.OFF_COUNT > 0, ledger.own("counted_frame")
    return Verdict(
        fires=how > 0,
        when=ledger.own("third_party_time"),
        frames=[
            ledger.own("third_party_frame"),
            ledger.own("own_frame"),
            copied,
            np.where(met != copied, met, 0),
            counted,
        ],
        values={
            "rst": ledger.own("third_party_frame"),
            "when": ledger.own("third_party_time"),
            "ttl": ledger.own("third_party_ttl"),
            "low": low,
            "up_to": Choice(np.where(high > low, high, 0), UP_TO),
            "why": Choice(how, WHY),
            "own": ledger.own("own_frame"),
            "turned": phrase(copied > 0, COPIED, ""),
            "copied": copied,
            "off": phrase(off, COUNTED),
            "counted": counted,
            "habit": Choice(np.zeros((ledger.flows, 2), np.uint16), ("",)),
            "hops": hops & ~went_on & ~off & (copied == 0),
            "idle": np.where(alone, idle, before),
            "met": met,
            "timers": _timers(ledger, alone, before > 0, settings),
        },
        unsure=~went_on & (copied == 0) & ~(hops & off),
    )


def _silence_met(ledger: Ledger, effective: Bools) -> NDArray[np.int64]:
    """The silence that was ended by the segment which met the RST, 0 none."""
    return np.where(effective, ended_silence(ledger, met_by_reset(ledger)[0][:, ::-1])[:, ::-1], 0)


def _timers(ledger: Ledger, alone: Bools, met: Bools, settings: Settings) -> Choice:
    """The devices whose timers fit the silence before the RST, or before the segment that met it."""
    ended, forgot = np.asarray(alone.any(axis=1)), np.asarray((met & ~alone).any(axis=1))
    fits = timers_that_fit(before_reset(ledger).where(ended), settings)
    return fits.joined(timers_that_fit(before_answered(ledger).where(forgot), settings)).said(fitting_words)


def hindsight(address: NDArray[Any], values: Mapping[str, NDArray[Any]], hosts: Hosts) -> Mapping[str, Choice]:
    """How this RST compares with the other RSTs and the SYN-ACKs of the host in the whole capture. Where they are
    alike, the hops alone say little."""
    address, hops = address.astype(np.int64), values["hops"].astype(np.int64)
    asked = np.unique(address)
    resets, answers = hosts.reset_ttls(asked), hosts.answer_ttls(asked.tolist())
    keys, place = np.unique((address << 9) | (values["ttl"].astype(np.int64) << 1) | hops, return_inverse=True)
    told = [
        _told(key >> 1 & 255, key & 1, resets.get(key >> 9, {}), answers.get(key >> 9, ())) for key in keys.tolist()
    ]
    words = ("", *sorted({*(text for text, _ in told)} - {""}))
    codes = np.array([words.index(text) for text, _ in told], np.uint16)[place]
    doubt = np.array([doubt for _, doubt in told], np.uint8)[place]
    return {"habit": Choice(codes, words), DOUBT: Choice(doubt, ("", ""))}


def _told(ttl: int, hops: int, resets: Mapping[int, int], answers: Sequence[int]) -> tuple[str, bool]:
    """What the host's other RSTs and SYN-ACKs say of a RST with this TTL, and whether that makes it less sure; nothing
    where more than the hops tells that somebody else sent it."""
    alike = [other for other in answers if not other_path(ttl, other)]
    others = {other: count for other, count in resets.items() if other_path(ttl, other)}
    if not ttl or not hops:
        return "", False
    if alike:
        return ANSWERS.format(" or ".join(map(str, alike))), True
    if others:
        return OTHERS.format(
            counted(sum(others.values()), "other connection"), " or ".join(map(str, sorted(others)))
        ), False
    connections = sum(resets.values())
    return HABIT.format(counted(connections, "connection")) if connections >= ENOUGH else "", False
