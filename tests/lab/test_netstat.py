"""What teardown netstat lists, against the kernels' own sockets at random moments of the recordings.

Half of the moments are anywhere in a recording, half near a change of a kernel's socket, where it is hardest. At each,
every socket of every connection is compared, those that are there and those that are not. It is equal, or in another
state that the bounds of the timeline allow. Two cases are counted apart, both known of the timelines (docs/truth.md):
packets cannot show what the kernel did, and the kernel moved at a time outside of the bounds.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache

import pytest

from analyzer.engine.pipeline import analyze
from analyzer.moments import GivenTime
from analyzer.results.further_tables.census_kernels import NONE
from analyzer.results.netstat import STATES, WORDS, endpoint_states, kept_flows, sockets_at
from analyzer.results.result import Analysed
from analyzer.settings import Settings
from analyzer.times import inner
from tests.lab import conduct
from tests.lab.pages import scored
from tests.lab.score import EXACT, Verdict
from tests.lab.sockdiag import Pair
from tests.lab.truth import Truth

MOMENTS = 1_000
NEAR_NS = 50_000_000
CLOSED = "CLOSED"
GONE = {"", CLOSED, "LISTEN"}
Said = dict[Pair, list[tuple[str, set[str]]]]
EQUAL, BOUNDED, NOT_SHOWN, BEYOND, WRONG = "equal", "within the bounds", "not shown", "beyond the bounds", "wrong"


@pytest.fixture(autouse=True, scope="module")
def recordings_let_go() -> Iterator[None]:
    """Each result that is kept has address space reserved, of which other tests need some."""
    yield
    recording.cache_clear()


@cache
def recording(name: str, tap: str) -> Analysed:
    return analyze([str(conduct.RECORDINGS / f"{name}.{tap}.pcap.gz")], Settings())


def said(analysed: Analysed, moment: int) -> Said:
    """Of each pair of addresses: the state of each socket that ever had them, and the states that are possible."""
    texts, made = analysed.tables.addresses.texts(), defaultdict(list)
    kept = kept_flows(analysed)
    for endings, entries in kept.slices(entries=True):
        ends = endpoint_states(entries, 2 * len(endings), inner(moment), kept.end)
        for place, (column, mask) in enumerate(zip(ends.column.tolist(), ends.possible.tolist(), strict=True)):
            roles, flow = ("client", "server"), endings[place // 2]
            local, remote = ((texts[flow[f"{role}_ip"]], int(flow[f"{role}_port"])) for role in roles)
            pair = (remote, local) if place % 2 else (local, remote)
            possible = {word for bit, word in enumerate(WORDS) if mask >> bit & 1}
            made[pair].append((CLOSED if column == NONE else STATES[column], possible))
    return made


def listed(analysed: Analysed, moment: int) -> Counter[tuple[Pair, str]]:
    """The sockets that the command lists."""
    sockets = sockets_at(analysed, GivenTime(moment, "1970"))
    texts, rows = analysed.tables.addresses.texts(), {name: made.tolist() for name, made in sockets.rows.items()}
    ends = [
        [(texts[ip], port) for ip, port in zip(rows[f"{end}_ip"], rows[f"{end}_port"], strict=True)]
        for end in ("local", "foreign")
    ]
    return Counter(zip(zip(*ends, strict=True), [STATES[state] for state in rows["state"]], strict=True))


def true(truth: Truth, moment: int) -> dict[Pair, list[set[str]]]:
    """Of each pair, the states that each of its sockets may have been in by its kernel's account."""
    made: dict[Pair, list[set[str]]] = defaultdict(list)
    for end in truth.endpoints:
        made[end.pair].append({CLOSED if state in GONE else state for state in end.at(moment, moment)})
    return made


def compared(kernel: list[set[str]], own: list[tuple[str, set[str]]]) -> str:
    """A kernel has one socket of a pair at a time, of all that ever had these addresses and ports."""
    sockets = [states for states in kernel if states != {CLOSED}]
    there = [state for state, _ in own if state != CLOSED]
    if len(sockets) <= 1 and len(there) <= 1 and (there or [CLOSED])[0] in (sockets or [{CLOSED}])[0]:
        return EQUAL
    possible = set().union(*(states for _, states in own))
    return BOUNDED if all(states & possible for states in sockets or [{CLOSED}]) else WRONG


def excuse(verdicts: list[Verdict], moment: int) -> str:
    """Why a state may be wrong that is neither equal nor within the bounds, by the scores of its connection."""
    if any(one.outcome != EXACT for one in verdicts):
        return NOT_SHOWN
    for both in (both for one in verdicts for both in one.timed if not both.inside):
        times = (both.row.earliest or both.row.time, both.row.latest, both.entry.earliest, both.entry.latest)
        if min(times) <= moment <= max(times):
            return BEYOND
    return WRONG


def moments(seed: int) -> list[tuple[str, str, int]]:
    """Which recordings, taps and times are looked at."""
    chance, made = random.Random(seed), []
    names = sorted({one.scenario.name for one in scored()[0] if one.scenario.play is not None})
    for number in range(MOMENTS):
        name, tap = chance.choice(names), chance.choice("amb")
        summary = recording(name, tap).summary
        first, last = summary.first_ns or 0, summary.last_ns or 0
        at = chance.randint(first, last)
        entered = [entry.time for end in conduct.read_truth(name).endpoints for entry in end.entered]
        if number % 2 and (near := [time for time in entered if first <= time <= last]):
            at = min(max(chance.choice(near) + chance.randint(-NEAR_NS, NEAR_NS), first), last)
        made.append((name, tap, at))
    return made


def test_the_sockets_at_1000_random_moments_are_the_kernels_own(seed: int = 16) -> None:
    scores: dict[tuple[str, str, Pair], list[Verdict]] = defaultdict(list)
    for one in scored()[0]:
        scores[one.scenario.name, one.tap, one.pair].append(one)
    met: Counter[str] = Counter()
    states: Counter[str] = Counter()
    wrong = []
    for name, tap, at in moments(seed):
        kernel, own = true(conduct.read_truth(name), at), said(recording(name, tap), at)
        there = Counter((pair, state) for pair, ends in own.items() for state, _ in ends if state != CLOSED)
        assert listed(recording(name, tap), at) == there
        for pair in own.keys() & kernel.keys():  # where a test forges packets, there is no socket
            verdict = compared(kernel[pair], own[pair])
            if verdict == WRONG:
                verdict = excuse(scores[name, tap, pair], at)
            if verdict == WRONG:
                wrong.append((name, tap, at, pair, kernel[pair], own[pair]))
            met[verdict] += 1
            states += Counter(state for some in kernel[pair] for state in some)
    print(f"{MOMENTS:,} moments, {met.total():,} sockets: {dict(met)}; their kernels' states: {dict(states)}")
    assert not wrong
    assert met[EQUAL] > 0.97 * met.total() > 5_000
    assert met[BEYOND] < 0.005 * met.total() and met[NOT_SHOWN] < 0.015 * met.total()
    assert states.keys() == {*STATES, CLOSED} - {"UNKNOWN"}
