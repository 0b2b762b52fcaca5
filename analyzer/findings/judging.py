"""All rules over the ledger: who fires, what is superseded, how sure it is, and the table of findings.

Confidence is computed here from what a rule says its verdict rests on, never by the rule. Only rows that fire are
put into words, column by column.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings import words
from analyzer.findings.facts import gaps
from analyzer.findings.ordinary import ordinary
from analyzer.findings.rule import SEVERITIES, Bools, CannotJudge, Choice, Crowd, Rule, Verdict, rules
from analyzer.segments.addresses import AddressBook
from analyzer.settings import Settings
from analyzer.tracker.log import Basis
from analyzer.tracker.outcome import Ledger

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCES = ("high", "medium", "low")
HIGH, MEDIUM, LOW = range(3)
UNKNOWN = np.iinfo(np.int64).min
ROLES = np.array(["client", "server"], object)


@dataclass(frozen=True)
class Judgement:
    """``findings``: one row a finding with the contract's columns, in the order of time; ``time_epoch`` in ns, unknown
    numbers the smallest int64. ``flow_rows``: the flow of each finding, -1 for a crowd."""

    findings: "pd.DataFrame"
    flow_rows: NDArray[np.int64]
    cannot_judge: list[CannotJudge]

    def codes_of(self, rows: NDArray[np.int64]) -> list[str]:
        """The codes found about each of the flows ``rows``, joined by semicolons, "" for none."""
        codes: dict[int, list[str]] = {}
        for row, code in sorted({*zip(self.flow_rows.tolist(), self.findings["code"], strict=True)}):
            codes.setdefault(row, []).append(code)
        return [";".join(codes.get(row, [])) for row in rows.tolist()]


@dataclass(frozen=True)
class Addresses:
    """The texts of the address book, as an array to pick from."""

    texts: NDArray[Any]

    def endpoint(self, address: NDArray[Any], port: NDArray[Any]) -> NDArray[Any]:
        """``10.0.0.1:80``, ``[2001:db8::1]:443``; the port is left out where it is 0."""
        pairs = zip(self.texts[address], port, strict=True)
        return np.array([_endpoint(text, int(number)) for text, number in pairs], object)


def _endpoint(text: str, port: int) -> str:
    host = f"[{text}]" if ":" in text and port else text
    return f"{host}:{port}" if port else host


def judge(ledger: Ledger, book: AddressBook, settings: Settings) -> Judgement:
    """Apply every rule to ``ledger``, ordinary flows apart; ``book`` has the texts of its addresses."""
    import pandas as pd

    addresses = Addresses(np.array([*book.texts(), ""], object))
    kept_rows = np.flatnonzero(~ordinary(ledger, settings))
    everything, ledger = ledger, ledger.part(kept_rows)
    verdicts = {code: rule.judge(ledger, settings) for code, rule in rules().items()}
    fired = {code: _fires(verdict, ledger) for code, verdict in verdicts.items() if isinstance(verdict, Verdict)}
    parts = []
    for code, verdict in verdicts.items():
        rule = rules()[code]
        if isinstance(verdict, Crowd):
            parts.append(_crowd_table(rule, verdict, everything, addresses, settings))
        else:
            kept = fired[code] & _expand(~_superseded(code, fired, ledger.flows), fired[code])
            parts.append(_table(rule, verdict, kept, ledger, addresses, settings))
    findings = _ordered(pd.concat(parts, ignore_index=True))
    flow = findings.pop("flow").to_numpy(np.int64)
    rows = np.where(flow < 0, -1, np.append(kept_rows, -1)[flow])
    return Judgement(findings, rows, _not_judged(verdicts, fired, ledger))


def _fires(verdict: Verdict, ledger: Ledger) -> Bools:
    return np.asarray(verdict.fires & _expand(ledger.reported, verdict.fires))


def _expand(flows: Bools, like: Bools) -> Bools:
    return flows[:, None] if like.ndim == 2 else flows


def _by_flow(mask: Bools) -> Bools:
    return np.asarray(mask.any(axis=1)) if mask.ndim == 2 else mask


def _superseded(code: str, fired: dict[str, Bools], flows: int) -> Bools:
    """The flows on which a rule more exact than ``code`` fires."""
    hidden = np.zeros(flows, np.bool_)
    for other, mask in fired.items():
        if code in rules()[other].supersedes:
            hidden |= _by_flow(mask)
    return hidden


@dataclass(frozen=True)
class Rows:
    """The flows, and of each the endpoint, that a rule fires for."""

    flow: NDArray[np.int64]
    side: NDArray[np.int64]  # -1: nobody is blamed

    def pick(self, values: NDArray[Any] | Choice) -> NDArray[Any]:
        """Of an array of the ledger's shapes, the value for each row."""
        if isinstance(values, Choice):
            return np.asarray(np.array(values.words, object)[self.pick(values.codes)])
        if values.ndim == 0:
            return np.broadcast_to(values, len(self.flow))
        return np.asarray(values[self.flow, self.side] if values.ndim == 2 else values[self.flow])


