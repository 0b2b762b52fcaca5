"""A file that appears under its name only when it is whole.

It is written beside its final place (the same folder, hence the same file system), forced to the disk, and
renamed. Whatever goes wrong on the way, the name keeps what it had and nothing is left behind.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from analyzer.errors import UnwritableOutput


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open ``path`` for writing; it is replaced when the block ends, and untouched if the block fails.

    Raises UnwritableOutput, one line with the path and the system's reason, for every failure of the file
    system.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def output_folder(path: Path) -> Path:
    """``path`` as a folder, made if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutput(f"cannot make the folder {path}: {error.strerror or error}") from error
    return path
