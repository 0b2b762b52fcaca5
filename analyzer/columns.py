"""What a column of a table is. Each is declared once; the record it is kept in, the files and the docs come from that.

The columns of ``flows``, and most of ``timeline``, are declared in ``tracker/flow_record.py``, beside the records that
the tracker fills in; the rest of ``timeline``, and the other tables, in ``results/schema.py``. The kind decides how a
column is kept and written:

    kind      in Python                    CSV                        Parquet
    count     int64                        digits                     int64
    number    Int64, NA where unknown      digits or empty            int64
    sequence  Int64, NA where unknown      digits or empty            int64
    word      category (fixed vocabulary)  text or empty              dictionary of strings
    address   category                     text or empty              dictionary of strings
    file      category                     text, quoted if need be    dictionary of strings
    text      str                          text, quoted if need be    string
    time      datetime64[ns, UTC], NaT     seconds, nine decimals     timestamp[ns, UTC]
    letters   category                     text or empty              dictionary of strings
    seconds   float64, NaN where unknown   seconds, nine decimals     double
    flag      bool                         true or false              bool
"""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

ColumnKind = Literal[
    "count", "number", "sequence", "word", "address", "file", "text", "letters", "time", "seconds", "flag"
]


class Vocabulary(NamedTuple):
    """The words of a column: that of each code, "" for no value; and their meanings, in the order of the docs."""

    by_code: tuple[str, ...] = ()
    meanings: Mapping[str, str] = MappingProxyType({})


class TableColumn(NamedTuple):
    """One column.

    Where it comes from: a field of the table's record, which has the column's own name unless ``field`` names another;
    or ``made``, a function of the rows of that record and of the files that their frames are in. Both give numbers: an
    address is a row of the address book, a word its place in ``words.by_code``, a file its number, -1 for none; a time
    is one of the inner clock. A ``number`` is 0 where it is not known, a ``sequence`` (a number modulo 2^32) UNKNOWN.
    ``made`` may return None: no row has a value. ``letters`` are in several fields (``tracker.zeek.letters``).
    """

    name: str
    kind: ColumnKind
    meaning: str
    words: Vocabulary = Vocabulary()
    dtype: str = ""  # numpy's, of the field
    field: str = ""
    made: Callable[[Any, Any], Any] | None = None
    more: tuple[str, ...] = ()  # of letters: further fields

    @property
    def source(self) -> str:
        """The field of the record that it is kept in."""
        return self.field or self.name


def words_of(codes: type[IntEnum]) -> list[str]:
    """The words of an enumeration as the tables print them, by code: NEVER_ESTABLISHED is never-established."""
    return [member.name.lower().replace("_", "-") for member in codes]


def record_of(columns: Iterable[TableColumn], *more: tuple[str, str]) -> list[tuple[str, str]]:
    """The fields of the record that has ``columns`` and ``more``, the widest first: each stands at a multiple of its
    size."""
    own = ((name, column.dtype) for column in columns if column.dtype for name in (column.source, *column.more))
    fields = [*own, *more]
    return sorted(fields, key=lambda field: -int(field[1][-1]))
