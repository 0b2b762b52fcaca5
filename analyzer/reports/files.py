"""The tables of an analysis as files, from rows of numbers, slice by slice: CSV, or Parquet.

Memory does not grow with the tables. A file has its name only when it is whole.
"""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from analyzer.lines import Lines
from analyzer.reports.atomic import blamed, output_folder, whole_file
from analyzer.reports.lines import cells, entry_lines, flow_lines, header, segment_lines
from analyzer.reports.slices import Part, Rows, Tables, Turns, Worker, parts_of, segment_parts

ROWS = {"csv": 8192, "parquet": 131_072}  # in a part: two megabytes of text; a row group
THREADS = 2


def write_tables(
    tables: Tables, folder: Path, format: str = "csv", segments: tuple[Rows, Rows] | None = None
) -> list[Path]:
    """Write flows and timeline into ``folder``, and the segments where they are given, with the flow table.

    Returns the files written. Raises UnwritableOutput if the folder or a file cannot be written.
    """
    output_folder(folder)
    names = ["flows", "timeline"] + (["segments"] if segments else [])
    paths = [folder / f"{name}.{format}" for name in names]
    parts = parts_of(tables.slices(), ROWS[format])
    if segments:
        parts = chain(parts, segment_parts(*segments, ROWS[format]))
    with ExitStack() as stack:
        files = {path.stem: stack.enter_context(whole_file(path, forced=False)) for path in paths}
        if format == "csv":
            make = csv_workers(tables, files)
        else:
            from analyzer.reports.parquet import parquet_workers

            make = stack.enter_context(parquet_workers(tables, files))
        Turns(parts, names).run([make() for _ in range(THREADS)])
    return paths


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
