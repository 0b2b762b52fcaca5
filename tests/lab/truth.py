"""What each endpoint really went through, by its kernel's own account: tracepoints and sock_diag made one.

An endpoint is one socket from its first state to its end, mini-sockets included:

* a socket's states come from ``inet_sock_set_state``, to the nanosecond;
* a jump to CLOSE from FIN_WAIT_2 or CLOSING right behind the start of a time-wait timer is no end: the connection lives
  on in a mini-socket, in TIME_WAIT where the timer runs for 60 s, else in an orphaned FIN_WAIT_2 (the laboratory sets
  ``tcp_fin_timeout`` to another length, so that the two differ); that timer's later starts and its end are the
  mini-socket's states;
* a request socket (SYN_RECEIVED of a server) has no event with its addresses. Its timer's start is when it was made;
  that timer is stopped where a socket is made of it, by the same processor right behind that socket's first event, so
  the two belong together. A request of which no socket is made sock_diag shows, between two looks, and the only timer
  started between these looks gives the moment, its end the request's.

Everything sock_diag sees is then held against the result: ``contradictions`` counts the looks that disagree.

Where the kernel has no tracepoints, sock_diag alone is the account (``sampled``): states that lasted less than the
time between two looks are missing from it, and each time is an interval.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from typing import Any

from .sockdiag import KERNEL_STATES, Pair, Sample, text
from .tracefs import Event, handlers

CLOCK_MONOTONIC_COARSE = 6  # its resolution is one jiffy
HZ = round(1 / time.clock_getres(CLOCK_MONOTONIC_COARSE))
TIME_WAIT_JIFFIES = 58 * HZ  # TIME_WAIT is 60 s; no other mini-socket's timer is let run this long
TOGETHER_NS = 200_000  # between the start of a mini-socket's timer and the socket's jump to CLOSE
LEAVE_MINI = ("FIN_WAIT_2", "CLOSING")  # the states from which a socket makes way for a mini-socket


@dataclasses.dataclass
class Entry:
    """A state entered: ``time`` is the best, the truth lies in ``earliest`` .. ``latest`` (all equal: exact)."""

    state: str
    time: int
    earliest: int
    latest: int

    @classmethod
    def at(cls, state: str, time: int) -> Entry:
        """A state whose moment is known exactly."""
        return cls(state, time, time, time)


@dataclasses.dataclass
class Endpoint:
    """One socket's life: ``host`` is a or b, ``pair`` its (local, remote) addresses."""

    host: str
    pair: Pair
    entered: list[Entry] = dataclasses.field(default_factory=list)
    resets_sent: list[tuple[int, str]] = dataclasses.field(default_factory=list)  # time, the kernel's reason
    resets_taken: list[int] = dataclasses.field(default_factory=list)
    repeats: int = 0  # segments it retransmitted

    @property
    def states(self) -> list[str]:
        """The states in order."""
        return [entry.state for entry in self.entered]

    def at(self, begin: int, end: int) -> set[str]:
        """The states it may have been in at some moment of ``begin`` .. ``end``; "" for none yet."""
        found = set()
        states = ["", *self.states]
        for place, state in enumerate(states):
            since = self.entered[place - 1].earliest if place else 0
            until = self.entered[place].latest if place < len(self.entered) else 1 << 63
            if since <= end and until >= begin:
                found.add(state)
        return found


@dataclasses.dataclass
class Truth:
    """The account of one scenario."""

    endpoints: list[Endpoint]
    sampled: bool = False  # sock_diag alone
    looks: int = 0
    contradictions: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        return dataclasses.asdict(self)

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Truth:
        """The reverse."""
        ends = [_endpoint_of_json(dict(entry)) for entry in data["endpoints"]]
        return cls(ends, data["sampled"], data["looks"], data["contradictions"])


def _endpoint_of_json(data: dict[str, Any]) -> Endpoint:
    local, remote = (tuple(address) for address in data["pair"])
    data["pair"] = (local, remote)
    data["entered"] = [Entry(*entry) if isinstance(entry, list) else Entry(**entry) for entry in data["entered"]]
    data["resets_sent"] = [(when, reason) for when, reason in data["resets_sent"]]
    return Endpoint(**data)


@dataclasses.dataclass
class Request:
    """A request socket, by its timer."""

    started: int
    ended: int = 0  # 0: not yet
    grown: bool = False  # a socket was made of it


