"""The capture ended while an endpoint was in CLOSE_WAIT, too early to call it a leak.

## What it sees

The endpoint acknowledged the peer's FIN and had not closed when the capture ended, but for a shorter time than the
threshold of a leak (TD101).

## Why it matters

It may be the beginning of a leak, or an ordinary close that the capture's end cut off. The packets do not show which.

## When it is harmless

When the time is a few milliseconds: the close was in progress.

## What to do next

Capture for longer, at least the threshold beyond the last connection of interest, or check on the host whether the
socket still exists.
"""

from analyzer.findings.facts import (
    after_peer_fin,
    close_wait_known_until,
    idle_in_close_wait,
    phrase,
    state_is,
    until_words,
)
from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD107"
NAME = "half-closed-at-capture-end"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ("close_wait_leak_ns",)
NEEDS = (Sign.LEFT_IN_CLOSE_WAIT,)
LIVE_WAIT = AT_THE_END  # it says that the capture ended, which it has not
EXAMPLE = "half-closed-at-capture-end.pcap"
NEAR_MISS = "graceful-client-first.pcap"
MESSAGE = (
    "The {blamed} acknowledged the {peer_role}'s FIN ({fin:frame}) in frame {ack} at {when:into} and had not "
    "closed when {ended} {idle:duration} {since}: too early to call it a leak (threshold "
    "{close_wait_leak:duration})."
)
ADVICE = (
    "The capture ended too early to suspect anybody. Next, to see whether the socket still exists, on {blamed_ip}: ss "
    "-tnp state close-wait {ss}"
)

ENDED = ("a new connection came", "a gap in the capture began", "the capture ended")


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    idle, until = idle_in_close_wait(ledger), close_wait_known_until(ledger)
    taken = ledger.flow("replaced_time")[:, None] == until
    captured = ledger.peer("fin_count") > 0
    return Verdict(
        fires=state_is(ledger, State.CLOSE_WAIT) & captured & (idle <= settings.close_wait_leak_ns) & ~taken,
        when=ledger.peer("fin_acked_time"),
        frames=[ledger.peer("fin_frame"), ledger.peer("fin_acked_frame"), ledger.own("half_close_last_frame")],
        values={
            "fin": ledger.peer("fin_frame"),
            "ack": ledger.peer("fin_acked_frame"),
            "when": ledger.peer("fin_acked_time"),
            "idle": idle,
            "ended": until_words(ledger, until, ENDED),
            "since": phrase(after_peer_fin(ledger), "after the last data that it sent in CLOSE_WAIT", "later"),
        },
        rests_on=[ledger.own("close_wait_basis"), ledger.own("state_basis")],
        absence=True,
    )
