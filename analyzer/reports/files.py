"""The tables of an analysis as files, from rows of numbers, slice by slice: CSV, or Parquet.

Memory does not grow with the tables. A file has its name only when it is whole.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from analyzer.lines import Lines
from analyzer.reports import findings_files
from analyzer.reports.atomic import blamed, output_folder, whole_file
from analyzer.reports.lines import cells, entry_lines, flow_lines, header, segment_lines
from analyzer.reports.result import Analysed
from analyzer.reports.slices import Part, Rows, Tables, Turns, Worker, parts_of, segment_parts

ROWS = {"csv": 8192, "parquet": 131_072}  # in a part: two megabytes of text; a row group
FLOWS = {"csv": 4096, "parquet": 65_536}  # in a slice
THREADS = 2
TABLES = ("flows", "timeline", "findings", "segments")


def write_analysed(
    analysed: Analysed, folder: Path, format: str = "csv", names: Collection[str] = TABLES
) -> list[Path]:
    """Write the tables ``names`` into ``folder``, the segments where there are any; returns the files.

    Raises UnwritableOutput if the folder or a file cannot be written.
    """
    output_folder(folder)
    chosen = [name for name in TABLES if name in names and (name != "segments" or analysed.segments)]
    paths = [folder / f"{name}.{format}" for name in chosen]
    with ExitStack() as stack:
        files = {path.stem: stack.enter_context(whole_file(path, forced=False)) for path in paths}
        findings = files.pop("findings", None)
        if findings is not None:
            with blamed(findings):
                findings_files.WRITERS[format](analysed.listing, findings)
        if files:
            write_tables(analysed.tables, files, format, analysed.segments)
    return paths


def write_tables(
    tables: Tables, files: dict[str, BinaryIO], format: str, segments: tuple[Rows, Rows] | None = None
) -> None:
    """Write those of flows, timeline and segments that have a file; the segments come with the flow table."""
    slices = tables.slices(FLOWS[format], "timeline" in files) if files.keys() & {"flows", "timeline"} else iter(())
    parts: Iterator[Part] = (part for part in parts_of(slices, ROWS[format]) if part.table in files)
    if segments and "segments" in files:
        parts = chain(parts, segment_parts(*segments, ROWS[format]))
    with ExitStack() as stack:
        if format == "csv":
            make = csv_workers(tables, files)
        else:
            from analyzer.reports.parquet import parquet_workers

            make = stack.enter_context(parquet_workers(tables, files))
        Turns(parts, files).run([make() for _ in range(THREADS)])


def csv_workers(tables: Tables, files: dict[str, BinaryIO]) -> Callable[[], Worker]:
    """What makes the lines of parts, for each thread anew: UTF-8, a header, lines ended by ``\\n``."""
    combinations = cells(tables.combinations)
    for name, file in files.items():
        file.write(header(name))

    def lines_of(part: Part) -> Lines:
        if part.table == "flows":
            return flow_lines(part.rows, tables.addresses, combinations)
        lines = entry_lines if part.table == "timeline" else segment_lines
        return lines(part.rows, part.flows, tables.addresses)

    def worker() -> Worker:
        buffer = np.empty(0, np.uint8)

        def make(part: Part) -> Callable[[], None]:
            nonlocal buffer
            text, buffer = lines_of(part).whole(buffer)

            def finish() -> None:
                with blamed(files[part.table]):
                    files[part.table].write(text.data)

            return finish

        return make

    return worker
