"""After one side's FIN the other continued to send data that were acknowledged: a legal half-close.

## What it sees

The endpoint had acknowledged the peer's FIN and then sent new data, which the peer acknowledged. So the peer had
closed only its sending side (`shutdown(SHUT_WR)`) and still received.

## Why it matters

Most programs close both directions at once. A half-close must survive everything on the path: proxies and firewalls
often end half-closed connections after a short time (pf 900 s, some load balancers one second). conntrack's
CLOSE_WAIT timeout is the firewall's, not the socket's.

## When it is harmless

Almost always. `nc -N`, `rsh`, some HTTP/1.0 clients and replication protocols work like this. CLOSE_WAIT is not a
leak while data flow.

## What to do next

Nothing, unless answers are cut off. Then compare how long the connection was half-closed with the half-closed timeout
of every device on the path.
"""

from analyzer.findings.dialogue import sent_tls_alert
from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD104"
NAME = "half-close-in-use"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("half_close_acked",)
LIVE_WAIT = AT_THE_END  # its bytes are still counted
EXAMPLE = "half-close-in-use.pcapng"
NEAR_MISS = "slow-close.pcap"
MESSAGE = (
    "The {peer} closed its sending side (FIN, frame {fin}) and continued to receive: after the FIN the {blamed} sent "
    "{sent:byte} (frames {first} to {last}), of which {acked:byte} were acknowledged by frame {ack}. The last data "
    "passed {span:duration} after the FIN."
)
ADVICE = (
    "A half-close is legal; suspect nobody. Proxies and firewalls on the path must keep a half-closed connection for "
    "at least {span:duration}. Next, to see what passed after the FIN: tshark -r CAPTURE -Y 'tcp.stream == {stream}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    return Verdict(
        fires=(ledger.own("half_close_acked") > 0) & ~sent_tls_alert(ledger),
        when=ledger.own("data_time"),
        frames=[
            ledger.peer("fin_frame"),
            ledger.own("half_close_frame"),
            ledger.own("half_close_last_frame"),
            ledger.own("half_close_ack_frame"),
        ],
        values={
            "fin": ledger.peer("fin_frame"),
            "sent": ledger.own("half_close_bytes"),
            "acked": ledger.own("half_close_acked"),
            "first": ledger.own("half_close_frame"),
            "last": ledger.own("half_close_last_frame"),
            "ack": ledger.own("half_close_ack_frame"),
            "span": ledger.own("data_time") - ledger.peer("fin_time"),
        },
        rests_on=[ledger.own("close_wait_basis")],
    )
