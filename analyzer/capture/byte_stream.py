"""Where a capture's bytes come from: a file, a pipe or standard input.

    open_raw(path)  ->  RawBytes.readinto(memory)  ->  the bytes as they are; ``compression`` unpacks them

A stream is ``live`` when its bytes arrive over time (pipe, terminal, socket): then ``ready`` says whether more can
be had at once, so that a reader can hand on what came instead of waiting for a full batch.
"""

import contextlib
import errno
import io
import os
import select
import stat
from abc import ABC, abstractmethod
from typing import Protocol

from analyzer.capture.interfaces import harmless
from analyzer.errors import UnreadableCapture

PIECE = 256 * 1024  # packed bytes taken from a file at once
PIPE_SIZE = 1024 * 1024  # asked of the system for a pipe, so that a fast writer comes in large pieces

WHY = {
    errno.ENOENT: "there is no such file; check the path",
    errno.EISDIR: "it is a directory; name the capture files in it",
    errno.EACCES: "permission denied; ask its owner, or run as a user who may read it",
    errno.EMFILE: "too many files are open at once; merge some first with: mergecap -w OUT IN...",
}


class ByteStream(Protocol):
    """The unpacked bytes of one capture."""

    name: str  # as the user gave it, for messages
    live: bool
    size: int | None  # bytes of the file as it lies on disk; None for a pipe
    trouble: str  # what was wrong with the packing; empty while nothing is

    @property
    def taken(self) -> int:
        """Bytes of the file read so far."""

    def readinto(self, memory: memoryview) -> int:
        """Put some bytes into ``memory``, at least one unless the stream is at its end; return how many."""

    def ready(self, seconds: float) -> bool:
        """Whether more can be read at once, waiting for it at most ``seconds``."""

    def close(self) -> None: ...


def unreadable(name: str, error: OSError) -> UnreadableCapture:
    """What the operating system said, as one line for the user."""
    why = WHY.get(error.errno or 0, (error.strerror or str(error)).lower())
    return UnreadableCapture(f"cannot read {name}: {why}")


def open_raw(path: str | os.PathLike[str]) -> "RawBytes":
    """The bytes at ``path`` as they are; ``-`` is standard input."""
    name = os.fspath(path)
    shown = "standard input" if name == "-" else harmless(name)
    try:
        if name != "-":
            return RawBytes(io.FileIO(name), shown)
        if os.isatty(0):
            raise UnreadableCapture("standard input is a terminal: name a capture file, or pipe a capture in")
        return RawBytes(io.FileIO(0, closefd=False), shown)
    except OSError as error:
        raise unreadable(shown, error) from None
    except ValueError:
        raise UnreadableCapture(f"cannot read {shown}: the path is not valid") from None


class ReadBytes(ABC):
    """Bytes that are not unpacked: what all kinds of them share."""

    live = False
    size: int | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken = 0
        self.trouble = ""
        self._ahead = b""  # read while looking at the head, not yet handed out

    @abstractmethod
    def _read(self, count: int) -> bytes:
        """Up to ``count`` of the next bytes from where they come; none at the end."""

    def peek(self, count: int) -> bytes:
        """The first ``count`` bytes, or all there are; they stay to be read."""
        while len(self._ahead) < count:
            more = self._read(count - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:count]

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes; none at the end."""
        if self._ahead:
            first, self._ahead = self._ahead[:count], self._ahead[count:]
            return first
        return self._read(count)

    def readinto(self, memory: memoryview) -> int:
        """See :class:`ByteStream`."""
        some = self.read(len(memory))
        memory[: len(some)] = some
        return len(some)

    def ready(self, seconds: float) -> bool:
        """See :class:`ByteStream`."""
        return True

    def close(self) -> None:  # noqa: B027 (not all have something to close)
        """See :class:`ByteStream`."""


class RawBytes(ReadBytes):
    """The bytes as they lie in the file or come through the pipe."""

    def __init__(self, file: io.FileIO, name: str) -> None:
        super().__init__(name)
        self._file = file
        facts = os.fstat(file.fileno())
        self.live = not stat.S_ISREG(facts.st_mode)
        self.size = None if self.live else facts.st_size
        if stat.S_ISFIFO(facts.st_mode):
            self._widen()

    def _widen(self) -> None:
        try:
            import fcntl

            fcntl.fcntl(self._file.fileno(), fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        except (ImportError, AttributeError, OSError):
            return  # the pipe works as it is, in smaller pieces

    def _read(self, count: int) -> bytes:
        try:
            more = self._file.read(count) or b""
        except OSError as error:
            raise unreadable(self.name, error) from None
        self.taken += len(more)
        return more

    def readinto(self, memory: memoryview) -> int:
        if self._ahead:
            return super().readinto(memory)
        try:
            count = self._file.readinto(memory) or 0
        except OSError as error:
            raise unreadable(self.name, error) from None
        self.taken += count
        return count

    def ready(self, seconds: float) -> bool:
        if self._ahead or not self.live:
            return True
        try:
            return bool(select.select([self._file], [], [], seconds)[0])
        except (OSError, ValueError):  # something select cannot wait for: reading it is the only way to know
            return False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
