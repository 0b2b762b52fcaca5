"""A receiver's window stayed closed: the receiving application does not read.

## What it sees

An endpoint advertised a window of 0 and did not open it again; the other side probed it or retransmitted data at its
edge. In the end one of the two reset the connection, or the side that probed fell silent although the capture went on,
or the capture ended meanwhile.

## Why it matters

The network and the sending program are fine: the receiving program has stopped reading. Data that wait at the sender
are lost if one side gives up. Most kernels never do while their probes are answered.

## When it is harmless

When the receiver was told to stop and the sender is meant to give up soon. While nobody has given up, the receiver may
still open its window.

## What to do next

Check the application behind the closed window: blocked on a lock, a full disk, a slow consumer of its own. On its
host `ss -tnm` shows a full receive queue (Recv-Q).
"""

import numpy as np

from analyzer.findings.facts import acceptance_unknown, on_side, phrase, phrases, state_is
from analyzer.findings.rule import Bools, Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import RstCause
from analyzer.units import SECOND

CODE = "TD404"
NAME = "zero-window-stall"
SEVERITY = "warning"
INFO_WHEN = "while nobody has given up when the capture ends"
SUPERSEDES = ("TD301", "TD302", "TD303", "TD304", "TD402", "TD403")
THRESHOLDS = ()
NEEDS = ("zero_window_since",)
LIVE_WAIT = 5 * SECOND  # the RST may still be disowned
EXAMPLE = "zero-window-stall.pcap"
NEAR_MISS = "keepalive-gave-up.pcap"
STALL_NS = 1_000_000_000  # a window that opens again within a second is everyday flow control
LASTING_NS = 10 * STALL_NS  # before anybody has given up: several probes that back off
LONGEST_PROBE_NS = 240 * 10**9  # twice the longest time between two probes (Linux: 120 s)
MESSAGE = (
    "The {blamed} closed its window (frame {frame}, at {since:into}) and kept it closed for {least}{stall:duration}"
    "{until}{rst:shown}. The {peer_role} tried {tries:times} in that time, by probe or retransmission (the last in "
    "frame {last}){silent:quiet}."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it stopped reading. Next, on {blamed_ip}, while it stalls, check "
    "Recv-Q: ss -tnmp {ss}"
)
RESET, RESET_BY_PEER = ", until it reset the connection", ", until the other side reset the connection"
LASTS = ", up to its last segment"


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    since, tries = ledger.own("zero_window_since"), ledger.peer("window_probes")
    reset = on_side(ledger.rst_cause != RstCause.NONE, ledger.rst_side)
    over = np.broadcast_to((ledger.rst_side >= 0)[:, None], since.shape)
    end = np.where(over, np.where(reset, ledger.own("rst_time"), ledger.peer("rst_time")), ledger.own("last_time"))
    rst = np.where(reset, ledger.own("rst_frame"), ledger.peer("rst_frame"))
    silent = fell_silent(ledger) & ~over
    lasts = ~over & still_open(ledger) & (end - since > np.where(silent, STALL_NS, LASTING_NS))
    return Verdict(
        fires=(since > 0) & (tries > 0) & ((over & (end - since > STALL_NS)) | lasts),
        when=end,
        frames=[
            ledger.own("zero_window_frame"),
            ledger.peer("window_probe_frame"),
            np.where(over, rst, ledger.own("last_frame")),
        ],
        values={
            "frame": ledger.own("zero_window_frame"),
            "since": since,
            "least": phrase(over, "", "at least "),
            "stall": end - since,
            "until": phrases([reset, reset[:, ::-1]], (RESET, RESET_BY_PEER), LASTS),
            "rst": np.where(over, rst, ledger.own("last_frame")),
            "tries": tries,
            "last": ledger.peer("window_probe_frame"),
            "silent": np.where(silent, ledger.silence[:, ::-1], 0),
        },
        unsure=acceptance_unknown(ledger) | acceptance_unknown(ledger, "peer"),
        absence=True,
        info=lasts & ~silent,
    )


def still_open(ledger: Ledger) -> Bools:
    """Endpoints whose connection is open still, in both directions or in one, as far as the capture shows."""
    going = ~state_is(ledger, State.CLOSED, State.TIME_WAIT, State.UNKNOWN)
    return np.asarray(going & going[:, ::-1] & (ledger.flow("replaced_time") == 0)[:, None])


def fell_silent(ledger: Ledger) -> Bools:
    """Endpoints whose peer probed their closed window and stopped, though the capture ran on when more was due."""
    span = ledger.peer("window_probe_last") - ledger.peer("window_probe_first")
    due = np.minimum(np.maximum(2 * span, LASTING_NS), LONGEST_PROBE_NS)
    return np.asarray((ledger.peer("window_probes") > 1) & (ledger.silence[:, ::-1] > due))
