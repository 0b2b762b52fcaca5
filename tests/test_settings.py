"""Thresholds as people write them become whole nanoseconds."""

from typing import Any

import pytest

from analyzer.errors import UsageError
from analyzer.settings import (
    Settings,
    adjustable,
    default_text,
    nanoseconds,
    option_name,
    seconds_text,
    settings_of,
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("10", 10 * 10**9),
        ("0.25", 250_000_000),
        ("500ms", 500_000_000),
        ("2m", 120 * 10**9),
        ("1h", 3600 * 10**9),
    ],
)
def test_durations_as_people_write_them(written: str, expected: int) -> None:
    assert nanoseconds(written) == expected


@pytest.mark.parametrize("written", ["", "soon", "-1", "nan", "inf", "1e30", "5 parsecs", "ms"])
def test_anything_else_is_a_usage_error(written: str) -> None:
    with pytest.raises(UsageError, match="duration"):
        nanoseconds(written)


def test_a_setting_may_be_named_in_seconds_or_nanoseconds() -> None:
    assert settings_of(close_wait_leak_s=0.3) == settings_of(close_wait_leak_ns=300_000_000)
    assert settings_of(profile="bsd").profile == "bsd"


def test_an_unknown_name_suggests_the_right_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'close_wait_leak_s'"):
        settings_of(closewait_leak_s=1)


def test_an_unknown_choice_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="linux, windows, bsd"):
        settings_of(profile="beos")


def test_every_adjustable_setting_explains_itself() -> None:
    for entry in adjustable():
        assert entry.metadata["help"].endswith("."), entry.name
        assert option_name(entry).startswith("--")


def test_defaults_read_back() -> None:
    assert nanoseconds(seconds_text(Settings().clock_back_ns)) == Settings().clock_back_ns


@pytest.mark.parametrize(
    "wrong",
    [{"pile_up": 0}, {"descriptors": "1024"}, {"pile_up": 10**12}, {"slow_close_ns": -1}, {"slow_close_ns": 0.5}],
)
def test_a_number_beyond_its_range_is_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"--[a-z-]+ must be (a whole number )?from \S+"):
        settings_of(**wrong)


def test_a_timer_that_is_not_set_is_the_profiles() -> None:
    assert Settings().time_wait_ns is Settings().fin_timeout_ns is None
    assert settings_of(time_wait_s=None) == Settings()
    assert settings_of(time_wait_s=30, fin_timeout_s="2m").fin_timeout_ns == 120 * 10**9
    shown = {option_name(entry): default_text(entry) for entry in adjustable()}
    assert shown["--time-wait"] == shown["--fin-timeout"] == "the profile's"
    assert shown["--close-wait-leak"] == "10"


@pytest.mark.parametrize("seconds", [-1, 86_401])
def test_a_timer_is_at_most_a_day(seconds: int) -> None:
    with pytest.raises(UsageError):
        settings_of(time_wait_s=seconds)
