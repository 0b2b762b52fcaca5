"""SYNs of many addresses were answered by one service and never completed.

## What it sees

Connections to one server's address and port of which the capture shows one SYN and its SYN-ACK, but no acknowledgment
and no RST. As many as the threshold began within ten seconds, and they came from ten addresses at least. A client that
repeats its SYN is not counted: the answer did not reach it. Nor is a connection whose SYN-ACK passed within a second of
the capture's end or of a gap. If SYN-ACKs were not repeated and no connection of the whole capture is there whole, with
data, the capture may leave out acknowledgments (as one of SYNs, FINs and RSTs does), and nothing is said.

## Why it matters

A SYN flood. The server keeps each half-open connection for up to a minute, and when the queue is full, clients are not
served. With SYN cookies it keeps none; then it repeats no SYN-ACK.

## When it is harmless

Scanners of the whole Internet send a SYN to each address and never answer, but one service gets one SYN from each of
them. Answers to made-up addresses may also be seen where the flood is aimed at somebody else (backscatter).

## What to do next

On the server: are SYN cookies sent, and are SYNs dropped? The addresses are made up, so blocking them does not help and
hits those whose they are. Limit SYNs in front of the server, or have the provider filter them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows, groups
from analyzer.findings.finding_columns import HIGH, MEDIUM
from analyzer.findings.recurring_closes import WHOLE
from analyzer.findings.rule import Crowd
from analyzer.findings.step_function import steps
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.vocabularies import SIDES, Handshake
from analyzer.units import SECOND

CODE = "TD316"
NAME = "half-open-flood"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ("half_open",)
NEEDS = ()
LIVE_WAIT = 2 * SECOND  # an answer that is not repeated is settled after one
EXAMPLE = "half-open-flood.pcap"
NEAR_MISS = "clients-out-of-reach.pcap"
MESSAGE = (
    "The {blamed} answered {count:SYN} from {sources} addresses that nobody completed, each sent once, from "
    "{first:into} (frame {syn}) to {last:into} (frame {last_syn}); {dense} of them came within {within:duration} "
    "(threshold {half_open}). {held} {served}"
)
ADVICE = (
    "Suspect a SYN flood from made-up addresses before the service itself; do not block them one by one. Next, to see "
    "whether SYN cookies hold, on {blamed_ip}: nstat -az TcpExtSyncookiesSent TcpExtTCPReqQFullDoCookies "
    "TcpExtTCPReqQFullDrop; sysctl net.ipv4.tcp_syncookies"
)
WITHIN_NS = 10 * SECOND
SETTLED_NS = SECOND  # after which a SYN-ACK would be repeated (RFC 6298), and an acknowledgment has come
ADDRESSES = 10  # at least; one host alone is no crowd
LEAST_PACKETS = 4  # of a client's whole connection with data: SYN, acknowledgments, data, FIN
NOBODY = SIDES.by_code.index("")  # sent data
SHOWN = 100  # so many frames are named
HELD = "For {} of them the SYN-ACK was repeated, so at least {} were half-open at the same time."
COOKIES = "No SYN-ACK was repeated, as with SYN cookies, which keep no half-open connection."
SERVED, NOT_SERVED = "It completed {} meanwhile.", "It completed no other connection meanwhile."


class HalfOpen(NamedTuple):
    """HalfOpen that were answered and not completed, in the order of time: when the SYN and the last SYN-ACK passed."""

    server: NDArray[np.int64]
    port: NDArray[np.int64]
    client: NDArray[np.int64]
    began: NDArray[np.int64]
    last: NDArray[np.int64]
    answers: NDArray[np.int64]  # how many SYN-ACKs
    frame: NDArray[np.int64]  # of the SYN

    def of(self, some: NDArray[np.intp]) -> "HalfOpen":
        return HalfOpen(*(column[some] for column in self))


class Completed(NamedTuple):
    """When the services concerned began the connections that they completed: by address and port, and by time.
    ``any`` is whether the capture has acknowledgments."""

    service: NDArray[np.int64]
    began: NDArray[np.int64]
    any: bool


NONE = Completed(np.zeros(0, np.int64), np.zeros(0, np.int64), False)


def judge(flows: AllFlows, settings: Settings) -> Crowd:
    attempts, least = _attempts(flows), max(settings.half_open, 1)
    served = _completed(flows, np.unique(attempts.server)) if len(attempts.server) >= least else NONE
    services = [attempts.of(some) for some in groups(attempts.server << 16 | attempts.port, least)]
    floods = [some for some in services if _is_flood(some, least, served.any)]
    return _crowd(floods, flows, served, least)


def _attempts(flows: AllFlows) -> HalfOpen:
    """Those that were settled when the capture, or what is known of it, ended."""
    some = flows.where(lambda column: column("handshake") == Handshake.PARTIAL)
    told = ("client_packets", "client_state", "server_state", "rst_cause", "client_known")
    packets, client, server, reset, known = flows.columns(*told, places=some)
    shape = (packets == 1) & (client == State.SYN_SENT) & (server == State.SYN_RECEIVED) & (reset == 0)
    some = some[shape & (known > 0)]
    names = ("server_ip", "server_port", "client_ip", "first_epoch", "last_epoch", "server_packets", "first_frame")
    found = HalfOpen(*(column.astype(np.int64) for column in flows.columns(*names, places=some)))
    settled = np.flatnonzero(flows.capture.known_until(found.last) - found.last >= SETTLED_NS)
    return found.of(settled[np.argsort(found.began[settled], kind="stable")])


def _completed(flows: AllFlows, servers: NDArray[np.int64]) -> Completed:
    """The connections that these servers completed."""
    shaken = flows.where(lambda column: column("handshake") == Handshake.COMPLETE)
    some = shaken[np.isin(flows.column("server_ip", shaken), servers)]
    server, port, began = (
        column.astype(np.int64) for column in flows.columns("server_ip", "server_port", "first_epoch", places=some)
    )
    order = np.lexsort((began, server << 16 | port))
    return Completed((server << 16 | port)[order], began[order], _acknowledgments_captured(flows, shaken))


def _acknowledgments_captured(flows: AllFlows, shaken: NDArray[np.intp]) -> bool:
    """Whether a connection is whole, with data: its FIN or RST alone would show a completed handshake, too. One of four
    segments of its client at least is not its SYN, FIN or RST."""
    shown, packets, last = flows.columns("observability", "client_packets", "last_data_by", places=shaken)
    return bool(((shown == WHOLE) & (packets >= LEAST_PACKETS) & (last != NOBODY)).any())


def _is_flood(some: HalfOpen, least: int, completes: bool) -> bool:
    """Whether they came close together from many addresses, and nobody can say that acknowledgments were left out."""
    unanswered = 2 * int((some.answers > 1).sum()) >= len(some.began)
    return _dense(some) >= least and len(np.unique(some.client)) >= ADDRESSES and (unanswered or completes)


def _dense(some: HalfOpen) -> int:
    """How many of them began within ten seconds, at most."""
    return int((np.searchsorted(some.began, some.began + WITHIN_NS, "right") - np.arange(len(some.began))).max())


def _crowd(floods: list[HalfOpen], flows: AllFlows, served: Completed, least: int) -> Crowd:
    count, repeated = len(floods), [int((some.answers > 1).sum()) for some in floods]
    sure = [
        2 * again >= len(some.began) and not flows.capture.hides for some, again in zip(floods, repeated, strict=True)
    ]
    return Crowd(
        address=np.array([some.server[0] for some in floods], np.int64),
        port=np.array([some.port[0] for some in floods], np.int64),
        server=np.ones(count, np.bool_),
        when=np.array([some.began[least - 1] for some in floods], np.int64),
        frames=[[*some.frame[:SHOWN].tolist(), int(some.frame[-1]), int(some.frame[least - 1])] for some in floods],
        decides=[int(some.frame[least - 1]) for some in floods],
        confidence=np.where(np.array(sure, np.bool_), HIGH, MEDIUM),
        values={
            "count": np.array([len(some.began) for some in floods], np.int64),
            "sources": np.array([len(np.unique(some.client)) for some in floods], np.int64),
            "first": np.array([some.began[0] for some in floods], np.int64),
            "syn": np.array([some.frame[0] for some in floods], np.int64),
            "last": np.array([some.began[-1] for some in floods], np.int64),
            "last_syn": np.array([some.frame[-1] for some in floods], np.int64),
            "dense": np.array([_dense(some) for some in floods], np.int64),
            "within": np.full(count, WITHIN_NS),
            "held": np.array([_held(*pair) for pair in zip(floods, repeated, strict=True)], object),
            "served": np.array([_served(some, served) for some in floods], object),
        },
    )


def _held(some: HalfOpen, repeated: int) -> str:
    """What the repeats of SYN-ACKs say of the server's half-open connections."""
    return HELD.format(repeated, steps(some.began, some.last).peak) if repeated else COOKIES


def _served(some: HalfOpen, completed: Completed) -> str:
    """How many connections the service completed meanwhile."""
    begin, end = np.searchsorted(completed.service, (some.server[0] << 16) + some.port[0] + np.arange(2))
    began = completed.began[begin:end]
    served = int(np.searchsorted(began, some.last.max(), "right") - np.searchsorted(began, some.began[0]))
    return SERVED.format(f"{served} others" if served > 1 else "1 other") if served else NOT_SERVED