def _rows(fires: Bools) -> Rows:
    places = np.nonzero(fires)
    side = places[1] if fires.ndim == 2 else np.full(len(places[0]), -1)
    return Rows(places[0], side)


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


def _table(
    rule: Rule, verdict: Verdict, fires: Bools, ledger: Ledger, addresses: Addresses, settings: Settings
) -> "pd.DataFrame":
    """The findings of one rule about flows."""
    import pandas as pd

    rows = _rows(fires)
    count = len(rows.flow)
    who = _who(rows, ledger, addresses)
    values = {name: rows.pick(column) for name, column in verdict.values.items()} | _thresholds(rule, settings)
    start = rows.pick(ledger.flow("first_time"))
    frames = [rows.pick(column) for column in verdict.frames]
    return pd.DataFrame(
        {
            "code": rule.code,
            "severity": rule.severity,
            **{name: who[name] for name in ("stream", "client_ip", "client_port", "server_ip", "server_port")},
            "endpoint": np.where(rows.side >= 0, who["role"], ""),
            "time_epoch": rows.pick(verdict.when).astype(np.int64),
            "frames": _frames(frames, count),
            "confidence": np.array(CONFIDENCES, object)[confidence(verdict, rows, gaps(ledger))],
            "message": words.sentences(rule.message, who | values, start, count).to_pylist(),
            "advice": words.sentences(rule.advice, who | values, start, count).to_pylist(),
            "flow": rows.flow,
        }
    )


def _who(rows: Rows, ledger: Ledger, addresses: Addresses) -> dict[str, NDArray[Any]]:
    """The columns and template fields that name the two endpoints of each row."""
    client = rows.pick(ledger.client)
    address, port = ledger.flow("address")[rows.flow], ledger.flow("port")[rows.flow].astype(np.int64)
    every = np.arange(len(client))
    blamed = np.where(rows.side >= 0, rows.side, client)
    role = ROLES[(blamed != client).astype(np.int64)]
    peer_role = ROLES[(blamed == client).astype(np.int64)]
    ends = [addresses.endpoint(address[:, side], port[:, side]) for side in (0, 1)]
    own = np.where(blamed == 0, *ends)
    other = np.where(blamed == 0, *reversed(ends))
    return {
        "stream": rows.pick(ledger.flow("stream")),
        "client_ip": addresses.texts[address[every, client]],
        "client_port": port[every, client],
        "server_ip": addresses.texts[address[every, 1 - client]],
        "server_port": port[every, 1 - client],
        "client": np.where(client == 0, *ends),
        "server": np.where(client == 0, *reversed(ends)),
        "role": role,
        "peer_role": peer_role,
        "blamed": role + " " + own,
        "peer": peer_role + " " + other,
        "blamed_at": own,
        "peer_at": other,
        "blamed_ip": addresses.texts[address[every, blamed]],
        "peer_ip": addresses.texts[address[every, 1 - blamed]],
        "port": port[every, 1 - client],
        "ss": _ss(blamed != client, port[every, 1 - client]),
    }


