"""When a finding is announced, when it is over, and what dropped packets do to it."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import analyzer
from analyzer.findings.loading import rules
from analyzer.findings.rule import AT_THE_END, SETTLE
from analyzer.live.announcements import Announcement, Announcer
from analyzer.live.clock import CaptureClock, WallClock
from analyzer.live.losses import Losses
from analyzer.results.finding_list import FindingList
from analyzer.times import inner

CAPTURES = Path(__file__).parents[2] / "captures"
NOW = inner(1_700_000_000 * 10**9)


@cache
def found_in(name: str) -> FindingList:
    """What is found in one of the captures of the examples."""
    return analyzer.analyze(CAPTURES / name).listing


LEAK, ABORT, PILE_UP = "close-wait-leak.pcap", "abortive-close.pcap", "reconnect-loop-leaks.pcapng"  # 1, 1, 12 and 1
STREAMS = np.arange(100)


def nothing(listing: FindingList) -> FindingList:
    return listing.some(lambda table: np.zeros(len(table), np.bool_))


def of_streams(listing: FindingList, *streams: int) -> FindingList:
    return listing.some(lambda table: np.isin(table.columns["stream"], streams))


def late(listing: FindingList) -> int:
    """A time at which all of it is certain."""
    return max(int(table.columns["when"].max()) for table in listing.tables) + 3600 * 10**9


def told(news: list[Announcement]) -> list[tuple[str, bool, int]]:
    return [(str(entry.finding.code), entry.over, entry.more) for entry in news]


def test_a_finding_is_announced_once_and_its_end_too() -> None:
    announcer, leak = Announcer(), found_in(LEAK)
    assert told(announcer.look(leak, late(leak))) == [("TD101", False, 0)]
    assert announcer.look(leak, late(leak)) == []
    assert announcer.standing == 1
    assert told(announcer.look(nothing(leak), late(leak))) == [("TD101", True, 0)]
    assert announcer.standing == 0


def test_a_finding_that_becomes_graver_is_announced_again() -> None:
    announcer, mild = Announcer(), found_in(ABORT)
    grave = mild.some(lambda table: np.ones(len(table), np.bool_))
    for table in grave.tables:
        table.rule = table.rule._replace(severity="warning")
    assert told(announcer.look(mild, late(mild))) == [("TD301", False, 0)]
    assert told(announcer.look(grave, late(mild))) == [("TD301", True, 0), ("TD301", False, 0)]


def test_what_packets_may_still_change_waits() -> None:
    announcer, fresh = Announcer(), found_in(ABORT)
    when = int(fresh.tables[0].columns["when"][0])
    assert announcer.look(fresh, when + SETTLE - 1) == []
    assert told(announcer.look(fresh, when + SETTLE)) == [("TD301", False, 0)]
    assert told(Announcer().close(fresh, STREAMS)) == [("TD301", False, 0)]


def test_streams_not_judged_keep_their_announcements() -> None:
    announcer, leak = Announcer(), found_in(LEAK)
    announcer.look(leak, late(leak))
    assert announcer.look(nothing(leak), late(leak), np.array([4])) == []
    assert announcer.close(nothing(leak), np.array([4])) == []
    assert told(announcer.look(nothing(leak), late(leak))) == [("TD101", True, 0)]


def test_a_closed_connection_takes_its_announcements_along() -> None:
    announcer, leak, abort = Announcer(), found_in(LEAK), found_in(ABORT)
    announcer.look(leak, late(leak))
    assert told(announcer.close(abort, STREAMS)) == [("TD101", True, 0), ("TD301", False, 0)]
    assert announcer.standing == 0


def test_many_alike_are_announced_together() -> None:
    announcer, leaks = Announcer(), found_in(PILE_UP)
    news = announcer.look(leaks, late(leaks))
    assert sorted(told(news)) == [("TD101", False, 11), ("TD106", False, 0)]
    (crowd,) = [one for one in news if one.more]
    assert len(crowd.ends) == 12
    assert announcer.standing == 13
    left = of_streams(leaks, 3, 4)
    over = announcer.look(left, late(leaks))
    assert sorted(told(over)) == [("TD101", True, 9), ("TD106", True, 0)]
    assert {str(one.finding.server_ip) for one in over} == {str(crowd.finding.server_ip)}
    assert told(announcer.look(nothing(leaks), late(leaks))) == [("TD101", True, 1)]
    assert announcer.standing == 0


def test_a_few_alike_are_announced_one_by_one() -> None:
    announcer, leaks = Announcer(), of_streams(found_in(PILE_UP), 1, 2, 3)
    assert told(announcer.look(leaks, late(leaks))) == [("TD101", False, 0)] * 3


def test_however_many_servers_there_are_the_lines_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.live.announcements.MOST_SHOWN", 4)
    leaks = of_streams(found_in(PILE_UP), *range(12))
    for table in leaks.tables:
        table.columns["server_port"] = np.arange(12)  # a server each
    assert told(Announcer().look(leaks, late(leaks))) == [("TD101", False, 11)]


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
    leak = of_streams(found_in(LEAK), 0)
    losses.lower(leak, lambda table: np.array([True]))
    assert [table.confidence(0) for table in leak.tables] == ["medium"]


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
