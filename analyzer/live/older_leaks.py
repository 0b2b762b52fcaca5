"""Leaks that are older than the watch: sockets of this host that its kernel has had in CLOSE_WAIT since before.

No frame shows them, so they are no finding: every finding names the frames that prove it. The kernel proves the state,
and how long ago a socket last heard from its peer (tcpi_last_ack_recv) and last sent data (tcpi_last_data_sent). The
peer's FIN was heard too, so that a socket is in CLOSE_WAIT for at least as long as it heard nothing.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.live.older_sockets import Flags, OlderSockets, group_numbers, in_states, pair_numbers
from analyzer.live.sock_diag import Sockets, address_text
from analyzer.live.sockets import Owners, Process
from analyzer.segments.addresses import AddressBook
from analyzer.times import moment, outer
from analyzer.tracker.outcome import Ledger
from analyzer.units import SECOND, counted
from analyzer.views.console import duration, endpoint

MOST_SHOWN = 20  # endpoints that are told of at one look
PROCESSES_NAMED = 5
KIND = "close-wait-before-watch"


@dataclass(frozen=True)
class OlderLeak:
    """What is told of one endpoint: that it has such sockets, or, ``over``, that none of them is left."""

    role: str
    endpoint: str  # 10.0.0.2:80, or 10.0.0.1 -> 10.0.0.2:80
    sockets: int
    oldest_s: float  # idle in CLOSE_WAIT for at least so long
    youngest_s: float
    processes: str
    unaccepted: int  # of these sockets no process has taken from the accept queue
    advice: str
    over: bool = False
    severity: str = "error"

    @property
    def message(self) -> str:
        many = counted(self.sockets, "socket")
        if self.over:
            return (
                f"Of {many} of {self.endpoint}, in CLOSE_WAIT since before the watch, none is in CLOSE_WAIT any more."
            )
        been = "has" if self.sockets == 1 else "have"
        held = f" ({self.processes})" if self.processes else ""
        age = at_least(self.youngest_s)
        if at_least(self.oldest_s) != age:
            age += f", the oldest for at least {at_least(self.oldest_s)}"
        heard = "The peer sent its FIN" if self.sockets == 1 else "The peers sent their FINs"
        cause = "no process has accepted" if self.unaccepted == self.sockets else "the application has not closed"
        return (
            f"{many} of {self.endpoint}{held} {been} been in CLOSE_WAIT since before the watch, without data sent or "
            f"anything heard for at least {age}. {heard}, and {cause}."
        )

    def text(self, now_ns: int) -> str:
        """The line for people and logs."""
        clock = f"{moment(outer(now_ns)):%H:%M:%S.%f}"[:-3]
        if self.over:
            return f"{clock} over    {KIND}: {self.message} [evidence: this host's kernel]"
        return (
            f"{clock} {self.severity:<7} {KIND}: {self.message} {self.advice} [evidence: this host's kernel, no frames]"
        )

    def as_json(self) -> dict[str, Any]:
        """The fields of the JSON line."""
        return {
            "kind": KIND,
            "over": self.over,
            "severity": self.severity,
            "role": self.role,
            "endpoint": self.endpoint,
            "state": "CLOSE_WAIT",
            "sockets": self.sockets,
            "oldest_at_least_s": round(math.floor(self.oldest_s * 10) / 10, 1),
            "youngest_at_least_s": round(math.floor(self.youngest_s * 10) / 10, 1),
            "processes": self.processes,
            "message": self.message,
            "advice": self.advice,
        }


def at_least(seconds: float) -> str:
    """A duration, rounded down."""
    return duration(math.floor(seconds * 10) / 10 if seconds < 99 else math.floor(seconds))


class OlderLeaks:
    """Which of the older sockets were told of, by their cookies."""

    def __init__(self, older: OlderSockets, owners: Owners, least_ns: int) -> None:
        self.older = older
        self._owners, self._least_s = owners, least_ns / SECOND
        self._told: list[tuple[OlderLeak, NDArray[np.uint64]]] = []
        self._cookies = np.zeros(0, np.uint64)  # of all that was told and is not over

    def look(self, ledger: Ledger, book: AddressBook) -> list[OlderLeak]:
        """Ask and compare; what is new of leaks."""
        self.older.look(ledger, book)
        rows = self.older.rows
        waiting = in_states(rows, {"CLOSE_WAIT"})
        over = self._over(rows["cookie"][waiting])
        idle = self._idle_s()
        new = waiting & (idle >= self._least_s) & ~np.isin(rows["cookie"], self._cookies)
        if not new.any():
            return over
        new &= ~np.isin(pair_numbers(rows), self.older.finished)
        return over + self._tell(rows, new, idle)

    def _idle_s(self) -> NDArray[np.float64]:
        """For how long each socket in CLOSE_WAIT has been so at least, without sending data."""
        rows = self.older.rows
        return np.asarray(np.where(rows["heard_ms"] < 0, -1, np.minimum(rows["heard_ms"], rows["sent_ms"])) / 1e3)

    def _over(self, left: NDArray[np.uint64]) -> list[OlderLeak]:
        standing, over = [], []
        for leak, cookies in self._told:
            if np.isin(cookies, left).any():
                standing.append((leak, cookies))
            else:
                over.append(replace(leak, over=True))
        if over:
            self._told = standing
            self._cookies = np.concatenate([np.zeros(0, np.uint64), *(cookies for _, cookies in standing)])
        return over

    def _tell(self, rows: Sockets, new: Flags, idle: NDArray[np.float64]) -> list[OlderLeak]:
        places = np.flatnonzero(new)
        numbers = group_numbers(rows[places], self.older.servers[places])
        groups = [places[numbers == number] for number in np.unique(numbers).tolist()]
        groups.sort(key=len, reverse=True)
        shown, others = groups[:MOST_SHOWN], groups[MOST_SHOWN:]
        self._owners.find({inode for inode in rows["inode"][places].tolist() if inode})
        told = [(self._leak(rows[some], self._name(some), idle[some]), rows["cookie"][some]) for some in shown]
        if others:
            rest = np.concatenate(others)
            name = ("", f"{counted(len(others), 'other endpoint')} of this host")
            told.append((self._leak(rows[rest], name, idle[rest]), rows["cookie"][rest]))
        self._told += told
        self._cookies = np.concatenate([self._cookies, rows["cookie"][places]])
        return [leak for leak, _ in told]

    def _name(self, some: NDArray[np.intp]) -> tuple[str, str]:
        """The role and the name of the endpoint of these sockets."""
        row, server = self.older.rows[some[0]], bool(self.older.servers[some[0]])
        own, peer = address_text(row["own"]), address_text(row["peer"])
        if server:
            return "server", endpoint(own, int(row["own_port"]))
        return "client", f"{own} -> {endpoint(peer, int(row['peer_port']))}"

    def _leak(self, rows: Sockets, name: tuple[str, str], idle: NDArray[np.float64]) -> OlderLeak:
        role, where = name
        inodes = rows["inode"].tolist()
        holders = [self._owners.held(inode) if inode else None for inode in inodes]
        unaccepted = inodes.count(0)
        return OlderLeak(
            role=role,
            endpoint=where,
            sockets=len(rows),
            oldest_s=float(idle.max()),
            youngest_s=float(idle.min()),
            processes=processes_of(inodes, holders),
            unaccepted=unaccepted,
            advice=advice_of(rows[0], role, holders, unaccepted == len(rows)),
        )


def processes_of(inodes: Sequence[int], holders: Sequence[Process | None]) -> str:
    """Who holds how many: ``nginx[17] (40)``."""
    held: Counter[str] = Counter()
    for inode, process in zip(inodes, holders, strict=True):
        visible = "process not visible" if inode else "not accepted by any process"
        held[f"{process.command}[{process.pid}]" if process else visible] += 1
    told = [f"{who} ({count:,})" for who, count in held.most_common(PROCESSES_NAMED)]
    return ", ".join(told + ([f"{len(held) - len(told):,} more"] if len(held) > len(told) else []))


def advice_of(row: Any, role: str, holders: Sequence[Process | None], unaccepted: bool) -> str:
    """Whom to suspect first, and one command; ``row`` is one of the sockets."""
    own, peer = address_text(row["own"]), address_text(row["peer"])
    if unaccepted and role == "server":
        port = int(row["own_port"])
        suspect = f"Suspect the application that listens at port {port} first: it does not accept."
        return f"{suspect} Next: ss -tlnp 'sport = :{port}'"
    what = "its socket" if len(holders) == 1 else "its sockets"
    known = Counter(process for process in holders if process)
    suspect = "the application"
    if known:
        process = known.most_common(1)[0][0]
        suspect = f"{process.command}[{process.pid}]"
    chosen = {
        "server": f" 'src {endpoint(own, int(row['own_port']))}'",
        "client": f" 'src {ss_address(own)} and dst {endpoint(peer, int(row['peer_port']))}'",
    }.get(role, "")
    return f"Suspect {suspect} first: it did not close {what}. Next: ss -tnp state close-wait{chosen}"


def ss_address(address: str) -> str:
    return f"[{address}]" if ":" in address else address
