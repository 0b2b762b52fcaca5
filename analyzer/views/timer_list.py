"""The catalogue of timers for the terminal and for the docs: ``teardown explain timers [VALUE or NAME]``."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from analyzer.errors import UsageError
from analyzer.settings import nanoseconds, seconds_text
from analyzer.tcp.timer_catalogue import EARLY_NS, LATE_NS, VERIFIED, KnownTimer, in_force
from analyzer.units import SECOND
from analyzer.views.console import Line, wrapped

VALUE = re.compile(r"[-+.\d]")  # begins a duration; names do not begin so
DOES = {  # when it fires
    "fin": "closes (FIN)",
    "rst": "resets (RST)",
    "silent": "forgets the connection and sends nothing",
    "silent-then-rst-on-next-packet": "forgets the connection; answers the next packet with RST",
    "closes-both": "closes both of its connections",
    "gives-up": "stops waiting: closes, or reports an error and then closes",
}


def timer_lines(asked: str | None, own: str | None = None, columns: int = 80) -> list[Line]:
    """The timers that are ``asked`` for: that fire at a value (a duration as the options take it), or have that name;
    without either all. Those in the file ``own`` of a site are among them.

    Raises UsageError for a value that is no duration, for a file that cannot be used, and where there is no such timer.
    """
    known = sorted(in_force(own), key=lambda timer: (timer.length, not timer.own, timer.id))
    if asked is None:
        timers = known
    elif VALUE.match(asked):
        timers = list(_near(known, nanoseconds(asked)))
    else:
        timers = list(_named(known, asked))
    if not timers:
        missing = f"fires at {asked}" if asked and VALUE.match(asked) else f"has {asked!r} in its name"
        raise UsageError(f"no known timer {missing}; teardown explain timers lists all of them")
    return [line for length, some in groupby(timers, _length) for line in _of_length(length, some, columns)]


def _near(known: Iterable[KnownTimer], length: int) -> Iterator[KnownTimer]:
    """Those that may end a silence of that length by acting then."""
    for timer in known:
        if timer.length - timer.early - EARLY_NS <= length <= timer.length + timer.late + LATE_NS:
            yield timer


def _named(known: Iterable[KnownTimer], name: str) -> Iterator[KnownTimer]:
    """Those of which all words of a name begin words of their system, their own name or their id."""
    words = [re.compile(f"(?<![a-z0-9]){re.escape(word)}") for word in name.lower().split()]
    for timer in known:
        if all(word.search(f"{timer.system} {timer.timer} {timer.id}".lower()) for word in words):
            yield timer


def _length(timer: KnownTimer) -> int:
    return timer.length


def _of_length(length: int, timers: Iterable[KnownTimer], columns: int) -> Iterator[Line]:
    yield Line(f"{seconds_text(length)} s{_longer(length)}", "bold")
    for timer in timers:
        yield from map(
            Line, wrapped(f"{timer.system}: {timer.timer} ({'yours; ' if timer.own else ''}{timer.role})", 2, columns)
        )
        yield from map(Line, wrapped(f"counts from: {timer.starts}; then it {DOES[timer.fires]}", 6, columns))
        yield from map(Line, wrapped(f"value: {timer.range}; versions: {timer.applies}", 6, columns))
        yield from (Line(line, "dim") for line in wrapped(f"{VERIFIED[timer.mark]}: {timer.source}", 6, columns))


def _longer(length: int) -> str:
    """The same in minutes, hours or days, where it is a whole number of them."""
    for name, unit in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if length >= 2 * unit * SECOND and length % (unit * SECOND) == 0:
            return f" ({length // (unit * SECOND)} {name})"
    return ""
