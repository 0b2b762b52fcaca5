"""Row groups: some rows of a table as pages, a column behind the other, and what the file's end says of each.

A column's values are one data page; words and addresses have their dictionary in a page before. The pages of a group
are made by one thread in memory that is used again; several groups can be made at a time.
"""

import struct
from collections.abc import Sequence
from functools import cache
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.lines import SLACK, Template, Words, code
from analyzer.lines.kernels import UNKNOWN
from analyzer.parquet.kernels import BLOCK, COLUMN, ROOM, Form, fill
from analyzer.parquet.thrift import structure, varint, zigzag

# The numbers that parquet.thrift gives to types, encodings, codecs and kinds of pages.
BOOLEAN, INT64, DOUBLE, BYTE_ARRAY = 0, 2, 5, 6
PLAIN, RLE, DELTA_BINARY_PACKED, RLE_DICTIONARY = 0, 3, 5, 8
SNAPPY, ZSTD = 1, 6
DATA_PAGE, DICTIONARY_PAGE = 0, 2


class Layout(NamedTuple):
    """What becomes of values of a form."""

    type: int
    encoding: int
    codec: int = SNAPPY  # nearly as small as Zstandard for what is packed already, in much less time


LAYOUTS = {
    Form.NUMBERS: Layout(INT64, DELTA_BINARY_PACKED),
    Form.PLACES: Layout(BYTE_ARRAY, RLE_DICTIONARY),
    Form.SECONDS: Layout(DOUBLE, PLAIN),
    Form.FLAGS: Layout(BOOLEAN, PLAIN),
    Form.TEXTS: Layout(BYTE_ARRAY, PLAIN, ZSTD),
}
SIZES = {"|u1": 1, "<u2": 2, "<u4": 4, "<i4": -4, "<i8": 8}  # in COLUMN
LEVELS = 17  # bytes that say which rows of a block have a value
HEAD = 64  # bytes before a page's values, apart from those
DELTAS = varint(int(BLOCK)) + varint(4)  # how values are divided into blocks, and these into parts
BYTES = Words(np.arange(256 + SLACK).astype(np.uint8), np.arange(257))
SHIFTS = (0, 8, 16, 24)  # of the bytes of a length
NAMES = COLUMN.names or ()


class Field(NamedTuple):
    """A column of a file."""

    name: str
    form: Form
    described: dict[int, Any]  # further fields of its SchemaElement


class Dictionary(NamedTuple):
    """The words of a column, as a page."""

    words: int
    page: bytes
    size: int  # bytes of the page if it were not compressed


class Values(NamedTuple):
    """The numbers of a column in some rows."""

    numbers: NDArray[Any]
    none: int = UNKNOWN  # the number that stands for null
    dictionary: Dictionary | None = None  # in which the numbers are places
    lookup: NDArray[np.int64] | None = None  # what each number stands for, if not for itself


class Texts(NamedTuple):
    """A text for each row."""

    words: Words


class Chunk(NamedTuple):
    """A column of a group."""

    dictionary: int  # bytes of the page with its words, 0 where there is none
    size: int  # bytes of all its pages
    plain_size: int  # if nothing were compressed
    nulls: int
    bounds: tuple[bytes, bytes] | None  # the least value and the greatest


class Group(NamedTuple):
    """Some rows as pages."""

    rows: int
    pages: list[Any]
    chunks: list[Chunk]


def dictionary(words: Words, order: NDArray[np.integer[Any]] | None = None) -> Dictionary:
    """The words, or some of them in an order."""
    order = np.arange(len(words)) if order is None else order
    text = plain(words, order)
    packed = _codec(SNAPPY).compress(text)
    header = structure({1: DICTIONARY_PAGE, 2: len(text), 3: packed.size, 7: {1: len(order), 2: PLAIN}})
    return Dictionary(len(order), header + packed.to_pybytes(), len(header) + len(text))