class _Reader:
    """Follows the events in order; ``hosts`` gives the host of a local address."""

    def __init__(self, hosts: dict[str, str], reasons: dict[int, str]) -> None:
        self.hosts = hosts
        self.reasons = reasons
        self.handlers = handlers()
        self.ends: list[Endpoint] = []
        self.requests: list[Request] = []
        self._sockets: dict[int, Endpoint] = {}
        self._minis: dict[int, Endpoint] = {}  # by the address of the timer
        self._started: dict[int, tuple[int, int, int]] = {}  # cpu -> time, timer, jiffies of a new mini-socket
        self._stopped: dict[int, int] = {}  # timer -> time it was stopped, not (yet) followed by a start
        self._asked: dict[int, Request] = {}  # by the address of the timer
        self._born: dict[int, Endpoint] = {}  # cpu -> the last socket made by a listener

    def take(self, event: Event) -> None:
        """Take in one event."""
        getattr(self, f"_{event.name}", lambda event: None)(event)

    def _tcp_event(self, event: Event) -> tuple[Pair, str] | None:
        source = text(event.data("saddr_v6" if event.number("family") == 10 else "saddr"))
        target = text(event.data("daddr_v6" if event.number("family") == 10 else "daddr"))
        host = self.hosts.get(source)
        return (((source, event.number("sport")), (target, event.number("dport"))), host) if host else None

    def _inet_sock_set_state(self, event: Event) -> None:
        who = self._tcp_event(event)
        old, new = (KERNEL_STATES[event.number(name)] for name in ("oldstate", "newstate"))
        if who is None or "LISTEN" in (new, old if new == "CLOSED" else ""):
            return
        key = event.number("skaddr")
        if old in ("CLOSED", "LISTEN"):
            self._sockets[key] = Endpoint(who[1], who[0])
            self.ends.append(self._sockets[key])
            if new == "SYN_RECEIVED":
                self._born[event.cpu] = self._sockets[key]
        end = self._sockets.get(key)
        if end is None:
            return
        end.pair = who[0] if who[0][0][1] else end.pair
        self._enter(event, end, new)

    def _enter(self, event: Event, end: Endpoint, state: str) -> None:
        since, timer, length = self._started.pop(event.cpu, (-(10**9), 0, 0))
        moved = event.time - since < TOGETHER_NS and end.states[-1:] and end.states[-1] in LEAVE_MINI
        if state == "CLOSED" and moved:
            self._minis[timer] = end
            state = "TIME_WAIT" if length >= TIME_WAIT_JIFFIES else "FIN_WAIT_2"
        if end.entered and end.entered[-1].state == state:
            return
        end.entered.append(Entry.at(state, event.time))

    def _timer_start(self, event: Event) -> None:
        timer, length = event.number("timer"), event.number("expires") - event.number("now")
        kind = self.handlers.get(event.number("function") % (1 << 64), "")
        if kind == "reqsk_timer_handler":
            self._ask(timer, event.time)
        elif timer in self._minis:
            self._stopped.pop(timer, None)
            end = self._minis[timer]
            if length >= TIME_WAIT_JIFFIES and end.entered[-1].state == "FIN_WAIT_2":
                end.entered.append(Entry.at("TIME_WAIT", event.time))
        elif kind:
            self._started[event.cpu] = (event.time, timer, length)

    def _ask(self, timer: int, now: int) -> None:
        """A request's timer starts: the request is new, or has just repeated its SYN-ACK."""
        known = self._asked.get(timer)
        if known is None or (known.ended and now - known.ended > TOGETHER_NS):
            self._asked[timer] = Request(now)
            self.requests.append(self._asked[timer])
        else:
            known.ended = 0

    def _timer_cancel(self, event: Event) -> None:
        timer = event.number("timer")
        if timer in self._minis:
            self._stopped[timer] = event.time
        request = self._asked.get(timer)
        if request is None:
            return
        request.ended = event.time  # unless the timer has run out and is started again at once
        child = self._born.pop(event.cpu, None)
        if child is not None and event.time - child.entered[0].time < TOGETHER_NS:
            child.entered[0], request.grown = Entry.at("SYN_RECEIVED", request.started), True
            del self._asked[timer]

    def _timer_expire_entry(self, event: Event) -> None:
        self.finish(event.number("timer"), event.time)

    def finish(self, timer: int, time: int) -> None:
        """The mini-socket of ``timer`` is gone."""
        self._stopped.pop(timer, None)
        end = self._minis.pop(timer, None)
        if end is not None:
            end.entered.append(Entry.at("CLOSED", time))

    def finish_stopped(self, now: int) -> None:
        """A timer stopped and not started again at once: its mini-socket was killed."""
        for timer, since in list(self._stopped.items()):
            if now - since > TOGETHER_NS:
                self.finish(timer, since)

    def _tcp_send_reset(self, event: Event) -> None:
        source, target = (_socket_address(event.data(name)) for name in ("saddr", "daddr"))
        if self.hosts.get(source[0]) is None:
            return
        reason = self.reasons.get(event.number("reason"), str(event.number("reason")))
        end = self._newest((source, target)) or self._stranger((source, target))
        end.resets_sent.append((event.time, reason))

    def _tcp_receive_reset(self, event: Event) -> None:
        who = self._tcp_event(event)
        if who is not None and (end := self._sockets.get(event.number("skaddr"))) is not None:
            end.resets_taken.append(event.time)

    def _tcp_retransmit_skb(self, event: Event) -> None:
        if (end := self._sockets.get(event.number("skaddr"))) is not None:
            end.repeats += 1

    def _newest(self, pair: Pair) -> Endpoint | None:
        return next((end for end in reversed(self.ends) if end.pair == pair), None)

    def _stranger(self, pair: Pair) -> Endpoint:
        """An address that sends a RST without ever having had a socket for it."""
        self.ends.append(Endpoint(self.hosts[pair[0][0]], pair))
        return self.ends[-1]


