"""Announced findings in groups: one for each code, severity and blamed endpoint, with how many there are.

Memory is bounded: the newest findings of a group are kept to be opened, and the groups that had the newest ones."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from analyzer.live.announcements import Announcement, Crowd, crowd_of
from analyzer.live.older_leaks import KIND, OlderLeak
from analyzer.views.console import endpoint
from analyzer.views.escape import safe
from analyzer.views.explanation import names
from analyzer.vocabulary import CONFIDENCES

MOST_GROUPS = 500
MEMBERS = 50  # findings kept of a group


@dataclass(frozen=True)
class ToldFinding:
    """One announcement that began."""

    number: int  # of all announcements
    at_ns: int  # inner clock
    row: Any  # of findings.csv
    more: int
    over: bool  # and is over

    @property
    def stream(self) -> int | None:
        return None if pd.isna(self.row.stream) else int(self.row.stream)


@dataclass(frozen=True)
class ToldGroup:
    """What the screen has a row for. ``told`` - ``over`` findings hold."""

    key: Crowd
    severity: str
    code: str
    name: str
    whom: str
    told: int
    over: int
    last_ns: int  # when the newest was told, or taken back, by the inner clock
    confidence: str  # of the surest

    @property
    def holding(self) -> int:
        return max(self.told - self.over, 0)

    @property
    def search(self) -> str:
        return f"{self.severity} {self.code} {self.name} {self.whom}"


class KernelEvent(NamedTuple):
    """What the kernel says, with the columns of findings.csv that the screen reads: no frame shows it."""

    message: str
    advice: str
    stream: Any = pd.NA
    client_ip: Any = pd.NA
    client_port: Any = pd.NA
    server_ip: Any = pd.NA
    server_port: Any = pd.NA
    confidence: str = "kernel"


@dataclass
class _Kept:
    whom: str
    name: str
    told: int = 0
    over: int = 0
    last_ns: int = 0
    sure: int = len(CONFIDENCES)  # a place in them, the surest first
    members: deque[ToldFinding] = field(default_factory=lambda: deque(maxlen=MEMBERS))


class ToldFindings:
    """What was announced until now."""

    def __init__(self) -> None:
        self._groups: dict[Crowd, _Kept] = {}  # the one with the newest last
        self._number = 0
        self.told = 0
        self.left_out = 0  # groups

    def add(self, news: Sequence[Announcement], now_ns: int) -> None:
        """Announcements, in their order."""
        for told in news:
            key = crowd_of(told.finding)
            kept = self._newest(key, whom(told.finding), names().get(key[0], ""), now_ns)
            if told.over:
                kept.over += 1 + told.more
                self._over(kept, told)
            else:
                self._number += 1
                self.told += 1 + told.more
                kept.told += 1 + told.more
                kept.sure = min(kept.sure, _sureness(told.finding))
                kept.members.append(ToldFinding(self._number, now_ns, told.finding, told.more, False))

    def hear(self, news: Sequence[OlderLeak], now_ns: int) -> None:
        """What the kernel has had since before the watch; each time the sockets that were not told of before, or are
        over since."""
        for leak in news:
            kept = self._newest(
                ("kernel", leak.severity, leak.role, leak.endpoint, 0), safe(leak.endpoint), KIND, now_ns
            )
            self._number += 1
            if leak.over:
                kept.over += leak.sockets
            else:
                self.told += leak.sockets
                kept.told += leak.sockets
            row = KernelEvent(leak.message, leak.advice)
            kept.members.append(ToldFinding(self._number, now_ns, row, 0, leak.over))

    def _newest(self, key: Crowd, about: str, name: str, now_ns: int) -> _Kept:
        """The group, which has the newest finding now; the one whose newest is the oldest may have to go."""
        kept = self._groups.pop(key) if key in self._groups else _Kept(about, name)
        self._groups[key] = kept
        kept.last_ns = now_ns
        if len(self._groups) > MOST_GROUPS:
            del self._groups[next(iter(self._groups))]
            self.left_out += 1
        return kept

    def _over(self, kept: _Kept, told: Announcement) -> None:
        """Say so of the one that is over; of a crowd nobody knows which."""
        for place, member in enumerate(kept.members):
            if not member.more and not told.more and _same(member.row.stream, told.finding.stream):
                kept.members[place] = ToldFinding(member.number, member.at_ns, member.row, 0, True)

    def groups(self) -> list[ToldGroup]:
        """All groups."""
        return [_group(key, kept) for key, kept in self._groups.items()]

    def members(self, key: Crowd) -> list[ToldFinding]:
        """The newest findings of a group, newest first."""
        kept = self._groups.get(key)
        return list(kept.members)[::-1] if kept else []


def _group(key: Crowd, kept: _Kept) -> ToldGroup:
    code, severity, *_ = key
    sure = CONFIDENCES[kept.sure] if kept.sure < len(CONFIDENCES) else "kernel"
    return ToldGroup(key, severity, code, kept.name, kept.whom, kept.told, kept.over, kept.last_ns, sure)


def whom(row: Any) -> str:
    """The endpoint that a finding blames: a server by its address and port, clients by the server they called."""
    server = "" if pd.isna(row.server_ip) else _end(row.server_ip, row.server_port)
    if pd.isna(row.endpoint) or not str(row.endpoint):
        return server or ("" if pd.isna(row.client_ip) else safe(str(row.client_ip)))
    if row.endpoint == "server" or not server:
        return f"{row.endpoint} {server}".strip()
    return f"clients of {server}" if row.endpoint == "client" else f"{safe(str(row.endpoint))} {server}"


def _end(ip: object, port: Any) -> str:
    return safe(str(ip)) if pd.isna(port) else endpoint(ip, int(port))


def _same(one: Any, other: Any) -> bool:
    return (pd.isna(one) and pd.isna(other)) or (not pd.isna(one) and not pd.isna(other) and int(one) == int(other))


def _sureness(row: Any) -> int:
    word = str(row.confidence)
    return CONFIDENCES.index(word) if word in CONFIDENCES else len(CONFIDENCES)
