"""Timers of systems, programs and devices that end connections, as a catalogue with sources.

``timers.tsv`` has a row for each timer: who has it, its default, what starts it and what it does. It is data: rows are
added and corrected there. How its words are matched with a capture is data too: ``starts.tsv`` says for each "starts"
from which segment the time counts (``clock``) and what the connection waits for then (``waits``); ``roles.tsv`` says
which end acts; ``late.tsv`` says which timers may fire earlier or later than their value, because they are checked only
now and then. A row that was not verified in a source is not in the catalogue.

A value alone proves little: most timers can be set. So all timers that fit are listed, never one of them.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from analyzer.errors import UsageError

NS = 1_000_000_000
EARLY_NS = NS // 10  # a clock may be coarse
LATE_NS = NS  # a program may be slow to act
COLUMNS = (
    "id", "system", "kind", "role", "timer", "seconds", "range", "starts", "fires", "applies_since_or_version",
    "source", "mark",
)  # fmt: skip
FIRES = frozenset(("fin", "rst", "silent", "silent-then-rst-on-next-packet", "closes-both", "gives-up"))
SILENT = frozenset(("silent", "silent-then-rst-on-next-packet"))
CLOSED_OR_RESET = frozenset(("fin", "rst"))  # unread data turn the FIN of a close into a RST
ENDS: Mapping[str, frozenset[str]] = {  # how a silence may end on the wire, by what a timer does
    "fin": CLOSED_OR_RESET,
    "rst": frozenset(("rst",)),
    "closes-both": CLOSED_OR_RESET,
    "gives-up": CLOSED_OR_RESET | {"nothing"},
    "silent": frozenset(("nothing",)),
    "silent-then-rst-on-next-packet": frozenset(("rst-to-next",)),
}
FORGETS_TOO: Mapping[str, frozenset[str]] = {
    **ENDS,
    "silent": frozenset(("rst-to-next",)),
}  # a host that has forgotten a connection answers with RST
ACTS = frozenset(("client", "server", "either", "device", "closer", "sender"))
CLOCKS = frozenset(
    ("packet", "packet-client", "data", "data-client", "connect", "syn-ack", "request", "fin", "fin-acked", "fins",
     "unacked", "none")
)  # fmt: skip
WAITS = frozenset(
    ("handshake", "unused", "answer", "mid-answer", "idle", "unacknowledged", "half-closed", "closed")
)  # fmt: skip
VERIFIED = {"[S]": "source code", "[D]": "documentation", "[P]": "a public page", "[I]": "an issue thread"}


class KnownTimer(NamedTuple):
    """One timer; times in nanoseconds."""

    id: str
    system: str
    role: str  # who has it, in words
    timer: str  # its name, or the sum of several
    length: int
    range: str  # what it can be set to
    starts: str  # what starts it, in words
    fires: str  # of FIRES
    applies: str  # versions and remarks
    source: str
    mark: str  # of VERIFIED
    acts: str  # of ACTS
    clock: str  # of CLOCKS
    waits: frozenset[str]  # of WAITS
    early: int  # how much sooner it may fire
    late: int  # how much later

    @property
    def silent(self) -> bool:
        """Whether nothing is sent when it fires: then the next segment shows only that it has fired before."""
        return self.fires in SILENT


class Silence(NamedTuple):
    """A wait that ended: what is matched with the catalogue. Times in nanoseconds."""

    waits: str  # of WAITS: what the connection waited for
    ends: str  # "fin", "rst", "rst-to-next": a segment sent after it was answered with RST, "nothing": with nothing
    actor: str  # who sent the FIN or RST, or gave up: "client" or "server"
    lengths: Mapping[str, int]  # from each of CLOCKS that is known to the end
    survived: Mapping[str, int]  # the longest wait by each of CLOCKS that this connection had survived before
    round_trip: int = 0


@cache
def catalogue() -> tuple[KnownTimer, ...]:
    """All timers, the shortest first."""
    return tuple(sorted(_timers(_rows(str(_data("timers.tsv")), COLUMNS)), key=lambda timer: (timer.length, timer.id)))


def own_timers(path: str) -> tuple[KnownTimer, ...]:
    """A site's own timers, from a file with the columns and words of ``timers.tsv``.

    Raises UsageError, which names the line, for a file that cannot be read or a row that is not understood.
    """
    return tuple(_timers(_rows(path, COLUMNS)))


def fitting(silence: Silence, timers: Iterable[KnownTimer] | None = None) -> list[KnownTimer]:
    """The timers that fit a silence: those that act when they fire, the nearest first, then the silent ones, the
    longest first."""
    known = catalogue() if timers is None else timers
    found = [timer for timer in known if _fits(timer, silence)]
    return sorted(found, key=lambda timer: (timer.silent, _distance(timer, silence), timer.id))


def _fits(timer: KnownTimer, silence: Silence) -> bool:
    length = silence.lengths.get(timer.clock)
    if length is None or silence.waits not in timer.waits or not _could_act(timer, silence):
        return False
    if silence.survived.get(timer.clock, 0) > timer.length + timer.late + LATE_NS + silence.round_trip:
        return False  # this connection had survived a longer wait of the kind
    if timer.silent:
        return length >= timer.length
    early = timer.length - timer.early - EARLY_NS
    return early <= length <= timer.length + timer.late + LATE_NS + silence.round_trip


def _could_act(timer: KnownTimer, silence: Silence) -> bool:
    """Whether the timer's owner can be who ended the silence, and in the way that it ended."""
    if silence.ends not in (FORGETS_TOO if timer.silent and timer.acts != "device" else ENDS)[timer.fires]:
        return False
    return timer.silent or timer.acts not in ("client", "server") or timer.acts == silence.actor


