"""Any number of files as one capture, in time order.

Files that follow each other in time (a ring of rotated files) are read one after the other, whatever order they
were named in. Files that overlap (two interfaces captured at once) are merged packet by packet as mergecap does:
the next packet is always the earliest of those that stand at the head of a file; within a file the order stays as
it is, even where its clock went back. That is the same as sorting all packets, stably, by the latest time seen so
far in their own file, and so it can be done for whole batches: of each open file a batch is pending, and every
packet whose key is not above the smallest last key among the pending batches can be handed on.

Of equal times the packet of the file that begins first goes first; of files that begin at the same time, the one
whose name sorts first (numbers in names by value), so that the order of naming makes no difference.

Files are opened when their time has come, so a ring of any length costs one open file at a time; to know when that
is, each is opened once before for the time of its first packet.

Which frame of which file each frame of the whole is, and in which times nobody captured, is noted on the way.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.compression import open_bytes
from analyzer.capture.gaps import SAMPLE, FileBoundary, Gap
from analyzer.capture.packet_source import BATCH, PacketSource
from analyzer.capture.packets import Packets
from analyzer.capture.parser import CaptureInfo
from analyzer.capture.recording import Recording, unbroken
from analyzer.errors import UnreadableCapture

MERGE_MEMORY = 8 * BATCH  # buffers of all files that are merged, together
SMALLEST_BATCH = 64 * 1024
FIRST, NEVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class OpenCapture:
    """A capture file: when it begins, and while it is open, the batch that is pending."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.first_time = NEVER  # of its first packet; stays so where there is none
        self.source: PacketSource | None = None  # while open
        self.pending: Packets | None = None
        self.keys: NDArray[Any] = np.zeros(0, np.int64)  # of the pending rows: latest time in this file so far
        self.last_key = FIRST
        self.silence = 0  # the longest between two packets so far; at first, among those at its beginning
        self.given = 0  # frame numbers of this file that were passed on
        self.size: int | None = None
        self.number = 0  # among the files, in the order of their first packets
        self._taken = 0
        self._captured_until: int | None = None
        self._batches: Iterator[Packets] = iter(())

    @property
    def taken(self) -> int:
        """Bytes of the file read so far."""
        return self.source.stream.taken if self.source else self._taken

    def open(self, info: CaptureInfo, batch: int) -> None:
        self.source = open_source(self.path, info, batch)
        self.size = self.source.stream.size
        self.start()

    def start(self) -> None:
        """Begin to read its source."""
        if self.source is not None:
            self._batches = self.source.batches()

    def advance(self, alone: bool = False) -> bool:
        """Make the next batch pending; False at the end of the file. It needs no keys where the file is ``alone``, no
        other open nor any waiting."""
        self.pending = next(self._batches, None)
        if self.pending is None:
            return False
        if alone:
            return True
        self.keys = np.maximum.accumulate(self.pending.rows["time"])
        np.maximum(self.keys, self.last_key, out=self.keys)
        self.silence = max(self.silence, self._longest_pause(self.keys))
        self.last_key = int(self.keys[-1])
        return True

    def _longest_pause(self, keys: NDArray[Any]) -> int:
        before = int(keys[0]) - self.last_key if self.last_key > FIRST else 0
        return max(before, int(np.diff(keys).max(initial=0)))

    def probe(self, file: "OpenCapture") -> None:
        """Note what ``file``, which is the same, has at its beginning."""
        if file.advance():
            self.first_time = int(file.keys[0])
            self.silence = int(np.diff(file.keys[:SAMPLE]).max(initial=0))
        self.size = file.size

    def take(self, limit: int, with_equal: bool) -> "FilePart":
        """Take the pending rows with a key below ``limit``, or up to it."""
        assert self.pending is not None
        count = int(np.searchsorted(self.keys, limit, side="right" if with_equal else "left"))
        rows, keys = self.pending.rows[:count].copy(), self.keys[:count]
        begin, end = (span(rows)) if count else (0, 0)
        rows["offset"] -= begin
        steps = np.diff(rows["frame"], prepend=self.given)
        self.given = int(rows["frame"][-1]) if count else self.given
        part = FilePart(self.pending.data[begin:end], rows, keys, steps)
        self.pending = Packets(self.pending.data, self.pending.rows[count:])
        self.keys = self.keys[count:]
        return part

    @property
    def end(self) -> FileBoundary:
        """Its last packet, once it is closed."""
        return FileBoundary(self.path, self.last_key, self.silence, self._captured_until)

    def close(self) -> int:
        """Close; return how many frame numbers at its end were not passed on with a packet."""
        if self.source is None:
            return 0
        left = self.source.frames - self.given
        self._taken, self._captured_until = self.taken, self.source.captured_until
        self.source.close()
        self.source, self.pending = None, None
        return left


@dataclass
class FilePart:
    """What one file gives to a merged batch."""

    data: NDArray[np.uint8]
    rows: NDArray[Any]  # their offsets count from the beginning of ``data``
    keys: NDArray[Any]
    steps: NDArray[Any]  # by how much each frame number is above that of the packet before in the file


