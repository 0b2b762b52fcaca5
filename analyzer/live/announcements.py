"""When a finding is announced, and when an announcement is over.

Twice a second the connections still kept are judged as if the capture ended now. What a rule then says may be undone
by the next packet, so each finding waits: its rule says for how long after the moment that the finding is about
(``LIVE_WAIT``, see ``findings/rule.py``).

An announced finding that the rules no longer make is over, and that is announced too. The rules cannot unsay what
happened, only what lasted: a leak that is closed at last becomes a slow close or a late FIN.

Thousands of connections a second may have the same finding. It is told of a few of them, one by one; of more, one
announcement stands for all that are new at this look. Findings stay numbers until one is told.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.findings.loading import rules
from analyzer.findings.rule import AT_THE_END
from analyzer.live.ends import NO_ENDS, Ends, ends_of
from analyzer.results.dataframes import findings_frame
from analyzer.results.finding_list import FindingList, RuleFindings
from analyzer.units import UNKNOWN
from analyzer.vocabulary import SEVERITIES

SHOWN = 5  # like findings of one look that are told one by one: same code, server and role
MOST_SHOWN = 100  # findings of one rule in one look, told one by one or as crowds; beyond, one stands for all
KEY, MORE, CROWD = "key", "more like it", "crowd"  # columns added to those of findings
STREAM_BIT, CODE_BIT, SEVERITY_BIT = 1 << 14, 1 << 4, 1 << 2
ALONE = -1  # the crowd of what is told one by one

Longs = NDArray[np.int64]
Crowd = tuple[str, str, str, str, int]  # code, severity, role, server's address and port


class Announcement(NamedTuple):
    """An announcement: a row of findings, whether it begins or is over, and for how many ``more`` like it, of other
    connections, it stands. ``ends`` are those of all of these where there are more."""

    finding: Any  # a named tuple with the columns of findings.csv
    over: bool = False
    more: int = 0
    ends: Ends = NO_ENDS


class Announcer:
    """Remembers what was announced about connections that are still kept: ``_keys``, ascending, and of each the crowd
    that it was told with; what was told one by one has its row."""

    def __init__(self) -> None:
        self._keys, self._crowd_of = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._rows: dict[int, Any] = {}
        self._crowds: dict[int, Any] = {}  # the finding that each was told with
        self._next = 0  # crowd
        self._of_many: dict[Crowd, Any] = {}  # findings about crowds of connections, which have no stream

    @property
    def standing(self) -> int:
        """How many findings were announced and are not over, about connections still kept."""
        return len(self._keys) + len(self._of_many)

    def look(self, listing: FindingList, now_ns: int, streams: Longs | None = None) -> list[Announcement]:
        """Announce what has become certain by ``now_ns`` (inner); ``streams`` were judged (None: all, and crowds)."""
        seen = _keys_of(listing)
        judged = np.ones(len(self._keys), np.bool_) if streams is None else np.isin(self._keys // STREAM_BIT, streams)
        over = self._forget(judged & ~np.isin(self._keys, seen))
        many = self.crowds(listing, now_ns) if streams is None else []
        return over + many + self._tell(listing, lambda table: _certain(table, now_ns))

    def close(self, listing: FindingList, streams: Longs) -> list[Announcement]:
        """The books of ``streams`` are closed with the findings of ``listing``: announce the rest, and forget them."""
        seen, news = _keys_of(listing), self._tell(listing, lambda table: np.ones(len(table), np.bool_))
        over = self._forget(np.isin(self._keys // STREAM_BIT, streams) & ~np.isin(self._keys, seen))
        self._forget(np.isin(self._keys // STREAM_BIT, streams))
        return over + news

    def _tell(self, listing: FindingList, wanted: Callable[[RuleFindings], NDArray[np.bool_]]) -> list[Announcement]:
        """Announce those of single connections that are new."""
        new = listing.some(lambda t: wanted(t) & (t.columns["stream"] >= 0) & ~np.isin(_keys(t), self._keys))
        for table in new.tables:
            self._next += _gather(table, self._next)
        shown = new.some(lambda table: table.columns[MORE] >= 0)
        if not shown.tables:
            return []
        rows, (keys, more, crowds) = rows_of(findings_frame(shown)), _in_order(shown, (KEY, MORE, CROWD))
        for key, crowd, row in zip(keys, crowds, rows, strict=True):
            if crowd == ALONE:
                self._rows[key] = row
            else:
                self._crowds[crowd] = row
        self._remember(*(np.concatenate([table.columns[name] for table in new.tables]) for name in (KEY, CROWD)))
        ends = {crowd: some for table in new.tables for crowd, some in _ends(table)}
        return [
            Announcement(row, more=count, ends=ends.get(crowd, NO_ENDS))
            for row, count, crowd in zip(rows, more, crowds, strict=True)
        ]

    def _remember(self, keys: Longs, crowds: Longs) -> None:
        keys, crowds = np.append(self._keys, keys), np.append(self._crowd_of, crowds)
        order = np.argsort(keys, kind="stable")
        self._keys, self._crowd_of = keys[order], crowds[order]

    def _forget(self, gone: NDArray[np.bool_]) -> list[Announcement]:
        """Drop some of what was announced; returns that it is over."""
        if not gone.any():
            return []
        keys, crowds = self._keys[gone], self._crowd_of[gone]
        self._keys, self._crowd_of = self._keys[~gone], self._crowd_of[~gone]
        rows = [self._rows.pop(key, None) for key in keys[crowds == ALONE].tolist()]
        told = [Announcement(row, over=True) for row in rows if row is not None]
        over: dict[Crowd, int] = {}
        for crowd, count in zip(*np.unique(crowds[crowds != ALONE], return_counts=True), strict=True):
            alike = crowd_of(self._crowds[int(crowd)])
            over[alike] = over.get(alike, 0) + int(count)
        examples = {crowd_of(row): _without_connection(row) for row in self._crowds.values()} if over else {}
        self._crowds = {crowd: self._crowds[crowd] for crowd in {*self._crowd_of.tolist()} - {ALONE}}
        return told + [Announcement(examples[alike], True, count - 1) for alike, count in over.items()]

    def crowds(self, listing: FindingList, now_ns: int) -> list[Announcement]:
        """What is said of crowds of connections, and what no longer holds of them."""
        found = listing.some(lambda table: table.columns["stream"] < 0)
        certain = found.some(lambda table: _certain(table, now_ns))
        seen, sure = ({crowd_of(row): row for row in rows_of(findings_frame(some))} for some in (found, certain))
        over = [Announcement(self._of_many.pop(crowd), over=True) for crowd in [*self._of_many] if crowd not in seen]
        new = {crowd: row for crowd, row in seen.items() if crowd in sure and crowd not in self._of_many}
        self._of_many |= new
        return over + [Announcement(row) for row in new.values()]


def _keys(table: RuleFindings) -> Longs:
    """A number for each finding of one rule about a single connection, however its numbers have grown."""
    code, severity = sorted(rules()).index(table.rule.code), SEVERITIES.index(table.rule.severity)
    return np.asarray(
        table.columns["stream"] * STREAM_BIT + code * CODE_BIT + severity * SEVERITY_BIT + table.columns["blamed"],
        np.int64,
    )


def _keys_of(listing: FindingList) -> Longs:
    return np.concatenate([np.zeros(0, np.int64), *map(_keys, listing.tables)])


def _in_order(listing: FindingList, names: Sequence[str]) -> list[list[int]]:
    """Columns of numbers in the order in which findings are told."""
    return [listing.numbers(name, listing.order).tolist() for name in names]


def _gather(table: RuleFindings, next_crowd: int) -> int:
    """Add to the findings of one rule their keys, how many more each stands for (-1 where another one stands for it),
    and the numbers of their crowds, from ``next_crowd`` on; returns how many crowds there are."""
    columns = table.columns
    alike = (columns["server_ip"].astype(np.int64) << 20) | (columns["server_port"] + 1 << 2) | columns["blamed"]
    _, first, of, count = np.unique(alike, return_index=True, return_inverse=True, return_counts=True)
    many = count > SHOWN
    if int(count[~many].sum() + many.sum()) > MOST_SHOWN:
        first, of, count, many = first[:1], np.zeros_like(of), np.array([len(of)]), np.array([True])
    more = np.where(many[of], UNKNOWN, 0)
    more[first[many]] = count[many] - 1
    crowd = np.where(many[of], next_crowd + (np.cumsum(many) - 1)[of], ALONE)
    table.columns = {**columns, KEY: _keys(table), MORE: more, CROWD: crowd}
    return int(many.sum())


def _ends(table: RuleFindings) -> Iterator[tuple[int, Ends]]:
    """The ends of the connections of each crowd among the findings of one rule."""
    order = np.argsort(table.columns[CROWD], kind="stable")
    crowds, first = np.unique(table.columns[CROWD][order], return_index=True)
    ends = ends_of(table)[order]
    for crowd, some in zip(crowds.tolist(), np.split(ends, first[1:]), strict=True):
        if crowd != ALONE:
            yield crowd, some


def _certain(table: RuleFindings, now_ns: int) -> NDArray[np.bool_]:
    """Whether no packet that is still to come is expected to change them."""
    wait = table.rule.live_wait
    return np.asarray((now_ns - table.columns["when"] >= wait) & (wait != AT_THE_END))


def rows_of(findings: pd.DataFrame) -> list[Any]:
    """The rows of a table of findings."""
    return list(findings.itertuples(index=False, name="Finding"))


def crowd_of(row: Any) -> Crowd:
    """With which others a finding is alike."""
    role = "" if pd.isna(row.endpoint) else str(row.endpoint)
    port = 0 if pd.isna(row.server_port) else int(row.server_port)
    return (str(row.code), str(row.severity), role, str(row.server_ip), port)


def _without_connection(row: Any) -> Any:
    """A finding without what tells the connection that it was an example from."""
    nothing = {"stream": pd.NA, "client_ip": pd.NA, "client_port": pd.NA, "frames": "", "message": "", "advice": ""}
    return row._replace(**nothing, file_frame=pd.NA)
