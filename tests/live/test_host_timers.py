"""A watch on this host goes by this host's timers, where no option says otherwise."""

from pathlib import Path

import pytest

from analyzer.cli import guarded
from analyzer.live import command, host_timers
from analyzer.settings import Settings
from analyzer.tcp.timers import Timer, timers_of

SECOND = 10**9


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Settings]:
    """The settings of the watches that were asked for; this host's tcp_fin_timeout is 17 s."""
    seen: list[Settings] = []
    (tmp_path / "tcp_fin_timeout").write_text("17\n")
    monkeypatch.setattr(host_timers, "FIN_TIMEOUT", tmp_path / "tcp_fin_timeout")
    monkeypatch.setattr(host_timers.sys, "platform", "linux")
    monkeypatch.setattr(command, "watch", lambda request, settings, wanted: seen.append(settings) or 0)
    return seen


@pytest.mark.parametrize(
    ("options", "time_wait", "fin_wait_2"),
    [
        (
            ["-i", "lo"],
            Timer(60 * SECOND, "as on this host", "this host"),
            Timer(17 * SECOND, "as on this host", "this host"),
        ),
        (
            ["-i", "lo", "--fin-timeout", "5"],
            Timer(60 * SECOND, "as on this host", "this host"),
            Timer(5 * SECOND, "--fin-timeout", "--fin-timeout"),
        ),
        (
            ["-i", "lo", "--profile", "linux"],
            Timer(60 * SECOND, "profile linux", "the profile linux"),
            Timer(60 * SECOND, "profile linux", "the profile linux"),
        ),
        (
            ["-r", "-", "--time-wait", "2m"],
            Timer(120 * SECOND, "--time-wait", "--time-wait"),
            Timer(60 * SECOND, "profile linux", "the profile linux"),
        ),
    ],
)
def test_whose_timers_a_watch_goes_by(
    told: list[Settings], options: list[str], time_wait: Timer, fin_wait_2: Timer
) -> None:
    assert guarded(["live", *options]) == 0
    assert timers_of(told[0])[1:3] == (time_wait, fin_wait_2)


@pytest.mark.parametrize("text", [None, "soon\n"])
def test_a_host_that_does_not_tell_has_the_profiles(told: list[Settings], text: str | None) -> None:
    host_timers.FIN_TIMEOUT.unlink()
    if text is not None:
        host_timers.FIN_TIMEOUT.write_text(text)
    assert guarded(["live", "-i", "lo"]) == 0
    assert told[0] == Settings(keep_further=())


def test_the_real_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    if not host_timers.FIN_TIMEOUT.exists():
        pytest.skip("no Linux")
    assert host_timers.own_timers()["fin_timeout_ns"] == int(host_timers.FIN_TIMEOUT.read_text()) * SECOND