class Merge:
    """The packets of all files in order, as batches."""

    def __init__(
        self,
        files: Sequence[OpenCapture],
        info: CaptureInfo,
        recording: Recording | None = None,
        skip_bad: bool = False,
    ) -> None:
        self._info, self._skip_bad = info, skip_bad
        self._frame_files, self._gaps = unbroken() if recording is None else recording
        self._waiting = list(files)  # their time has not come yet; in the order of their first packets
        self._active: list[OpenCapture] = []  # open, in the same order
        self._frames = 0  # frame numbers given so far
        self._end: FileBoundary | None = None  # of what was captured in files that are closed
        self._last_frame = 0  # the last that was a packet
        self._gap: Gap | None = None  # that the next packet will end
        for number, file in enumerate(files):
            file.number = number

    def batches(self) -> Iterator[Packets]:
        while self._waiting or self._active:
            if not self._active or self._someone_due():
                self._open_next()
            for file in [file for file in self._active if not has_pending(file)]:
                if not file.advance(alone=len(self._active) == 1 and not self._waiting):
                    self._close(file)
            if self._active and not self._someone_due():
                yield self._noted(self._next_batch())

    def _close(self, file: OpenCapture) -> None:
        """Nothing more comes of a file."""
        left = file.close()
        self._frames += left
        self._frame_files.add(np.array([file.number]), np.array([left]))
        self._active.remove(file)
        if self._end is None or file.end.time > self._end.time:
            self._end = file.end

    def _noted(self, batch: Packets) -> Packets:
        """``batch``, which ends the gap before it if there is one."""
        if self._gap is not None:
            self._gaps.add(self._gap._replace(end=int(batch.rows["time"][0]), frame_after=int(batch.rows["frame"][0])))
            self._gap = None
        self._last_frame = int(batch.rows["frame"][-1])
        return batch

    def _open_next(self) -> None:
        file = self._waiting.pop(0)
        if file.source is None and not self._opened(file):
            return
        if self._end is not None and not self._active:
            self._gap = self._gaps.between(
                self._end, FileBoundary(file.path, file.first_time, file.silence), self._last_frame
            )
        self._active.append(file)

    def _opened(self, file: OpenCapture) -> bool:
        """Open it; False where it has become unreadable since it was looked at, and may be skipped."""
        share = MERGE_MEMORY // (len(self._active) + 1)
        try:
            file.open(self._info, min(BATCH, max(SMALLEST_BATCH, share)))
        except UnreadableCapture as error:
            if not self._skip_bad:
                raise
            self._info.skip(error)
            return False
        return True

    def _someone_due(self) -> bool:
        """Whether the next file to be opened begins before what is pending ends."""
        return bool(self._waiting) and self._waiting[0].first_time < min(
            (file.last_key for file in self._active), default=NEVER
        )

    def _next_batch(self) -> Packets:
        if len(self._active) == 1:
            return self._only_one(self._active[0])
        limit = min(file.last_key for file in self._active)
        parts, decided = [], False
        for file in self._active:
            parts.append(file.take(limit, with_equal=not decided))
            decided = decided or file.last_key == limit
        files = np.repeat([file.number for file in self._active], [len(part.rows) for part in parts])
        return self._join(parts, files)

    def _only_one(self, file: OpenCapture) -> Packets:
        """The pending batch of the only open file as it is."""
        batch = file.pending
        assert batch is not None
        before, file.given = file.given, int(batch.rows["frame"][-1])
        self._frame_files.add(np.array([file.number]), np.array([file.given - before]))
        if self._frames != before:
            batch.rows["frame"] += self._frames - before
        self._frames = int(batch.rows["frame"][-1])
        file.pending = None
        return batch

    def _join(self, parts: Sequence[FilePart], files: NDArray[Any]) -> Packets:
        """What was taken from several files, in the order of its keys; ``files`` has the number of each row's."""
        shift = 0
        for part in parts:
            part.rows["offset"] += shift
            shift += len(part.data)
        order = np.argsort(np.concatenate([part.keys for part in parts]), kind="stable")
        rows = np.concatenate([part.rows for part in parts])[order]
        steps = np.concatenate([part.steps for part in parts])[order]
        rows["frame"] = self._frames + np.cumsum(steps)
        self._frame_files.add(files[order], steps)
        self._frames = int(rows["frame"][-1])
        return Packets(np.concatenate([part.data for part in parts]), rows)


def has_pending(file: OpenCapture) -> bool:
    return file.pending is not None and len(file.pending.rows) > 0


def span(rows: NDArray[Any]) -> tuple[int, int]:
    """Where the bytes of these rows of one file begin and end; in a file, packets stand in the order of rows."""
    return int(rows["offset"][0]), int(rows["offset"][-1]) + int(rows["captured"][-1])


def open_source(path: str, info: CaptureInfo, batch: int) -> PacketSource:
    """The packets of one file; nothing stays open if it cannot be read."""
    stream = open_bytes(path)
    try:
        return PacketSource(stream, info, batch)
    except BaseException:
        stream.close()
        raise


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts names as people do: ``cap2`` before ``cap10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]
