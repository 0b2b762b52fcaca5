"""A Parquet file: row groups one behind the other, and at its end what they are.

https://parquet.apache.org/docs/file-format/ has the layout.
"""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from analyzer.parquet.pages import ENCODINGS, PLAIN, RLE, SNAPPY, TYPES, Chunk, Field, Group
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
        for page in group.pages:
            self._file.write(page)
        chunks = [self._chunk(field, chunk, group) for field, chunk in zip(self._fields, group.chunks, strict=True)]
        size = sum(chunk.size for chunk in group.chunks)
        told = {
            1: chunks,
            2: Wide(sum(chunk.plain_size for chunk in group.chunks)),
            3: Wide(group.rows),
            5: Wide(self._end),
            6: Wide(size),
            7: Short(len(self._groups)),
        }
        self._groups.append(Coded(structure(told)))
        self._rows += group.rows
        self._end += size

    def finish(self) -> None:
        """Write what the file says of itself."""
        root = {4: "schema", 5: len(self._fields)}
        columns = [{1: TYPES[form], 3: OPTIONAL, 4: name} | described for name, form, described in self._fields]
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

    def _chunk(self, field: Field, chunk: Chunk, group: Group) -> dict[int, Any]:
        begin = self._end + chunk.begin
        words = chunk.dictionary > 0
        told = {
            1: TYPES[field.form],
            2: [ENCODINGS[field.form], RLE, *([PLAIN] if words else [])],
            3: [field.name],
            4: SNAPPY,
            5: Wide(group.rows),
            6: Wide(chunk.plain_size),
            7: Wide(chunk.size),
            9: Wide(begin + chunk.dictionary),
            11: Wide(begin) if words else None,
            12: _statistics(chunk) if not words else None,
        }
        return {2: Wide(0), 3: told}


def _statistics(chunk: Chunk) -> dict[int, Any]:
    low, high = chunk.bounds or (None, None)
    return {3: Wide(chunk.nulls), 5: high, 6: low}
