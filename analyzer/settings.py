"""Everything a user may adjust, each with its default, its unit and its reason, in one place.

A field of :class:`Settings` is at the same time an option of the command line (``close_wait_leak_ns`` becomes
``--close-wait-leak SECONDS``), an argument of ``analyzer.analyze()`` (``close_wait_leak_s=30``) and a row of
the documentation: a new field needs nothing else. Durations are whole nanoseconds inside the program, because
all times are; people write seconds.
"""

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields, replace
from decimal import Decimal
from difflib import get_close_matches
from os import fspath
from typing import Any, NamedTuple

from analyzer.errors import UsageError
from analyzer.filters import HELP, METAVARS, codes_of, written
from analyzer.filters import check as check_filter
from analyzer.shell_words import shell_word
from analyzer.tcp.timers import PROFILES
from analyzer.units import SECOND
from analyzer.vocabulary import FURTHER

ENGINES = ("native", "tshark")
MOST = 1_000_000_000  # of anything that is counted
LONGEST_TIMER = 24 * 3600  # seconds; no system keeps TIME_WAIT or FIN_WAIT_2 as long
UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}


def _duration(seconds: float, help: str) -> Any:
    """A field that holds nanoseconds; ``help`` says what the time decides."""
    return field(default=round(seconds * SECOND), metadata={"help": help, "seconds": True})


def _timer(help: str) -> Any:
    """A field that holds nanoseconds, or None: then the profile has it."""
    most = LONGEST_TIMER * SECOND
    return field(default=None, metadata={"help": help, "seconds": True, "range": (0, most), "unset": "the profile's"})


def _choice(default: str, choices: tuple[str, ...], help: str) -> Any:
    return field(default=default, metadata={"help": help, "choices": choices})


def _file(help: str) -> Any:
    """A field that names a file, or None."""
    return field(default=None, metadata={"help": help, "file": True, "unset": "none"})


def _filter(name: str) -> Any:
    """A field that says which connections are asked for, as text, or None: all."""
    return field(default=None, metadata={"help": HELP[name], "filter": METAVARS[name], "unset": "all"})


def _codes(help: str, unset: str) -> Any:
    """A field that holds codes of findings, as text, or None."""
    return field(default=None, metadata={"help": help, "codes": "CODES", "unset": unset})


def _number(default: int, help: str) -> Any:
    return field(default=default, metadata={"help": help, "range": (1, MOST)})


