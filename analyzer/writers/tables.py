"""The tables of an analysis as files, from rows of numbers, slice by slice: CSV, or Parquet.

Memory does not grow with the tables. A file has its name only when it is whole.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from analyzer.results.finding_list import FindingList
from analyzer.results.result import Analysed
from analyzer.text import TextLines, run_on
from analyzer.threads import BackgroundWorker
from analyzer.writers import findings
from analyzer.writers.atomic_file import blamed, output_folder, whole_file
from analyzer.writers.csv import cells, entry_lines, flow_lines, header, reason_cells, segment_lines
from analyzer.writers.page_cache import CacheBudget
from analyzer.writers.parallel import (
    Gather,
    Make,
    OrderedWork,
    Rows,
    TablePart,
    TableRows,
    entry_parts,
    flow_parts,
    segment_parts,
)

ROWS = {"csv": 16_384, "parquet": 65_536}  # in a part: three megabytes of text; a row group
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
        room = CacheBudget(analysed.tables.spilled)
        files = {path.stem: stack.enter_context(whole_file(path, False, room)) for path in paths}
        findings = files.pop("findings", None)
        threads = 1 if files else THREADS
        meanwhile = BackgroundWorker(partial(_write_findings, analysed.listing, format, threads), 1)
        if findings is not None:
            meanwhile.submit(findings)
        try:
            if files:
                write_tables(analysed.tables, files, format, analysed.segments)
        finally:
            meanwhile.wait()
    return paths


def _write_findings(listing: FindingList, format: str, threads: int, file: BinaryIO) -> None:
    with blamed(file):
        findings.WRITERS[format](listing, file, threads)


def write_tables(
    tables: TableRows, files: dict[str, BinaryIO], format: str, segments: tuple[Rows, Rows] | None = None
) -> None:
    """Write those of flows, timeline and segments that have a file; the segments come with the flow table."""
    most = ROWS[format]
    parts: list[Iterator[Gather]] = []
    if "flows" in files:
        parts.append(flow_parts(tables, most))
    if "timeline" in files:
        parts.append(entry_parts(tables, most))
    if segments and "segments" in files:
        parts.append(segment_parts(*segments, most))
    with ExitStack() as stack:
        if format == "csv":
            make = lines_maker(tables, files)
        else:
            from analyzer.writers.parquet import groups_maker

            make = stack.enter_context(groups_maker(tables, files, most))
        OrderedWork(chain.from_iterable(parts), make).run(THREADS)


def lines_maker(tables: TableRows, files: dict[str, BinaryIO]) -> Make:
    """What makes the lines of parts: UTF-8, a header, lines ended by ``\\n``."""
    combinations, reasons = cells(tables.combinations), reason_cells(tables.notes)
    spare: list[NDArray[np.uint8]] = []  # buffers: memory that has been touched is used again
    for name, file in files.items():
        file.write(header(name))

    def lines_of(part: TablePart) -> TextLines:
        if part.table == "flows":
            return flow_lines(part.rows, tables.addresses, combinations, tables.files)
        if part.table == "timeline":
            return entry_lines(part.rows, part.flows, tables.addresses, reasons)
        return segment_lines(part.rows, part.flows, tables.addresses)

    def write(table: str, text: NDArray[np.uint8]) -> None:
        with blamed(files[table]):
            files[table].write(text.data)

    def make(part: TablePart) -> Iterator[Callable[[], None]]:
        buffer = spare.pop() if spare else np.empty(0, np.uint8)
        for some in part.cut(ROWS["csv"]):
            lines, buffer = run_on([lines_of(some)], buffer)
            yield partial(write, part.table, lines.text)
        spare.append(buffer)

    return make
