"""findings.csv and findings.parquet, from numbers, some thousand rows at a time."""

from collections.abc import Callable
from typing import BinaryIO

from analyzer.reports.columns import FINDINGS
from analyzer.reports.findings import Listing


def write_csv(listing: Listing, file: BinaryIO) -> None:
    """Write findings.csv."""
    file.write((",".join(column.name for column in FINDINGS) + "\n").encode())
    for lines in listing.csv():
        file.write(lines.data)


def write_parquet(listing: Listing, file: BinaryIO) -> None:
    """Write findings.parquet; the types are those of docs/columns.md."""
    from analyzer.reports.findings_groups import ROWS_AT_ONCE, Columns
    from analyzer.reports.parquet import new_file

    made, columns = new_file("findings", file), Columns(listing)
    for start in range(0, len(listing), ROWS_AT_ONCE):
        made.write(columns.group(start))
    made.finish()


WRITERS: dict[str, Callable[[Listing, BinaryIO], None]] = {"csv": write_csv, "parquet": write_parquet}
