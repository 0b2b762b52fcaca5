"""An endpoint acknowledged the peer's FIN and never closed its own side: a leaked socket.

## What it sees

The endpoint acknowledged the peer's FIN, so it is in CLOSE_WAIT. From then on it sent neither data nor FIN nor RST
until the capture's end, for longer than the threshold. Acknowledgments and answers to keep-alive probes do not
count: its kernel sends those without the application.

## Why it matters

CLOSE_WAIT has no timer. The socket stays until the application closes it or its process ends, and holds a
descriptor (1024 for a process by default: "Too many open files") and on a client a local port. The usual mistakes:
a response or connection object that is not closed on every path; a parent process that still holds the descriptor
its forked child has closed, so that no FIN goes out; a pool that never looks at its idle connections; a thread
stuck elsewhere.

## When it is harmless

When the endpoint still has something to do before it answers, such as a long query whose result comes later: the
other side used a half-close on purpose. Then data follow in the end. If it had sent data after the FIN and then
fell silent, the finding says so and is less sure. The age is a lower bound: the capture ended before the state did.

## What to do next

Look at the application of the blamed endpoint, never at the network or at kernel settings: no kernel timer ends
CLOSE_WAIT. `ss -tnp state close-wait` or `lsof -nP -iTCP -sTCP:CLOSE_WAIT` on its host names the process. Close the
object on every path (`with`, `finally`, try-with-resources); after a fork close the copy in the parent, or call
`shutdown()` in the child; open descriptors with `SOCK_CLOEXEC`. Do not set SO_LINGER to zero to hide it: that
throws data away.
"""

from analyzer.findings.facts import (
    after_peer_fin,
    how_over,
    idle_in_close_wait,
    over_in_close_wait,
    phrase,
    state_is,
    unseen,
)
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger

CODE = "TD101"
NAME = "close-wait-leak"
SEVERITY = "error"
SUPERSEDES = ("TD107",)
THRESHOLDS = ("close_wait_leak_ns",)
NEEDS = ("close_wait_time", "fin_count")
LIVE_WAIT = 0  # its own threshold is the wait
EXAMPLE = "close-wait-leak.pcap"
NEAR_MISS = "half-closed-at-capture-end.pcap"
MESSAGE = (
    "The {blamed} acknowledged the {peer_role}'s FIN ({fin:frame}) in frame {ack} at {when:into} and never closed: "
    "in the {idle:duration} {since} until {until} it sent neither new data nor FIN nor RST (threshold "
    "{close_wait_leak:duration}). It stayed in CLOSE_WAIT."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it was told that the {peer_role} had closed and did not close "
    "its own socket. Find the process, then the path on which the socket is not closed. Next, on {blamed_ip}: ss "
    "-tnp state close-wait {ss}"
)

UNTIL = ("a new connection took its addresses and ports", "the gap in the capture", "the capture's end")


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    idle = idle_in_close_wait(ledger)
    spoke = after_peer_fin(ledger)
    first = ledger.flow("first_frame")[:, None]  # where that is the FIN, its sender may have closed second
    captured = ledger.peer("fin_count") > 0  # one number acknowledged beyond what was sent may as well be a byte
    return Verdict(
        fires=state_is(ledger, State.CLOSE_WAIT) & captured & (idle > settings.close_wait_leak_ns),
        when=ledger.peer("fin_acked_time"),
        frames=[ledger.peer("fin_frame"), ledger.peer("fin_acked_frame"), ledger.own("half_close_last_frame")],
        values={
            "fin": ledger.peer("fin_frame"),
            "ack": ledger.peer("fin_acked_frame"),
            "when": ledger.peer("fin_acked_time"),
            "idle": idle,
            "until": how_over(ledger, over_in_close_wait(ledger), UNTIL),
            "since": phrase(spoke, "after the last data it sent half-closed", "from then"),
        },
        rests_on=[ledger.own("close_wait_basis"), ledger.own("state_basis")],
        absence=True,
        unsure=spoke,
        doubt=~ledger.knows(Known.ISN) & ~ledger.knows(Known.SENT_DATA) & (first == ledger.peer("fin_frame")),
        blind=[
            (
                "only the other direction was captured: whether it closed cannot be seen",
                unseen(ledger) & (ledger.peer("fin_count") > 0),
            )
        ],
    )
