"""The census against the kernels' own sockets, at every moment at which these had rested for a while."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from analyzer.engine.pipeline import analyze
from analyzer.results.further_tables import KeptFlows
from analyzer.results.further_tables.census import NAMES, SocketCensus
from analyzer.settings import Settings
from tests.lab import conduct
from tests.lab.pages import scored
from tests.lab.score import EXACT
from tests.lab.truth import Truth

RESTED_NS = 60_000_000  # on either side: the path, twice, and a busy machine
STEP_NS = 20_000_000
NO_SOCKET = {"", "CLOSED", "LISTEN"}
Counts = dict[tuple[Any, ...], Counter[str]]


def said(census: SocketCensus, moment: int, texts: list[str]) -> Counts:
    """The counts of each key, by the program."""
    rows = census.at(moment)
    found: Counts = {}
    for place in range(len(rows["role"])):
        ip, peer = (texts[rows[name][place]] for name in ("ip", "peer_ip"))
        key = (ip, int(rows["port"][place])) if rows["role"][place] else (ip, peer, int(rows["peer_port"][place]))
        found[key] = +Counter({name.upper(): int(rows[name][place]) for name in NAMES})
    return found


def true(truth: Truth, moment: int, servers: set[tuple[str, int]]) -> Counts | None:
    """The same by the kernels; None where one of the sockets may just have been moving."""
    found: Counts = {}
    for end in truth.endpoints:
        states = end.at(moment - RESTED_NS, moment + RESTED_NS)
        if len(states) != 1:
            return None
        local, remote = end.pair
        key = local if local in servers else (local[0], *remote)
        if not states <= NO_SOCKET:
            found.setdefault(tuple(key), Counter())[states.pop()] += 1
    return found


def fair() -> list[tuple[str, str]]:
    """The captures of which the program knows every state, and its time: a FIN that waits behind other data is late,
    and a kernel's timers run a little longer than they say."""
    taken: dict[tuple[str, str], bool] = {}
    for one in scored()[0]:
        known = one.outcome == EXACT and not one.scenario.hidden and all(row.basis != "timer" for row in one.rows)
        known &= all(abs(both.row.time - both.entry.time) < RESTED_NS for both in one.timed)
        fit = known and one.scenario.play is not None and not one.scenario.lossy
        taken[one.scenario.name, one.tap] = fit and taken.get((one.scenario.name, one.tap), True)
    return [scene for scene, fit in taken.items() if fit]


def test_the_counts_are_those_of_the_kernels() -> None:
    met: Counter[str] = Counter()
    for name, tap in fair():
        analysed = analyze([str(conduct.RECORDINGS / f"{name}.{tap}.pcap.gz")], Settings())
        first, last = analysed.summary.first_ns, analysed.summary.last_ns
        flows = analysed.result().flows
        servers = set(zip(flows["server_ip"].astype(str), flows["server_port"].tolist(), strict=True))
        census = SocketCensus(KeptFlows(analysed.tables, Settings(), np.zeros(0), analysed.end))
        truth = conduct.read_truth(name)
        for moment in range(first or 0, last or 0, STEP_NS):
            counts = true(truth, moment, servers)
            if counts is not None:
                assert said(census, moment, analysed.tables.addresses.texts()) == counts, (name, tap, moment)
                met += Counter(state for own in counts.values() for state in own)
    assert sum(met.values()) > 10_000
    assert set(met) == {name.upper() for name in NAMES if name != "unknown"}
