"""All rules over the ledger, some flows after the other: who fires, what is superseded, how sure it is.

What is found is kept as numbers, a few columns for each rule (see finding_columns.py). How the flows are cut into
chunks changes nothing: what a rule says of a flow rests on that flow alone, and what rests on the whole capture (the
crowds, the capture's end, whether it shows both directions at all) waits for the last chunk. Rules about all flows,
ordinary ones included, are asked once those are all over.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.recording import Recording
from analyzer.errors import UnusableRule
from analyzer.findings.all_flows import AllFlows, CaptureFacts
from analyzer.findings.combinations import FoundAbout
from analyzer.findings.finding_columns import (
    BOTH,
    LOW,
    MEDIUM,
    NOBODY,
    SERVER,
    FindingColumns,
    Findings,
    crowd_columns,
    crowd_of_one,
    firing_rows,
    flow_columns,
)
from analyzer.findings.hosts import Hosts
from analyzer.findings.ledger_view import LedgerView, views
from analyzer.findings.loading import rules
from analyzer.findings.needs import Needs, meeting
from analyzer.findings.rule import DOUBT, Bools, CannotJudge, Crowd, Members, OfCapture, Rule, Verdict
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign
from analyzer.tracker.storage.transpose import ColumnNotKept

HIDDEN = "= hidden"  # the value of rules that say so where packets that were not understood may hold TCP
EVERY = "all"  # stands for a code where no rule can judge a flow
MIXED = (
    "their packets belong to more than one connection on the same addresses and ports, or contain the same exchange "
    "twice, as in merged files"
)


@dataclass
class FoundByRule:
    """What one rule has found so far, piece by piece."""

    pieces: list[FindingColumns] = field(default_factory=list)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unless_hidden: bool = False

    def settle(self) -> None:
        """Join the pieces."""
        if len(self.pieces) > 1:
            names = self.pieces[0]
            self.pieces = [{name: np.concatenate([piece[name] for piece in self.pieces]) for name in names}]


class RuleEngine:
    """Applies the rules to one capture and keeps what they find."""

    def __init__(self, several: bool = False) -> None:
        self._several = several  # captures: then it matters in which of them a frame is
        self.combinations = [""]  # codes found about one flow, joined by semicolons: by number
        self._numbers: dict[tuple[int, ...], int] = {}  # of each combination, as the places of its rules
        self._kept = {rule.key: FoundByRule() for rule in with_those_of_many()}
        self._not_judged: Counter[tuple[str, str]] = Counter()
        self._asked = int(reduce(or_, (rule.needs.signs for rule in rules().values()), Sign.OTHER_ENDING))
        self._both_ways = False  # whether any flow shows both directions
        self._one_way = False  # whether of any flow only one was captured
        self.amended: dict[int, tuple[frozenset[str], frozenset[str]]] = {}  # by stream: codes added and withdrawn
        self.hides = False  # whether packets were captured that may hold TCP and were not understood
        self.hosts = Hosts()  # what the whole capture tells of them

    def judge(
        self,
        ledger: Ledger,
        settings: Settings,
        *,
        both_ways: bool = False,
        last: bool = False,
        first_time: int = 0,
    ) -> NDArray[np.uint32]:
        """Apply the rules to a chunk of flows; the number of the combination of codes found about each, (flows,).

        Ordinary flows may be among them or not: no rule is given them. ``both_ways`` tells that some flow of the
        capture, here or elsewhere, shows both directions. The ``last`` chunk holds all flows with an endpoint in
        CLOSE_WAIT: crowds are looked for there, and their times count from ``first_time``, the capture's.
        """
        self._both_ways = self._both_ways or both_ways or ledger.both_ways
        about = FoundAbout(ledger.flows)
        for view in views(ledger, np.flatnonzero(ledger.signs & self._asked)):
            self._some(self._unmixed(view.of(np.flatnonzero(view.reported))), settings, about)
        if last:
            self.judge_crowds(ledger, settings, first_time)
        return self._numbered(about)

    def judge_capture(self, recording: Recording, settings: Settings, first_time: int) -> None:
        """Apply the rules about the capture itself, once it has been read; times count from ``first_time``."""
        for rule in rules().values():
            said = rule.judge(recording, settings) if rule.of_capture else None
            if isinstance(said, OfCapture):
                kept = self._kept[rule.key]
                kept.pieces.append(crowd_columns(crowd_of_one(said), kept.words, first_time))
                kept.pieces[-1]["blamed"][:] = NOBODY

    def judge_all_flows(
        self,
        column: Callable[[str], NDArray[Any]],
        recording: Recording,
        end_time: int,
        settings: Settings,
        began: int,
        table: NDArray[np.void] | None = None,
        only: Callable[[Rule], bool] = lambda rule: rule.of_all_flows,
    ) -> None:
        """Apply the rules about all flows, or ``only`` some of them, once each flow is over. ``column`` gives
        the columns of ENDING that are kept of them, ``began`` is when the capture began, ``table`` the flow table."""
        both = self._both_ways and not self._one_way
        flows = AllFlows(column, CaptureFacts(began, end_time, recording.gaps.bounds, both, self.hides), table)
        for rule in with_those_of_many():
            if only(rule):
                self._keep_crowd(rule, answer(rule, flows, settings), began)

    def hear_of(self, both_ways: bool, one_way: bool) -> None:
        """Of other flows: whether any shows both directions, and whether of any only one was captured."""
        self._both_ways, self._one_way = self._both_ways or both_ways, self._one_way or one_way

    @property
    def asked(self) -> int:
        """The signs (bits of Sign) of flows of which some rule may have something to say."""
        return self._asked

    @property
    def one_way(self) -> bool:
        """Whether of any flow only one direction was captured."""
        return self._one_way

    def of_rules(self) -> list[Findings]:
        """What each rule has found, in the order of the codes; rules that have found nothing left out. What is less
        grave than its rule is apart."""
        for found_by_rule in self._kept.values():
            found_by_rule.settle()
        kept = [(rule, self._kept[rule.key]) for rule in with_those_of_many()]
        found = [self._whole(rule, kept_of_rule) for rule, kept_of_rule in kept if kept_of_rule.pieces]
        return [part for whole in found for part in whole.by_severity()]

    def _whole(self, rule: Rule, kept: FoundByRule) -> Findings:
        """What a rule has found, with what only the whole capture tells."""
        columns, words = kept.pieces[0] | self._surely(kept), dict(kept.words)
        if rule.hindsight:
            address = np.where(columns["blamed"] == SERVER, columns["server_ip"], columns["client_ip"])
            values = {name[2:]: column for name, column in columns.items() if name.startswith("= ")}
            for name, value in rule.hindsight(address, values, self.hosts).items():
                columns[f"= {name}"], words[f"= {name}"] = value.codes, value.words
                if name == DOUBT:
                    columns["confidence"] = np.where(value.codes > 0, LOW, columns["confidence"]).astype(np.uint8)
        return Findings(rule, columns, words)

    @property
    def cannot_judge(self) -> list[CannotJudge]:
        """How many flows each rule could not judge, by reason."""
        order = [EVERY, *rules()]
        told = sorted(self._not_judged.items(), key=lambda entry: order.index(entry[0][0]))
        return [CannotJudge(code, reason, count) for (code, reason), count in told]

    def _surely(self, kept: FoundByRule) -> FindingColumns:
        """The confidence of what rests on the capture's showing both directions, now that all of it is known."""
        level, rests = (kept.pieces[0].get(name) for name in ("confidence", BOTH))
        if kept.unless_hidden and self.hides:
            return {"confidence": np.full_like(level, LOW), HIDDEN: np.ones_like(kept.pieces[0][HIDDEN])}
        if level is None or rests is None or (self._both_ways and not self._one_way):
            return {}
        return {
            "confidence": np.where(rests, np.maximum(level, LOW if self._one_way else MEDIUM), level).astype(np.uint8)
        }

    def _some(self, view: LedgerView, settings: Settings, about: FoundAbout) -> None:
        """Apply the rules to a few thousand flows; what they find is noted in ``about``, too."""
        self._one_way = self._one_way or bool(view.one_sided.any())
        self.hosts.add(view)
        fired: dict[str, FiringRule] = {}
        parts: dict[Needs, tuple[LedgerView, NDArray[np.intp]]] = {}
        alike: dict[bytes, LedgerView] = {}  # by the places of its flows: what was read of one part is not read again
        for place, rule in enumerate(rules().values()):
            if rule.needs not in parts:
                rows = meeting(view, rule.needs)
                same = alike.get(key := rows.tobytes())
                parts[rule.needs] = alike.setdefault(key, same or view.of(rows)), rows
            part, rows = parts[rule.needs]
            verdict = answer(rule, part, settings) if len(rows) and rule.of_flows else None
            if isinstance(verdict, Verdict):
                self._count_not_judged(rule, verdict)
                if verdict.fires.any():
                    fired[rule.code] = FiringRule(place, rule, verdict, part, rows[_by_flow(verdict.fires)])
        for entry in fired.values():
            hidden = _superseded(entry.rule, fired.values(), view.flows)
            about.note(entry.place, view.rows[entry.flows[~hidden[entry.flows]]])
            self._keep(entry, hidden)

    def _unmixed(self, view: LedgerView) -> LedgerView:
        """The flows that hold one connection each; of the others nothing is concluded, and that is said once."""
        mixed = int(view.mixed.sum())
        if mixed:
            self._not_judged[EVERY, MIXED] += mixed
        return view.of(np.flatnonzero(~view.mixed))

    def _count_not_judged(self, rule: Rule, verdict: Verdict) -> None:
        for reason, where in verdict.not_judged:
            count = int((_by_flow(where) & ~_by_flow(verdict.fires)).sum())
            if count:
                self._not_judged[rule.code, reason] += count

    def _keep(self, fired: "FiringRule", hidden: Bools) -> None:
        """Keep what a rule found of the flows that are not ``hidden``."""
        verdict, part = fired.verdict, fired.part
        shown = np.ones(part.flows, np.bool_)
        shown[_by_flow(verdict.fires)] = ~hidden[fired.flows]
        rows = firing_rows(verdict.fires & (shown[:, None] if verdict.fires.ndim == 2 else shown))
        if not len(rows.flow):
            return
        kept = self._kept[fired.rule.key]
        kept.unless_hidden = verdict.unless_hidden
        kept.pieces.append(flow_columns(verdict, rows, part, kept.words, self._several))

    def judge_crowds(self, ledger: Ledger, settings: Settings, first_time: int) -> None:
        """Apply the rules about crowds to all flows with an endpoint in CLOSE_WAIT, by stream."""
        waiting = np.flatnonzero((ledger.own("state") == State.CLOSE_WAIT).any(axis=1))
        waiting = waiting[np.argsort(ledger.flow("stream")[waiting], kind="stable")]
        view = LedgerView(ledger, waiting)
        for rule in rules().values():
            if rule.crowd and not rule.of_all_flows:
                self._keep_crowd(rule, answer(rule, view, settings), first_time)

    def _keep_crowd(self, rule: Rule, crowd: Verdict | Crowd, began: int) -> None:
        """Keep what a rule found of crowds."""
        if isinstance(crowd, Crowd) and len(crowd.address):
            kept = self._kept[rule.key]
            columns = crowd_columns(crowd, kept.words, began)
            if crowd.members:
                columns = self._unless_told(columns, crowd.members)
            if len(columns["when"]):
                kept.pieces.append(columns)
            if crowd.about:
                about = crowd.about
                self._withdraw(rule.supersedes, np.unique(np.concatenate([about.stream, about.partner])))
                for stream in about.stream.tolist():
                    added, withdrawn = self.amended[stream]
                    self.amended[stream] = added | {rule.code}, withdrawn

    def _unless_told(self, columns: FindingColumns, members: Members) -> FindingColumns:
        """The crowds that other findings do not tell of; what they replace is withdrawn."""
        told = [piece["stream"] for code in members.told_by for piece in self._kept[code].pieces]
        of = np.concatenate([np.zeros(0, np.int64), *told])
        left = np.array([2 * np.isin(streams, of).sum() <= len(streams) for streams in members.streams], np.bool_)
        for place in np.flatnonzero(left).tolist():
            if members.replaced[place]:
                self._withdraw(members.replaced[place], members.streams[place])
        return {name: column[left] for name, column in columns.items()}

    def _withdraw(self, codes: Iterable[str], streams: NDArray[np.int64]) -> None:
        """Take back what was found of some flows under these codes."""
        for code in codes:
            kept = self._kept.get(code, FoundByRule())
            kept.pieces = [_without(piece, streams) for piece in kept.pieces]
            kept.pieces = [piece for piece in kept.pieces if len(piece["when"])]
        for stream in streams.tolist():
            added, withdrawn = self.amended.get(stream, (frozenset(), frozenset()))
            self.amended[stream] = added, withdrawn.union(codes)

    def amended_number(self, stream: int, number: int) -> int:
        """The number of the combination of codes that are found of a flow in the end, where it was ``number`` before
        the rules about all flows were asked."""
        added, withdrawn = self.amended[stream]
        codes = ({*self.combinations[number].split(";")} - {""} - withdrawn) | added
        text = ";".join(sorted(codes))
        if text not in self.combinations:
            self.combinations.append(text)
        return self.combinations.index(text)

    def _numbered(self, about: FoundAbout) -> NDArray[np.uint32]:
        """The combinations by number, new ones added."""
        flows, of, distinct = about.combinations()
        for places in distinct:
            if places not in self._numbers:
                self._numbers[places] = len(self.combinations)
                codes = list(rules())
                self.combinations.append(";".join(codes[place] for place in places))
        number = np.zeros(about.flows, np.uint32)
        number[flows] = np.array([self._numbers[places] for places in distinct], np.uint32)[of]
        return number


