"""The timers of TCP stacks that end a state without any packet, by named profile; and those in force."""

from typing import NamedTuple, Protocol

from analyzer.errors import UsageError
from analyzer.units import SECOND


class Profile(NamedTuple):
    """Lengths in nanoseconds, and where they come from."""

    name: str
    time_wait: int  # how long TIME_WAIT lasts
    # How long an orphaned FIN_WAIT_2 (the application has closed the socket) is kept; while an application still holds
    # the socket there is no limit at all.
    fin_wait_2: int
    rst_ends_time_wait: bool  # whether an acceptable RST ends TIME_WAIT (RFC 9293 3.10.7.4), or is dropped (RFC 1337)
    source: str


LINUX = Profile(
    "linux",
    time_wait=60 * SECOND,
    fin_wait_2=60 * SECOND,
    rst_ends_time_wait=True,
    source="Linux include/net/tcp.h TCP_TIMEWAIT_LEN; Documentation/networking/ip-sysctl.rst tcp_fin_timeout (orphaned "
    "sockets only) and tcp_rfc1337 (off by default; net/ipv4/tcp_minisocks.c tcp_timewait_state_process)",
)
WINDOWS = Profile(
    "windows",
    time_wait=120 * SECOND,
    fin_wait_2=120 * SECOND,
    rst_ends_time_wait=True,
    source="Windows Server 2003 TcpTimedWaitDelay default (Microsoft TechNet cc757512); fin_wait_2 is taken equal, a "
    "RST as RFC 9293 has it; no public source confirms either",
)
BSD = Profile(
    "bsd",
    time_wait=60 * SECOND,
    # net.inet.tcp.finwait2_timeout (60 s) is in force only with net.inet.tcp.fast_finwait2_recycle, off by default
    fin_wait_2=600 * SECOND,
    rst_ends_time_wait=False,
    source="FreeBSD net.inet.tcp.msl 30000 ms, TIME_WAIT is 2 MSL; sys/netinet/tcp_usrreq.c tcp_usrclosed: FIN_WAIT_2 "
    "lasts TP_MAXIDLE (8 keep-alive probes at 75 s); sys/netinet/tcp_timewait.c tcp_twcheck drops any RST",
)
PROFILES = {profile.name: profile for profile in (LINUX, WINDOWS, BSD)}


def profile(name: str) -> Profile:
    """The profile ``name``; raises UsageError where there is none."""
    try:
        return PROFILES[name]
    except KeyError:
        raise UsageError(f"no timer profile {name!r}; there are: {', '.join(PROFILES)}") from None


class Timer(NamedTuple):
    """A length in nanoseconds, and who says so: as a remark, and as the subject of a sentence."""

    length: int
    source: str
    source_as_subject: str


class Timers(NamedTuple):
    """The timers in force: those of the profile, where the settings name no other."""

    profile: str
    time_wait: Timer
    fin_wait_2: Timer
    rst_ends_time_wait: bool


class TimerSettings(Protocol):
    """The settings (:class:`analyzer.settings.Settings`) that say which timers are in force."""

    @property
    def profile(self) -> str: ...

    @property
    def time_wait_ns(self) -> int | None: ...

    @property
    def fin_timeout_ns(self) -> int | None: ...

    @property
    def read_on_host(self) -> tuple[str, ...]: ...


def timers_of(settings: TimerSettings) -> Timers:
    """What the settings ask for."""
    chosen = profile(settings.profile)

    def timer(own: int, name: str, option: str) -> Timer:
        value: int | None = getattr(settings, name)
        if value is None:
            return Timer(own, f"profile {chosen.name}", f"the profile {chosen.name}")
        return (
            Timer(value, "as on this host", "this host")
            if name in settings.read_on_host
            else Timer(value, option, option)
        )

    return Timers(
        chosen.name,
        timer(chosen.time_wait, "time_wait_ns", "--time-wait"),
        timer(chosen.fin_wait_2, "fin_timeout_ns", "--fin-timeout"),
        chosen.rst_ends_time_wait,
    )
