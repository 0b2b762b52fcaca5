"""Two taps together, held against the kernels: what one tap cannot tell is exact, as far as any packet shows it."""

from __future__ import annotations

from tests.lab.both import score_all
from tests.lab.scenario import load
from tests.lab.score import EXACT, WRONG

BY_PLACE = ("never-arrived", "lost-before-the-tap", "not-captured")  # what the other tap shows
NOBODY = ("silent-death", "held-back", "no-bucket", "began-later")  # no packet anywhere shows it
NAMES = [
    entry.name
    for entry in load().values()
    if entry.edit is None and not entry.lossy and any(hidden.why in BY_PLACE for hidden in entry.hidden)
][::2]


def test_what_one_tap_cannot_tell_is_exact_with_two() -> None:
    alone_a, alone_b, both = score_all(NAMES)
    assert [str(verdict) for verdict in both if verdict.outcome == WRONG or verdict.sure_and_wrong] == []
    unexact = [verdict for verdict in both if verdict.outcome != EXACT]
    assert [str(one) for one in unexact if not any(hidden.why in NOBODY for hidden in one.hidden)] == []
    assert len(unexact) < min(sum(one.outcome != EXACT for one in verdicts) for verdicts in (alone_a, alone_b))


def test_the_kernels_times_are_within_the_bounds_of_both() -> None:
    timed = [one for verdict in score_all(NAMES[:4])[2] for one in verdict.timed]
    assert timed
    assert all(one.inside for one in timed)
