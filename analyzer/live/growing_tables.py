"""Tables on disk that grow while the watch runs: what was written is there, however the process ends.

``flows.csv``, ``timeline.csv`` and ``findings.csv`` get the rows of each connection when it is over (or given up,
or when the watch ends); ``announced.csv`` gets each announcement when it is made. Rows go straight to the operating
system, so only a crash of the whole machine can lose any. A rotation (SIGHUP) renames the files after the moment
and begins new ones. With Parquet, which cannot be appended to, a rotation also happens by itself, and the CSV files
are what is there between rotations; each becomes a Parquet file of the same rows and is removed then.

A disk that is full loses nothing that is known: rows wait in memory, at most ``MOST_WAITING`` bytes of them, and
are written when there is room again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from analyzer.columns import TableColumn
from analyzer.errors import UnwritableOutput
from analyzer.live.appended_file import AppendedFile, unused
from analyzer.writers.atomic_file import output_folder, whole_file
from analyzer.writers.csv import frame_lines, header

MOST_WAITING = 64 * 1024 * 1024
PARQUET_EVERY = 60.0  # seconds
PARQUET_ROWS = 500_000  # or so many rows


class GrowingFile:
    """A file that grows by whole lines; what does not fit on the disk waits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting = bytearray()
        self._file = AppendedFile(path)

    def write(self, data: bytes) -> str:
        """Append ``data``; returns why it has to wait, "" if it has not."""
        self._waiting += data
        try:
            while self._waiting:
                del self._waiting[: self._file.write(self._waiting)]
        except OSError as error:
            if len(self._waiting) > MOST_WAITING:
                raise UnwritableOutput(
                    f"cannot write {self.path}: {error.strerror}, and {len(self._waiting):,} bytes are waiting"
                ) from error
            return f"{self.path}: {error.strerror}; the rows wait in memory"
        return ""

    def close(self) -> None:
        """Raises UnwritableOutput if something still waits."""
        trouble = self.write(b"")
        self._file.close()
        if trouble:
            raise UnwritableOutput(f"cannot write {trouble.split(';')[0]}: {len(self._waiting):,} bytes are missing")

    @property
    def removed(self) -> bool:
        """Whether somebody removed it: what is written is lost."""
        return self._file.removed

    def renew(self, moment: float) -> Path | None:
        """Go on in a new file; returns the name of the old one, as far as it is known. Raises OSError: then the old one
        goes on."""
        return self._file.renew(moment)


class GrowingTable:
    """One table: its growing CSV file, and with Parquet the rows since the last rotation."""

    def __init__(self, folder: Path, name: str, columns: Sequence[TableColumn], parquet: bool) -> None:
        self.name = name
        self._columns, self._head = columns, header(columns)
        path = folder / f"{name}.csv"
        if path.exists() and path.stat().st_size:
            path.rename(unused(folder, name, "csv", path.stat().st_mtime))
        self._file = GrowingFile(path)
        self._file.write(self._head)
        self._rows: list[pd.DataFrame] | None = [] if parquet else None

    @property
    def kept(self) -> int:
        """Rows in memory for the next Parquet file."""
        return sum(map(len, self._rows or ()))

    def add(self, frame: pd.DataFrame) -> str:
        """Append rows; returns why they wait, if they do."""
        if self._rows is not None and len(frame):
            self._rows.append(frame)
        return self._file.write(frame_lines(self._columns, frame))

    def rotate(self, moment: float) -> str:
        """Begin anew; what there is gets a name with the moment. Returns what went wrong: then its CSV file stays."""
        if self._rows is not None and not self._rows:
            return ""
        if trouble := self._file.write(b""):
            return trouble  # the file is not whole yet
        folder = self._file.path.parent
        rows, self._rows = self._rows, self._rows and []
        try:
            old = self._file.renew(moment)
        except OSError as error:
            self._rows = rows
            return f"cannot begin {self._file.path} anew: {error.strerror}; rows go on into the old file"
        self._file.write(self._head)
        try:
            if rows:
                with whole_file(unused(folder, self.name, "parquet", moment)) as file:
                    self._write_parquet(pd.concat(rows, ignore_index=True), file)
                if old is not None:
                    old.unlink()
        except (UnwritableOutput, OSError) as error:
            return f"{error}; its rows are in {old or 'the file that was moved'}"
        return ""

    def restore(self) -> str:
        """Begin anew where somebody removed the file; returns what there is to say of it."""
        if not self._file.removed:
            return ""
        try:
            self._file.renew(time.time())
        except OSError as error:
            return f"{self._file.path} was removed, and cannot be begun anew: {error.strerror}"
        self._file.write(self._head)
        return f"{self._file.path} was removed; it was begun anew"

    def _write_parquet(self, frame: pd.DataFrame, file: BinaryIO) -> None:
        from analyzer.writers.parquet import write_frame

        write_frame(self._columns, frame, file)

    def close(self) -> None:
        trouble = self.rotate(time.time()) if self._rows is not None else ""
        self._file.close()
        if self._rows is not None:
            self._file.path.unlink()
        if trouble:
            raise UnwritableOutput(trouble)


class GrowingTables:
    """The four tables of ``--out``. ``say`` is called with one line when something is wrong that may pass."""

    def __init__(
        self, folder: Path, format: str, columns: Mapping[str, Sequence[TableColumn]], say: Callable[[str], None]
    ) -> None:
        output_folder(folder)
        self._tables = {name: GrowingTable(folder, name, words, format == "parquet") for name, words in columns.items()}
        self._say = say
        self._trouble = ""
        self._parquet = format == "parquet"
        self._rotated = time.monotonic()

    def add(self, name: str, frame: pd.DataFrame) -> None:
        """Append rows to the table ``name``."""
        trouble = self._tables[name].add(frame)
        if trouble and trouble != self._trouble:
            self._say(trouble)
        self._trouble = trouble

    def tick(self) -> None:
        """Rotate Parquet when it is time; begin anew what was removed."""
        for text in [table.restore() for table in self._tables.values()]:
            if text and text != self._trouble:
                self._say(text)
                self._trouble = text
        full = any(table.kept > PARQUET_ROWS for table in self._tables.values())
        if self._parquet and (full or time.monotonic() - self._rotated > PARQUET_EVERY):
            self.rotate()

    def rotate(self) -> None:
        self._rotated = time.monotonic()
        moment = time.time()
        for table in self._tables.values():
            trouble = table.rotate(moment)
            if trouble:
                self._say(trouble)

    def close(self) -> None:
        """Write what waits. Raises UnwritableOutput if that is not possible, for the first table concerned."""
        errors = []
        for table in self._tables.values():
            try:
                table.close()
            except (UnwritableOutput, OSError) as error:
                errors.append(error)
        if errors:
            raise UnwritableOutput(str(errors[0])) from errors[0]
