"""What a watch saw in all, for its last words: counts only, so that weeks of it take no memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analyzer.errors import Notice
from analyzer.live.census import SocketGroup
from analyzer.results.result import Analysed
from analyzer.vocabulary import SEVERITIES

MOST_NOTICES = 50
MOST_GROUPS = 1000  # endpoints in the JSON summary


@dataclass
class WatchTotals:
    """Counts since the watch began."""

    source: str
    packets: int = 0
    bytes: int = 0
    segments: int = 0
    flows: int = 0
    lost: int = 0  # packets the engine says it lost
    idle: int = 0  # connections given up by --idle-timeout
    crowded_out: int = 0  # ... and by --max-flows
    half_open_out: int = 0  # ... of these that were opening
    first_ns: int | None = None  # by the inner clock
    last_ns: int | None = None
    endings: Counter[str] = field(default_factory=Counter)
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)  # (severity, code)
    announced: int = 0
    notices: list[Notice] = field(default_factory=list)
    sockets: Sequence[SocketGroup] = ()  # by state, at the last look

    def count(self, analysed: Analysed) -> None:
        """Add finished connections."""
        self.flows += analysed.overview.flows
        self.endings.update({word: sum(counts) for word, counts in analysed.overview.endings.items()})
        for table in analysed.listing.tables:
            self.findings[table.rule.severity, table.rule.code] += len(table)

    def note(self, text: str) -> None:
        """Say something in the summary, once."""
        if len(self.notices) < MOST_NOTICES and all(notice.text != text for notice in self.notices):
            self.notices.append(Notice(text))

    def worst_first(self) -> list[tuple[str, str, int]]:
        """(severity, code, count), the gravest and most frequent first."""
        rank = {word: place for place, word in enumerate(SEVERITIES)}
        rows = [(severity, code, count) for (severity, code), count in self.findings.items()]
        return sorted(rows, key=lambda row: (rank[row[0]], -row[2], row[1]))

    def as_json(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        return {
            "event": "summary",
            "source": self.source,
            "packets": self.packets,
            "segments": self.segments,
            "lost": self.lost,
            "flows": self.flows,
            "idle": self.idle,
            "crowded_out": self.crowded_out,
            "half_open_out": self.half_open_out,
            "endings": dict(self.endings.most_common()),
            "findings": {code: count for _, code, count in self.worst_first()},
            "sockets": [
                {
                    "role": group.role,
                    "address": group.address,
                    "server": group.server,
                    "port": group.port,
                    **group.counts,
                }
                for group in self.sockets[:MOST_GROUPS]
            ],
            "notices": [notice.text for notice in self.notices],
        }
