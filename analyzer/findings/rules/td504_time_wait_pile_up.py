"""TIME_WAIT holds nearly all ports that a client has toward one server.

## What it sees

Connections of one client address to one server's address and port that the client closed first, so that it had to wait
in TIME_WAIT. Each is counted from the moment at which the client acknowledged the server's FIN, for as long as
TIME_WAIT lasts by the timers in force (the profile, or `--time-wait`); a new connection from the same port, a RST or a
gap in the capture ends it earlier. The peak of that number reaches the threshold, a share of the ports that the client
has. Growth is told if it lasts for a minute, in both halves of that time.

## Why it matters

A port in TIME_WAIT cannot be used again for the same server at once. When none is left, connect fails on the client:
"Cannot assign requested address" (EADDRNOTAVAIL). Other servers are not affected.

## When it is harmless

When the client has more ports than the threshold assumes, or several hosts stand behind its address, each with ports
of its own. Linux gives a port in TIME_WAIT to a new connection after one second if both hosts send timestamps and
`net.ipv4.tcp_tw_reuse` is 1; reused ports are not counted twice.

## What to do next

Have the client keep its connections and use them again (keep-alive, a pool), or have the server close first. TIME_WAIT
itself is no fault: it protects the next connection on the same ports. No setting shortens it on Linux. More source
addresses or a larger port range (`net.ipv4.ip_local_port_range`) gain room, but not for long.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows, FlowColumn, groups
from analyzer.findings.finding_columns import MEDIUM
from analyzer.findings.rule import AT_THE_END, Bools, Crowd
from analyzer.findings.step_function import Steps, per_minute, steps
from analyzer.settings import Settings
from analyzer.tcp.timers import timers_of
from analyzer.tracker.vocabularies import CLIENT, Teardown
from analyzer.units import UNKNOWN

CODE = "TD504"
NAME = "time-wait-pile-up"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ("ports_used_percent", "ephemeral_ports", "time_wait_ns")
NEEDS = ()
LIVE_WAIT = AT_THE_END
EXAMPLE = "time-wait-pile-up.pcap"
EXAMPLE_SETTINGS = {"ephemeral_ports": 30}
NEAR_MISS = "time-wait-at-the-server.pcap"
MESSAGE = (
    "The {blamed} closed {count:connection} to {other} first. By the TIME_WAIT timer of {timer:duration} ({source}), "
    "at least {peak} of its ports were in TIME_WAIT toward it at the same time, at {peak_time:into}: {share} % of "
    "{ephemeral_ports} ports (threshold {ports_used_percent} %){growth}."
)
ADVICE = (
    "Suspect the application on {blamed_ip} first: it opens a connection for each request and closes it. Have it keep "
    "its connections and use them again; TIME_WAIT itself is no fault and needs no other timer. Next, to count them, "
    "on {blamed_ip}: ss -Htan state time-wait 'dst {other}' | wc -l; sysctl net.ipv4.ip_local_port_range "
    "net.ipv4.tcp_tw_reuse"
)


class Connections(NamedTuple):
    """Connections of clients that often close first, and the stay of each client in TIME_WAIT: from ``began`` to
    ``ended``, the same moment where it was not in it. ``port`` is the client's, ``service`` the server's."""

    client: NDArray[np.int64]
    server: NDArray[np.int64]
    port: NDArray[np.int64]
    service: NDArray[np.int64]
    opened: NDArray[np.int64]
    began: NDArray[np.int64]
    ended: NDArray[np.int64]
    frame: NDArray[np.int64]  # the last

    def of(self, some: NDArray[np.intp]) -> "Connections":
        return Connections(*(column[some] for column in self))


def judge(flows: AllFlows, settings: Settings) -> Crowd:
    least = max(settings.ephemeral_ports * settings.ports_used_percent // 100, 1)
    some = _connections(flows, settings, least)
    pairs = [some.of(pair) for pair in groups(some.client << 32 | some.server, least)]
    crowds = [_until_reuse(pair.of(crowd)) for pair in pairs for crowd in groups(pair.service, least)]
    numbers = [steps(crowd.began, crowd.ended) for crowd in crowds]
    high = [place for place, number in enumerate(numbers) if number.peak >= least]
    return _crowd([crowds[place] for place in high], [numbers[place] for place in high], least, settings)


def _connections(flows: AllFlows, settings: Settings, least: int) -> Connections:
    """The connections of clients that waited in TIME_WAIT at least so often."""
    some = _of_often(flows, least)
    names = ("client_ip", "server_ip", "client_port", "server_port", "first_epoch", "last_epoch", "last_frame")
    client, server, port, service, opened, last, frame = (
        column.astype(np.int64) for column in flows.columns(*names, places=some)
    )
    known, reset = flows.columns("client_known", "rst_cause", places=some)
    began = np.maximum(*flows.columns("client_fin_acked_epoch", "server_fin_acked_epoch", places=some))
    waited = _waited(flows.of(some)) & (known > 0) & (began != UNKNOWN)
    began = np.where(waited, began, opened)
    ended = np.minimum(began + timers_of(settings).time_wait.length, flows.capture.known_until(began) + 1)
    ended = np.where(waited, np.where(reset > 0, np.minimum(ended, last), ended), began)
    return Connections(client, server, port, service, opened, began, ended, frame)


def _of_often(flows: AllFlows, least: int) -> NDArray[np.intp]:
    """The flows of the clients that waited so often at least."""
    waiting = flows.column("client_ip", flows.where(_waited))
    often = np.bincount(waiting) >= least
    if not often.any():
        return np.zeros(0, np.intp)
    return flows.where(lambda column: often[np.minimum(column("client_ip"), len(often) - 1)])


def _waited(column: FlowColumn) -> Bools:
    """Whether the client waited in TIME_WAIT."""
    teardown = column("teardown")
    first = (column("closed_by") == CLIENT) & (teardown == Teardown.GRACEFUL)
    return np.asarray(first | (teardown == Teardown.SIMULTANEOUS))


def _until_reuse(crowd: Connections) -> Connections:
    """The same: the next connection from the same port ends a stay in TIME_WAIT."""
    order = np.lexsort((crowd.opened, crowd.port))
    crowd = crowd.of(order)
    again = np.append(crowd.port[1:] == crowd.port[:-1], False)
    reused = np.where(again, np.roll(crowd.opened, -1), crowd.ended)
    return crowd._replace(ended=np.minimum(crowd.ended, reused))


def _crowd(crowds: list[Connections], numbers: list[Steps], least: int, settings: Settings) -> Crowd:
    timer, count = timers_of(settings).time_wait, len(crowds)
    peaks = np.array([number.peak for number in numbers], np.int64)
    when = [number.reaches(least) for number in numbers]
    frames = [
        [_frame_at(crowd, number.times[0]), _frame_at(crowd, time), _frame_at(crowd, number.peak_time)]
        for crowd, number, time in zip(crowds, numbers, when, strict=True)
    ]
    return Crowd(
        address=np.array([crowd.client[0] for crowd in crowds], np.int64),
        port=np.zeros(count, np.int64),
        server=np.zeros(count, np.bool_),
        when=np.array(when, np.int64),
        frames=frames,
        decides=[row[1] for row in frames],
        confidence=np.full(count, MEDIUM),  # no packet shows how long TIME_WAIT lasts
        other_address=np.array([crowd.server[0] for crowd in crowds], np.int64),
        other_port=np.array([crowd.service[0] for crowd in crowds], np.int64),
        values={
            "count": np.array([(crowd.ended > crowd.began).sum() for crowd in crowds], np.int64),
            "timer": np.full(count, timer.length),
            "source": np.full(count, timer.source, object),
            "peak": peaks,
            "peak_time": np.array([number.peak_time for number in numbers], np.int64),
            "share": 100 * peaks // settings.ephemeral_ports,
            "growth": np.array([_growth(number, settings.ephemeral_ports) for number in numbers], object),
        },
    )


def _frame_at(crowd: Connections, time: int) -> int:
    """The last frame of the connection whose stay began then."""
    return int(crowd.frame[np.argmax((crowd.began == time) & (crowd.ended > time))])


def _growth(number: Steps, ports: int) -> str:
    """How the number of ports in TIME_WAIT grows, while it does."""
    rate = per_minute(number, int(number.times[0]), number.peak_time)
    if not rate:
        return ""
    left = (
        ""
        if number.peak >= ports
        else f", and all ports would be used up {(ports - number.peak) / rate:.0f} minutes later"
    )
    return f"; until then the number grew by {rate:.0f} per minute{left}"