def _ss(server: Bools, port: NDArray[Any]) -> NDArray[Any]:
    """The filter that finds such sockets of the service on the blamed host with ``ss``."""
    number = port.astype(str).astype(object)
    return np.asarray(np.where(server, "'( sport = :", "'( dport = :").astype(object) + number + " )'")


def _thresholds(rule: Rule, settings: Settings) -> dict[str, NDArray[Any]]:
    return {name.removesuffix("_ns"): np.asarray(getattr(settings, name)) for name in rule.thresholds}


def _frames(columns: list[NDArray[Any]], count: int) -> list[str]:
    """The frame numbers of each row, each once, ascending, joined by semicolons."""
    table = np.sort(np.column_stack(columns), axis=1) if columns else np.zeros((count, 0), np.int64)
    again = np.zeros(table.shape, np.bool_)
    again[:, 1:] = table[:, 1:] == table[:, :-1]
    kept = [row[keep] for row, keep in zip(table, (table > 0) & ~again, strict=True)]
    return [";".join(map(str, row.tolist())) for row in kept]


def _crowd_table(rule: Rule, crowd: Crowd, ledger: Ledger, addresses: Addresses, settings: Settings) -> "pd.DataFrame":
    """The findings of one rule about crowds."""
    import pandas as pd

    count = len(crowd.address)
    nowhere = np.full(count, -1)
    other = crowd.other_address if crowd.other_address is not None else nowhere
    other_port = crowd.other_port if crowd.other_port is not None else np.zeros(count, np.int64)
    role = ROLES[crowd.server.astype(np.int64)]
    client, server = np.where(crowd.server, other, crowd.address), np.where(crowd.server, crowd.address, other)
    client_port, server_port = (
        np.where(crowd.server, *ports) for ports in ((other_port, crowd.port), (crowd.port, other_port))
    )
    who = {
        "blamed": role + " " + addresses.endpoint(crowd.address, crowd.port),
        "other": addresses.endpoint(other, other_port),
        "role": role,
        "blamed_ip": addresses.texts[crowd.address],
        "blamed_port": crowd.port,
    }
    values = who | dict(crowd.values) | _thresholds(rule, settings)
    start = np.full(count, ledger.flow("first_time").min() if ledger.flows else 0)
    return pd.DataFrame(
        {
            "code": rule.code,
            "severity": rule.severity,
            "stream": np.full(count, UNKNOWN),
            "client_ip": addresses.texts[client],
            "client_port": np.where(client_port > 0, client_port, UNKNOWN),
            "server_ip": addresses.texts[server],
            "server_port": np.where(server_port > 0, server_port, UNKNOWN),
            "endpoint": role,
            "time_epoch": crowd.when,
            "frames": [";".join(map(str, sorted(set(row)))) for row in crowd.frames],
            "confidence": np.array(CONFIDENCES, object)[crowd.confidence],
            "message": words.sentences(rule.message, values, start, count).to_pylist(),
            "advice": words.sentences(rule.advice, values, start, count).to_pylist(),
            "flow": nowhere,
        }
    )


def _ordered(findings: "pd.DataFrame") -> "pd.DataFrame":
    """In the order of time; at the same moment the gravest first."""
    rank = findings["severity"].map({word: place for place, word in enumerate(SEVERITIES)})
    order = np.lexsort((findings["code"], rank, findings["time_epoch"]))
    return findings.iloc[order].reset_index(drop=True)


def _not_judged(verdicts: dict[str, Verdict | Crowd], fired: dict[str, Bools], ledger: Ledger) -> list[CannotJudge]:
    """How many flows each rule could not judge, by reason."""
    told = []
    for code, mask in fired.items():
        verdict = verdicts[code]
        for reason, where in verdict.blind if isinstance(verdict, Verdict) else ():
            count = int((_by_flow(where) & ledger.reported & ~_by_flow(mask)).sum())
            told += [CannotJudge(code, reason, count)] if count else []
    return told
