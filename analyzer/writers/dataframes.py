"""The tables as files: CSV for people and scripts, Parquet for everything that reads millions of rows.

CSV is made a few thousand rows at a time, a whole column at once: every column becomes text in Arrow's
memory, the columns are joined to lines there, and the lines' memory is the file's content. Nothing runs once
a cell in Python. Quotes appear only where RFC 4180 needs them, and only free text can need them: what comes
from a capture is addresses and numbers.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analyzer.results.pandas_types import epoch_ns, seconds_ns
from analyzer.writers.decimals import decimal_text

ROWS_AT_ONCE = 16_384  # one step's text stays in the processor's cache; ten times as many rows are slower
NEEDS_QUOTES = '[",\r\n]'


def write_parquet(frame: pd.DataFrame, file: BinaryIO) -> None:
    """Write ``frame`` as Parquet: times are timestamp[ns, UTC], words and addresses dictionaries of
    strings."""
    arrow = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    columns = dict(zip(arrow.column_names, map(_typed, arrow.columns), strict=True))
    pq.write_table(pa.table(columns), file, compression="zstd")


def _typed(column: pa.ChunkedArray) -> Any:
    """The column with the type that it has in every version of pandas: some know text as objects, and nothing of words
    that do not occur."""
    if pa.types.is_string(column.type):
        return column.cast(pa.large_string())
    if pa.types.is_dictionary(column.type) and pa.types.is_null(column.type.value_type):
        return pa.nulls(len(column), pa.dictionary(column.type.index_type, pa.large_string()))
    return column


def write_csv(frame: pd.DataFrame, file: BinaryIO) -> None:
    """Write ``frame`` as CSV: UTF-8, one header line, lines ended by ``\\n``, unknown values empty."""
    file.write((",".join(frame.columns) + "\n").encode())
    for lines in csv_lines(frame):
        file.write(lines)


def csv_lines(frame: pd.DataFrame) -> Iterator[bytes]:
    """The lines of ``frame`` without the header, some thousand at a time."""
    for start in range(0, len(frame), ROWS_AT_ONCE):
        part = frame.iloc[start : start + ROWS_AT_ONCE]
        cells = [_cells(part[name]) for name in part.columns]
        joined = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
        lines = pc.binary_join_element_wise(joined, "", "\n")
        yield lines.buffers()[2].slice(0, _text_size(lines)).to_pybytes()


def _cells(column: pd.Series) -> pa.Array:
    """A column as text, null where unknown."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return decimal_text(epoch_ns(column))
    if column.dtype.kind == "f":
        return decimal_text(seconds_ns(column))
    if column.dtype.kind in "iu":
        return pa.array(column).cast(pa.string())
    return _quoted(pa.array(column))


def _quoted(values: Any) -> pa.Array:
    """Text, with quotes where a cell holds a comma, a quote or a line end. A dictionary is quoted once a
    word."""
    if pa.types.is_dictionary(values.type):
        return pc.take(_quoted(values.dictionary), values.indices)
    text = values.cast(pa.string())
    special = pc.match_substring_regex(text, NEEDS_QUOTES)
    if not pc.any(special).as_py():
        return text
    doubled = pc.replace_substring(text, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise(pa.scalar('"'), doubled, pa.scalar('"'), ""), text)


def _text_size(lines: pa.Array) -> int:
    """Bytes of text in an array that was made whole (its own buffers, from their start)."""
    return int(np.frombuffer(lines.buffers()[1], np.int32, len(lines) + 1)[-1])
