"""A Parquet file: row groups one behind the other, and at its end what they are.

https://parquet.apache.org/docs/file-format/ has the layout.
"""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from analyzer.parquet.pages import BYTE_ARRAY, LAYOUTS, PLAIN, RLE, Chunk, Field, Group
from analyzer.parquet.thrift import Coded, Short, Wide, structure
from analyzer.version import VERSION as PROGRAM

MAGIC = b"PAR1"
VERSION = 2
OPTIONAL = 1
IN_TYPE_ORDER: dict[int, Any] = {1: {}}  # how the least and the greatest value were found


class File:
    """Writes groups into a file that is empty."""

    def __init__(self, file: BinaryIO, fields: Sequence[Field], notes: Mapping[str, str]) -> None:
        self._file, self._fields, self._notes = file, fields, notes
        self._groups: list[Coded] = []
        self._rows = 0
        self._end = file.write(MAGIC)

    def write(self, group: Group) -> None:
        """Write a group of rows."""
        begin, chunks = self._end, []
        for field, chunk in zip(self._fields, group.chunks, strict=True):
            chunks.append({2: Wide(0), 3: _told(field, chunk, group.rows, self._end)})
            self._end += chunk.size
        told = {
            1: chunks,
            2: Wide(sum(chunk.plain_size for chunk in group.chunks)),
            3: Wide(group.rows),
            5: Wide(begin),
            6: Wide(self._end - begin),
            7: Short(len(self._groups)),
        }
        self._groups.append(Coded(structure(told)))
        self._rows += group.rows
        for page in group.pages:
            self._file.write(page)

    def finish(self) -> None:
        """Write what the file says of itself."""
        root = {4: "schema", 5: len(self._fields)}
        columns = [{1: LAYOUTS[form].type, 3: OPTIONAL, 4: name} | described for name, form, described in self._fields]
        end = structure(
            {
                1: VERSION,
                2: [root, *columns],
                3: Wide(self._rows),
                4: self._groups,
                5: [{1: key, 2: value} for key, value in self._notes.items()],
                6: f"teardown version {PROGRAM}",
                7: [IN_TYPE_ORDER] * len(self._fields),
            }
        )
        self._file.write(end + len(end).to_bytes(4, "little") + MAGIC)


def _told(field: Field, chunk: Chunk, rows: int, begin: int) -> dict[int, Any]:
    """What is said of a column of a group, whose pages begin at byte ``begin``."""
    layout, words = LAYOUTS[field.form], chunk.dictionary > 0
    return {
        1: layout.type,
        2: [layout.encoding, RLE, *([PLAIN] if words else [])],
        3: [field.name],
        4: layout.codec,
        5: Wide(rows),
        6: Wide(chunk.plain_size),
        7: Wide(chunk.size),
        9: Wide(begin + chunk.dictionary),
        11: Wide(begin) if words else None,
        12: _statistics(field, chunk),
    }


def _statistics(field: Field, chunk: Chunk) -> dict[int, Any] | None:
    """None of words: no reader can skip rows by them, since the rows are in another order."""
    if LAYOUTS[field.form].type == BYTE_ARRAY:
        return None
    low, high = chunk.bounds or (None, None)
    return {3: Wide(chunk.nulls), 5: high, 6: low}
