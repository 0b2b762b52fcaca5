"""An endpoint ended the connection with a RST: no FIN before it, no segment that it answers, nothing outstanding.

## What it sees

A RST that its receiver had to accept, from an endpoint that had sent no FIN. It answers no segment of the peer. All
data that the endpoint had sent were acknowledged, and it had acknowledged all data of the peer that had certainly
arrived (otherwise it is TD303). Packets do not show whether the application had read them.

## Why it matters

The application on the other side gets ECONNRESET instead of the end of the stream. The sender has no TIME_WAIT, which
is why some programs reset on purpose: with SO_LINGER 0. That hides a leak and can discard data.

## When it is harmless

When both applications expect it, as with the health checks of some load balancers and with benchmark clients. And
where the other side had closed before and nothing more was due to it: some systems then reset instead of closing.

## What to do next

Packets do not distinguish these candidates: SO_LINGER 0 in the application; a socket closed by an administrator
(`ss -K`); a proxy that passes on an abort; an idle timer that resets instead of closing; a socket closed, or a
process killed, with unread data that had arrived long before. Look for SO_LINGER in the program of the blamed
endpoint and remove it; have the program read to the end and then close.
"""

import numpy as np

from analyzer.findings.dialogue import (
    FAREWELL_BYTES,
    alerts_apart,
    late_opening,
    may_need_no_answer,
    never_used,
    pending_at_own_end,
    sent_tls_alert,
    spoke_last,
    spoke_tls,
    spoke_unseen,
)
from analyzer.findings.facts import (
    LONG_NS,
    aborted,
    acceptance_unknown,
    after_peer_fin,
    fin_acked,
    gaps,
    is_client,
    opening_not_captured,
    phrase,
    phrases,
)
from analyzer.findings.fitting_timers import consistent_with
from analyzer.findings.rule import Bools, Verdict
from analyzer.findings.silences import before_reset, shows_unseen
from analyzer.settings import Settings
from analyzer.tcp.dialogue import Pending
from analyzer.tcp.sequence import difference
from analyzer.tracker.outcome import Ledger, one_of

CODE = "TD301"
NAME = "abortive-close"
SEVERITY = "warning"
INFO_WHEN = (
    "where nothing was pending: a client resets at once, after the whole answer or having sent nothing; an endpoint "
    "resets soon after the other side's FIN, behind the whole answer or what is as short as a farewell; or TLS had "
    "ended before by what looks like a close_notify"
)
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("rst_count",)
EXAMPLE = "abortive-close.pcap"
NEAR_MISS = "killed-process.pcap"
MESSAGE = (
    "The {blamed} sent RST (frame {rst}, at {when:into}) without a FIN, {idle:duration} after the connection's last "
    "{captured}segment{place}{few:few}{timers}.{alerts} The RST answers no captured segment. {acked}"
    "{late:late}{syn_ack:shown}{late_stop}"
)
ALL_ACKED = "All that was sent had been acknowledged; packets do not show whether the application had read it."
UNDER_WAY = (
    "Data that the other side had just sent were not acknowledged; packets do not show whether they had arrived."
)
ADVICE = (
    "Suspect {suspect}{where:address}{because} Next, to see how it closes, on {blamed_ip}: strace -f -e "
    "trace=setsockopt,close -p {pid}"
)
SILENCE_NS = 10 * LONG_NS  # timers of idle connections are longer than this
PLACES = (
    "; the other side had sent its FIN",
    "; its last data look like a TLS close_notify",
    "; it had sent keep-alive probes, and the last of them was answered",
    "; it had sent keep-alive probes, and the last of them was not answered",
    "; neither side had sent any data",
    "; the other side had sent data that are not in the capture",
    "",  # it is told how few they were
    "; its own last data were unanswered",
    "; the client had not acknowledged all of the server's data",
    "; the server had sent the last data",
    "; the last data were its own",
    "; the client's last data were unanswered",
)
UNUSED, UNSEEN, FEW = 4, 5, 6  # places: nothing was sent, or is not captured, or what may need no answer
NOBODY, APPLICATION = "nobody", "the application on "
PATH = "the path between the two, or the other side, before the application on "
TIMER = "an idle timer first, of a device between the two or of the application on "
BECAUSE = (
    ": some systems and programs reset once the other side has closed, which is often harmless.",
    ": some systems and programs reset once the other side has closed, which is often harmless: what the client had "
    "sent last was as short as a farewell.",
    " first: it did not close after the other side's FIN, and reset the connection in the end.",
    " first: it reset the connection when the client had closed, and did not answer the client's last data.",
    " first: it reset the connection where it should have closed, too.",
    ": TLS had ended the dialogue before the RST, and no data were lost.",
    " first: its keep-alive probes were answered, so they did not end the connection. A limit that the application "
    "sets for connections without data may have.",
    ": its last keep-alive probe was not answered.",
    ": check whether other connections end after the same silence, and capture at both ends.",
    " first: it accepted the connection and reset it before any data passed, as a limit or an access rule does.",
    ": it never used the connection, as health checks and pools do; that is often harmless.",
    ": it was done and closed with SO_LINGER 0, or gave up; the capture lacks what it had received last.",
    ": it closed with SO_LINGER 0, or gave up. What the client sent last may need no answer, as a control frame does.",
    " first: it closed with SO_LINGER 0 without waiting for an answer.",
    " first: it gave up while data were under way to it. Find out why it did not read to the end.",
    ": it was done and closed with SO_LINGER 0, or gave up; for a client or a health check this is often harmless.",
    " first: it left data unread when it closed, or uses SO_LINGER 0. It should read to the end before it closes.",
    " first: it was killed, or closed without reading or answering.",
)
ELSE = " first: SO_LINGER 0 is the usual cause; an administrator's ss -K looks the same."


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    fires = ledger.once(aborted)
    places, late = _places(ledger), late_opening(ledger)
    idle = (ledger.own("rst_idle") >= SILENCE_NS) & ~shows_unseen(ledger, ledger.own("rst_time").max(axis=1))
    done = pending_at_own_end(ledger, Pending.NOTHING) | places[UNSEEN] | places[FEW]
    few = places[FEW] & ~np.logical_or.reduce(np.broadcast_arrays(*places[:FEW]))
    asked = ledger.own("spoken_bytes") * is_client(ledger)
    harmless, at_fin = _at_fin(ledger, places[0], idle)
    turned_away = places[UNUSED] & ~is_client(ledger)
    return Verdict(
        fires=fires,
        when=ledger.own("rst_time"),
        frames=[ledger.own("rst_frame"), late.frame],
        values={
            "rst": ledger.own("rst_frame"),
            "when": ledger.own("rst_time"),
            "idle": ledger.own("rst_idle"),
            "captured": phrase(gaps(ledger), "captured "),
            "place": phrases(places, PLACES, ""),
            "few": np.where(few, asked.max(axis=1, keepdims=True), 0),
            "alerts": alerts_apart(ledger),
            **late.words(),
            "timers": consistent_with(ledger, before_reset, fires, settings),
            "acked": phrase(ledger.own("rst_unread") > 0, UNDER_WAY, ALL_ACKED),
            "suspect": phrases([*places[:4], idle], [APPLICATION, NOBODY, APPLICATION, PATH, TIMER], APPLICATION),
            "where": np.where(places[1] & ~places[0], -1, ledger.flow("address").astype(np.int64)),
            "because": phrases([*at_fin, *places[1:4], idle, turned_away, *places[4:]], BECAUSE, ELSE),
        },
        unsure=acceptance_unknown(ledger) | few,
        absence=True,
        info=harmless | (places[1] & ~places[0]) | is_client(ledger) & done & (ledger.own("rst_unread") == 0) & ~idle,
    )


