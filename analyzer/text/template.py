"""What a line is made of, and the lines of many rows.

    flow = Template([number("stream"), ",", code("client_ip", "addresses"), ",", seconds("first_epoch"), "\\n"])
    lines = flow.bind(endings, {"addresses": book.words()})
    for text in lines.parts(): file.write(text)         # some thousand lines at a time, in one buffer
    every = lines.words()                                # or all of them, as Words: every[k] is line k

A piece names its column: a field of a structured array, or a key of a dict of arrays. A column ``of`` a parent is
read from the parent's row that a row belongs to. Anything else that is a number is written by a kind of its own: see
``kernels``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.text.kernels import PIECE, ZERO_SECONDS, PieceKind, fill, number_anew
from analyzer.text.words import SLACK, Words
from analyzer.units import UNKNOWN

Rows = NDArray[np.void] | Mapping[str, NDArray[Any]]
LONGEST = {
    PieceKind.NUMBER: 20,
    PieceKind.SECONDS: 21,
    PieceKind.LETTERS: 36,
}  # bytes; words are as long as the longest of them
TAIL = 8  # bytes of text that a piece can have behind it
WORD = 8  # bytes that kernels load at a time
USUAL = 96  # bytes of a line, for a first guess at the room for many
NOWHERE, NO_COLUMN = (0, 0, 0, 0, 0), (0, 0, 0, 0)  # in PIECE, where there is no such column
NO_NUMBER = (*NOWHERE, UNKNOWN, 0, *NOWHERE, *NO_COLUMN, *NO_COLUMN)
BUFFER = 1 << 18  # bytes that are written at a time: they stay in the processor's cache

Places = Callable[[str], tuple[int, int, int, int, int]]


class TemplatePiece(NamedTuple):
    """One piece of a line; made by the functions below."""

    kind: PieceKind
    column: str = ""
    words: str = ""  # name of the Words in which a code is looked up
    more: tuple[tuple[str, int], ...] = ()  # of a code: further columns, and what the code before is multiplied by
    none: int = UNKNOWN  # this number stands for UNKNOWN, too
    zero: int = 0  # of seconds: this number is written as 0
    of: str = ""  # name of the parent that has the column
    text: bytes = b""  # of a literal
    tail: bytes = b""


class ParentRows(NamedTuple):
    """Rows that others belong to: of a row of ours, ``rows[column >> shift]`` is the parent's."""

    rows: Rows
    column: str
    shift: int = 0


def number(column: str, *, none: int = UNKNOWN, of: str = "") -> TemplatePiece:
    """A whole number as digits; nothing for UNKNOWN, or where it is ``none``."""
    return TemplatePiece(PieceKind.NUMBER, column, none=none, of=of)


def seconds(column: str, *, none: int = UNKNOWN, zero: int = 0, of: str = "") -> TemplatePiece:
    """A length of time, in nanoseconds, as seconds with nine decimals; nothing likewise. Or a time: as the seconds from
    the one that is called ``zero``."""
    return TemplatePiece(PieceKind.SECONDS, column, none=none, zero=zero, of=of)


def code(column: str, words: str, *more: tuple[str, int], of: str = "") -> TemplatePiece:
    """The word that ``words`` has for a code; nothing for codes beyond them.

    A code may be made of two or three columns: ``code("tens", w, ("ones", 10))`` is that of ``tens * 10 + ones``; those
    behind the first are without sign.
    """
    return TemplatePiece(PieceKind.CODE, column, words, more, of=of)


def letters(column: str, words: str, *more: str) -> TemplatePiece:
    """The letters of a column, and of up to two others if all twelve places of that before are taken (LETTERS in
    ``kernels``); ``words`` has the letters, each of one byte."""
    return TemplatePiece(PieceKind.LETTERS, column, words, tuple((name, 0) for name in more))


def literal(text: str) -> TemplatePiece:
    """The same text in each line; a plain string in a template is one, too."""
    return TemplatePiece(PieceKind.LITERAL, text=text.encode())


