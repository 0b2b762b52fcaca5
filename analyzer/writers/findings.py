"""findings.csv and findings.parquet, from numbers, some thousand rows at a time."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.finding_columns import CONFIDENCES, UNKNOWN
from analyzer.findings.wording import ROLES
from analyzer.results.finding_list import FindingList, FindingRows
from analyzer.results.schema import FINDINGS
from analyzer.times import outer_column
from analyzer.writers.atomic_file import blamed
from analyzer.writers.parallel import OrderedWork, Steps

ROWS_AT_ONCE = 1 << 17  # of a group of rows in a Parquet file


def write_csv(listing: FindingList, file: BinaryIO, threads: int = 1) -> None:
    """Write findings.csv; so many threads make the lines."""
    file.write((",".join(column.name for column in FINDINGS) + "\n").encode())
    spare: list[NDArray[np.uint8]] = []  # memory that has been touched is used again

    def make(places: FindingRows) -> Steps:
        room = spare.pop() if spare else np.empty(0, np.uint8)
        lines, room = listing.csv(places, room)
        for text in lines.parts():
            yield partial(write, text)
        spare.append(room)

    def write(text: NDArray[np.uint8]) -> None:
        with blamed(file):
            file.write(text.data)

    OrderedWork((partial(FindingRows, *places) for places in listing.parts()), make).run(threads)


def write_parquet(listing: FindingList, file: BinaryIO, threads: int = 1) -> None:
    """Write findings.parquet; the types are those of docs/columns.md. One thread does all."""
    from analyzer.writers.parquet import writer

    make = FindingArrays(listing)
    first = make.batch(0)
    with writer("findings", file, first.schema, "zstd") as groups:
        groups.write_table(first)
        for start in range(ROWS_AT_ONCE, len(listing), ROWS_AT_ONCE):
            groups.write_table(make.batch(start))


class FindingArrays:
    """The findings as pyarrow's columns."""

    def __init__(self, listing: FindingList) -> None:
        self._listing = listing
        used = {role: np.unique(listing.numbers(f"{role}_ip", listing.order)) for role in ROLES}
        self._used = {role: addresses[addresses >= 0] for role, addresses in used.items()}

    def batch(self, start: int) -> Any:
        """A pyarrow.Table of the rows from ``start`` on."""
        import pyarrow as pa

        from analyzer.writers import arrow_arrays

        places = self._listing.order.some(start, ROWS_AT_ONCE)
        columns = self._coded(places) | self._numbers(places) | self._located(places)
        columns |= {
            name: arrow_arrays.texts(self._listing.column(name, places)) for name in ("frames", "message", "advice")
        }
        names = [column.name for column in FINDINGS]
        return pa.Table.from_arrays([columns[name] for name in names], names)

    def _coded(self, places: FindingRows) -> dict[str, Any]:
        listing = self._listing
        codes, severities = listing.vocabularies
        columns = {
            "code": dictionary(places.table, codes),
            "severity": dictionary(places.table, severities),
            "endpoint": dictionary(listing.numbers("blamed", places), ROLES),
            "confidence": dictionary(listing.numbers("confidence", places), CONFIDENCES),
        }
        for role, used in self._used.items():
            rows = listing.numbers(f"{role}_ip", places)
            place = np.where(rows < 0, len(used), np.searchsorted(used, rows))
            columns[f"{role}_ip"] = dictionary(place, [listing.address(row) for row in used.tolist()])
        return columns

    def _located(self, places: FindingRows) -> dict[str, Any]:
        from analyzer.writers import arrow_arrays

        file, frame = self._listing.located(places)
        names = self._listing.files.files
        file = np.where(file < 0, len(names), file)
        return {"file": dictionary(file, names), "file_frame": arrow_arrays.numbers(frame, frame == 0)}

    def _numbers(self, places: FindingRows) -> dict[str, Any]:
        import pyarrow as pa

        from analyzer.writers import arrow_arrays

        stream, when = (self._listing.numbers(name, places) for name in ("stream", "when"))
        when = outer_column(when)
        columns = {
            "stream": arrow_arrays.numbers(stream, stream == UNKNOWN),
            "time_epoch": arrow_arrays.numbers(when, when == UNKNOWN, pa.timestamp("ns", "UTC")),
        }
        for name in (f"{role}_port" for role in ROLES):
            port = self._listing.numbers(name, places)
            columns[name] = arrow_arrays.numbers(port, port < 0)
        return columns


def dictionary(codes: NDArray[Any], words: Sequence[str]) -> Any:
    """Codes as pyarrow's dictionary of their distinct words; no value for codes beyond them."""
    from analyzer.writers import arrow_arrays

    distinct = list(dict.fromkeys(words))
    size = np.int8 if len(distinct) < 127 else np.int16 if len(distinct) < 32767 else np.int32
    known = {word: place for place, word in enumerate(distinct)}
    places = np.array([*(known[word] for word in words), 0], size)
    return arrow_arrays.dictionary(places[np.minimum(codes, len(words))], distinct, np.asarray(codes >= len(words)))


WRITERS: dict[str, Callable[[FindingList, BinaryIO, int], None]] = {"csv": write_csv, "parquet": write_parquet}
