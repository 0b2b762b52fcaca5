"""A receiver reset the connection before it had acknowledged data that had reached it.

## What it sees

A RST without a FIN from an endpoint that data had reached and that had acknowledged none of the last of them: the RST
itself acknowledges them or a part of them, or it came more than a round trip to the endpoint after them. A kernel that
closes a socket with unread data sends RST instead of FIN (RFC 2525, 2.17; RFC 9293 3.10.4). Data that it had
acknowledged, or answered with its own data, are not called unread: packets do not show that.

## Why it matters

Data that the blamed endpoint had written before may be lost too: its peer can get ECONNRESET before it has read the
answer. The classic case is a server that refuses an upload with an error message and closes at once: the client never
sees the message.

## When it is harmless

When neither side needs anything more. A short time is no proof: an application that has read the data and aborts with
SO_LINGER 0 looks the same.

## What to do next

In the blamed application: read to the end of the stream (or at least drain what has arrived) before closing, or shut
down the sending side first and wait (nginx calls it lingering close). A process killed with unread data resets too.
"""

import numpy as np

from analyzer.findings.dialogue import sent_tls_alert
from analyzer.findings.facts import acceptance_unknown, phrase, resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD303"
NAME = "reset-with-unread-data"
SEVERITY = "warning"
INFO_WHEN = "where all that was unread looks like a TLS close_notify"
SUPERSEDES = ("TD301", "TD302")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "reset-with-unread-data.pcapng"
NEAR_MISS = "unread-data-acknowledged.pcapng"
MESSAGE = (
    "The {blamed} sent RST (frame {rst}, at {when:into}) {age:duration} after data from the {peer_role} (frame "
    "{data}): it had not acknowledged {unread:byte} before{told}{part:of_them}.{lost}{farewell}"
)
ADVICE = (
    "Suspect {suspect} on {blamed_ip}{first}: {why} Next, to see how it closes, on {blamed_ip}: strace -f -e "
    "trace=read,recvfrom,shutdown,close -p {pid}"
)
UNREAD = (
    "it closed without reading the data that had arrived, or was killed. It should read to the end before it closes."
)
GOODBYE = "the other side only said goodbye (TLS) while this one closed; nobody need read that."


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    reached, unread = ledger.own("rst_reached"), ledger.own("rst_unread")
    farewell = sent_tls_alert(ledger)[:, ::-1] & (unread == ledger.peer("last_payload"))
    farewell &= ledger.own("rst_unacked") == 0
    return Verdict(
        fires=resetter(ledger, RstCause.UNREAD_DATA),
        when=ledger.own("rst_time"),
        frames=[ledger.own("rst_data_frame"), ledger.own("rst_frame")],
        values={
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "age": ledger.own("rst_data_age"),
            "data": ledger.own("rst_data_frame"),
            "unread": unread,
            "told": phrase(reached >= unread, "; the RST does"),
            "part": np.where(reached < unread, reached, 0),
            "farewell": phrase(farewell, " These look like a TLS close_notify: nothing was lost."),
            "suspect": phrase(farewell, "nobody", "the application"),
            "first": phrase(farewell, "", " first"),
            "why": phrase(farewell, GOODBYE, UNREAD),
            "lost": phrase(ledger.own("rst_unacked") > 0, " Some of its own data were not acknowledged either."),
        },
        unsure=acceptance_unknown(ledger) | (reached == 0),
        absence=True,
        info=farewell,
    )
