"""Which connections the page has, and their rows.

All where they are few. Of many, those with findings, the gravest first, and of the others a sample: of each ending its
share, at least a few, by a seed that never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.loading import rules
from analyzer.results.column_values import flow_values
from analyzer.results.flow_selection import COLUMNS, is_text, rows_of, text_of
from analyzer.results.result import Analysed
from analyzer.results.store import FLOWS_AT_ONCE
from analyzer.tracker.vocabularies import TEARDOWNS
from analyzer.units import UNKNOWN, counted
from analyzer.vocabulary import SEVERITIES

ALL, FOUND, SAMPLED, LEAST = (
    2500,
    1500,
    600,
    10,
)  # connections: all up to so many; else of those; the least of an ending
SEED = 9293
SHOWN = (
    *("stream", "first_epoch", "client_ip", "client_port", "server_ip", "server_port", "duration_s"),
    *("client_bytes", "server_bytes", "client_packets", "server_packets", "handshake", "teardown", "closed_by"),
    *("client_state", "server_state", "rst_by", "rst_cause", "client_close_wait_s", "server_close_wait_s"),
    *("observability", "pending", "findings"),
)


@dataclass
class PageConnections:
    """The connections of the page: ``found`` have findings (of ``found_in_all``), ``sampled`` were drawn from the
    others; ``total`` is how many there are in all. The streams are in the order in which they matter."""

    found: NDArray[np.int64]
    sampled: NDArray[np.int64]
    found_in_all: int
    total: int

    @property
    def streams(self) -> NDArray[np.int64]:
        """All of them, ascending."""
        return np.sort(np.concatenate([self.found, self.sampled]))

    @property
    def words(self) -> str:
        """Which these are."""
        if len(self.found) + len(self.sampled) == self.total:
            return f"All {self.total:,} connections." if self.total != 1 else "The only connection."
        found = (
            f"{len(self.found):,} of the {self.found_in_all:,}"
            if len(self.found) < self.found_in_all
            else (f"all {self.found_in_all:,}")
        )
        return (
            f"Of {counted(self.total, 'connection')} this page has {found} with findings, and "
            f"{len(self.sampled):,} of the others, drawn at random, of each ending its share."
        )


def page_connections(analysed: Analysed) -> PageConnections:
    """Choose them."""
    streams, codes, endings = _columns(analysed)
    grave = np.array([_gravity(text) for text in analysed.tables.combinations], np.int64)[codes]
    with_findings = np.flatnonzero(grave < len(SEVERITIES))
    found = streams[with_findings[np.argsort(grave[with_findings], kind="stable")]]
    others = np.flatnonzero(grave >= len(SEVERITIES))
    if len(streams) > ALL:
        found = found[:FOUND]
        others = others[_drawn(endings[others], SAMPLED)]
    return PageConnections(found, streams[others], len(with_findings), len(streams))


def _columns(analysed: Analysed) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    parts = [np.zeros((3, 0), np.int64)]
    for gather in analysed.tables.slices(FLOWS_AT_ONCE):
        endings, _ = gather()
        parts.append(np.stack([endings[name].astype(np.int64) for name in ("stream", "findings", "teardown")]))
    streams, codes, endings = np.concatenate(parts, axis=1)
    return streams, codes, endings


def _gravity(text: str) -> int:
    """The place in SEVERITIES of the gravest of these codes, beyond them where there is none."""
    severities = [rules()[code].severity for code in text.split(";") if code in rules()]
    return min((SEVERITIES.index(word) for word in severities), default=len(SEVERITIES))


def _drawn(endings: NDArray[np.int64], most: int) -> NDArray[np.intp]:
    """The places of ``most`` of them at most, of each ending its share and at least LEAST."""
    if len(endings) <= most:
        return np.arange(len(endings))
    generator, kept = np.random.default_rng(SEED), [np.zeros(0, np.intp)]
    for ending in np.unique(endings):
        own = np.flatnonzero(endings == ending)
        share = min(len(own), max(LEAST, round(most * len(own) / len(endings))))
        kept.append(generator.choice(own, share, replace=False))
    return np.sort(np.concatenate(kept))


def rows(analysed: Analysed, streams: NDArray[np.int64]) -> dict[str, Any]:
    """The columns SHOWN of these connections: numbers (times as ns since the first packet, null where not known), or
    places in a list of texts."""
    endings = rows_of(analysed.tables, streams)
    values, first = flow_values(endings, analysed.tables.files, SHOWN), analysed.summary.first_ns or 0
    made: dict[str, Any] = {}
    for name in SHOWN:
        column, numbers = COLUMNS[name], values[name]
        if is_text(column):
            texts, places = _texts(text_of(column, numbers, analysed.tables))
            made[name] = {"texts": texts, "of": places}
        else:
            since = first if column.kind == "time" else 0
            made[name] = [None if number == UNKNOWN else number - since for number in numbers.astype(np.int64).tolist()]
    return made


def _texts(values: Sequence[str]) -> tuple[list[str], list[int]]:
    places: dict[str, int] = {}
    return_places = [places.setdefault(value, len(places)) for value in values]
    return list(places), return_places


def endings_in_order() -> list[str]:
    """The endings in the order in which the docs have them."""
    return list(TEARDOWNS.meanings)
