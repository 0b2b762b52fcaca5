"""An endpoint sent its FIN and later a RST.

## What it sees

A FIN, then a RST of the same endpoint. What made it reset is named: a segment of the peer that came in between, or
nothing at all.

## Why it matters

After its FIN the endpoint had said all it had to say; with the RST it refuses to hear more. If the peer still had
something to send, that is lost.

## When it is harmless

Very often. Many clients close, and reset when late data or the peer's farewell still come. After both FINs were
acknowledged a RST changes nothing.

## What to do next

If answers are lost: the blamed application should read to the end of the stream before it closes its socket
altogether.
"""

import numpy as np

from analyzer.findings.facts import blind_reset, resetter
from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.ledger import Answered
from analyzer.tracker.outcome import Ledger, RstCause

CODE = "TD304"
NAME = "reset-after-own-fin"
SEVERITY = "info"
SUPERSEDES = ("TD107",)
THRESHOLDS = ()
EXAMPLE = "reset-after-own-fin.pcap"
NEAR_MISS = "slow-close.pcap"
MESSAGE = (
    "The {blamed} sent its FIN (frame {fin}) and {after:duration} later a RST (frame {rst}, at {when:into}); {why}."
)
ADVICE = (
    "Often normal. If the {peer_role}'s last data matter, suspect the application on {blamed_ip}: it should read "
    "to the end of the stream before it closes. Next: tshark -r CAPTURE -Y 'tcp.stream == {stream}'"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    return Verdict(
        fires=resetter(ledger, RstCause.AFTER_OWN_FIN),
        when=ledger.own("rst_time"),
        frames=[ledger.own("fin_frame"), ledger.own("rst_answers_frame"), ledger.own("rst_frame")],
        values={
            "fin": ledger.own("fin_frame"),
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "after": ledger.own("rst_time") - ledger.own("fin_time"),
            "why": _why(ledger),
        },
        unsure=blind_reset(ledger),
    )


def _why(ledger: Ledger) -> "np.ndarray[tuple[int, ...], np.dtype[np.object_]]":
    answers = ledger.own("rst_answers")
    frame = ledger.own("rst_answers_frame").astype(str).astype(object)
    kinds = [
        (Answered.DATA, "data (frame "),
        (Answered.FIN, "a FIN (frame "),
        (Answered.KEEP_ALIVE, "a keep-alive probe (frame "),
        (Answered.ACK, "an acknowledgment (frame "),
    ]
    named = [f"it answers {words}" + frame + ")" for _, words in kinds]
    nothing = "nothing that came from the other side made it do so: it gave up, or its process closed with SO_LINGER 0"
    return np.select([answers & kind > 0 for kind, _ in kinds], named, nothing).astype(object)
