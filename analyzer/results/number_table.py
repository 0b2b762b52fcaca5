"""A table as numbers: what CSV, Parquet and DataFrames of tables are made from that have no writer of their own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.columns import TableColumn
from analyzer.text import Words

if TYPE_CHECKING:
    import pandas as pd

Numbers = Mapping[str, NDArray[Any]]
"""Whole numbers, an array a column. A time is nanoseconds since 1970, a length of time nanoseconds; these and a
``number`` are UNKNOWN where there is none. A ``flag`` is 0 or 1. Any other column that is not counted has places of
texts, -1 for none."""


class NumberTable(NamedTuple):
    """``parts`` gives the rows, some at a time, each time it is called; ``texts`` has what the numbers of the columns
    with words, addresses, files and texts stand for."""

    columns: Sequence[TableColumn]
    texts: Mapping[str, Words]
    parts: Callable[[], Iterator[Numbers]]

    def whole(self) -> Numbers:
        """All rows at once."""
        parts = list(self.parts())
        if len(parts) == 1:
            return parts[0]
        names = [column.name for column in self.columns]
        return {name: np.concatenate([np.zeros(0, np.int64), *(part[name] for part in parts)]) for name in names}

    def of_streams(self, streams: NDArray[np.bool_]) -> "NumberTable":
        """The rows of the streams whose flag is set."""

        def parts() -> Iterator[Numbers]:
            for part in self.parts():
                rows = streams[part["stream"]]
                yield {name: values[rows] for name, values in part.items()}

        return self._replace(parts=parts)


def numbers_of_frame(columns: Sequence[TableColumn], frame: "pd.DataFrame") -> NumberTable:
    """A DataFrame with these columns as numbers again."""
    from analyzer.results.pandas_types import numbers_of

    numbers: dict[str, NDArray[Any]] = {}
    texts: dict[str, Words] = {}
    for column in columns:
        numbers[column.name], found = numbers_of(column, frame[column.name])
        if column.kind in ("word", "address", "file", "text", "letters"):
            texts[column.name] = Words.of(found)
    return NumberTable(columns, texts, lambda: iter([numbers]))
