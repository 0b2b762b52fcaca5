"""When a finding is announced, and when an announcement is over.

Twice a second the connections still kept are judged as if the capture ended now. What a rule then says may be undone
by the next packet, so each finding waits: its rule says for how long after the moment that the finding is about
(``LIVE_WAIT``, see ``findings/rule.py``).

An announced finding that the rules no longer make is over, and that is announced too. The rules cannot unsay what
happened, only what lasted: a leak that is closed at last becomes a slow close or a late FIN.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from analyzer.findings.loading import rules
from analyzer.findings.rule import AT_THE_END
from analyzer.times import inner

# code, severity, stream (-1 for a crowd), whom it blames: role, server address and port
Key = tuple[str, str, int, str, str, int]


class Announcement(NamedTuple):
    """An announcement: a row of findings, and whether it begins or is over."""

    finding: Any  # a named tuple with the columns of findings.csv
    over: bool = False


class Announcer:
    """Remembers what was announced about connections that are still kept."""

    def __init__(self) -> None:
        self._told: dict[Key, Any] = {}

    @property
    def standing(self) -> list[Any]:
        """What was announced and is not over, about connections still kept."""
        return list(self._told.values())

    def look(self, findings: pd.DataFrame, now_ns: int, streams: frozenset[int] | None = None) -> list[Announcement]:
        """Announce what has become certain by ``now_ns`` (inner); ``streams`` were judged (None: all, and crowds)."""
        seen = {key(row): row for row in rows_of(findings)}
        news = [Announcement(row) for place, row in seen.items() if place not in self._told and certain(row, now_ns)]
        judged = [place for place in self._told if streams is None or place[2] in streams]
        over = [Announcement(self._told.pop(place), over=True) for place in judged if place not in seen]
        self._told |= {key(told.finding): told.finding for told in news}
        return over + news

    def close(self, findings: pd.DataFrame, streams: Iterable[int]) -> list[Announcement]:
        """The books of ``streams`` are closed with ``findings``: announce the rest, and forget them."""
        gone = set(streams)
        seen = {key(row): row for row in rows_of(findings) if not pd.isna(row.stream)}
        news = [Announcement(row) for place, row in seen.items() if place not in self._told]
        closed = [place for place in self._told if place[2] in gone]
        over = [Announcement(self._told[place], over=True) for place in closed if place not in seen]
        for place in closed:
            del self._told[place]
        return over + news


def rows_of(findings: pd.DataFrame) -> list[Any]:
    return list(findings.itertuples(index=False, name="Finding"))


def key(row: Any) -> Key:
    """What makes two findings the same one, however its numbers have grown."""
    stream = -1 if pd.isna(row.stream) else int(row.stream)
    place = ("", 0) if stream >= 0 else (str(row.server_ip), 0 if pd.isna(row.server_port) else int(row.server_port))
    role = "" if pd.isna(row.endpoint) else str(row.endpoint)
    return (str(row.code), str(row.severity), stream, role, *place)


def certain(row: Any, now_ns: int) -> bool:
    """Whether no packet that is still to come is expected to change the finding."""
    wait = rules()[str(row.code)].live_wait
    return wait != AT_THE_END and now_ns - inner(int(row.time_epoch.as_unit("ns").value)) >= wait
