"""A story read from its file, and whether a result tells it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

import analyzer
from analyzer.results.result import ResultTables
from analyzer.views.ladder import ladder_lines

HERE = Path(__file__).parent
SEVERITIES = ("info", "warning", "error")
KINDS = ("must", "must_not", "flow", "ladder", "table")
WIDE = 1000  # columns of a ladder, so that no sentence is broken


@dataclass(frozen=True)
class Clause:
    """One thing that has to hold of the report on a story."""

    story: str
    kind: str
    place: int
    words: dict[str, Any]

    @property
    def name(self) -> str:
        """What a test report calls it."""
        return f"{Path(self.story).stem}-{self.kind}-{self.words.get('code', self.place)}"


def stories() -> list[str]:
    """All stories, as paths from here without their endings."""
    return sorted(str(path.relative_to(HERE)).removesuffix(".story.toml") for path in HERE.glob("*/*.story.toml"))


@cache
def told(story: str) -> dict[str, Any]:
    """What stands in the story's file."""
    return tomllib.loads((HERE / f"{story}.story.toml").read_text("utf8"))


def capture_of(story: str) -> Path:
    """The story's capture."""
    (path,) = HERE.glob(f"{story}.pcap*")
    return path


def clauses() -> Iterator[Clause]:
    """Everything that stories ask for."""
    for story in stories():
        for kind in KINDS:
            for place, words in enumerate(told(story).get(kind, [])):
                yield Clause(story, kind, place, words)


@cache
def result_of(story: str) -> ResultTables:
    """The analysis of a story's capture, made once."""
    return analyzer.analyze(capture_of(story), keep_segments=True, **told(story).get("settings", {}))


def fault(clause: Clause) -> str:
    """What is wrong with the report on the story, empty where the clause holds."""
    return "; ".join(CHECKS[clause.kind](result_of(clause.story), clause.words))


def _must(result: ResultTables, words: dict[str, Any]) -> Iterator[str]:
    """Each stream of the clause has a finding that is as the clause says; without streams, any finding is."""
    findings = result.findings[result.findings["code"] == words["code"]]
    if findings.empty:
        yield f"{words['code']} was not found"
        return
    for stream in words.get("streams", [None]):
        mine = findings if stream is None else findings[findings["stream"] == stream]
        unlike = [list(_unlike(row, words)) for row in mine.to_dict("records")]
        if not unlike:
            yield f"{words['code']} was not found on stream {stream}"
        elif all(unlike):
            yield f"{words['code']}: " + ", ".join(min(unlike, key=len))


def _unlike(finding: dict[str, Any], words: dict[str, Any]) -> Iterator[str]:
    for column in ("endpoint", "severity", "confidence"):
        if column in words and finding[column] != words[column]:
            yield f"{column} is {finding[column]}, not {words[column]}"
    for column, key in (("message", "says"), ("advice", "advises")):
        for expression in words.get(key, ()):
            if not re.search(expression, finding[column]):
                yield f"no {expression!r} in {finding[column]!r}"


def _must_not(result: ResultTables, words: dict[str, Any]) -> Iterator[str]:
    findings = result.findings
    if "streams" in words:
        findings = findings[findings["stream"].isin(words["streams"])]
    for row in findings.to_dict("records"):
        if row["code"] in words.get("codes", ()):
            yield f"{row['code']} was found: {row['message']}"
        if "worse_than" in words and SEVERITIES.index(row["severity"]) > SEVERITIES.index(words["worse_than"]):
            yield f"{row['code']} is an {row['severity']}: {row['message']}"
        for column, key in (("message", "says"), ("advice", "advises")):
            for expression in words.get(key, ()):
                if re.search(expression, row[column]):
                    yield f"{expression!r} stands in {row[column]!r}"


def _flow(result: ResultTables, words: dict[str, Any]) -> Iterator[str]:
    expected = {column: value for column, value in words.items() if column != "streams"}
    for stream in words["streams"]:
        (row,) = result.flows[result.flows["stream"] == stream].to_dict("records")
        yield from _differences(f"stream {stream}", row, expected)


def _differences(place: str, row: dict[str, Any], expected: dict[str, Any]) -> Iterator[str]:
    for column, value in expected.items():
        if column not in row:
            yield f"{place}: there is no column {column}"
        elif not _same(row[column], value):
            yield f"{place}: {column} is {row[column]!r}, not {value!r}"


def _same(found: Any, expected: Any) -> bool:
    """Equal; an empty cell is an empty string, and a list of two numbers is a range."""
    if pd.isna(found):
        return bool(expected == "")
    if isinstance(expected, list):
        least, most = expected
        return bool(least <= found <= most)
    return bool(found == expected)


def _ladder(result: ResultTables, words: dict[str, Any]) -> Iterator[str]:
    text = "\n".join(line.plain for line in ladder_lines(result, words["stream"], WIDE))
    for expression in words.get("shows", ()):
        if not re.search(expression, text):
            yield f"no {expression!r} in the ladder"
    for expression in words.get("shows_not", ()):
        if found := re.search(f".*(?:{expression}).*", text):
            yield f"{expression!r} stands in the ladder: {found[0]!r}"


def _table(result: ResultTables, words: dict[str, Any]) -> Iterator[str]:
    rows = getattr(result, words["name"]).to_dict("records")
    for expected in words["has"]:
        if not any(not list(_differences("", row, expected)) for row in rows):
            yield f"no row of {words['name']} has {expected}"


CHECKS = {"must": _must, "must_not": _must_not, "flow": _flow, "ladder": _ladder, "table": _table}