def _at_fin(ledger: Ledger, closed: Bools, idle: Bools) -> tuple[Bools, list[Bools]]:
    """Of RSTs after the other side's FIN (``closed``): which are harmless, and which of the first of BECAUSE holds."""
    known = fin_acked(ledger)[:, ::-1] | (difference(ledger.own("rst_ack"), ledger.peer("fin_end")) == 0)
    pending = ledger.peer("pending")
    unanswered = one_of(pending, (Pending.ANSWER, Pending.REQUEST_IN_FLIGHT)) & ~after_peer_fin(ledger)
    at_once = ledger.peer("fin_time") - ledger.peer("spoken_time") < LONG_NS
    farewell = is_client(ledger)[:, ::-1] & unanswered & at_once & (ledger.peer("spoken_bytes") <= FAREWELL_BYTES)
    soon = closed & known & (ledger.own("rst_unread") == 0) & ~idle
    kinds = [soon & (pending == Pending.NOTHING), soon & farewell]
    left = closed & is_client(ledger)[:, ::-1] & unanswered
    return kinds[0] | kinds[1], [*kinds, closed & idle, left, closed]


def _places(ledger: Ledger) -> list[Bools]:
    """Where in the dialogue the RST came, the first that holds: the words are PLACES."""
    client, spoke, little = is_client(ledger), spoke_last(ledger), may_need_no_answer(ledger)
    last = np.maximum(ledger.own("data_time"), ledger.peer("data_time"))
    probed = (ledger.own("probes") > 0) & (ledger.own("probe_last_time") > last)
    return [
        ledger.peer("fin_count") > 0,
        sent_tls_alert(ledger) & spoke_tls(ledger),
        probed & (ledger.own("probe_run") == 0),
        probed & (ledger.own("rst_idle") >= LONG_NS),
        never_used(ledger) & ~opening_not_captured(ledger)[:, None],
        spoke_unseen(ledger)[:, ::-1],
        np.where(client, spoke & little, (spoke & little)[:, ::-1]),
        pending_at_own_end(ledger, Pending.ANSWER),
        client & pending_at_own_end(ledger, Pending.MID_ANSWER),
        client & spoke[:, ::-1],
        spoke,
        spoke[:, ::-1],
    ]
