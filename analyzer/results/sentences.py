"""Sentences in lines of text: the typed pieces of ``findings/wording.py`` become what compiled templates are made of.

This is the only place where a piece is put into characters. A cell of a CSV file in quotes has its quotes doubled;
whoever wants the pieces apart (for links, for JSON) sets each as a form of its own, in the same characters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.recording import Recording
from analyzer.findings import wording
from analyzer.findings.wording import THE_END, UNITS, Piece, decimals
from analyzer.results.sentence_values import NOTHING, SentenceValues
from analyzer.tcp.states import State
from analyzer.text import TemplatePiece, Words, code, number

LinePieces = list[TemplatePiece | str]
NEEDS_QUOTES = frozenset('",\r\n')
ADDRESSES = "addresses"  # the words that the address book has for its rows
PREFIXES = {"blamed": "own", "peer": "other", "client": "client", "server": "server"}  # of columns, by party


@dataclass
class LineForm:
    """A sentence made ready: its pieces as those of lines, and the words that they look up by name.

    The columns of the pieces are named ``part:name``; SentenceValues computes them. ``choices`` has for each column of
    codes which of its words need quotes in a CSV file; ``always`` says that the text does whatever the row.
    """

    recording: Recording
    quotes: bool = False  # it is a cell of a CSV file in quotes
    pieces: LinePieces = field(default_factory=list)
    words: dict[str, Words] = field(default_factory=dict)
    always: bool = False
    choices: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def text(self, text: str) -> None:
        """The same text in each row."""
        if text:
            self.pieces.append(text.replace('"', '""') if self.quotes else text)
            self.always = self.always or special(text)

    def number(self, column: str, none: int = NOTHING) -> None:
        """A whole number; nothing where it is ``none``."""
        self.pieces.append(number(column, none=none))

    def shared(self, column: str, name: str) -> None:
        """One of the words with that name which all sentences share."""
        self.pieces.append(code(column, name))
        if name != ADDRESSES:
            self.words[name] = shared_words()[name]

    def choice(self, column: str, texts: Sequence[str]) -> None:
        """One of some texts."""
        words = [text.replace('"', '""') for text in texts] if self.quotes else texts
        name = "\0".join(("", *words))  # the same texts are the same words
        self.pieces.append(code(column, name))
        self.words[name] = Words.of(words)
        needs = np.array([special(text) for text in texts], np.bool_)
        self.choices[column] = self.choices[column] | needs if column in self.choices else needs

    def optional(self, column: str, text: str) -> None:
        """A text that is only said where the column is not 0."""
        if text:
            self.choice(column, ("", text))


def special(text: str) -> bool:
    """Whether a cell of a CSV file with this text needs quotes (RFC 4180)."""
    return not NEEDS_QUOTES.isdisjoint(text)


@cache
def shared_words() -> dict[str, Words]:
    """The words that all sentences share."""
    thousand = range(1000)
    return {
        "units": Words.of([f"{decimals(rest)} {unit}" for unit in UNITS for rest in thousand]),
        "milliseconds": Words.of([f".{rest:03d}" for rest in thousand]),
        "microseconds": Words.of([f"{rest:03d} s" for rest in thousand]),
        "often": Words.of([" times", "once", "twice"]),
        "states": Words.of([state.name for state in State]),
        "roles": Words.of(wording.ROLES),
        "brackets open": Words.of(["", "", "["]),
        "brackets close": Words.of(["", ":", "]:"]),
        "ss": Words.of(["'( dport = :", "'( sport = :"]),
        "address fields": Words.of(["ip.addr == ", "ipv6.addr == "]),
        "ends": Words.of([THE_END, " before a gap in the capture"]),
    }


def line_form(sentence: Sequence[Piece], recording: Recording, quotes: bool = False) -> LineForm:
    """``sentence`` made ready to be written; ``recording`` tells which file each frame is in."""
    form = LineForm(recording, quotes)
    form.pieces += ['"'] if quotes else []
    for piece in sentence:
        SETTERS[type(piece)](form, piece)
    form.pieces += ['"'] if quotes else []
    if recording.frame_files.several:
        form.always = form.always or any(map(special, recording.frame_files.files))
    return form


def needs_quotes(form: LineForm, values: SentenceValues) -> NDArray[np.bool_]:
    """Which rows need quotes in a CSV file."""
    needs = np.full(len(values), form.always)
    if not form.always:
        for column, special_words in form.choices.items():
            if special_words.any():
                needs |= special_words[values[column].astype(np.int64)]
    return needs


def _text(form: LineForm, piece: wording.Text) -> None:
    form.text(piece.text)


def _word(form: LineForm, piece: wording.Word) -> None:
    form.choice(piece.value, piece.texts)


def _number(form: LineForm, piece: wording.Number) -> None:
    if piece.before or piece.behind:
        form.optional(f"known:{piece.value}", piece.before)
        form.number(f"positive:{piece.value}")
        form.optional(f"several:{piece.value}", f" {piece.noun}s" if piece.noun else "")
        form.optional(f"one:{piece.value}", f" {piece.noun}" if piece.noun else "")
        form.optional(f"known:{piece.value}", piece.behind)
        return
    form.number(piece.value)
    if piece.noun:
        form.choice(f"one:{piece.value}", (f" {piece.noun}s", f" {piece.noun}"))


def _times(form: LineForm, piece: wording.Times) -> None:
    form.number(f"many:{piece.value}")
    form.shared(f"often:{piece.value}", "often")


def _duration(form: LineForm, piece: wording.Duration) -> None:
    known, value = f"known:{piece.value}", piece.value
    if piece.before or piece.behind:
        value = f"positive:{value}"
    form.optional(known, piece.before)
    _lasted(form, value)
    form.optional(known, piece.behind)


def _lasted(form: LineForm, value: str) -> None:
    form.number(f"whole:{value}")
    form.shared(f"unit:{value}", "units")


def _moment(form: LineForm, piece: wording.Moment) -> None:
    form.number(f"seconds:{piece.value}")
    form.shared(f"milli:{piece.value}", "milliseconds")
    form.shared(f"micro:{piece.value}", "microseconds")


def _time_left(form: LineForm, piece: wording.TimeLeft) -> None:
    _lasted(form, f"left:{piece.value}")
    if piece.told and form.recording.gaps.rows:
        form.shared(f"at_gap:{piece.value}", "ends")
    elif piece.told:
        form.text(THE_END)


def _frame(form: LineForm, piece: wording.FrameNumber) -> None:
    known, files = f"known:{piece.value}", form.recording.frame_files
    if piece.before or piece.missing:
        form.choice(known, (piece.missing, piece.before))
    if files.several:
        form.number(f"own:{piece.value}", none=0)
        form.choice(f"file:{piece.value}", [f" of {name}" for name in files.shown])
    elif piece.known:
        form.number(piece.value)
    else:
        form.number(piece.value, none=0)
    form.optional(known, piece.behind)


def _address(form: LineForm, piece: wording.Address) -> None:
    form.shared(piece.value, ADDRESSES)


def _state(form: LineForm, piece: wording.StateName) -> None:
    form.shared(piece.value, "states")


def _role(form: LineForm, piece: wording.Role) -> None:
    form.shared("role" if piece.party == "blamed" else "peer_role", "roles")


def _host(form: LineForm, piece: wording.Host) -> None:
    form.shared(f"{PREFIXES[piece.party]}_ip", ADDRESSES)


def _endpoint(form: LineForm, piece: wording.Endpoint) -> None:
    """``10.0.0.1:80``, ``[2001:db8::1]:443``; the address alone where there is no port."""
    of = PREFIXES[piece.party]
    form.shared(f"bracket:{of}", "brackets open")
    form.shared(f"{of}_ip", ADDRESSES)
    form.shared(f"bracket:{of}", "brackets close")
    form.number(f"port:{of}")


def _socket_filter(form: LineForm, piece: wording.SocketFilter) -> None:
    form.shared("role", "ss")
    form.number("server_port")
    form.text(" )'")


def _conversation(form: LineForm, piece: wording.ConversationFilter) -> None:
    for party in wording.ROLES:
        form.shared(f"v6:{party}_ip", "address fields")
        form.shared(f"{party}_ip", ADDRESSES)
        form.text(" && ")
    form.text("tcp.port == ")
    form.number("client_port")
    form.text(" && tcp.port == ")
    form.number("server_port")


def _of_family(form: LineForm, piece: wording.OfFamily) -> None:
    form.choice("v6:own_ip", piece)


def _capture_file(form: LineForm, piece: wording.CaptureFile) -> None:
    files = form.recording.frame_files
    form.choice("file:decides", [files.quoted(place) for place in range(len(files.files))])


SETTERS: dict[type, Callable[[LineForm, Any], None]] = {
    wording.Text: _text,
    wording.Word: _word,
    wording.Number: _number,
    wording.Times: _times,
    wording.Duration: _duration,
    wording.Moment: _moment,
    wording.TimeLeft: _time_left,
    wording.FrameNumber: _frame,
    wording.Address: _address,
    wording.StateName: _state,
    wording.Role: _role,
    wording.Host: _host,
    wording.Endpoint: _endpoint,
    wording.SocketFilter: _socket_filter,
    wording.ConversationFilter: _conversation,
    wording.OfFamily: _of_family,
    wording.CaptureFile: _capture_file,
}
