"""A service that takes connections refused or ignored many for a while.

## What it sees

Attempts to connect to one server's address and port that were refused (a RST answered the SYN) or that no segment
answered, as many as the threshold; and connections to the same address and port whose handshake was completed, before,
after or beside them. If so many failed in a row, the finding tells the longest such time, and the connections taken on
either side of it. Otherwise the service failed now and then while it took others. Each attempt counts, also those of
one client that tries again. A port that took no connection in the capture has no outage. Nor have clients who are never
let in (scanners before a firewall): at least so many attempts as the threshold are of clients whom the service took at
another time, or it took as many other connections as failed, and none of them meanwhile, for a time that is longer
than any between two that it took one after the other; twice as long, if fewer than three clients failed. Then the
confidence is low if it took none of those clients at another time, and medium if fewer attempts than the threshold
are of clients whom it took: a filter may refuse them while nobody else tries.

## Why it matters

Clients got errors or waited while the service was meant to be there: a restart, a crash, a deployment, a full queue, a
backend behind a load balancer that is down.

## When it is harmless

When the service was stopped on purpose. Clients that try again quickly make an outage look larger than it is.

## What to do next

Refused: the host was up and nothing listened; compare the start time of the process with the outage. Unanswered: SYNs
were dropped on the way or by the host, for instance by a firewall or a full queue.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import crossed
from analyzer.findings.all_flows import AllFlows, FlowColumn, groups
from analyzer.findings.finding_columns import HIGH, LOW, MEDIUM
from analyzer.findings.rule import AT_THE_END, Crowd
from analyzer.settings import Settings
from analyzer.tracker.vocabularies import Handshake
from analyzer.units import SECOND

CODE = "TD317"
NAME = "service-outage"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ("outage",)
NEEDS = ()
LIVE_WAIT = AT_THE_END
EXAMPLE = "service-outage.pcap"
NEAR_MISS = "service-never-there.pcap"
MESSAGE = (
    "The {blamed} {how} of {clients:client} from {first:into} (frame {syn}) to {last:into} (frame {last_syn}) and took "
    "{meanwhile} meanwhile (threshold {outage}){longest}{strangers}{earlier}{earlier_frame:shown}{later}"
    "{later_frame:shown}."
)
ADVICE = "Suspect {suspect}. Next, on {blamed_ip}, {command}"
UNANSWERED_NS = SECOND  # a SYN without an answer for so long is repeated (RFC 6298)
SEVERAL = 3  # clients; fewer may be scanners who try between two that are let in
SHOWN = 100  # so many frames are named
AWAY = "the program that listens there first: it was away for that time (a restart, a crash)"
NOT_YET = "the program that listens there first: it was not there until then (a start that took long)"
STILL_AWAY = "the program that listens there first: it was not back when the capture ended (a crash, a stop)"
PARTLY = "a load balancer or address translation in front first: behind this address one backend refuses, others do not"
DROPPED = "a full queue of the service, or a firewall in front, first: SYNs were dropped"
FILTERED = "a firewall or a list of allowed clients first: of those that failed, the service never took one"
STRANGERS = "; it took none of these clients at another time"
SOCKETS = "'( sport = :{} )'"
STARTED = (
    "see when it started: ss -Htlnp {} | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u | xargs -r ps -o pid,lstart,cmd "
    "-p"
)
ENDED = "see whether it is back, or was killed: ss -tlnp {}; journalctl -k | grep -iE 'killed process|segfault'"
LISTENERS = "see who listens and which rules apply: ss -tlnp {}; nft list ruleset; iptables-save; ip6tables-save"
QUEUES = (
    "see whether its queue was full: nstat -az TcpExtListenOverflows TcpExtListenDrops TcpExtTCPReqQFullDrop; ss -tln "
    "{}"
)


class Attempts(NamedTuple):
    """Attempts to connect to services that may have had an outage, in the order of time."""

    server: NDArray[np.int64]
    port: NDArray[np.int64]
    client: NDArray[np.int64]
    began: NDArray[np.int64]
    frame: NDArray[np.int64]  # of the SYN
    handshake: NDArray[np.int64]

    def of(self, some: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Attempts":
        return Attempts(*(column[some] for column in self))

    @property
    def taken(self) -> NDArray[np.bool_]:
        return np.asarray(self.handshake == Handshake.COMPLETE)

    def __len__(self) -> int:
        return len(self.began)


class Outage(NamedTuple):
    """A time in which attempts failed: ``failed``, and what was taken ``before``, ``meanwhile`` and ``after``; ``runs``
    is how many such times there were, 0 where the service failed now and then."""

    failed: Attempts
    before: Attempts
    meanwhile: Attempts
    after: Attempts
    runs: int

    @property
    def known(self) -> int:
        """How many of those that failed are of clients whom the service took at another time."""
        taken = [part.client for part in (self.before, self.meanwhile, self.after)]
        return int(np.isin(self.failed.client, np.concatenate(taken)).sum())


def judge(flows: AllFlows, settings: Settings) -> Crowd:
    attempts, least = _attempts(flows), max(settings.outage, 1)
    services = [attempts.of(some) for some in groups(attempts.server << 16 | attempts.port, least)]
    mixed = [some for some in services if some.taken.any() and (~some.taken).sum() >= least]
    outages = [_outage(some, least) for some in mixed]
    real = [outage for some, outage in zip(mixed, outages, strict=True) if _fails_its_own(some, outage, least)]
    return _crowd(real, flows, least)


def _fails_its_own(some: Attempts, outage: Outage, least: int) -> bool:
    """Whether so many of those that failed are of clients whom the service took at another time. If they are not, it
    may be a filter that never lets them in (scanners); unless the service took at least as many others, and none for
    an unusually long time."""
    known = np.isin(some.client[~some.taken], some.client[some.taken])
    missed = not len(outage.meanwhile) and int(some.taken.sum()) >= len(outage.failed)
    return int(known.sum()) >= least or (missed and _unusually_long(some, outage))


def _unusually_long(some: Attempts, outage: Outage) -> bool:
    """Whether the service took none for longer than it ever did while nobody failed."""
    taken, failed = some.began[some.taken], some.began[~some.taken]
    quiet = np.diff(taken)[np.diff(np.searchsorted(failed, taken)) == 0]
    if not len(quiet):
        return False
    begin = np.append(outage.failed.began[0], outage.before.began)[-1]
    end = np.append(outage.after.began, outage.failed.began[-1])[0]
    several = len(np.unique(outage.failed.client)) >= SEVERAL
    return bool(end - begin > int(quiet.max()) * (1 if several else 2))


def _attempts(flows: AllFlows) -> Attempts:
    """The attempts at services of which some failed, in the order of time."""
    unanswered = flows.where(lambda column: column("handshake") == Handshake.UNANSWERED)
    last = flows.column("last_epoch", unanswered)
    silent = unanswered[flows.capture.known_until(last) - last >= UNANSWERED_NS]
    refused = flows.where(lambda column: column("handshake") == Handshake.REFUSED)
    failed = np.concatenate([refused, silent])
    services, _ = np.unique(_service(flows.of(failed)), return_index=True)  # without an index it imports masked arrays
    taken = (
        flows.where(lambda column: (column("handshake") == Handshake.COMPLETE) & np.isin(_service(column), services))
        if len(failed)
        else failed
    )
    some = np.sort(np.concatenate([failed, taken]))
    some = some[np.argsort(flows.column("first_epoch", some), kind="stable")]
    names = ("server_ip", "server_port", "client_ip", "first_epoch", "first_frame", "handshake")
    return Attempts(*(column.astype(np.int64) for column in flows.columns(*names, places=some)))


def _service(column: FlowColumn) -> NDArray[np.int64]:
    """A number for the server's address and port of some flows."""
    return np.asarray(column("server_ip").astype(np.int64) << 16 | column("server_port"), np.int64)


