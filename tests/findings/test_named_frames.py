"""The frames that a message names are those of the column ``frames``, and every field is filled in; on every capture
at hand."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import analyzer
from analyzer.errors import TeardownError
from tests.captures import OWN, RECORDINGS, cases, public

NAMED = re.compile(r"\bframe \(?(\d+)|\bframes (\d+)(?: (?:to|and) (\d+))?")
UNFILLED = re.compile(r"\{[a-z_]+(?::\w*)?\}")
# Codes whose message leaves out frames that prove it, and which these are.
LEFT_OUT = {
    "TD103": "the acknowledgment of the FIN, and the first data after it where other data met the RST",
    "TD106": "of each leak the acknowledgment of the FIN",
    "TD107": "the last data that it sent half-closed",
    "TD201": "the acknowledgment that was lost, of which it says only that it passed",
    "TD202": "the acknowledgment that passed before the FIN was repeated",
    "TD205": "the acknowledgments of both FINs",
    "TD316": "the SYNs between the first and the last",
    "TD317": "the SYNs between the first and the last",
    "TD504": "the last frames of the first connection in TIME_WAIT and of those that reach the threshold and the peak",
    "TD401": "of each connection, the frame that ended it, where a value recurs",
    "TD502": "the last SYN, of which it says how many there were",
    "TD503": "both FINs",
}


def named(message: str) -> set[int]:
    """The frames in a message: "frame 8", "frames 8 to 11"."""
    return {int(number) for match in NAMED.finditer(message) for number in match.groups() if number}


def rows_of(path: Path) -> list[Any]:
    try:
        return list(analyzer.analyze(path).findings.itertuples())
    except TeardownError:
        return []


def check(rows: list[Any]) -> dict[str, set[bool]]:
    """Hold the messages against the frames; of each code, whether its messages name all of them."""
    whole: dict[str, set[bool]] = defaultdict(set)
    for row in rows:
        proofs = {int(number) for number in row.frames.split(";")}
        assert named(row.message) <= proofs, (row.code, row.message, row.frames)
        assert row.code in LEFT_OUT or named(row.message) == proofs, (row.code, row.message, row.frames)
        assert not UNFILLED.search(f"{row.message} {row.advice}"), (row.code, row.message, row.advice)
        whole[row.code].add(named(row.message) == proofs)
    return whole


def test_how_frames_are_named() -> None:
    assert named("frame 8 (frames 9 to 11, 12.5 ms apart; 43 bytes), frame 12 and 7 more, first frame (13)") == {
        8,
        9,
        11,
        12,
        13,
    }


def test_of_own_captures_and_recordings() -> None:
    whole: dict[str, set[bool]] = defaultdict(set)
    for path in [*OWN, *RECORDINGS]:
        for code, some in check(rows_of(path)).items():
            whole[code] |= some
    assert len(whole) > 30
    assert {code for code, some in whole.items() if False in some} <= LEFT_OUT.keys()


@pytest.mark.parametrize("path", [*public(), *cases()])
def test_of_what_others_captured(path: Path) -> None:
    check(rows_of(path))
