"""A host answered a segment with the RST of a host that has no such connection.

## What it sees

A RST without ACK whose sequence number is the acknowledgment number of the segment it answers: a host replies like
this to a segment that belongs to none of its sockets (RFC 9293 3.5.2). It had sent no FIN and no RST before, and had
not acknowledged that segment.

## Why it matters

The host had lost the connection without sending anything: it restarted, a device in its place has no state (a
failover, an expired entry of a firewall or load balancer), or the packet reached another host than before. The other
side could not expect it, and its data are lost.

## When it is harmless

When the capture began so late that it may have missed an earlier close, or when the host is known to have restarted.

## What to do next

How long had the connection been idle? A round number of seconds points to the idle timeout of a device between the
two (AWS NLB 350 s, GCP 600 s, Azure 240 s), which answers for a host that never saw the segment. Compare the TTL of
the RST with that of the host's other segments, and capture behind the device.
"""

from analyzer.findings.facts import acceptance_unknown, ended_silence, lost_connection, opening_not_captured
from analyzer.findings.fitting_timers import consistent_with
from analyzer.findings.rule import Verdict
from analyzer.findings.silences import before_answered, survived
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD305"
NAME = "reset-by-host-without-connection"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "reset-by-host-without-connection.pcap"
NEAR_MISS = "abortive-close.pcap"
MESSAGE = (
    "The {blamed} answered frame {answered} with a RST (frame {rst}, at {when:into}) whose sequence number is that "
    "frame's acknowledgment number: it had no such connection{idle:silence}{survived:survived}{timers}."
)
ADVICE = (
    "Suspect a restart of {blamed_ip} first, or a device in front of it whose state expired. Next, to compare the "
    "{hops_left} of the RST with that of its other segments: tshark -r CAPTURE -Y 'tcp.stream == {stream}' -T fields "
    "-e frame.number -e {ip}.src -e {hop_limit} -e tcp.flags.str"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    idle = ended_silence(ledger, ledger.peer("rst_answers_frame"))[:, ::-1]
    fires = lost_connection(ledger)
    answered_after = ledger.own("rst_time") - ledger.own("rst_answers_time")
    return Verdict(
        fires=fires,
        when=ledger.own("rst_time"),
        frames=[ledger.own("rst_answers_frame"), ledger.own("rst_frame")],
        values={
            "answered": ledger.own("rst_answers_frame"),
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "idle": idle,
            "survived": survived(ledger, idle),
            "timers": consistent_with(ledger, before_answered, fires, settings),
        },
        unsure=acceptance_unknown(ledger) | (idle == 0) | (answered_after < ledger.own("tap_rtt")),
        absence=True,
        doubt=opening_not_captured(ledger),
    )