class Template:
    """Lines of one form, or several lines a row: the pieces of each from left to right; strings are literals."""

    def __init__(self, *lines: Sequence[TemplatePiece | str]) -> None:
        self.pieces: list[TemplatePiece] = []
        self.ends: list[int] = []  # where among the pieces each line ends
        for line in lines:
            for piece in line:
                self._add(literal(piece) if isinstance(piece, str) else piece)
            self.ends.append(len(self.pieces))

    def _add(self, piece: TemplatePiece) -> None:
        """Short texts stand behind the piece before them, which costs next to nothing."""
        begun = len(self.pieces) > (self.ends[-1] if self.ends else 0)
        last = self.pieces[-1] if begun else None
        if last and piece.kind == PieceKind.LITERAL and len(last.tail) + len(piece.text) <= TAIL:
            self.pieces[-1] = last._replace(tail=last.tail + piece.text)
        else:
            self.pieces.append(piece)

    def bind(
        self,
        rows: Rows,
        words: Mapping[str, Words] | None = None,
        parents: Mapping[str, ParentRows] | None = None,
        more: Mapping[str, NDArray[Any]] | None = None,
    ) -> "TextLines":
        """The lines of ``rows``: a structured array, or a dict of arrays of one length, all of whole numbers. Columns
        that it does not have are in ``more``."""
        return TextLines(self, rows, words or {}, parents or {}, more or {})