def _outage(some: Attempts, least: int) -> Outage:
    """The longest time in which at least so many failed in a row; else all of the time in which some failed."""
    taken = some.taken
    edges = np.flatnonzero(np.diff(taken.astype(np.int8), prepend=1, append=1))
    starts, ends = edges[::2], edges[1::2]  # of the runs of failures
    long = np.flatnonzero(ends - starts >= least)
    if len(long):
        longest = long[np.argmax(some.began[ends[long] - 1] - some.began[starts[long]])]
        begin, end = int(starts[longest]), int(ends[longest])
    else:
        begin, end = int(starts[0]), int(ends[-1])
    within = some.of(slice(begin, end))
    return Outage(
        within.of(~within.taken),
        some.of(slice(0, begin)).of(taken[:begin]),
        within.of(within.taken),
        some.of(slice(end, None)).of(taken[end:]),
        len(long),
    )


def _crowd(outages: list[Outage], flows: AllFlows, least: int) -> Crowd:
    fails, began = [outage.failed for outage in outages], flows.capture.began
    return Crowd(
        address=np.array([failed.server[0] for failed in fails], np.int64),
        port=np.array([failed.port[0] for failed in fails], np.int64),
        server=np.ones(len(outages), np.bool_),
        when=np.array([failed.began[least - 1] for failed in fails], np.int64),
        frames=[_frames(outage, least) for outage in outages],
        decides=[int(failed.frame[least - 1]) for failed in fails],
        confidence=np.array([_confidence(outage, flows, least) for outage in outages], np.int64),
        values={
            "how": np.array([_how(failed) for failed in fails], object),
            "clients": np.array([len(np.unique(failed.client)) for failed in fails], np.int64),
            "first": np.array([failed.began[0] for failed in fails], np.int64),
            "syn": np.array([failed.frame[0] for failed in fails], np.int64),
            "last": np.array([failed.began[-1] for failed in fails], np.int64),
            "last_syn": np.array([failed.frame[-1] for failed in fails], np.int64),
            "meanwhile": np.array([_meanwhile(outage) for outage in outages], object),
            "longest": np.array([_longest(outage) for outage in outages], object),
            "strangers": np.array(["" if outage.known else STRANGERS for outage in outages], object),
            "earlier": np.array(
                [_taken(". It took the last one before that", outage.before.began[-1:], began) for outage in outages],
                object,
            ),
            "earlier_frame": np.array([outage.before.frame[-1:].sum() for outage in outages], np.int64),
            "later": np.array([_after(outage, began) for outage in outages], object),
            "later_frame": np.array([outage.after.frame[:1].sum() for outage in outages], np.int64),
            "suspect": np.array([_suspect(outage)[0] for outage in outages], object),
            "command": np.array([_command(outage) for outage in outages], object),
        },
    )


