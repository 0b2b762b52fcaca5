"""Which file each frame of several captures is in, and what its number is there.

Frames are numbered through all files in the order in which their packets are told; somebody who opens one of the files
counts from 1 in it. What is kept of that are runs: so many frames of one file, then so many of another. Of files that
follow each other that is a run each. Where files overlap it is at most a run a packet, of two bytes (a few more where
there are more than 256 files, or runs are long).
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.interfaces import harmless
from analyzer.shell_words import file_word

RUNS_TOGETHER = 8192  # runs that are packed, and found again, together
UNPACKED = 8  # so many of these are kept at hand: what is asked of is near to what was asked before

Ints = NDArray[np.int64]
NONE: Ints = np.zeros(0, np.int64)


class Packed(NamedTuple):
    """Some runs: how many ``frames`` of which of the ``files`` each is."""

    first: int  # number of their first frame
    before: Ints  # frames of each file before these
    files: NDArray[Any]
    frames: NDArray[Any]


class FrameFiles:
    """The file of each frame. ``files`` are their names in the order of their first packets; ``several`` tells whether
    it has to be asked at all: of a single capture nothing is kept."""

    def __init__(self, files: Sequence[str] = (), several: bool = False) -> None:
        self.files = [harmless(name) for name in files]
        self.several = several
        self._parts: list[tuple[Ints, Ints]] = []  # not packed yet
        self._waiting = 0  # how many runs that are
        self._open = NONE, NONE  # the last run: it may go on
        self._packed: list[Packed] = []
        self._first, self._before = 1, np.zeros(len(files), np.int64)
        self._unpacked = lru_cache(UNPACKED)(self._unpack)

    @property
    def shown(self) -> list[str]:
        """The names as sentences have them: without their folders, if they can be told apart."""
        short = [PurePath(name).name for name in self.files]
        return short if len(set(short)) == len(short) else self.files

    def quoted(self, number: int) -> str:
        """The name of a file as a shell takes it."""
        return file_word(self.files[number])

    def add(self, files: NDArray[Any], frames: NDArray[Any]) -> None:
        """The next frames are so many of each of ``files``, by number, in this order."""
        if not self.several or not len(files):
            return
        files, frames = np.append(self._open[0], files), np.append(self._open[1], frames)
        starts = np.flatnonzero(np.diff(files, prepend=-1))
        files, frames = files[starts], np.add.reduceat(frames, starts)
        self._open = files[-1:], frames[-1:]
        self._parts.append((files[:-1], frames[:-1]))
        self._waiting += len(files) - 1
        if self._waiting >= RUNS_TOGETHER:
            self._pack()

    def settle(self) -> None:
        """All frames have been added."""
        self._parts.append(self._open)
        self._open = NONE, NONE
        self._pack()

    def runs(self) -> tuple[Ints, Ints]:
        """All runs, once they are settled: the file of each, and how many frames it is; as :meth:`add` takes them."""
        parts = [(packed.files.astype(np.int64), packed.frames.astype(np.int64)) for packed in self._packed]
        files, frames = zip((NONE, NONE), *parts, strict=True)
        return np.concatenate(files), np.concatenate(frames)

    def locate(self, frames: NDArray[Any]) -> tuple[Ints, Ints]:
        """Of each of ``frames``, the number of its file and its own number in that; -1 and 0 of what is no frame."""
        wanted = np.asarray(frames, np.int64)
        file, own = np.full(len(wanted), -1), np.zeros(len(wanted), np.int64)
        firsts = np.array([packed.first for packed in self._packed], np.int64)
        block = np.where(wanted < self._first, np.searchsorted(firsts, wanted, "right") - 1, -1)
        for number in np.flatnonzero(np.bincount(block[block >= 0])).tolist():
            begins, files, shift = self._unpacked(number)
            here = np.flatnonzero(block == number)
            run = np.searchsorted(begins, wanted[here], "right") - 1
            file[here], own[here] = files[run], wanted[here] - shift[run]
        return file, own

    def _pack(self) -> None:
        """Pack the runs that wait."""
        files, frames = (np.concatenate([NONE, *column]) for column in zip(*self._parts, strict=True))
        self._parts, self._waiting = [], 0
        for start in range(0, len(files), RUNS_TOGETHER):
            some, counts = files[start : start + RUNS_TOGETHER], frames[start : start + RUNS_TOGETHER]
            kinds = np.min_scalar_type(int(some.max())), np.min_scalar_type(int(counts.max()))
            self._packed.append(Packed(self._first, self._before, some.astype(kinds[0]), counts.astype(kinds[1])))
            self._first += int(counts.sum())
            self._before = self._before + np.bincount(some, counts, len(self.files)).astype(np.int64)

    def _unpack(self, number: int) -> tuple[Ints, Ints, Ints]:
        """Of each run its first frame, its file, and by how much the numbers in that are smaller."""
        packed = self._packed[number]
        files, frames = packed.files.astype(np.int64), packed.frames.astype(np.int64)
        begins = packed.first + np.cumsum(frames) - frames
        order = np.argsort(files, kind="stable")
        before = np.cumsum(frames[order]) - frames[order]  # frames of these runs, file after file
        heads = np.flatnonzero(np.diff(files[order], prepend=-1))
        before -= np.repeat(before[heads], np.diff(heads, append=len(order)))
        own = np.empty_like(begins)
        own[order] = packed.before[files[order]] + before + 1
        return begins, files, begins - own
