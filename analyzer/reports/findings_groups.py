"""The findings as row groups of Parquet, from numbers and templates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.found import CONFIDENCES, UNKNOWN
from analyzer.findings.words import ROLES
from analyzer.lines import Words
from analyzer.parquet import Dictionary, Group, Pages, Texts, Values, dictionary
from analyzer.reports.columns import FINDINGS
from analyzer.reports.findings import Listing, Place, distinct
from analyzer.reports.parquet import fields

ROWS_AT_ONCE = 65_536  # of a group


class Columns:
    """Makes the findings into row groups."""

    def __init__(self, listing: Listing) -> None:
        self._listing, self._pages = listing, Pages(fields("findings"))
        self._codes, self._severities = map(coded, listing.vocabularies)
        self._roles, self._confidences = coded(ROLES), coded(CONFIDENCES)
        self._hosts = {role: self._used(f"{role}_ip") for role in ROLES}

    def group(self, start: int) -> Group:
        """The rows from ``start`` on."""
        places = self._listing.order.some(start, ROWS_AT_ONCE)
        columns = self._words(places) | self._numbers(places)
        columns |= {name: Texts(self._listing.column(name, places)) for name in ("frames", "message", "advice")}
        return self._pages.group(len(places.row), [columns[column.name] for column in FINDINGS])

    def _words(self, places: Place) -> dict[str, Values | Texts]:
        blamed, confidence = (self._listing.numbers(name, places) for name in ("blamed", "confidence"))
        columns: dict[str, Values | Texts] = {
            "code": Values(places.table, -1, *self._codes),
            "severity": Values(places.table, -1, *self._severities),
            "endpoint": Values(blamed, -1, *self._roles),
            "confidence": Values(confidence, -1, *self._confidences),
        }
        for name, (used, words) in self._hosts.items():
            rows = self._listing.numbers(f"{name}_ip", places)
            columns[f"{name}_ip"] = Values(np.where(rows < 0, -1, np.searchsorted(used, rows)), -1, words)
        return columns

    def _numbers(self, places: Place) -> dict[str, Values | Texts]:
        names = {"stream": "stream", "time_epoch": "when"} | {f"{role}_port": f"{role}_port" for role in ROLES}
        columns = {name: self._listing.numbers(column, places) for name, column in names.items()}
        return {
            name: Values(np.where(column < 0, UNKNOWN, column) if name.endswith("port") else column)
            for name, column in columns.items()
        }

    def _used(self, name: str) -> tuple[NDArray[np.int64], Dictionary]:
        """The addresses in a column."""
        used = distinct(self._listing.numbers(name, self._listing.order))
        used = used[used >= 0]
        return used, dictionary(Words.of([self._listing.address(row) for row in used.tolist()]))


def coded(words: Sequence[str]) -> tuple[Dictionary, NDArray[np.int64]]:
    """The distinct words, and which of them each code means."""
    places = {word: place for place, word in enumerate(dict.fromkeys(words))}
    return dictionary(Words.of(list(places))), np.array([places[word] for word in words], np.int64)
