"""All flows of the capture, ordinary ones included: what rules are given that judge many of them together.

Such a rule reads columns of ``flows`` (see ``tracker/flow_record.py``), each with a row a flow in the order of streams.
They are kept for every flow of the capture, so there are only a few of them; KEPT names them.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import watched_until
from analyzer.flows.row import FLOW
from analyzer.tracker.storage.transpose import ColumnNotKept
from analyzer.units import SECOND

# Columns of ENDING. To have another, name it here: it is kept then.
KEPT = (
    *("stream", "client_ip", "client_port", "server_ip", "server_port", "client_known"),
    *("first_frame", "last_frame", "first_epoch", "last_epoch", "client_packets", "server_packets"),
    *("client_state", "server_state"),
    *("handshake", "teardown", "closed_by", "rst_by", "rst_cause", "observability", "idle_before_close_s"),
    *("server_rtt", "idle_open"),
    *("client_fin_epoch", "server_fin_epoch", "client_fin_acked_epoch", "server_fin_acked_epoch"),
    *("pending", "last_data_by", "since_data_s", "turns", "client_fin_frame", "server_fin_frame"),
    *("client_bytes", "server_bytes"),
)


STEP = 1 << 15  # flows that are looked at at once: their columns fit into the processor's caches
FlowColumn = Callable[[str], NDArray[Any]]  # gives a column of some flows by its name


# Where no connection begins or ends for so long, nothing proves that anybody captured: recordings that were
# joined lie hours to years apart, while within one of any traffic the pauses are seconds to minutes.
HOLE_NS = 600 * SECOND


def captured_until(first: NDArray[Any], last: NDArray[Any], since: NDArray[np.int64]) -> NDArray[np.int64]:
    """Until when it is known that somebody captured, from the times ``since`` of segments on: as long as connections
    begin (``first``) or end (``last``) no more than HOLE_NS after one another."""
    moments = np.concatenate([first, last, since])
    moments = np.sort(moments[moments >= since.min()])
    ends = np.append(moments[:-1][np.diff(moments) > HOLE_NS], moments[-1])
    return np.asarray(ends[np.searchsorted(ends, since)], np.int64)


class CaptureFacts(NamedTuple):
    """What the capture as a whole tells: when it began and ended, in ns of the inner clock; the bounds of the gaps in
    it, shape (gaps, 2); whether it shows both directions of every flow; and whether packets were not understood that
    may hold TCP."""

    began: int
    end_time: int
    gaps: NDArray[np.int64]
    both_directions: bool = True
    hides: bool = False

    def known_until(self, heard: NDArray[np.int64]) -> NDArray[np.int64]:
        """Until when what was last ``heard`` of then is known: to the next gap, or to the end."""
        return watched_until(self.gaps, heard, self.end_time)


class AllFlows:
    """The flows of the capture. ``column`` gives a column by its name, in whatever order flows were finished; ``table``
    is the flow table."""

    def __init__(
        self, column: Callable[[str], NDArray[Any]], capture: CaptureFacts, table: NDArray[np.void] | None = None
    ) -> None:
        self._column, self.capture = column, capture
        self._table: NDArray[np.void] = np.zeros(0, FLOW) if table is None else table
        self._order = _ascending(column("stream"))

    def __len__(self) -> int:
        return len(self._order)

    def column(self, name: str, places: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """A column, shape (flows,), or of the flows in ``places`` only, in numbers of which differences may be taken.
        Raises ColumnNotKept."""
        if name not in KEPT:
            raise ColumnNotKept(name)
        values = self._column(name)[self._order if places is None else self._order[places]]
        return values.astype(np.int64) if values.dtype.kind == "u" and values.dtype.itemsize > 1 else values

    def columns(self, *names: str, places: NDArray[np.intp] | None = None) -> list[NDArray[Any]]:
        """Some of them."""
        return [self.column(name, places) for name in names]

    def of(self, places: NDArray[np.intp]) -> FlowColumn:
        """The columns of some flows."""
        return lambda name: self.column(name, places)

    def where(
        self, test: Callable[[FlowColumn], NDArray[np.bool_]], places: NDArray[np.intp] | None = None
    ) -> NDArray[np.intp]:
        """The places of the flows, or of those in ``places``, of whose columns ``test`` is true."""
        return np.concatenate([some[test(self.of(some))] for some in self._steps(places)])

    def _steps(self, places: NDArray[np.intp] | None) -> Iterator[NDArray[np.intp]]:
        """The flows, or those in ``places``, some after others: of all at once, what is computed on the way would take
        more memory than their columns."""
        count = len(self) if places is None else len(places)
        for begin in range(0, max(count, 1), STEP):
            end = min(begin + STEP, count)
            yield np.arange(begin, end) if places is None else places[begin:end]

    def first_numbers(self, places: NDArray[np.intp], role: str) -> NDArray[np.int64]:
        """Of some flows the sequence number of the SYN of their client or server, by that or by what answers it."""
        row = self.table_rows(places)
        second = self.is_second(row, places, role)
        return np.where(second, row["isn"][:, 1], row["isn"][:, 0]).astype(np.int64)

    def begin_with_answer(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether the first segment of some flows is their server's, and the server sent a SYN-ACK."""
        row = self.table_rows(places)
        return np.asarray(self.is_second(row, places, "client") & (row["answer_ttl"] > 0))

    def table_rows(self, places: NDArray[np.intp]) -> NDArray[np.void]:
        """The rows of the flow table of some flows. In it, side 0 is who sent the first segment."""
        streams = self._column("stream")[self._order[places]]
        return self._table[np.searchsorted(self._table["stream"], streams)]

    def is_second(self, row: NDArray[np.void], places: NDArray[np.intp], role: str) -> NDArray[np.bool_]:
        """Whether client or server of some flows, of which ``row`` are the rows of the table, did not send their first
        segment."""
        address, port = self.columns(f"{role}_ip", f"{role}_port", places=places)
        return np.asarray((row["address"][:, 1] == address) & (row["port"][:, 1] == port))


def groups(keys: NDArray[np.int64], least: int) -> list[NDArray[np.intp]]:
    """The places of each key that occurs so often at ``least``, in the order of the keys."""
    order = np.argsort(keys, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(keys[order])) + 1, len(keys))
    starts = np.append(0, ends[:-1])
    many = ends - starts >= max(least, 1)
    return [order[start:end] for start, end in zip(starts[many].tolist(), ends[many].tolist(), strict=True)]


def _ascending(streams: NDArray[Any]) -> NDArray[np.int64]:
    """The places of streams, in ascending order; there is one flow of each."""
    place = np.full(int(streams.max(initial=-1)) + 1, -1, np.int64)
    place[streams] = np.arange(len(streams))
    return place[place >= 0]
