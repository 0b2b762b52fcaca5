"""The program's states against kernels that another recorder listened to, where its recordings are at hand."""

from __future__ import annotations

import pytest

from tests.lab import cases, conduct
from tests.lab.score import TAPS, WRONG

pytestmark = pytest.mark.skipif(bool(cases.missing()), reason=cases.missing() or "they are")


def test_every_case_there_is_has_a_scene_of_our_own() -> None:
    assert {folder.name for folder in cases.FOLDER.iterdir() if folder.is_dir()} == set(cases.SAME_AS)


@pytest.mark.parametrize("case", cases.SAME_AS)
def test_their_kernels_went_the_ways_that_ours_go_in_the_same_scene(case: str) -> None:
    """Two recorders, one behaviour: what an endpoint went through there, one goes through here, as far as both ran."""
    theirs, ours = cases.truth_of(case), conduct.read_truth(cases.SAME_AS[case])
    ways = [end.states for end in ours.endpoints]
    assert theirs.contradictions == 0 and any(end.states for end in theirs.endpoints)
    strange = [
        end.states
        for end in theirs.endpoints
        if not any(way[: len(end.states)] == end.states[: len(way)] for way in ways if bool(way) == bool(end.states))
    ]
    assert strange == []


@pytest.mark.parametrize("case", cases.SAME_AS)
def test_no_endpoint_is_wrong_at_any_tap(case: str) -> None:
    verdicts = cases.score(case)
    assert {verdict.tap for verdict in verdicts} == set(TAPS)
    assert [str(verdict) for verdict in verdicts if verdict.outcome == WRONG or verdict.sure_and_wrong] == []
