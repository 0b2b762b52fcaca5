"""Timers of systems, programs and devices that end connections, as a catalogue with sources.

``timers.tsv`` has a row for each timer: who has it, its default, what starts it and what it does. It is data: rows are
added and corrected there. How its words are matched with a capture is data too: ``starts.tsv`` says for each "starts"
from which segment the time counts (``clock``) and what the connection waits for then (``waits``); ``roles.tsv`` says
which end acts; ``late.tsv`` says which timers may fire earlier or later than their value, because they are checked only
now and then; ``protocols.tsv`` says which systems speak one protocol only, and ``ports.tsv`` at which ports that is
usual; ``common.tsv`` lists the systems that are met most often; ``apart.tsv`` says what would tell apart timers that
have the same value. A row that was not verified in a source is not in the catalogue.

A value alone proves little: most timers can be set. So all timers that fit are listed, never one of them.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.errors import UsageError

NS = 1_000_000_000
EARLY_NS = NS // 10  # a clock may be coarse
LATE_NS = NS  # a program may be slow to act
WIDE = 10  # the part of its value by which a timer may miss it and still be called precise
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
CLOCKS: Mapping[str, str] = {  # from when the time counts
    "packet": "the last segment of either side",
    "packet-client": "the client's last segment",
    "data": "the last data of either side",
    "data-client": "the client's last data",
    "connect": "the handshake, or the SYN where that was not answered",
    "syn-ack": "the SYN-ACK",
    "request": "the client's last data, which were not answered",
    "fin": "the first FIN",
    "fin-acked": "the acknowledgment of the first FIN",
    "fins": "the last FIN",
    "unacked": "the first data that were not acknowledged",
    "none": "nothing that a packet shows",
}
WAITS: Mapping[str, str] = {  # what the connection waited for
    "handshake": "the answer to a SYN or SYN-ACK",
    "unused": "the client's first data",
    "answer": "an answer: the last data were the client's",
    "mid-answer": "the rest of an answer: the client had not acknowledged all of the server's data",
    "idle": "the next request: the last data were the server's, and had been acknowledged",
    "unacknowledged": "an acknowledgment",
    "half-closed": "the other side's FIN",
    "closed": "nothing more: both had sent FIN",
}
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
    protocol: str = ""  # what its system speaks, where that is one thing
    own: bool = False  # the site's own

    @property
    def silent(self) -> bool:
        """Whether nothing is sent when it fires: then the next segment shows only that it has fired before."""
        return self.fires in SILENT

    @property
    def wide(self) -> bool:
        """Whether it may fire so much earlier or later than its value that meeting it says little."""
        return self.early + self.late > self.length // WIDE


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
    return tuple(timer._replace(own=True) for timer in _timers(_rows(path, COLUMNS)))


def in_force(path: str | None) -> tuple[KnownTimer, ...]:
    """The site's own timers in the file ``path``, if there is one, and those of the catalogue."""
    return catalogue() if path is None else _with_own(path, _written(path))


def _written(path: str) -> int:
    """When the file was last written, 0 where that cannot be told."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0  # it was read before, or reading it says what is wrong


@cache
def _with_own(path: str, written: int) -> tuple[KnownTimer, ...]:
    return (*own_timers(path), *catalogue())


def fitting(silence: Silence, timers: Iterable[KnownTimer] | None = None, port: int = 0) -> list[KnownTimer]:
    """The timers that fit a silence, the likeliest first (see :func:`rank`); ``port`` is the server's."""
    known = catalogue() if timers is None else timers
    found = [timer for timer in known if _fits(timer, silence)]
    return sorted(found, key=lambda timer: rank(timer, protocol_at(port), silence.ends))


def could_end(timer: KnownTimer, waits: str, ends: str, actor: str) -> bool:
    """Whether a timer could end a silence in which the connection waited for ``waits`` in that way: whether its owner
    can be the ``actor``."""
    ways = (FORGETS_TOO if timer.silent and timer.acts != "device" else ENDS)[timer.fires]
    if waits not in timer.waits or ends not in ways:
        return False
    return timer.silent or timer.acts not in ("client", "server") or timer.acts == actor


def in_time(timer: KnownTimer, length: Any, survived: Any, round_trip: Any) -> Any:
    """Whether a timer that could end a silence fits its ``length``, and the longest one that the connection had
    ``survived`` before; for numbers or for arrays, in nanoseconds."""
    latest = timer.length + timer.late + LATE_NS + round_trip
    earliest = timer.length if timer.silent else timer.length - timer.early - EARLY_NS
    fits = (length >= earliest) & (survived <= latest)
    return fits if timer.silent else fits & (length <= latest)


