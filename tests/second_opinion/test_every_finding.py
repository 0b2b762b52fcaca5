"""Every finding of every capture at hand follows from the packets, and no table contradicts another.

The project's own captures and the laboratory's recordings are always at hand; the public captures and the cases lie
beside the checkout or are skipped, with the reason.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.errors import UnreadableCapture
from analyzer.findings import rules
from tests.second_opinion import consistency, opinion
from tests.second_opinion.capture import Capture, read
from tests.second_opinion.sources import OURS, SETS, captures, short


def parameters() -> Iterator[Any]:
    """All captures of all sets; one that is skipped for each set that is not at hand."""
    for name in SETS:
        paths = captures(name)
        reason = f"the set of captures {name!r} is not beside this checkout (../shared)"
        if not paths and name not in OURS:
            yield pytest.param(None, id=f"{name}/", marks=pytest.mark.skip(reason=reason))
        yield from (pytest.param(path, id=short(path)) for path in paths)


@pytest.fixture(scope="module", params=parameters())
def capture(request: pytest.FixtureRequest) -> Capture:
    try:
        return read(request.param)
    except UnreadableCapture:
        pytest.skip("a format that the program does not read")


def test_every_finding_follows_from_the_packets(capture: Capture) -> None:
    given = [opinion.opinion(capture, finding) for finding in capture.findings]
    assert [(one.code, one.stream, one.reason, one.message) for one in given if one.answer == opinion.REFUTED] == []


def test_no_table_contradicts_another(capture: Capture) -> None:
    found = consistency.contradictions(capture)
    assert [(one.stream, one.check, one.reason) for one in found] == []


def test_our_own_captures_are_all_there() -> None:
    scenes = {path.name.removesuffix(".expect.toml") for path in SETS["own"].glob("*.expect.toml")}
    assert {path.name.split(".")[0] for path in captures("own")} == scenes
    kept = {path.name.split(".")[0] for path in SETS["laboratory"].glob("*.json")}
    assert {path.name.split(".")[0] for path in captures("laboratory")} == kept != set()


def test_every_code_has_a_predicate() -> None:
    assert set(rules()) - set(opinion.PREDICATES) == set()


@pytest.mark.parametrize("name", SETS)
def test_a_capture_is_named_by_its_set(name: str, tmp_path: Path) -> None:
    assert all(short(path).startswith(f"{name}/") for path in captures(name))
    assert short(tmp_path / "x.pcap") == str(tmp_path / "x.pcap")
