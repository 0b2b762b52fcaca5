"""A client closed or reset the connection before any byte of the answer it was waiting for: it would not wait longer.

## What it sees

The last data were the client's, the server had acknowledged all of them, and the client ended the connection before
the server sent anything more. It sent RST; or it sent FIN after a whole number of seconds, as time-outs are set, and
longer than the threshold, and the server then closed without an answer. A FIN right behind a request is a half-close,
as some programs do it, and not reported; nor is a FIN where the server had not answered twice before, since an upload
looks the same. Nor is a client that ever sent more after a pause without an answer between (more than 250 ms and two
round trips): it does not wait for answers, as with syslog, MQTT or WebSocket. Of a TLS connection only data of more
than 100 bytes count; without TLS no single segment that looks like a control frame of HTTP/2 or WebSocket (9, 13 or 17
bytes that begin with 0; a first byte of 0x88 to 0x8a). Packets do not show whether the last data were to be answered (a
control frame, a farewell), so the confidence is medium at most. Known timers that fit the wait are named.

## Why it matters

The answer is lost, and the work for it. The client reports a time-out, a proxy in its place 504 or 502; the server may
report that the client closed (nginx: 499). If it happens often, the server is too slow, or hangs.

## When it is harmless

When the user closed the page, or the client asks another server and takes the first answer. Packets do not show whether
the last data needed an answer: after a message that needs none the same packets are harmless.

## What to do next

Find out why the answer took so long: the server's log of that moment, and how long other requests to it take. Values
that recur over connections (1 s, 15 s, 30 s, 60 s) are a time-out that somebody has set. Raise it only if the answer
may take so long; a longer time-out for a server that hangs only ties up more connections.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.dialogue import may_need_no_answer, pending_at_own_end, spoke_tls, waited, whole_seconds
from analyzer.findings.facts import aborted, phrase, unwatched
from analyzer.findings.fitting_timers import fitting_words, timers_that_fit
from analyzer.findings.hosts import Hosts
from analyzer.findings.recurring import best_windows, window_words
from analyzer.findings.rule import Bools, Choice, Verdict
from analyzer.findings.silences import before_fin, before_reset
from analyzer.settings import Settings
from analyzer.tcp.dialogue import Pending
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD406"
NAME = "gave-up-waiting"
SEVERITY = "warning"
SUPERSEDES = ("TD301", "TD105")
THRESHOLDS = ("gave_up_waiting_ns",)
NEEDS = (Sign.GAVE_UP_WAITING, "rst_count")
EXAMPLE = "gave-up-waiting.pcap"
NEAR_MISS = "answered-in-time.pcap"
MESSAGE = (
    "The {blamed} {ended} frame {last}, at {when:into}) {waited:duration} after its last data ({size:byte} up to frame "
    "{sent}, acknowledged in frame {acked}), before any byte of an answer{timers}{then}{fin:shown}{repeats} (threshold "
    "for a FIN: {gave_up_waiting:duration})."
)
ADVICE = (
    "Suspect a time-out for the answer in the application on {blamed_ip}: it did not wait longer than "
    "{waited:duration}. Then find out why {peer_at} took longer: its log of that moment. Raise the time-out only if "
    "the answer may take so long. Next, to see how long other answers take: tshark -r CAPTURE -Y 'tcp.port == {port} "
    "&& tcp.len > 0' -T fields -e tcp.stream -e frame.time_relative -e tcp.srcport -e tcp.len -e tcp.time_delta"
)
SHORTEST_NS = 1_000_000  # who resets sooner did not wait
ONE_REQUEST_NS = 250_000_000  # its parts follow each other so soon, or within two round trips: delayed ACKs, a repeat


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    waits = pending_at_own_end(ledger, Pending.ANSWER) & ~may_need_no_answer(ledger)
    end, length = ledger.own("ended_dialogue"), waited(ledger)
    waits &= ledger.peer("zero_window_since") == 0  # else it could not send more
    waits &= ledger.own("spoken_acked_frame") > 0  # else the data came behind their acknowledgment: what else is late?
    waits &= ledger.peer("data_frame") < ledger.own("spoken_frame")  # else a TLS alert came back
    one_request = _at_once(ledger)
    waits &= one_request  # else it sends without being answered
    reset = waits & ledger.once(aborted) & (end == ledger.own("rst_time")) & (length >= SHORTEST_NS)
    closed = waits & (end == ledger.own("fin_time")) & (length >= settings.gave_up_waiting_ns)
    closed &= whole_seconds(length)
    closed &= (ledger.own("turns") > 2 + 2 * spoke_tls(ledger)) & (ledger.peer("data_time") < end)
    closed &= (ledger.peer("fin_count") > 0) & (ledger.rst_side < 0)[:, None]
    last = np.where(closed, ledger.own("fin_frame"), ledger.own("rst_frame"))
    return Verdict(
        fires=reset | closed,
        when=end,
        frames=[ledger.own("spoken_frame"), ledger.own("spoken_acked_frame"), last, ledger.peer("fin_frame") * closed],
        values={
            "ended": phrase(closed, "closed (FIN,", "reset (RST,"),
            "last": last,
            "when": end,
            "waited": length,
            "size": ledger.own("spoken_bytes"),
            "sent": ledger.own("spoken_frame"),
            "acked": ledger.own("spoken_acked_frame"),
            "timers": _timers(ledger, reset, closed, settings),
            "then": phrase(closed, "; the other side then closed too, without one"),
            "fin": ledger.peer("fin_frame") * closed,
            "repeats": phrase(reset, "", ""),
        },
        unsure=closed | reset,  # packets do not show whether the last data were to be answered
        absence=True,
        doubt=unwatched(ledger, ledger.own("spoken_time"), end),
    )


def _at_once(ledger: Ledger) -> Bools:
    """Endpoints that never sent anything more after a pause without data of their peer between."""
    trip = ledger.own("tap_rtt") + ledger.peer("tap_rtt")
    return np.asarray(ledger.own("spoken_pause") <= np.maximum(2 * trip, ONE_REQUEST_NS))


def _timers(ledger: Ledger, reset: Bools, closed: Bools, settings: Settings) -> Choice:
    """Words for the known timers that fit the wait."""
    fits = timers_that_fit(ledger.once(before_reset).where(np.asarray(reset.any(axis=1))), settings)
    if closed.any():
        fits = fits.joined(timers_that_fit(before_fin(ledger).where(np.asarray(closed.any(axis=1))), settings))
    return fits.said(fitting_words)


def hindsight(
    address: NDArray[np.int64], values: Mapping[str, NDArray[np.int64]], hosts: Hosts
) -> Mapping[str, Choice]:
    """How many connections of the host it left after as long a wait."""
    windows = best_windows(address, values["waited"])
    words = [
        f"; it gave up {window.size} connections after {window_words(window)}" if window.size > 1 else ""
        for window in windows.found
    ]
    return {"repeats": Choice(windows.codes, tuple(words))}