def rank(timer: KnownTimer, protocol: str, ends: str) -> tuple[Any, ...]:
    """How likely a timer that fits is compared with others, the likeliest the lowest: the site's own first; those whose
    system speaks another ``protocol`` than is usual at the server's port last; those that act when they fire before
    those that are silent, which fit any silence that is long enough; those that are precise; those that reset, where a
    RST ``ends`` the silence; the longest; and the systems that are met most often."""
    elsewhere = bool(protocol and timer.protocol) and timer.protocol != protocol
    resets = ends == "rst" and timer.fires == "rst"
    return (
        not timer.own, elsewhere, timer.silent, timer.wide, not resets, -timer.length,
        _common().get(timer.system, len(_common())), timer.id,
    )  # fmt: skip


def protocol_at(port: int) -> str:
    """What is usually spoken at a server's port, "" where that is not known."""
    return _ports().get(port, "")


@cache
def apart() -> Mapping[int, str]:
    """What would tell apart the timers of one length (in ns): for those that many systems have."""
    lines = _rows(str(_data("apart.tsv")), ("seconds", "apart"))
    return {_nanoseconds(line["seconds"]): line["apart"] for _, line in lines}


def _fits(timer: KnownTimer, silence: Silence) -> bool:
    length = silence.lengths.get(timer.clock)
    if length is None or not could_end(timer, silence.waits, silence.ends, silence.actor):
        return False
    return bool(in_time(timer, length, silence.survived.get(timer.clock, 0), silence.round_trip))


def _timers(rows: Iterable[tuple[str, Mapping[str, str]]]) -> Iterator[KnownTimer]:
    for where, row in rows:
        try:
            yield _timer(row)
        except (KeyError, InvalidOperation) as error:
            raise UsageError(f"{where}: {_fault(error)}") from None


def _timer(row: Mapping[str, str]) -> KnownTimer:
    acts = known_roles()[row["role"]]
    if row["fires"] not in FIRES or row["mark"] not in VERIFIED:
        raise KeyError(row["fires"] if row["fires"] not in FIRES else row["mark"])
    clock, waits = _start(row["starts"], row["fires"], acts)
    early, late = _checked().get(row["id"], (0, 0))
    return KnownTimer(
        row["id"], row["system"], row["role"], row["timer"], _nanoseconds(row["seconds"]), row["range"], row["starts"],
        row["fires"], row["applies_since_or_version"], row["source"], row["mark"], acts, clock, waits, early, late,
        _protocols().get(row["system"], ""),
    )  # fmt: skip


def _fault(error: KeyError | InvalidOperation) -> str:
    if isinstance(error, InvalidOperation):
        return "seconds is not a number"
    return f"{error.args[0]!r} is no word of its column; docs/timers.md lists the words of each"


def _start(starts: str, fires: str, acts: str) -> tuple[str, frozenset[str]]:
    """From when a timer counts, and what the connection waits for then: the first line of ``starts.tsv`` that fits."""
    for line in known_starts()[starts]:
        if line["fires"] in ("*", fires) and line["acts"] in ("*", acts, "either"):
            return line["clock"], frozenset(filter(None, line["waits"].split(",")))
    return "none", frozenset()


@cache
def known_starts() -> dict[str, list[Mapping[str, str]]]:
    found: dict[str, list[Mapping[str, str]]] = {}
    for _, line in _rows(str(_data("starts.tsv")), ("starts", "fires", "acts", "clock", "waits")):
        found.setdefault(line["starts"], []).append(line)
    return found


@cache
def known_roles() -> dict[str, str]:
    return {line["role"]: line["acts"] for _, line in _rows(str(_data("roles.tsv")), ("role", "acts"))}


@cache
def _protocols() -> dict[str, str]:
    lines = _rows(str(_data("protocols.tsv")), ("system", "protocol"))
    return {line["system"]: line["protocol"] for _, line in lines}


@cache
def _common() -> dict[str, int]:
    lines = _rows(str(_data("common.tsv")), ("system",))
    return {line["system"]: place for place, (_, line) in enumerate(lines)}


@cache
def _ports() -> dict[int, str]:
    return {int(line["port"]): line["protocol"] for _, line in _rows(str(_data("ports.tsv")), ("port", "protocol"))}


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