def _distance(timer: KnownTimer, silence: Silence) -> int:
    """How far the silence is from what the timer says."""
    return abs(silence.lengths[timer.clock] - timer.length)


def _timers(rows: Iterable[tuple[str, Mapping[str, str]]]) -> Iterator[KnownTimer]:
    for where, row in rows:
        try:
            yield _timer(row)
        except (KeyError, InvalidOperation) as error:
            raise UsageError(f"{where}: {_fault(error)}") from None


def _timer(row: Mapping[str, str]) -> KnownTimer:
    acts = _roles()[row["role"]]
    if row["fires"] not in FIRES or row["mark"] not in VERIFIED:
        raise KeyError(row["fires"] if row["fires"] not in FIRES else row["mark"])
    clock, waits = _start(row["starts"], row["fires"], acts)
    early, late = _checked().get(row["id"], (0, 0))
    return KnownTimer(
        row["id"], row["system"], row["role"], row["timer"], _nanoseconds(row["seconds"]), row["range"], row["starts"],
        row["fires"], row["applies_since_or_version"], row["source"], row["mark"], acts, clock, waits, early, late,
    )  # fmt: skip


def _fault(error: KeyError | InvalidOperation) -> str:
    if isinstance(error, InvalidOperation):
        return "seconds is not a number"
    return f"{error.args[0]!r} is no word of its column; docs/timers.md lists the words of each"


def _start(starts: str, fires: str, acts: str) -> tuple[str, frozenset[str]]:
    """From when a timer counts, and what the connection waits for then: the first line of ``starts.tsv`` that fits."""
    for line in _starts()[starts]:
        if line["fires"] in ("*", fires) and line["acts"] in ("*", acts, "either"):
            return line["clock"], frozenset(filter(None, line["waits"].split(",")))
    return "none", frozenset()


@cache
def _starts() -> dict[str, list[Mapping[str, str]]]:
    found: dict[str, list[Mapping[str, str]]] = {}
    for _, line in _rows(str(_data("starts.tsv")), ("starts", "fires", "acts", "clock", "waits")):
        found.setdefault(line["starts"], []).append(line)
    return found


@cache
def _roles() -> dict[str, str]:
    return {line["role"]: line["acts"] for _, line in _rows(str(_data("roles.tsv")), ("role", "acts"))}


@cache
def _checked() -> dict[str, tuple[int, int]]:
    lines = _rows(str(_data("late.tsv")), ("id", "early_s", "late_s", "why"))
    return {line["id"]: (_nanoseconds(line["early_s"]), _nanoseconds(line["late_s"])) for _, line in lines}


def _rows(path: str, columns: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The rows of a file of tab-separated values, each with where it stands."""
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the timers in {path}: {error}") from None
    lines = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    if tuple(lines.fieldnames or ()) != columns:
        raise UsageError(f"{path}: the first line must name these columns, separated by tabs: {' '.join(columns)}")
    for line in lines:
        if None in line or None in line.values():
            raise UsageError(f"{path}, line {lines.line_num}: it must have {len(columns)} columns, separated by tabs")
        yield f"{path}, line {lines.line_num}", line


def _data(name: str) -> Traversable:
    return files(__name__) / name


def _nanoseconds(seconds: str) -> int:
    return int(Decimal(seconds) * NS)
