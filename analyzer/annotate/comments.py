"""Which comment each frame gets: the words of the ladder and of the findings.

There are millions of rows and few kinds of them, so each kind is put into words once. Only what has bounds, or is a
finding, has a text of its own.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.annotate.frames import FrameOwners
from analyzer.annotate.writer import Comments
from analyzer.capture.frame_files import FrameFiles
from analyzer.capture.interfaces import harmless
from analyzer.findings.wording import ROLES
from analyzer.results.column_values import entry_values
from analyzer.results.notes import note_texts
from analyzer.results.result import Analysed
from analyzer.times import outer_column
from analyzer.tracker.flow_record import BASES, EVENTS, STATES
from analyzer.units import UNKNOWN
from analyzer.views.explanation import names
from analyzer.views.ladder_parts import SPREAD, TIMER, is_plain, sign_of, words_of
from analyzer.vocabulary import CONFIDENCES

FLOWS, ENTRIES = 65_536, 262_144  # read together
LONGEST = 60_000  # bytes of a comment; an option has 65,535 at most
MARK = "teardown: "  # begins each comment: the plugin for Wireshark takes no others
KINDS = ("endpoint", "event", "from_state", "state", "basis", "note")
Ints = NDArray[np.int64]


class CommentTexts:
    """Collects comments, and gives them in the order of frames."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._frames: list[Ints] = []
        self._which: list[NDArray[np.int32]] = []

    def number(self, text: str) -> int:
        """The number of a text that comes often."""
        if text not in self._numbers:
            self._numbers[text] = self.new(text)
        return self._numbers[text]

    def new(self, text: str) -> int:
        """The number of a text that comes once."""
        self._texts.append(text)
        return len(self._texts) - 1

    def several(self, texts: list[str]) -> NDArray[np.int32]:
        """The numbers of texts that come once."""
        self._texts += texts
        return np.arange(len(self._texts) - len(texts), len(self._texts), dtype=np.int32)

    def text(self, number: int) -> str:
        """The text of this number."""
        return self._texts[number]

    def add(self, frames: Any, which: Any) -> None:
        """The frames have these comments, by number; those behind others of the same frame follow them."""
        self._frames.append(np.asarray(frames, np.int64))
        self._which.append(np.asarray(which, np.int32))

    def whole(self) -> Comments:
        """All comments, by frame; empty ones are none."""
        clean = (text if text.isprintable() else harmless(text) for text in self._texts)
        coded = [f"{MARK}{text}".encode("utf-8", "replace")[:LONGEST] if text else b"" for text in clean]
        starts = np.zeros(len(coded) + 1, np.int64)
        np.cumsum([len(text) for text in coded], out=starts[1:])
        frames = np.concatenate([np.zeros(0, np.int64), *self._frames])
        which = np.concatenate([np.zeros(0, np.int32), *self._which])
        told = np.flatnonzero((frames > 0) & (np.diff(starts, append=0)[which] > 0)) if len(which) else which
        order = told[np.argsort(frames[told], kind="stable")]
        return Comments(frames[order], which[order], np.frombuffer(b"".join(coded) + b"\0", np.uint8), starts)


def comments_of(analysed: Analysed, owners: FrameOwners | None = None) -> Comments:
    """The comments of an analysis; without ``owners`` of its frames only those of its findings."""
    texts = CommentTexts()
    if owners is not None:
        _add_moves(texts, analysed, owners)
    _add_findings(texts, analysed)
    return texts.whole()


def _add_moves(texts: CommentTexts, analysed: Analysed, owners: FrameOwners) -> None:
    """What the timeline has of each endpoint."""
    notes = note_texts(analysed.timers)
    known: dict[int, int] = {}
    for gathered in analysed.tables.slices(FLOWS, ENTRIES):
        endings, entries = gathered()
        timers = (entries["frame"] == 0) & (entries["event"] == EVENTS.by_code.index(TIMER))
        told = timers | (entries["frame"] > 0)
        own, timers = entries[told], timers[told]
        flows = (own["end"] >> 1).astype(np.intp)
        placed = owners.placed(own, endings["stream"].take(flows), timers)
        values = entry_values(own, endings)
        key = placed.after.astype(np.int64)
        for name in KINDS:
            key = key * 4096 + values[name] if name == "note" else key * 64 + values[name]
        kinds, first, place = np.unique(key, return_index=True, return_inverse=True)
        for kind, row in zip(kinds.tolist(), first.tolist(), strict=True):
            if kind not in known:
                known[kind] = texts.number(_move_text(values, row, notes, bool(placed.after[row])))
        numbers = np.array([known[kind] for kind in kinds.tolist()], np.int32)[place.reshape(-1)]
        _add_bounds(texts, numbers, values, outer_column(endings["first_epoch"])[flows])
        _add_evidence(texts, numbers, own["frame"], placed.frame, analysed.listing.files)
        texts.add(placed.frame, numbers)


