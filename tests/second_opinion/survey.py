"""Many captures surveyed: the second opinion on each of their findings, and what contradicts itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from analyzer.errors import TeardownError
from tests.second_opinion.capture import read
from tests.second_opinion.consistency import Contradiction, contradictions
from tests.second_opinion.opinion import Opinion, opinion
from tests.second_opinion.sources import short


@dataclass
class Survey:
    """What came out for some captures."""

    captures: int = 0
    unread: list[str] = field(default_factory=list)  # captures that the program does not read
    flows: int = 0
    opinions: list[Opinion] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)


@cache
def surveyed(path: Path) -> Survey:
    """One capture; each is analysed once in a run of the tests."""
    try:
        capture = read(path)
    except TeardownError as fault:
        return Survey(1, [f"{short(path)}: {fault}"])
    opinions = [opinion(capture, finding) for finding in capture.findings]
    return Survey(1, [], len(capture.flows), opinions, contradictions(capture))


def survey(paths: Iterable[Path]) -> Survey:
    """Some captures together."""
    found = Survey()
    for one in map(surveyed, paths):
        found.captures += one.captures
        found.unread += one.unread
        found.flows += one.flows
        found.opinions += one.opinions
        found.contradictions += one.contradictions
    return found
