"""An endpoint ended the connection with a RST out of nothing: no FIN before it, nothing outstanding.

## What it sees

A RST that its receiver had to accept, from an endpoint that had sent no FIN. It answers no segment of the peer; all
that either side had sent was acknowledged, and the peer's last data were not just arriving (that is TD303). Whether
the application had read them, no packet tells.

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

from analyzer.findings.facts import blind_reset, opened_before, phrase, resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger, RstCause

CODE = "TD301"
NAME = "abortive-close"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "abortive-close.pcap"
NEAR_MISS = "killed-process.pcap"
MESSAGE = (
    "The {blamed} sent RST (frame {rst}, at {when:into}) without a FIN and unprompted, {idle:duration} after the "
    "connection's last segment{half}. All data sent were acknowledged; whether they had been read, no packet tells."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: SO_LINGER with zero seconds is the usual cause; data it left "
    "unread, an administrator's ss -K or an idle timer look the same. Close the socket instead. Next, on "
    "{blamed_ip}: strace -f -e trace=setsockopt,close -p PID"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    open_before = (ledger.own("established_time") > 0) | opened_before(ledger)[:, None]
    alone = ledger.own("rst_frame") == ledger.flow("first_frame")[:, None]  # nothing but the RST is known
    return Verdict(
        fires=resetter(ledger, RstCause.ABORT) & open_before & ~alone,
        when=ledger.own("rst_time"),
        frames=[ledger.own("rst_frame")],
        values={
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "idle": ledger.own("rst_idle"),
            "half": phrase(ledger.peer("fin_count") > 0, "; the other side had sent its FIN before"),
        },
        unsure=blind_reset(ledger),
        absence=True,
    )