def _add_evidence(texts: CommentTexts, numbers: NDArray[np.int32], own: Ints, placed: Ints, files: FrameFiles) -> None:
    """Say which frame shows a state that is told at another one."""
    moved = np.flatnonzero((own > 0) & (own != placed))
    for row, name in zip(moved.tolist(), _frame_names(own[moved].tolist(), files), strict=True):
        numbers[row] = texts.new(f"{texts.text(int(numbers[row]))}; {name} shows it")


def _move_text(values: dict[str, NDArray[Any]], row: int, notes: list[str], after: bool) -> str:
    """What is said of one row; ``after``: no frame of the connection follows it."""
    entry = SimpleNamespace(
        event=EVENTS.by_code[int(values["event"][row])],
        from_state=STATES.by_code[int(values["from_state"][row])],
        state=STATES.by_code[int(values["state"][row])],
        basis=BASES.by_code[int(values["basis"][row])],
        note=notes[int(values["note"][row])],
    )
    endpoint = ROLES[int(values["endpoint"][row])]
    if entry.from_state == entry.state:
        return f"{endpoint}: {words_of(entry)}"
    when = (" after this frame" if after else " before this frame") if entry.event == TIMER else ""
    entered = f"{endpoint} enters {entry.state}{sign_of(entry)}{when}"
    return entered if is_plain(entry) else f"{entered}: {words_of(entry)}"


def _add_bounds(texts: CommentTexts, numbers: NDArray[np.int32], values: dict[str, NDArray[Any]], begun: Ints) -> None:
    """Say between which times a state was entered, where the ladder says so."""
    earliest, latest = values["earliest_epoch"], values["latest_epoch"]
    wide = (earliest != UNKNOWN) & (latest != UNKNOWN) & (latest - earliest > SPREAD)
    wide &= (values["state"] != values["from_state"]) & (values["basis"] != BASES.by_code.index("sent"))
    rows = np.flatnonzero(wide)
    said = [f"{texts.text(number)}; between " for number in numbers[rows].tolist()]
    first, last = (_offsets(times[rows] - begun[rows]) for times in (earliest, latest))
    told = [
        f"{text}{begin} and {end} s after the connection's first frame"
        for text, begin, end in zip(said, first, last, strict=True)
    ]
    numbers[rows] = texts.several(told)


def _offsets(lengths: Ints) -> list[str]:
    """Seconds, to the nearest microsecond, as the ladder has them."""
    rounded = (lengths + 500) // 1000
    seconds, fractions = np.divmod(np.abs(rounded), 1_000_000)
    signs = np.where(rounded < 0, "-", "").tolist()
    parts = zip(signs, seconds.tolist(), fractions.tolist(), strict=True)
    return [f"{sign}{whole}.{fraction:06}" for sign, whole, fraction in parts]


def _add_findings(texts: CommentTexts, analysed: Analysed) -> None:
    """Each finding at the last of the frames that prove it, and its code at the others."""
    listing = analysed.listing
    codes, severities = listing.vocabularies
    for places in listing.parts():
        blamed, level = (listing.numbers(name, places).tolist() for name in ("blamed", "confidence"))
        messages, proofs = (listing.column(name, places).texts() for name in ("message", "frames"))
        proven = [sorted({int(frame) for frame in proof.split(";") if frame}) for proof in proofs]
        main = [frames[-1] if frames else 0 for frames in proven]
        told = _frame_names(main, listing.files)
        for row, table in enumerate(places.table.tolist()):
            title = f"{codes[table]} {names().get(codes[table], '')}"
            whom = f", blames the {ROLES[blamed[row]]}" if blamed[row] < len(ROLES) else ""
            head = f"{title}: {severities[table]}{whom}, {CONFIDENCES[level[row]]} confidence"
            texts.add([main[row]], [texts.new(f"{head}: {messages[row]}")])
            if proven[row][:-1]:
                number = texts.number(f"{title}: this frame is evidence; see {told[row]}")
                texts.add(proven[row][:-1], [number] * len(proven[row][:-1]))


def _frame_names(frames: list[int], files: FrameFiles) -> list[str]:
    """How frames are called: of several captures with the file."""
    if not files.several:
        return [f"frame {frame}" for frame in frames]
    file, own = files.locate(np.array(frames, np.int64))
    pairs = zip(file.tolist(), own.tolist(), strict=True)
    return [f"frame {number} of {files.shown[place]}" for place, number in pairs]
