"""The tables of an analysis as files, from rows of numbers, slice by slice: CSV, or Parquet.

Memory does not grow with the tables. A file has its name only when it is whole.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from analyzer.results.finding_list import FindingList
from analyzer.results.number_table import NumberTable
from analyzer.results.result import Analysed
from analyzer.results.schema import TABLES
from analyzer.threads import BackgroundWorker
from analyzer.vocabulary import FURTHER, TABLE_NAMES
from analyzer.writers.atomic_file import blamed, output_folder, whole_file
from analyzer.writers.page_cache import CacheBudget
from analyzer.writers.parallel import (
    Gather,
    Make,
    OrderedWork,
    Rows,
    Steps,
    TablePart,
    TableRows,
    entry_parts,
    flow_parts,
    segment_parts,
)

Progress = Callable[[int, int | None], None]  # rows written, rows in all
ROWS = {"csv": 16_384, "parquet": 65_536, "jsonl": 16_384}  # in a part: three megabytes of text; a row group
THREADS = 2


def write_analysed(
    analysed: Analysed,
    folder: Path,
    format: str = "csv",
    names: Collection[str] = TABLE_NAMES,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the tables ``names`` into ``folder``, the segments where there are any; returns the files. ``progress`` is
    told of rows that are written, connections and what belongs to one, and of how many in all.

    Raises UnwritableOutput if the folder or a file cannot be written, UsageError where what a table is made from was
    not kept.
    """
    output_folder(folder)
    further = {name: analysed.further(name) for name in FURTHER if name in names}
    chosen = [name for name in TABLE_NAMES if name in names and (name != "segments" or analysed.segments)]
    paths = [folder / f"{name}.{format}" for name in chosen]
    with ExitStack() as stack:
        room = CacheBudget(analysed.tables.spilled)
        files = {path.stem: stack.enter_context(whole_file(path, False, room)) for path in paths}
        findings = files.pop("findings", None)
        threads = 1 if files else THREADS
        meanwhile = BackgroundWorker(partial(_write_findings, analysed.listing, format, threads), 1)
        if findings is not None:
            meanwhile.submit(findings)
        try:
            if files:
                told = None if progress is None else _told(progress, files, analysed)
                write_tables(analysed.tables, files, format, analysed.segments, told)
        finally:
            meanwhile.wait()
        paths += [_write_further(table, folder / f"{name}.{format}", format, room) for name, table in further.items()]
    return paths


def stale(folder: Path, written: Collection[Path]) -> list[Path]:
    """Tables of an earlier run in ``folder`` that were not ``written`` now: by their names and by their columns."""
    names = [f"{name}.{format}" for name in (*TABLE_NAMES, *FURTHER) for format in ROWS]
    there = [folder / name for name in names if (folder / name).is_file() and folder / name not in written]
    return [path for path in there if _is_ours(path)]


def _is_ours(path: Path) -> bool:
    """Whether a file has the columns of the table whose name it has; newer versions may have added some."""
    known = [column.name for column in TABLES[path.stem]]
    try:
        if path.suffix == ".csv":
            with path.open("rb") as file:
                found = file.readline(1 << 16).decode("utf8", "replace").rstrip("\n").split(",")
        elif path.suffix == ".jsonl":
            import json

            with path.open("rb") as file:
                found = list(json.loads(file.readline(1 << 16) or b"{}"))
        else:
            from pyarrow.parquet import read_schema

            found = read_schema(path).names
    except (OSError, ValueError):
        return False
    return found == known[: len(found)] and len(found) > 2


def _write_further(table: NumberTable, path: Path, format: str, room: CacheBudget) -> Path:
    """Write a table that is given as numbers."""
    with whole_file(path, False, room) as file, blamed(file):
        writer_of(format).write_table(table, file)
    return path


def _write_findings(listing: FindingList, format: str, threads: int, file: BinaryIO) -> None:
    with blamed(file):
        writer_of(format).write_findings(listing, file, threads)


def writer_of(format: str) -> Any:
    """The module that writes a format: it has ``parts_maker``, ``write_findings`` and ``write_table``."""
    if format == "csv":
        from analyzer.writers import csv

        return csv
    if format == "jsonl":
        from analyzer.writers import jsonl

        return jsonl
    from analyzer.writers import parquet

    return parquet


def write_tables(
    tables: TableRows,
    files: dict[str, BinaryIO],
    format: str,
    segments: tuple[Rows, Rows] | None = None,
    told: Callable[[TablePart], None] | None = None,
) -> None:
    """Write those of flows, timeline and segments that have a file; the segments come with the flow table. Each part
    that is written is ``told``."""
    most = ROWS[format]
    parts: list[Iterator[Gather]] = []
    if "flows" in files:
        parts.append(flow_parts(tables, most))
    if "timeline" in files:
        parts.append(entry_parts(tables, most))
    if segments and "segments" in files:
        parts.append(segment_parts(*segments, most))
    with ExitStack() as stack:
        make = stack.enter_context(writer_of(format).parts_maker(tables, files, most))
        OrderedWork(chain.from_iterable(parts), make if told is None else partial(_telling, make, told)).run(THREADS)


def _telling(make: Make, told: Callable[[TablePart], None], part: TablePart) -> Steps:
    """Makes a part, and tells of it once it is written."""
    yield from make(part)
    told(part)


def _told(progress: Progress, files: Collection[str], analysed: Analysed) -> Callable[[TablePart], None]:
    """Adds up what is written: the rows of flows and segments, and of a timeline the flows that it is of."""
    segments = len(analysed.segments[0]) if analysed.segments is not None and "segments" in files else 0
    total = analysed.overview.flows * len({"flows", "timeline"}.intersection(files)) + segments
    done = 0

    def told(part: TablePart) -> None:
        nonlocal done
        done += len(part.flows if part.table == "timeline" else part.rows)
        progress(min(done, total), total)

    return told
