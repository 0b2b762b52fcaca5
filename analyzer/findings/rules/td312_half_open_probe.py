"""SYN, SYN-ACK, RST: a client checked whether the port is open and did not connect.

## What it sees

The client sent a SYN, was answered by a SYN-ACK, and sent RST instead of acknowledging it.

## Why it matters

No application ever saw the connection. Port scanners (`nmap -sS`) and the health checks of some load balancers work
like this. A client whose own kernel did not send the SYN (a tool with raw sockets) looks the same.

## When it is harmless

When the client is your own health check or scanner.

## What to do next

Where the SYN had to be repeated, look for what its first one met: the client had given up by the time of the answer,
as connect time-outs of 1, 3 or 7 s do. Else check how many ports and hosts the client tries, and how regularly.
"""

from analyzer.findings.dialogue import late_opening
from analyzer.findings.facts import phrase, resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD312"
NAME = "half-open-probe"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "half-open-probe.pcap"
NEAR_MISS = "connection-refused.pcap"
MESSAGE = (
    "The {blamed} sent a SYN (frame {syn}), was answered by a SYN-ACK (frame {answer}) and sent RST (frame {rst}) "
    "after {after:duration} instead of completing the handshake.{late:late}{syn_ack:shown}{late_stop}"
)
ADVICE = (
    "{why}; suspect {whom}. Next, to see what else it "
    "tries: tshark -r CAPTURE -Y 'tcp.flags.syn == 1 && tcp.flags.ack == 0 && {ip}.src == {blamed_ip}' -T fields -e "
    "{ip}.dst -e tcp.dstport | sort | uniq -c"
)
CANCELLED = "A scan, a health check, or an application that cancelled its attempt"
GAVE_UP = "The connection opened late, and its application had given up by then"
LOST = "what left the first SYN without an answer, a loss on the path or a full queue at the server"


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    late = late_opening(ledger)
    return Verdict(
        fires=resetter(ledger, RstCause.HALF_OPEN) & (ledger.peer("syn_ack") == 1),
        when=ledger.own("rst_time"),
        frames=[ledger.own("syn_frame"), ledger.peer("syn_frame"), ledger.own("rst_frame")],
        values={
            "syn": ledger.own("syn_frame"),
            "answer": ledger.peer("syn_frame"),
            "rst": ledger.own("rst_frame"),
            "after": ledger.own("rst_time") - ledger.peer("syn_time"),
            **late.words(),
            "why": phrase(late.after > 0, GAVE_UP, CANCELLED),
            "whom": phrase(late.after > 0, LOST, "nobody"),
        },
    )
