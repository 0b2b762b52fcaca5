"""When a finding is announced, when it is over, and what dropped packets do to it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyzer.findings.loading import rules
from analyzer.findings.rule import AT_THE_END, SETTLE
from analyzer.live.announcements import Announcer
from analyzer.live.clock import CaptureClock, WallClock
from analyzer.live.losses import Losses
from analyzer.results.pandas_types import table
from analyzer.results.schema import FINDINGS
from analyzer.times import inner, outer

NOW = inner(1_700_000_000 * 10**9)


def findings(*rows: tuple[str, int | None, int]) -> pd.DataFrame:
    """A table of findings from (code, stream, seconds before NOW)."""
    data: dict[str, Any] = {column.name: [""] * len(rows) for column in FINDINGS}
    data["code"] = [code for code, _, _ in rows]
    data["stream"] = [stream for _, stream, _ in rows]
    data["time_epoch"] = [outer(NOW) - age * 10**9 for _, _, age in rows]
    data["confidence"] = ["high"] * len(rows)
    data["client_port"] = data["server_port"] = [80] * len(rows)
    data["file_frame"] = [None] * len(rows)
    return table("findings", data)


def told(news: list[Any]) -> list[tuple[str, bool]]:
    return [(str(entry.finding.code), entry.over) for entry in news]


def test_a_finding_is_announced_once_and_its_end_too() -> None:
    announcer = Announcer()
    leak = findings(("TD101", 3, 10))
    assert told(announcer.look(leak, NOW)) == [("TD101", False)]
    assert announcer.look(leak, NOW + 10**9) == []
    assert told(announcer.look(findings(), NOW + 2 * 10**9)) == [("TD101", True)]
    assert announcer.standing == []


def test_a_finding_that_becomes_graver_is_announced_again() -> None:
    announcer = Announcer()
    mild, grave = (findings(("TD404", 3, 10)).assign(severity=word) for word in ("info", "warning"))
    assert told(announcer.look(mild, NOW)) == [("TD404", False)]
    assert told(announcer.look(grave, NOW)) == [("TD404", True), ("TD404", False)]


def test_what_packets_may_still_change_waits() -> None:
    announcer = Announcer()
    fresh = findings(("TD301", 1, 0), ("TD107", 2, 60), ("TD903", 3, 60))
    assert announcer.look(fresh, NOW) == []
    assert told(announcer.look(fresh, NOW + SETTLE)) == [("TD301", False)]
    assert told(announcer.close(fresh, [1, 2, 3])) == [("TD107", False), ("TD903", False)]


def test_streams_not_judged_keep_their_announcements() -> None:
    announcer = Announcer()
    announcer.look(findings(("TD101", 3, 10), ("TD106", None, 10)), NOW)
    assert announcer.look(findings(), NOW, frozenset({4})) == []
    assert told(announcer.look(findings(), NOW, None)) == [("TD101", True), ("TD106", True)]


def test_a_closed_connection_takes_its_announcements_along() -> None:
    announcer = Announcer()
    announcer.look(findings(("TD101", 3, 10)), NOW)
    assert told(announcer.close(findings(("TD105", 3, 0)), [3])) == [("TD101", True), ("TD105", False)]
    assert announcer.standing == []


def test_every_rule_says_how_long_its_finding_waits() -> None:
    """What only counts, or is about the capture, waits for the end; a threshold of its own is wait enough."""
    waits = {code: rule.live_wait for code, rule in rules().items()}
    assert all(wait >= 0 or wait == AT_THE_END for wait in waits.values())
    assert {code for code, wait in waits.items() if wait == AT_THE_END} >= {code for code in rules() if code > "TD900"}
    assert waits["TD101"] == waits["TD106"] == 0
    assert waits["TD301"] == SETTLE
    assert waits["TD308"] == 7 * 10**9


def test_drops_lower_confidence_of_connections_alive_then() -> None:
    losses = Losses()
    assert losses.heard(0, NOW, NOW - 10**9) == 0
    assert losses.heard(7, NOW + 10**9, NOW) == 7
    lives = np.array([[NOW - 5, NOW - 1], [NOW - 5, NOW + 1], [NOW + 5, NOW + 9], [NOW + 2 * 10**9, NOW + 3 * 10**9]])
    assert losses.hit(lives[:, 0], lives[:, 1]).tolist() == [False, True, True, False]
    rows = losses.lower(findings(("TD101", 1, 0), ("TD903", 1, 0)), np.array([True, True]))
    assert rows["confidence"].tolist() == ["medium", "high"]


def test_stretches_of_losses_stay_few() -> None:
    losses = Losses()
    for turn in range(3000):
        losses.heard(turn, NOW + 2 * turn * 10**9, NOW)
        losses.heard(turn, NOW + (2 * turn + 1) * 10**9, NOW)
    assert len(losses._stretches) <= 1001
    assert losses.hit(np.array([NOW + 5990 * 10**9]), np.array([NOW + 5999 * 10**9])).all()


@pytest.mark.parametrize("jump", [0.1, 3600.0, -3600.0])
def test_the_time_at_the_tap_is_that_of_the_packets(monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    elapsed = iter(range(0, 10**12, 10**8))
    monkeypatch.setattr("analyzer.live.clock.elapsed_ns", lambda: next(elapsed))
    clock = CaptureClock()
    assert clock.now() is None
    clock.feed(NOW)
    clock.feed(NOW + int(jump * 1e9))
    now = clock.now()
    assert now is not None
    assert abs(now - NOW - jump * 1e9) < 0.5e9


def test_packets_that_wait_are_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = iter([0, 9 * 10**9])
    monkeypatch.setattr("analyzer.live.clock.elapsed_ns", lambda: next(passed))
    clock = CaptureClock()
    clock.feed(NOW)
    assert clock.now(behind=True) == NOW
    assert clock.now() == NOW + 9 * 10**9


@pytest.mark.parametrize("step", [0, 3600 * 10**9, -(10**9)])
def test_a_wall_clock_that_was_set_is_noticed_and_one_that_is_slewed_is_not(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr("analyzer.live.clock.elapsed_ns", lambda: 0)
    monkeypatch.setattr("analyzer.live.clock.time.time_ns", lambda: NOW)
    clock = WallClock()
    for turn in range(1, 50):  # slower by a tenth of a second at each look: no step
        monkeypatch.setattr("analyzer.live.clock.time.time_ns", lambda turn=turn: NOW - turn * 10**8)
        assert clock.set_by() == 0
    monkeypatch.setattr("analyzer.live.clock.time.time_ns", lambda: NOW - 49 * 10**8 + step)
    assert clock.set_by() == step
