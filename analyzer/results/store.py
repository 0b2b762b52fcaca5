"""Finished flows as rows of numbers until the tables are written: in memory while they are few, then in a scratch file.

Flows finish in any order and are written in the order of their streams. What is kept in memory of each, whatever its
length, is where its rows stand. The scratch file has no name: nothing is left behind, however the program ends.
"""

import mmap
from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import IO, Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.errors import UnwritableOutput
from analyzer.memory import GrowingRows
from analyzer.results.packed_entries import PACKED, gather, pack
from analyzer.results.split_kernels import FIELD, split
from analyzer.text import Words
from analyzer.tracker.flow_record import ENDING, ENTRY

Rows = NDArray[np.void]
Slice = Callable[[], tuple[Rows, Rows]]
IN_MEMORY = 8 << 20  # bytes of each kind of rows; beyond that they go to the file
FLOWS_AT_ONCE, ENTRIES_AT_ONCE = 65_536, 524_288  # in a slice, where all are wanted
SHARE = 0.25  # of that, all columns of SpooledColumns together
SPLIT_AT_ONCE = 8192  # rows whose fields are kept together until they are added to their columns
READ_AHEAD = 8 << 20  # bytes read of the scratch file after which they are given back
FIRST = 1024  # rows that there is room for at first
NOT_HERE = np.iinfo(np.uint32).max


def _bytes(rows: Rows) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows).view(np.uint8)


class SpooledRows:
    """Rows of one dtype, appended; read back by place. They have a ``share`` of the memory of one kind of rows."""

    def __init__(self, dtype: "np.dtype[Any]", folder: Path | None, share: float = 1) -> None:
        self._dtype, self._folder, self._in_memory = dtype, folder, share * IN_MEMORY
        self._near: Rows = np.empty(FIRST, dtype)  # few: no address space is reserved, of which there are many of these
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._passed = self.count = 0

    def append(self, rows: Rows) -> None:
        """Add rows; they are copied, or written."""
        begin, self.count = self.count, self.count + len(rows)
        if self._file is None and self.count * self._dtype.itemsize > self._in_memory:
            self._write(self._near[:begin])
            self._near = np.empty(0, self._dtype)
        if self._file is not None:
            self._write(rows)
            return
        if self.count > len(self._near):
            larger: Rows = np.empty(max(self.count, 2 * len(self._near)), self._dtype)
            _bytes(larger[:begin])[:] = _bytes(self._near[:begin])
            self._near = larger
        _bytes(self._near[begin : self.count])[:] = _bytes(rows)

    def rows(self) -> Rows:
        """All of them. Nothing can be added afterwards."""
        if self._file is None:
            return self._near[: self.count]
        if self._map is None:
            self._file.flush()
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(self._map, self._dtype)

    @property
    def spilled(self) -> int:
        """Bytes in the file."""
        return self.count * self._dtype.itemsize if self._file else 0

    def pass_by(self, rows: int) -> None:
        """So many rows were read. Now and then, what was read may leave the memory; it is read from the file again
        where it is needed."""
        self._passed += rows * self._dtype.itemsize
        if self._map is not None and self._passed >= READ_AHEAD and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._passed = 0

    def _write(self, rows: Rows) -> None:
        import tempfile  # and with it much else; few captures are large enough

        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 (it stays open)
                finalize(self, self._file.close)
            left = _bytes(rows).data
            while len(left):
                left = left[self._file.write(left) :]
        except OSError as error:
            where, reason = self._folder or tempfile.gettempdir(), error.strerror or error
            raise UnwritableOutput(f"cannot keep connections in a scratch file in {where}: {reason}") from error