def _socket_address(data: bytes) -> tuple[str, int]:
    """A struct sockaddr_in or sockaddr_in6."""
    family, port = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "big")
    return (text(data[4:8] if family == 2 else data[8:24]), port)


def traced(
    events: Iterable[Event], hosts: dict[str, str], reasons: dict[int, str], samples: dict[str, list[Sample]]
) -> Truth:
    """The account from events, completed and checked by sock_diag. ``samples`` by host."""
    reader = _Reader(hosts, reasons)
    last = 0
    for event in events:
        reader.finish_stopped(event.time)
        reader.take(event)
        last = event.time
    reader.finish_stopped(last + 10**9)
    ends = reader.ends
    for host, looked in samples.items():
        _add_requests(host, looked, ends, reader.requests)
    ends.sort(key=lambda end: end.entered[0].time if end.entered else 0)
    truth = Truth(ends)
    for host, looked in samples.items():
        truth.looks += len(looked)
        truth.contradictions += sum(not _agrees(sample, host, ends) for sample in looked)
    return truth


def stays(samples: list[Sample]) -> dict[Pair, list[tuple[str, int, int, int]]]:
    """For each pair the states seen, in order: (state, not yet at, seen first, seen last); "" while it is absent."""
    found: dict[Pair, list[tuple[str, int, int, int]]] = {}
    for pair in {pair for sample in samples for pair in sample.states}:
        rows: list[tuple[str, int, int, int]] = []
        before = samples[0].before
        for sample in samples:
            state = sample.states.get(pair, "")
            if rows and rows[-1][0] == state:
                rows[-1] = (*rows[-1][:3], sample.after)
            elif rows or state:
                rows.append((state, before, sample.after, sample.after))
            before = sample.before
        found[pair] = rows
    return found


def _add_requests(host: str, samples: list[Sample], ends: list[Endpoint], requests: list[Request]) -> None:
    """Enter the request sockets of which no socket was made."""
    withered = [request for request in requests if not request.grown]
    for pair, rows in stays(samples).items():
        for place, (state, since, seen, _) in enumerate(rows):
            mine = [end for end in ends if end.pair == pair]
            if state != "SYN_RECEIVED" or any("SYN_RECEIVED" in end.at(since, seen) for end in mine):
                continue
            started = [request for request in withered if since <= request.started <= seen]
            request = started[0] if len(started) == 1 else None
            entered = [Entry.at(state, request.started) if request else Entry(state, seen, since, seen)]
            left = rows[place + 1] if place + 1 < len(rows) else None
            if request and request.ended:
                entered.append(Entry.at("CLOSED", request.ended))
            elif left and left[0] == "":
                entered.append(Entry("CLOSED", left[2], left[1], left[2]))
            ends.append(Endpoint(host, pair, entered))


def _agrees(sample: Sample, host: str, ends: list[Endpoint]) -> bool:
    """Whether the account allows what one look saw."""
    for pair, state in sample.states.items():
        mine = [end for end in ends if end.host == host and end.pair == pair]
        if not any(state in end.at(sample.before, sample.after) for end in mine):
            return False
    return True


def sampled(samples: dict[str, list[Sample]]) -> Truth:
    """The account from sock_diag alone."""
    ends = []
    for host, looked in samples.items():
        for pair, rows in stays(looked).items():
            ends.append(Endpoint(host, pair))
            for state, since, seen, _ in rows:
                ends[-1].entered.append(Entry(state or "CLOSED", seen, since, seen))
    ends.sort(key=lambda end: end.entered[0].time)
    return Truth(ends, sampled=True, looks=sum(map(len, samples.values())))
