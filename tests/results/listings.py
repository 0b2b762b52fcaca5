"""Findings and endings as numbers, from rows such as those of ``sample``: what summary and files are made of."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from analyzer.findings import rules
from analyzer.findings.finding_columns import Findings
from analyzer.findings.wording import ROLES
from analyzer.results.finding_list import FindingList
from analyzer.results.overview import Overview
from analyzer.settings import Settings
from analyzer.text import Words
from analyzer.times import inner
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.vocabularies import CLOSERS, TEARDOWNS
from analyzer.units import UNKNOWN
from analyzer.vocabulary import CONFIDENCES

HOSTS = ["10.1.0.2", "10.1.0.3", "2001:db8::2", "2001:db8::1"]
TEXTS = ("message", "advice", "frames")
Entry = Mapping[str, Any]


class ByHand:
    """Stands in for RuleEngine."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.cannot_judge: list[Any] = []
        self._entries = sorted(entries, key=lambda entry: str((entry["code"], entry["severity"])))

    def of_rules(self) -> list[Findings]:
        groups = groupby(self._entries, lambda entry: (str(entry["code"]), entry["severity"]))
        return [findings(code, list(entries)) for (code, _), entries in groups]


def findings(code: str, entries: Sequence[Entry]) -> Findings:
    """Findings of one code and severity, their texts given."""
    rule = rules()[code]._replace(severity=entries[0]["severity"], message="{message}", advice="{advice}")
    columns = {
        "stream": [entry.get("stream", UNKNOWN) for entry in entries],
        "start": [0] * len(entries),
        "when": [inner(entry["time_epoch"]) if "time_epoch" in entry else UNKNOWN for entry in entries],
        "blamed": [[*ROLES, ""].index(entry.get("endpoint", "")) for entry in entries],
        "confidence": [CONFIDENCES.index(entry["confidence"]) for entry in entries],
    }
    for role in ROLES:
        hosts = [entry.get(f"{role}_ip") for entry in entries]
        columns[f"{role}_ip"] = [-1 if host is None else HOSTS.index(host) for host in hosts]
        columns[f"{role}_port"] = [entry.get(f"{role}_port", -1) for entry in entries]
    words = {name: tuple(str(entry.get(name, "")) for entry in entries) for name in TEXTS}
    words = {name if name == "frames" else f"= {name}": texts for name, texts in words.items()}
    columns |= {name: list(range(len(entries))) for name in words}
    return Findings(rule, {name: np.array(column, np.int64) for name, column in columns.items()}, words)


def listing(entries: Sequence[Entry], settings: Settings = Settings()) -> FindingList:  # noqa: B008 (it never changes)
    return FindingList(ByHand(entries), Words.of(HOSTS), settings, 0)  # type: ignore[arg-type]


def overview(flows: pd.DataFrame) -> Overview:
    """The counts of the rows of flows.csv."""
    endings = np.zeros(len(flows), ENDING)
    endings["server_ip"] = [HOSTS.index(str(host)) for host in flows["server_ip"]]
    endings["server_port"] = flows["server_port"]
    closers = flows["closed_by"].astype(object).fillna("")
    endings["closed_by"] = [CLOSERS.by_code.index(str(word)) for word in closers]
    endings["teardown"] = [TEARDOWNS.by_code.index(str(word)) for word in flows["teardown"]]
    endings["rst_cause"] = flows["rst_cause"].astype(object).fillna("").astype(str) != ""
    made = Overview()
    made.add(endings)
    return made
