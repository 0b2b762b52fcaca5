"""An endpoint sent data after it had acknowledged the peer's FIN and got a RST: the peer had closed both directions.

## What it sees

An endpoint sent data whose acknowledgment number covers the peer's FIN, so it knew of the FIN. The peer answered with
the RST of a host that no longer has the socket. A FIN alone does not show whether the peer only stopped sending
(`shutdown`) or closed both directions; this RST does. If a client closed and had sent the last data
before its FIN, the data are the answer to them: the client closed without waiting for it and is blamed. If it had
waited for a second or more, a time-out for the answer is suspected, and no half-close that is missing. Whoever closed
while the other was sending, with a request unanswered, or before either had sent anything, is blamed as well. Otherwise
the sender is blamed: a client that used a connection which the server had closed, or a server that sent more though
nothing was asked of it.

## Why it matters

The data are lost, and the application learns it only at its next write or read (EPIPE, ECONNRESET). One typical cause
is a pool that hands out an idle connection which the other side closed long ago. Another is a proxy that turns a
half-close into a full close, so that no answer gets through.

## When it is harmless

When nothing depended on the data. A TLS close_notify, which is sent before a close and is often answered by RST, is
recognised by its first byte and not reported here (it is TD304).

## What to do next

Where the client had waited, find out why the answer took so long, and compare with the time-out that is set for it.
An endpoint that closes without waiting for the answer should shut down its sending side only, and read to the end. A
pool should check an idle connection before reuse (a read that returns 0 bytes), and drop it sooner than the other
side does. If the data do not acknowledge the FIN, their sender did not know of it: that is TD306, a race.
"""

import numpy as np

from analyzer.findings.dialogue import (
    alerts_apart,
    may_need_no_answer,
    never_used,
    pending_at_own_end,
    sent_tls_alert,
    spoke_last,
)
from analyzer.findings.facts import acceptance_unknown, is_client, phrases, reset_victim
from analyzer.findings.rule import Bools, Choice, Verdict
from analyzer.settings import Settings
from analyzer.tcp.dialogue import Pending
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause
from analyzer.units import SECOND

CODE = "TD103"
NAME = "write-to-closed-peer"
SEVERITY = "warning"
SUPERSEDES = ("TD304", "TD305", "TD105", "TD107")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "write-to-closed-peer.pcapng"
NEAR_MISS = "half-close-in-use.pcapng"
MESSAGE = (
    "The {closer} closed (FIN, frame {fin}). The {sender} acknowledged that FIN (frame {ack}) and sent {sent:byte} "
    "{after:duration} after it (frame {data}). The {closer} had closed both directions and answered with RST (frame "
    "{rst}, at {when:into}).{why}{waited:than}{alerts}"
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: {advice} Next, to see who said what before: tshark -r CAPTURE -Y "
    "'tcp.stream == {stream}'"
)
WHY = (
    " The last data before the FIN were the server's: it was still sending.",
    " The last data before the FIN were the client's: it did not wait for the answer longer",  # than so long
    " The last data before the FIN were the client's: it did not wait for the answer.",
    " The last data before the FIN were the client's, and the server had not answered them.",
    " No data had been sent before the FIN.",
    " The last data before the FIN were the client's; they may need no answer, as short as a control frame.",
    " The last data before the FIN were the server's.",
)
UNASKED = (
    "it sent more without a new request, though it had acknowledged the client's FIN: a late part of an answer, a "
    "message at its time-out, or a notification. What these data are tells which."
)
CLOSED_EARLY = (
    "it closed while the server was sending. It should read to the end before it closes.",
    "a time-out for the answer probably ended its wait, since the answer came after its close. Find out why the answer "
    "took so long: the server's log of that moment. Raise the time-out only if the answer may take so long.",
    "it closed before the answer came. It should shut down its sending side only and read to the end before it closes.",
    "it closed with a request unanswered. Its log of that moment should say why (a limit, an error, a restart).",
    "it closed without having used the connection, as health checks and scans do, which is harmless.",
    UNASKED,
    UNASKED,
)
POOL = (
    "it used a connection that the peer had closed, like a pool that does not check idle connections. Check them "
    "before use, and drop them sooner than the other side does."
)
ROLES = ("client", "server")
A_WAIT_NS = SECOND  # who closed sooner did not wait


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    sender = reset_victim(ledger, RstCause.DATA_AFTER_CLOSE) & ~sent_tls_alert(ledger)
    closer = sender[:, ::-1]
    spoke = closer & is_client(ledger) & spoke_last(ledger)
    few = spoke & may_need_no_answer(ledger)
    asked = spoke & ~few
    wait = ledger.own("fin_time") - ledger.own("spoken_time")  # from the last data of the one to its FIN
    patient = asked & (wait >= A_WAIT_NS)
    cut_off = closer & pending_at_own_end(ledger, Pending.MID_ANSWER)
    blaming = [cut_off, patient, asked, *_refused_and_unused(ledger, closer)]
    reasons = [np.asarray(reason.any(axis=1)) for reason in (*blaming, few, closer & is_client(ledger))]
    waited_for = np.logical_or.reduce(reasons[: len(blaming)])
    side = np.argmax(closer, axis=1)
    other = 1 - side
    new = ledger.of_side("rst_half_close", side)  # nothing but repeats of older data is TD304
    return Verdict(
        fires=np.where(waited_for[:, None], closer, sender) & (new > 0)[:, None],
        when=ledger.of_side("rst_time", side),
        frames=[
            ledger.of_side("fin_frame", side),
            ledger.of_side("fin_acked_frame", side),
            ledger.of_side("rst_answers_frame", side),
            ledger.of_side("rst_frame", side),
        ],
        values={
            "closer": Choice(side ^ ledger.client, ROLES),
            "sender": Choice(other ^ ledger.client, ROLES),
            "fin": ledger.of_side("fin_frame", side),
            "sent": new,
            "ack": ledger.of_side("fin_acked_frame", side),
            "after": ledger.of_side("rst_answers_time", side) - ledger.of_side("fin_time", side),
            "data": ledger.of_side("rst_answers_frame", side),
            "rst": ledger.of_side("rst_frame", side),
            "when": ledger.of_side("rst_time", side),
            "waited": ((wait * patient).max(axis=1) * ~reasons[0]),
            "why": phrases(reasons, WHY, ""),
            "alerts": alerts_apart(ledger),
            "advice": phrases(reasons, CLOSED_EARLY, POOL),
        },
        unsure=acceptance_unknown(ledger) | acceptance_unknown(ledger, "peer") | ~ledger.client_known[:, None],
    )


def _refused_and_unused(ledger: Ledger, closer: Bools) -> tuple[Bools, Bools]:
    """Servers that closed with a request unanswered, and clients that closed what nobody had used."""
    client = is_client(ledger)
    refused = closer & ~client & pending_at_own_end(ledger, Pending.REQUEST_IN_FLIGHT)
    return refused, closer & client & never_used(ledger)
