"""The slow, obvious twin of the files: CSV and Parquet from DataFrames, with pyarrow alone."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analyzer.results.pandas_types import epoch_ns, seconds_ns
from analyzer.units import UNKNOWN

ROWS_AT_ONCE = 16_384  # one step's text stays in the processor's cache; ten times as many rows are slower
NANO = 1_000_000_000
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


def decimal_text(nanoseconds: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    """A string array such as ``1700000000.000000001`` and ``-0.500000000``, null where UNKNOWN."""
    unknown = nanoseconds == UNKNOWN
    known = np.where(unknown, 0, nanoseconds)
    size = np.abs(known)
    whole = size // NANO
    text = pc.binary_join_element_wise(_integers(whole), _fractions(size - whole * NANO), "")
    if (known < 0).any():
        text = pc.binary_join_element_wise(pa.array(np.where(known < 0, "-", "")).cast(pa.string()), text, "")
    return pc.if_else(pa.array(unknown), pa.scalar(None, pa.string()), text) if unknown.any() else text


def _integers(whole: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    return pa.array(whole).cast(pa.string())


def _fractions(fraction: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    """``.ddddddddd`` for each: the digits of 1_000_000_000 + fraction, whose leading 1 becomes the point."""
    digits = pa.array((fraction + NANO).astype(np.int32)).cast(pa.string())
    width = 10
    data = np.frombuffer(digits.buffers()[2], np.uint8, width * len(fraction)).reshape(-1, width).copy()
    data[:, 0] = ord(".")
    offsets = np.arange(0, data.size + 1, width, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(fraction), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
