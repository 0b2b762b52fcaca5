"""The few connections whose segments and timelines are kept while all others are only told: one by its number, or
those that ``--host`` and ``--port`` may ask for.

These two filters are known of a connection from its first packet on, so one reading is enough to show it. Where too
many fit, nothing is kept: they are listed.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.filters import Range, filters_of
from analyzer.segments.addresses import AddressBook
from analyzer.settings import Settings

MOST = 256  # connections


class WantedFlows:
    """Which they are. ``book`` has the addresses of the flow table's rows."""

    def __init__(self, settings: Settings, book: AddressBook) -> None:
        self._book, self._stream = book, settings.keep_stream
        filters = filters_of(settings)
        self._hosts, self._ports = filters.host, filters.port
        self._streams = np.array([] if self._stream is None else [self._stream], np.int64)
        self._seen = 0  # rows of the flow table among which they were looked for
        self.too_many = False

    @classmethod
    def of(cls, settings: Settings, book: AddressBook) -> "WantedFlows | None":
        """None where the segments of all connections are kept, or of none."""
        some = settings.keep_stream is not None or settings.keep_fitting
        return cls(settings, book) if settings.keep_segments and some else None

    def look(self, flow_rows: NDArray[np.void]) -> NDArray[np.intp]:
        """Where they are among the rows of the flow table that have come since the last call."""
        begin, self._seen = self._seen, len(flow_rows)
        rows = flow_rows[begin:]
        if self._stream is not None:
            return begin + np.flatnonzero(rows["stream"] == self._stream)
        if self.too_many:
            return np.zeros(0, np.intp)
        found = np.flatnonzero(self._fits(rows))
        self._streams = np.append(self._streams, rows["stream"][found].astype(np.int64))
        self.too_many = len(self._streams) > MOST
        return begin + found

    def has(self, streams: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which streams are wanted."""
        return np.isin(streams, self._streams) if len(self._streams) != 1 else np.asarray(streams == self._streams[0])

    def _fits(self, rows: NDArray[np.void]) -> NDArray[np.bool_]:
        fits = np.ones(len(rows), np.bool_)
        if self._ports:
            fits &= _in(rows["port"], self._ports).any(axis=1)
        if self._hosts:
            some = np.flatnonzero(fits)
            addresses = rows["address"][some]
            fits[some] = self._book.within(addresses.reshape(-1), self._hosts).reshape(-1, 2).any(axis=1)
        return fits


def _in(values: NDArray[np.integer], ranges: tuple[Range, ...]) -> NDArray[np.bool_]:
    made = np.zeros(values.shape, np.bool_)
    for first, last in ranges:
        made |= (values >= first) & (values <= last)
    return made