class SpooledColumns:
    """Some fields of appended rows, each by itself, so that one of all rows is read without the others."""

    def __init__(self, dtype: "np.dtype[Any]", names: Sequence[str], folder: Path | None) -> None:
        whole = sum(dtype[name].itemsize for name in names)
        self._columns = {name: SpooledRows(dtype[name], folder, SHARE * dtype[name].itemsize / whole) for name in names}
        self._split: list[NDArray[Any]] = [np.empty(SPLIT_AT_ONCE, dtype[name]) for name in names]
        self._waiting = 0  # rows that have been split, but not been added to the columns
        fields: Any = dtype.fields
        told = [(fields[name][1], dtype[name].itemsize, part.ctypes.data) for name, part in self._parts()]
        self._fields: Rows = np.array(told, FIELD)

    def append(self, rows: Rows) -> None:
        """Add the fields of some rows."""
        while len(rows):
            some = rows[: SPLIT_AT_ONCE - self._waiting]
            split(some.ctypes.data, some.strides[0], len(some), self._waiting, self._fields)
            rows, self._waiting = rows[len(some) :], self._waiting + len(some)
            if self._waiting == SPLIT_AT_ONCE:
                self._add()

    def column(self, name: str) -> NDArray[Any]:
        """One field of all rows. Nothing can be added afterwards."""
        self._add()
        return self._columns[name].rows()

    def _add(self) -> None:
        """Add what waits to the columns."""
        if self._waiting:
            for name, part in self._parts():
                self._columns[name].append(part[: self._waiting])
            self._waiting = 0

    def _parts(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Of each column what waits for it."""
        return zip(self._columns, self._split, strict=True)


class FlowStore:
    """The rows of all finished flows. ``folder`` is where the scratch file goes, None for the system's own place."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._endings, self._entries = SpooledRows(ENDING, folder), SpooledRows(PACKED, folder)
        self._packed: Rows = np.empty(0, PACKED)  # used again and again
        self._streams = GrowingRows(np.uint32, 4096)
        self._lengths = GrowingRows(np.uint32, 4096)  # rows of PACKED that each flow has
        self.addresses = Words.of([])
        self.combinations: Sequence[str] = [""]
        self.notes: Sequence[str] = []
        self._amended: dict[int, int] = {}  # what ``findings`` is of some streams, whatever their rows say
        self.files = FrameFiles()
        self.chosen: NDArray[np.bool_] | None = None  # one flag a stream; None: all are read

    def only(self, streams: NDArray[np.bool_]) -> "FlowStore":
        """The same flows, of which only those are read whose stream has its flag set."""
        made = copy(self)
        made.chosen = streams
        return made

    def telling(self, codes: Collection[str]) -> "FlowStore":
        """The same flows, of whose findings only those with these codes are told."""
        made = copy(self)
        made.combinations = [";".join(c for c in text.split(";") if c in codes) for text in self.combinations]
        return made

    @property
    def spilled(self) -> int:
        """Bytes in scratch files."""
        return self._endings.spilled + self._entries.spilled

    def name(self, addresses: Words, combinations: Sequence[str], notes: Sequence[str], files: FrameFiles) -> None:
        """Say what the codes mean: the texts of the address book's rows, of ENDING's column ``findings``, and of what
        ENTRY's ``arrow`` and ``note`` make together; and which file each frame is in."""
        self.addresses, self.combinations, self.notes, self.files = addresses, combinations, notes, files

    def whole(self) -> tuple[Rows, Rows]:
        """All of it as one slice."""
        endings, entries, count = [np.zeros(0, ENDING)], [np.zeros(0, ENTRY)], 0
        for gathered in self.slices(FLOWS_AT_ONCE, ENTRIES_AT_ONCE):
            some, told = gathered()
            told["end"] += np.uint32(2 * count)
            endings.append(some)
            entries.append(told)
            count += len(some)
        return np.concatenate(endings), np.concatenate(entries)

    def add(self, endings: Rows, entries: Rows, lengths: NDArray[np.uint32]) -> None:
        """Keep finished flows: rows of ENDING, their rows of ENTRY in the same order, and how many each flow has."""
        begin, end = self._endings.count, self._endings.count + len(endings)
        if 2 * len(entries) > len(self._packed):
            self._packed = np.empty(2 * len(entries), PACKED)
        rows = np.array(lengths)
        count = pack(entries, rows, self._packed)
        for column, values in ((self._streams, endings["stream"]), (self._lengths, rows)):
            if end > len(column):
                column.grow(max(end, 2 * len(column)))
            column.rows[begin:end] = values
        self._endings.append(endings)
        self._entries.append(self._packed[:count])

    def amend(self, streams: Sequence[int], number: Callable[[int, int], int]) -> None:
        """Have other ``findings`` for some streams, ascending: ``number`` gives it from the stream and the old one."""
        own = self._streams.rows[: self._endings.count]
        places = np.flatnonzero(np.isin(own, streams)) if streams else np.zeros(0, np.intp)
        old = self._endings.rows()[places]["findings"].tolist()
        self._amended = {int(own[place]): number(int(own[place]), was) for place, was in zip(places, old, strict=True)}

    def streams(self) -> NDArray[np.uint32]:
        """The numbers of all flows, ascending."""
        return self._streams.rows[: self._endings.count][self._order()]

    def slices(self, flows: int, entries: int = 0) -> Iterator[Slice]:
        """All flows in the order of streams, at most so many at a time, and about so many entries of theirs, if any are
        wanted: more only where a single flow has more. Each slice gathers its rows when it is called."""
        rows, order = (self._endings.rows(), self._entries.rows()), self._order()
        lengths = self._lengths.rows[: self._endings.count]
        first = np.cumsum(lengths, dtype=np.int64) - lengths if entries else None
        ends = np.cumsum(lengths[order], dtype=np.int64) if entries else None
        begin = 0
        while begin < len(order):
            end = min(begin + flows, len(order))
            if ends is not None:
                before = ends[begin - 1] if begin else 0
                end = max(min(end, int(np.searchsorted(ends, before + entries, "right"))), begin + 1)
            yield partial(self._slice, rows, order[begin:end], first)
            begin = end

    def _slice(
        self, rows: tuple[Rows, Rows], places: NDArray[np.uint32], first: NDArray[np.int64] | None
    ) -> tuple[Rows, Rows]:
        """Of all ``rows``, those of ENDING in ``places``, and of ENTRY, whose ``end`` is 2 * the place in the slice + 0
        for the client, 1 for the server; no ENTRY unless it is known where the ``first`` of each flow is."""
        endings = rows[0].take(places)  # an index would go through the fields of each row
        for place in np.flatnonzero(np.isin(endings["stream"], [*self._amended])) if self._amended else ():
            endings["findings"][place] = self._amended[int(endings["stream"][place])]
        self._endings.pass_by(len(places))
        if first is None:
            return endings, np.zeros(0, ENTRY)
        lengths = self._lengths.rows[places].astype(np.int64)
        gathered: Rows = np.empty(int(lengths.sum()), ENTRY)
        count = gather(rows[1], first[places], lengths, gathered)
        self._entries.pass_by(int(lengths.sum()))
        return endings, gathered[:count]

    def _order(self) -> NDArray[np.uint32]:
        """Where the rows of each stream stand, stream after stream."""
        streams = self._streams.rows[: self._endings.count]
        place = np.full(int(streams.max(initial=0)) + 1 if len(streams) else 0, NOT_HERE, np.uint32)
        place[streams] = np.arange(len(streams), dtype=np.uint32)
        wanted = place != NOT_HERE
        if self.chosen is not None:
            beyond = max(len(wanted) - len(self.chosen), 0)
            wanted &= np.append(self.chosen, np.zeros(beyond, np.bool_))[: len(wanted)]
        order: NDArray[np.uint32] = place[wanted]
        return order
