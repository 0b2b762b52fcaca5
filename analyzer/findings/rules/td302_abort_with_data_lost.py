"""An endpoint aborted with a RST while data it had sent were not acknowledged: they may be lost.

## What it sees

A RST from an endpoint that had sent no FIN, and at that time bytes it had sent were not acknowledged. They may have
arrived, but a receiver that gets the RST discards what its application has not read.

## Why it matters

The sending program believes that it has delivered these bytes; the receiving program may never see them. A normal
close would have delivered them.

## When it is harmless

When the sender wanted to cancel, and the receiver then ignores the data.

## What to do next

Look for SO_LINGER 0 in the program of the blamed endpoint, and for a close with unread data in its receive queue. Use
`shutdown(SHUT_WR)`, read to the end of the stream, then close.
"""

from analyzer.findings.dialogue import sent_tls_alert, spoke_tls
from analyzer.findings.facts import acceptance_unknown, resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD302"
NAME = "abort-with-data-lost"
SEVERITY = "error"
SUPERSEDES = ("TD301",)
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "abort-with-data-lost.pcapng"
NEAR_MISS = "abortive-close.pcap"
MESSAGE = (
    "The {blamed} sent RST (frame {rst}, at {when:into}) with data outstanding (last data: frame {data}): {lost:byte} "
    "that it had sent were never acknowledged. The {peer_role}'s application may never have read them."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: an abort (SO_LINGER 0, or a close with unread data) right after "
    "writing. It should shut down its sending side and read to the end before it closes. Next, to see how it closes, "
    "on {blamed_ip}: strace -f -e trace=setsockopt,shutdown,close -p {pid}"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    farewell = spoke_tls(ledger) & sent_tls_alert(ledger) & (ledger.own("rst_unacked") <= ledger.own("last_payload"))
    return Verdict(
        fires=resetter(ledger, RstCause.ABORT_DATA_LOST) & ~farewell,
        when=ledger.own("rst_time"),
        frames=[ledger.own("data_frame"), ledger.own("rst_frame")],
        values={
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "lost": ledger.own("rst_unacked"),
            "data": ledger.own("data_frame"),
        },
        unsure=acceptance_unknown(ledger),
        absence=True,
    )
