"""The program's states against the kernels' own: the recordings kept here, and the same with frames taken away."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import conduct, pcapfile, score
from tests.lab.pages import scored
from tests.lab.pcapfile import Packet
from tests.lab.scenario import REASONS, SCENARIOS, Scenario, load
from tests.lab.score import EXACT, TAPS, WRONG
from tests.lab.table import errors, inside, quantile

load()
PLAYED = [entry for entry in SCENARIOS.values() if entry.play is not None]
BOTH_WAYS_NS = 20_000_000  # the path of nearly all scenarios
SURE_AND_WRONG = 0.002  # of all verdicts on captures with frames taken away


def test_every_scene_is_recorded_and_every_recording_is_of_a_scene() -> None:
    kept = {path.name.partition(".")[0] for path in conduct.RECORDINGS.iterdir()}
    assert kept == {entry.name for entry in PLAYED}
    assert len(PLAYED) >= 45
    assert all(len(entry.story.split()) > 4 for entry in SCENARIOS.values())


def test_the_recordings_are_small() -> None:
    for entry in PLAYED:
        size = sum(path.stat().st_size for path in conduct.RECORDINGS.glob(f"{entry.name}.*"))
        assert size < (600_000 if entry.lossy else 30_000), entry.name


def test_the_accounts_agree_with_sock_diag() -> None:
    for entry in PLAYED:
        truth = conduct.read_truth(entry.name)
        assert (truth.contradictions, truth.sampled) == (0, False), entry.name
        assert truth.looks > 0


def test_no_endpoint_is_wrong_at_any_tap() -> None:
    assert [str(verdict) for verdict in scored()[0] if verdict.outcome == WRONG] == []


def test_nothing_wrong_is_said_with_high_confidence() -> None:
    assert [str(verdict) for verdict in scored()[0] if verdict.sure_and_wrong] == []


def test_causes_of_resets_are_named_right_or_as_far_as_packets_permit() -> None:
    assert [str(reset) for reset in scored()[1] if reset.outcome == WRONG] == []


@pytest.mark.parametrize("tap", TAPS)
def test_times_are_near_and_within_their_bounds(tap: str) -> None:
    verdicts = [verdict for verdict in scored()[0] if verdict.tap == tap]
    assert inside(verdicts) >= 0.99
    near, far = quantile(errors(verdicts, True), 0.5), quantile(errors(verdicts, False), 0.5)
    assert near is None or near < 100_000
    assert far is not None and far < BOTH_WAYS_NS / 10
    assert (near is None) == (tap == "m")


def test_every_declaration_is_needed_and_every_reason_met() -> None:
    """A declared scenario that is exact somewhere it is declared for is judged wrong; here: none is never looked at."""
    used = {hidden for verdict in scored()[0] for hidden in verdict.hidden}
    assert {hidden.why for hidden in used} == set(REASONS)
    assert all(verdict.outcome == EXACT or verdict.hidden or verdict.scenario.lossy for verdict in scored()[0])


Edit = Callable[[list[Packet], int], list[Packet]]


def sure_and_wrong(entry: Scenario, tap: str, edit: Edit, folder: Path) -> list[int]:
    """For each way to take frames away, how many endpoints have something wrong said of them with high confidence."""
    path = folder / "cut.pcap"
    path.write_bytes(gzip.decompress((conduct.RECORDINGS / f"{entry.name}.{tap}.pcap.gz").read_bytes()))
    link, packets = pcapfile.read(path)
    truth, blind = (
        conduct.read_truth(entry.name),
        dataclasses.replace(entry, hidden=(), causes=None, edit=lambda packets, tap: packets),
    )
    found = []
    for place in range(1, len(packets)):
        pcapfile.write(path, link, edit(packets, place))
        found += [len(verdict.sure_and_wrong) for verdict in score.judge(blind, tap, truth, path)[0]]
    return found


@pytest.mark.parametrize("tap", TAPS)
@pytest.mark.parametrize(
    "edit",
    [
        lambda packets, place: packets[place:],
        lambda packets, place: packets[:place],
        lambda packets, place: [*packets[:place], *packets[place + 1 :]],
    ],
    ids=["begun late", "ended early", "one frame missing"],
)
def test_captures_with_frames_missing_anywhere_mislead_to_nothing_sure(edit: Edit, tap: str, tmp_path: Path) -> None:
    """A capture begun at, ended at, or without every frame there is: what it does not show is assumed, not sure."""
    plain = [entry for entry in PLAYED if not entry.lossy and entry.filter == "tcp"]
    counts = [count for entry in plain for count in sure_and_wrong(entry, tap, edit, tmp_path)]
    assert len(counts) > 1000
    assert sum(count > 0 for count in counts) <= SURE_AND_WRONG * len(counts) + 1
