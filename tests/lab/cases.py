"""Recordings made by another recorder, with its own account of the kernels: ``../shared/cases/lab``, where it is there.

Each folder holds what three taps saw (``a.pcap``, ``m.pcap``, ``b.pcap``) and ``truth.json``: the states that each
endpoint of each connection entered, with time and cause. What was done there is done here as well, by a scene of our
own (`SAME_AS`); so what packets cannot show is what that scene declares, but for the numbers of the connections.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from .scenario import SCENARIOS, Scenario, load
from .scenarios.time_wait import turned_away
from .score import TAPS, Verdict, judge
from .truth import Endpoint, Entry, Truth

FOLDER = Path(__file__).parents[3] / "shared" / "cases" / "lab"
SAME_AS = {
    "accept-queue-overflow-rst": "accept-queue-overflow-resets",
    "close-notify-after-close": "close-notify-after-close",
    "fin-lost": "fin-lost-behind-the-middle",
    "middlebox-rejects-late": "middlebox-rejects-late",
    "rtt-spike-at-close": "spike-at-the-close",
    "syn-old-seq-to-timewait": "older-syn-into-time-wait",
    "timewait-buckets-overflow": "time-wait-table-full",
    "write-races-close-far": "write-races-close-far",
}
FIRST_TURNED_AWAY, PORT_USED_AGAIN, VISITS = 5, 19, 21
HIDDEN = {  # the packet filter's capture at B ends before the reset, so nothing is hidden there
    "middlebox-rejects-late": (),
    "timewait-buckets-overflow": turned_away(range(FIRST_TURNED_AWAY, VISITS), PORT_USED_AGAIN),
}


def missing() -> str:
    """Why no such recording can be scored here; empty when they can."""
    return "" if FOLDER.is_dir() else f"the recordings of others are not beside this checkout ({FOLDER.name})"


def scenario_of(case: str) -> Scenario:
    """The case as a scenario: what our own scene of it declares."""
    load()
    ours = SCENARIOS[SAME_AS[case]]
    return dataclasses.replace(ours, name=f"cases/lab/{case}", hidden=HIDDEN.get(case, ours.hidden), causes=None)


def truth_of(case: str) -> Truth:
    """The kernels' account of a case."""
    told = json.loads((FOLDER / case / "truth.json").read_text())
    ends = [end for flow in told["flows"] for end in _endpoints(flow)]
    ends.sort(key=lambda end: end.entered[0].time if end.entered else 0)
    checks = told["checks"]
    return Truth(ends, looks=checks["sockdiag_polls"], contradictions=len(checks["sockdiag_disagree"]))


def _endpoints(flow: dict[str, Any]) -> list[Endpoint]:
    """Both endpoints of a connection; one that never had a socket has entered nothing."""
    client, server = (flow["tuple"][0], flow["tuple"][1]), (flow["tuple"][2], flow["tuple"][3])
    pairs = {"A": (client, server), "B": (server, client)}
    ends = []
    for host, pair in pairs.items():
        entered = [Entry.at(entry["to"], _nanoseconds(entry["t"])) for entry in flow["transitions"].get(host, ())]
        sent = [(_nanoseconds(one["t"]), one["reason"]) for one in flow["resets_sent"] if one["by"] == host]
        taken = [_nanoseconds(one["t"]) for one in flow["resets_received"] if one["by"] == host]
        repeats = sum(one["by"] == host for one in flow["retransmits"])
        ends.append(Endpoint(host.lower(), pair, entered, sent, taken, repeats))
    return ends


def _nanoseconds(epoch: str) -> int:
    seconds, _, fraction = epoch.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))


def score(case: str) -> list[Verdict]:
    """Every endpoint of a case at every tap."""
    scenario, truth = scenario_of(case), truth_of(case)
    return [verdict for tap in TAPS for verdict in judge(scenario, tap, truth, FOLDER / case / f"{tap}.pcap")[0]]
