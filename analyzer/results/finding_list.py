"""The findings of an analysis, in order and in words: what files, DataFrames and views are made of.

They stay numbers until a row is asked for, and are put into words some thousand rows at a time.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.recording import Recording, unbroken
from analyzer.findings.engine import RuleEngine
from analyzer.findings.finding_columns import PARTNER, Findings
from analyzer.findings.wording import ROLES, Piece, Sentence, sentence
from analyzer.results.sentence_values import SentenceValues
from analyzer.results.sentences import LineForm, LinePieces, line_form
from analyzer.settings import Settings
from analyzer.text import Template, TextLines, Words, code, in_order, number, quoted, run_on
from analyzer.times import NEVER
from analyzer.tracker.outcome import Ledger
from analyzer.units import UNKNOWN
from analyzer.vocabulary import CONFIDENCES, SEVERITIES

AT_ONCE = 16_384  # rows that are put into words together
Text = NDArray[np.uint8]


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """The different values, ascending. (``numpy.unique`` would import masked arrays for that, which takes 7 ms.)"""
    ordered = np.sort(values)
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return np.asarray(ordered[first])


class FindingRows(NamedTuple):
    """Where some findings stand: which of the tables of one rule each, and which rows of it."""

    table: NDArray[np.uint16]
    row: NDArray[np.int64]

    def some(self, start: int, count: int) -> "FindingRows":
        return FindingRows(self.table[start : start + count], self.row[start : start + count])

    def of(self, tables: list[int]) -> "FindingRows":
        """Those of some tables."""
        wanted = np.zeros(max(tables, default=0) + int(self.table.max(initial=0)) + 1, np.bool_)
        wanted[tables] = True
        kept = wanted[self.table]
        return FindingRows(self.table[kept], self.row[kept])


class BlamedEndpoint(NamedTuple):
    """An endpoint, and how many findings blame it; the port of a client is -1."""

    role: str
    address: str
    port: int
    findings: int


class Span(NamedTuple):
    """A piece of a sentence as one finding says it."""

    piece: Piece
    text: str


class FindingList:
    """What an analysis has found. ``addresses`` are the texts of the address book, ``end_time`` when it ended."""

    def __init__(
        self,
        engine: RuleEngine,
        addresses: Words,
        settings: Settings,
        end_time: int,
        recording: Recording | None = None,
    ) -> None:
        self.recording = recording or unbroken()
        self.files = self.recording.frame_files
        self.tables = [RuleFindings(findings, settings, self.recording) for findings in engine.of_rules()]
        self.cannot_judge = engine.cannot_judge
        self.settings = settings
        self._addresses, self._end = addresses, end_time
        self._v6 = np.append(_colons(addresses), False)

    def __len__(self) -> int:
        return sum(len(table) for table in self.tables)

    def some(self, wanted: Callable[["RuleFindings"], NDArray[np.bool_]]) -> "FindingList":
        """Those findings of each rule that are ``wanted``, in a list of their own."""
        made = copy(self)
        made.__dict__.pop("order", None)
        made.tables = [part for table in self.tables if len(part := table.some(wanted(table)))]
        return made

    @cached_property
    def order(self) -> FindingRows:
        """In the order of time; at the same moment the gravest first, then by code and stream."""
        grave = sorted(range(len(self.tables)), key=lambda place: SEVERITIES.index(self.tables[place].rule.severity))
        rows = [self.tables[place].by_stream for place in grave]
        which = np.repeat(np.array(grave, np.uint16), [len(row) for row in rows])
        row = np.concatenate([np.zeros(0, np.int64), *rows])
        times = [self.tables[place].columns["when"][some] for place, some in zip(grave, rows, strict=True)]
        order = np.argsort(np.concatenate([np.zeros(0, np.int64), *times]), kind="stable")
        return FindingRows(which[order], row[order])

    def parts(self) -> Iterator[FindingRows]:
        """All of them in that order, some thousand at a time."""
        return (self.order.some(start, AT_ONCE) for start in range(0, len(self), AT_ONCE))

    def column(self, name: str, places: FindingRows) -> Words:
        """``message``, ``advice`` or ``frames`` of some findings."""
        parts: list[TextLines] = []
        order = np.zeros(len(places.row), np.int64)
        for table, here in self.groups(places):
            order[here] = np.arange(len(here)) + sum(lines.count for lines in parts)
            parts.append(self.lines(table.template(name), table, places.row[here]))
        words, _ = run_on(parts, np.empty(0, np.uint8))
        return in_order(words, order).words()

    def numbers(self, name: str, places: FindingRows) -> NDArray[np.int64]:
        """A column of numbers of some findings."""
        made = np.zeros(len(places.row), np.int64)
        for table, here in self.groups(places):
            made[here] = table.columns[name][places.row[here]]
        return made

    def told_with(self, stream: int) -> list[tuple[str, int]]:
        """Code and stream of the findings that say that their stream and this one are one connection."""
        found = [(table.rule.code, table.columns) for table in self.tables if PARTNER in table.columns]
        return [
            (code, int(other)) for code, columns in found for other in columns["stream"][columns[PARTNER] == stream]
        ]

    @property
    def vocabularies(self) -> tuple[list[str], list[str]]:
        """The code and the severity of each table."""
        return [table.rule.code for table in self.tables], [table.rule.severity for table in self.tables]

    def rows_of(self, table: "RuleFindings", rows: NDArray[np.intp]) -> SentenceValues:
        """Some findings of one rule, as its templates want them."""
        return SentenceValues(table.columns, rows, self._v6, self._end, self.recording)

    def address(self, row: int) -> str:
        """An address as text, "" for -1."""
        return self._addresses[row].decode() if row >= 0 else ""

    def ends(self, table: "RuleFindings", row: int) -> tuple[list[str], list[int]]:
        """The addresses and the ports of client and server that a finding names."""
        hosts, ports = ([int(table.columns[f"{role}_{what}"][row]) for role in ROLES] for what in ("ip", "port"))
        return [self.address(host) for host in hosts if host >= 0], [port for port in ports if port >= 0]

    def blamed(self, table: "RuleFindings", most: int) -> tuple[list[BlamedEndpoint], int]:
        """The endpoints that a rule's findings blame, ``most`` at most, the one with the most findings first; and how
        many others there are. Clients are told by their address, since each connection has a port of its own."""
        side = table.columns["blamed"]
        keys = np.zeros(len(table), np.int64)
        for place, role in enumerate(ROLES):
            port = table.columns["server_port"] if role == "server" else -1
            key = (table.columns[f"{role}_ip"] + 1 << 20 | port + 1 << 1) + place
            keys = np.where(side == place, key, keys)
        ordered = np.sort(keys[keys > 1])
        ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1) if len(ordered) else np.zeros(0, np.intp)
        counts = np.diff(ends, prepend=-1)
        largest = np.argsort(-counts, kind="stable")
        found = [(int(ordered[ends[place]]), int(counts[place])) for place in largest[:most].tolist()]
        told = [
            BlamedEndpoint(ROLES[key & 1], self.address((key >> 20) - 1), (key >> 1 & 0x7FFFF) - 1, n)
            for key, n in found
        ]
        return told, len(counts) - len(told)

    def say(self, table: "RuleFindings", name: str, row: int) -> str:
        """``message``, ``advice`` or ``frames`` of one finding."""
        return self.lines(table.template(name), table, np.array([row])).words()[0].decode()

    def spans(self, table: "RuleFindings", name: str, rows: NDArray[np.intp]) -> list[list[Span]]:
        """``message`` or ``advice`` of some findings of one rule, piece by piece: what each is, and its text. Together
        the texts are the sentence; those of pieces that say nothing in a row are empty."""
        parts = zip(table.sentences[name], table.pieces(name), strict=True)
        columns = [(piece, self.lines(made, table, rows).words().texts()) for piece, made in parts]
        return [[Span(piece, texts[place]) for piece, texts in columns] for place in range(len(rows))]

    def located(self, places: FindingRows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The file of the frame that decides each finding, by number, and the number that it has there; -1 and 0 where
        only one capture was given."""
        decides = self.numbers("decides", places) if self.files.several else np.zeros(len(places.row), np.int64)
        return self.files.locate(decides)

    def where(self, table: "RuleFindings", row: int) -> tuple[str, int]:
        """The file of the frame that decides a finding, and its number there; of several captures."""
        file, frame = self.files.locate(table.columns["decides"][[row]])
        return self.files.files[int(file[0])], int(frame[0])

    def groups(self, places: FindingRows) -> Iterator[tuple["RuleFindings", NDArray[np.intp]]]:
        """Of some findings those of each rule, and where among them these stand."""
        for place in np.flatnonzero(np.bincount(places.table, minlength=1)).tolist():
            yield self.tables[place], np.flatnonzero(places.table == place)

    def lines(self, made: "BoundWording", table: "RuleFindings", rows: NDArray[np.intp]) -> TextLines:
        """What a template says of some findings of one rule."""
        source = self.rows_of(table, rows)
        columns = {piece.column: source[piece.column] for piece in made.template.pieces if piece.column}
        words = made.words | {"addresses": self._addresses}
        return made.template.bind(columns or {"row": rows}, words)