def _frames(outage: Outage, least: int) -> list[int]:
    """The SYNs that failed, and those of the connections taken on either side."""
    failed = outage.failed.frame
    named = [failed[:SHOWN], failed[least - 1 : least], failed[-1:], outage.before.frame[-1:], outage.after.frame[:1]]
    return [int(frame) for part in named for frame in part]


def _confidence(outage: Outage, flows: AllFlows, least: int) -> int:
    """An unanswered SYN is sure where nothing may hide the answer; and nothing is across a gap in the capture. Clients
    whom the service took at another time show that it was away for those whom it serves."""
    unanswered = (outage.failed.handshake == Handshake.UNANSWERED).any()
    if not outage.known or (unanswered and (flows.capture.hides or not flows.capture.both_directions)):
        return LOW
    gap = crossed(flows.capture.gaps, outage.failed.began[:1], outage.failed.began[-1:]).any()
    return MEDIUM if gap or outage.known < least else HIGH


def _how(failed: Attempts) -> str:
    """What happened to the attempts that failed."""
    refused = int((failed.handshake == Handshake.REFUSED).sum())
    ignored, noun = len(failed) - refused, "connection" if len(failed) == 1 else "connections"
    if not ignored:
        return f"refused {refused} {noun}"
    return (
        f"refused {refused} of {len(failed)} {noun} and sent no segment in answer to {ignored}"
        if refused
        else f"sent no segment in answer to {ignored} {noun}"
    )


def _meanwhile(outage: Outage) -> str:
    return str(len(outage.meanwhile)) if len(outage.meanwhile) else "none"


def _longest(outage: Outage) -> str:
    return f"; it is the longest of {outage.runs} such times" if outage.runs > 1 else ""


def _taken(which: str, began: NDArray[np.int64], capture: int) -> str:
    """When the connection taken on one side of the outage began."""
    return f"{which} at {(int(began[0]) - capture) / SECOND:.6f} s" if len(began) else ""


def _after(outage: Outage, capture: int) -> str:
    words = f"{' and' if len(outage.before) else '. It took'} the first one after that"
    return _taken(words, outage.after.began[:1], capture)


def _suspect(outage: Outage) -> tuple[str, str]:
    """Whom to suspect first, and the command that shows it."""
    failed = outage.failed
    if not outage.known:
        return FILTERED, LISTENERS
    if 2 * int((failed.handshake == Handshake.UNANSWERED).sum()) > len(failed):
        return DROPPED, QUEUES
    if len(outage.meanwhile):
        return PARTLY, LISTENERS
    if not len(outage.before):
        return NOT_YET, STARTED
    return (AWAY, STARTED) if len(outage.after) else (STILL_AWAY, ENDED)


def _command(outage: Outage) -> str:
    return _suspect(outage)[1].format(SOCKETS.format(outage.failed.port[0]))
