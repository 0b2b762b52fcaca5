"""All rules over the ledger, some flows after the other: who fires, what is superseded, how sure it is.

What is found is kept as numbers, a few columns for each rule; sentences are made of them when they are written (see
words.py). How the flows are cut into chunks changes nothing: what a rule says of a flow rests on that flow alone, and
what rests on the whole capture (the crowds, the capture's end, whether it shows both directions at all) waits for
the last chunk. Confidence is computed here from what a rule says its verdict rests on, never by the rule.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import gaps
from analyzer.findings.in_files import deciding
from analyzer.findings.ordinary import Kind, kinds
from analyzer.findings.rule import Bools, CannotJudge, Choice, Crowd, Hosts, OfCapture, Rule, Verdict, rules
from analyzer.findings.view import View, views
from analyzer.readers.recording import Recording
from analyzer.settings import Settings
from analyzer.tracker.log import Basis
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.transitions import State

CONFIDENCES = ("high", "medium", "low")
HIGH, MEDIUM, LOW = range(3)
UNKNOWN = np.iinfo(np.int64).min
CLIENT, SERVER, NOBODY = range(3)  # whom a finding blames
HIDDEN = "= hidden"  # the value of rules that say so where packets that were not understood may hold TCP
EVERY = "all"  # stands for a code where no rule can judge a flow
MIXED = (
    "the packets of these connections are of more than one connection on the same addresses and ports, or the same "
    "exchange is there twice, as in files put together"
)
OLDER = "old_seen"  # this column says that there was an older flow on the tuple
BOTH = "both directions"  # and this one of findings what rests on the capture's showing both directions

Columns = dict[str, NDArray[Any]]


@dataclass
class Findings:
    """The findings of one rule as columns of one length, in the order in which they were judged.

    ``stream`` (UNKNOWN of a crowd), ``start`` (first time of the flow, or of the capture) and ``when`` in ns;
    ``blamed``, CLIENT, SERVER or NOBODY; ``client_ip``, ``server_ip`` (rows of the address book) and ``client_port``,
    ``server_port``, each -1 where it does not apply; ``confidence``, a place in CONFIDENCES; ``frame_0`` and so on,
    ascending, each once, 0 before the first; and ``= name`` for each value of the templates. ``words`` are those of
    the columns that are codes. Of several captures there is ``decides``, the frame that passed at ``when``.
    """

    rule: Rule
    columns: Columns
    words: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.columns["when"])


@dataclass
class Kept:
    """What one rule has found so far, piece by piece."""

    pieces: list[Columns] = field(default_factory=list)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unless_hidden: bool = False

    def settle(self) -> None:
        """Join the pieces."""
        if len(self.pieces) > 1:
            names = self.pieces[0]
            self.pieces = [{name: np.concatenate([piece[name] for piece in self.pieces]) for name in names}]


class Found:
    """The findings of one analysis."""

    def __init__(self, several: bool = False) -> None:
        self._several = several  # captures: then it matters in which of them a frame is
        self.combinations = [""]  # codes found about one flow, joined by semicolons: by number
        self._numbers: dict[int, int] = {0: 0}  # of each combination, as bits
        self._kept = {code: Kept() for code in rules()}
        self._blind: Counter[tuple[str, str]] = Counter()
        self._both_ways = False  # whether any flow shows both directions
        self._one_way = False  # whether of any flow only one was captured
        self.hides = False  # whether packets were captured that may hold TCP and were not understood
        self.hosts: Hosts = lambda addresses: {}  # what the whole capture tells of hosts

    def judge(
        self,
        ledger: Ledger,
        settings: Settings,
        *,
        known: NDArray[np.uint8] | None = None,
        both_ways: bool = False,
        last: bool = False,
        first_time: int = 0,
    ) -> NDArray[np.uint32]:
        """Apply the rules to a chunk of flows; the number of the combination of codes found about each, (flows,).

        ``known`` is the Kind of each flow, if somebody knows it already. ``both_ways`` tells that some flow of the
        capture, here or elsewhere, shows both directions. The ``last`` chunk holds all flows with an endpoint in
        CLOSE_WAIT: crowds are looked for there, and their times count from ``first_time``, the capture's.
        """
        self._both_ways = self._both_ways or both_ways or ledger.both_ways
        kind = kinds(ledger, settings) if known is None else known
        bits = np.zeros(ledger.flows, np.int64)
        every = list(enumerate(rules().values()))
        older = [(place, rule) for place, rule in every if rule.needs == (OLDER,)]
        for looking, which in ((Kind.REUSED, older), (Kind.TELLING, every)):
            for view in views(ledger, np.flatnonzero(kind == looking)):
                view = self._unmixed(view.of(np.flatnonzero(view.reported)))
                bits[view.rows] = self._some(view, which, settings)
        if last:
            self._crowds(ledger, settings, first_time)
        return self._numbered(bits)

    def judge_capture(self, recording: Recording, settings: Settings, first_time: int) -> None:
        """Apply the rules about the capture itself, once it has been read; times count from ``first_time``."""
        for rule in rules().values():
            said = rule.judge(recording, settings) if rule.of_capture else None
            if isinstance(said, OfCapture):
                kept = self._kept[rule.code]
                kept.pieces.append(_crowd_columns(kept, _alone(said), first_time))
                kept.pieces[-1]["blamed"][:] = NOBODY

    def of_rules(self) -> list[Findings]:
        """What each rule has found, in the order of the codes; rules that have found nothing left out."""
        for kept in self._kept.values():
            kept.settle()
        return [self._whole(rules()[code], kept) for code, kept in self._kept.items() if kept.pieces]

    def _whole(self, rule: Rule, kept: Kept) -> Findings:
        """What a rule has found, with what only the whole capture tells."""
        columns, words = kept.pieces[0] | self._surely(kept), dict(kept.words)
        if rule.hindsight:
            address = np.where(columns["blamed"] == SERVER, columns["server_ip"], columns["client_ip"])
            values = {name[2:]: column for name, column in columns.items() if name.startswith("= ")}
            for name, value in rule.hindsight(address, values, self.hosts).items():
                columns[f"= {name}"], words[f"= {name}"] = value.codes, value.words
        return Findings(rule, columns, words)

    @property
    def cannot_judge(self) -> list[CannotJudge]:
        """How many flows each rule could not judge, by reason."""
        order = [EVERY, *rules()]
        told = sorted(self._blind.items(), key=lambda entry: order.index(entry[0][0]))
        return [CannotJudge(code, reason, count) for (code, reason), count in told]

    def _surely(self, kept: Kept) -> Columns:
        """The confidence of what rests on the capture's showing both directions, now that all of it is known."""
        level, rests = (kept.pieces[0].get(name) for name in ("confidence", BOTH))
        if kept.unless_hidden and self.hides:
            return {"confidence": np.full_like(level, LOW), HIDDEN: np.ones_like(kept.pieces[0][HIDDEN])}
        if level is None or rests is None or (self._both_ways and not self._one_way):
            return {}
        return {
            "confidence": np.where(rests, np.maximum(level, LOW if self._one_way else MEDIUM), level).astype(np.uint8)
        }

    def _some(self, view: View, which: Sequence[tuple[int, Rule]], settings: Settings) -> NDArray[np.int64]:
        """Apply the rules ``which`` to a few thousand flows: the rules that found something of each, as bits."""
        self._one_way = self._one_way or bool(view.one_sided.any())
        fired: dict[str, Fired] = {}
        parts: dict[tuple[str, ...], tuple[View, NDArray[np.intp]]] = {}
        for place, rule in which:
            part, rows = parts.get(rule.needs) or parts.setdefault(rule.needs, _needed(view, rule.needs))
            verdict = rule.judge(part, settings) if len(rows) and rule.of_flows else None
            if isinstance(verdict, Verdict):
                self._count_blind(rule, verdict)
                if verdict.fires.any():
                    fired[rule.code] = Fired(place, rule, verdict, part, rows[_by_flow(verdict.fires)])
        bits = np.zeros(view.flows, np.int64)
        for entry in fired.values():
            self._keep(entry, _superseded(entry.rule, fired.values(), view.flows), bits)
        return bits

    def _unmixed(self, view: View) -> View:
        """The flows that hold one connection each; of the others nothing is concluded, and that is said once."""
        mixed = int(view.mixed.sum())
        if mixed:
            self._blind[EVERY, MIXED] += mixed
        return view.of(np.flatnonzero(~view.mixed))

    def _count_blind(self, rule: Rule, verdict: Verdict) -> None:
        for reason, where in verdict.blind:
            count = int((_by_flow(where) & ~_by_flow(verdict.fires)).sum())
            if count:
                self._blind[rule.code, reason] += count

    def _keep(self, fired: "Fired", hidden: Bools, bits: NDArray[np.int64]) -> None:
        """Keep what a rule found of the flows that are not ``hidden``."""
        bits[fired.flows[~hidden[fired.flows]]] |= 1 << fired.place
        verdict, part = fired.verdict, fired.part
        shown = np.ones(part.flows, np.bool_)
        shown[_by_flow(verdict.fires)] = ~hidden[fired.flows]
        rows = _rows(verdict.fires & (shown[:, None] if verdict.fires.ndim == 2 else shown))
        if not len(rows.flow):
            return
        kept = self._kept[fired.rule.code]
        kept.unless_hidden = verdict.unless_hidden
        both = {} if verdict.both_directions is None else {BOTH: rows.pick(verdict.both_directions)}
        proof = [rows.pick(column) for column in verdict.frames]
        when = rows.pick(verdict.when).astype(np.int64)
        decides = {"decides": deciding(when, proof, rows.flow, part)} if self._several else {}
        values = {f"= {name}": rows.pick(_plain(kept, name, value)) for name, value in verdict.values.items()}
        level = confidence(verdict, rows, gaps(part)).astype(np.uint8)
        kept.pieces.append(
            {
                **_who(rows, part),
                "start": rows.pick(part.flow("first_time")),
                "when": when,
                "confidence": level,
                **both,
                **_frames(proof),
                **decides,
                **values,
            }
        )

    def _crowds(self, ledger: Ledger, settings: Settings, first_time: int) -> None:
        """Apply the rules about crowds to all flows with an endpoint in CLOSE_WAIT, by stream."""
        waiting = np.flatnonzero((ledger.own("state") == State.CLOSE_WAIT).any(axis=1))
        waiting = waiting[np.argsort(ledger.flow("stream")[waiting], kind="stable")]
        view = View(ledger, waiting)
        for rule in rules().values():
            crowd = rule.judge(view, settings) if rule.crowd else None
            if isinstance(crowd, Crowd) and len(crowd.address):
                kept = self._kept[rule.code]
                kept.pieces.append(_crowd_columns(kept, crowd, first_time))

    def _numbered(self, bits: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The combinations by number, new ones added."""
        number = np.zeros(len(bits), np.uint32)
        some = np.flatnonzero(bits)
        distinct, place = np.unique(bits[some], return_inverse=True)
        for mask in distinct.tolist():
            if mask not in self._numbers:
                self._numbers[mask] = len(self.combinations)
                codes = [code for place, code in enumerate(rules()) if mask >> place & 1]
                self.combinations.append(";".join(codes))
        number[some] = np.array([self._numbers[mask] for mask in distinct.tolist()], np.uint32)[place]
        return number


class Fired(NamedTuple):
    """A rule, by its place too, that fires for some flows of ``part``; ``flows`` are their places in the whole view."""

    place: int
    rule: Rule
    verdict: Verdict
    part: View
    flows: NDArray[np.intp]


def _needed(view: View, needs: tuple[str, ...]) -> tuple[View, NDArray[np.intp]]:
    """The flows of which a rule with these needs may have something to say, and their places."""
    needed = np.zeros(view.flows, np.bool_)
    for name in needs:
        column = view.flow(name) if name == OLDER else view.own(name)
        needed |= _by_flow(column != 0)
    rows = np.flatnonzero(needed)
    return view.of(rows), rows


def _by_flow(mask: Bools) -> Bools:
    return np.asarray(mask[:, 0] | mask[:, 1]) if mask.ndim == 2 else mask


def _superseded(rule: Rule, fired: Iterable[Fired], flows: int) -> Bools:
    """The flows on which a rule more exact than ``rule`` fires."""
    hidden = np.zeros(flows, np.bool_)
    for other in fired:
        if rule.code in other.rule.supersedes:
            hidden[other.flows] = True
    return hidden


class Rows(NamedTuple):
    """The flows, and of each the endpoint, that a rule fires for."""

    flow: NDArray[np.intp]
    side: NDArray[np.int64]  # -1: nobody is blamed

    def pick(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of an array of the ledger's shapes, the value for each row."""
        if values.ndim == 0:
            return np.full(len(self.flow), values)
        return np.asarray(values[self.flow, self.side] if values.ndim == 2 else values[self.flow])


def _rows(fires: Bools) -> Rows:
    if fires.ndim == 1:
        flow = np.flatnonzero(fires)
        return Rows(flow, np.full(len(flow), -1))
    place = np.flatnonzero(fires)
    return Rows(place >> 1, place & 1)


def confidence(verdict: Verdict, rows: Rows, missing: Bools) -> NDArray[np.int64]:
    """Places in CONFIDENCES; ``missing`` are the flows with gaps, shape (flows,)."""
    level = np.full(len(rows.flow), HIGH)
    lost = rows.pick(missing)
    for basis in verdict.rests_on:
        level[rows.pick(basis) > Basis.PROVEN] = MEDIUM
    if not verdict.certain:
        level[lost] = LOW if verdict.absence else MEDIUM
    if verdict.unsure is not None:
        level = np.maximum(level, np.where(rows.pick(verdict.unsure), MEDIUM, HIGH))
    if verdict.doubt is not None:
        level[rows.pick(verdict.doubt)] = LOW
    return level


def _plain(kept: Kept, name: str, value: NDArray[Any] | Choice) -> NDArray[Any]:
    """The numbers of a value; its words are kept once."""
    if not isinstance(value, Choice):
        return value
    kept.words[f"= {name}"] = value.words
    return value.codes


def _who(rows: Rows, ledger: View) -> Columns:
    """The columns that name the two endpoints of each row, and whom it blames."""
    client = ledger.client[rows.flow]
    server = 1 - client
    address, port = ledger.flow("address"), ledger.flow("port")
    return {
        "stream": rows.pick(ledger.flow("stream").astype(np.int64)),
        "client_ip": address[rows.flow, client],
        "server_ip": address[rows.flow, server],
        "client_port": port[rows.flow, client].astype(np.int32),
        "server_port": port[rows.flow, server].astype(np.int32),
        "blamed": np.where(rows.side < 0, NOBODY, rows.side ^ client).astype(np.uint8),
    }


def _frames(columns: list[NDArray[Any]]) -> Columns:
    """The frame numbers of each row ascending, each once, zeros before them."""
    if all((low < high).all() for low, high in pairwise(columns)):
        return {f"frame_{place}": column.astype(np.uint32) for place, column in enumerate(columns)}
    table = np.sort(np.stack(columns, axis=1).astype(np.uint32), axis=1)
    again = table[:, 1:] == table[:, :-1]
    if again.any():
        table[:, :-1][again] = 0
        table.sort(axis=1)
    return {f"frame_{place}": table[:, place].copy() for place in range(table.shape[1])}


def _alone(said: OfCapture) -> Crowd:
    """The same as what is said of a crowd of one that has no address."""
    values = said.values.items()
    return Crowd(
        address=np.array([-1]),
        port=np.zeros(1, np.int64),
        server=np.zeros(1, np.bool_),
        when=np.array([said.when], np.int64),
        frames=[said.frames],
        confidence=np.array([HIGH]),
        values={name: np.array([value], object if isinstance(value, str) else np.int64) for name, value in values},
        decides=[said.decides],
    )


def _crowd_columns(kept: Kept, crowd: Crowd, first_time: int) -> Columns:
    """The findings of one rule about crowds as the same columns; what differs from row to row as words."""
    count, server = len(crowd.address), crowd.server
    other = crowd.other_address if crowd.other_address is not None else np.full(count, -1)
    other_port = crowd.other_port if crowd.other_port is not None else np.zeros(count, np.int64)
    own_port, other_port = (np.where(port > 0, port, -1).astype(np.int32) for port in (crowd.port, other_port))
    texts = {f"= {name}": value for name, value in crowd.values.items() if value.dtype == object}
    texts["frames"] = np.array([";".join(map(str, sorted(set(row)))) for row in crowd.frames], object)
    kept.words.update({name: tuple(value) for name, value in texts.items()})
    return {
        "stream": np.full(count, UNKNOWN),
        "client_ip": np.where(server, other, crowd.address).astype(np.int32),
        "server_ip": np.where(server, crowd.address, other).astype(np.int32),
        "client_port": np.where(server, other_port, own_port),
        "server_port": np.where(server, own_port, other_port),
        "blamed": np.where(server, SERVER, CLIENT).astype(np.uint8),
        "start": np.full(count, first_time),
        "when": crowd.when,
        "confidence": crowd.confidence.astype(np.uint8),
        **{f"= {name}": value for name, value in crowd.values.items() if f"= {name}" not in texts},
        **{name: np.arange(count) for name in texts},
        "decides": np.array(crowd.decides or [max(row, default=0) for row in crowd.frames], np.int64),
    }
