"""Plain arrays become a DataFrame with exactly the declared columns and their exact types.

Nanoseconds stay integers all the way: a time is an int64 count of nanoseconds since 1970 UTC, and ``UNKNOWN``
(the smallest int64, which is also numpy's NaT) where it is not known. So no time is ever rounded by a float.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from analyzer.columns import ColumnKind, TableColumn
from analyzer.results.schema import TABLES
from analyzer.units import UNKNOWN


def table(name: str, data: Mapping[str, Any] | pd.DataFrame, names: Collection[str] | None = None) -> pd.DataFrame:
    """The table ``name``, or the columns ``names`` of it, from one array a column; columns of ``data`` beyond the
    declared ones come behind.

    Accepted: int64 nanoseconds (UNKNOWN for none) for times and durations, also float seconds (NaN) for
    durations; integers with None, NA or UNKNOWN for ``number``; strings or a ``pd.Categorical`` for the
    others, "" for none. Raises KeyError if a declared column is missing.
    """
    return frame_of([column for column in TABLES[name] if names is None or column.name in names], data)


def frame_of(columns: Sequence[TableColumn], data: Mapping[str, Any] | pd.DataFrame) -> pd.DataFrame:
    """The same of any declared columns."""
    typed = {column.name: typed_column(column, data[column.name]) for column in columns}
    extra = {str(key): pd.Series(values) for key, values in data.items() if key not in typed}
    return pd.DataFrame({**typed, **extra})


def empty(name: str) -> pd.DataFrame:
    """The table ``name`` without a row."""
    return table(name, {column.name: [] for column in TABLES[name]})


def typed_column(column: TableColumn, values: Any) -> pd.Series:
    """``values`` with the exact type of the column's kind."""
    return pd.Series(_MAKE[column.kind](values), name=column.name).reset_index(drop=True)


def nanoseconds_of(moment: datetime) -> int:
    """A moment in nanoseconds since 1970; it is UTC where it has no zone."""
    stamp = pd.Timestamp(moment)
    return int((stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp).as_unit("ns").value)


def epoch_ns(series: pd.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A time column as nanoseconds, UNKNOWN where it is NaT."""
    return np.asarray(series.dt.tz_convert(None).to_numpy(dtype="datetime64[ns]").view(np.int64))


def seconds_ns(series: pd.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A duration column as nanoseconds, UNKNOWN where it is NaN (exact up to 26 days, as doubles go)."""
    seconds = series.to_numpy(dtype=np.float64)
    known = np.isfinite(seconds)
    return np.where(known, np.rint(np.where(known, seconds, 0) * 1e9).astype(np.int64), UNKNOWN)


def numbers_of(column: TableColumn, series: pd.Series) -> tuple[np.ndarray[Any, np.dtype[Any]], list[str]]:
    """A column of a DataFrame as numbers again, UNKNOWN for none; of texts, the places in those that come with them, -1
    for none."""
    if column.kind == "time":
        return epoch_ns(series), []
    if column.kind == "seconds":
        return seconds_ns(series), []
    if column.kind in ("count", "number", "sequence"):
        return series.astype("Int64").fillna(UNKNOWN).to_numpy(np.int64), []
    if column.kind == "flag":
        return series.to_numpy(np.int64), []
    codes, texts = pd.factorize(series)
    return codes.astype(np.int64), [str(text) for text in texts]


def _count(values: Any) -> Any:
    return np.asarray(values, dtype=np.int64)


def _number(values: Any) -> Any:
    array = pd.array(values, dtype="Int64")
    return array.copy() if len(array) == 0 else pd.Series(array).mask(array == UNKNOWN).array


def _category(values: Any) -> Any:
    made = values if isinstance(values, pd.Categorical) else pd.Categorical(np.asarray(values, dtype=object))
    return made.remove_categories([""]) if "" in made.categories else made


def _text(values: Any) -> Any:
    return pd.Series(values, dtype="str").fillna("")


def _time(values: Any) -> Any:
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.DatetimeTZDtype):
        return values
    stamps = np.asarray(values, dtype=np.int64).view("datetime64[ns]")
    return pd.DatetimeIndex(stamps).tz_localize("UTC")


def _seconds(values: Any) -> Any:
    array = np.asarray(values)
    if array.dtype.kind == "i":
        return np.where(array == UNKNOWN, np.nan, array / 1e9)
    return array.astype(np.float64)


def _flag(values: Any) -> Any:
    return np.asarray(values, dtype=np.bool_)


_MAKE: dict[ColumnKind, Callable[[Any], Any]] = {
    "count": _count,
    "number": _number,
    "sequence": _number,
    "word": _category,
    "address": _category,
    "file": _category,
    "text": _text,
    "letters": _category,
    "time": _time,
    "seconds": _seconds,
    "flag": _flag,
}
