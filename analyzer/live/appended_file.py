"""A file that only grows, under a name that others may take away.

A rotation gives what there is another name and goes on in a new file. logrotate moves the file itself and only then
asks for that; somebody may have removed it, or its folder; the disk may be full. Whatever is wrong, either the new file
is there or the old one goes on: nothing that is written in between is lost.
"""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

from analyzer.errors import unwritable

APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class AppendedFile:
    """Opened at once. ``fresh``: what the file had is dropped. Raises UnwritableOutput."""

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, APPENDING | (os.O_TRUNC if fresh else 0), 0o666)
        except OSError as error:
            raise unwritable(f"cannot write {path}", error) from error

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append the beginning of ``data``; returns how much of it. Raises OSError."""
        return os.write(self._descriptor, data)

    def cut(self, size: int) -> None:
        """Drop what is beyond ``size`` bytes, if the file system lets us."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, size)

    @property
    def removed(self) -> bool:
        """Whether nobody can read any more what is written: the file has no name."""
        return os.fstat(self._descriptor).st_nlink == 0

    def renew(self, moment: float) -> Path | None:
        """Go on in a new file, which is opened with its folder. Returns the name that the old one has now, None where
        somebody else had moved or removed it. Raises OSError: then the old file goes on."""
        kept = self._set_aside(moment) if self._in_place() else None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if kept is None and self.path.exists() and self.path.stat().st_size:
                self._set_aside(moment)  # somebody else's
            new = os.open(self.path, APPENDING, 0o666)
        except OSError:
            if kept is not None:
                with contextlib.suppress(OSError):
                    kept.rename(self.path)
            raise
        self.close()
        self._descriptor = new
        return kept

    def _in_place(self) -> bool:
        """Whether the name still leads to the file."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def _set_aside(self, moment: float) -> Path:
        kept = unused(self.path.parent, self.path.stem, self.path.suffix.lstrip("."), moment)
        self.path.rename(kept)
        return kept

    def sync(self) -> None:
        """Wait until all of it is on the disk. Raises OSError."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close it. Raises OSError."""
        os.close(self._descriptor)


def unused(folder: Path, name: str, ending: str, moment: float) -> Path:
    """A name with the moment in it that no file has: ``flows-20261120T183000Z.csv``."""
    stamp = datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")
    suffix, number = f".{ending}" if ending else "", 1
    path = folder / f"{name}-{stamp}{suffix}"
    while path.exists():
        number += 1
        path = folder / f"{name}-{stamp}-{number}{suffix}"
    return path
