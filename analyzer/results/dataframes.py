"""From rows of numbers to the tables as DataFrames: codes become words. Nothing is judged here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.findings.wording import ROLES
from analyzer.results.column_values import Rows, Values, entry_values, flow_values, segment_values
from analyzer.results.finding_list import FindingList
from analyzer.results.letters import spelled
from analyzer.results.number_table import NumberTable
from analyzer.results.pandas_types import frame_of, table
from analyzer.results.schema import TABLES
from analyzer.times import outer_column
from analyzer.units import UNKNOWN
from analyzer.vocabulary import CONFIDENCES

ENDS = tuple(f"{role}_{what}" for role in ROLES for what in ("ip", "port"))
NO_FILES = FrameFiles()
Category = Any  # pd.Categorical, generic in the newest stubs only


def flows_frame(
    endings: Rows,
    addresses: Sequence[str],
    combinations: Sequence[str],
    files: FrameFiles,
    names: Sequence[str] | None = None,
) -> pd.DataFrame:
    """flows.csv from rows of ENDING, or the columns ``names`` of it. ``addresses`` are the texts of the address book's
    rows, ``combinations`` those of the column ``findings``; ``files`` tells which file each frame is in."""
    values = flow_values(endings, files, names)
    if "findings" in values:
        values["findings"] = np.array(combinations, object)[values["findings"]]
    return _frame("flows", values, addresses, files)


def timeline_frame(entries: Rows, endings: Rows, addresses: Sequence[str], notes: Sequence[str]) -> pd.DataFrame:
    """timeline.csv from rows of ENTRY, whose ``end`` counts within ``endings``; ``notes`` are those of
    ``note_texts``."""
    values = entry_values(entries, endings)
    return _frame("timeline", {**values, "note": np.array(notes, object)[values["note"]]}, addresses)


def segments_frame(segments: Rows, flows: Rows, addresses: Sequence[str]) -> pd.DataFrame:
    """segments.csv from rows of SEGMENT; ``flows`` is the flow table."""
    return _frame("segments", segment_values(segments, flows), addresses)


def findings_frame(listing: FindingList) -> pd.DataFrame:
    """findings.csv from what was found."""
    places = listing.order
    codes, severities = (np.array(words, object) for words in listing.vocabularies)
    picked = {name: listing.numbers(name, places) for name in ("stream", "when", "blamed", "confidence", *ENDS)}
    data = {
        "code": codes[places.table],
        "severity": severities[places.table],
        "stream": picked["stream"],
        "endpoint": np.array([*ROLES, ""], object)[picked["blamed"]],
        "time_epoch": outer_column(picked["when"]),
        "confidence": np.array(CONFIDENCES, object)[picked["confidence"]],
    }
    for role in ROLES:
        data[f"{role}_ip"] = _addresses(listing, picked[f"{role}_ip"])
        data[f"{role}_port"] = np.where(picked[f"{role}_port"] < 0, UNKNOWN, picked[f"{role}_port"])
    for name in ("frames", "message", "advice"):
        data[name] = np.array(listing.column(name, places).texts(), object)
    file, frame = listing.located(places)
    data |= {"file": named(file, listing.files), "file_frame": np.where(frame == 0, UNKNOWN, frame)}
    return table("findings", data)


def number_frame(made: NumberTable) -> pd.DataFrame:
    """A table from its numbers."""
    data: dict[str, Any] = dict(made.whole())
    for column in made.columns:
        if column.name not in made.texts:
            continue
        texts, codes = made.texts[column.name].texts(), data[column.name]
        if column.kind == "text":
            data[column.name] = np.array([*texts, ""], object)[codes]
        elif column.kind == "word":
            data[column.name] = words(texts, codes)
        else:
            data[column.name] = pd.Categorical.from_codes(codes, categories=pd.Index(texts, dtype=object))
    return frame_of(made.columns, data)


def _addresses(listing: FindingList, rows: NDArray[np.int64]) -> NDArray[np.object_]:
    distinct, place = np.unique(rows, return_inverse=True)
    texts = np.array([listing.address(row) for row in distinct.tolist()], object)
    return texts[place] if len(texts) else np.zeros(0, object)


def words(vocabulary: Sequence[str], codes: NDArray[Any]) -> Category:
    """Codes as a category column; "" and codes beyond the vocabulary are no value."""
    kept = list(dict.fromkeys(word for word in vocabulary if word))
    places = np.array([kept.index(word) if word else -1 for word in vocabulary] + [-1], np.int64)
    picked = places[np.minimum(codes, len(vocabulary))]
    return pd.Categorical.from_codes(picked, categories=pd.Index(kept))


def named(files: NDArray[np.int64], of: FrameFiles) -> Category:
    """Files by their names, -1 for none."""
    return pd.Categorical.from_codes(files, categories=pd.Index(of.files, dtype="str"))


def _frame(name: str, values: Values, addresses: Sequence[str], files: FrameFiles = NO_FILES) -> pd.DataFrame:
    """The table of ``values``; what is text already stays."""
    data: dict[str, Any] = dict(values)
    texts = pd.Index(list(addresses), dtype=object)
    for column in TABLES[name]:
        if column.name not in values:
            continue
        if column.kind == "address":
            data[column.name] = pd.Categorical.from_codes(values[column.name], categories=texts)
        elif column.kind == "letters":
            codes, spellings = spelled(values[column.name])
            data[column.name] = pd.Categorical.from_codes(codes, categories=pd.Index(spellings, dtype="str"))
        elif column.kind == "file":
            data[column.name] = named(values[column.name], files)
        elif column.kind == "word" and values[column.name].dtype != object:
            data[column.name] = words(column.words.by_code, values[column.name])
    return table(name, data, values)
