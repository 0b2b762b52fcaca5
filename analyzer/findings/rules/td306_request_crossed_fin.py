"""Data crossed the peer's FIN and were answered by RST: their sender could not know of the close.

## What it sees

An endpoint closed both directions. The other side sent data whose acknowledgment number does not cover the FIN, so it
did not know of the FIN; the data passed the capture point within a round trip of the FIN and were answered by RST.
After a silence of a second or more this is a race between two sides that use an idle connection; otherwise one side
closed while data were arriving.

## Why it matters

The race is why requests on keep-alive connections fail "at random": one side's idle timer closes at the moment when
the other sends the next request. A load balancer reports it as a 502. Without a silence, part of an answer is lost:
one side closed while the other was sending it.

## When it is harmless

When the request is repeated automatically and nobody sees an error, or nobody needs the rest of the answer. A client
that closes without waiting for the other side's farewell, as with SMTP's answer to QUIT, loses nothing: where it closed
without a silence before and no more than 100 bytes were under way to it, this is only worth knowing.

## What to do next

After a silence: have the side that sends requests drop idle connections first; its idle time must be shorter than
that of the other side (for a load balancer in front of a server: the server's keep-alive time must be longer than the
load balancer's idle time; Node.js closes after 5 s by default, AWS ALB after 60 s). Repeat requests that may be
repeated. Without a silence: find out why the side that closed did not read to the end.
"""

from analyzer.findings.dialogue import FAREWELL_BYTES, pending_at_own_end, sent_tls_alert
from analyzer.findings.facts import (
    LONG_NS,
    acceptance_unknown,
    ended_silence,
    is_client,
    phrase,
    phrases,
    reset_victim,
    since_peer_fin,
    within_round_trip,
)
from analyzer.findings.fitting_timers import consistent_with
from analyzer.findings.rule import Verdict
from analyzer.findings.silences import before_fin
from analyzer.settings import Settings
from analyzer.tcp.dialogue import Pending
from analyzer.tcp.sequence import difference
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD306"
NAME = "request-crossed-fin"
SEVERITY = "error"
INFO_WHEN = "where a client closed, without a silence before, and what was under way to it was as short as a farewell"
SUPERSEDES = ("TD304", "TD103", "TD105", "TD107")
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "request-crossed-fin.pcapng"
NEAR_MISS = "write-to-closed-peer.pcapng"
MESSAGE = (
    "The {blamed} closed (FIN, frame {fin}, at {closed:into}). Data of the {peer_role} (frame {data}, {size:byte}) do "
    "not acknowledge that FIN: the two crossed{idle:silence}{timers}. The data passed {margin:duration} {order} and "
    "were answered by a RST (frame {rst}).{story}"
)
ADVICE = (
    "Suspect {suspect} {blamed_ip} first: {because} Next, to see how often: tshark -r CAPTURE -Y 'tcp.flags.reset == 1 "
    "&& tcp.port == {port}' -T fields -e tcp.stream -e frame.time_relative"
)
RACE = (
    "have the side that sends requests drop idle connections before that silence is reached, or the other side keep "
    "them longer."
)
CUT_OFF = "it closed while data for it were under way. Find out why it did not read to the end."
FAREWELL = (
    "it closed without reading what was under way to it, which was as short as a farewell and is often needed by "
    "nobody."
)
REFUSED = (
    "it closed while a request was arriving, or unanswered. Its log of that moment should say why (a limit, an error, "
    "a restart)."
)
STORIES = (
    "",
    " The last data before the FIN were the server's, too: it was still sending.",
    " It closed before its last data were answered.",
    " The last data before the FIN were the client's, and the server had not answered them.",
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    raced = reset_victim(ledger, RstCause.CROSSED_CLOSE) & within_round_trip(ledger) & ~sent_tls_alert(ledger)
    margin = since_peer_fin(ledger)[:, ::-1]
    at_close = ledger.flow("close_idle")[:, None] * (ledger.flow("close_idle") >= LONG_NS)[:, None]
    silence = ended_silence(ledger, ledger.peer("rst_answers_frame"))[:, ::-1]
    idle = silence + (silence == 0) * at_close
    kinds = (Pending.MID_ANSWER, Pending.ANSWER, Pending.REQUEST_IN_FLIGHT)
    places = [pending_at_own_end(ledger, kind) for kind in kinds]
    places[1:] = [places[1] | (places[2] & is_client(ledger)), places[2] & ~is_client(ledger)]
    left = difference(ledger.peer("snd_nxt"), ledger.own("ack_sent"))  # a FIN behind the data makes it one more
    farewell = is_client(ledger) & (idle == 0) & (left <= FAREWELL_BYTES)
    return Verdict(
        fires=raced[:, ::-1],
        when=ledger.own("rst_time"),
        frames=[ledger.own("fin_frame"), ledger.own("rst_answers_frame"), ledger.own("rst_frame")],
        values={
            "fin": ledger.own("fin_frame"),
            "closed": ledger.own("fin_time"),
            "idle": idle,
            "timers": consistent_with(ledger, before_fin, raced[:, ::-1] & (idle > 0), settings),
            "data": ledger.own("rst_answers_frame"),
            "size": ledger.peer("last_payload"),
            "margin": abs(margin),
            "order": phrase(margin < 0, "before the FIN at the capture point", "after the FIN at the capture point"),
            "rst": ledger.own("rst_frame"),
            "story": phrases([idle > 0, *places], STORIES, " It closed while data were arriving."),
            "suspect": phrase(idle > 0, "the idle timer of", "the application on"),
            "because": phrases([idle > 0, places[2], farewell], (RACE, REFUSED, FAREWELL), CUT_OFF),
        },
        unsure=acceptance_unknown(ledger),
        absence=True,
        info=farewell,
    )