class SettingsFile(NamedTuple):
    """A file of settings, "" where none is to be read; and the values that it has, by the names of fields."""

    path: str
    values: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Settings:
    """What the tracker and the findings go by. Immutable, so that a result can name what it was made with."""

    profile: str = _choice(
        "linux", tuple(PROFILES), "Operating system whose timers end TIME_WAIT and an orphaned FIN_WAIT_2."
    )
    time_wait_ns: int | None = _timer("Length of TIME_WAIT, instead of the profile's value.")
    fin_timeout_ns: int | None = _timer(
        "How long an orphaned FIN_WAIT_2 lasts (Linux: tcp_fin_timeout), instead of the profile's value."
    )
    close_wait_leak_ns: int = _duration(
        10, "Report a leak (TD101) after this long without sending in CLOSE_WAIT; below it, only TD107."
    )
    slow_close_ns: int = _duration(1, "Report a slow close (TD105) if CLOSE_WAIT lasted longer than this.")
    clock_back_ns: int = _duration(
        0.001, "Report that the clock went back (TD906) if a frame is earlier than the one before by more than this."
    )
    open_silence_ns: int = _duration(
        3600,
        "Report an open connection (TD407) that was silent for longer than this, without a keep-alive, at the end.",
    )
    capture_gap_ns: int = _duration(
        5,
        "Report a gap (TD907) if nothing was captured between two files for longer than this, and for longer "
        "than is usual inside them.",
    )
    engine: str = _choice("native", ENGINES, "Program that reads the capture. tshark is slow, and knows more formats.")
    pile_up: int = _number(10, "Report a pile-up (TD106) if one service or client leaks this many sockets at once.")
    descriptors: int = _number(1024, "Open files a process may have; TD106 says when the leak will reach it.")
    idle_timer_ns: int = _duration(5, "Report a reset that ended a silence (TD401) if that was at least this long.")
    gave_up_waiting_ns: int = _duration(
        1, "Report that a client gave up waiting (TD406) if it closed at least this long after its last data."
    )
    timers: str | None = _file(
        "Known timers of this site, told before those of the catalogue: a file as docs/timers.md describes it."
    )
    ephemeral_ports: int = _number(
        28232, "Ports a client has for its connections to one server (Linux: 32768 to 60999); TD504 compares with it."
    )
    ports_used_percent: int = _number(
        80, "Report a pile-up (TD504) if TIME_WAIT holds this many percent of a client's ports toward one server."
    )
    outage: int = _number(
        10, "Report an outage (TD317) if a service that took connections refused or ignored this many."
    )
    half_open: int = _number(
        50, "Report a flood (TD316) if one service had this many half-open connections within ten seconds."
    )
    host: str | None = _filter("host")
    port: str | None = _filter("port")
    stream: str | None = _filter("stream")
    between: tuple[str, str] | None = _filter("between")
    code: str | None = _filter("code")
    ending: str | None = _filter("ending")
    where: str | None = _filter("where")
    select: str | None = _codes("Tell only of these findings: codes, separated by commas.", "all")
    ignore: str | None = _codes("Do not tell of these findings: codes, separated by commas.", "none")
    settings_file: SettingsFile | None = None  # what fields come from that no option sets; None: there is no file
    read_on_host: tuple[str, ...] = ()  # those of the fields above that nobody set: this host's own values
    skip_bad: bool = False  # whether those of several captures that cannot be read are left out, with a notice
    keep_flows: bool = True  # whether the result holds a row for every flow
    keep_timeline: bool = True  # and all that happened to its endpoints
    keep_segments: bool = False  # whether the result holds a row for every segment; memory grows with them
    keep_further: tuple[str, ...] = tuple(FURTHER)  # tables of these names can be made of the result
    keep_stream: int | None = None  # with keep_segments: only what happened in this stream is kept, and its segments
    keep_fitting: bool = False  # likewise, but of the connections that host and port ask for; of none if these are many
    fast_path: bool = True  # whether connections without surprises take the fast path; the results are the same

    @property
    def filtered(self) -> bool:
        """Whether only some connections are asked for."""
        return any(getattr(self, name) is not None for name in HELP)

    @property
    def keeps_rows(self) -> bool:
        """Whether a row of every flow has to be kept."""
        return self.keep_flows or self.filtered


def adjustable() -> Iterator[Field[Any]]:
    """The fields that a user may set by a command line option."""
    return (entry for entry in fields(Settings) if "help" in entry.metadata)


def option_name(entry: Field[Any]) -> str:
    """``close_wait_leak_ns`` is ``--close-wait-leak`` on the command line."""
    return "--" + entry.name.removesuffix("_ns").replace("_", "-")


def settings_of(**values: Any) -> Settings:
    """Settings from keyword arguments: a field's own name, or a duration in seconds as ``..._s``.

    Raises UsageError for a name or a value that does not exist.
    """
    known = {entry.name: entry for entry in fields(Settings)}
    taken: dict[str, Any] = {}
    for name, value in values.items():
        own = name if name in known else name.removesuffix("_s") + "_ns"
        if own not in known:
            raise UsageError(f"unknown setting {name!r}{_suggestion(name, list(known))}")
        taken[own] = value if own == name or value is None else nanoseconds(value)
        if not {"filter", "codes"}.isdisjoint(known[own].metadata) and value is not None:
            taken[own] = written(own, value)
        if "file" in known[own].metadata and value is not None:
            taken[own] = fspath(value)
        check(known[own], taken[own])
    return Settings(**taken)


def nanoseconds(text: str | float | Decimal) -> int:
    """A duration as people write it (``10``, ``0.25``, ``500ms``, ``2m``; seconds without a unit),
    exactly."""
    written = str(text).strip()
    unit = next((unit for unit in ("ms", "s", "m", "h") if written.endswith(unit)), "")
    try:
        value = Decimal(written.removesuffix(unit)) * UNITS.get(unit, SECOND)
        whole = int(min(max(value, Decimal(-1)), Decimal(1 << 63)))  # the number 1e99999 itself takes long to make
    except (ArithmeticError, ValueError):  # also of 1e999999, which overflows
        raise UsageError(f"{written!r} is not a duration; write seconds (10, 0.25), 500ms, 2m or 1h") from None
    if whole < 0:
        raise UsageError(f"a duration must not be negative, as {written!r} is")
    if whole >= 1 << 63:
        raise UsageError(f"{written!r} is too long: a duration is 292 years at most")
    return whole


