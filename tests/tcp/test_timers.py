"""The timers in force, and how the kernels get them."""

import pytest

from analyzer.settings import PROFILES as NAMES
from analyzer.settings import Settings
from analyzer.tcp.timers import PROFILES, timers_of
from analyzer.tracker.limits import context_of
from analyzer.units import SECOND

# Written by hand from the systems' own sources: TIME_WAIT and an orphaned FIN_WAIT_2 in seconds, RST ends TIME_WAIT.
SYSTEMS = {"linux": (60, 60, 1), "windows": (120, 120, 1), "bsd": (60, 600, 0)}


@pytest.mark.parametrize("name", NAMES)
def test_the_kernels_get_the_timers_of_the_profile(name: str) -> None:
    context = context_of(Settings(profile=name))[0]
    lengths = context["time_wait_length"] // SECOND, context["fin_wait_2_length"] // SECOND
    given = (*lengths, context["rst_ends_time_wait"])
    assert tuple(map(int, given)) == SYSTEMS[name]


def test_every_profile_names_its_source() -> None:
    assert set(PROFILES) == set(NAMES) == set(SYSTEMS)
    assert all(profile.source for profile in PROFILES.values())


def test_a_setting_takes_the_place_of_the_profiles_value() -> None:
    given = Settings(profile="bsd", time_wait_ns=5 * SECOND, fin_timeout_ns=7 * SECOND)
    assert timers_of(given).time_wait == (5 * SECOND, "--time-wait", "--time-wait")
    assert timers_of(given).rst_ends_time_wait is False
    context = context_of(given)[0]
    assert (context["time_wait_length"], context["fin_wait_2_length"]) == (5 * SECOND, 7 * SECOND)
