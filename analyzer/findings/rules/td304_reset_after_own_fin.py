"""An endpoint sent its FIN and later a RST.

## What it sees

A FIN, then a RST of the same endpoint. The message names what the RST answers: a segment of the peer that came in
between, or nothing. A RST that is itself the first to acknowledge data comes from a socket that was still open, or
refuses them: packets do not tell which. A kernel that closes a socket with unread data resets, too (RFC 2525, 2.17).

## Why it matters

With its FIN the endpoint had finished sending; with the RST it refuses to receive more. If the peer still had
something to send, it is lost.

## When it is harmless

Very often. Many clients close, and reset when late data or the peer's last message still arrive. After both FINs were
acknowledged a RST has no effect.

## What to do next

If answers are lost, the blamed application should read to the end of the stream before it closes its socket.
"""

import numpy as np

from analyzer.findings.dialogue import alerts_apart, may_need_no_answer, never_used, pending_at_own_end, sent_tls_alert
from analyzer.findings.facts import acceptance_unknown, is_client, phrase, phrases, resetter
from analyzer.findings.rule import Bools, Choice, Verdict
from analyzer.settings import Settings
from analyzer.tcp.dialogue import Pending
from analyzer.tracker.ledger import Answered, Known
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause

CODE = "TD304"
NAME = "reset-after-own-fin"
SEVERITY = "info"
SUPERSEDES = ("TD107",)
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "reset-after-own-fin.pcap"
NEAR_MISS = "slow-close.pcap"
MESSAGE = (
    "The {blamed} sent its FIN (frame {fin}) and {after:duration} later a RST (frame {rst}, at {when:into}); "
    "{why}{answered:shown}.{place}{few}{alerts}{sent_tls_alert}"
)
ADVICE = (
    "Suspect {suspect}{where:address}{because} Next, to see who said what before: tshark -r CAPTURE -Y 'tcp.stream == "
    "{stream}'"
)
PLACES = (
    " The last data before the FIN were the client's, acknowledged and not answered.",
    " The client closed while data of the server were under way.",
    " The last data before the FIN were the client's, and the server had not answered them.",
    " No data had been sent before the FIN.",
    " The last data before the FIN were the server's.",
)
FEW = " They may need no answer: they are as short as a control frame."
HARMLESS = ": nothing was lost."
NO_WAIT = " first: it did not wait for the answer. It should read to the end of the stream before it closes."
NO_END = " first: it did not wait for the end of the stream. It should read to the end before it closes."
REFUSED = " first: it closed with a request unanswered. Its log of that moment should say why."
OFTEN = ": this is often normal, since the side that closed had no more to do."
WORDS = ("it answers data", "it answers a FIN", "it answers a keep-alive probe", "it answers an acknowledgment")
UNSURE = (
    "what it answers, if anything, was not captured",
    "packets do not show whether it answers unacknowledged data or whether the endpoint gave up",
    "it answers no captured segment, and both FINs had been acknowledged: it has no effect",
)
ACKNOWLEDGES = (
    "packets do not show whether the endpoint closed with received data unread, gave up, closed with SO_LINGER 0 or "
    "refuses data: the RST is the first to acknowledge data of the other side"
)
RECEIVED = (
    "it answers no captured segment: the endpoint closed with received data unread, gave up, or closed with SO_LINGER 0"
)
NOTHING = "it answers no captured segment: the endpoint gave up, or closed with SO_LINGER 0"
CAUSES = (
    RstCause.AFTER_OWN_FIN,
    RstCause.LATE_FIN,
    RstCause.DATA_AFTER_CLOSE,
    RstCause.CROSSED_CLOSE,
    RstCause.NO_CONNECTION,
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    answers = ledger.own("rst_answers")
    through = (answers == 0) & ledger.knows(Known.FIN_ACKED).all(axis=1, keepdims=True)
    waits = (answers == 0) & (ledger.own("rst_unread") > 0)
    alert = sent_tls_alert(ledger)[:, ::-1] & (answers & Answered.DATA > 0)
    ends = (Pending.ANSWER, Pending.MID_ANSWER, Pending.REQUEST_IN_FLIGHT, Pending.NOTHING)
    answer, middle, request, nothing = (pending_at_own_end(ledger, end) for end in ends)
    places = [answer, middle, request & ~is_client(ledger), nothing & never_used(ledger), nothing]
    begun = places[0] & (ledger.own("rst_data_frame") > ledger.own("fin_frame")) & (ledger.peer("fin_count") == 0)
    few = (may_need_no_answer(ledger) & is_client(ledger)).any(axis=1, keepdims=True)
    blames = ~(alert | through) & ((places[0] | places[2]) & ~few | places[1])
    closed = (ledger.own("fin_count") > 0) & (ledger.own("fin_time") <= ledger.own("rst_time"))
    return Verdict(
        fires=resetter(ledger, *CAUSES) & closed,
        when=ledger.own("rst_time"),
        frames=[ledger.own("fin_frame"), ledger.own("rst_answers_frame"), ledger.own("rst_frame")],
        values={
            "fin": ledger.own("fin_frame"),
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "after": ledger.own("rst_time") - ledger.own("fin_time"),
            "why": _why(ledger, waits, through),
            "answered": ledger.own("rst_answers_frame"),
            "place": phrases(places, PLACES, ""),
            "few": phrase(few & (places[0] | places[2]), FEW),
            "alerts": alerts_apart(ledger),
            "suspect": phrase(blames, "the application on ", "nobody"),
            "where": np.where(blames, ledger.flow("address"), -1),
            "because": phrases(
                [alert | through, ~blames, begun, *places[:3]],
                [HARMLESS, OFTEN, NO_END, NO_WAIT, NO_WAIT, REFUSED],
                OFTEN,
            ),
            "sent_tls_alert": phrase(alert, " The data look like a TLS close_notify: nothing was lost."),
        },
        unsure=acceptance_unknown(ledger) | waits,
    )


def _why(ledger: Ledger, waits: Bools, through: Bools) -> Choice:
    """What the RST answers; or, where an open socket may have sent it, for which causes."""
    answers = ledger.own("rst_answers")
    kinds = (Answered.DATA, Answered.FIN, Answered.KEEP_ALIVE, Answered.ACK)
    answered = [answers & kind > 0 for kind in kinds]
    unseen = (answers == 0) & (ledger.peer("packets") == 0)
    received = (answers == 0) & (ledger.own("rst_data_frame") > ledger.own("spoken_frame"))
    acknowledges = (ledger.own("rst_reached") > 0) & (ledger.own("rst_unread") > 0) & (ledger.own("rst_reply") == 0)
    conditions = [acknowledges, *answered, unseen, waits, through, received]
    return phrases(conditions, [ACKNOWLEDGES, *WORDS, *UNSURE, RECEIVED], NOTHING)