def seconds_text(duration_ns: int) -> str:
    """``10``, ``0.25``: a duration as the options take it."""
    return f"{Decimal(duration_ns) / SECOND:f}"


def default_text(entry: Field[Any]) -> str:
    """A field's default as an option takes it, or what holds where it has none."""
    default: Any = entry.default
    if default is None:
        return str(entry.metadata["unset"])
    return seconds_text(default) if "seconds" in entry.metadata else str(default)


def options_text(settings: Settings) -> list[str]:
    """The options that were given, as they are written; not what a file of settings says, which is read again."""
    file = settings.settings_file or SettingsFile("")
    usual = dict(file.values)
    given = [entry for entry in adjustable() if entry.name not in settings.read_on_host]
    values = [(entry, getattr(settings, entry.name)) for entry in given]
    options = [_as_option(entry, value) for entry, value in values if value != usual.get(entry.name, entry.default)]
    flags = {"--no-config": settings.settings_file == SettingsFile(""), "--skip-bad": settings.skip_bad}
    return [*(flag for flag, given in flags.items() if given), *options]


def file_text(settings: Settings) -> str:
    """What a file of settings has set, and no option otherwise; "" where that is nothing."""
    file = settings.settings_file or SettingsFile("")
    fields = {entry.name: entry for entry in adjustable()}
    kept = [(fields[name], value) for name, value in file.values if getattr(settings, name) == value]
    said = ", ".join(_as_option(entry, value).removeprefix("--") for entry, value in kept)
    return f"Settings from {file.path}: {said}" if said else ""


def origin(settings: Settings, name: str) -> str:
    """Where a setting comes from: the option, or the file and its key."""
    file = settings.settings_file or SettingsFile("")
    option = next(option_name(entry) for entry in adjustable() if entry.name == name)
    return f"{file.path}: {option[2:]}" if (name, getattr(settings, name)) in file.values else option


def without_filters(settings: Settings) -> Settings:
    """The same for all connections."""
    nothing: dict[str, Any] = dict.fromkeys(HELP)
    return replace(settings, **nothing)


def filters_text(settings: Settings) -> str:
    """The filters that were given, as they are written."""
    values = [(entry, getattr(settings, entry.name)) for entry in adjustable() if "filter" in entry.metadata]
    return " ".join(_as_option(entry, value) for entry, value in values if value is not None)


def _as_option(entry: Field[Any], value: Any) -> str:
    """An option and its value, quoted for a shell."""
    if "seconds" in entry.metadata:
        return f"{option_name(entry)} {seconds_text(value)}"
    values = value if isinstance(value, tuple) else (value,)
    return " ".join([option_name(entry), *(shell_word(str(each)) for each in values)])


def check(entry: Field[Any], value: Any) -> None:
    """Raises UsageError for a value that the field cannot have."""
    choices = entry.metadata.get("choices")
    if choices and value not in choices:
        raise UsageError(f"{entry.name} is one of {', '.join(choices)}, not {value!r}")
    if value is None and "unset" in entry.metadata:
        return
    if "filter" in entry.metadata:
        check_filter(entry.name, value)
        return
    if "codes" in entry.metadata:
        if not codes_of(value):
            raise UsageError(f"{option_name(entry)} names no code")
        return
    if "file" in entry.metadata:
        from analyzer.tcp.timer_catalogue import own_timers  # the command line loads nothing that it may not need

        own_timers(value)
    timed = "seconds" in entry.metadata
    least, most = entry.metadata.get("range", (0, (1 << 63) - 1) if timed else (None, None))
    if least is not None and not (isinstance(value, int) and least <= value <= most):
        raise UsageError(f"{option_name(entry)} must be {_between(least, most, timed)}, not {_human(value, timed)}")


def _between(least: int, most: int, timed: bool) -> str:
    """The range of a setting in words."""
    return f"{'' if timed else 'a whole number '}from {_human(least, timed)} to {_human(most, timed)}"


def _human(value: Any, timed: bool) -> str:
    """A value as people write it; nanoseconds as seconds, with the hours of many."""
    if not timed or not isinstance(value, int):
        return repr(value)
    hours = value / (3600 * SECOND)
    return f"{seconds_text(value)} s" + (f" ({hours:g} h)" if hours >= 1 and hours == int(hours) else "")


def _suggestion(name: str, known: list[str]) -> str:
    spoken = [entry.removesuffix("_ns") + "_s" if entry.endswith("_ns") else entry for entry in known]
    near = get_close_matches(name, spoken, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(spoken)}"
