"""What the program says about public cases: the right answer, and none of the wrong ones."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tests.stories.built import BUILT
from tests.stories.played import PLAYED
from tests.stories.story import CHECKS, HERE, KINDS, Clause, capture_of, clauses, fault, stories, told

MOST_BYTES = 40_000
ALL = list(clauses())
KEYS = {
    "must": {"code", "streams", "endpoint", "severity", "confidence", "says", "advises"},
    "must_not": {"codes", "streams", "says", "advises", "worse_than"},
    "ladder": {"stream", "shows", "shows_not"},
    "table": {"name", "has"},
}


@pytest.mark.parametrize("clause", ALL, ids=lambda clause: clause.name)
def test_the_report_tells_the_story(clause: Clause) -> None:
    wrong = fault(clause)
    assert not wrong, f"{clause.story}: {wrong}"


@pytest.mark.parametrize("story", stories())
def test_a_story_is_whole(story: str) -> None:
    words = told(story)
    assert set(words) <= {"source", "happened", "packets", "settings", *KINDS}
    assert all(re.match("https?://", address) for address in words["source"])
    assert len(words["happened"].split()) > 10
    assert len(words["packets"].split()) > 3
    assert words["must"] or words["must_not"]
    assert 24 < capture_of(story).stat().st_size < MOST_BYTES
    for kind, allowed in KEYS.items():
        assert all(set(clause) <= allowed for clause in words.get(kind, ()))


def test_a_capture_has_its_story() -> None:
    captures = {re.sub(r"\.pcap.*$", "", str(path.relative_to(HERE))) for path in HERE.glob("*/*.pcap*")}
    assert captures == set(stories())


def test_no_story_is_missing() -> None:
    folders = [Path(story).parent.name for story in stories()]
    assert folders.count("threads") == 14  # thirteen, of which one was captured at both ends
    assert {Path(story).name for story in stories() if story.startswith("public/")} == {*PLAYED, *BUILT}


FINDING = {
    "code": "TD301",
    "severity": "warning",
    "confidence": "high",
    "stream": 3,
    "endpoint": "client",
    "message": "The client sent RST (frame 6).",
    "advice": "Suspect the application.",
}


@pytest.mark.parametrize(
    ("kind", "holds", "fails"),
    [
        ("must", {"code": "TD301"}, {"code": "TD302"}),
        ("must", {"code": "TD301", "streams": [3]}, {"code": "TD301", "streams": [3, 4]}),
        ("must", {"code": "TD301", "endpoint": "client"}, {"code": "TD301", "endpoint": "server"}),
        ("must", {"code": "TD301", "says": ["RST", "frame 6"]}, {"code": "TD301", "says": ["RST", "frame 7"]}),
        ("must", {"code": "TD301", "advises": ["^Suspect"]}, {"code": "TD301", "advises": ["strace"]}),
        ("must_not", {"codes": ["TD302"]}, {"codes": ["TD301"]}),
        ("must_not", {"says": ["FIN"]}, {"says": ["RST"]}),
        ("must_not", {"streams": [4], "says": ["RST"]}, {"streams": [3], "says": ["RST"]}),
        ("must_not", {"advises": ["path"]}, {"advises": ["application"]}),
        ("must_not", {"worse_than": "warning"}, {"worse_than": "info"}),
        ("flow", {"streams": [3], "turns": 2, "pending": ""}, {"streams": [3], "turns": 3}),
        ("flow", {"streams": [3], "since_data_s": [4.9, 5.1]}, {"streams": [3], "since_data_s": [5.1, 6]}),
        ("table", {"name": "flows", "has": [{"turns": 2}]}, {"name": "flows", "has": [{"turns": 2}, {"turns": 3}]}),
    ],
)
def test_a_clause_can_fail(kind: str, holds: dict[str, Any], fails: dict[str, Any]) -> None:
    flows = pd.DataFrame([{"stream": 3, "turns": 2, "pending": None, "since_data_s": 5.0}])
    result: Any = SimpleNamespace(findings=pd.DataFrame([FINDING]), flows=flows)
    assert not list(CHECKS[kind](result, holds))
    assert list(CHECKS[kind](result, fails))
