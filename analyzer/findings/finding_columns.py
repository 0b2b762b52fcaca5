"""What a rule has found as columns of numbers, with how sure it is: what a rule answers becomes these.

Sentences are made of them only when they are written. Confidence is computed here from what a rule says its verdict
rests on, never by the rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.deciding_frame import deciding_frame
from analyzer.findings.facts import gaps
from analyzer.findings.ledger_view import LedgerView
from analyzer.findings.rule import Bools, Choice, Crowd, OfCapture, Rule, Verdict
from analyzer.tcp.evidence import Basis
from analyzer.units import UNKNOWN
from analyzer.vocabulary import INFO

HIGH, MEDIUM, LOW = range(3)
CLIENT, SERVER, NOBODY = range(3)  # whom a finding blames

BOTH = "both directions"  # the column of what rests on the capture's showing both directions
PARTNER = "partner"  # the column of the other stream of findings about two streams that are one connection
MILD = "info"  # the column of what is only worth knowing, where a rule tells that of some of its findings

FindingColumns = dict[str, NDArray[Any]]


@dataclass
class Findings:
    """The findings of one rule, of one severity, as columns of one length, in the order in which they were judged.

    ``stream`` (UNKNOWN of a crowd), ``start`` (first time of the flow, or of the capture) and ``when`` in ns;
    ``blamed``, CLIENT, SERVER or NOBODY; ``client_ip``, ``server_ip`` (rows of the address book) and ``client_port``,
    ``server_port``, each -1 where it does not apply; ``confidence``, a place in CONFIDENCES; ``frame_0`` and so on,
    ascending, each once, 0 before the first; and ``= name`` for each value of the templates. ``words`` are those of
    the columns that are codes. Of several captures there is ``decides``, the frame that passed at ``when``.
    """

    rule: Rule
    columns: FindingColumns
    words: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.columns["when"])

    def by_severity(self) -> list["Findings"]:
        """Those of the rule's severity and those that are only worth knowing apart, as of two rules."""
        if MILD not in self.columns:
            return [self]
        mild = np.asarray(self.columns[MILD], np.bool_)
        parts = ((self.rule, ~mild), (self.rule._replace(severity=INFO), mild))
        return [Findings(rule, _some(self.columns, rows), self.words) for rule, rows in parts if rows.any()]


def _some(columns: FindingColumns, rows: Bools) -> FindingColumns:
    """Some of the rows of what a rule has found."""
    return {name: column[rows] for name, column in columns.items() if name != MILD}


class FiringRows(NamedTuple):
    """The flows, and of each the endpoint, that a rule fires for."""

    flow: NDArray[np.intp]
    side: NDArray[np.int64]  # -1: nobody is blamed

    def pick(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of an array of the ledger's shapes, the value for each row."""
        if values.ndim == 0:
            return np.full(len(self.flow), values)
        return np.asarray(values[self.flow, self.side] if values.ndim == 2 else values[self.flow])


def firing_rows(fires: Bools) -> FiringRows:
    if fires.ndim == 1:
        flow = np.flatnonzero(fires)
        return FiringRows(flow, np.full(len(flow), -1))
    place = np.flatnonzero(fires)
    return FiringRows(place >> 1, place & 1)


def confidence(verdict: Verdict, rows: FiringRows, missing: Bools) -> NDArray[np.int64]:
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


def flow_columns(
    verdict: Verdict, rows: FiringRows, view: LedgerView, words: dict[str, tuple[str, ...]], several: bool
) -> FindingColumns:
    """The findings of one rule about the flows ``rows`` of ``view``. The words of values are put into ``words`` once;
    ``several`` captures were given: then it matters in which of them a frame is."""
    proof = [rows.pick(column) for column in verdict.frames]
    when = rows.pick(verdict.when).astype(np.int64)
    values = {f"= {name}": rows.pick(_numbers(name, value, words)) for name, value in verdict.values.items()}
    level = confidence(verdict, rows, gaps(view)).astype(np.uint8)
    return {
        **_who(rows, view),
        "start": rows.pick(view.flow("first_time")),
        "when": when,
        "confidence": level,
        **({} if verdict.both_directions is None else {BOTH: rows.pick(verdict.both_directions)}),
        **({} if verdict.info is None else {MILD: rows.pick(verdict.info)}),
        **_frames(proof),
        **({"decides": deciding_frame(when, proof, rows.flow, view)} if several else {}),
        **values,
    }


def _numbers(name: str, value: NDArray[Any] | Choice, words: dict[str, tuple[str, ...]]) -> NDArray[Any]:
    """The numbers of a value; its words are put into ``words``."""
    if not isinstance(value, Choice):
        return value
    words[f"= {name}"] = value.words
    return value.codes


def _who(rows: FiringRows, ledger: LedgerView) -> FindingColumns:
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


def _frames(columns: list[NDArray[Any]]) -> FindingColumns:
    """The frame numbers of each row ascending, each once, zeros before them."""
    if all((low < high).all() for low, high in pairwise(columns)):
        return {f"frame_{place}": column.astype(np.uint32) for place, column in enumerate(columns)}
    table = np.sort(np.stack(columns, axis=1).astype(np.uint32), axis=1)
    again = table[:, 1:] == table[:, :-1]
    if again.any():
        table[:, :-1][again] = 0
        table.sort(axis=1)
    return {f"frame_{place}": table[:, place].copy() for place in range(table.shape[1])}


def crowd_of_one(said: OfCapture) -> Crowd:
    """What is said of the capture as if it were said of a crowd of one that has no address."""
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


def crowd_columns(crowd: Crowd, words: dict[str, tuple[str, ...]], first_time: int) -> FindingColumns:
    """The findings of one rule about crowds as the same columns; texts that differ from row to row are put into
    ``words``."""
    count, server = len(crowd.address), crowd.server
    other = crowd.other_address if crowd.other_address is not None else np.full(count, -1)
    other_port = crowd.other_port if crowd.other_port is not None else np.zeros(count, np.int64)
    own_port, other_port = (np.where(port > 0, port, -1).astype(np.int32) for port in (crowd.port, other_port))
    texts = {f"= {name}": value for name, value in crowd.values.items() if value.dtype == object}
    texts["frames"] = np.array([";".join(map(str, sorted(set(row)))) for row in crowd.frames], object)
    words.update({name: tuple(value) for name, value in texts.items()})
    return {
        "stream": np.full(count, UNKNOWN) if crowd.about is None else crowd.about.stream,
        **({} if crowd.about is None else {PARTNER: crowd.about.partner}),
        "client_ip": np.where(server, other, crowd.address).astype(np.int32),
        "server_ip": np.where(server, crowd.address, other).astype(np.int32),
        "client_port": np.where(server, other_port, own_port),
        "server_port": np.where(server, own_port, other_port),
        "blamed": (np.where(server, SERVER, CLIENT) if crowd.about is None else np.full(count, NOBODY)).astype(
            np.uint8
        ),
        "start": np.full(count, first_time) if crowd.about is None else crowd.about.start,
        "when": crowd.when,
        "confidence": crowd.confidence.astype(np.uint8),
        **({} if crowd.info is None else {MILD: crowd.info}),
        **{f"= {name}": value for name, value in crowd.values.items() if f"= {name}" not in texts},
        **{name: np.arange(count) for name in texts},
        "decides": np.array(crowd.decides or [max(row, default=0) for row in crowd.frames], np.int64),
    }
