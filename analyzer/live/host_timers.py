"""The timers of this host, for a watch that captures on it."""

import sys
from pathlib import Path

from analyzer.tcp.timers import LINUX
from analyzer.units import SECOND

FIN_TIMEOUT = Path("/proc/sys/net/ipv4/tcp_fin_timeout")  # seconds


def own_timers() -> dict[str, int]:
    """Fields of Settings, as this host has them; none where it is not Linux or does not tell.

    Linux has no setting for TIME_WAIT: it lasts 60 s everywhere.
    """
    try:
        seconds = int(FIN_TIMEOUT.read_text())
    except (OSError, ValueError):
        return {}
    if not sys.platform.startswith("linux"):
        return {}
    return {"time_wait_ns": LINUX.time_wait, "fin_timeout_ns": seconds * SECOND}