def plain(words: Words, order: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """The words in an order, each behind its length."""
    sizes = np.diff(words.starts)[order]
    rows = {f"size {shift}": sizes >> shift & 255 for shift in SHIFTS} | {"place": order}
    return _prefixed().bind(rows, {"bytes": BYTES, "words": words}).words().text


class Pages:
    """Makes groups, for one thread at a time."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields
        self._columns = np.zeros(len(fields), COLUMN)
        self._columns["form"] = [field.form for field in fields]
        self._waiting = np.zeros(len(fields) * 2 * BLOCK, np.int64)
        self._memory: list[NDArray[np.uint8]] = []
        self._rows = -1  # for which there is memory

    def group(self, rows: int, values: Sequence[Values | Texts]) -> Group:
        """The pages of so many rows, of which each column gives its values."""
        if rows > self._rows:
            self._make_room(rows)
        self._point(values)
        fill(self._columns.ctypes.data, len(values), rows)
        told = (dict(zip(NAMES, column, strict=True)) for column in self._columns.tolist())
        made = list(map(_chunk, self._fields, values, told, self._memory, repeat(rows)))
        return Group(rows, [page for pages, _ in made for page in pages], [chunk for _, chunk in made])

    def _make_room(self, rows: int) -> None:
        """Memory for the page of each column, so many rows; most of it is never touched, and so never given, but that
        it would be for a single large array, which is of huge pages."""
        self._rows, blocks = rows, -(-rows // int(BLOCK))
        levels = blocks * LEVELS + HEAD
        self._memory = [np.empty(2 * levels + (blocks + 1) * ROOM, np.uint8) for _ in self._fields]
        self._columns["levels"] = [memory.ctypes.data for memory in self._memory]
        self._columns["values"] = self._columns["levels"] + 2 * levels
        self._columns["waiting"] = self._waiting.ctypes.data + 16 * int(BLOCK) * np.arange(len(self._fields))

    def _point(self, values: Sequence[Values | Texts]) -> None:
        """Tell the kernel where the values are, and to begin anew."""
        columns = self._columns
        for column, given in zip(columns, values, strict=True):
            if isinstance(given, Values):
                numbers, none, words, lookup = given
                column["at"], column["stride"] = numbers.ctypes.data, numbers.strides[0]
                column["size"], column["none"], column["width"] = SIZES[numbers.dtype.str], none, width(words)
                column["lookup"], column["known"] = (0, 0) if lookup is None else (lookup.ctypes.data, len(lookup))
        columns["levels_end"], columns["end"] = columns["levels"], columns["values"]
        columns["count"] = columns["present"] = columns["first"] = 0
        columns["low"], columns["high"] = np.iinfo(np.int64).max, np.iinfo(np.int64).min


def _chunk(
    field: Field, given: Values | Texts, column: dict[str, int], memory: NDArray[np.uint8], rows: int
) -> tuple[list[Any], Chunk]:
    """A column's pages, and what they are; its numbers have been encoded in ``memory``."""
    layout, words = LAYOUTS[field.form], None
    if isinstance(given, Texts):
        text = plain(given.words, np.arange(rows))
        page = np.concatenate([np.frombuffer(_sized(_all(rows)), np.uint8), text])
    else:
        page, words = _page(field.form, column, memory, rows), given.dictionary
    packed = _codec(layout.codec).compress(page)
    encoding = {1: rows, 2: layout.encoding, 3: RLE, 4: RLE}
    header = structure({1: DATA_PAGE, 2: len(page), 3: packed.size, 5: encoding})
    before, plain_before = (len(words.page), words.size) if words else (0, 0)
    size, plain_size = before + len(header) + packed.size, plain_before + len(header) + len(page)
    chunk = Chunk(before, size, plain_size, rows - column["present"], _bounds(field.form, column))
    return [*([words.page] if words else []), header, packed], chunk


def _page(form: Form, column: dict[str, int], memory: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    """What is a data page of numbers when it is not compressed: which rows have a value, then the values."""
    present, place = column["present"], column["values"] - column["levels"]
    levels = memory[: column["levels_end"] - column["levels"]].tobytes()
    head = _sized(levels if present < rows else _all(rows))
    if form == Form.NUMBERS:
        head += DELTAS + varint(present) + zigzag(column["first"])
    elif form == Form.PLACES:
        head += bytes((column["width"],))
    memory[place - len(head) : place] = np.frombuffer(head, np.uint8)
    return memory[place - len(head) : column["end"] - column["levels"]]


def _all(rows: int) -> bytes:
    """Levels that say that each row has a value."""
    return varint(2 * rows) + b"\x01"


def _sized(levels: bytes) -> bytes:
    """Levels behind their length."""
    return struct.pack("<I", len(levels)) + levels


def width(words: Dictionary | None) -> int:
    """How many bits a place in a dictionary takes."""
    return max(1, (words.words - 1).bit_length()) if words else 0


def _bounds(form: Form, column: dict[str, int]) -> tuple[bytes, bytes] | None:
    """The least value and the greatest; none of words, which no reader could skip rows by."""
    low, high = column["low"], column["high"]
    if form in (Form.PLACES, Form.TEXTS) or not column["present"]:
        return None
    if form == Form.FLAGS:
        return bytes((low,)), bytes((high,))
    if form == Form.SECONDS:  # a zero could be either of the two
        return struct.pack("<d", low / 1e9 or -0.0), struct.pack("<d", high / 1e9)
    return struct.pack("<q", low), struct.pack("<q", high)


@cache
def _codec(number: int) -> Any:
    import pyarrow as pa

    return pa.Codec({SNAPPY: "snappy", ZSTD: "zstd"}[number])


@cache
def _prefixed() -> Template:
    """A word of a dictionary, its length before it."""
    return Template([*(code(f"size {shift}", "bytes") for shift in SHIFTS), code("place", "words")])
