"""Rows of ENDING, ENTRY and SEGMENT as the columns of the tables, still as numbers.

Addresses are rows of the address book, words places in their vocabularies, ``note`` a place in ``note_texts``, the
column ``findings`` a number of a combination, ``letters`` three numbers a row (see ``letters``); a time, a length of
time or a ``number`` that is not known is UNKNOWN.
Here the times of the inner clock become nanoseconds since 1970.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.columns import TableColumn
from analyzer.results.notes import NOTES
from analyzer.results.schema import SEGMENTS, TABLES
from analyzer.segments.table import QUOTED, SEGMENT
from analyzer.times import outer_column
from analyzer.tracker.flow_record import ENTRY_COLUMNS, WHO
from analyzer.units import UNKNOWN

Rows = NDArray[np.void]
Values = dict[str, NDArray[Any]]

NOTHING = {"file": -1, "word": 255}  # what stands for no value; for UNKNOWN else


def flow_values(endings: Rows, files: FrameFiles, names: Sequence[str] | None = None) -> Values:
    """The columns of flows.csv, or those of these names."""
    columns = [column for column in TABLES["flows"] if names is None or column.name in names]
    return {column.name: _flow_values(column, endings, files) for column in columns}


def _flow_values(column: TableColumn, endings: Rows, files: FrameFiles) -> NDArray[Any]:
    if column.kind == "letters":
        return np.stack([endings[name] for name in (column.source, *column.more)], axis=1)
    numbers = made_of(column, endings, files) if column.made else endings[column.source]
    if numbers is None:
        return np.full(len(endings), NOTHING.get(column.kind, UNKNOWN))
    return _values(column, numbers)


def made_of(column: TableColumn, endings: Rows, files: FrameFiles) -> NDArray[Any] | None:
    """A column of flows.csv that is no field of ENDING; None where it has no value in any row."""
    return column.made(endings, files) if column.made else None


def entry_values(entries: Rows, endings: Rows) -> Values:
    """The columns of timeline.csv; ``end`` counts within ``endings``."""
    flow, side = (entries["end"] >> 1).astype(np.intp), entries["end"] & 1
    values: Values = {column.name: endings[column.name].take(flow) for column in WHO}  # [flow] takes thrice as long
    values["endpoint"] = side
    for name in ("ip", "port"):
        values[f"endpoint_{name}"] = np.where(side, values[f"server_{name}"], values[f"client_{name}"])
    for column in ENTRY_COLUMNS:
        values[column.name] = _values(column, entries[column.source])
    values["note"] = entries["arrow"].astype(np.int32) * NOTES + entries["note"]
    return values


def segment_values(segments: Rows, flows: Rows) -> Values:
    """The columns of segments.csv; ``flows`` is the flow table."""
    stream = flows["stream"].take((segments["sender"] >> 1).astype(np.intp)).astype(np.int64)
    own = [column for column in SEGMENTS if column.name != "stream"]
    values = {column.name: _values(column, segments[column.source]) for column in own}
    return {"stream": stream, **values}


def segment_rows(batches: Sequence[Rows]) -> Rows:
    """The segments that are told of, by frame: headers quoted in ICMP errors apart."""
    rows = np.concatenate([np.zeros(0, SEGMENT), *(batch[(batch["marks"] & QUOTED) == 0] for batch in batches)])
    return rows[np.argsort(rows["frame"], kind="stable")] if np.any(np.diff(rows["frame"]) < 0) else rows


def _values(column: TableColumn, values: NDArray[Any]) -> NDArray[Any]:
    if column.kind == "time":
        return outer_column(values)
    if column.kind == "number":
        return np.where(values == 0, UNKNOWN, values.astype(np.int64))
    return values
