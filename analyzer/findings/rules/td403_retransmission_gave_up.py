"""Data were retransmitted again and again, never acknowledged, and the endpoint gave up.

## What it sees

Data that the other side had not acknowledged were retransmitted at least three times (twice, if the retransmissions
are a minute or more apart, as late ones are), and no acknowledgment of them came. Then the same endpoint sent RST, or
was silent for much longer than until the next retransmission was due. Most kernels drop such a connection without a
RST. If an ICMP error quoted a segment of it, the message says who sent that and what it says, with the next-hop MTU
where it names one.

If the segment that was repeated is larger than all that were acknowledged, the message says so, with both sizes. It
does where the segment has more than 1220 bytes of data (what hardly any link is too small for), no other segment that
large was under way, and the other side repeated an acknowledgment meanwhile that does not cover it: it answers
something else of the same sender, so smaller segments pass in both directions.

## Why it matters

The data did not arrive, or nothing came back. The application gets ETIMEDOUT after a long time (Linux: 15
retransmissions, at least a quarter of an hour, unless TCP_USER_TIMEOUT is shorter); the other side may never learn of
it.

## When it is harmless

When the other host was switched off on purpose.

## What to do next

Suspect the path or the peer's host: a device that dropped its state, a host that is gone, an address that moved. Where
only the large segment is lost, suspect a link with a smaller MTU (a tunnel, PPPoE) and a device that drops the ICMP
errors which would tell the sender: `ping -M do` with that size shows it. Let these errors pass, or clamp the MSS on the
router before that link. Do not switch path MTU discovery off on the hosts: that hides it from one of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import not_captured, phrase, resetter
from analyzer.findings.fitting_timers import fits_of, fitting_words, kept_open_by
from analyzer.findings.icmp import SUSPECTS, TEXTS, Reason, and_again, reason_of, text_of
from analyzer.findings.rule import Bools, Choice, Verdict
from analyzer.findings.silences import before_loss, lost_after, survived
from analyzer.settings import Settings
from analyzer.tcp.sequence import difference
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger, one_of
from analyzer.tracker.vocabularies import RstCause
from analyzer.units import SECOND

CODE = "TD403"
NAME = "retransmission-gave-up"
SEVERITY = "error"
SUPERSEDES = ("TD101", "TD107", "TD201", "TD301", "TD302")
THRESHOLDS = ()
NEEDS = ("repeat_run",)
LIVE_WAIT = 5 * SECOND  # the last repeat may still be answered
EXAMPLE = "retransmission-gave-up.pcap"
NEAR_MISS = "data-lost-but-fin-not.pcap"
MESSAGE = (
    "The {blamed} retransmitted data {count:times} (first at {when:into}, last {span:duration} later in frame "
    "{last}){apart}{idle:silence}{survived:survived}{timers}; they were never acknowledged{end}{rst:shown}."
    "{size:carried}{acked_size:above}{answered:without_it}"
    "{space}{teller:address}{icmp_said}{mtu:next_hop}{icmp:shown}{about_it}{icmp_again}{last_icmp:shown}{stop}"
)
ADVICE = (
    "Suspect {suspect}{limit:every}. Next, on {place:address}, check {aim}{met:address}: "
    "{look}{ping:pinged}{target:address}{then}"
)
IDLE = (
    "a device between the two first that dropped the idle connection silently (a firewall, NAT or load balancer): to "
    "keep it open, send keep-alives more often"
)
MTU = (
    "a link on the way whose MTU is too small for these segments, and a device that drops the ICMP errors which say "
    "so, first: let these pass, or clamp the MSS on the router before that link"
)
BACK_OFF = ", 120 s apart, the longest back-off that Linux has: it takes at least ten retransmissions to get there"
PATH = "the path between the two, or the other host, before either application"
SUSPECT = (PATH, IDLE, *(f"{suspect} first" for suspect, _, _ in SUSPECTS.values()), MTU)
AIM = ("whether the data arrive", *(aim for _, aim, _ in SUSPECTS.values()), "whether a packet of that size passes")
LOOK = ("tcpdump -ni any 'tcp and host ", *(look for _, _, look in SUSPECTS.values()), "ping -c 3 -M do -s ")
OF_SIZE = len(SUSPECTS) + 1  # place of the last in AIM and LOOK
RTO_MAX_NS = 120 * SECOND
IDLE_NS = 10 * SECOND  # no known device forgets a connection sooner
SMALL = 1220  # payload that each link has to carry in one IPv6 packet (RFC 8200: 1280 bytes)
HEADERS = 12  # of TCP and IP, without options, less those of an echo request: 40 - 28, and for IPv6 60 - 48


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    run = ledger.own("repeat_run")
    reset = resetter(ledger, RstCause.GAVE_UP) & (run >= ledger.own("probe_run"))
    hidden = not_captured(ledger)[:, ::-1]
    ended = ledger.in_vain & (reset | ledger.gave_up)
    first, idle = ledger.own("repeat_first_time"), lost_after(ledger)
    fits = fits_of(ledger, before_loss, ended & ~hidden, settings)
    large = _only_large_lost(ledger) & (idle < IDLE_NS)
    said = _said_by_icmp(ledger, idle > 0, large)
    large = large & ~said["space"].codes.astype(np.bool_)
    return Verdict(
        fires=ended & ~hidden,
        when=first,
        frames=[
            ledger.own("repeat_last_frame"),
            ledger.own("rst_frame") * reset,
            *(said[name] for name in ("icmp", "last_icmp")),
            ledger.own("size_answered") * large,
        ],
        values={
            "count": run,
            "span": ledger.own("repeat_last_time") - first,
            "when": first,
            "last": ledger.own("repeat_last_frame"),
            "end": phrase(reset, "; then it sent RST", "; then it sent nothing more"),
            "rst": ledger.own("rst_frame") * reset,
            "apart": phrase(_longest_back_off(run, ledger.own("repeat_last_time") - first), BACK_OFF),
            "idle": idle,
            "survived": survived(ledger, idle),
            "timers": fits.said(fitting_words),
            "limit": kept_open_by(fits, idle) * ~large * (said["teller"] < 0),
            **_sizes(ledger, large),
            **said,
        },
        absence=True,
        not_judged=[("only one direction was captured: acknowledgments cannot be seen", ended & hidden)],
    )


def _only_large_lost(ledger: Ledger) -> Bools:
    """Whether the segment that is repeated is larger than all that were acknowledged and all others on their way, while
    the other side answered something else. What was not captured whole is not compared."""
    size, acked = ledger.own("repeat_size").astype(np.int64), ledger.own("size_acked").astype(np.int64)
    on_their_way = difference(ledger.own("snd_nxt"), ledger.peer("ack_sent"))
    whole = (ledger.own("missing_bytes") == 0) & (ledger.own("lengths_unsure") == 0) & ~ledger.knows(Known.MID_STREAM)
    answered = ledger.own("size_answered") > 0
    return np.asarray(whole & answered & (acked > 0) & (size > np.maximum(acked, SMALL)) & (on_their_way < 2 * size))


def _sizes(ledger: Ledger, large: Bools) -> dict[str, NDArray[np.int64]]:
    """Sizes of segments where only a ``large`` one was lost, and of the echo request that is as large as that."""
    size = ledger.own("repeat_size").astype(np.int64) * large
    return {
        "size": size,
        "acked_size": ledger.own("size_acked") * large,
        "answered": ledger.own("size_answered") * large,
        "ping": (size + HEADERS * (1 + ledger.knows(Known.TIMESTAMPS))) * large,
    }


def _said_by_icmp(ledger: Ledger, idle: Bools, large: Bools) -> dict[str, Any]:
    """What ICMP errors say of the endpoint's segments, if of its SYN they say nothing; and the advice that follows,
    also where they say nothing and only a ``large`` segment was lost."""
    kind = np.where(ledger.own("icmp_syns") > 0, 0, ledger.own("icmp_kind"))
    told, reason, address = kind > 0, reason_of(kind), ledger.flow("address").astype(np.int64)
    icmp, last = (ledger.own(f"icmp_{name}") * told for name in ("frame", "last_frame"))
    last, teller = last * (last != icmp), np.where(told, ledger.own("icmp_from"), -1)
    here = one_of(reason, (Reason.LOOP, Reason.SIZE))  # what is looked for from the side that sent
    large = large & ~told
    asked = np.where(large, OF_SIZE, reason).astype(np.uint8)
    target = np.where(told | large, address[:, ::-1], address)
    return {
        "space": phrase(told, " "),
        "teller": teller,
        "icmp_said": Choice(text_of(kind), ("", *(f" reported {text}" for text in TEXTS[1:]))),
        "icmp": icmp,
        "about_it": phrase(told, " about a segment of it"),
        "icmp_again": and_again(last > 0, ledger.own("icmp_mixed") > 0),
        "last_icmp": last,
        "stop": phrase(told, "."),
        "mtu": ledger.own("icmp_mtu") * told,
        "suspect": Choice(np.where(told | large, asked.astype(np.int64) + 1, idle).astype(np.uint8), SUSPECT),
        "place": np.where(told | large, np.where(here | large, address, teller), address[:, ::-1]),
        "aim": Choice(asked, AIM),
        "look": Choice(asked, LOOK),
        "met": np.where(reason == Reason.REFUSED, target, -1),
        "target": np.where(reason == Reason.REFUSED, -1, target),
        "then": phrase(told | large, "", "'"),
    }


def _longest_back_off(run: NDArray[np.int64], span: NDArray[np.int64]) -> Bools:
    """Whether retransmissions came at the interval with which the back-off of Linux ends (TCP_RTO_MAX). It begins with
    0.2 s or more and doubles: ten intervals from there do not reach it."""
    interval = span // np.maximum(run - 1, 1)
    return np.asarray((run > 1) & (abs(interval - RTO_MAX_NS) <= SECOND))
