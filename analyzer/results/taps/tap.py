"""One of the two captures."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analyzer.results.result import Analysed
from analyzer.segments.table import ACK, HAS_IP_ID, HAS_TIMESTAMP, SEGMENT, UNTRACKED

Rows = NDArray[np.void]
Longs = NDArray[np.int64]
SAME_PACKET_NS = 1_000_000  # a packet that is captured twice at one place is there again after less than this


@dataclass
class Tap:
    """Its ``name`` is A or B. ``segments`` are rows of SEGMENT in the order of the capture."""

    name: str
    analysed: Analysed
    segments: Rows = field(repr=False)

    @cached_property
    def flows(self) -> Rows:
        """The flow table."""
        table = self.analysed.flow_table
        assert table is not None
        return table

    @cached_property
    def whole(self) -> tuple[Rows, Rows]:
        """The rows of ENDING and of ENTRY of all flows that are asked for."""
        return self.analysed.tables.whole()

    @cached_property
    def place(self) -> dict[int, int]:
        """Where the row of ENDING of a stream stands."""
        return {int(stream): place for place, stream in enumerate(self.whole[0]["stream"])}

    @cached_property
    def _begins(self) -> Longs:
        ends = np.arange(2 * len(self.whole[0]) + 1)
        begins: Longs = np.searchsorted(self._entries["end"], ends).astype(np.int64)
        return begins

    @cached_property
    def _entries(self) -> Rows:
        entries = self.whole[1]
        rows: Rows = entries[np.argsort(entries["end"], kind="stable")]
        return rows

    def entries_of(self, end: int) -> Rows:
        """The rows of ENTRY of one end: 2 * the place of its ENDING + 0 for the client, 1 for the server."""
        rows: Rows = self._entries[self._begins[end] : self._begins[end + 1]]
        return rows

    @cached_property
    def texts(self) -> list[str]:
        """The addresses."""
        return list(self.analysed.tables.addresses.texts())

    @cached_property
    def span(self) -> tuple[int, int]:
        """The times of its first and last segment, by the inner clock."""
        times = self.segments["time"]
        return (int(times.min()), int(times.max())) if len(times) else (0, 0)

    def ending(self, stream: int) -> np.void | None:
        """The row of ENDING of a stream; None where it is not asked for."""
        place = self.place.get(stream)
        return None if place is None else self.whole[0][place]

    def role(self, sender: int) -> str:
        """What ``sender`` (2 * row of the flow table + side) is."""
        ending = self.ending(int(self.flows["stream"][sender >> 1]))
        if ending is None:
            return ""
        flow, side = self.flows[sender >> 1], sender & 1
        mine = (int(flow["address"][side]), int(flow["port"][side]))
        return "client" if mine == (int(ending["client_ip"]), int(ending["client_port"])) else "server"

    def end_of(self, sender: int) -> tuple[str, int]:
        """Address and port of ``sender``."""
        flow, side = self.flows[sender >> 1], sender & 1
        return self.texts[int(flow["address"][side])], int(flow["port"][side])


def tap_of(name: str, analysed: Analysed, segments: Rows) -> Tap:
    """A tap with what its endpoints' TCP may have been given, packets that were captured twice once."""
    kept = segments[(segments["marks"] & UNTRACKED == 0) & (segments["sender"] >= 0)]
    return Tap(name, analysed, _without_copies(kept))


def _without_copies(rows: Rows) -> Rows:
    if not len(rows):
        return np.zeros(0, SEGMENT)
    keys = packet_key(rows)
    order = np.argsort(keys, kind="stable")
    times = rows["time"][order]
    again = (np.diff(keys[order]) == 0) & (np.abs(np.diff(times)) < SAME_PACKET_NS)
    kept = np.ones(len(rows), np.bool_)
    kept[order[1:][again]] = False
    left: Rows = rows[kept]
    return left


def mixed(*columns: NDArray[np.generic]) -> NDArray[np.uint64]:
    """One number of 64 bits for each row; equal rows have equal numbers, others practically never (splitmix64)."""
    value = np.zeros(len(columns[0]), np.uint64)
    with np.errstate(over="ignore"):
        for column in columns:
            value += column.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
            value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            value ^= value >> np.uint64(31)
    return value


def ack_of(rows: Rows) -> NDArray[np.uint32]:
    """The acknowledgment number, 0 where there is none."""
    return np.where(rows["flags"] & ACK > 0, rows["ack"], 0).astype(np.uint32)


def timestamp_of(rows: Rows, name: str = "ts_val") -> NDArray[np.uint32]:
    """A column of the timestamp option, 0 where there is none."""
    return np.where(rows["marks"] & HAS_TIMESTAMP > 0, rows[name], 0).astype(np.uint32)


def packet_key(rows: Rows) -> NDArray[np.uint64]:
    """Equal for segments that are the same in all that no device between should change."""
    number = np.where(rows["marks"] & HAS_IP_ID > 0, rows["ip_id"], 0)
    flags = rows["flags"].astype(np.int64) << 32
    return mixed(rows["sender"], rows["seq"], ack_of(rows), flags | rows["payload_len"], timestamp_of(rows), number)