def with_those_of_many() -> Iterable[Rule]:
    """All rules, in the order of the codes; what one says of many flows besides stands behind it."""
    return (each for rule in rules().values() for each in (rule, rule.of_many) if each)


class FiringRule(NamedTuple):
    """A rule, by its place too, that fires for some flows of ``part``; ``flows`` are their places in the whole view."""

    place: int
    rule: Rule
    verdict: Verdict
    part: LedgerView
    flows: NDArray[np.intp]


def answer(rule: Rule, view: LedgerView | AllFlows, settings: Settings) -> Verdict | Crowd:
    """What a rule says of some flows. Raises UnusableRule where it reads what is not kept, or answers otherwise than it
    declares."""
    try:
        said = rule.judge(view, settings)
    except ColumnNotKept as error:
        raise UnusableRule(f"{rule.code} {rule.name}: judge reads {error}, which is not kept for rules") from error
    if not isinstance(said, Crowd if rule.crowd else Verdict):
        raise UnusableRule(f"{rule.code} {rule.name}: judge answers with {type(said).__name__}, not as it declares")
    if isinstance(said, Verdict) and not _fits(said, view):
        raise UnusableRule(f"{rule.code} {rule.name}: fires must have the shape (flows,) or (flows, 2)")
    return said


def _fits(said: Verdict, view: LedgerView | AllFlows) -> bool:
    return isinstance(view, LedgerView) and said.fires.shape in ((view.flows,), (view.flows, 2))


def _without(piece: FindingColumns, streams: NDArray[np.int64]) -> FindingColumns:
    """What was found, that of some streams left out."""
    kept = ~np.isin(piece["stream"], streams)
    return {name: column[kept] for name, column in piece.items()}


def _by_flow(mask: Bools) -> Bools:
    return np.asarray(mask[:, 0] | mask[:, 1]) if mask.ndim == 2 else mask


def _superseded(rule: Rule, fired: Iterable[FiringRule], flows: int) -> Bools:
    """The flows on which a rule more exact than ``rule`` fires."""
    hidden = np.zeros(flows, np.bool_)
    for other in fired:
        if rule.code in other.rule.supersedes:
            hidden[other.flows] = True
    return hidden
