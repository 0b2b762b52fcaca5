"""Every finding of every capture at hand follows from the packets, and no table contradicts another.

The project's own captures and the laboratory's recordings are always at hand; the public captures and the cases lie
beside the checkout or are skipped, with the reason.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.findings import rules
from tests.second_opinion import opinion, precision
from tests.second_opinion.sources import OURS, SETS, captures, short
from tests.second_opinion.survey import Survey, surveyed


def parameters() -> Iterator[Any]:
    """All captures of all sets; one that is skipped for each set that is not at hand."""
    for name in SETS:
        paths = captures(name)
        reason = f"the set of captures {name!r} is not beside this checkout (../shared)"
        if not paths and name not in OURS:
            yield pytest.param(None, id=f"{name}/", marks=pytest.mark.skip(reason=reason))
        yield from (pytest.param(path, id=short(path)) for path in paths)


@pytest.fixture(params=parameters())
def found(request: pytest.FixtureRequest) -> Survey:
    """What came out for a capture; the analysis of each is made once."""
    made = surveyed(request.param)
    if made.unread:
        pytest.skip("a format that the program does not read")
    return made


def test_every_finding_follows_from_the_packets(found: Survey) -> None:
    refuted = [one for one in found.opinions if one.answer == opinion.REFUTED]
    assert [(one.code, one.stream, one.reason, one.message) for one in refuted] == []


def test_no_table_contradicts_another(found: Survey) -> None:
    assert [(one.stream, one.check, one.reason) for one in found.contradictions] == []


def test_our_own_captures_are_all_there() -> None:
    scenes = {path.name.removesuffix(".expect.toml") for path in SETS["own"].glob("*.expect.toml")}
    assert {path.relative_to(SETS["own"]).parts[0].split(".")[0] for path in captures("own")} == scenes
    kept = {path.name.split(".")[0] for path in SETS["laboratory"].glob("*.json")}
    assert {path.name.split(".")[0] for path in captures("laboratory")} == kept != set()


def test_every_code_has_a_predicate() -> None:
    assert set(rules()) - set(opinion.PREDICATES) == set()


@pytest.mark.parametrize("name", SETS)
def test_a_capture_is_named_by_its_set(name: str, tmp_path: Path) -> None:
    assert all(short(path).startswith(f"{name}/") for path in captures(name))
    assert short(tmp_path / "x.pcap") == str(tmp_path / "x.pcap")


def test_the_page_says_what_our_own_captures_give() -> None:
    assert precision.ours() in precision.PAGE.read_text(), "run: make precision"


@pytest.mark.skipif(set(precision.at_hand()) != set(SETS), reason="not all sets of captures are beside this checkout")
def test_the_page_is_current() -> None:
    assert precision.page() == precision.PAGE.read_text(), "run: make precision"


def test_the_readme_states_the_pages_sum() -> None:
    readme, page = precision.README.read_text(), precision.PAGE.read_text()
    assert precision.with_sum(readme, precision.sum_on_page(page)) == readme
    assert "<!-- precision -->" in readme
    cells = re.search(r"^\| all \|  \| (.*) \|$", page.partition("## On all of them")[2], re.M)
    assert cells
    fired, *_, follow, refuted, undecided = map(int, cells[1].split(" | "))
    assert fired == follow + refuted + undecided
    stated = precision.sum_on_page(page)
    assert f"Of {fired} findings " in stated
    assert f" {follow} follow from" in stated
