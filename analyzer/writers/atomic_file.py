"""A file that appears under its name only when it is whole.

It is written beside its final place (the same folder, hence the same file system) and renamed. Whatever goes wrong on
the way, the name keeps what it had and nothing is left behind. What nothing else could give back is forced to the disk
before; the tables of a capture are not, since a disk takes many times as long as the whole analysis, which can be
repeated should the machine itself fail within the seconds until the system has written them.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO

from analyzer.errors import unwritable
from analyzer.writers.page_cache import CacheBudget, CachedFile


@contextmanager
def whole_file(path: Path, forced: bool = True, room: CacheBudget | None = None) -> Iterator[BinaryIO]:
    """Open ``path`` for writing; it is replaced when the block ends, and untouched if the block fails.

    ``forced``: it is on the disk then, and outlives a failure of the machine. ``room`` is shared by files that are
    written together.

    Raises UnwritableOutput, one line with the path and the system's reason, for every failure of the file
    system, and for a device, pipe or socket under that name: the rename would put a file in its place.
    """
    draft = _draft(path)
    try:
        _refuse_device(path)
        with BufferedWriter(CachedFile(draft, room or CacheBudget())) as file:
            yield file
            file.flush()
            if forced:
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise unwritable(f"cannot write {path}", error) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def check_output(path: Path) -> None:
    """Raise UnwritableOutput where ``whole_file`` could not begin, to be called before a long reading."""
    draft = _draft(path)
    try:
        _refuse_device(path)
        draft.touch(exist_ok=False)
        draft.unlink()
    except OSError as error:
        raise unwritable(f"cannot write {path}", error) from error


def _refuse_device(path: Path) -> None:
    """A folder is left to the rename, which says so itself."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "not a regular file")


def _draft(path: Path) -> Path:
    """A name beside ``path`` that nobody has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}")


@contextmanager
def blamed(file: BinaryIO) -> Iterator[None]:
    """A failure of the file system within the block is one of this file, whichever other files are open as well."""
    try:
        yield
    except OSError as error:
        raise unwritable(f"cannot write {_final(Path(file.name))}", error) from error


def _final(draft: Path) -> Path:
    """The name that a draft is to have."""
    return draft.with_name(draft.name[1:].rpartition(".")[0])


def output_folder(path: Path) -> Path:
    """``path`` as a folder, made if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(f"cannot make the folder {path}", error) from error
    return path
