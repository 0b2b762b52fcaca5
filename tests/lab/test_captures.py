"""The captures and what stands beside them belong together: recipe, expectation, a row of the README."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from captures.recipes import load
from captures.sets import files_of, sets

FOLDER = Path(__file__).parents[2] / "captures"
RECIPES = load()
CAPTURES = sorted([*(path.name for path in FOLDER.glob("*.pcap*")), *sets()])
ENDS = {"handshake", "closed_by", "teardown", "client_state", "server_state", "rst_by", "rst_cause"}
DIALOGUE = {"pending", "turns", "last_data_by", "since_data_s", "client_waited_s", "server_waited_s"}
KEYS = ENDS | DIALOGUE | {"streams", "findings", "blames", "server_port"}


def expectation(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.expect.toml").read_text())


def test_each_recipe_has_its_capture_and_each_capture_its_recipe() -> None:
    assert sorted(recipe.name for recipe in RECIPES.values()) == CAPTURES


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_is_small(name: str) -> None:
    assert all(24 < path.stat().st_size < 60_000 for path in files_of(name))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_an_expectation_is_whole(name: str) -> None:
    expected = expectation(name)
    assert set(expected) == {"happened", "codes", "quiet", "flow"}
    assert not set(expected["codes"]) & set(expected["quiet"])
    for flow in expected["flow"]:
        assert set(flow) <= KEYS
        assert set(flow.get("findings", ())) <= set(expected["codes"])
        assert set(flow.get("blames", {})) <= set(expected["codes"])
    streams = [stream for flow in expected["flow"] for stream in flow["streams"]]
    assert sorted(streams) == list(range(len(streams)))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_tells_its_story(name: str) -> None:
    assert len((RECIPES[name].play.__doc__ or "").split()) > 20


def test_the_readme_has_a_row_for_each_capture_with_its_findings() -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| .+? \| (.+?) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    table = {name.removesuffix("/*"): (happened, codes) for name, happened, codes in rows}
    table = {name: said for name, said in table.items() if name in CAPTURES}
    told = {name: expectation(name.partition(".")[0]) for name in CAPTURES}
    assert table == {name: (told[name]["happened"], ", ".join(told[name]["codes"]) or "none") for name in CAPTURES}


def test_every_expected_finding_has_a_near_miss() -> None:
    fired = {code for name in RECIPES for code in expectation(name)["codes"]}
    quiet = {code for name in RECIPES for code in expectation(name)["quiet"]}
    assert fired - quiet == set()
