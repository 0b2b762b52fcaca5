"""An endpoint acknowledged the peer's FIN and never closed its own side: a leaked socket.

## What it sees

The endpoint acknowledged the peer's FIN, so it is in CLOSE_WAIT. From then until the end of the capture it sent no
data, FIN or RST, for longer than the threshold. Acknowledgments and answers to keep-alive probes do not count: the
kernel sends them without the application.

## Why it matters

CLOSE_WAIT has no timer. The socket stays until the application closes it or its process ends. Until then it holds a
descriptor (by default 1024 for a process: "Too many open files") and, on a client, a local port. Common mistakes: a
response or connection object that is not closed on every path; a parent process that still holds the descriptor which
its forked child has closed, so that no FIN is sent; a pool that never checks its idle connections; a blocked thread.

## When it is harmless

When the endpoint still works on its answer, such as a long query whose result comes later: the peer half-closed on
purpose, and data follow in the end. If the endpoint sent data after the FIN and then became silent, the message says
so and the confidence is lower. The age is a lower bound: the capture ended before the state did. Above a day the
confidence is low, unless other connections of the capture began or ended all the time, at most 10 minutes after one
another: recordings that were joined in one file may lie so far apart, and nobody watched between them.

## What to do next

Check the application of the blamed endpoint, not the network or kernel settings: no kernel timer ends CLOSE_WAIT.
`ss -tnp state close-wait` or `lsof -nP -iTCP -sTCP:CLOSE_WAIT` on its host names the process. Close the object on
every path (`with`, `finally`, try-with-resources). After a fork, close the copy in the parent, or call `shutdown()`
in the child; open descriptors with `SOCK_CLOEXEC`. Do not hide the leak with SO_LINGER 0: that discards data.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import HOLE_NS
from analyzer.findings.dialogue import late_opening, never_answered
from analyzer.findings.facts import (
    after_peer_fin,
    close_wait_known_until,
    idle_in_close_wait,
    is_client,
    not_captured,
    phrase,
    phrases,
    state_is,
    until_words,
)
from analyzer.findings.hosts import Hosts
from analyzer.findings.rule import DOUBT, Choice, Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign
from analyzer.units import SECOND

CODE = "TD101"
NAME = "close-wait-leak"
SEVERITY = "error"
SUPERSEDES = ("TD107",)
THRESHOLDS = ("close_wait_leak_ns",)
NEEDS = (Sign.LEFT_IN_CLOSE_WAIT, Sign.ONE_DIRECTION)
LIVE_WAIT = 0  # its own threshold is the wait
EXAMPLE = "close-wait-leak.pcap"
NEAR_MISS = "half-closed-at-capture-end.pcap"
MESSAGE = (
    "The {blamed} acknowledged the {peer_role}'s FIN ({fin:frame}) in frame {ack} at {when:into} and never closed: in "
    "the {idle:duration} {since} until {until} it sent no new data, FIN or RST (threshold "
    "{close_wait_leak:duration}). It stayed in CLOSE_WAIT.{dialogue}"
    "{late:late}{syn_ack:shown}{late_stop}"
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it did not close its socket after the {peer_role}'s FIN. {cure} "
    "Next, to find the process, on {blamed_ip}: ss -tnp state close-wait {ss}"
)
OF_CLIENT = (
    "Close the response or connection object on every path, also after an error. SO_LINGER 0 only hides the leak and "
    "loses data."
)
OF_LATE = (
    "Look at what it does when a connect runs into its time-out: this connection opened late and was never used, "
    "like one that was given up by then and not closed."
)
OF_SERVER = (
    "Look for the path on which it is not closed, and for another process that inherited the descriptor (a parent "
    "after fork). A higher limit of descriptors only delays the failure."
)

DAY_NS = 86_400 * SECOND  # recordings that were joined lie so far apart; of one that ran on, other connections show it
UNTIL = ("a new connection reused its addresses and ports", "a gap in the capture", "the capture's end")


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    idle = idle_in_close_wait(ledger)
    spoke = after_peer_fin(ledger)
    first = ledger.flow("first_frame")[:, None]  # where that is the FIN, its sender may have closed second
    late = late_opening(ledger)
    captured = ledger.peer("fin_count") > 0  # one number acknowledged beyond what was sent may as well be a byte
    return Verdict(
        fires=state_is(ledger, State.CLOSE_WAIT) & captured & (idle > settings.close_wait_leak_ns),
        when=ledger.peer("fin_acked_time"),
        frames=[
            ledger.peer("fin_frame"),
            ledger.peer("fin_acked_frame"),
            ledger.own("half_close_last_frame"),
            late.frame,
        ],
        values={
            "fin": ledger.peer("fin_frame"),
            "ack": ledger.peer("fin_acked_frame"),
            "when": ledger.peer("fin_acked_time"),
            "idle": idle,
            "began": close_wait_known_until(ledger) - idle,
            "until": until_words(ledger, close_wait_known_until(ledger), UNTIL),
            "cure": phrases([is_client(ledger) & (late.after > 0), is_client(ledger)], [OF_LATE, OF_CLIENT], OF_SERVER),
            "dialogue": never_answered(ledger),
            **late.words(),
            "since": phrase(spoke, "after the last data that it sent in CLOSE_WAIT", "from then"),
        },
        rests_on=[ledger.own("close_wait_basis"), ledger.own("state_basis")],
        absence=True,
        unsure=spoke,
        doubt=~ledger.knows(Known.ISN) & ~ledger.knows(Known.SENT_DATA) & (first == ledger.peer("fin_frame")),
        not_judged=[
            (
                "only the other direction was captured: whether it closed cannot be seen",
                not_captured(ledger) & (ledger.peer("fin_count") > 0),
            )
        ],
    )


def hindsight(
    address: NDArray[np.int64], values: Mapping[str, NDArray[np.int64]], hosts: Hosts
) -> Mapping[str, Choice]:
    """Whether nothing proves that somebody captured all the time of a long leak."""
    idle, began = values["idle"], values["began"]
    doubt = idle > DAY_NS
    if doubt.any():
        watched = hosts.captured_until(began[doubt])
        doubt[doubt] = watched + HOLE_NS < began[doubt] + idle[doubt]
    return {DOUBT: Choice(doubt.astype(np.uint8), ("", ""))}
