"""What the tables are written from, and how the work on it is divided: parts, two threads, one order.

A part's rows are gathered and made into text, or Arrow's columns, by whichever thread is free. The thread that has made
the part whose turn it is writes it, and what the other has made meanwhile; that one goes on with the next, some parts
ahead. Kernels, pyarrow and writing hold no lock of the interpreter.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Condition, Thread
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.text import Words

Rows = NDArray[np.void]
Slice = Callable[[], tuple[Rows, Rows]]
"""Gathers the rows of some flows: of ENDING, and of ENTRY, whose ``end`` counts within the slice."""
AHEAD = 4  # parts that are made and not written, or being made


class TableRows(Protocol):
    """Rows of numbers for all tables but the findings'."""

    @property
    def addresses(self) -> Words:
        """Texts of the address book's rows."""

    @property
    def combinations(self) -> Sequence[str]:
        """Texts of the column ``findings``, by ENDING's number; the first is "" for none."""

    @property
    def notes(self) -> Sequence[str]:
        """Texts of the column ``note``, as ``note_texts`` has them."""

    @property
    def files(self) -> FrameFiles:
        """Which file each frame is in."""

    def slices(self, flows: int, entries: int = ...) -> Iterator[Slice]:
        """All flows in the order of the tables, at most so many at a time, and about so many entries of theirs, if any
        are wanted: more only where a single flow has more."""


class TablePart(NamedTuple):
    """Some rows of one table."""

    table: str
    rows: Rows
    flows: Rows  # of entries: the endings that they belong to; of segments: the flow table

    def cut(self, most: int) -> "Iterator[TablePart]":
        """The same in parts of at most ``most`` rows."""
        return (self._replace(rows=self.rows[begin : begin + most]) for begin in range(0, len(self.rows), most))


Gather = Callable[[], TablePart]
Steps = Iterator[Callable[[], None]]
"""Makes a part, step by step. What a step gives writes it, and is called before the next is asked for."""
Make = Callable[[TablePart], Steps]
P = TypeVar("P")


def flow_parts(tables: TableRows, most: int) -> Iterator[Gather]:
    """Flows, so many at a time."""
    return (partial(_flows, gather) for gather in tables.slices(most))


def entry_parts(tables: TableRows, most: int) -> Iterator[Gather]:
    """Entries, about so many at a time."""
    return (partial(_entries, gather) for gather in tables.slices(most, most))


def segment_parts(segments: Rows, flows: Rows, most: int) -> Iterator[Gather]:
    """Rows of SEGMENT, so many at a time; ``flows`` is the flow table."""
    return (partial(TablePart, *part) for part in TablePart("segments", segments, flows).cut(most))


def _flows(gather: Slice) -> TablePart:
    flows, _ = gather()
    return TablePart("flows", flows, flows)


def _entries(gather: Slice) -> TablePart:
    flows, entries = gather()
    return TablePart("timeline", entries, flows)


class OrderedWork(Generic[P]):
    """Parts made by several threads in any order, and written in the order in which they came."""

    def __init__(self, parts: Iterator[Callable[[], P]], make: Callable[[P], Steps]) -> None:
        self._parts, self._make = parts, make
        self._changed = Condition()
        self._given = self._written = 0
        self._made: dict[int, Steps] = {}
        self._writing = False
        self._error: BaseException | None = None

    def run(self, threads: int) -> None:
        """Make and write all parts. The first error of any thread ends them all, and is raised."""
        others = [Thread(target=self._work, daemon=True) for _ in range(threads - 1)]
        for thread in others:
            thread.start()
        self._work()
        for thread in others:
            thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while (taken := self._next()) is not None:
                part, number = taken
                self._hand_in(_begun(self._make(part())), number)
        except BaseException as error:
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _next(self) -> tuple[Callable[[], P], int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._given - self._written < AHEAD or self._error is not None)
            part = next(self._parts, None) if self._error is None else None
            if part is None:
                return None
            self._given += 1
            return part, self._given - 1

    def _hand_in(self, steps: Steps, number: int) -> None:
        """A part is made. Whoever finds that its turn has come, and nobody at writing, writes all that is made."""
        with self._changed:
            self._made[number] = steps
            if self._writing:
                return
            self._writing = True
        while (ready := self._ready()) is not None:
            for write in ready:
                write()
            with self._changed:
                self._written += 1
                self._changed.notify_all()

    def _ready(self) -> Steps | None:
        with self._changed:
            ready = self._made.pop(self._written, None) if self._error is None else None
            self._writing = ready is not None
            return ready


def _begun(steps: Steps) -> Steps:
    """The same, the first step made."""
    first = next(steps, None)

    def all_steps() -> Steps:
        if first is not None:
            yield first
            yield from steps

    return all_steps()
