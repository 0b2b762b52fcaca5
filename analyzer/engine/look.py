"""A look at flows that are still kept, as if the capture ended now; nothing is changed by looking.

There may be a hundred thousand of them. All that is known of one is 3 kB, so of all of them only the columns GLANCED
are copied; the rest is looked at some thousand flows at a time, and only of flows of which a rule has something to say.
One that is half-open, a SYN and perhaps its SYN-ACK, is none of these until one of them is repeated.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.recording import Recording
from analyzer.engine.departed_flows import DepartedFlows
from analyzer.findings.all_flows import KEPT
from analyzer.findings.engine import RuleEngine
from analyzer.findings.ledger_view import views
from analyzer.results.finding_list import first_time
from analyzer.results.store import SpooledColumns
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.ledger_record import conclude
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.storage.transpose import ChosenColumns, LedgerColumns, TransposedLedger
from analyzer.tracker.track import Tracker, in_portions

GLANCED = ChosenColumns(
    ["state", "state_time", "deadline", "packets", "syn_count", "fin_count"],
    ["row", "client", "first_frame", "first_time", "end_time"],
)
Flags = NDArray[np.bool_]


class Look:
    """One look, at ``now_ns`` (inner); ``table`` is the flow table."""

    def __init__(self, tracker: Tracker, table: NDArray[np.void], now_ns: int, recording: Recording) -> None:
        self._tracker, self._table, self._now, self._recording = tracker, table, now_ns, recording

    def glance(self) -> Ledger:
        """All flows that are kept, with the columns GLANCED."""
        return self._ledger(self._tracker.glance(GLANCED, self._now))

    def judge(self, engine: RuleEngine, settings: Settings, ledger: Ledger, some: Flags) -> None:
        """Have the rules judge ``some`` of the flows of ``ledger``, a glance of this look."""
        asked = some & (ledger.signs & engine.asked != 0)
        for slots in in_portions(self._tracker.held[asked]):
            part = self._ledger(self._tracker.so_far(slots, self._now, timelines=False).facts)
            engine.judge(part, settings, both_ways=ledger.both_ways)

    def judge_crowds(self, engine: RuleEngine, settings: Settings, ledger: Ledger) -> None:
        """Have them judge the crowds of flows that are left in CLOSE_WAIT."""
        leaking = (ledger.own("state") == State.CLOSE_WAIT).any(axis=1)
        if leaking.any():
            seen = self._tracker.so_far(self._tracker.held[leaking], self._now, timelines=False)
            engine.judge_crowds(self._ledger(seen.facts), settings, first_time(ledger))

    def judge_all(self, engine: RuleEngine, settings: Settings, departed: DepartedFlows) -> None:
        """Have the rules judge all flows together, those that left included."""
        columns = SpooledColumns(ENDING, KEPT, None)
        for slots in in_portions(self._tracker.held):
            seen = self._tracker.so_far(slots, self._now, timelines=False)
            derive(self._ledger(seen.facts), seen.endings)
            columns.append(seen.endings)
        departed.judge(engine, columns.column, self._recording, self._now, settings)

    def _ledger(self, facts: LedgerColumns) -> TransposedLedger:
        ledger = TransposedLedger(facts, self._table.take(facts.flow("row")), self._now)
        ledger.gaps = self._recording.gaps.bounds
        return ledger


def derive(ledger: TransposedLedger, endings: NDArray[np.void]) -> None:
    """Derive how the flows ended."""
    for view in views(ledger, np.arange(ledger.flows)):
        conclude(endings[view.rows[0] : view.rows[-1] + 1], view)
