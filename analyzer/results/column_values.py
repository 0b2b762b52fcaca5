"""Rows of ENDING, ENTRY and SEGMENT as the columns of the tables, still as numbers.

Addresses are rows of the address book, words places in ``VOCABULARIES``, ``note`` a place in ``note_texts``, the column
``findings`` a number of a combination; a time, a length of time or a ``number`` that is not known is UNKNOWN. Here the
times of the inner clock become nanoseconds since 1970.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.results.schema import FLOWS, SEGMENTS, TIMELINE, WHO, TableColumn
from analyzer.results.vocabulary import ENTRY_WORDS, FLOW_WORDS, NOTES, SIDE_WORDS
from analyzer.segments.table import QUOTED, SEGMENT
from analyzer.times import UNKNOWN, outer_column

Rows = NDArray[np.void]
Values = dict[str, NDArray[Any]]

VOCABULARIES = {**FLOW_WORDS, **ENTRY_WORDS, "endpoint": SIDE_WORDS}
FIRST = ("first_file", "first_file_frame")  # columns of flows that are made when they are written
SEGMENT_FIELDS = {"src_ip": "src", "dst_ip": "dst", "time_epoch": "time"}


def flow_values(endings: Rows, files: FrameFiles) -> Values:
    """The columns of flows.csv; a file by its number in ``files``, -1 where there is only one."""
    known = [column for column in FLOWS if column.name not in FIRST]
    return {column.name: _values(column, endings[column.name]) for column in known} | first_in_file(endings, files)


def first_in_file(endings: Rows, files: FrameFiles) -> Values:
    """The file of each flow's first frame, and that frame's number there."""
    frames = endings["first_frame"] if files.several else np.zeros(len(endings), np.uint32)
    file, own = files.locate(frames)
    return dict(zip(FIRST, (file, np.where(own == 0, UNKNOWN, own)), strict=True))


def entry_values(entries: Rows, endings: Rows) -> Values:
    """The columns of timeline.csv; ``end`` counts within ``endings``."""
    flow, side = (entries["end"] >> 1).astype(np.intp), entries["end"] & 1
    values: Values = {column.name: endings[column.name].take(flow) for column in WHO}  # [flow] takes thrice as long
    values["endpoint"] = side
    for name in ("ip", "port"):
        values[f"endpoint_{name}"] = np.where(side, values[f"server_{name}"], values[f"client_{name}"])
    for column in TIMELINE[len(values) : -1]:
        values[column.name] = _values(column, entries[column.name.removesuffix("_epoch")])
    values["note"] = entries["arrow"].astype(np.int32) * NOTES + entries["note"]
    return values


def segment_values(segments: Rows, flows: Rows) -> Values:
    """The columns of segments.csv; ``flows`` is the flow table."""
    stream = flows["stream"].take((segments["sender"] >> 1).astype(np.intp)).astype(np.int64)
    own = [column for column in SEGMENTS if column.name != "stream"]
    values = {column.name: _values(column, segments[SEGMENT_FIELDS.get(column.name, column.name)]) for column in own}
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
