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

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from analyzer.tcp.timer_catalogue.tsv_file import TsvRow, rows_of

NS = 1_000_000_000
EARLY_NS = NS // 10  # a clock may be coarse
LATE_NS = NS  # a program may be slow to act
SHORTEST, LONGEST = Decimal("0.001"), Decimal(365 * 24 * 3600)  # seconds
FORMULA = ("=", "+", "-", "@")  # a spreadsheet takes a cell that begins with one for a formula
FILES_KEPT = 16  # so many files of own timers are not read again
WIDE = 10  # the part of its value by which a timer may miss it and still be called precise
COLUMNS = (
    "id", "system", "kind", "role", "timer", "seconds", "range", "starts", "fires", "applies_since_or_version",
    "source", "mark",
)  # fmt: skip
FIRES = frozenset(("fin", "rst", "silent", "silent-then-rst-on-next-packet", "closes-both", "gives-up"))
SILENT = frozenset(("silent", "silent-then-rst-on-next-packet"))
CLOSED_OR_RESET = frozenset(("fin", "rst"))  # unread data turn the FIN of a close into a RST
RESETS: Mapping[str, str] = {  # what is known of a RST that ended a silence
    "own": "its sender had acknowledged all of its peer's data and owed no answer",
    "unread": "data of the peer were not acknowledged, or a request was not answered: they may have lain unread",
    "third-party": "somebody else than its alleged sender sent it",
    "no-fin": "it answers a segment, and its sender had sent no FIN",
}
ENDS: Mapping[str, frozenset[str]] = {  # how a silence may end on the wire, by what a timer does
    "fin": CLOSED_OR_RESET,
    "rst": frozenset(("rst",)),
    "closes-both": CLOSED_OR_RESET,
    "gives-up": CLOSED_OR_RESET | {"nothing"},
    "silent": frozenset(("nothing",)),
    "silent-then-rst-on-next-packet": frozenset(("rst-to-next",)),
}
HOST_FORGETS: Mapping[str, frozenset[str]] = {  # it answers with RST
    **ENDS,
    "silent": frozenset(("rst-to-next",)),
}
DEVICE_FORGETS: Mapping[str, frozenset[str]] = {  # it drops what comes then, rejects it, or has another host answer
    **ENDS,
    "silent": frozenset(("nothing", "rst-to-next")),
}
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
OF_FINS = frozenset(("fin", "fin-acked", "fins"))  # clocks that a FIN starts
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
    reset: str = "own"  # of RESETS: what is known of the RST that ended it


@cache
def catalogue() -> tuple[KnownTimer, ...]:
    """All timers, the shortest first."""
    timers = map(_timer, rows_of(str(_data("timers.tsv")), COLUMNS))
    return tuple(sorted(timers, key=lambda timer: (timer.length, timer.id)))


def own_timers(path: str) -> tuple[KnownTimer, ...]:
    """A site's own timers, from a file with the columns and words of ``timers.tsv``.

    Raises UsageError, which names the line and the column, for a file that cannot be read or a row that is not
    understood. A file is read again once it has been written; a pipe, which can be read only once, is not.
    """
    return _own(path, _version(path))


def in_force(path: str | None) -> tuple[KnownTimer, ...]:
    """The site's own timers in the file ``path``, if there is one, and those of the catalogue."""
    return catalogue() if path is None else _with_own(path, _version(path))


def _version(path: str) -> tuple[int, ...]:
    """Tells a file from others that had its name, and from itself before it was written."""
    try:
        about = Path(path).stat()
    except (OSError, ValueError):
        return ()  # reading it says what is wrong
    written = (about.st_size, about.st_mtime_ns) if S_ISREG(about.st_mode) else ()
    return (about.st_dev, about.st_ino, *written)


@lru_cache(FILES_KEPT)
def _own(path: str, version: tuple[int, ...]) -> tuple[KnownTimer, ...]:
    timers: list[KnownTimer] = []
    known = {timer.id: "the catalogue" for timer in catalogue()}
    for row in rows_of(path, COLUMNS):
        name = row.cells["id"]
        _check_names(row)
        if name in known:
            raise row.wrong("id", f"{name!r} is already the id of a timer of {known[name]}; give this one another")
        known[name] = row.where
        timers.append(_timer(row)._replace(own=True))
    return tuple(timers)


@lru_cache(FILES_KEPT)
def _with_own(path: str, version: tuple[int, ...]) -> tuple[KnownTimer, ...]:
    return (*_own(path, version), *catalogue())


def _check_names(row: TsvRow) -> None:
    """Raises UsageError for names that a table or a sentence could not have."""
    for column in ("id", "system", "timer"):
        text = row.cells[column].strip()
        if not text:
            raise row.wrong(column, "it is empty; write a name")
        if text.startswith(FORMULA) and column != "timer":  # no cell begins with that
            raise row.wrong(column, f"a spreadsheet takes {text!r} for a formula; begin with a letter or a digit")
    if ";" in row.cells["id"]:
        raise row.wrong("id", f"{row.cells['id']!r} has a semicolon, which separates ids; leave it out")


def fitting(silence: Silence, timers: Iterable[KnownTimer] | None = None, port: int = 0) -> list[KnownTimer]:
    """The timers that fit a silence, the likeliest first (see :func:`rank`); ``port`` is the server's."""
    known = catalogue() if timers is None else timers
    found = [timer for timer in known if _fits(timer, silence)]
    return sorted(found, key=lambda timer: rank(timer, protocol_at(port), silence.ends))


