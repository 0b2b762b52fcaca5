"""The keyword arguments of ``analyzer.analyze()`` with their types, for editors and type checkers.

They are the fields of :class:`analyzer.settings.Settings` as people write them, durations in seconds; what each decides
stands there. A test holds this list against the fields, name by name and type by type. It is a module of its own so
that ``import analyzer`` stays cheap.
"""

from collections.abc import Iterable
from decimal import Decimal
from os import PathLike
from typing import Literal, TypedDict

Seconds = float | str | Decimal
"""A duration: ``10``, ``0.25``, ``"500ms"``, ``"2m"``."""


class Keywords(TypedDict, total=False):
    """What may be set; whatever is left out has its default."""

    profile: Literal["linux", "windows", "bsd"]
    time_wait_s: Seconds | None
    fin_timeout_s: Seconds | None
    close_wait_leak_s: Seconds
    slow_close_s: Seconds
    clock_back_s: Seconds
    open_silence_s: Seconds
    capture_gap_s: Seconds
    engine: Literal["native", "tshark"]
    pile_up: int
    descriptors: int
    idle_timer_s: Seconds
    gave_up_waiting_s: Seconds
    timers: str | PathLike[str] | None
    ephemeral_ports: int
    ports_used_percent: int
    outage: int
    half_open: int
    host: str | Iterable[str] | None
    port: int | str | Iterable[int | str] | None
    stream: int | str | Iterable[int | str] | None
    between: tuple[str | float, str | float] | None
    code: str | Iterable[str] | None
    ending: str | Iterable[str] | None
    where: str | None
    select: str | Iterable[str] | None
    ignore: str | Iterable[str] | None
    skip_bad: bool
    keep_flows: bool
    keep_timeline: bool
    keep_segments: bool
    keep_further: tuple[str, ...]
    keep_stream: int | None
    keep_fitting: bool
    fast_path: bool
