"""Finished flows: judged and counted in a background thread, and their rows kept.

Ordinary flows are judged at once. The others wait until there are many of their kind: the rules take nearly as long
for a hundred flows as for a thousand.
"""

from collections.abc import Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.recording import Recording
from analyzer.engine.departed_flows import DepartedFlows
from analyzer.engine.look import derive
from analyzer.findings.all_flows import KEPT
from analyzer.findings.engine import RuleEngine
from analyzer.flows.answers import answer_ttls
from analyzer.flows.row import FLOW
from analyzer.flows.wanted import WantedFlows
from analyzer.memory import copy_rows
from analyzer.results.finding_list import FindingList
from analyzer.results.further_tables import takers
from analyzer.results.notes import note_texts
from analyzer.results.overview import Overview
from analyzer.results.result import Analysed
from analyzer.results.source_summary import Summary
from analyzer.results.store import FlowStore, SpooledColumns
from analyzer.segments.addresses import AddressBook
from analyzer.settings import Settings
from analyzer.tcp.timers import timers_of
from analyzer.threads import BackgroundWorker
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.ordinary import ORDINARY, OTHER, REUSED
from analyzer.tracker.storage.transpose import OF_OTHER, OF_REUSED, ChosenColumns, LedgerColumns, TransposedLedger
from analyzer.tracker.track import Ended

JUDGED = {int(REUSED): (OF_REUSED, 8192), int(OTHER): (OF_OTHER, 4096)}  # what is asked of flows, how many at once
PARTS_AT_ONCE = 12  # of finished flows that wait to be taken in


class FinishedFlows:
    """What is reported of finished flows."""

    def __init__(
        self, settings: Settings, store: FlowStore, recording: Recording, wanted: WantedFlows | None = None
    ) -> None:
        self._settings, self._store, self._recording = settings, store, recording
        self._wanted = wanted  # whose timelines are kept, None: all
        self._rules, self._overview = RuleEngine(recording.frame_files.several), Overview()
        self._end = 0
        self._takers = takers(settings.keep_further)
        self._noted: dict[str, list[NDArray[np.void]]] = {name: [] for name in self._takers}
        self._waiting = {kind: WaitingFlows(*asked) for kind, asked in JUDGED.items()}
        self._columns = SpooledColumns(ENDING, KEPT, store.folder)  # of all flows
        self._worker = BackgroundWorker(self._enter, PARTS_AT_ONCE)

    def take(self, parts: Iterable[Ended], table: NDArray[np.void], end_ns: int) -> None:
        """Take in flows that ended; ``table`` is the flow table, ``end_ns`` when the capture ended, or how far it has
        got."""
        for ended in parts:
            if len(ended.endings) or ended.last:
                self._worker.submit((ended, table.take(ended.facts.flow("row")), end_ns))

    def analysed(
        self,
        book: AddressBook,
        end_ns: int,
        table: NDArray[np.void],
        hides: bool = False,
        whole: bool = False,
        departed: DepartedFlows | None = None,
    ) -> Analysed:
        """What there is to say of them; ``table`` is the flow table, ``hides`` tells that packets were not understood
        that may hold TCP, ``whole`` that these are all flows of the capture, ``departed`` which others left before."""
        self._worker.wait()
        self._rules.hides = hides
        self._rules.hosts.answer_ttls = partial(answer_ttls, table)
        for kind in self._waiting:
            self._judge(kind)
        began = self._overview.began
        self._rules.judge_capture(self._recording, self._settings, began)
        if whole:
            self._rules.hosts.column = self._columns.column
            self._rules.judge_all_flows(self._columns.column, self._recording, end_ns, self._settings, began, table)
            if self._settings.keeps_rows:
                self._store.amend(sorted(self._rules.amended), self._rules.amended_number)
        elif departed is not None:
            departed.judge(self._rules, self._columns.column, self._recording, end_ns, self._settings)
        addresses = book.words()
        timers = timers_of(self._settings)
        self._store.name(addresses, self._rules.combinations, note_texts(timers), self._recording.frame_files)
        listing = FindingList(self._rules, addresses, self._settings, end_ns, self._recording)
        summary = Summary(cannot_judge=listing.cannot_judge)
        return Analysed(
            self._store,
            self._overview,
            listing,
            summary,
            timers=timers,
            recording=self._recording,
            flow_table=table,
            end=end_ns,
            noted=self._noted,
        )

    def depart(self, departed: DepartedFlows, clock: int) -> None:
        """They leave at ``clock``, while the capture goes on."""
        departed.add(self._columns.column, clock)
        departed.both_ways |= bool(self._overview.both_ways)
        departed.one_way |= self._rules.one_way

    def let_go(self) -> None:
        """Nothing more comes. Its worker refers to it: without the worker its memory is free at once."""
        del self._worker

    def _enter(self, given: tuple[Ended, NDArray[np.void], int]) -> None:
        """Take in one part."""
        ended, table, self._end = given
        kind = ended.kind
        if kind == ORDINARY:
            self._overview.add(ended.endings)
            self._keep(ended.endings, ended.entries, ended.lengths)
            return
        if not self._waiting[kind].has_room(len(table)):
            self._judge(kind)
        if len(table):
            self._waiting[kind].add(ended, table)
        if ended.last:
            self._judge(int(REUSED))
            self._judge(int(OTHER), last=True)

    def _judge(self, kind: int, last: bool = False) -> None:
        """Judge the flows of a kind that wait."""
        waiting = self._waiting[kind]
        if not len(waiting):
            return
        ledger, endings = waiting.ledger(self._end), waiting.endings
        ledger.gaps = self._recording.gaps.bounds
        if kind == OTHER:
            derive(ledger, endings)
        self._overview.add(endings)
        endings["findings"] = self._rules.judge(
            ledger,
            self._settings,
            both_ways=self._overview.both_ways,
            last=last,
            first_time=self._overview.began,
        )
        for name, note in self._takers.items():
            self._noted[name].append(note(ledger, endings))
        done = 0
        for entries, lengths in waiting.timelines:
            self._keep(endings[done : done + len(lengths)], entries, lengths)
            done += len(lengths)
        waiting.clear()

    def _keep(self, endings: NDArray[np.void], entries: NDArray[np.void], lengths: NDArray[np.uint32]) -> None:
        """Keep the rows of some flows."""
        self._columns.append(endings)
        if not self._settings.keeps_rows:
            return
        if self._wanted is not None:
            mine = self._wanted.has(endings["stream"])
            entries = entries[np.repeat(mine, lengths)] if len(entries) else entries
            if self._settings.keep_stream is not None:
                endings, lengths = endings[mine], lengths[mine]
            else:
                lengths = np.where(mine, lengths, np.uint32(0))
        self._store.add(endings, entries, lengths)