def could_end(timer: KnownTimer, waits: str, ends: str, actor: str, reset: str = "own") -> bool:
    """Whether a timer could end a silence in which the connection waited for ``waits`` in that way: whether its owner
    can be the ``actor``. A program that closes sends FIN, but RST with data unread; what somebody else sends in the
    name of a host comes from a device between the two; a host that sent no FIN has no timer that counts from one."""
    if (ends == "rst" and timer.fires == "fin" and reset != "unread") or (
        reset == "third-party" and timer.acts != "device"
    ):
        return False
    if reset == "no-fin" and timer.acts != "device" and timer.clock in OF_FINS:
        return False
    ways = (DEVICE_FORGETS if timer.acts == "device" else HOST_FORGETS)[timer.fires]
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


def survived_by(timer: KnownTimer, waits: str, survived: Mapping[str, Any]) -> Any:
    """The longest wait by a timer's clock that a connection had ``survived`` before, 0 where none is known. What passed
    before the server's greeting was the server's own time: its timer for the client's first data did not count it."""
    return 0 if waits == "unused" and timer.acts == "server" else survived.get(timer.clock, 0)


def rank(timer: KnownTimer, protocol: str, ends: str) -> tuple[Any, ...]:
    """How likely a timer that fits is compared with others, the likeliest the lowest: the site's own first; those whose
    system speaks another ``protocol`` than is usual at the server's port last; those that act when they fire before
    those that are silent, which fit any silence that is long enough; those that are precise; those that reset, where a
    RST ``ends`` the silence; the longest; those that are known to answer with a RST, where one came; and the systems
    that are met most often."""
    elsewhere = bool(protocol and timer.protocol) and timer.protocol != protocol
    resets = ends == "rst" and timer.fires == "rst"
    answers = ends == "rst-to-next" and timer.fires == "silent-then-rst-on-next-packet"
    return (
        not timer.own, elsewhere, timer.silent, timer.wide, not resets, -timer.length, not answers,
        _common().get(timer.system, len(_common())), timer.id,
    )  # fmt: skip


def protocol_at(port: int) -> str:
    """What is usually spoken at a server's port, "" where that is not known."""
    return _ports().get(port, "")


@cache
def apart() -> Mapping[int, str]:
    """What would tell apart the timers of one length (in ns): for those that many systems have."""
    lines = _rows("apart.tsv", ("seconds", "apart"))
    return {_nanoseconds(line["seconds"]): line["apart"] for line in lines}


def _fits(timer: KnownTimer, silence: Silence) -> bool:
    length = silence.lengths.get(timer.clock)
    if length is None or not could_end(timer, silence.waits, silence.ends, silence.actor, silence.reset):
        return False
    return bool(in_time(timer, length, survived_by(timer, silence.waits, silence.survived), silence.round_trip))


def _timer(row: TsvRow) -> KnownTimer:
    cells = row.cells
    for column, words in (("role", known_roles()), ("starts", known_starts()), ("fires", FIRES), ("mark", VERIFIED)):
        if cells[column] not in words:
            raise row.wrong(column, f"unknown word {cells[column]!r}; docs/timers.md lists the words")
    acts = known_roles()[cells["role"]]
    clock, waits = _start(cells["starts"], cells["fires"], acts)
    early, late = _checked().get(cells["id"], (0, 0))
    return KnownTimer(
        cells["id"], cells["system"], cells["role"], cells["timer"], _length(row), cells["range"], cells["starts"],
        cells["fires"], cells["applies_since_or_version"], cells["source"], cells["mark"], acts, clock, waits, early,
        late, _protocols().get(cells["system"], ""),
    )  # fmt: skip


def _length(row: TsvRow) -> int:
    """The time of a timer in nanoseconds."""
    text = row.cells["seconds"]
    try:
        if SHORTEST <= Decimal(text) <= LONGEST:
            return _nanoseconds(text)
    except InvalidOperation:
        pass  # no number, or NaN
    raise row.wrong("seconds", f"{text!r} is no number from {SHORTEST} to {LONGEST} (a year); write one such as 77")


def _start(starts: str, fires: str, acts: str) -> tuple[str, frozenset[str]]:
    """From when a timer counts, and what the connection waits for then: the first line of ``starts.tsv`` that fits."""
    for line in known_starts()[starts]:
        if line["fires"] in ("*", fires) and line["acts"] in ("*", acts, "either"):
            return line["clock"], frozenset(filter(None, line["waits"].split(",")))
    return "none", frozenset()


@cache
def known_starts() -> dict[str, list[Mapping[str, str]]]:
    found: dict[str, list[Mapping[str, str]]] = {}
    for line in _rows("starts.tsv", ("starts", "fires", "acts", "clock", "waits")):
        found.setdefault(line["starts"], []).append(line)
    return found


@cache
def known_roles() -> dict[str, str]:
    return {line["role"]: line["acts"] for line in _rows("roles.tsv", ("role", "acts"))}


@cache
def _protocols() -> dict[str, str]:
    lines = _rows("protocols.tsv", ("system", "protocol"))
    return {line["system"]: line["protocol"] for line in lines}


@cache
def _common() -> dict[str, int]:
    lines = _rows("common.tsv", ("system",))
    return {line["system"]: place for place, line in enumerate(lines)}


@cache
def _ports() -> dict[int, str]:
    return {int(line["port"]): line["protocol"] for line in _rows("ports.tsv", ("port", "protocol"))}


@cache
def _checked() -> dict[str, tuple[int, int]]:
    lines = _rows("late.tsv", ("id", "early_s", "late_s", "why"))
    return {line["id"]: (_nanoseconds(line["early_s"]), _nanoseconds(line["late_s"])) for line in lines}


def _rows(name: str, columns: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    """The rows of a file of the catalogue."""
    return (row.cells for row in rows_of(str(_data(name)), columns))


def _data(name: str) -> Traversable:
    return files(__name__) / name


def _nanoseconds(seconds: str) -> int:
    return int(Decimal(seconds) * NS)
