"""The timers of TCP stacks that end a state without any packet, by named profile."""

from typing import NamedTuple

from analyzer.errors import UsageError

SECOND = 1_000_000_000


class Profile(NamedTuple):
    """Lengths in nanoseconds, and where they come from."""

    name: str
    time_wait: int  # how long TIME_WAIT lasts
    # How long an orphaned FIN_WAIT_2 (the application has closed the socket) is kept; while an application still holds
    # the socket there is no limit at all.
    fin_wait_2: int
    source: str


LINUX = Profile(
    "linux",
    time_wait=60 * SECOND,
    fin_wait_2=60 * SECOND,
    source="Linux include/net/tcp.h TCP_TIMEWAIT_LEN; Documentation/networking/ip-sysctl.rst tcp_fin_timeout (orphaned "
    "sockets only)",
)
WINDOWS = Profile(
    "windows",
    time_wait=120 * SECOND,
    fin_wait_2=120 * SECOND,
    source="Windows Server 2003 TcpTimedWaitDelay default (Microsoft TechNet cc757512); fin_wait_2 is taken equal, no "
    "public source confirms it",
)
BSD = Profile(
    "bsd",
    time_wait=60 * SECOND,
    fin_wait_2=60 * SECOND,
    source="FreeBSD net.inet.tcp.msl 30000 ms, TIME_WAIT is 2 MSL; net.inet.tcp.finwait2_timeout 60000 ms",
)
PROFILES = {profile.name: profile for profile in (LINUX, WINDOWS, BSD)}


def profile(name: str) -> Profile:
    """The profile ``name``; raises UsageError where there is none."""
    try:
        return PROFILES[name]
    except KeyError:
        raise UsageError(f"no timer profile {name!r}; there are: {', '.join(PROFILES)}") from None