class TextLines:
    """The lines of certain rows, not written yet. Nothing they were bound to may change before they are, and one thread
    at a time may write them: the pieces keep the text of the last whole second."""

    def __init__(
        self,
        template: Template,
        rows: Rows,
        words: Mapping[str, Words],
        parents: Mapping[str, ParentRows],
        more: Mapping[str, NDArray[Any]],
    ) -> None:
        self._alive: list[object] = [rows]  # what the kernels read by address
        self._ends = np.array(template.ends, np.int64)
        self.count = _length(rows)
        self.widest = SLACK + sum(len(piece.tail) for piece in template.pieces)
        own, added = self._places(rows), self._places(more)
        sources: dict[str, Places] = {"": lambda name: (added if name in more else own)(name)}
        sources |= {name: self._places(parent.rows) for name, parent in parents.items()}
        bound = [self._bound(piece, sources, words, parents) for piece in template.pieces]
        self._pieces = np.array(bound, PIECE)

    def fill(self, first: int, out: NDArray[np.uint8], starts: NDArray[np.int64]) -> int:
        """Write the lines of rows from ``first`` on into ``out``, from byte ``starts[0]`` on; returns of how many.

        It stops at the end of the rows, where ``out`` may not have room for another row (``widest`` bytes), or where
        ``starts`` ends: each place after the first gets where a line ended and the next one starts in ``out``.
        """
        stop = min(self.count, first + (len(starts) - 1) // len(self._ends))
        pieces, size = self._pieces.ctypes.data, out.nbytes
        return int(fill(pieces, self._ends, first, stop, out.ctypes.data, size, starts, self.widest))

    def parts(self, size: int = BUFFER) -> Iterator[NDArray[np.uint8]]:
        """All lines as text, about ``size`` bytes at a time; the array is used again for the next part."""
        out = np.empty(max(size, 2 * self.widest), np.uint8)
        starts = self._starts(min(self.count, len(out)))
        first = 0
        while first < self.count:
            done = self.fill(first, out, starts)
            first += done
            yield out[: starts[done * len(self._ends)]]

    def words(self) -> Words:
        """All lines, by row: those of a row behind one another."""
        out = np.empty(self.count * USUAL * len(self._ends) + self.widest, np.uint8)
        starts = self._starts(self.count)
        done = self.fill(0, out, starts)
        while done < self.count:
            out = self._more(out, starts, done)
            done += self.fill(done, out, starts[done * len(self._ends) :])
        return Words(out, starts)

    def _more(self, out: NDArray[np.uint8], starts: NDArray[np.int64], done: int) -> NDArray[np.uint8]:
        """More room, with the lines of the rows that are ``done``: enough if the other rows are not much longer."""
        written = int(starts[done * len(self._ends)])
        each = written // max(done, 1) * 5 // 4
        larger = np.empty(written + (self.count - done) * each + self.widest, np.uint8)
        larger[:written] = out[:written]
        return larger

    @property
    def number(self) -> int:
        """How many lines there are: as many for each row as the template has."""
        return self.count * len(self._ends)

    def _starts(self, rows: int) -> NDArray[np.int64]:
        return np.zeros(rows * len(self._ends) + 1, np.int64)

    def _bound(
        self,
        piece: TemplatePiece,
        sources: Mapping[str, "Places"],
        words: Mapping[str, Words],
        parents: Mapping[str, ParentRows],
    ) -> tuple[int, ...]:
        """A row of PIECE: where a piece finds its numbers and words."""
        tail = int.from_bytes(piece.tail.ljust(TAIL, b"\0"), "little", signed=True), len(piece.tail)
        if piece.kind == PieceKind.LITERAL:
            *where, _ = self._looked_up(Words.of([piece.text.decode()]))
            return (piece.kind, *NO_NUMBER, *where, len(piece.text), *tail, *ZERO_SECONDS)
        places = sources[piece.of]
        parent = self._parent(sources[""], parents[piece.of]) if piece.of else NOWHERE
        more = [(*places(column)[:1], *places(column)[2:4], scale) for column, scale in piece.more]
        second, third = [*more, NO_COLUMN, NO_COLUMN][:2]
        found = (0, 0, 0)
        if piece.kind in (PieceKind.CODE, PieceKind.LETTERS):
            found = self._looked_up(words[piece.words])
        self.widest += LONGEST.get(piece.kind, 0)
        at = places(piece.column)
        return (piece.kind, *at, piece.none, piece.zero, *parent, *second, *third, *found, *tail, *ZERO_SECONDS)

    def _parent(self, places: "Places", parent: ParentRows) -> tuple[int, ...]:
        at, stride, shift, mask, _ = places(parent.column)
        return at, stride, shift + parent.shift, mask >> parent.shift, _length(parent.rows)

    def _looked_up(self, words: Words) -> tuple[int, int, int]:
        self._alive.append(words)
        self.widest += words.longest
        return (*words.addresses, len(words))

    def _places(self, rows: Rows) -> "Places":
        """What tells where a column's numbers are: address, stride, shift, mask, sign."""
        if isinstance(rows, np.ndarray) and rows.dtype.itemsize >= WORD:
            self._alive.append(rows)
            address, stride, fields = rows.ctypes.data, rows.strides[0], _layout(rows.dtype)
            return lambda name: (address + fields[name][0], stride, *fields[name][1:])

        def column(name: str) -> tuple[int, int, int, int, int]:
            kept = np.ascontiguousarray(rows[name], np.int64)
            self._alive.append(kept)
            return kept.ctypes.data, WORD, 0, -1, 0

        return column


@cache
def _layout(dtype: "np.dtype[np.void]") -> dict[str, tuple[int, int, int, int]]:
    """Of each column in a row: at which byte to load WORD bytes that hold it, then shift, mask, sign."""
    layout = {}
    for name in dtype.names or ():
        kind, offset = dtype.fields[name][:2]  # type: ignore[index]
        start, bits = min(offset, dtype.itemsize - WORD), 8 * kind.itemsize
        mask = -1 if bits == 64 else (1 << bits) - 1
        sign = 1 << bits - 1 if kind.kind == "i" and bits < 64 else 0
        layout[name] = start, 8 * (offset - start), mask, sign
    return layout


def _length(rows: Rows) -> int:
    return len(rows) if isinstance(rows, np.ndarray) else len(next(iter(rows.values())))


def run_on(lines: Sequence[TextLines], out: NDArray[np.uint8]) -> tuple[Words, NDArray[np.uint8]]:
    """All lines of several, one behind the other, in ``out``; and that itself, or a larger one where it did not
    suffice."""
    room = SLACK + sum(some.count * some.widest for some in lines)
    if len(out) < room:
        out = np.empty(room, np.uint8)
    starts, begin = np.zeros(1 + sum(some.number for some in lines), np.int64), 0
    for some in lines:
        some.fill(0, out, starts[begin : begin + some.number + 1])
        begin += some.number
    return Words(out, starts), out


def in_order(words: Words, order: NDArray[np.integer[Any]]) -> TextLines:
    """Lines, or any words, in another order: ``order[k]`` is the number of the k-th."""
    return Template([code("place", "words")]).bind({"place": order}, {"words": words})


def compact(codes: NDArray[Any], places: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Codes numbered anew by those that occur, and these in their new order.

    ``places`` is memory for it, zeros, as many as there are codes; it is zeros again afterwards.
    """
    numbered = codes.astype(np.int32)
    kept = np.empty(min(len(codes), len(places)), np.int32)
    return numbered, kept[: number_anew(numbered, places, kept)]
