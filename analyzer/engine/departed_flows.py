"""Flows that left before the capture's end, as far as rules about all flows ask for them.

A watch forgets connections while it goes on. What such rules read of each, the columns KEPT, is 150 bytes: the newest
of those that left stay here, a bounded number. Of older ones nothing is known any more. So the rules are given flows
that began after the last of the forgotten ones.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.recording import Recording
from analyzer.findings.all_flows import KEPT
from analyzer.findings.engine import RuleEngine
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.flow_record import ENDING
from analyzer.units import SECOND

MOST = 200_000  # flows of each kind that left are known here: 30 MB
CUT_SHORT_NS = SECOND  # a flow that was opening and heard of so lately when it left may have been opened afterwards
ROW = np.dtype([(name, ENDING[name]) for name in KEPT])
ADDRESSES = ("client_ip", "server_ip")
OPENING = (State.SYN_SENT, State.SYN_RECEIVED)
Column = Callable[[str], NDArray[Any]]


class NewestRows:
    """The newest ``most`` of the rows added. ``since`` is when the last of the forgotten flows had begun."""

    def __init__(self, most: int) -> None:
        self._most, self.count, self.since, self.forgotten = most, 0, 0, 0
        self.parts: deque[NDArray[np.void]] = deque()

    def add(self, rows: NDArray[np.void]) -> None:
        """Add rows, and forget the oldest beyond ``most``."""
        if len(rows):
            self.parts.append(rows)
        self.count += len(rows)
        while self.count > self._most:
            oldest = self.parts.popleft()
            gone, left = np.split(oldest, [min(self.count - self._most, len(oldest))])
            self.since = max(self.since, int(gone["first_epoch"].max()))
            self.count -= len(gone)
            self.forgotten += len(gone)
            if len(left):
                self.parts.appendleft(left.copy())

    def known(self) -> list[NDArray[np.void]]:
        """Those of flows that began since the last forgotten one did."""
        return [part[part["first_epoch"].astype(np.int64) > self.since] for part in self.parts]


class DepartedFlows:
    """The newest ``most`` of the flows that left while they were opening, and of all others, so that a flood drives out
    none but its own. ``cut_short`` were heard of within a second before they left, opening, and are not counted."""

    def __init__(self, most: int = MOST) -> None:
        self._opening, self._others = self._kinds = NewestRows(most), NewestRows(most)
        self.cut_short = 0
        self.any = False  # whether flows left at all
        self.both_ways = self.one_way = False

    def __len__(self) -> int:
        return sum(kind.count for kind in self._kinds)

    @property
    def forgotten(self) -> int:
        """How many of them nothing is known any more."""
        return sum(kind.forgotten for kind in self._kinds)

    @property
    def half_open_forgotten(self) -> int:
        """Of how many half-open ones nothing is known any more."""
        return self._opening.forgotten

    @property
    def half_open(self) -> int:
        """How many have left in all while they were opening."""
        return self._opening.count + self._opening.forgotten + self.cut_short

    @property
    def bytes(self) -> int:
        """What they take."""
        return sum(part.nbytes for part in self._parts)

    def add(self, column: Column, clock: int) -> None:
        """Flows leave at ``clock``; ``column`` gives their columns."""
        rows: NDArray[np.void] = np.empty(len(column("stream")), ROW)
        self.any = self.any or len(rows) > 0
        for name in KEPT:
            rows[name] = column(name)
        opening = _opening(rows.__getitem__)
        short = opening & (clock - rows["last_epoch"].astype(np.int64) < CUT_SHORT_NS)
        self.cut_short += int(short.sum())
        self._opening.add(rows[opening & ~short])
        self._others.add(rows[~opening])

    def judge(self, engine: RuleEngine, others: Column, recording: Recording, end_ns: int, settings: Settings) -> None:
        """Have the rules judge that are asked while a watch goes on, of these and ``others``."""
        engine.hear_of(self.both_ways, self.one_way)
        column = self._beside(others)
        began = int(column("first_epoch").min(initial=end_ns))
        engine.judge_all_flows(column, recording, end_ns, settings, began, only=lambda rule: rule.while_watching)

    @property
    def addresses(self) -> NDArray[np.int32]:
        """The rows of the AddressBook that they name."""
        named = [part[name].astype(np.int32) for part in self._parts for name in ADDRESSES]
        return np.unique(np.concatenate([np.zeros(0, np.int32), *named]))

    def renumber(self, addresses: NDArray[np.int32]) -> None:
        """Address number ``addresses[k]`` becomes k."""
        for part in self._parts:
            for name in ADDRESSES:
                part[name] = np.searchsorted(addresses, part[name])

    @property
    def _parts(self) -> list[NDArray[np.void]]:
        return [part for kind in self._kinds for part in kind.parts]

    def _beside(self, others: Column) -> Column:
        """The columns of these and of ``others``; of flows of each kind that began since the last forgotten one did."""
        parts = [part for kind in self._kinds for part in kind.known()]
        since = np.where(_opening(others), self._opening.since, self._others.since)
        known = others("first_epoch").astype(np.int64) > since
        return lambda name: np.concatenate([*(part[name] for part in parts), others(name)[known]])


def _opening(column: Column) -> NDArray[np.bool_]:
    return np.asarray(np.isin(column("client_state"), OPENING) | np.isin(column("server_state"), OPENING))
