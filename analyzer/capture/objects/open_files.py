"""Bytes and open files as byte streams.

An open file is read with its own ``read`` from where it stands, whatever it is: a file on disk, one in memory, a pipe,
the body of an answer from the network, a file that gzip or zipfile unpacks. It is never closed.
"""

import io
from typing import BinaryIO

from analyzer.capture.byte_stream import ByteStream, ReadBytes, unreadable
from analyzer.capture.compression import unpacked
from analyzer.errors import UnreadableCapture, UsageError

THE_BYTES, OPEN_FILE = "the capture given as bytes", "the open file"  # what messages and the summary call them


class HandedBytes(ReadBytes):
    """The bytes that an open file still has."""

    live, size = False, None

    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__(name)
        self._file = file

    def _read(self, count: int) -> bytes:
        try:
            more = self._file.read(count)
        except OSError as error:
            raise unreadable(self.name, error) from None
        except (ValueError, EOFError) as error:  # it was closed; or what is packed in it is cut
            raise UnreadableCapture(f"cannot read {self.name}: {error}") from None
        if isinstance(more, str):
            raise UsageError(f'{self.name} is open as text; open it with mode "rb"')
        if more is None:
            raise UnreadableCapture(f"cannot read {self.name}: it is in non-blocking mode; open it in blocking mode")
        self.taken += len(more)
        return bytes(more)

    def close(self) -> None:
        """It belongs to whoever opened it."""


def of_bytes(data: bytes | bytearray | memoryview) -> ByteStream:
    """The bytes of a capture, unpacked where they are packed."""
    return unpacked(HandedBytes(io.BytesIO(data), THE_BYTES))


def of_file(file: BinaryIO) -> ByteStream:
    """What an open file still has, likewise."""
    return unpacked(HandedBytes(file, file_name(file)))


def file_name(file: BinaryIO) -> str:
    """What messages call an open file."""
    name = getattr(file, "name", None)
    return name if isinstance(name, str) and name else OPEN_FILE


def place_of(file: BinaryIO) -> int | None:
    """Where an open file stands, None where it cannot be read twice."""
    try:
        return file.tell() if file.seekable() else None
    except (AttributeError, OSError, ValueError):
        return None


def rewound(file: BinaryIO, place: int) -> ByteStream:
    """What an open file had from ``place`` on; it is left where that ends."""
    try:
        file.seek(place)
    except (OSError, ValueError) as error:
        raise UnreadableCapture(f"cannot read {file_name(file)} again: {error}") from None
    return of_file(file)
