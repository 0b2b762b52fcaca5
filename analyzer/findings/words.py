"""Sentences for many rows at once: a template's pieces become columns of numbers and words, which lines are made of.

A template is text with fields in braces, ``{held:duration}``. A field names one of the rule's values, one of its
thresholds, or one of these: ``blamed`` and ``peer`` (role, address and port), ``client``, ``server``, ``blamed_at``
and ``peer_at`` (address and port), ``blamed_ip``, ``peer_ip``, ``role``, ``peer_role``, ``stream``, ``port`` (the
server's), and ``ss``, the filter that finds such sockets on the blamed host. A doubled brace is a brace. The kind
behind the colon:

    none          whole numbers as digits, text as it is
    duration      nanoseconds in the unit that fits, exact to the third decimal: 419 µs, 41.959 ms, 75.312 s
    into          a moment, as seconds since the flow's first frame (Wireshark's tcp.time_relative): 2.100584 s
    before_end    a moment, as the duration from then to the capture's end; or to the first gap in the capture, and then
                  the words "before the capture's end" behind it say so, too
    times         once, twice, 7 times
    frame         frame 8; not captured
    shown          (frame 8), or nothing
    silence       , after 612 s of silence; or nothing
    within         in 8.002 s, or nothing
    after         , 1.51 ms after; or nothing
    to             to 3, or nothing
    address       an address, or nothing for -1
    state         a State code by its name
    another word  that many of it: 1 byte, 8000 bytes

A whole number right behind the word "frame" or "frames" is a frame's number. Where several captures were given each
frame is told by its number in its own file, with that file's name: see ``in_files``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from string import Formatter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import watched_until
from analyzer.capture.recording import Recording, unbroken
from analyzer.findings import in_files
from analyzer.findings.rule import Rule
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.text import TemplatePiece, Words, code, number

Pieces = list[TemplatePiece | str]
NEEDS_QUOTES = frozenset('",\r\n')
ROLES = ("client", "server")
UNITS = ("s", "ms", "µs")
THE_END = " before the capture's end"


@dataclass
class Wording:
    """A template made ready: its pieces, and the words that they look up by name.

    The columns of the pieces are named ``part:name``; columns.py computes them. ``choices`` has for each column of
    codes which of its words need quotes in a CSV file; ``always`` says that the text does whatever the row.
    """

    pieces: Pieces
    words: dict[str, Words]
    always: bool = False
    choices: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


def wording(
    template: str,
    rule: Rule,
    texts: Mapping[str, tuple[str, ...]],
    settings: Settings,
    quotes: bool,
    recording: Recording | None = None,
) -> Wording:
    """``template`` of ``rule`` made ready; ``texts`` are the words of values that are codes, by ``= name``. Where
    ``quotes`` is set it is a cell of a CSV file in quotes. ``recording`` tells which file each frame is in."""
    (files, gaps), frame, ended = recording or unbroken(), False, ""
    made = Wording(['"'] if quotes else [], dict(common_words()))
    if files.several:
        made.words |= in_files.words_of(files, quotes)
        made.always = any(map(special, files.files))
    for literal, name, kind, _ in Formatter().parse(in_files.named(template, files)):
        frame = in_files.is_frame(literal, frame) and not kind
        if ended and gaps.rows and literal.startswith(THE_END):
            made.pieces.append(code(f"at_gap:= {ended}", "ends"))
            literal = literal.removeprefix(THE_END)
        ended = name or "" if kind == "before_end" else ""
        if literal:
            _literal(made, literal, quotes)
        if name and files.several and (frame or (kind and kind in IN_FILES)):
            made.pieces += IN_FILES[kind or ""](f"= {name}")
        elif name and name + "_ns" in rule.thresholds:
            _literal(made, threshold(getattr(settings, name + "_ns"), kind or ""), quotes)
        elif name and name in rule.thresholds:
            _literal(made, threshold(getattr(settings, name), kind or ""), quotes)
        elif name:
            _field(made, name, kind or "", texts.get(f"= {name}"), quotes)
    made.pieces += ['"'] if quotes else []
    return made


def _literal(made: Wording, text: str, quotes: bool) -> None:
    made.pieces.append(text.replace('"', '""') if quotes else text)
    made.always = made.always or special(text)


def _field(made: Wording, name: str, kind: str, texts: tuple[str, ...] | None, quotes: bool) -> None:
    if name in WHO:
        made.pieces += WHO[name]
    elif texts is not None:
        key = f"words of {name}"
        made.pieces.append(code(f"= {name}", key))
        made.words[key] = Words.of([text.replace('"', '""') for text in texts] if quotes else texts)
        made.choices[f"= {name}"] = np.array([special(text) for text in texts], np.bool_)
    else:
        made.pieces += KINDS[kind](f"= {name}") if kind in KINDS else counted(f"= {name}", kind)
        if kind not in KINDS:
            made.words[f"how many {kind}"] = Words.of([f" {kind}s", f" {kind}"])
        if kind in ("silence", "after"):
            made.choices[f"known:= {name}"] = np.array([False, True])


def special(text: str) -> bool:
    """Whether a cell of a CSV file with this text needs quotes (RFC 4180)."""
    return not NEEDS_QUOTES.isdisjoint(text)


def threshold(value: int, kind: str) -> str:
    """A threshold in words."""
    if kind != "duration":
        return str(value)
    unit = 0 if value >= 10**9 else 1 if value >= 10**6 else 2
    step = 10 ** (6 - 3 * unit)
    whole, rest = divmod((value + step // 2) // step, 1000)
    return f"{whole}{_fraction(rest)} {UNITS[unit]}"


def _fraction(thousandths: int) -> str:
    return f".{thousandths:03d}".rstrip("0") if thousandths else ""


@cache
def common_words() -> dict[str, Words]:
    """The words that all templates share."""
    thousand = range(1000)
    return {
        "units": Words.of([f"{_fraction(rest)} {unit}" for unit in UNITS for rest in thousand]),
        "milliseconds": Words.of([f".{rest:03d}" for rest in thousand]),
        "microseconds": Words.of([f"{rest:03d} s" for rest in thousand]),
        "often": Words.of([" times", "once", "twice"]),
        "frame or not": Words.of(["not captured", "frame "]),
        "frame opens": Words.of(["", " (frame "]),
        "frame closes": Words.of(["", ")"]),
        "silence begins": Words.of(["", ", after "]),
        "comma": Words.of(["", ", "]),
        "in": Words.of(["", " in "]),
        "to": Words.of(["", " to "]),
        "after": Words.of(["", " after"]),
        "silence ends": Words.of(["", " of silence"]),
        "states": Words.of([state.name for state in State]),
        "roles": Words.of(ROLES),
        "brackets open": Words.of(["", "", "["]),
        "brackets close": Words.of(["", ":", "]:"]),
        "ss": Words.of(["'( dport = :", "'( sport = :"]),
        "address fields": in_files.ADDRESS_FIELDS,
        "ends": Words.of([THE_END, " before a gap in the capture"]),
    }


def duration(name: str) -> Pieces:
    return [number(f"whole:{name}"), code(f"unit:{name}", "units")]


def into(name: str) -> Pieces:
    digits = [code(f"milli:{name}", "milliseconds"), code(f"micro:{name}", "microseconds")]
    return [number(f"seconds:{name}"), *digits]


def before_end(name: str) -> Pieces:
    return duration(f"left:{name}")


def times(name: str) -> Pieces:
    return [number(f"many:{name}"), code(f"often:{name}", "often")]


def counted(name: str, noun: str) -> Pieces:
    return [number(name), code(f"one:{name}", f"how many {noun}")]


def frame(name: str) -> Pieces:
    return [code(f"known:{name}", "frame or not"), number(name, none=0)]


def shown(name: str) -> Pieces:
    known = f"known:{name}"
    return [code(known, "frame opens"), number(name, none=0), code(known, "frame closes")]


def silence(name: str) -> Pieces:
    known, lasted = f"known:{name}", f"positive:{name}"
    return [code(known, "silence begins"), *duration(lasted), code(known, "silence ends")]


def within(name: str) -> Pieces:
    return [code(f"known:{name}", "in"), *duration(f"positive:{name}")]


def after(name: str) -> Pieces:
    known = f"known:{name}"
    return [code(known, "comma"), *duration(f"positive:{name}"), code(known, "after")]


def to(name: str) -> Pieces:
    return [code(f"known:{name}", "to"), number(name, none=0)]


KINDS: dict[str, Callable[[str], Pieces]] = {
    "": lambda name: [number(name)],
    "duration": duration,
    "into": into,
    "before_end": before_end,
    "times": times,
    "frame": frame,
    "shown": shown,
    "silence": silence,
    "within": within,
    "after": after,
    "to": to,
    "numbered": lambda name: [number(name)],
    "address": lambda name: [code(name, "addresses")],
    "state": lambda name: [code(name, "states")],
}


def frame_in_file(name: str) -> Pieces:
    return [code(f"known:{name}", "frame or not"), *in_files.numbered(name)]


def to_in_file(name: str) -> Pieces:
    return [code(f"known:{name}", "to"), *in_files.numbered(name)]


def shown_in_file(name: str) -> Pieces:
    known = f"known:{name}"
    return [code(known, "frame opens"), *in_files.numbered(name), code(known, "frame closes")]


IN_FILES: dict[str, Callable[[str], Pieces]] = {
    "": in_files.numbered,
    "frame": frame_in_file,
    "shown": shown_in_file,
    "to": to_in_file,
    "numbered": in_files.numbered,
}


def at(whose: str) -> Pieces:
    """``10.0.0.1:80``, ``[2001:db8::1]:443``; the address alone where there is no port."""
    bracket = f"bracket:{whose}"
    opening, closing = code(bracket, "brackets open"), code(bracket, "brackets close")
    return [opening, code(f"{whose}_ip", "addresses"), closing, number(f"port:{whose}")]


WHO: dict[str, Pieces] = {
    "blamed": [code("role", "roles"), " ", *at("own")],
    "peer": [code("peer_role", "roles"), " ", *at("other")],
    "client": at("client"),
    "server": at("server"),
    "blamed_at": at("own"),
    "peer_at": at("other"),
    "other": at("other"),
    "blamed_ip": [code("own_ip", "addresses")],
    "peer_ip": [code("other_ip", "addresses")],
    "role": [code("role", "roles")],
    "peer_role": [code("peer_role", "roles")],
    "stream": [number("stream")],
    "port": [number("server_port")],
    "ss": [code("role", "ss"), number("server_port"), " )'"],
    "conversation": in_files.CONVERSATION,
    "capture": in_files.COMMAND_CAPTURE,
}


class Rows:
    """Some findings of one rule: the columns that the pieces of its templates name, each computed once."""

    def __init__(
        self,
        columns: Mapping[str, NDArray[Any]],
        rows: NDArray[np.intp],
        v6: NDArray[np.bool_],
        end: int,
        recording: Recording | None = None,
    ) -> None:
        self._columns, self._rows, self._v6, self._end = columns, rows, v6, end
        self._files, self._gaps = recording or unbroken()
        self._made: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(name)
        return made

    def _make(self, name: str) -> NDArray[Any]:
        if name in self._columns:
            return self._columns[name][self._rows].astype(np.int64)
        part, _, of = name.partition(":")
        return DERIVED[part](self, of)

    def whose(self, kind: str, other: bool) -> NDArray[Any]:
        """``ip`` or ``port`` of the endpoint that is blamed (the client where none is), or of the ``other``."""
        server = (self["blamed"] == 1) ^ other
        return np.where(server, self[f"server_{kind}"], self[f"client_{kind}"])

    def brackets(self, whose: str) -> NDArray[Any]:
        """0 where there is no port, 1 for IPv4, 2 for IPv6, whose address stands in brackets then."""
        return np.where(self[f"{whose}_port"] > 0, 1 + self._v6[self[f"{whose}_ip"]], 0)

    def into(self, name: str) -> NDArray[np.int64]:
        """Microseconds from the flow's first frame."""
        return np.asarray((np.maximum(self[name] - self["start"], 0) + 500) // 1000, np.int64)

    def thousandths(self, name: str) -> NDArray[np.int64]:
        """A duration in thousandths of the unit that fits."""
        ns = np.maximum(self[name], 0)
        milliseconds, microseconds = (ns + 500_000) // 10**6, (ns + 500) // 1000
        return np.asarray(np.where(ns >= 10**9, milliseconds, np.where(ns >= 10**6, microseconds, ns)), np.int64)

    def units(self, name: str) -> NDArray[np.int64]:
        """Place in the words ``units``: what stands behind the whole number."""
        ns, size = self[name], self[f"thousandths:{name}"]
        unit = (ns < 10**9).astype(np.int64) + (ns < 10**6)
        return np.asarray(size - self[f"thousand:{name}"] * 1000 + unit * 1000, np.int64)

    def v6(self, name: str) -> NDArray[np.bool_]:
        """Whether an address is one of IPv6."""
        return np.asarray(self._v6[self[name]])

    def file(self, name: str) -> NDArray[np.int64]:
        """Which file a frame is in, -1 for none; its number there is kept for who asks for that."""
        file, self._made[f"own:{name}"] = self._files.locate(self[name])
        return file

    def own(self, name: str) -> NDArray[np.int64]:
        """The number of a frame in its file."""
        self._made[f"file:{name}"], own = self._files.locate(self[name])
        return own

    def until_end(self, name: str) -> NDArray[np.int64]:
        """From a moment to the end of what is known since: the capture's, or the next gap's begin."""
        return np.asarray(watched_until(self._gaps.bounds, self[name], self._end) - self[name], np.int64)

    def at_gap(self, name: str) -> NDArray[np.bool_]:
        """Whether that is a gap."""
        return np.asarray(watched_until(self._gaps.bounds, self[name], self._end) < self._end)


NOTHING = np.iinfo(np.int64).min  # a number that is not written


def _positive(rows: Rows, of: str) -> NDArray[np.int64]:
    return np.where(rows[of] > 0, rows[of], NOTHING)


DERIVED: dict[str, Callable[[Rows, str], NDArray[Any]]] = {
    "role": lambda rows, of: rows["blamed"] == 1,
    "peer_role": lambda rows, of: rows["blamed"] != 1,
    "own_ip": lambda rows, of: rows.whose("ip", False),
    "other_ip": lambda rows, of: rows.whose("ip", True),
    "own_port": lambda rows, of: rows.whose("port", False),
    "other_port": lambda rows, of: rows.whose("port", True),
    "bracket": lambda rows, of: rows.brackets(of),
    "port": lambda rows, of: _positive(rows, f"{of}_port"),
    "thousandths": lambda rows, of: rows.thousandths(of),
    "thousand": lambda rows, of: rows[f"thousandths:{of}"] // 1000,
    "whole": lambda rows, of: np.where(rows[of] == NOTHING, NOTHING, rows[f"thousand:{of}"]),
    "unit": lambda rows, of: np.where(rows[of] == NOTHING, -1, rows.units(of)),
    "positive": _positive,
    "left": lambda rows, of: rows.until_end(of),
    "at_gap": lambda rows, of: rows.at_gap(of),
    "passed": lambda rows, of: rows.into(of),
    "seconds": lambda rows, of: rows[f"passed:{of}"] // 10**6,
    "milli": lambda rows, of: rows[f"passed:{of}"] // 1000 - rows[f"seconds:{of}"] * 1000,
    "micro": lambda rows, of: rows[f"passed:{of}"] - rows[f"passed:{of}"] // 1000 * 1000,
    "many": lambda rows, of: np.where((rows[of] == 1) | (rows[of] == 2), NOTHING, rows[of]),
    "often": lambda rows, of: np.where((rows[of] == 1) | (rows[of] == 2), rows[of], 0),
    "one": lambda rows, of: rows[of] == 1,
    "known": lambda rows, of: rows[of] > 0,
    "v6": lambda rows, of: rows.v6(of),
    "file": lambda rows, of: rows.file(of),
    "own": lambda rows, of: rows.own(of),
}