class WaitingFlows:
    """Flows of one kind that wait for the rules, at most ``most`` of them, in memory that is used again and again."""

    def __init__(self, chosen: ChosenColumns, most: int) -> None:
        self._chosen, self._most, self._size, self._count = chosen, most, 0, 0
        self.timelines: list[tuple[NDArray[np.void], NDArray[np.uint32]]] = []

    def __len__(self) -> int:
        return self._count

    def has_room(self, flows: int) -> bool:
        """Whether so many more may wait; where none wait, as many as one likes."""
        return self._count == 0 or self._count + flows <= max(self._size, self._most)

    def add(self, ended: Ended, table: NDArray[np.void]) -> None:
        """Have some wait, for which there is room; ``table`` has their rows of the flow table."""
        begin, self._count = self._count, self._count + len(table)
        if self._count > self._size:
            self._make(max(self._count, self._most))
        self._ends[:, :, begin : self._count] = ended.facts.ends
        self._flows[:, begin : self._count] = ended.facts.flows
        self._signs[begin : self._count] = ended.facts.signs
        copy_rows(table, self._table[begin : self._count])
        copy_rows(ended.endings, self._endings[begin : self._count])
        self.timelines.append((ended.entries, ended.lengths))

    def _make(self, size: int) -> None:
        """Memory for ``size`` flows, where none has been used yet."""
        self._size = size
        self._ends = np.empty((len(self._chosen.ends), 2, size), np.int64)
        self._flows = np.empty((len(self._chosen.flows), size), np.int64)
        self._signs = np.empty(size, np.int64)
        self._table: NDArray[np.void] = np.empty(size, FLOW)
        self._endings: NDArray[np.void] = np.empty(size, ENDING)

    def ledger(self, end_ns: int) -> TransposedLedger:
        """What is known of them."""
        some = slice(self._count)
        facts = LedgerColumns(self._chosen, self._ends[:, :, some], self._flows[:, some], self._signs[some])
        return TransposedLedger(facts, self._table[: self._count], end_ns)

    @property
    def endings(self) -> NDArray[np.void]:
        """Their rows of ENDING."""
        return self._endings[: self._count]

    def clear(self) -> None:
        """None wait any more."""
        self._count, self.timelines = 0, []
