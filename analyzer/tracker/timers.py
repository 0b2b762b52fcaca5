"""The timers of a TCP stack that end a state without any packet, by named profile (``profiles.toml``)."""

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from analyzer.errors import UsageError

SECOND = 1_000_000_000


class Profile(NamedTuple):
    """Lengths in nanoseconds, and where they come from."""

    name: str
    time_wait: int
    fin_wait_2: int
    source: str


@cache
def profiles() -> dict[str, Profile]:
    """All profiles there are, by name."""
    table = tomllib.loads((Path(__file__).parent / "profiles.toml").read_text(encoding="utf-8"))
    return {
        name: Profile(name, row["time_wait"] * SECOND, row["fin_wait_2"] * SECOND, row["source"])
        for name, row in table.items()
    }


def profile(name: str) -> Profile:
    """The profile ``name``; raises UsageError where there is none."""
    try:
        return profiles()[name]
    except KeyError:
        raise UsageError(f"no timer profile {name!r}; there are: {', '.join(profiles())}") from None
