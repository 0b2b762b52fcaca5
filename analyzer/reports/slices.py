"""What the tables are written from, and how the work on it is divided: parts of slices, two threads, one order.

A part is made (rows become text, or Arrow's columns) by whichever thread is free, and written when all parts before
it are; so one thread fills while the other writes, or both fill. Kernels, pyarrow and writing hold no lock of the
interpreter.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Condition, Thread
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from analyzer.lines import Words

Rows = NDArray[np.void]
Worker = Callable[["Part"], Callable[[], None]]
"""Makes a part and returns what writes it."""


class Tables(Protocol):
    """Rows of numbers for all tables but the findings'."""

    @property
    def addresses(self) -> Words:
        """Texts of the address book's rows."""

    @property
    def combinations(self) -> Sequence[str]:
        """Texts of the column ``findings``, by ENDING's number; the first is "" for none."""

    def slices(self, flows: int = ..., told: bool = ...) -> Iterator[tuple[Rows, Rows]]:
        """Rows of ENDING of so many flows, and of ENTRY if they are to be ``told``, in the order of the tables; ``end``
        counts within the slice."""


class Part(NamedTuple):
    """Some rows of one table. Entries come with the endings that they belong to."""

    table: str
    rows: Rows
    flows: Rows  # of entries: the endings that they belong to; of segments: the flow table


def parts_of(slices: Iterable[tuple[Rows, Rows]], most: int) -> Iterator[Part]:
    """Every slice cut into parts of at most ``most`` rows: first its flows, then its entries."""
    for endings, entries in slices:
        for part in _cut(endings, most):
            yield Part("flows", part, part)
        for part in _cut(entries, most):
            first, last = int(part["end"][0]) >> 1, int(part["end"][-1]) >> 1
            if first:
                part = part.copy()
                part["end"] -= 2 * first
            yield Part("timeline", part, endings[first : last + 1])


def segment_parts(segments: Rows, flows: Rows, most: int) -> Iterator[Part]:
    """Rows of SEGMENT in such parts; ``flows`` is the flow table."""
    return (Part("segments", part, flows) for part in _cut(segments, most))


def _cut(rows: Rows, most: int) -> Iterator[Rows]:
    return (rows[begin : begin + most] for begin in range(0, len(rows), most))


class Turns:
    """Parts made by several threads in any order, and finished in the order in which they came, table by table."""

    def __init__(self, parts: Iterator[Part], tables: Iterable[str]) -> None:
        self._parts = parts
        self._changed = Condition()
        self._given = dict.fromkeys(tables, 0)
        self._done = dict(self._given)
        self._error: BaseException | None = None

    def run(self, workers: Sequence[Worker]) -> None:
        """Let each of ``workers`` make parts, in a thread of its own; call what it returns when the part's turn is.

        The first error of any ends them all, and is raised.
        """
        threads = [Thread(target=self._work, args=(worker,), daemon=True) for worker in workers[1:]]
        for thread in threads:
            thread.start()
        self._work(workers[0])
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _work(self, worker: Worker) -> None:
        try:
            while (taken := self._next()) is not None:
                part, turn = taken
                finish = worker(part)
                if not self._await(part.table, turn):
                    return
                finish()
                self._pass_on(part.table)
        except BaseException as error:
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _next(self) -> tuple[Part, int] | None:
        with self._changed:
            part = next(self._parts, None) if self._error is None else None
            if part is None:
                return None
            self._given[part.table] += 1
            return part, self._given[part.table] - 1

    def _await(self, table: str, turn: int) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._done[table] == turn or self._error is not None)
            return self._error is None

    def _pass_on(self, table: str) -> None:
        with self._changed:
            self._done[table] += 1
            self._changed.notify_all()
