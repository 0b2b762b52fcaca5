"""An established connection has been silent for very long, and nobody sends keep-alives.

## What it sees

Both sides are in ESTABLISHED, all data are acknowledged, and neither has sent anything for longer than the threshold;
nor was a keep-alive or window probe of this connection captured before that. Only silence counts during which the
capture is known to have run: as long as connections of the capture begin or end at most 10 minutes after one another.
A gap in it, or the first longer pause, ends what is known. The silence is a lower bound: it may go on.

## Why it matters

Neither side would notice that the other is gone: its socket stays open for ever. Firewalls, NAT and load balancers on
the way forget silent connections after minutes to hours; the next data are then lost or reset.

## When it is harmless

When nothing stands between the two, and both hosts are known to live: a pool of connections at night.

## What to do next

Turn on keep-alives at one end at least (SO_KEEPALIVE, with TCP_KEEPIDLE below the shortest idle timer on the way; the
default of Linux is two hours), or have the application ask or close after a while.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows, captured_until
from analyzer.findings.finding_columns import HIGH, LOW, MEDIUM
from analyzer.findings.rule import AT_THE_END, AboutFlows, Crowd
from analyzer.settings import Settings
from analyzer.tracker.vocabularies import OBSERVABILITY

CODE = "TD407"
NAME = "silent-without-keepalive"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ("open_silence_ns",)
NEEDS = ()
LIVE_WAIT = AT_THE_END  # all flows are judged together
EXAMPLE = "silent-without-keepalive.pcap"
NEAR_MISS = "silent-while-nobody-captured.pcap"
MESSAGE = (
    "The connection of {client} and {server} is open in both directions and was silent for at least {idle:duration}, "
    "since frame {last} (threshold {open_silence:duration}): that long the capture is known to have run, with at most "
    "600 s between the beginnings and ends of its connections. No keep-alive of this one was captured."
)
ADVICE = (
    "Suspect that neither application has turned keep-alives on. Next, on either host, see whether the socket has a "
    "keep-alive timer: ss -tno '( sport = :{port} or dport = :{port} )'"
)
COMPLETE, STARTS_LATE = (OBSERVABILITY.by_code.index(word) for word in ("complete", "starts-mid-stream"))
WHO = ("stream", "client_ip", "client_port", "server_ip", "server_port")


def judge(flows: AllFlows, settings: Settings) -> Crowd:
    before = flows.capture.end_time - settings.open_silence_ns
    silent = flows.where(lambda column: (column("last_epoch") < before) & (column("idle_open") > 0))
    last = flows.column("last_epoch", silent)
    until = last
    if len(silent):
        until = np.minimum(_watched_until(flows, last), flows.capture.known_until(last))
    long = until - last > settings.open_silence_ns
    silent, last, idle = silent[long], last[long], (until - last)[long]
    stream, client, client_port, server, port = flows.columns(*WHO, places=silent)
    frame, began = flows.columns("last_frame", "first_epoch", places=silent)
    return Crowd(
        address=server,
        port=port,
        server=np.ones(len(silent), np.bool_),
        other_address=client,
        other_port=client_port,
        when=last,
        frames=frame[:, None].tolist(),
        confidence=_confidence(flows, silent),
        values={"idle": idle, "last": frame},
        about=AboutFlows(stream, began, stream),
    )


def _watched_until(flows: AllFlows, since: NDArray[np.int64]) -> NDArray[np.int64]:
    """Until when it is known that somebody captured."""
    first, last = flows.columns("first_epoch", "last_epoch")
    return captured_until(first, np.append(last, flows.capture.end_time), since)


def _confidence(flows: AllFlows, places: NDArray[np.intp]) -> NDArray[np.int64]:
    """Sure where all of the connection was captured, and nothing may hide its segments."""
    shown = flows.column("observability", places)
    level = np.select([shown == COMPLETE, shown == STARTS_LATE], [HIGH, MEDIUM], LOW)
    return np.asarray(np.full_like(level, LOW) if flows.capture.hides else level, np.int64)
