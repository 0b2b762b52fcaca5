"""Many connections of one service, or of one client toward one service, leak at once.

## What it sees

The number of leaks (TD101) at one server's address and port, or at one client's address toward one server, reaches
the threshold. The peak counts all its connections that stayed in CLOSE_WAIT and were in it at the same time. The
growth is the median of the slopes between the moments at which leaks began, so that no burst makes it. It is told,
and projected to the limit of descriptors, if the first and the last leak are a minute apart at least and each half of
that time has its share. Nobody knows what became of the sockets in a gap: the peak is at least as high.

## Why it matters

Each leak holds a descriptor forever. At the limit the service accepts no new connection, or the client can open none:
"Too many open files". Many sockets in TIME_WAIT beside them are harmless; they end by themselves.

## When it is harmless

When the connections are half-closed on purpose and still have work to do.

## What to do next

Find the process on the blamed host and the code path on which a connection is not closed. A restart gains time; a
higher limit only delays the failure. If a forked child handles each connection, close the parent's copy.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import close_wait_known_until, gaps, idle_in_close_wait, state_is, unwatched
from analyzer.findings.rule import Bools, Crowd
from analyzer.findings.step_function import Steps, per_minute, steps
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD106"
NAME = "close-wait-pile-up"
SEVERITY = "error"
SUPERSEDES = ()
THRESHOLDS = ("pile_up", "close_wait_leak_ns", "descriptors")
NEEDS = (Sign.LEFT_IN_CLOSE_WAIT,)
LIVE_WAIT = 0  # as TD101
EXAMPLE = "reconnect-loop-leaks.pcapng"
NEAR_MISS = "time-wait-beside-close-wait.pcap"
MESSAGE = (
    "The {blamed} leaks {count:connection}{toward}{other}; the first leak began at {first:into}, the last at "
    "{last:into} (threshold {pile_up} at once). At least {peak} of its sockets were in CLOSE_WAIT at the same "
    "time{growth}{limit}."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it does not close connections that its peers have closed. Next, on "
    "{blamed_ip}, count its sockets and descriptors: ss -Htn state close-wait {ss} | wc -l; pid={pid}; ls "
    "/proc/$pid/fd | wc -l; prlimit -n -p $pid"
)
SHOWN = 100  # so many frames are named; the streams of TD101 have the others


def judge(ledger: Ledger, settings: Settings) -> Crowd:
    held = (ledger.own("close_wait_time") > 0) & state_is(ledger, State.CLOSE_WAIT) & ledger.reported[:, None]
    leaking = held & (idle_in_close_wait(ledger) > settings.close_wait_leak_ns)
    flow, side = np.nonzero(held)
    leaks = leaking[flow, side]
    group, many = _groups(ledger, flow, side), max(settings.pile_up, 1)
    big = np.flatnonzero(np.bincount(group[leaks], minlength=group.max(initial=-1) + 1) >= many)
    return _crowd(ledger, settings, flow, side, leaks, [group == number for number in big])


def _groups(ledger: Ledger, flow: NDArray[np.int64], side: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each endpoint: its service, or its client toward a service, whatever the client's port."""
    server = side != ledger.client[flow]
    address, port = ledger.flow("address"), ledger.flow("port").astype(np.int64)
    own, other = address[flow, side], address[flow, 1 - side]
    service = port[flow, 1 - ledger.client[flow]]
    keys = np.column_stack([server, own, np.where(server, -1, other), service])
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1), np.int64)


def _crowd(
    ledger: Ledger,
    settings: Settings,
    flow: NDArray[np.int64],
    side: NDArray[np.int64],
    leaks: Bools,
    members: list[Bools],
) -> Crowd:
    began, ended = ledger.own("close_wait_time")[flow, side], close_wait_known_until(ledger)[flow, side]
    starts = [np.sort(began[member & leaks]) for member in members]
    first = np.array([np.flatnonzero(member & leaks)[0] for member in members], np.int64)
    count = np.array([len(start) for start in starts], np.int64)
    numbers = [steps(began[member & leaks], ended[member & leaks]) for member in members]
    rate = np.array([_growth(ledger, *pair) for pair in zip(numbers, starts, strict=True)])
    server = side[first] != ledger.client[flow[first]]
    port = ledger.flow("port").astype(np.int64)
    proof = ledger.peer("fin_acked_frame")[flow, side]
    in_time, place = np.argsort(began, kind="stable"), max(settings.pile_up, 1) - 1
    return Crowd(
        address=ledger.flow("address")[flow[first], side[first]],
        port=np.where(server, port[flow[first], side[first]], 0),
        server=server,
        when=np.array([start[max(settings.pile_up, 1) - 1] for start in starts], np.int64),
        frames=[proof[member & leaks][:SHOWN].tolist() for member in members],
        decides=[int(proof[in_time][(member & leaks)[in_time]][place]) for member in members],
        confidence=np.array([int(gaps(ledger)[flow[member]].any()) * 2 for member in members], np.int64),
        other_address=np.where(server, -1, ledger.flow("address")[flow[first], 1 - side[first]]),
        other_port=np.where(server, 0, port[flow[first], 1 - side[first]]),
        values={
            "count": count,
            "toward": np.where(server, "", " toward ").astype(object),
            "first": np.array([start[0] for start in starts], np.int64),
            "last": np.array([start[-1] for start in starts], np.int64),
            "peak": np.array([steps(began[member], ended[member]).peak for member in members], np.int64),
            "growth": np.array(
                [f"; the number grows by {value:.1f} per minute" if value else "" for value in rate], object
            ),
            "limit": np.array(
                [_limit(number.peak, per, settings.descriptors) for number, per in zip(numbers, rate, strict=True)],
                object,
            ),
        },
    )


def _growth(ledger: Ledger, number: Steps, starts: NDArray[np.int64]) -> float:
    """How many leaks are added a minute, 0 where that cannot be told; in a gap nobody knows."""
    return (
        0.0 if unwatched(ledger, starts[:1], starts[-1:]).any() else per_minute(number, int(starts[0]), int(starts[-1]))
    )


def _limit(count: int, rate: float, descriptors: int) -> str:
    """When the limit of descriptors would be reached if it went on like this."""
    if count >= descriptors:
        return f"; {descriptors} descriptors are used up"
    if rate <= 0:
        return ""
    return f"; at this rate {descriptors} descriptors are used up after {(descriptors - count) / rate:.0f} more minutes"
