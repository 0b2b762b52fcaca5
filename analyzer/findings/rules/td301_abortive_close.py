"""An endpoint ended the connection with a RST: no FIN before it, no segment that it answers, nothing outstanding.

## What it sees

A RST that its receiver had to accept, from an endpoint that had sent no FIN. It answers no segment of the peer; all
that it had sent was acknowledged, and nothing of the peer that had surely arrived was not (that is TD303). Whether
the application had read it, no packet tells.

## Why it matters

Whoever reads on the other side gets ECONNRESET instead of the end of the stream. The sender has no TIME_WAIT, which
is why some programs do it on purpose: SO_LINGER with zero seconds. That hides a leak, and one day it throws data
away.

## When it is harmless

When both applications are agreed on it, as some load balancers' health checks and benchmark clients are.

## What to do next

Candidates, which the packets cannot tell apart: SO_LINGER 0 in the application; a socket closed by an administrator
(`ss -K`); a proxy that passes on an abort; an idle timer that resets instead of closing; a socket closed, or a process
killed, with data unread that had arrived long before. Look for SO_LINGER in the program of the blamed endpoint and take
it out; let it read to the end, and close sockets instead.
"""

import numpy as np

from analyzer.findings.facts import LONG_NS, blind_reset, opened_before, phrase, phrases, resetter
from analyzer.findings.rule import Bools, Verdict
from analyzer.settings import Settings
from analyzer.tracker.endings import RstCause
from analyzer.tracker.ledger import Known
from analyzer.tracker.outcome import Ledger

CODE = "TD301"
NAME = "abortive-close"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "abortive-close.pcap"
NEAR_MISS = "killed-process.pcap"
MESSAGE = (
    "The {blamed} sent RST (frame {rst}, at {when:into}) without a FIN, {idle:duration} after the connection's last "
    "segment{place}. It answers no captured segment. {acked}"
)
ALL_ACKED = "All data sent were acknowledged; whether they had been read, no packet tells."
UNDER_WAY = "Data that the other side had just sent were not acknowledged; whether they had arrived, no packet tells."
ADVICE = "Suspect {suspect} Next, on {blamed_ip}: strace -f -e trace=setsockopt,close -p PID"
SILENCE_NS = 10 * LONG_NS  # timers of idle connections are longer than this
PLACES = (
    ", when the other side had sent its FIN",
    "",
    ", while its own last data were without an answer",
    ", when the server had spoken last",
    ", after its own last data",
    ", without an answer to the client's last data",
)
SUSPECTS = (
    "the application of the blamed endpoint: some systems and programs reset once the other side has closed; often "
    "that is harmless.",
    "an idle timer first, of a device between the two or of the blamed endpoint's application: see whether other "
    "connections end after the same silence, and capture at both ends.",
    "a time-out for the answer in the application of the blamed endpoint first: it would not wait longer. Ask why the "
    "answer took so long.",
    "the application of the blamed endpoint: it was done and closed with SO_LINGER of zero seconds, or gave up; for a "
    "client or a health check that is often harmless.",
    "the application of the blamed endpoint first: it left data unread when it closed, or uses SO_LINGER of zero "
    "seconds. Let it read to the end before it closes.",
    "the application of the blamed endpoint first: it was killed, or closed without reading or answering.",
)
ELSE = (
    "the application of the blamed endpoint first: SO_LINGER with zero seconds is the usual cause; an administrator's "
    "ss -K looks the same."
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    open_before = (ledger.own("established_time") > 0) | opened_before(ledger)[:, None]
    alone = ledger.own("rst_frame") == ledger.flow("first_frame")[:, None]  # nothing but the RST is known
    heard = ~ledger.knows(Known.SENT_DATA) | ledger.knows(Known.ACK)[:, ::-1]  # else nobody knows what is outstanding
    places = _places(ledger)
    return Verdict(
        fires=resetter(ledger, RstCause.ABORT) & open_before & ~alone & heard,
        when=ledger.own("rst_time"),
        frames=[ledger.own("rst_frame")],
        values={
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "idle": ledger.own("rst_idle"),
            "place": phrases(places, PLACES, ""),
            "acked": phrase(ledger.own("rst_unread") > 0, UNDER_WAY, ALL_ACKED),
            "suspect": phrases(places, SUSPECTS, ELSE),
        },
        unsure=blind_reset(ledger),
        absence=True,
    )


def _places(ledger: Ledger) -> list[Bools]:
    """Where in the dialogue the RST came, the first that holds: the words are PLACES."""
    age = ledger.own("rst_data_age")
    own, other = ledger.own("data_time"), np.where(age >= 0, ledger.own("rst_time") - age, 0)
    client = np.stack([ledger.client == 0, ledger.client == 1]).T
    return [
        ledger.peer("fin_count") > 0,
        ledger.own("rst_idle") >= SILENCE_NS,
        client & (own > other),
        client & (other > own),
        own > other,
        other > own,
    ]
