"""What was read: which captures, how much, from when to when, and what is to be known of them."""

from dataclasses import dataclass, field

from analyzer.errors import Notice
from analyzer.findings.rule import CannotJudge


@dataclass
class Summary:
    """What was read. Times are integer nanoseconds since 1970 UTC, None where no packet was read."""

    files: list[str] = field(default_factory=list)
    bytes: int = 0
    packets: int = 0
    segments: int = 0
    streams: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    link_types: list[str] = field(default_factory=list)
    not_understood: dict[str, int] = field(default_factory=dict)  # what -> number of packets
    notices: list[Notice] = field(default_factory=list)
    cannot_judge: list[CannotJudge] = field(default_factory=list)
    chosen: int | None = None  # connections that the filters ask for, which are ``chosen_by``; None without filters
    chosen_by: str = ""
    told: str = ""  # which findings are told of, where some are left out
    settings_from: str = ""  # the file of settings, and what of it is in force
