"""The score as pages of the documentation: ``docs/truth.md``, and the short table of the README."""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from functools import cache
from pathlib import Path

from . import conduct, score, table
from .scenario import REASONS, Scenario, load
from .score import EXACT, PERMITTED, TAPS, Reset, Verdict

HEAD = """# The inferred states compared with the kernels' own

Each endpoint's sequence of states, inferred from packets alone, is compared with what its kernel really did: {played}
scenarios with real sockets between two hosts in network namespaces (and {edited} more, the same recordings as a worse
capture would show them). Each is captured at three points at once: on host A, in the middle of a path of 10 ms each way
(up to 600 ms where hosts are far apart or the delay jumps), and on host B. The kernels' state changes come from
tracepoints on the captures' own clock and from sock_diag ({kernel}). More than half of the endpoints belong to one
scenario with 300 connections at once over a path that loses packets.

    make score          # scores the recordings in tests/lab/recordings; no root needed
    make lab            # records all of them again (root), then scores

{table}

High confidence is a basis of `sent` or `proven`, low confidence `assumed` or `timer` (see [columns.md](columns.md)).
[what-a-capture-can-show.md](what-a-capture-can-show.md) describes what the comparison shows in general.

## How it is compared

"""


@cache
def scored() -> tuple[list[Verdict], list[Reset]]:
    """All scenarios as kept."""
    return score.score_all([], conduct.RECORDINGS)


def kernels() -> str:
    """The kernels the kept recordings were made on."""
    found = {json.loads(path.read_text())["kernel"] for path in sorted(conduct.RECORDINGS.glob("*.json"))}
    return ", ".join(sorted(found))


def truth_page() -> str:
    """docs/truth.md but for its first line."""
    scenarios = load().values()
    played = sum(scenario.play is not None for scenario in scenarios)
    head = HEAD.format(played=played, edited=len(scenarios) - played, kernel=kernels(), table=table.table(*scored()))
    rules = inspect.cleandoc(score.__doc__ or "").split("\n\n", 2)[2]
    return f"{head}{rules}\n\n{_hidden()}\n{_scenes()}"


def _hidden() -> str:
    """What packets cannot show, and where the scenarios meet it."""
    met: dict[str, list[str]] = defaultdict(list)
    for scenario in load().values():
        for hidden in scenario.hidden:
            met[hidden.why] += [f"`{scenario.name}`"] if f"`{scenario.name}`" not in met[hidden.why] else []
    lines = ["## What packets cannot show, and why\n"]
    lines += [f"* **{name}**: {words} ({', '.join(met[name])})" for name, words in REASONS.items() if met[name]]
    return "\n".join(lines) + "\n"


def _scenes() -> str:
    """Every scenario with its story and how many of its endpoints are exact or permitted at each tap."""
    lines = [
        "## The scenarios\n",
        "Endpoints exactly right, + right as far as packets permit, at A, in the middle, at B.\n",
    ]
    group = ""
    for scenario in load().values():
        if scenario.group != group:
            group = scenario.group
            lines += [f"\n### {group}\n", "| scenario | what happens | A | middle | B |", "|---|---|---|---|---|"]
        cells = " | ".join(_cell(scenario, tap) for tap in TAPS)
        lines.append(f"| `{scenario.name}` | {scenario.story} | {cells} |")
    return "\n".join(lines) + "\n"


def _cell(scenario: Scenario, tap: str) -> str:
    mine = [verdict.outcome for verdict in scored()[0] if (verdict.scenario, verdict.tap) == (scenario, tap)]
    permitted = mine.count(PERMITTED)
    return f"{mine.count(EXACT)}{f' + {permitted}' if permitted else ''} of {len(mine)}"


SHORT = (
    "endpoints",
    "whole sequence of states exactly the kernel's",
    "as far as packets permit",
    "wrong",
    "states given with high confidence / of these wrong",
    "error of the best time, endpoint on the tap's host, median",
    "error of the best time, endpoint elsewhere, median",
    "kernel's time inside earliest .. latest",
)


def short_table() -> str:
    """The README's table: the rows that matter most."""
    lines = table.table(*scored()).splitlines()
    return "\n".join([*lines[:2], *(line for line in lines if line.split(" | ")[0].removeprefix("| ") in SHORT)])


def with_table(readme: str) -> str:
    """The README with the table between its marks."""
    before, begin, rest = readme.partition("<!-- truth -->\n")
    _, end, after = rest.partition("<!-- /truth -->")
    return f"{before}{begin}{short_table()}\n{end}{after}" if begin and end else readme


def pages(made: str, root: Path) -> dict[str, str]:
    """The pages by file name relative to docs/; ``made`` is the first line of a generated page."""
    readme = (root / "README.md").read_text()
    return {"truth.md": made + truth_page(), "../README.md": with_table(readme)}