class AddressTexts(Protocol):
    """What is asked of the address book."""

    def texts(self) -> list[str]: ...


def listing_of(
    ledger: Ledger, book: AddressTexts, settings: Settings, recording: Recording | None = None
) -> FindingList:
    """What is to be said of ``ledger`` alone."""
    recording = recording or unbroken()
    engine = RuleEngine(recording.frame_files.several)
    engine.judge(ledger, settings, last=True, first_time=first_time(ledger))
    engine.judge_capture(recording, settings, first_time(ledger))
    return FindingList(engine, Words.of(book.texts()), settings, ledger.end_time, recording)


def first_time(ledger: Ledger) -> int:
    """When the first of the flows began, by the inner clock."""
    return int(ledger.flow("first_time").min(initial=np.iinfo(np.int64).max)) if ledger.flows else NEVER


class BoundWording(NamedTuple):
    """A template and the words that it looks up, those of addresses apart."""

    template: Template
    words: dict[str, Words]


class RuleFindings:
    """The findings of one rule, and its templates, each made when it is first wanted."""

    def __init__(self, findings: Findings, settings: Settings, recording: Recording) -> None:
        self.rule, self.columns, self._texts = findings.rule, findings.columns, findings.words
        self._settings, self.recording = settings, recording
        self._made: dict[str | int, BoundWording] = {}
        said = {"message": self.rule.message, "advice": self.rule.advice}
        self.sentences: dict[str, Sentence] = {
            name: sentence(text, self.rule, self._texts, settings, recording) for name, text in said.items()
        }
        self.forms = {name: line_form(pieces, recording) for name, pieces in self.sentences.items()}

    def __len__(self) -> int:
        return len(self.columns["when"])

    def some(self, rows: NDArray[np.bool_]) -> "RuleFindings":
        """Some of them."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return RuleFindings(Findings(self.rule, columns, self._texts), self._settings, self.recording)

    @cached_property
    def by_stream(self) -> NDArray[np.int64]:
        """The rows in the order of their streams."""
        stream = self.columns["stream"]
        ascending = bool((stream[1:] >= stream[:-1]).all())
        return np.arange(len(stream)) if ascending else np.argsort(stream, kind="stable")

    @cached_property
    def streams(self) -> NDArray[np.int64]:
        """The connections they are about, ascending; none for crowds."""
        stream = self.columns["stream"]
        return distinct(stream[stream != UNKNOWN])

    @cached_property
    def shown_streams(self) -> NDArray[np.int64]:
        """These, and the other streams of findings about two that are one connection."""
        return distinct(np.concatenate([self.streams, self.columns.get(PARTNER, self.streams)]))

    @property
    def first(self) -> int:
        """The row that comes first in the order of time."""
        return int(self.by_stream[np.argmin(self.columns["when"][self.by_stream])])

    @property
    def surest(self) -> int:
        """The row that comes first among the surest."""
        level = self.columns["confidence"][self.by_stream]
        rows = self.by_stream[level == level.min()]
        return int(rows[np.argmin(self.columns["when"][rows])])

    def confidence(self, row: int) -> str:
        return CONFIDENCES[int(self.columns["confidence"][row])]

    def template(self, name: str) -> BoundWording:
        """The template of one cell: ``message``, ``advice`` or ``frames``."""
        if name not in self._made:
            form = LineForm(self.recording, pieces=self.frames()) if name == "frames" else self.forms[name]
            self._made[name] = _made(form, self.cell_words())
        return self._made[name]

    def pieces(self, name: str) -> list[BoundWording]:
        """The templates of the pieces of ``message`` or ``advice``, one a piece."""
        return [_made(line_form([piece], self.recording)) for piece in self.sentences[name]]

    def frames(self) -> LinePieces:
        """The frames that prove a finding, joined by semicolons."""
        if "frames" in self._texts:
            return [code("frames", "frames")]
        names = [name for name in self.columns if name.startswith("frame_")]
        pieces: LinePieces = []
        for name in names:
            pieces += [number(name, none=0), code(f"known:{name}", "semicolon")]
        return pieces[:-1]

    def cell_words(self) -> dict[str, Words]:
        """The words that the cells look up."""
        made = {"endpoints": [*ROLES, ""], "confidences": CONFIDENCES, "semicolon": ["", ";"]}
        made["files"] = [quoted(name) for name in self.recording.frame_files.files]
        return {name: Words.of(texts) for name, texts in (made | {"frames": self._texts.get("frames", ())}).items()}


def run_together(pieces: LinePieces) -> LinePieces:
    """Neighbouring texts as one."""
    made: LinePieces = []
    for piece in pieces:
        if made and isinstance(piece, str) and isinstance(made[-1], str):
            made[-1] += piece
        else:
            made.append(piece)
    return made


def _made(form: LineForm, more: Mapping[str, Words] = MappingProxyType({})) -> BoundWording:
    return BoundWording(Template(run_together([*form.pieces, ""])), {**more, **form.words})


def _colons(words: Words) -> NDArray[np.bool_]:
    """Which words have a colon in them."""
    before = np.searchsorted(np.flatnonzero(words.text == ord(":")), words.starts - words.starts[0])
    return np.asarray(before[1:] > before[:-1])
