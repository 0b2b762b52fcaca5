"""A receiver reset the connection with data in front of it that it had not acknowledged.

## What it sees

A RST without FIN from an endpoint that data had reached and that had acknowledged none of the last of them: the RST
itself acknowledges them, or it came later than the way to the endpoint and back takes. A kernel that closes a socket
with unread data sends RST instead of FIN (RFC 2525, 2.17; RFC 9293 3.10.4). Data that it had acknowledged, or answered
with data of its own, are not called unread: packets cannot tell.

## Why it matters

What the blamed endpoint had written before may be lost, too: its peer can get ECONNRESET before it has read the
answer. A server that refuses an upload with an error message and closes at once is the classic case; the client
never sees the message.

## When it is harmless

When neither side wants anything more. A small margin is no proof: an application that has read the data and aborts
with SO_LINGER 0 looks the same.

## What to do next

In the blamed application: read to the end of the stream (or at least drain what has come) before closing, or shut
down the sending side first and wait (nginx calls it lingering close). A killed process with unread data resets,
too.
"""

from analyzer.findings.facts import blind_reset, phrase, resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger, RstCause

CODE = "TD303"
NAME = "reset-with-unread-data"
SEVERITY = "warning"
SUPERSEDES = ("TD301", "TD302")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "reset-with-unread-data.pcapng"
NEAR_MISS = "unread-data-acknowledged.pcapng"
MESSAGE = (
    "The {blamed} sent RST (frame {rst}, at {when:into}) {age:duration} after data from the {peer_role} (frame "
    "{data}): {unread:byte} had not been acknowledged by it before{told}.{lost}"
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it closed without reading what had come, or was killed. Let it "
    "read to the end before it closes. Next, on {blamed_ip}: strace -f -e trace=read,recvfrom,shutdown,close -p PID"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    reached = ledger.own("rst_reached") > 0
    return Verdict(
        fires=resetter(ledger, RstCause.UNREAD_DATA),
        when=ledger.own("rst_time"),
        frames=[ledger.own("rst_data_frame"), ledger.own("rst_frame")],
        values={
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "age": ledger.own("rst_data_age"),
            "data": ledger.own("rst_data_frame"),
            "unread": ledger.own("rst_unread"),
            "told": phrase(reached, "; the RST does"),
            "lost": phrase(ledger.own("rst_unacked") > 0, " Data of its own were not acknowledged either."),
        },
        unsure=blind_reset(ledger) | ~reached,
        absence=True,
    )
